#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The daemon of Windows, its client and its plugin, on a console under Wine: who is in the
way is found within one answer, and nobody when he has gone."""
import contextlib
import json
import os
import signal
import time
import unittest

from daemon import FAIL_AFTER, NEED_WINE, DaemonTest, LineReader, main
from harness import FOR_DOS, decode_events

# How it is held, and how that shows.
WAYS = {
    "share-all": "open",
    "share-none": "open",
    "write": "write",
    "view": "mapped",
    "writable-view": "mapped",
    "image": "mapped",
    "lock:10:5": "open",
}
MECHANISMS = {"file events", "handle table", "not a holder", "programs and libraries",
              "views of data", "write probe", "locks of bytes (LockFileEx)", "services",
              "file's list of users"}


@NEED_WINE
class HoldersTest(DaemonTest):
    def setUp(self):
        super().setUp()
        self.library("held.dll")
        self.library("free.dll")

    def assert_blocked(self, daemon, path, pid, how, name="holder.exe"):
        """By one process alone, at one file alone."""
        answer = self.await_verdict(daemon, "blocked")
        blocked = [file["path"] for file in answer["files"] if file["state"] == "blocked"]
        self.assertEqual(blocked, [path], self.show(answer))
        use = self.use_of(answer, path, pid)
        self.assertEqual((use["name"], use["class"]), (name, "blocker"), self.show(answer))
        self.assertIn(how, use["how"], self.show(answer))
        self.assertEqual(len(self.file_of(answer, path)["uses"]), 1, self.show(answer))
        self.assertIn(f"taskkill /pid {pid}", [step.get("command") for step in answer["next"]])
        return answer

    def test_every_way_to_hold(self):
        daemon = self.daemon()
        self.await_verdict(daemon, "safe")
        for way, how in WAYS.items():
            with self.subTest(way=way):
                with contextlib.closing(self.hold(f"{way}=C:/product/held.dll")) as holder:
                    answer = self.assert_blocked(daemon, "C:/product/held.dll", holder.pid, how)
                if way.startswith("lock"):
                    lock = self.lock_of(answer, "C:/product/held.dll", pid=holder.pid)
                    self.assertEqual((lock["mode"], lock["start"], lock["end"], lock["state"]),
                                     ("write", 10, 14, "held"))
                self.await_verdict(daemon, "safe")

    def test_killed(self):
        daemon = self.daemon()
        holder = self.hold("image=C:/product/held.dll")
        self.assert_blocked(daemon, "C:/product/held.dll", holder.pid, "mapped")
        holder.kill()
        self.await_verdict(daemon, "safe")

    def test_running_program(self):
        os.rename(os.path.join(self.world.product, "free.dll"),
                  os.path.join(self.world.product, "tool.exe"))
        self.world.make("else.txt")
        daemon = self.daemon()
        self.await_verdict(daemon, "safe")
        holder = self.hold("share-all=C:/product/else.txt",
                           exe=os.path.join(self.world.product, "tool.exe"))
        self.assert_blocked(daemon, "C:/product/tool.exe", holder.pid, "executing", "tool.exe")
        holder.close()
        self.await_verdict(daemon, "safe")

    def test_wait_ends(self):
        daemon = self.daemon()
        holder = self.hold("image=C:/product/held.dll")
        waiting = self.client(daemon, "--json", "check", "--wait=60s")
        self.await_status(daemon, lambda status: status["sessions"] >= 2)
        self.assertIsNone(waiting.poll())
        holder.close()
        answer = json.loads(waiting.communicate(timeout=FAIL_AFTER)[0])
        self.assertEqual((answer["verdict"], waiting.returncode), ("safe", 0))
        # And in vain, no longer than it was asked to.
        self.hold("image=C:/product/held.dll")
        began = time.monotonic()
        self.assertEqual(daemon.run("check", "--wait=1s")[0], 2)
        self.assertLess(time.monotonic() - began, 15)

    def test_names(self):
        """Whatever a file is called, however it is asked for."""
        long = "/".join(["a rather long name of a folder " * 6] * 3) + "/held.dll"
        names = ("ünïcode ☃.dll", "a b.DLL", "ДСМАЙН.dll", long)
        for name in names:
            self.world.make(name, FOR_DOS)
        self.assertGreater(len(self.world.path(long)), 400)
        daemon = self.daemon(self.product(recursive=True))
        self.await_verdict(daemon, "safe")
        for name in names:
            with self.subTest(name=name):
                path = self.world.path(name)
                with contextlib.closing(self.hold(f"view={path}")) as holder:
                    self.assert_blocked(daemon, path, holder.pid, "mapped")
                    for asked in (path, path.replace("/", "\\"), os.path.basename(path)):
                        self.assertIn(str(holder.pid), daemon.run("who", asked)[1], asked)

    def test_in_a_directory_of_another_spelling(self):
        """The configuration's, too: as Windows has it."""
        for directory in ("c:\\Product", "C:\\PRODUCT\\", "C:/product/"):
            with self.subTest(directory=directory):
                daemon = self.daemon(self.product("app", directory))
                self.assertEqual(self.await_verdict(daemon, "safe")["counts"]["files"], 2)
                holder = self.hold("image=C:/product/held.dll")
                answer = self.await_verdict(daemon, "blocked")
                self.assertEqual([use["pid"] for file in answer["files"]
                                  for use in file["uses"]], [holder.pid], self.show(answer))
                holder.close()
                self.assertEqual(daemon.stop(), 0)


