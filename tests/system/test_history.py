#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What happened, who it was and when: `log`, `who`, and the database's views."""
import datetime
import os
import sqlite3
import subprocess

from support import SystemTest, main, tier_in_force


def utc(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class HistoryTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")
        self.other = self.file("Other.dll")

    def kinds(self, daemon, path, pid):
        """Every kind of event of @pid with @path, merged ones included."""
        kinds = set()
        for event in daemon.log_events(path):
            if event.get("path") == path and event.get("pid") == pid:
                kinds |= set(event["coalesced"] or [event["kind"]])
        return kinds

    def test_opened_and_closed(self):
        daemon = self.daemon()
        holder = self.hold("read", self.dll)
        daemon.check()
        holder.release()
        daemon.check()
        self.assertLessEqual({"open", "close", "use-begin", "use-end"},
                             self.kinds(daemon, self.dll, holder.pid))

    def test_since_what_date_prints(self):
        """In any of its forms and in any zone, it is that moment."""
        daemon = self.daemon()
        with open(self.dll, "rb"):
            pass
        event, = daemon.log_events("--kind", "open", self.dll)
        at = event["at"]
        for option in ("-Iseconds", "-Iminutes", "-Ins", "--rfc-3339=seconds",
                       "--rfc-3339=ns", "-R", "--iso-8601=seconds", "+%FT%T%z", "+%FT%TZ"):
            for zone in ("UTC", "CET-1CEST", "NST3:30", "XST-14") if option != "+%FT%TZ" \
                    else ("UTC",):
                with self.subTest(option=option, zone=zone):
                    def date(day, option=option, zone=zone):
                        return subprocess.run(
                            ["date", option, "--date", f"{at} {day}"], check=True, text=True,
                            capture_output=True, env={"TZ": zone, "PATH": "/usr/bin:/bin"}
                        ).stdout.strip()
                    found = [len(daemon.log_events("--kind", "open", *args, self.dll))
                             for args in (("--since", date("-1 min")), ("--until", date("-1 min")),
                                          ("--until", date("+1 min")))]
                    self.assertEqual(found, [1, 0, 1])

    def test_locked_and_unlocked(self):
        daemon = self.daemon()
        holder = self.hold("posix", self.dll, "write:5:10")
        daemon.check()
        holder.release()
        daemon.check()
        self.assertLessEqual({"lock", "unlock"}, self.kinds(daemon, self.dll, holder.pid))
        lock = [e for e in daemon.log_events("--kind", "lock") if e["pid"] == holder.pid][0]
        self.assertEqual(lock["lock"],
                         {"kind": "posix", "mode": "write", "start": 5, "end": 14}, lock)

    def test_executed(self):
        path = self.program("Admin.exe", self.bin)
        daemon = self.daemon()
        holder = self.hold("exec", path)
        daemon.check()
        self.assertIn("exec", self.kinds(daemon, path, holder.pid))

    def test_changed(self):
        daemon = self.daemon()
        new = self.file("New.dll")
        renamed = os.path.join(self.bin, "Newer.dll")
        os.rename(new, renamed)
        os.unlink(renamed)
        kinds = set()
        for event in daemon.log_events():
            kinds |= set(event["coalesced"] or [event["kind"]])
        self.assertLessEqual({"create", "modify", "rename", "delete"}, kinds)

    def test_moved_in(self):
        """From the directory above, which is watched for other reasons, and from
        one that is not watched at all."""
        daemon = self.daemon()
        for directory in os.path.dirname(self.bin), self.directory("elsewhere"):
            with self.subTest(directory=directory):
                fresh = self.file("fresh.dll", directory)
                subscriber = self.rpc(daemon)
                subscriber.call("subscribe", kinds=["rename"])
                os.rename(fresh, self.dll)
                event = subscriber.wait_notification(
                    lambda method, params: method == "event")
                self.assertEqual(event["path"], self.dll, event)

    def test_who_it_was(self):
        daemon = self.daemon()
        holder = self.hold("read", self.dll)
        daemon.check()
        events = [e for e in daemon.log_events("Mdbperf.dll", "--kind", "open")
                  if e["pid"] == holder.pid]
        self.assertTrue(events)
        self.assertEqual((events[0]["name"], events[0]["user"], events[0]["product"]),
                         ("holder", "root", "app"), events[0])
        self.assertTrue(events[0]["started"], events[0])

    def test_filters(self):
        daemon = self.daemon()
        one, two = self.hold("read", self.dll), self.hold("read", self.other)
        daemon.check()
        paths = {e["path"] for e in daemon.log_events("Mdbperf.dll") if e["path"]}
        self.assertEqual(paths, {self.dll})
        pids = {e["pid"] for e in daemon.log_events("--process", one.pid, "--kind", "open")}
        self.assertEqual(pids, {one.pid})
        pids = {e["pid"] for e in daemon.log_events("--process", "HOLDER", "--kind", "open")}
        self.assertEqual(pids, {one.pid, two.pid})
        self.assertEqual(daemon.log_events("--until", "2020-01-01T00:00:00Z"), [])
        self.assertEqual(len(daemon.log_events("--limit", "1")), 1)
        self.assertTrue(daemon.log_events("--since", "-1h"))

    def test_who(self):
        daemon = self.daemon()
        holder = self.hold("mapped", self.dll)
        code, answer = daemon.json("who")
        self.assertEqual(code, 0)
        self.assertEqual([(f["path"], f["product"], [u["pid"] for u in f["uses"]])
                          for f in answer["files"]], [(self.dll, "app", [holder.pid])],
                         self.show(answer))
        code, answer = daemon.json("who", self.other)
        # Asked about by name, a free file is told as free, not left out.
        self.assertEqual([(f["path"], f["state"], f["uses"]) for f in answer["files"]],
                         [(self.other, "free", [])], self.show(answer))
        code, out, err = daemon.run("who", "mdbperf.dll")
        self.assertEqual((code, err), (0, ""))
        self.assertIn(str(holder.pid), out)

    def test_words(self):
        daemon = self.daemon()
        holder = self.hold("posix", self.dll)
        daemon.check()
        daemon.run("flush")
        for command in ("log", "who", "locks", "status", "doctor"):
            with self.subTest(command=command):
                code, out, err = daemon.run(command)
                self.assertEqual((code, err), (0, ""))
                self.assertNotIn("\x1b", out)
                if command in ("log", "who", "locks"):
                    self.assertIn("Mdbperf.dll", out)
                    self.assertIn(str(holder.pid), out)

    def test_status(self):
        daemon = self.daemon()
        self.assert_safe(daemon)
        code, status = daemon.json("status")
        self.assertEqual(code, 0)
        self.assertEqual((status["pid"], status["tier"], status["socket"]),
                         (daemon.process.pid, tier_in_force(), daemon.socket), self.show(status))
        product = status["products"][0]
        self.assertEqual((product["name"], product["verdict"], product["files"]),
                         ("app", "safe", 2), self.show(status))
        self.assertEqual([(d["path"], d["state"]) for d in product["directories"]],
                         [(self.bin, "watched")], self.show(status))
        self.assertTrue(status["mechanisms"], self.show(status))
        self.assertFalse(status["store"]["stopped"], self.show(status))

    def test_views(self):
        """Who had Mdbperf.dll in use between these times?"""
        daemon = self.daemon()
        before = datetime.datetime.now(datetime.timezone.utc)
        holder = self.hold("mapped", self.dll)
        daemon.check()
        holder.release()
        daemon.check()
        after = datetime.datetime.now(datetime.timezone.utc)
        still = self.hold("posix", self.other, "read:1:2")
        daemon.check()
        daemon.run("flush")
        database = sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True)
        self.addCleanup(database.close)

        def ask(name, since, until):
            return database.execute(
                "SELECT process, pid, user, how FROM file_uses WHERE name = ?"
                " AND since <= ? AND coalesce(until, '9') >= ?",
                (name, until, since)).fetchall()
        row = ("holder", holder.pid, "root", "mapped")
        self.assertEqual(ask("Mdbperf.dll", utc(before), utc(after)), [row])
        self.assertEqual(ask("mdbperf.dll", "2020", "9"), [row])
        self.assertEqual(ask("Mdbperf.dll", "2020", "2021"), [])
        self.assertEqual(ask("Mdbperf.dll", utc(after), "9"), [])
        self.assertEqual([r[1] for r in ask("Other.dll", utc(after), "9")], [still.pid])
        self.assertEqual(database.execute(
            "SELECT pid, kind, mode, start, end, state, until FROM file_locks").fetchall(),
            [(still.pid, "posix", "read", 1, 2, "held", None)])
        self.assertEqual(database.execute(
            "SELECT verdict FROM verdict_changes ORDER BY id").fetchall()[-1], ("blocked",))
        self.assertGreater(database.execute(
            "SELECT count(*) FROM history WHERE kind = 'open' OR coalesced LIKE '%open%'"
        ).fetchone()[0], 0)


if __name__ == "__main__":
    main()
