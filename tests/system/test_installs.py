#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Installs are recognised by what happens to the files, and judged when all is
quiet: who did it, what became what, what was left out and who held it."""
import ctypes
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import time
import unittest

from support import EVENTS, FAIL_AFTER, FOR_DOS, RpcError, ATTENTION, BLOCKED, SAFE, Product, SystemTest, main

OLD, NEW = FOR_DOS + b"old version\n", FOR_DOS + b"new version\n"

# A setup that goes on when a file cannot be replaced, as the article's did.
SETUP = """
import os, sys
payload, target, *skip = sys.argv[1:]
for name in sorted(os.listdir(payload)):
    if name in skip:
        continue
    with open(os.path.join(payload, name), "rb") as f:
        content = f.read()
    with open(os.path.join(target, name + ".tmp"), "wb") as f:
        f.write(content)
    os.rename(os.path.join(target, name + ".tmp"), os.path.join(target, name))
"""


def exchange(one, other):
    """Rename both at once: renameat2(2), AT_FDCWD and RENAME_EXCHANGE."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, one.encode(), -100, other.encode(), 2) != 0:
        raise OSError(ctypes.get_errno(), f"renameat2 {one} {other}")


def sha256(content):
    return hashlib.sha256(content).hexdigest()


class InstallsTest(SystemTest):
    NAMES = [f"Part{i:02}.dll" for i in range(12)]

    def setUp(self):
        super().setUp()
        self.payload = self.directory("payload")
        for name in self.NAMES:
            self.file(name, content=OLD + name.encode())
            self.file(name, self.payload, NEW + name.encode())

    def daemon(self, *products, **options):
        # Longer than a setup pauses between two files.
        options.setdefault("daemon_keys", {"install-quiet": "1s"})
        return super().daemon(*products, **options)

    def setup(self, *skip, payload=None):
        """Run it to its end; its pid."""
        process = subprocess.Popen([sys.executable, "-c", SETUP, payload or self.payload,
                                    self.bin, *skip])
        self.assertEqual(process.wait(FAIL_AFTER), 0)
        return process.pid

    def installs(self, daemon, **params):
        return self.rpc(daemon).call("installs", wait=FAIL_AFTER, **params)["installs"]

    def newest(self, daemon):
        """The newest install, with its files, when none runs."""
        newest = self.installs(daemon, limit=1)[0]
        return self.installs(daemon, id=newest["id"])[0]

    def described(self, content):
        return [{"name": name, "sha256": sha256(content + name.encode())}
                for name in self.NAMES]

    def test_one_of_twelve_is_skipped(self):
        daemon = self.daemon()
        self.rpc(daemon).call("verify")  # what is there before is read
        holder = self.hold("mapped", os.path.join(self.bin, "Part07.dll"),
                           program=self.program("perfmon"))
        pid = self.setup("Part07.dll")
        # Nobody asked: it is in the log, in the history, and in the verdict.
        daemon.log.wait_for(lambda line: "install 1 of app: mixed" in line, "the outcome")
        install = self.newest(daemon)
        self.assertEqual(install["outcome"], "mixed", install)
        self.assertEqual((install["changed"], install["skipped"]), (11, 1))
        if EVENTS != "inotify":  # which does not tell
            self.assertEqual(install["by"]["pid"], pid)
            self.assertIn("python", install["by"]["name"])
        files = {os.path.basename(f["path"]): f for f in install["files"]}
        self.assertEqual(sorted(files), self.NAMES)
        for name, file in files.items():
            skipped = name == "Part07.dll"
            self.assertEqual(file["change"], "skipped" if skipped else "replaced")
            self.assertEqual(file["from_sha256"], sha256(OLD + name.encode()))
            self.assertEqual(file["to_sha256"],
                             sha256((OLD if skipped else NEW) + name.encode()))
        who = files["Part07.dll"]["holders"]
        self.assertEqual([(w["pid"], w["name"]) for w in who], [(holder.pid, "perfmon")])
        self.assertIn("mapped", who[0]["how"])
        self.assertEqual(self.texts(install["reasons"]), [
            f"Part07.dll was not replaced, and perhaps should have been: "
            f"perfmon (pid {holder.pid}) had it mapped"])
        self.assertTrue(files["Part07.dll"]["guessed"])
        self.assertIn("run the service pack again, until it finishes clean: "
                      "spguard installs", self.texts(install["next"]))
        # While it is held it blocks; then the mixed set is left.
        answer = daemon.check()
        self.assertEqual(answer["exit"], BLOCKED)
        self.assertTrue(any(r["kind"] == "not-replaced" for r in answer["reasons"]), answer)
        holder.kill()
        answer = daemon.check()
        self.assertEqual((answer["exit"], answer["verdict"]), (ATTENTION, "attention"))
        self.assertEqual(answer["reasons"][0]["kind"], "not-replaced", answer)
        events = daemon.log_events("--kind", "install-begin,install-end")
        self.assertEqual([(e["kind"], e["install"]) for e in events], [
            ("install-begin", {"id": 1, "outcome": "running"}),
            ("install-end", {"id": 1, "outcome": "mixed"})])
        # The daemon's end changes nothing about that.
        self.assertEqual(daemon.stop(), 0)
        daemon.start()
        self.assertEqual(daemon.check()["exit"], ATTENTION)
        self.assertEqual(daemon.status()["products"][0]["installs"], {
            "running": None, "unresolved": 1, "ended": {"clean": 0, "mixed": 0, "unknown": 0}})
        # Run again, it finishes clean.
        self.setup()
        install = self.newest(daemon)
        self.assertEqual((install["id"], install["outcome"]), (2, "clean"), install)
        self.assertEqual(install["follows"], 1)
        self.assertIn("mended install 1", install["reasons"][0]["text"])
        self.assertEqual(daemon.check()["exit"], SAFE)
        self.assertEqual(daemon.status()["products"][0]["installs"], {
            "running": None, "unresolved": None,
            "ended": {"clean": 1, "mixed": 0, "unknown": 0}})
        database = sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True)
        self.addCleanup(database.close)
        self.assertEqual(database.execute(
            "SELECT id, outcome, follows FROM install_history ORDER BY id").fetchall(),
            [(1, "mixed", None), (2, "clean", 1)])
        self.assertEqual(database.execute(
            "SELECT holders FROM install_changes WHERE change = 'skipped'").fetchall(),
            [(f"perfmon ({holder.pid})",)])

    def script(self):
        path = self.file("setup.sh", self.payload, b"""#!/bin/sh
            for i in 1 2 3; do echo $i > "$1/Part00.dll"; sleep .3; done; exit 0\n""")
        os.chmod(path, 0o755)
        return path

    @unittest.skipIf(EVENTS == "inotify", "it does not tell who")
    def test_the_command(self):
        """Of whoever is named, as it was started; what is longer than a kilobyte ends."""
        daemon = self.daemon(Product("product", self.bin))
        subprocess.run([self.script(), self.bin, "-x", "y" * 2000], check=True,
                       timeout=FAIL_AFTER)
        install = self.newest(daemon)
        self.assertTrue(install["command"].startswith(f"setup.sh {self.bin} -x yyy"), install)
        self.assertTrue(install["by"]["cmdline"].endswith("yyy..."), install)
        self.assertEqual(len(install["by"]["cmdline"]), 1024)

    @unittest.skipIf(EVENTS == "inotify", "it does not tell who")
    def test_the_command_of_a_script_that_a_shell_reads(self):
        daemon, script = self.daemon(Product("product", self.bin)), self.script()
        subprocess.run(["sh", script, self.bin, "a\nb"], check=True, timeout=FAIL_AFTER)
        install = self.newest(daemon)
        self.assertEqual(install["command"], f"sh {script} {self.bin} a\\x0ab")
        code, out, err = daemon.run("installs", str(install["id"]))
        self.assertEqual(code, 0, err)
        self.assertIn(f"a\\x0ab (root), pid {install['by']['pid']}", "".join(out.split("\n")))

    def test_the_payload_tells_what_is_left_out(self):
        """Known from a check, and nobody held the file."""
        daemon = self.daemon()
        self.rpc(daemon).call("verify")
        self.rpc(daemon).call("check", product="app", payload=self.described(NEW))
        self.setup("Part03.dll", "Part04.dll")
        install = self.newest(daemon)
        self.assertEqual(install["outcome"], "mixed", install)
        self.assertEqual([os.path.basename(f["path"]) for f in install["files"]
                          if f["change"] == "skipped"], ["Part03.dll", "Part04.dll"])
        self.assertEqual(install["reasons"][0]["text"],
                         "Part03.dll was not replaced: it is not the service pack's")
        # That verify finds the same is no news.
        answer = self.rpc(daemon).call("verify", payload=self.described(NEW))
        self.assertEqual(answer["verdict"], "mixed")
        self.assertEqual(self.newest(daemon)["id"], install["id"])

    def assert_left_out(self, daemon, name, words):
        """The one install is mixed by @name alone, which no payload told."""
        install = self.newest(daemon)
        self.assertEqual(install["outcome"], "mixed", self.show(install))
        self.assertEqual([os.path.basename(f["path"]) for f in install["files"]
                          if f["change"] == "skipped"], [name])
        self.assertEqual(self.texts(install["reasons"]),
                         [f"{name} was not replaced, and perhaps should have been: {words}"])

    def test_a_change_that_is_not_of_the_payload(self):
        """It is no answer to whether the payload came."""
        self.file("app.dll")
        daemon = self.daemon()
        self.rpc(daemon).call("verify")
        self.rpc(daemon).call("check", product="app", payload=self.described(NEW))
        self.file("app.dll", content=NEW)
        self.assertEqual(self.newest(daemon)["outcome"], "clean")
        self.setup("Part03.dll")
        install = self.newest(daemon)
        self.assertEqual((install["outcome"], self.texts(install["reasons"])),
                         ("mixed", ["Part03.dll was not replaced: it is not the service pack's"]))

    def large(self):
        """What takes long to read; no install touches it."""
        for name in "Large0.dll", "Large1.dll":
            with open(os.path.join(self.bin, name), "wb") as f:
                f.write(FOR_DOS)
                f.truncate(1 << 30)

    def test_while_the_files_are_read_for_the_first_time(self):
        """What was there before is not known; who was in the way is."""
        self.large()
        holder = self.hold("mapped", os.path.join(self.bin, "Part07.dll"))
        daemon = self.daemon()
        self.setup("Part07.dll")
        self.assert_left_out(daemon, "Part07.dll", f"holder (pid {holder.pid}) had it mapped")

    def test_while_the_files_are_read_after_a_start(self):
        self.large()
        daemon = self.daemon()
        self.rpc(daemon).call("verify")
        daemon.stop()
        daemon.close()
        holder = self.hold("mapped", os.path.join(self.bin, "Part07.dll"))
        daemon.start()
        self.setup("Part07.dll")
        self.assert_left_out(daemon, "Part07.dll", f"holder (pid {holder.pid}) had it mapped")

    def test_most_are_the_same(self):
        """They were written again: what was left out among them was left out."""
        for name in self.NAMES[:8]:
            self.file(name, self.payload, OLD + name.encode())
        daemon = self.daemon()
        self.rpc(daemon).call("verify")
        holder = self.hold("mapped", os.path.join(self.bin, "Part11.dll"))
        self.setup("Part11.dll")
        self.assert_left_out(daemon, "Part11.dll", f"holder (pid {holder.pid}) had it mapped")

    def test_a_program_that_updates_itself(self):
        """All but the file that it runs itself."""
        for name in self.NAMES[:4]:
            shutil.copy("/bin/true", os.path.join(self.bin, name))
        program = os.path.join(self.bin, "update.dll")
        shutil.copy(os.path.realpath("/bin/sh"), program)
        daemon = self.daemon()
        self.rpc(daemon).call("verify")
        process = subprocess.Popen(
            [program, "-c", f"""
                for name in {self.bin}/*; do echo new 2>&1 >$name; done
                echo done; read go"""],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        while process.stdout.readline() != "done\n":
            pass
        install = self.newest(daemon)
        self.assertEqual(install["outcome"], "mixed", self.show(install))
        self.assertIn("update.dll was not replaced, and perhaps should have been: update.dll "
                      f"(pid {process.pid}) was running it", self.texts(install["reasons"]))

    def test_a_program_that_writes_its_own_data(self):
        """It is no installer that has left itself out, whatever becomes of it."""
        if EVENTS == "inotify":
            self.skipTest("nothing tells who it was")
        program = os.path.join(self.bin, "serve.dll")
        shutil.copy(os.path.realpath("/bin/sh"), program)
        daemon = self.daemon()
        self.rpc(daemon).call("verify")
        process = subprocess.Popen(
            [program, "-c", f"""
                for name in {self.bin}/Part*; do echo more >>$name; done
                echo done; read go"""],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self.assertEqual(process.stdout.readline(), "done\n")
        daemon.run("flush")
        process.kill()
        process.wait(FAIL_AFTER)
        self.assertEqual(self.newest(daemon)["outcome"], "clean")

    def test_what_failed_is_not_mended_by_another(self):
        """Who comes later and writes something has not done the rest."""
        if EVENTS == "inotify":
            self.skipTest("nothing tells who it was")
        daemon, _, install = self.end_setup("sys.exit(3)")
        go, done = self.path("go"), self.path("done")
        for pipe in go, done:
            os.mkfifo(pipe)
        # Nobody's child, when it writes.
        subprocess.run(["setsid", "-f", "sh", "-c", f"read x <{go}; "
                        f"echo more >> {self.bin}/Part00.dll; echo done >{done}"], check=True)
        for pipe, mode in ((go, "w"), (done, "r")):
            with open(pipe, mode, encoding="ascii") as f:
                if mode == "w":
                    f.write("go\n")
                else:
                    f.read()
        newest = self.newest(daemon)
        self.assertEqual((newest["id"], newest["outcome"]), (install["id"] + 1, "unknown"))
        self.assertIn("ended with exit status 3", " ".join(self.texts(newest["reasons"])))
        self.setup()
        self.assertEqual(self.newest(daemon)["outcome"], "clean")

    def end_setup(self, how):
        """A setup that does half of its work, and then what @how says. Returns the
        install."""
        daemon = self.daemon()
        self.rpc(daemon).call("verify")
        process = subprocess.Popen(
            [sys.executable, "-c", "import os, signal\n" + SETUP + f"""
print("half", flush=True)
sys.stdin.readline()
{how}
""", self.payload, self.bin, *self.NAMES[6:]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.assertEqual(process.stdout.readline(), "half\n")
        daemon.run("flush")
        process.communicate("go\n", FAIL_AFTER)
        return daemon, process.pid, self.newest(daemon)

    def assert_failed(self, how, words):
        if EVENTS == "inotify":
            self.skipTest("nothing tells who it was")
        daemon, pid, install = self.end_setup(how)
        self.assertEqual((install["outcome"], self.texts(install["reasons"])),
                         ("unknown", [f"python3 (pid {pid}) {words}: it may not have done "
                                      "all that it should"]), self.show(install))
        self.assertEqual(daemon.check()["exit"], ATTENTION)
        # Who runs it again, and lets it end, has mended it.
        self.setup()
        self.assertEqual(self.newest(daemon)["outcome"], "clean")
        self.assertEqual(daemon.check()["exit"], SAFE)

    def test_a_setup_that_is_killed(self):
        self.assert_failed("os.kill(os.getpid(), signal.SIGKILL)", "was ended by signal 9")

    def test_a_setup_that_fails(self):
        self.assert_failed("sys.exit(3)", "ended with exit status 3")

    def test_a_setup_that_ends_well(self):
        self.assertEqual(self.end_setup("sys.exit(0)")[2]["outcome"], "clean")

    def start_again(self, daemon, meanwhile=lambda: None):
        self.assertEqual(daemon.stop(), 0)
        meanwhile()
        daemon.start()
        self.rpc(daemon).call("verify")

    def test_a_restart_does_not_forget_the_payload(self):
        daemon = self.daemon()
        self.rpc(daemon).call("verify")
        self.rpc(daemon).call("check", product="app", payload=self.described(NEW))
        self.start_again(daemon)
        self.setup("Part03.dll")
        install = self.newest(daemon)
        self.assertEqual(install["outcome"], "mixed", install)
        self.assertEqual(self.texts(install["reasons"]),
                         ["Part03.dll was not replaced: it is not the service pack's"])
        # Until it has come.
        self.start_again(daemon)
        self.setup("Part03.dll", "Part04.dll")
        self.assertEqual(self.newest(daemon)["outcome"], "mixed")
        self.setup()
        install = self.newest(daemon)
        self.assertEqual(install["outcome"], "clean", install)
        self.start_again(daemon)
        self.assert_none_kept(daemon)
        self.file("Part03.dll", content=OLD)
        self.assertEqual(self.newest(daemon)["outcome"], "clean")

    def assert_none_kept(self, daemon):
        """In the database; it is written a moment after the products were looked at."""
        database = sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True)
        self.addCleanup(database.close)
        until = time.monotonic() + FAIL_AFTER
        while database.execute("SELECT count(*) FROM expected").fetchone() != (0,):
            self.assertLess(time.monotonic(), until)
            time.sleep(.05)

    def test_a_payload_that_came_while_the_daemon_was_away(self):
        daemon = self.daemon(Product("app", self.bin, ignore_case=True))
        self.rpc(daemon).call("verify")
        payload = [dict(file, name=file["name"].upper()) for file in self.described(NEW)]
        self.rpc(daemon).call("check", payload=payload)
        self.start_again(daemon, lambda: self.setup("Part03.dll"))
        install = self.newest(daemon)
        self.assertEqual(install["outcome"], "mixed", install)
        self.assertIn("Part03.dll was not replaced: it is not the service pack's",
                      self.texts(install["reasons"]))

    def test_a_payload_of_a_product_that_goes(self):
        daemon = self.daemon(Product("app", self.bin), Product("other", self.scratch))
        self.rpc(daemon).call("verify")
        self.rpc(daemon).call("check", product="app", payload=self.described(NEW))
        products = daemon.products
        daemon.products = products[1:]
        self.start_again(daemon, daemon.write_config)
        self.assert_none_kept(daemon)
        daemon.products = products
        self.start_again(daemon, daemon.write_config)
        self.setup("Part03.dll")
        self.assertEqual(self.newest(daemon)["outcome"], "clean")

    def test_what_is_there_already(self):
        """Told, and not built on: who holds the file can change it at any time."""
        daemon = self.daemon()
        rpc = self.rpc(daemon)
        rpc.call("verify")
        payload = self.described(NEW)
        self.file("Part07.dll", content=NEW + b"Part07.dll")
        self.installs(daemon)
        self.hold("mapped", os.path.join(self.bin, "Part07.dll"))
        answer = rpc.call("check", product="app", payload=payload)
        self.assertEqual(answer["verdict"], "blocked", answer)
        self.assertEqual([(f["state"], f["offer"]) for f in answer["files"]],
                         [("blocked", "same")])
        self.assertEqual(answer["payload"], {"new": 0, "update": 0, "same": 1, "older": 0,
                                             "different": 11, "unknown": 0,
                                             "variant": 0, "by_name": 0})

    def test_a_hotfix_is_clean(self):
        """Two files of twelve, while somebody uses a third one."""
        daemon = self.daemon()
        self.rpc(daemon).call("verify")
        holder = self.hold("mapped", os.path.join(self.bin, "Part07.dll"))
        self.setup(*self.NAMES[2:])
        install = self.newest(daemon)
        self.assertEqual((install["outcome"], install["changed"]), ("clean", 2), install)
        holder.kill()
        self.assertEqual(daemon.check()["exit"], SAFE)

    def test_it_blocks_while_it_runs(self):
        daemon = self.daemon(daemon_keys={"install-quiet": "1h"})
        self.rpc(daemon).call("verify")
        with open(os.path.join(self.bin, "Part00.dll"), "ab") as f:
            f.write(b"more")
        daemon.run("flush")
        code, answer = daemon.json("check")
        self.assertEqual(code, BLOCKED, answer)
        self.assertIn("an install is running: number 1", answer["reasons"][0]["text"])
        install, = self.rpc(daemon).call("installs", id=1)["installs"]
        self.assertEqual((install["outcome"], install["ended"]), ("running", None))
        # A daemon that dies meanwhile takes it up again.
        daemon.kill()
        daemon.keys["install-quiet"] = "1ms"
        daemon.write_config()
        daemon.start()
        install = self.newest(daemon)
        self.assertEqual((install["id"], install["outcome"]), (1, "unknown"), install)
        self.assertIn("spguardd ended while it ran", install["reasons"][0]["text"])
        # Nobody knows what was left out; somebody who knows the payload can say.
        self.assertEqual(daemon.check()["exit"], ATTENTION)
        payload = self.described(OLD)
        payload[0]["sha256"] = sha256(OLD + b"Part00.dllmore")
        self.assertEqual(self.rpc(daemon).call("verify", payload=payload)["verdict"], "fits")
        self.assertEqual(daemon.check()["exit"], SAFE)

    def test_the_product_goes_in_a_reload(self):
        daemon = self.daemon(Product("app", self.bin), Product("other", self.scratch))
        self.rpc(daemon).call("verify")
        with open(os.path.join(self.bin, "Part00.dll"), "ab") as f:
            f.write(b"more")
        daemon.run("flush")
        daemon.products = daemon.products[1:]
        daemon.write_config()
        self.assertEqual(daemon.run("reload")[0], 0)
        install, = self.installs(daemon)
        self.assertEqual(install["outcome"], "unknown")
        self.assertIn("taken out of the configuration", install["reasons"][0]["text"])

    def test_a_reload_during_verify(self):
        daemon = self.daemon(Product("app", self.bin), Product("other", self.payload))
        daemon.products = daemon.products[1:]
        daemon.write_config()
        rpc = self.rpc(daemon)
        rpc.send_raw(b"".join(
            b'{"jsonrpc":"2.0","id":%d,"method":"%s"}\n' % (i, method)
            for i, method in enumerate((b"verify", b"reload", b"verify"))))
        answers = {}
        while len(answers) < 3:
            message = rpc.read_message()
            answers[message["id"]] = message["result"]
        self.assertEqual([p["product"] for p in answers[2]["products"]], ["other"])
        self.assertIn("other", [p["product"] for p in answers[0]["products"]])

    def test_a_directory_renamed_into_place(self):
        """No file of it was written where it is now."""
        daemon = self.daemon()
        self.rpc(daemon).call("verify")
        new = self.directory("new")
        for name in self.NAMES:
            self.file(name, new, (OLD if name == "Part07.dll" else NEW) + name.encode())
        self.hold("mapped", os.path.join(self.bin, "Part07.dll"))
        exchange(new, self.bin)  # no look finds nothing there
        daemon.log.wait_for(lambda line: "install 1 of app: " in line, "the install")
        install = self.newest(daemon)
        self.assertEqual(install["changed"] + install["skipped"], 12 - (not install["skipped"]))
        told = self.texts(install["reasons"])
        if EVENTS == "inotify":  # which does not tell who it was
            self.assertIn("found by what is there", told[0])
        else:
            self.assertEqual(install["by"]["pid"], os.getpid(), install)
            self.assertNotIn("found by what is there", " ".join(told))

    def test_another_release(self):
        """A deployment switches a link; the release that it has left is nobody's."""
        for release in "123":
            for name in "a.dll", "b.dll", "same.dll":
                self.file(name, self.directory("releases", release, "lib"),
                          content=FOR_DOS + (name if name == "same.dll" else
                                             name + release).encode())
        current = self.path("current")
        os.symlink("releases/1", current)
        daemon = self.daemon(Product("app", os.path.join(current, "lib")))
        self.rpc(daemon).call("verify")
        for then, now in ("1", "2"), ("2", "3"):
            os.symlink("releases/" + now, current + ".new")
            os.rename(current + ".new", current)
            shutil.rmtree(self.path("releases", then))
            daemon.log.wait_for(lambda line: f"install {then} of app: " in line, "the install")
            install = self.newest(daemon)
            by = install["by"] and install["by"]["pid"]
            self.assertEqual((install["outcome"], install["changed"], by),
                             ("clean", 2, None if EVENTS == "inotify" else os.getpid()),
                             install)
            reason, = [r for r in install["reasons"] if r["kind"] == "another-release"]
            self.assertEqual((reason["place"], reason["text"]), (
                self.path("releases", now),
                f"another release: from {self.path('releases', then)} to "
                f"{self.path('releases', now)}"))
            answer = daemon.check()
            self.assertEqual(answer["exit"], SAFE, answer)
            self.assertEqual(self.newest(daemon)["id"], int(then))

    def test_a_pause_longer_than_the_quiet(self):
        """Three parts by one process: what was left out of all of it counts."""
        daemon = self.daemon()
        self.rpc(daemon).call("verify")
        self.hold("mapped", os.path.join(self.bin, "Part07.dll"))
        script = SETUP.replace("for name in sorted(os.listdir(payload)):",
                               "for i, name in enumerate(sorted(os.listdir(payload))):\n"
                               "    if i in (4, 8):\n        print(i, flush=True); input()")
        process = subprocess.Popen([sys.executable, "-c", script, self.payload, self.bin,
                                    "Part07.dll"], text=True, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        for _ in range(2):
            process.stdout.readline()
            self.installs(daemon)  # this part is over
            process.stdin.write("\n")
            process.stdin.flush()
        process.stdout.close()
        process.stdin.close()
        self.assertEqual(process.wait(FAIL_AFTER), 0)
        install = self.newest(daemon)
        self.assertEqual((install["id"], install["outcome"]), (3, "mixed"), install)

    def test_created_modified_deleted(self):
        daemon = self.daemon()
        self.rpc(daemon).call("verify")
        self.file("New.dll")
        os.unlink(os.path.join(self.bin, "Part00.dll"))
        with open(os.path.join(self.bin, "Part01.dll"), "r+b") as f:
            f.write(b"OLD")
        self.file("Comes and goes.dll")
        os.unlink(os.path.join(self.bin, "Comes and goes.dll"))
        changes = {}
        for row in self.installs(daemon):
            for file in self.installs(daemon, id=row["id"])[0]["files"]:
                changes[os.path.basename(file["path"])] = file["change"]
        changes.pop("Comes and goes.dll", None)  # one look may have fallen in between
        self.assertEqual(changes, {"New.dll": "created", "Part00.dll": "deleted",
                                   "Part01.dll": "modified"})

    def test_parameters(self):
        rpc = self.rpc(self.daemon(Product("app", self.bin), Product("other", self.scratch)))
        for code, method, params in (-32602, "installs", {"id": 0}), \
                (-32602, "installs", {"id": 99}), (-32002, "installs", {"product": "none"}), \
                (-32602, "verify", {"payload": [{"version": "1"}]}):
            with self.assertRaises(RpcError) as caught:
                rpc.call(method, **params)
            self.assertEqual(caught.exception.code, code)
        self.assertEqual(rpc.call("installs", product="other"), {"installs": []})


if __name__ == "__main__":
    main()