@NEED_WINE
class CommandsTest(DaemonTest):
    """The others, once a holder has come and gone."""

    def setUp(self):
        super().setUp()
        self.held = self.library("held.dll")
        self.library("free.dll")
        self.served = self.daemon()

    def test_who_and_locks(self):
        holder = self.hold("lock:3:4=C:\\product\\HELD.dll")
        code, answer = self.served.json("who", self.held)
        self.assertEqual(code, 0)
        self.assertIn(f'"pid": {holder.pid}', json.dumps(answer))
        code, answer = self.served.json("locks")
        self.assertEqual(code, 0)
        self.assertEqual([(lock["pid"], lock["start"], lock["end"])
                          for lock in answer["locks"]], [(holder.pid, 3, 6)], answer)
        holder.close()
        self.await_verdict(self.served, "safe")
        self.assertEqual(self.served.json("locks")[1]["locks"], [])

    def test_log(self):
        holder = self.hold("image=" + self.held)
        self.await_verdict(self.served, "blocked")
        holder.close()
        self.await_verdict(self.served, "safe")
        events = [(event["kind"], event.get("path"), event.get("pid"))
                  for event in self.served.log_events()]
        begin = events.index(("use-begin", self.held, holder.pid))
        self.assertIn(("use-end", self.held, holder.pid), events[begin:])
        self.assertIn("holder.exe", self.served.run("log", "--since=-1h")[1])
        self.assertEqual(self.served.log_events("--kind=lock"), [])

    def test_watch(self):
        """Line by line, as it happens; Ctrl-C ends it."""
        watch = self.client(self.served, "--json", "watch", "--plain")
        lines = LineReader(watch.stdout)
        self.await_status(self.served, lambda status: status["subscribers"] >= 1)
        holder = self.hold("image=" + self.held)
        for kind in "use-begin", "use-end":
            line = lines.wait_for(lambda text: f'"{kind}"' in text and  # noqa: B023
                                  f'"pid": {holder.pid}' in text, kind)
            self.assertEqual([event["path"] for event in decode_events(line)], [self.held])
            holder.close()
        watch.send_signal(signal.SIGINT)
        self.assertEqual(watch.wait(FAIL_AFTER), 0)
        lines.join(FAIL_AFTER)

    def test_status_and_doctor(self):
        """Each mechanism, whether it works, and what it proved."""
        status = self.served.status()
        self.assertEqual((status["tier"], status["socket"], status["store"]["path"]),
                         ("windows", self.served.socket, self.served.database), status)
        rows = {row["name"]: row for row in status["mechanisms"]}
        self.assertEqual(MECHANISMS, set(rows))
        for name, row in rows.items():
            self.assertTrue(row["detail"], name)
            self.assertEqual(row["works"], name != "file's list of users", row)
        code, text, _ = self.served.run("doctor")
        self.assertEqual(code, 1)  # Wine lacks a thing
        self.assertIn("file's list of users: this system does not give it", text)
        # It is not called a reason for "unknown": check says "safe".
        self.assertNotIn("nobody can say that a file is free", text)
        answer = self.served.json("doctor")[1]
        self.assertTrue(MECHANISMS <= {row["subject"] for row in answer["findings"]}, answer)

    def test_metrics(self):
        path = os.path.join(self.world.drive, "metrics.prom")
        for _ in range(2):  # it replaces the first
            self.assertEqual(self.served.run("metrics", "--textfile", "C:\\metrics.prom"),
                             (0, "", ""))
        with open(path, "rb") as file:
            text = file.read()
        self.assertIn(b'spguard_verdict{product="app",spguard_verdict="safe"} 1\n', text)
        self.assertNotIn(b"\r", text)
        self.assertEqual([name for name in os.listdir(self.world.drive) if ".prom" in name],
                         ["metrics.prom"])

    def test_verify_installs_maintenance(self):
        code, answer = self.served.json("verify")
        self.assertEqual((code, answer["verdict"]), (0, "fits"), answer)
        self.world.make("free.dll", b"no module")
        self.served.run("flush")
        self.assertEqual(self.served.run("installs", "--wait=30s")[0], 0)
        installs = self.served.json("installs")[1]["installs"]
        self.assertEqual(installs[0]["outcome"], "mixed", installs)
        self.assertIn("free.dll is damaged", self.served.run("verify")[1])
        self.assertEqual(self.served.run("maintenance")[0], 0)
        self.assertEqual(self.served.json("maintenance")[1]["product"], "app")

    def test_plugin(self):
        code, out, _ = self.served.plugin("--product", "app")
        self.assertEqual((code, out.split(":")[0]), (0, "SPGUARD OK"), out)
        holder = self.hold("image=" + self.held)
        code, out, _ = self.served.plugin()
        self.assertEqual(code, 2, out)
        self.assertIn(f"held.dll is mapped by holder.exe (pid {holder.pid})", out)
        self.served.stop()
        self.assertEqual(self.served.plugin()[0], 3)


