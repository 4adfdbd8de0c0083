#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The client's commands about installs, against a scripted daemon: installs, verify,
sidestep, and what check says of a service pack.

By hand: SPGUARD_BUILD=build python3 tests/component/test_client_installs.py
"""
import json
import os
import pty
import shutil
import subprocess
import tempfile
import threading
import unicodedata
import unittest

import fake_daemon as fake
from client_run import (CLIENT, ENV, HANG, ask, columns_of, on_terminal, read_to_the_end, run)
from fake_daemon import Error, FakeDaemon, Telling, answer, event, file, sidestep, use, verification

HOSTILE = "x\x1b]0;owned\x07\x1b[2J\r\n\u009b31m\u202edll.\x7f\u200b\u00ad\u2028\u2029\ufeff"
COPIED = ("  kill ", "  systemctl ", "  spguard ")  # commands are never broken


class Case(unittest.TestCase):
    def assert_harmless(self, text):
        for c in text:
            self.assertFalse(unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") and c != "\n",
                             "%r in %r" % (c, text[:2000]))

    def assert_fits(self, answers, *args):
        for said in answers, json.loads(json.dumps(answers).replace("2026-11-22", "2025-01-02")):
            with FakeDaemon(said) as daemon:
                for columns in 60, 80, 120:
                    done = on_terminal(daemon.path, *args, "--no-color", "--utc",
                                       columns=columns)
                    for line in done.out.splitlines():
                        if not line.startswith(COPIED):
                            self.assertLessEqual(columns_of(line), columns, done.out)

    def folder(self):
        folder = tempfile.mkdtemp(prefix="spguard-client-")
        self.addCleanup(shutil.rmtree, folder)
        return folder

    def payload(self):
        folder = self.folder()
        with open(folder + "/x.dll", "w"):
            return folder


class Installs(Case):
    ONE = {"installs": {"installs": [fake.MIXED_INSTALL]}}

    def test_packages(self):
        def package(name, old, new, known=True):
            return {"name": name, "from": old, "to": new, "from_known": known}
        kinds = [package("liba", "1", "2"), package("libb", None, "2"),
                 package("libc", "1", None), package("libd", "1", "1"),
                 package("libe", None, "3", False), package("libf", "1", "2")]
        of = {"name": "liba", "version": "2"}
        one = fake.install(3, "clean", 1, 0, command="apt-get upgrade", packages=kinds,
                           findings=[], files=[fake.install_file(
                               "/srv/exchsrvr/bin/a.so", "replaced", package=of)])
        for packages, words in (
                (kinds, "liba 1 to 2, libb 2 new, libc 1 removed and 3 more"),
                (kinds[:4], "liba 1 to 2, libb 2 new, libc 1 removed, libd 1"),
                (kinds[4:5], "libe 3")):
            one["packages"] = packages
            done = ask({"installs": {"installs": [one]}}, "installs")
            self.assertIn(f"    apt-get upgrade (root): {words}\n", done.out)
        one["packages"] = kinds + [package(f"lib{i:02}", "1", "2") for i in range(20)]
        done = ask({"installs": {"installs": [one]}}, "installs", "3")
        said = " ".join(done.out.split())
        self.assertIn("by apt-get upgrade (root), pid 4711", said)
        self.assertIn("packages liba 1 to 2, libb 2 new, libc 1 removed, libd 1, libe 3, "
                      "libf 1 to 2, lib00 1 to 2,", said)
        self.assertIn("lib05 1 to 2 and 14 more", said)
        self.assertIn("a.so (liba 2)", said)

    def test_list(self):
        done = ask({}, "installs")
        self.assertEqual((done.code, done.err), (0, ""))
        rows = {line.split()[0]: line for line in done.out.splitlines() if line.strip()}
        for word in "BEGAN", "PRODUCT", "BY", "CHANGED", "SKIPPED", "OUTCOME":
            self.assertIn(word, rows["ID"])
        self.assertRegex(rows["3"], r"exchange55 +setup\.exe /q \(root\) +11 +1 +mixed$")
        self.assertRegex(rows["2"], r"not known +12 +0 +clean$")
        # Only the newest of a product asks for something.
        self.assertIn("spguard installs 4   # what it has done so far", done.out)
        self.assertNotIn("spguard installs 3", done.out)
        done = ask({"installs": {"installs": [fake.install()]}}, "installs")
        self.assertIn("spguard installs 3   # what is wrong", done.out)
        done = ask({"installs": {"installs": [fake.install(outcome="clean")]}}, "installs")
        self.assertNotIn("What to do", done.out)
        self.assertEqual(ask({"installs": {"installs": []}}, "installs").out,
                         "No install was seen.\n")

    def test_parameters(self):
        self.assertIsNone(ask({}, "installs").daemon.params("installs"))
        done = ask({}, "installs", "--product", "p", "-n", "5", "--wait=90s", "7")
        self.assertEqual(done.daemon.params("installs"),
                         {"product": "p", "limit": 5, "wait": 90, "id": 7})
        self.assertEqual(ask({}, "installs", "--wait").daemon.params("installs"),
                         {"wait": 86400})

    def test_one(self):
        done = ask(self.ONE, "installs", "3", "--utc")
        self.assertEqual((done.code, done.err), (0, ""))
        for text in ("MIXED  install 3 of exchange55: 11 files changed, 1 left out\n",
                     "by       setup.exe /q (root), pid 4711\n",
                     " (2m 11s)\n", "  - " + fake.WHY_MIXED["text"],
                     "    held by perfmon (2113), perfmon.service: mapped\n",
                     "\nWhat to do:\n  spguard sidestep " + fake.MDBPERF):
            self.assertIn(text, done.out)
        rows = [line.split() for line in done.out.splitlines()]
        self.assertIn(["Mdbperf.dll", "skipped", "5.5.2448.0", "as", "it", "was"], rows)
        self.assertIn(["store.exe", "replaced", "5.5.2448.0", "5.5.2650.24"], rows)
        # Without a version, and where versions are equal, the digest tells.
        self.assertIn(["readme.exe", "created", "-", "d" * 12], rows)
        self.assertIn(["Edbbcli.dll", "modified", "e" * 12, "f" * 12], rows)
        # What was left out comes first, each directory is a heading.
        self.assertLess(done.out.index("Mdbperf.dll  "), done.out.index("store.exe  "))
        self.assertEqual(done.out.count("\n/srv/winnt/system32\n"), 1)

    def test_an_acceptance(self):
        reason = fake.note("accepted", "root accepts what install 3 left", name="root", install=3)
        done = ask({"installs": {"installs": [
            fake.install(4, "clean", 0, 0, by=None, command=None, reasons=[reason])]}}, "installs")
        self.assertIn("accepted", done.out)
        self.assertNotIn("not known", done.out)

    def test_outcomes(self):
        for outcome, says in (("clean", "CLEAN  install 3 of exchange55: 12 files changed, and "
                                        "nothing was left out\n"),
                              ("running", "RUNNING  install 3 of exchange55: 12 files changed "
                                          "so far\n"),
                              ("unknown", "UNKNOWN  install 3 of exchange55: 12 files changed, "
                                          "and not everything could be read, or was done\n")):
            one = fake.install(3, outcome, 12, 0, files=[], findings=[], follows=2)
            done = ask({"installs": {"installs": [one]}}, "installs", "3", env={"COLUMNS": "200"})
            self.assertIn(says, done.out.replace("\n" + " " * (len(outcome) + 2), " "))
            self.assertEqual("this one mended it" in done.out, outcome == "clean")
        one = fake.install(3, "mixed", 1, 0, files=[], findings=["a", "b"], by=None, command=None)
        done = ask({"installs": {"installs": [one]}}, "installs", "3")
        self.assertIn("1 file changed, 2 things do not fit\n", done.out)
        self.assertIn("by       not known\n", done.out)

    def test_a_thousand_files(self):
        files = [fake.install_file("/srv/f%04d.dll" % i, "skipped" if i == 999 else "replaced")
                 for i in range(1000)]
        said = {"installs": {"installs": [dict(fake.MIXED_INSTALL, files=files)]}}
        with FakeDaemon(said) as daemon:
            done = on_terminal(daemon.path, "installs", "3", "--no-color")
            self.assertIn("f0999.dll", done.out)
            self.assertIn("... and 900 more files; all of them: spguard installs --json 3",
                          done.out)
            self.assertIn("f0998.dll", run("--socket", daemon.path, "installs", "3").out)

    def test_json(self):
        done = ask(self.ONE, "installs", "3", "--json")
        self.assertEqual((done.code, json.loads(done.out)),
                         (0, dict(self.ONE["installs"], outdated=[])))

    def test_failures(self):
        for args, says in ((["0"], "ID takes a number"), (["x"], "ID takes a number"),
                           (["1", "2"], "unexpected argument '2'"), (["--limit", "1001"], "1 to 1000"),
                           (["--wait", "30m"], "write --wait=30m"),
                           (["--wait=soon"], "--wait takes a time"),
                           (["--product", b"\xff"], "not valid UTF-8")):
            done = run("installs", *args)
            self.assertEqual((done.code, done.out), (2, ""), args)
            self.assertIn(says, done.err)
        done = ask({"installs": Error(-32602, "there is no install 9", "spguard installs lists "
                                      "them")}, "installs", "9")
        self.assertEqual(done.code, 1)
        self.assertEqual(done.err, "spguard: there is no install 9\nhint: spguard installs lists "
                                   "them\n")

    def test_wait_on_a_terminal_says_that_it_waits(self):
        for outcome in "running", "clean":
            master, slave = pty.openpty()
            with FakeDaemon({"installs": {"installs": [fake.install(1, outcome)]}}) as daemon:
                child = subprocess.Popen([CLIENT, "--socket", daemon.path, "installs",
                                          "--wait=30m"], env=ENV, stderr=slave,
                                         stdout=subprocess.DEVNULL)
                os.close(slave)
                err = read_to_the_end(master)
                self.assertEqual(child.wait(HANG), 0)
                self.assertEqual([r.get("params") for r in daemon.requests
                                  if r["method"] == "installs"], [None, {"wait": 1800}])
            self.assertEqual(b"waiting at most 30m" in err, outcome == "running", err)

    def test_narrow(self):
        self.assert_fits({}, "installs")
        self.assert_fits(self.ONE, "installs", "3")

    def test_hostile(self):
        bad = fake.install(3, HOSTILE, reasons=[HOSTILE], next=[HOSTILE], product=HOSTILE,
                           began=HOSTILE, files=[fake.install_file(
                               "/srv/" + HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE,
                               [{"pid": 1, "name": HOSTILE, "how": [HOSTILE], "unit": HOSTILE}])],
                           by={"pid": 1, "name": HOSTILE, "user": HOSTILE, "cmdline": HOSTILE})
        with FakeDaemon({"installs": {"installs": [bad]}}) as daemon:
            for args in ["installs"], ["installs", "3"], ["installs", "--json"]:
                done = on_terminal(daemon.path, *args, "--no-color")
                self.assertIn("owned", done.out)
                self.assert_harmless(done.out)

    def test_odd_answers(self):
        for one in ({}, 1, {"id": "x", "by": 3, "files": [1, {}, {"holders": [1, {}]}],
                            "reasons": [1], "next": [1, {}], "findings": 3, "changed": "x"}):
            for args in ["installs"], ["installs", "1"]:
                self.assertEqual(ask({"installs": {"installs": [one]}}, *args).code, 0)


class Verify(Case):
    @staticmethod
    def result(*products, verdict=None):
        return {"verify": {"verdict": verdict or products[0]["verdict"],
                           "products": list(products)}}

    def test_exit_codes(self):
        for verdict, code in ("fits", 0), ("mixed", 2), ("unknown", 3):
            done = ask(self.result(verification(verdict)), "verify")
            self.assertEqual((done.code, done.err), (code, ""))
            self.assertTrue(done.out.startswith(verdict.upper() + "  Microsoft"), done.out)
            done = ask(self.result(verification(verdict)), "verify", "--json")
            self.assertEqual(done.code, code)

    def test_fits(self):
        done = ask(self.result(verification()), "verify", "--utc")
        lines = done.out.splitlines()
        self.assertEqual(lines[0], "FITS  Microsoft Exchange Server 5.5: 19 modules fit together")
        self.assertRegex(" ".join(lines[1:]),
                         r"^verified .*13:00:00\.123Z, 19 files \(2 read anew\) in "
                         r"31 ms; entry points +of 19 modules$")
        done = ask(self.result(verification(files=30)), "verify")
        self.assertIn("19 modules fit together; 11 other files", done.out)

    def test_nothing_to_judge_is_not_called_fitting(self):
        none = {"files": 19, "modules": 0, "checked": 0}
        payload = {"files": 2, "same": 2, "different": 0, "missing": 0, "variant": 0,
                   "by_name": 0}
        for verdict, more, code, says in (
                ("not-checked", none, 3, "nothing could be checked: 19 files, none of them a "
                                         "program or a library"),
                ("not-checked", {**none, "files": 1}, 3, "1 file, which is neither a program nor a library"),
                ("fits", {**none, "payload": payload}, 0,
                 "what the service pack brings is installed")):
            done = ask(self.result(verification(verdict, **more)), "verify")
            self.assertEqual(done.code, code)
            self.assertIn(says, " ".join(done.out.split()))
            self.assertNotIn("fit together", done.out)

    def test_what_an_install_has_left(self):
        reasons = [fake.WHY_MIXED, fake.note("misfit", "told above", file="/x", finding="damaged")]
        done = ask(self.result(verification("mixed", install=7, reasons=reasons)), "verify")
        self.assertEqual(done.code, 2)
        text = " ".join(done.out.split())
        self.assertIn("what there is fits, and yet install 7 is not clean", text)
        self.assertIn("Install 7: - Mdbperf.dll was not replaced: perfmon", text)
        self.assertNotIn("told above", text)

    def test_hints(self):
        hints = [{"path": "/x/a.dll", "text": "a.dll needs \x1bb.dll in /y"}] * 30
        done = ask(self.result(verification(hints=hints)), "verify")
        self.assertEqual(done.code, 0)
        self.assertIn("No fault, but look:\n  - a.dll needs", done.out)
        self.assertEqual(done.out.count("  - a.dll"), 30)
        self.assert_harmless(done.out)

    def test_accept(self):
        done = ask({"installs.accept": {"accepted": 7}}, "installs", "--accept", "7")
        self.assertEqual((done.code, done.out), (0, "what install 7 has left is accepted\n"))
        self.assertEqual(done.daemon.params("installs.accept"), {"id": 7})
        done = ask({"installs.accept": {"accepted": 7}}, "installs", "--accept", "0")
        self.assertEqual(done.code, 2)

    def test_mixed(self):
        done = ask({}, "verify")
        self.assertEqual(done.code, 2)
        for text in ("MIXED  Microsoft Exchange Server 5.5: 2 findings\n",
                     "\n/srv/exchsrvr/bin\n  - dsamain.exe needs EcPerfOpenEx, which mdbperf.dll",
                     "\n/srv/winnt/system32\n  - Edbbcli.dll is 5.5.2448.0",
                     "  Exchange (Microsoft Corporation): 5.5.2448.0 (2 modules), 5.5.2650.24 "
                     "(16), none",
                     "\n  spguard check   # free the files"):
            self.assertIn(text, done.out.replace("\n  none", " none"))
        self.assertNotIn("no product named", done.out)  # it has one version

    def test_unknown_tells_reason_and_remedy(self):
        done = ask(self.result(verification("unknown", coverage=[fake.LACK])), "verify")
        for text in "Could not be looked at:", "on NFS", "Ask on the file server":
            self.assertIn(text, done.out)
        done = ask(self.result(verification("unknown", files=0, modules=0)), "verify")
        self.assertIn("no file of it was found", done.out)

    def test_payload(self):
        payload = {"files": 15, "same": 8, "different": 2, "missing": 1, "variant": 3,
                   "by_name": 1}
        done = ask(self.result(verification("mixed", payload=payload)), "verify", "--payload",
                   self.payload())
        self.assertIn("Service pack: 15 files: 8 installed, 2 installed but different, 1 not "
                      "installed, 3 other variants, 1 of which only the name is known; "
                      "1 installed file was compared by name, with each of several: no folder "
                      "tells which is meant", " ".join(done.out.split()))
        sent = done.daemon.params("verify")
        self.assertEqual([(f["name"], f["path"]) for f in sent["payload"]],
                         [("x.dll", "x.dll")])
        self.assertEqual(len(sent["payload"][0]["sha256"]), 64)
        done = ask({}, "verify", "--files", "-", "--product", "p", input=b"y.dll\n")
        self.assertEqual(done.daemon.params("verify"),
                         {"product": "p", "payload": [{"name": "y.dll"}], "progress": True})

    def test_several_products(self):
        rank = ["fits", "unknown", "mixed"]
        for a in rank:
            for b in rank:
                worst = max(a, b, key=rank.index)
                # A total that contradicts its parts is not believed.
                done = ask(self.result(verification(a, title="First"),
                                       verification(b, title="Second"), verdict="fits"), "verify")
                self.assertEqual(done.code, {"fits": 0, "mixed": 2, "unknown": 3}[worst])
                self.assertIn(a.upper() + "  First", done.out)
                self.assertIn(worst.upper() + "  all 2 products", done.out)

    def test_no_verdict_is_no_answer(self):
        for result in ({}, [], 7, {"verdict": "fits"}, {"verdict": "fits", "products": []},
                       {"verdict": "safe", "products": [verification()]},
                       {"verdict": "fits", "products": [{}]}):
            for option in "--json", "--utc":
                done = ask({"verify": result}, "verify", option)
                self.assertEqual((done.code, bool(done.out)), (3, option == "--json"), result)
                self.assertIn("no verdict", done.err)

    def test_failures(self):
        for args, says in ((["stray"], "unexpected argument 'stray'"),
                           (["--payload", "a", "--files", "b"], "exclude each other"),
                           (["--payload", "/nowhere"], "No such file"),
                           (["--product", b"\xff"], "not valid UTF-8")):
            done = run("--socket", "/nowhere/s", "verify", *args)
            self.assertEqual((done.code, done.out), (3, ""), args)
            self.assertIn(says, done.err)
        self.assertEqual(ask({"verify": Error(-32002, "no such product")}, "verify").code, 3)

    def test_progress_is_no_answer_and_no_noise(self):
        progress = [("progress", {"product": "p", "done": i, "total": 5000})
                    for i in range(5000)]
        for notifications in progress, [("progress", 7), ("progress", {"done": "x"}),
                                        ("later", {})]:
            done = ask({"verify": Telling(notifications, fake.DEFAULT["verify"])}, "verify",
                       "--json")
            self.assertEqual((done.code, done.err), (2, ""))
            self.assertEqual(json.loads(done.out), fake.DEFAULT["verify"])

    def test_progress_on_a_terminal(self):
        """It comes when it takes long; here, as long as it takes to come."""
        seen = threading.Event()
        self.addCleanup(seen.set)

        def progress():
            for _ in range(50 * HANG):  # at most that long
                if seen.wait(0.02):
                    return
                yield "progress", {"product": HOSTILE, "done": 12, "total": 1900}

        master, slave = pty.openpty()
        with FakeDaemon({"verify": Telling(progress(), fake.DEFAULT["verify"])}) as daemon:
            child = subprocess.Popen([CLIENT, "--socket", daemon.path, "verify"], env=ENV,
                                     stderr=slave, stdout=subprocess.DEVNULL)
            os.close(slave)
            err = b""
            while b"1,900 files" not in err:
                chunk = os.read(master, 4096)
                self.assertTrue(chunk, err)
                err += chunk
            seen.set()
            err += read_to_the_end(master)
            self.assertEqual(child.wait(HANG), 2)
        self.assertIn(b"reading what is installed: 12 of 1,900 files of x\\x1b", err)
        self.assert_harmless(err.decode().replace("\r", ""))
        self.assertTrue(err.endswith(b" \r"), err)  # erased

    def test_many_findings(self):
        many = verification("mixed", [fake.finding("finding %d" % i) for i in range(150)],
                            more_findings=7)
        with FakeDaemon(self.result(many)) as daemon:
            done = on_terminal(daemon.path, "verify", "--no-color")
            self.assertIn("157 findings", done.out)
            self.assertIn("... and 57 more;", done.out)
            self.assertIn("finding 149", run("--socket", daemon.path, "verify").out)

    def test_narrow(self):
        self.assert_fits({"verify": fake.DEFAULT["verify"]}, "verify")

    def test_hostile(self):
        bad = verification("mixed", [fake.finding(HOSTILE, "/srv/" + HOSTILE + "/x")],
                           product=HOSTILE, title=HOSTILE, next=fake.notes([HOSTILE]), at=HOSTILE,
                           coverage=[{"what": HOSTILE, "why": HOSTILE, "remedy": HOSTILE}],
                           versions=[{"company": HOSTILE, "product": HOSTILE, "versions": [
                               {"version": HOSTILE, "modules": 1}] * 2}])
        with FakeDaemon(self.result(bad)) as daemon:
            for option in "--utc", "--json":
                done = on_terminal(daemon.path, "verify", "--no-color", option)
                self.assertIn("owned", done.out)
                self.assert_harmless(done.out)

    def test_odd_answers(self):
        odd = {"verdict": "mixed", "findings": [1, {}], "versions": [1, {"versions": [1, {}]}],
               "payload": {"files": -2**63, "same": 2**62, "missing": "x"}, "coverage": [0],
               "next": [1], "took_us": 2**62, "modules": -1, "checked": -5}
        for one in odd, dict(odd, payload=3, findings="x"):
            self.assertEqual(ask(self.result(one), "verify").code, 2)


class Sidestep(Case):
    TEXT = "nobody holds it: setup can replace it as it is"
    STORE = sidestep("/srv/exchsrvr/bin/store.exe", "refused", text=TEXT)

    @staticmethod
    def daemon(*rows, **more):
        """Renames what it said it would."""
        def apply(params):
            dry = params.get("dry_run", False)
            return {"sidesteps": [
                row if dry or row["state"] != "planned" else dict(row, state="renamed", id=i + 1)
                for i, row in enumerate(rows)], "next": [fake.note("install", "run the service pack now")]}
        return dict({"sidestep.apply": apply}, **more)

    def asked(self, daemon):
        return [r["params"].get("dry_run", False) for r in daemon.requests
                if r["method"] == "sidestep.apply"]

    def test_dry_run(self):
        done = ask(self.daemon(sidestep(), self.STORE), "sidestep", "--dry-run", "Mdbperf.dll",
                   "store.exe")
        self.assertEqual(done.code, 1)  # one is refused
        self.assertEqual(done.daemon.params("sidestep.apply"),
                         {"paths": ["Mdbperf.dll", "store.exe"], "dry_run": True})
        for text in ("PARTLY  1 of 2 files can be renamed\n", self.TEXT, "\n/srv/exchsrvr/bin\n"):
            self.assertIn(text, done.out)
        self.assertRegex(done.out, r"Mdbperf\.dll +planned +Mdbperf\.old")
        self.assertNotIn("store.old", done.out)
        done = ask(self.daemon(sidestep(text="make sure of it")), "sidestep", "-n", "Mdbperf.dll")
        self.assertEqual(done.code, 0)
        self.assertIn("make sure of it", done.out)

    def test_yes(self):
        done = ask(self.daemon(sidestep()), "sidestep", "--yes", "--product", "p", "Mdbperf.dll")
        self.assertEqual((done.code, done.err), (0, ""))
        self.assertEqual(done.daemon.params("sidestep.apply"),
                         {"paths": ["Mdbperf.dll"], "product": "p"})
        self.assertIn("DONE  1 file renamed\n", done.out)
        self.assertRegex(done.out, r"Mdbperf\.dll +renamed +Mdbperf\.old +1 ")
        self.assertIn("\n  spguard sidestep --undo 1   # takes the step back\n", done.out)
        for rows, word in (([self.STORE], "REFUSED  no file renamed"),
                           ([sidestep(), self.STORE], "PARTLY  1 of 2 files renamed"),
                           ([sidestep(state="failed", text="disk full")], "FAILED  no file")):
            done = ask(self.daemon(*rows), "sidestep", "-y", "x.dll")
            self.assertEqual(done.code, 1)
            self.assertIn(word, done.out)

    def test_without_a_terminal_nobody_can_be_asked(self):
        for args in ["Mdbperf.dll"], ["--json", "Mdbperf.dll"]:
            done = ask(self.daemon(sidestep()), "sidestep", *args)
            self.assertEqual((done.code, bool(done.out)), (2, "--json" in args))
            self.assertIn("say --yes to rename without being asked", done.err)
            self.assertEqual(done.daemon.requests, [])

    def test_question(self):
        for typed, code, asked in ((b"y\n", 0, [True, False]), (b"YES\n", 0, [True, False]),
                                   (b"n\n", 1, [True]), (b"\n", 1, [True]),
                                   (b"yesterday\n", 1, [True]), (b"\x04", 1, [True]),
                                   (b"y" * 40 + b"\n", 1, [True])):
            with FakeDaemon(self.daemon(sidestep(), sidestep("/srv/y.dll"))) as daemon:
                done = on_terminal(daemon.path, "sidestep", "--no-color", "Mdbperf.dll", "y.dll",
                                   input=typed)
                self.assertEqual(self.asked(daemon), asked, typed)
            self.assertEqual(done.code, code, typed)
            self.assertIn("POSSIBLE  2 files can be renamed", done.out)
            self.assertIn("Rename these 2 files? [y/N] ", done.out)
            self.assertEqual("DONE  2 files renamed" in done.out, code == 0)
        with FakeDaemon(self.daemon(sidestep(), self.STORE)) as daemon:
            done = on_terminal(daemon.path, "sidestep", "Mdbperf.dll", "store.exe", input=b"y\n")
            self.assertIn("Rename this file?", done.out)
            self.assertEqual(done.code, 1)

    def test_no_question_when_all_is_refused(self):
        with FakeDaemon(self.daemon(self.STORE)) as daemon:
            done = on_terminal(daemon.path, "sidestep", "store.exe", "--no-color", input=b"y\n")
            self.assertEqual(self.asked(daemon), [True])
        self.assertEqual(done.code, 1)
        self.assertIn("REFUSED  no file can be renamed", done.out)
        self.assertNotIn("[y/N]", done.out)

    def test_paths_and_payload(self):
        folder = os.path.realpath(self.payload())
        done = ask(self.daemon(sidestep()), "sidestep", "-y", "--payload", folder, "./x.dll",
                   "/srv//a/./b.dll", "c.dll", cwd=folder)
        params = done.daemon.params("sidestep.apply")
        self.assertEqual(params["paths"], [folder + "/x.dll", "/srv/a/b.dll", "c.dll"])
        self.assertEqual([f["name"] for f in params["payload"]], ["x.dll"])
        done = run("--socket", "/nowhere", "sidestep", "-y", "./none.dll", cwd=folder)
        self.assertEqual(done.code, 1)
        self.assertIn("./none.dll: No such file", done.err)

    def test_list(self):
        rows = [sidestep(state="renamed", id=3), sidestep("/srv/y.dll", "finished", 2)]
        done = ask({"sidestep.list": {"sidesteps": rows, "next": []}}, "sidestep", "--list")
        self.assertEqual((done.code, done.err), (0, ""))
        self.assertRegex(done.out, r"y\.dll +finished +y\.old +2 ")
        self.assertIn("spguard sidestep --undo 3 ", done.out)
        self.assertNotIn("--undo 2", done.out)
        self.assertIn("spguard sidestep --clean ", done.out)
        done = ask({"sidestep.list": {"sidesteps": [], "next": []}}, "sidestep", "--list")
        self.assertEqual((done.code, done.out), (0, "No step aside is open.\n"))

    def test_undo(self):
        done = ask({"sidestep.undo": {"sidesteps": [sidestep(state="undone", id=3)]}}, "sidestep",
                   "--undo", "3")
        self.assertEqual((done.code, done.daemon.params("sidestep.undo")), (0, {"id": 3}))
        self.assertIn("DONE  1 file with its old name again", done.out)
        done = ask({"sidestep.undo": {"sidesteps": [sidestep(state="renamed", id=3,
                                                             text=self.TEXT)]}},
                   "sidestep", "--undo=3")
        self.assertEqual(done.code, 1)
        self.assertIn("REFUSED  no file", done.out)
        self.assertIn(self.TEXT, done.out)

    def test_clean(self):
        rows = [sidestep(state="cleaned", id=3), sidestep("/srv/y.dll", "finished", 2, "in use")]
        for args, params in ([], None), (["3"], {"id": 3}):
            done = ask({"sidestep.clean": {"sidesteps": rows}}, "sidestep", "--clean", *args)
            self.assertEqual((done.code, done.daemon.params("sidestep.clean")), (1, params))
            self.assertIn("PARTLY  1 of 2 files removed", done.out)
        done = ask({"sidestep.clean": {"sidesteps": rows[:1]}}, "sidestep", "--clean")
        self.assertEqual(done.code, 0)
        done = ask({"sidestep.clean": {"sidesteps": []}}, "sidestep", "--clean")
        self.assertEqual((done.code, done.out), (0, "There is no old file to remove.\n"))

    def test_json(self):
        for args, method, code in ((["-y", "x"], "apply", 0), (["-n", "x"], "apply", 1),
                                   (["--list"], "list", 0), (["--undo", "1"], "undo", 1),
                                   (["--clean"], "clean", 1)):
            result = {"sidesteps": [sidestep(state="renamed", id=1)], "next": []}
            done = ask({"sidestep." + method: result}, "sidestep", "--json", *args)
            self.assertEqual((done.code, json.loads(done.out)), (code, result))

    def test_usage(self):
        for args, says in (([], "which files?"), (["--list", "x.dll"], "unexpected argument 'x.dll'"),
                           (["--undo", "x"], "--undo takes a number"), (["--undo"], "value"),
                           (["--clean", "x"], "--clean takes a number"),
                           (["--clean", "1", "2"], "unexpected argument '2'"),
                           (["--list", "--clean"], "exclude each other"),
                           (["--undo", "1", "--list"], "exclude each other"),
                           (["--list", "--yes"], "are for renaming"),
                           (["--clean", "--dry-run"], "are for renaming"),
                           (["-y", "--product", b"\xff", "x"], "not valid UTF-8")):
            done = run("sidestep", *args)
            self.assertEqual((done.code, done.out), (2, ""), args)
            self.assertIn(says, done.err)

    def test_refusal(self):
        for args, method in ((["-y", "x"], "apply"), (["--list"], "list"),
                             (["--undo", "1"], "undo"), (["--clean"], "clean")):
            done = ask({"sidestep." + method: Error(-32001, "you may not")}, "sidestep", *args)
            self.assertEqual((done.code, done.out), (1, ""))
            self.assertIn("admin-group", done.err)

    def test_narrow(self):
        rows = [sidestep(state="renamed", id=1234, text=self.TEXT * 2),
                sidestep("/srv/a-very-long-name-of-a-file-that-nobody-needs.dll", "finished", 2)]
        self.assert_fits({"sidestep.list": {"sidesteps": rows}}, "sidestep", "--list")

    def test_hostile(self):
        bad = dict(sidestep("/srv/" + HOSTILE, HOSTILE, 1, HOSTILE), at=HOSTILE, changed=HOSTILE)
        said = {"sidesteps": [bad], "next": fake.notes([HOSTILE])}
        with FakeDaemon({"sidestep.list": said, "sidestep.apply": said}) as daemon:
            for args in ["--list"], ["-n", "x"], ["-y", "x"], ["-y", "x", "--json"]:
                done = on_terminal(daemon.path, "sidestep", "--no-color", *args)
                self.assertIn("owned", done.out)
                self.assert_harmless(done.out)

    def test_odd_answers(self):
        for result in {}, [], 1, {"sidesteps": 1}, {"sidesteps": [1, {}], "next": [1]}:
            for args in ["-y", "x"], ["-n", "x"]:
                self.assertEqual(ask({"sidestep.apply": result}, "sidestep", *args).code, 1)


class Check(Case):
    COUNTS = {"new": 1, "update": 9, "same": 2, "older": 1, "different": 0, "unknown": 0,
              "variant": 0, "by_name": 0}

    def offered(self, path, offer, state="free", from_version=None, to_version=None, uses=()):
        return dict(file(path, state, uses), offer=offer, installed_version=from_version,
                    offered_version=to_version)

    def answer(self, verdict="safe"):
        back = self.offered("/srv/x.dll", "older", "free", "5.5.2650.24", "5.5.2448.0")
        return dict(answer(verdict, [back, self.offered("/srv/new.dll", "new", "new", None, "1.0"),
                                     self.offered("/srv/y.dll", "update", "free", "1.0", "2.0")]),
                    payload=self.COUNTS)

    def test_payload(self):
        folder = self.payload()
        done = ask({"check": self.answer()}, "check", "--payload", folder)
        self.assertEqual(done.code, 0)
        text = " ".join(done.out.split())
        self.assertIn("Service pack: 13 files: 9 updates, 2 already installed, 1 new, 1 older",
                      text)
        self.assertIn("Caution: 1 older than what is installed: x.dll 5.5.2650.24 -> 5.5.2448.0",
                      text)
        # Free files are asked for, and not listed.
        self.assertIs(done.daemon.params("check")["all"], True)
        self.assertNotIn("y.dll", done.out)
        done = ask({"check": self.answer()}, "check", "--payload", folder, "--all")
        rows = [line.split() for line in done.out.splitlines()]
        self.assertIn(["y.dll", "update", "1.0", "2.0"], rows)
        self.assertIn(["new.dll", "new", "-", "1.0"], rows)
        for option in "--json", "-q":
            done = ask({"check": self.answer()}, "check", "--payload", folder, option)
            self.assertNotIn("all", done.daemon.params("check"))

    def test_no_caution_without_cause(self):
        said = self.answer()
        said["payload"] = dict(self.COUNTS, older=0, update=1, same=0, new=0)
        done = ask({"check": said}, "check", "--payload", self.payload())
        self.assertIn("Service pack: 1 file: 1 update\n", done.out)
        self.assertNotIn("Caution", done.out)
        for odd in 7, {}, {"older": -2**63, "new": 2**62}, {"older": "x"}:
            done = ask({"check": dict(said, payload=odd)}, "check")
            self.assertEqual(done.code, 0)
            self.assertNotIn("Service pack", done.out)

    def test_states_that_are_in_nobodys_way(self):
        done = ask({"check": answer("attention", [
            file("/srv/b.dll", "sidestepped", [use("two", 2)])])}, "check")
        self.assertEqual(done.code, 1)
        for text in ("two (2) ~", "~ an old version, stepped aside"):
            self.assertIn(text, done.out)

    def test_attention_says_what_it_is_about(self):
        aside = fake.note("not-written-yet",
                          "a.dll is renamed to a.old, and setup has not written a new one yet")
        old = fake.note("in-use", "an old version of a.dll is mapped by perfmon (pid 2113)")
        stepped = [file("/srv/a.dll", "sidestepped", [use()])]
        for reasons, files, says in (
                ([fake.WHY_MIXED], [], "the last install left a mixed set"),
                ([fake.note("misfit", "x.dll needs f, which y.dll does not export")], [],
                 "the last install left a mixed set"),
                ([fake.note("unreadable", "could not read x.dll: Permission denied")], [],
                 "the last install could not be verified"),
                ([aside, old], stepped, "a step aside is not finished"),
                ([old], stepped, "an old version that was stepped aside still runs"),
                ([fake.WHY_MIXED, aside], [], "the last install left a mixed set, and a step "
                                              "aside is not finished"),
                ([], [], "nobody holds a file, but read this first")):
            done = ask({"check": answer("attention", files, reasons)}, "check")
            self.assertEqual(done.code, 1)
            head = " ".join(done.out.split("\n\n")[0].split())
            self.assertEqual(head, "ATTENTION Microsoft Exchange Server 5.5: " + says)
            for reason in reasons:
                # Users are in the table.
                self.assertEqual(reason["text"] in " ".join(done.out.split()), reason != old)

    def test_blocked_by_an_install(self):
        running = fake.note("installing", "an install is running: number 3, by setup.exe "
                            "(pid 4711)", install=3, pid=4711)
        done = ask({"check": answer("blocked", [], [running], ["let it end: spguard installs"])},
                   "check")
        self.assertEqual(done.code, 2)
        self.assertTrue(done.out.startswith(
            "BLOCKED  Microsoft Exchange Server 5.5: an install is running\n"), done.out)
        self.assertIn("  - " + running["text"], done.out)
        # With it, and with what else is wrong, users stay in the table.
        done = ask({"check": answer("blocked", [file(fake.MDBPERF, uses=[use()])], [
            fake.HELD, fake.WHY_MIXED,
            fake.note("more", "and 12 more reasons", count=12)])}, "check")
        self.assertIn("1 of 19 files is in the way", done.out)
        self.assertIn("  - " + fake.WHY_MIXED["text"], done.out)
        self.assertNotIn("is mapped by", done.out)
        self.assertNotIn("12 more", done.out)

    def test_narrow_and_hostile(self):
        folder = self.payload()
        self.assert_fits({"check": self.answer("attention")}, "check", "--all", "--payload", folder)
        bad = dict(answer("attention", [self.offered("/srv/" + HOSTILE, "older", HOSTILE, HOSTILE,
                                                     HOSTILE)], [HOSTILE, HOSTILE + " (pid 1"],
                          [HOSTILE]), payload=self.COUNTS)
        with FakeDaemon({"check": bad}) as daemon:
            done = on_terminal(daemon.path, "check", "--all", "--payload", folder, "--no-color")
            self.assertIn("owned", done.out)
            self.assert_harmless(done.out)


class Events(Case):
    LOG = {"log": {"events": [
        event(1, fake.AT, "install-begin", path=None, name="setup.exe", pid=4711,
              detail="install 3"),
        event(2, fake.AT, "sidestep", name=None, pid=None,
              sidestep={"id": 1, "state": "renamed"}, detail="number 1 renamed: Mdbperf.old"),
        event(3, fake.AT, "install-end", path=None, name=None, pid=None,
              install={"id": 3, "outcome": "mixed"},
              detail="install 3: mixed, 11 files changed, 1 skipped"),
        event(4, fake.AT, "hold-begin", path=None,
              detail="new opens of 12 files are refused to others for 30m"),
        event(5, fake.AT, "hold-end", path=None)]}}

    def test_log(self):
        done = ask(self.LOG, "log", "--utc")
        lines = done.out.splitlines()
        self.assertEqual(done.code, 0)
        for text in ("13:00:00.123Z, exchange55: install 3 begins; by setup.exe (4711) --",
                     "13:00:00.123Z, exchange55: install 3: mixed, 11 files changed, 1 skipped --",
                     "exchange55: a hold begins: new opens of 12 files are refused to others for "
                     "30m; by perfmon (2113) --", "exchange55: a hold ends: "):
            self.assertEqual(sum(text in line for line in lines), 1, (text, done.out))
        self.assertRegex(done.out, r"sidestep +" + fake.MDBPERF + " +number 1 renamed: Mdbperf.old")

    def test_narrow(self):
        self.assert_fits(self.LOG, "log")


if __name__ == "__main__":
    unittest.main()
