#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The client's commands against a scripted daemon: options, answers, exit codes.

By hand: SPGUARD_BUILD=build python3 tests/component/test_client.py
"""
import hashlib
import json
import os
import pty
import re
import shutil
import subprocess
import tempfile
import unittest

import fake_daemon as fake
from client_run import (ASKING, CLIENT, COMMANDS, ENV, HANG, JUDGING, ask, columns_of,
                        run)
from fake_daemon import Act, Error, FakeDaemon, answer, event, file, use
from pe_library import library  # (fake_daemon knows where it is)


class Check(unittest.TestCase):
    def test_exit_codes(self):
        for name, code in ("SAFE", 0), ("ATTENTION", 1), ("BLOCKED", 2), ("UNKNOWN", 3):
            with self.subTest(name):
                done = ask({"check": getattr(fake, name)}, "check")
                self.assertEqual(done.code, code)
                self.assertTrue(done.out.startswith(name + "  Microsoft Exchange"), done.out)
                self.assertEqual(done.err, "")
                for option in "-q", "--quiet":
                    quiet = ask({"check": getattr(fake, name)}, "check", option)
                    self.assertEqual((quiet.code, quiet.out, quiet.err), (code, "", ""))

    def test_several_products_exit_is_the_worst(self):
        rank = ["safe", "attention", "unknown", "blocked"]
        code = {"safe": 0, "attention": 1, "blocked": 2, "unknown": 3}
        for a in rank:
            for b in rank:
                worst = max(a, b, key=rank.index)
                done = ask({"check": {"verdict": worst, "products": [
                    answer(a, title="First"), answer(b, title="Second")]}}, "check")
                self.assertEqual(done.code, code[worst], (a, b))
                self.assertIn(a.upper() + "  First", done.out)
                self.assertIn(b.upper() + "  Second", done.out)
                self.assertIn(worst.upper() + "  all 2 products", done.out)

    def test_never_better_than_a_product(self):
        # A total that contradicts its parts must not be believed.
        done = ask({"check": {"verdict": "safe", "products": [fake.SAFE, fake.BLOCKED]}},
                   "check", "-q")
        self.assertEqual(done.code, 2)

    def test_safe_is_one_line_and_the_proof(self):
        done = ask({"check": fake.SAFE}, "check", "--utc")
        lines = done.out.splitlines()
        self.assertEqual(len(lines), 2, done.out)
        self.assertIn("none of the 19 files", lines[0])
        self.assertRegex(lines[1], r"^proved .*13:00:00\.123Z, 19 files in 212 µs, tier procfs$")

    def test_blocked_names_holder_and_next_step(self):
        done = ask({"check": fake.BUSY}, "check")
        self.assertIn("BLOCKED  Microsoft Exchange Server 5.5: 4 of 19 files are in the way",
                      done.out)
        for text in ("Mdbperf.dll", "perfmon (2113)", "perfmon.service", "open, mapped",
                     "user administrator", "no process shows it", "store.exe (811) *",
                     "* setup ends this program by itself", "posix write", "100-199",
                     "whole file", "waiting", "\n  systemctl stop perfmon.service\n",
                     "\n  kill 99   # winlogon-with-a-long-name\n",
                     "Mdbperf.dll, Gwperf.dll: Stop Performance Monitor",
                     "1 file of the product is not installed: dapi.dll",
                     "1 file of the service pack is not installed in the product's directories"):
            self.assertIn(text, done.out)
        # Advice is said once, and wrapped.
        self.assertEqual(done.out.count("Stop Performance Monitor"), 1)
        head = done.out.index("What to do:")
        self.assertLessEqual(max(map(columns_of, done.out[head:].splitlines())), 80)

    def test_advice_that_is_a_step_is_not_repeated(self):
        done = ask({"check": answer("blocked", [file(fake.MDBPERF, uses=[fake.NOBODY],
                                                     advice=fake.ADVICE)],
                                    next=[fake.note("advice", fake.ADVICE)])}, "check")
        self.assertEqual(done.out.count("Stop Performance Monitor"), 1)

    def test_unknown_tells_reason_and_remedy(self):
        done = ask({"check": fake.UNKNOWN}, "check")
        self.assertIn("something else is odd", done.out)
        self.assertIn("the directory is on NFS", done.out)
        self.assertEqual(done.out.count("Ask on the file server"), 1)
        self.assertNotIn("\nproved", done.out)

    def test_lacks_beside_another_verdict(self):
        for verdict in "safe", "blocked":
            done = ask({"check": answer(verdict, coverage=[fake.LACK])}, "check")
            self.assertIn("Could not be looked at (the verdict holds)", done.out)
            self.assertIn("Ask on the file server", done.out)

    def test_numbers_without_measure(self):
        big = answer()
        big["proof"].update(took_us=2**62, files=-2**63)
        self.assertEqual(ask({"check": big}, "check").code, 0)
        old = event(1, "2262-01-01T00:00:00Z", "use-end", since="1678-01-01T00:00:00Z")
        first = event(2, "1678-01-01T00:00:00Z", "open")
        self.assertEqual(ask({"log": {"events": [old, first]}}, "log").code, 0)
        self.assertEqual(ask({"check": answer("blocked", [file("/x", uses=[use(
            since="1678-01-01T00:00:00Z")])])}, "check").code, 2)
        status = dict(fake.STATUS, uptime=2**62)
        self.assertEqual(ask({"status": status}, "status").code, 0)

    def test_times_are_local_or_utc(self):
        self.assertRegex(ask({}, "check").out, r"proved .*14:00:00\.123,")
        for args in ("--utc", "check"), ("check", "--utc"):
            self.assertRegex(ask({}, *args).out, r"proved .*13:00:00\.123Z,")

    def test_json_is_passed_through(self):
        for result in fake.BUSY, {"verdict": "safe", "products": [fake.SAFE, fake.SAFE]}:
            for args in ("check", "--json"), ("--json", "check"):
                done = ask({"check": result}, *args)
                self.assertEqual(json.loads(done.out), result)
                self.assertEqual(len(done.out.splitlines()), 1)
        odd = dict(fake.SAFE, future={"a": [0.1, None, 1e30, "ü\u0007"]})
        self.assertEqual(json.loads(ask({"check": odd}, "check", "--json").out), odd)

    def test_an_error_is_json_too(self):
        """So that nothing behind a pipe takes "no daemon" for "nothing in the way"."""
        for args, code, words in (
                (["check"], -32000, "no daemon"), (["who"], -32000, "no daemon"),
                (["log"], -32000, "no daemon"), (["check", "x"], -32602, "unexpected argument")):
            with self.subTest(args=args):
                done = run("--socket", "/nowhere/s", "--json", *args)
                error = json.loads(done.out)["error"]
                self.assertEqual(error["code"], code)
                self.assertIn(words, error["message"])
                self.assertTrue(error["hint"])
                self.assertNotIn("\\x0a", error["hint"])
                self.assertIn(words, done.err)
                self.assertGreater(done.code, 0)
        refusal = fake.Error(-32002, "there is no product \"x\"", "the products are: a")
        done = ask({"check": refusal}, "check", "--json", "-p", "x")
        self.assertEqual(json.loads(done.out), {"error": {
            "code": -32002, "message": refusal.message, "hint": refusal.hint}})
        self.assertEqual(run("--socket", "/nowhere/s", "check", "--json", "-q").out, "")
        # Standard output is the command's.
        for args in ["run"], ["hold", "--for", "1m", "--yes"]:
            done = run("--socket", "/nowhere/s", "--json", *args, "--", "true")
            self.assertEqual(done.out, "")
            self.assertIn("no daemon", done.err)

    def test_no_verdict_is_no_answer(self):
        for result in ({}, [], 7, None, "safe", {"verdict": "SAFE"}, {"verdict": 0},
                       {"verdict": "fine"}, {"verdict": "safe", "products": [{}]}):
            for option in "-q", "--json", "--utc":
                done = ask({"check": result}, "check", option)
                self.assertEqual(done.code, 3, result)
                self.assertEqual(bool(done.out), option == "--json")
                self.assertNotIn('"verdict"', done.out)
                self.assertIn("verdict" if result is not None else "answer", done.err)

    def test_parameters(self):
        done = ask({}, "check", "--product", "exchange55", "--all")
        self.assertEqual(done.daemon.params("check"), {"product": "exchange55", "all": True})
        self.assertIn("spguard check --product exchange55 --wait", done.out)
        self.assertIsNone(ask({}, "check").daemon.params("check"))
        done = ask({}, "check", "--wait=90s")
        self.assertEqual(done.daemon.params("check"), {"wait": 90})
        done = ask({}, "check", "--wait=1500ms")
        self.assertEqual(done.daemon.params("check"), {"wait": 1.5})
        done = ask({}, "check", "--wait=1m", "--settle=500ms")
        self.assertEqual(done.daemon.params("check"), {"wait": 60, "settle": 0.5})
        done = ask({}, "check", "--wait")
        self.assertEqual(done.daemon.params("check"), {"wait": 86400})
        self.assertEqual(done.code, 2)  # the last verdict's

    def test_wait_outlasts_the_usual_time(self):
        # The answer comes when the daemon has seen the end of a pipe, which is
        # after --timeout: only --wait may keep the client there.
        done = ask({"check": lambda params: Act() if "wait" not in params else fake.SAFE},
                   "check", "--wait=1h", "--timeout=50ms")
        self.assertEqual(done.code, 0)

    def test_wait_on_a_terminal_says_that_it_waits(self):
        master, slave = pty.openpty()
        with FakeDaemon({"check": lambda p: fake.SAFE if "wait" in p else fake.BLOCKED}) as d:
            done = subprocess.run([CLIENT, "--socket", d.path, "check", "--wait=30m"],
                                  env=ENV, stdout=subprocess.PIPE, stderr=slave, timeout=HANG)
            self.assertEqual(done.returncode, 0)
            self.assertEqual([r.get("params") for r in d.requests if r["method"] == "check"],
                             [None, {"wait": 1800}])
        os.close(slave)
        self.assertIn(b"blocked now; waiting at most 30m", os.read(master, 4096))
        os.close(master)

    def test_usage_is_3(self):
        for args in (["check", "--nonsense"], ["check", "-x"], ["check", "--product"],
                     ["check", "--settle=2s"], ["check", "--wait", "--settle=soon"],
                     ["check", "--wait=5"], ["check", "--wait", "30m"], ["check", "stray"],
                     ["check", "--payload", "a", "--files", "b"], ["check", "--json=yes"],
                     ["--nonsense", "check"], ["--sokcet", "x", "check"],
                     ["check", "--timeout", "never"]):
            done = run(*args)
            self.assertEqual(done.code, 3, args)
            self.assertEqual(done.out, "")
            self.assertIn("hint: spguard", done.err)


class Metrics(unittest.TestCase):
    def test_an_answer_without_metrics_leaves_no_old_verdict(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "spguard.prom")
            with open(path, "w", encoding="ascii") as old:
                old.write('spguard_verdict{product="app",spguard_verdict="safe"} 1\n')
            done = ask({"metrics": {"text": None}}, "metrics", "--textfile", path)
            self.assertEqual(done.code, 1)
            self.assertIn("has no metrics", done.err)
            with open(path, encoding="ascii") as file_now:
                self.assertEqual([line for line in file_now if line[0] != "#"],
                                 ["spguard_up 0\n"])


class Payload(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="spguard-client-")
        self.addCleanup(shutil.rmtree, self.folder)

    def put(self, path, text=""):
        path = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", newline="") as f:
            f.write(text)
        return path

    def test_folder(self):
        self.put("sp4/b.dll"), self.put("sp4/deep/er/a.dll"), self.put("sp4/deep/b.dll")
        done = ask({}, "check", "--payload", os.path.join(self.folder, "sp4"))
        nothing = hashlib.sha256(b"").hexdigest()
        self.assertEqual(done.daemon.params("check"), {
            "all": True,
            "payload": [{"name": os.path.basename(path), "path": path, "sha256": nothing,
                         "size": 0} for path in ("deep/er/a.dll", "b.dll", "deep/b.dll")]})
        self.assertEqual(done.code, 2)
        self.assertIn("--payload " + self.folder, done.out)

    def put_version(self, path, version):
        """A PE32+ library of nothing but a version."""
        data = library(version)
        path = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
        return hashlib.sha256(data).hexdigest()

    def test_versions_and_variants(self):
        sp4 = os.path.join(self.folder, "sp4")
        i386 = self.put_version("sp4/i386/mdbperf.dll", "5.5.2650.24")
        alpha = self.put_version("sp4/alpha/mdbperf.dll", "5.5.2650.25")
        self.put_version("sp4/copy/mdbperf.dll", "5.5.2650.24")
        os.symlink("nowhere", os.path.join(sp4, "dangling.dll"))
        params = ask({}, "check", "--payload", sp4).daemon.params("check")
        self.assertNotIn("names", params)
        variants = [{"name": "mdbperf.dll", "path": folder + "/mdbperf.dll",
                     "version": version, "sha256": digest, "size": 1024}
                    for folder, version, digest in (
                        ("copy", "5.5.2650.24", i386), ("i386", "5.5.2650.24", i386),
                        ("alpha", "5.5.2650.25", alpha))]
        self.assertEqual(params["payload"], [
            {"name": "dangling.dll", "path": "dangling.dll"}] + sorted(
            variants, key=lambda file: (file["sha256"], file["path"])))

    def test_a_folder_that_is_no_utf8(self):
        """It cannot be told, and so its files have no path."""
        os.makedirs(os.fsencode(self.folder) + b"/sp4/f\xff")
        with open(os.fsencode(self.folder) + b"/sp4/f\xff/a.dll", "wb"):
            pass
        params = ask({}, "check", "--payload", os.path.join(self.folder, "sp4")).daemon.params(
            "check")
        self.assertEqual([sorted(file) for file in params["payload"]],
                         [["name", "sha256", "size"]])

    def test_what_does_not_fit_is_left_out(self):
        """First the digests of files that have a version, then paths and doubles, then all
        but names."""
        sp4 = os.path.join(self.folder, "sp4")
        digest = self.put_version("sp4/a.dll", "1.2.3.4")
        self.put("sp4/plain.txt")
        os.mkdir(os.path.join(sp4, "deep"))
        for i in range(8000):
            os.link(os.path.join(sp4, "a.dll"), os.path.join(sp4, "file%06d.dll" % i))
        done = ask({}, "check", "--payload", sp4)
        payload = done.daemon.params("check")["payload"]
        self.assertEqual(len(payload), 8002)
        self.assertEqual(payload[0], {"name": "a.dll", "path": "a.dll", "version": "1.2.3.4",
                                      "size": 1024})
        self.assertEqual(payload[-1]["sha256"], hashlib.sha256(b"").hexdigest())
        self.assertIn("compared by that alone", " ".join(done.err.split()))
        self.assertNotIn(digest, json.dumps(payload))
        for i in range(7000):
            os.link(os.path.join(sp4, "a.dll"),
                    os.path.join(sp4, "deep", "file%06d.dll" % i))
        done = ask({}, "check", "--payload", sp4)
        payload = done.daemon.params("check")["payload"]
        self.assertEqual(len(payload), 8002)
        self.assertEqual(payload[0], {"name": "a.dll", "version": "1.2.3.4", "size": 1024})
        self.assertIn("too many files to send their paths along", " ".join(done.err.split()))
        for i in range(8000, 24000):
            os.link(os.path.join(sp4, "a.dll"), os.path.join(sp4, "file%06d.dll" % i))
        done = ask({}, "check", "--payload", sp4)
        payload = done.daemon.params("check")["payload"]
        self.assertEqual(len(payload), 24002)
        self.assertEqual(payload[0], {"name": "a.dll"})
        self.assertIn("too many files to send their versions", done.err)
        self.assertEqual(ask({}, "check", "-q", "--payload", sp4).err, "")

    def test_unreadable_file(self):
        os.chmod(self.folder, 0o755)
        os.chmod(self.put("sp4/a.dll"), 0)
        sp4 = os.path.join(self.folder, "sp4")
        done = run("--socket", "/nowhere", "check", "--payload", sp4,
                   user=65534 if os.geteuid() == 0 else None)
        self.assertEqual(done.code, 3)
        self.assertIn("a.dll: Permission denied", done.err)
        self.assertIn("hint: ", done.err)

    def test_list(self):
        path = self.put("list", "# SP4\r\nsub/x.dll\r\n\r\n/srv/bin/y.dll\r\nx.dll\r\n")
        names = {"names": ["/srv/bin/y.dll", "x.dll"]}
        self.assertEqual(ask({}, "check", "--files", path).daemon.params("check"), names)
        with open(path, "rb") as f:
            done = ask({}, "check", "--files", "-", input=f.read())
        self.assertEqual(done.daemon.params("check"), names)

    def test_bad_payloads(self):
        empty = os.path.join(self.folder, "empty")
        os.mkdir(empty)
        path = self.put("list", "x.dll\n")
        for args, says in ((["--payload", empty], "there is no file in it"),
                           (["--payload", empty + "/none"], "No such file"),
                           (["--payload", path], "--files a list"),
                           (["--files", empty], "--payload a folder"),
                           (["--files", "/dev/null"], "there is no file in it")):
            done = run("--socket", "/nowhere", "check", *args)
            self.assertEqual(done.code, 3)
            self.assertIn(says, done.err)
            self.assertIn("hint: ", done.err)

    def test_too_large(self):
        path = self.put("list", "".join("file%06d-with-a-long-name.dll\n" % i
                                        for i in range(40000)))
        done = ask({}, "check", "--files", path)
        self.assertEqual(done.code, 3)
        self.assertRegex(done.err, r"40000 names make \d{7} bytes, the daemon takes 1048576")
        self.assertEqual(done.daemon.requests, [])

    def test_ten_thousand_files_go_and_come(self):
        path = self.put("list", "".join("file%05d.dll\n" % i for i in range(10000)))
        result = answer("blocked", [file("/srv/exchsrvr/bin/file%05d.dll" % i, uses=[use()] * 5)
                                    for i in range(10000)], n=10000)
        done = ask({"check": result}, "check", "--files", path)
        self.assertEqual(done.code, 2)
        self.assertEqual(len(done.daemon.params("check")["names"]), 10000)
        self.assertIn("10,000 of 10,000 files are in the way", done.out)
        self.assertIn("file09999.dll", done.out)


class Commands(unittest.TestCase):
    def test_who(self):
        done = ask({}, "who")
        self.assertEqual(done.code, 0)
        self.assertIsNone(done.daemon.params("who"))
        for text in "Mdbperf.dll", "backup (4100)", "no process shows", "backup.service":
            self.assertIn(text, done.out)
        for args in (["--flat"], ["--by", "file"], ["--by=file"]):
            done = ask({}, "who", *args)
            self.assertRegex(done.out, r"(?m)^/srv/exchsrvr/bin\n  Mdbperf.dll +mapped "
                                       r"+perfmon \(2113\) +perfmon.service")
        done = ask({}, "who", "--by", "user")
        self.assertEqual((done.code, done.out), (2, ""))
        self.assertIn("--by takes service or file, not 'user'", done.err)
        done = ask({}, "who", "--product", "p", "Mdbperf.dll", "/srv//x/./y")
        self.assertEqual(done.daemon.params("who"),
                         {"product": "p", "all": True, "paths": ["Mdbperf.dll", "/srv/x/y"]})

    def test_who_by_service(self):
        files = [dict(f, product="exchange55") for f in fake.BUSY["files"]]
        files += [file("/srv/old.old", "sidestepped", [use("a", 7, unit="a.service")]),
                  file("/srv/blind.dll", "unknown"), file("/srv/none.dll", "blocked"),
                  file("/srv/free.dll", "free")]
        done = ask({"who": {"at": fake.AT, "files": files, "coverage": []}}, "who", "--utc")
        lines = [re.sub(r" {2,}", "  ", line.rstrip()) for line in done.out.splitlines()]
        self.assertEqual([re.sub(r"  (Nov|2026).*", "  T", line) for line in lines], [
            "WHO AND WHICH FILE  HOW  SINCE",
            "a.service", "  a (7), user root", "  /srv/old.old  mapped (stepped aside)  T",
            "backup.service", "  backup (4100), user root",
            "  /srv/winnt/system32/Edbbcli.dll  open, write, locked  T",
            "msexchangeis.service",
            "  store.exe (811), user exchange (setup ends this program by itself)",
            "  /srv/exchsrvr/bin/store.exe  executing  T",
            "perfmon.service", "  perfmon (2113), user root",
            "  /srv/exchsrvr/bin/Mdbperf.dll  mapped  T",
            "  /srv/exchsrvr/bin/Gwperf.dll  mapped  T",
            "user administrator, no service", "  winlogon-with-a-long-name (99)",
            "  /srv/exchsrvr/bin/Mdbperf.dll  open, mapped  T",
            "no process shows who", "  /srv/winnt/system32/Eseperf.dll  in use",
            "  /srv/none.dll  in use",
            "could not look", "  /srv/blind.dll  unknown",
            "nobody", "  dapi.dll  missing", "  newfile.dll  new", "  /srv/free.dll  free",
        ], done.out)

    def test_who_tells_processes_of_one_number_apart(self):
        uses = [dict(use("a", 7), started=at) for at in
                ("2026-11-22T12:00:00Z", "2026-11-22T13:00:00Z")]
        done = ask({"who": {"files": [file("/x.dll", uses=uses)]}}, "who")
        self.assertEqual(done.out.count("  a (7), user root"), 2)

    def test_nobody_is_said_only_when_all_was_looked_at(self):
        done = ask({"who": {"at": fake.AT, "files": [], "coverage": []}}, "who")
        self.assertEqual(done.out, "Nobody uses any of the files.\n")
        done = ask({"who": {"at": fake.AT, "files": [], "coverage": [fake.LACK]}}, "who")
        self.assertNotIn("Nobody", done.out)
        self.assertIn("Ask on the file server", done.out)
        done = ask({"locks": {"at": fake.AT, "locks": [], "coverage": []}}, "locks")
        self.assertEqual(done.out, "There is no lock.\n")
        done = ask({"locks": {"at": fake.AT, "locks": [], "coverage": [fake.LACK]}}, "locks")
        self.assertIn("No lock was seen.", done.out)
        self.assertIn("Ask on the file server", done.out)

    def test_relative_paths(self):
        folder = os.path.realpath(tempfile.mkdtemp(prefix="spguard-client-"))
        self.addCleanup(shutil.rmtree, folder)
        os.mkdir(folder + "/bin")
        open(folder + "/bin/x.dll", "w").close()
        done = ask({}, "who", "./bin//x.dll", "bin/../bin/x.dll", "x.dll", cwd=folder)
        self.assertEqual(done.daemon.params("who")["paths"],
                         [folder + "/bin/x.dll", folder + "/bin/x.dll", "x.dll"])
        done = run("who", "./none.dll", cwd=folder)
        self.assertEqual(done.code, 1)
        self.assertIn("./none.dll: No such file", done.err)
        done = run("who", b"\xff.dll")
        self.assertEqual(done.code, 1)
        self.assertIn("\\xff.dll: not valid UTF-8", done.err)

    def test_locks(self):
        done = ask({}, "locks", "Mdbperf.dll")
        self.assertEqual(done.code, 0)
        self.assertEqual(done.daemon.params("locks"), {"paths": ["Mdbperf.dll"]})
        for text in "posix write", "whole file", "100-199", "waiting", "store.exe (811)":
            self.assertIn(text, done.out)

    def test_log(self):
        done = ask({}, "log", "--utc")
        self.assertEqual(done.code, 0)
        self.assertEqual(done.daemon.params("log"), {"limit": 200})
        lines = done.out.splitlines()
        gap = next(i for i, l in enumerate(lines) if l.startswith("-- gap (overflow)"))
        self.assertIn("use-begin", lines[gap - 1])  # in its place
        self.assertIn("the kernel's queue was full", lines[gap])
        for text in ("2026-11-21", "open+close", "merged, order unknown", "mapped, for 3m 0s",
                     "posix write 0-99", "to /srv/exchsrvr/bin/Mdbperf.old",
                     "safe: nobody uses any file"):
            self.assertIn(text, done.out)
        self.assertIn("spguard log --before 10 ", done.out)

    def test_log_more_keeps_the_question(self):
        done = ask({}, "log", "--before", "99", "--limit=7", "a b.dll")
        more = done.out.splitlines()[-1]
        self.assertIn("spguard log --before 10", more)
        self.assertNotIn("--before 99", more)
        self.assertEqual(more.count("--before"), 1)
        self.assertIn("--limit=7", more)
        self.assertIn("'a b.dll'", more)
        quiet = ask({"log": {"events": fake.LOG["events"], "more": False}}, "log")
        self.assertNotIn("Older events", quiet.out)
        self.assertEqual(ask({"log": {"events": [], "more": False}}, "log").out, "No events.\n")

    def test_log_parameters(self):
        done = ask({}, "log", "--since", "2026-11-22 13:00", "--until", "2026-11-22T13:00:00.5Z",
                   "--kind", "use-begin,gap", "--process", "perfmon", "--product", "p",
                   "-n", "5", "--before", "77", "Mdbperf.dll")
        self.assertEqual(done.daemon.params("log"), {
            "since": "2026-11-22T12:00:00Z", "until": "2026-11-22T13:00:00.5Z",
            "kinds": ["use-begin", "gap"], "process": "perfmon", "product": "p", "limit": 5,
            "before": 77, "paths": ["Mdbperf.dll"]})
        done = ask({}, "log", "--since", "2026-11-22 13:00", "--utc")
        self.assertEqual(done.daemon.params("log")["since"], "2026-11-22T13:00:00Z")

    def test_log_usage(self):
        for args, says in ((["--since", "lunch"], "--since takes a time"),
                           (["--since", "2261-01-01"], "in the future"),
                           (["--since", "now", "--until", "-2h"], "is after --until"),
                           (["--kind", "open,lunch"], "use-begin"), (["--kind", ""], "kind"),
                           (["--limit", "0"], "1 to 10000"), (["--limit", "x"], "1 to 10000"),
                           (["--limit", "10001"], "1 to 10000"), (["--before", "-1"], "number")):
            done = run("log", *args)
            self.assertEqual(done.code, 2, args)
            self.assertIn(says, done.err)

    def test_status(self):
        done = ask({}, "status")
        self.assertEqual(done.code, 0)
        for text in ("spguardd 0.1.0", "3d 4h", "1,234,567 events, 57 MiB", "exchange55",
                     "blocked", "/srv/winnt/system32", "7,999 since the start"):
            self.assertIn(text, done.out)
        self.assertNotIn("doctor", done.out)
        done = ask({"status": fake.SICK}, "status")
        self.assertEqual(done.code, 0)
        for text in ("STOPPED: no space left", "missing", "lease probe", "2 overflow",
                     "1 thing could not be looked at", "spguard doctor"):
            self.assertIn(text, done.out)

    def test_status_proves_first(self):
        done = ask({}, "status", "--prove", "--json")
        self.assertEqual(done.code, 0)
        self.assertEqual(json.loads(done.out), fake.STATUS)
        self.assertEqual([r["method"] for r in done.daemon.requests],
                         ["hello", "check", "status"])
        done = ask({"check": Error(-32603, "the proof failed")}, "status", "--prove")
        self.assertEqual((done.code, done.out), (1, ""))
        self.assertIn("the proof failed", done.err)

    def test_doctor(self):
        done = ask({}, "doctor")
        self.assertEqual(done.code, 0)
        self.assertEqual(done.out, "ok    spguardd 0.1.0 answers, tier procfs, file events, lease "
                                   "probe,\n      configuration, exchange55, "
                                   "/srv/exchsrvr/bin, /srv/winnt/system32, history\n\n"
                                   "All is well: nothing that a proof needs is missing.\n")
        done = ask({}, "doctor", "--all")
        self.assertIn("ok    file events: fanotify with file ids and pidfds\n", done.out)
        self.assertIn("ok    history: 1,234,567 events in /var/lib/spguard/spguard.db\n", done.out)
        done = ask({"status": fake.SICK}, "doctor")
        self.assertEqual(done.code, 1)
        for text in ("LACK  lease probe", "CAP_LEASE", "LACK  /srv/winnt/system32: missing",
                     "LACK  /srv/exchsrvr/bin: could not be looked at", "LACK  history: stopped",
                     "4 things lack"):
            self.assertIn(text, done.out)
        self.assertEqual(done.out.count("What it means:"), 5)  # a note has one, too
        self.assertEqual(done.out.count("What to do:"), 5)
        self.assertTrue(done.out.startswith("ok    spguardd 0.1.0 answers, tier procfs, file events, "
                                            "configuration,\n"), done.out)
        for command in ("systemctl edit spguardd && systemctl restart spguardd",
                        "spguardd --check-config && spguard reload",
                        "df -h /var/lib/spguard/spguard.db"):
            self.assertIn("\n" + " " * 21 + command + "\n", done.out)
        report = json.loads(ask({"status": fake.SICK}, "doctor", "--json").out)
        self.assertIs(report["healthy"], False)
        lacks = [f for f in report["findings"] if not f["works"]]
        self.assertEqual(len(lacks), 4)
        self.assertTrue(all(f["matters"] and f["remedy"] for f in lacks))
        self.assertEqual([f["command"] is not None for f in lacks], [True, True, False, True])
        self.assertTrue(all(f["command"] is None for f in report["findings"]
                            if f["works"] and not f["remedy"]))

    def test_doctor_has_a_remedy_for_each_fault_of_the_history(self):
        remedies = set()
        for fault in fake.contract.names("StoreFault"):
            store = dict(fake.STATUS["store"], fault=fault, why="this and that",
                         stopped=fault != "locked", dropped=0)
            done = ask({"status": dict(fake.STATUS, store=store)}, "doctor", "--json")
            self.assertEqual(done.code, 1)
            finding, = [f for f in json.loads(done.out)["findings"] if not f["works"]]
            self.assertIn("this and that", finding["detail"])
            self.assertTrue(finding["command"])
            remedies.add(finding["remedy"])
        self.assertEqual(len(remedies), len(fake.contract.names("StoreFault")))

    def test_doctor_notes_what_was_lost(self):
        """That it is over is no lack."""
        store = dict(fake.STATUS["store"], dropped=17, dropped_since="2026-11-22T12:00:00Z",
                     dropped_until="2026-11-22T12:01:00Z")
        done = ask({"status": dict(fake.STATUS, store=store)}, "doctor", "--utc")
        self.assertEqual(done.code, 0)
        self.assertIn("note history: 17 events were not stored, between Nov 22 12:00Z and "
                      "Nov 22 12:01Z", " ".join(done.out.split()))
        self.assertIn("spguard log --kind gap", done.out)

    def test_doctor_tells_a_broken_means_once(self):
        status = json.loads(json.dumps(fake.SICK))
        status["coverage"] = [dict(fake.LACK, kind="mechanism", what="lease probe",
                                   why="not permitted")]
        done = ask({"status": status}, "doctor")
        self.assertEqual(done.out.count("lease probe"), 1)

    def test_doctor_notes_what_spoils_no_verdict(self):
        status = dict(fake.STATUS, coverage=[dict(fake.LACK, kind="processes", what="processes",
                                                   blinds=False)])
        done = ask({"status": status}, "doctor")
        self.assertEqual(done.code, 0)
        self.assertIn("note  processes: could not be looked at", done.out)
        self.assertIn("All is well", done.out)

    def test_doctor_names_a_directory_once(self):
        status = json.loads(json.dumps(fake.SICK))
        status["coverage"] = [{"kind": "directory-missing", "what": "a directory",
                               "path": "/srv/winnt/system32", "why": "/srv/winnt/system32 is gone",
                               "remedy": "create it", "product": "exchange55"}]
        done = ask({"status": status}, "doctor")
        self.assertEqual(done.out.count("/srv/winnt/system32"), 1)

    def test_doctor_without_daemon(self):
        done = run("--socket", "/nowhere/s", "doctor")
        self.assertEqual(done.code, 1)
        self.assertIn("LACK  daemon: no daemon", done.out)
        self.assertIn("systemctl start spguardd", " ".join(done.out.split()))
        report = json.loads(run("--socket", "/nowhere/s", "doctor", "--json").out)
        self.assertIs(report["healthy"], False)

    def test_flush_and_reload(self):
        done = ask({}, "flush")
        self.assertEqual((done.code, done.err), (0, ""))
        self.assertIn("4,711", done.out)
        done = ask({}, "reload")
        self.assertEqual((done.code, done.err), (0, ""))
        self.assertIn("exchange55, other", done.out)
        done = ask({"flush": Error(-32603, "history is stopped: disk full", "free space")},
                   "flush")
        self.assertEqual((done.code, done.out), (1, ""))
        self.assertEqual(done.err, "spguard: history is stopped: disk full\nhint: free space\n")
        done = ask({"reload": Error(-32603, "a.conf:3: unknown key\nb.conf:9: bad \x1b value",
                                    "correct it")}, "reload")
        self.assertEqual(done.code, 1)
        self.assertEqual(done.err, "spguard: a.conf:3: unknown key\n         b.conf:9: bad \\x1b value\n"
                                   "hint: correct it\n")
        done = ask({"reload": Error(-32001, "you may not reload")}, "reload")
        self.assertEqual(done.code, 1)
        self.assertIn("admin-group", done.err)

    def test_json_of_every_command(self):
        for command in ASKING:
            if command == "doctor":
                continue
            done = ask({}, command, "--json")
            self.assertEqual(json.loads(done.out), fake.DEFAULT[command], command)
            self.assertEqual(done.code, 2 if command in JUDGING else 0)

    def test_odd_answers_do_no_harm(self):
        # Right in form, wrong in every type: anything but a crash or a hang.
        for command in ASKING:
            method = "status" if command == "doctor" else command
            for result in ({}, [], 1, "x", {"files": 1, "locks": {}, "events": "x"},
                           {"files": [1, None, [], {}], "locks": [1, {}], "coverage": [0, {}],
                            "events": [1, {}, {"kind": 7, "at": "x", "gap": 1}], "more": True,
                            "products": [1, {"name": "x", "directories": [1, {}]}],
                            "best": [1, {"breakers": [1]}], "slots": [{}] * 168, "for": "x",
                            "mechanisms": [1, {}, {"name": "lock"}], "store": 3, "gaps": 4}):
                done = ask({method: result}, command)
                self.assertIn(done.code, (0, 1, 3), (command, result, done.err))

    def test_help(self):
        for command in COMMANDS:
            for option in "--help", "-h":
                done = run(command, option)
                self.assertEqual((done.code, done.err), (0, ""))
                self.assertIn("Usage: spguard " + command, done.out)
                self.assertIn("Example", done.out)
                self.assertLessEqual(max(map(len, done.out.splitlines())), 80)
        done = run("--help")
        self.assertEqual(done.code, 0)
        for command in COMMANDS:
            self.assertEqual(done.out.count("\n  %-8s  " % command), 1)
        self.assertRegex(done.out, r"Three to begin with:\n  spguard check .*\n  spguard who "
                                   r".*\n  spguard doctor .*\n\nWho is in the way now:\n")
        self.assertLessEqual(max(map(len, done.out.splitlines())), 80)
        self.assertRegex(run("--version").out, r"^spguard \d")
        self.assertRegex(run("-V").out, r"^spguard \d")

    def test_every_option_in_the_help_works(self):
        sample = {"--socket": None, "--timeout": "5s", "--product": "p", "--payload": None,
                  "--files": "-", "--since": "-2h", "--until": "now", "--kind": "open",
                  "--process": "1", "--limit": "1", "--before": "1", "--wait": None, "--settle": "1s",
                  "--for": "2h", "--days": "7", "--by": "file", "--accept": "3"}
        for command in ASKING:
            for option in self.options_of(command):
                if option in ("--socket", "--help", "--payload"):
                    continue
                args = [option] + ([sample[option]] if sample.get(option) else [])
                if option == "--settle":
                    args += ["--wait"]
                done = ask({}, command, *args, input=b"x.dll\n")
                self.assertIn(done.code, (0, 2 if command in JUDGING else 0), (command, option,
                                                                              done.err))

    @staticmethod
    def options_of(command):
        words = run(command, "--help").out.split("Example")[0].replace("[", " ").replace("=", " ").split()
        return {w.rstrip("],") for w in words if w.startswith("--") and len(w) > 3}

    def test_usage(self):
        for command in COMMANDS:
            code = 3 if command in JUDGING else 2
            for args in ["--nonsense"], ["--json=1"], ["--timeout"], ["-\x1b"]:
                done = run(command, *args)
                self.assertEqual(done.code, code, (command, args))
                self.assertNotIn("\x1b", done.err)
                self.assertIn("hint: spguard %s --help" % command, done.err)
        for args in [], ["nonsense"], ["--json"]:
            # Not 2: a script that meant "check" would take it for "blocked".
            done = run(*args)
            self.assertEqual(done.code, 3)
            self.assertIn("spguard --help", done.err)
        for command in "flush", "reload", "status", "doctor", "watch", "maintenance":
            self.assertEqual(run(command, "stray").code, 2)


if __name__ == "__main__":
    unittest.main()