@NEED_WINE
class LifeTest(DaemonTest):
    def setUp(self):
        super().setUp()
        self.library("held.dll")

    def test_reload(self):
        daemon = self.daemon()
        self.world.make("other/x.dll", FOR_DOS)
        daemon.write_config("[daemon]", "colour = blue")
        code, _, err = daemon.run("reload")
        self.assertNotEqual(code, 0)
        self.assertIn("colour", err)
        self.assertIn(daemon.windows_config, err)
        self.assertIn("colour", daemon.status()["reload_refused"]["problems"][0])
        self.await_verdict(daemon, "safe")
        daemon.products.append(self.product("other", "C:\\product\\other"))
        daemon.write_config()
        self.assertEqual(daemon.run("reload")[0], 0)
        self.assertIsNone(daemon.status()["reload_refused"])
        holder = self.hold("view=C:/product/other/x.dll")
        self.await_verdict(daemon, "safe", "--product=app")
        self.use_of(self.await_verdict(daemon, "blocked", "--product=other"),
                    "C:/product/other/x.dll", holder.pid)

    def gaps(self, daemon):
        return [event["gap"]["reason"] for event in daemon.log_events("--kind=gap")]

    def test_stopped_and_killed(self):
        """Each time that it did not run is a gap."""
        daemon = self.daemon(name="life")
        self.assertEqual(self.gaps(daemon), [])
        self.assertEqual(daemon.stop(), 0, daemon.log_text())
        self.assertIn("spguardd: stopped", daemon.log_text())
        daemon = self.daemon(name="life")
        self.assertEqual(self.gaps(daemon), ["downtime"])
        holder = self.hold("image=C:/product/held.dll")
        self.await_verdict(daemon, "blocked")
        daemon.kill()
        daemon = self.daemon(name="life")
        self.assertEqual(self.gaps(daemon), ["downtime", "downtime"])
        self.use_of(self.await_verdict(daemon, "blocked"), "C:/product/held.dll", holder.pid)
        holder.close()
        self.await_verdict(daemon, "safe")

    def test_stops_while_somebody_waits(self):
        daemon = self.daemon()
        self.hold("image=C:/product/held.dll")
        rpc = self.rpc(daemon)
        rpc.send_raw(b'{"jsonrpc":"2.0","id":1,"method":"check","params":{"wait":600}}\n'
                     b'{"jsonrpc":"2.0","id":2,"method":"hello"}\n')
        self.assertEqual(rpc.read_message()["id"], 2)
        began = time.monotonic()
        self.assertEqual(daemon.stop(), 0, daemon.log_text())
        self.assertLess(time.monotonic() - began, 5)

    def test_second_daemon_is_refused(self):
        first = self.daemon(name="first")
        second = self.daemon(name="second", start=False,
                             daemon_keys={"socket": first.socket}).spawn()
        self.assertEqual(second.process.wait(FAIL_AFTER), 1)
        second.log.join(FAIL_AFTER)
        self.assertIn(first.socket, second.log_text())
        third = self.daemon(name="third", start=False,
                            daemon_keys={"database": first.database}).spawn()
        self.assertEqual(third.process.wait(FAIL_AFTER), 1)
        self.await_verdict(first, "safe")

    def test_nobody_serves(self):
        daemon = self.daemon(start=False)
        code, _, err = daemon.run("check")
        self.assertEqual(code, 3)
        self.assertIn("net start spguard", err)

    def test_exit_status_says_whether_to_try_again(self):
        for args, keys, code in ((["--nonsense"], {}, 2),
                                 (["--config", "C:/nowhere.conf"], {}, 78),
                                 ([], {"colour": "blue"}, 78),
                                 ([], {"group": "nobody-has-this"}, 78),
                                 ([], {"socket": "C:/daemon/socket"}, 78),
                                 ([], {"database": "C:/nowhere/x.db"}, 78)):
            with self.subTest(args=args, keys=keys):
                daemon = self.daemon(name="bad", start=False, daemon_keys=keys).spawn(*args)
                self.assertEqual(daemon.process.wait(FAIL_AFTER), code, daemon.log_text())
                daemon.log.join(FAIL_AFTER)
                self.assertTrue(daemon.log_text())


if __name__ == "__main__":
    main()
