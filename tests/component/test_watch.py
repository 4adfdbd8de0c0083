#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The live view of `spguard watch`, on a terminal that the test looks at.

By hand: SPGUARD_BUILD=build python3 tests/component/test_watch.py
"""
import json
import os
import re
import shutil
import signal
import tempfile
import unittest

import fake_daemon as fake
from client_run import CLIENT, ENV, ask, columns_of, on_terminal, run
from fake_daemon import Act, Error, FakeDaemon, answer, event, file, use
from screen import Terminal

NONE = {"events": [], "more": False}
QUIET = {"subscribe": {"subscription": 1}, "log": NONE}
HOSTILE = "x\x1b]0;owned\x07\x1b[2J\r\n\u009b31m\u202edll.\x7f\u200b\u00ad\u2028\u2029\ufeff"


def text_of(screen):
    return re.sub(r"\s+", " ", screen.text())


class View(unittest.TestCase):
    maxDiff = None

    def watch(self, daemon, *args, rows=24, columns=80, stdin=True, **env):
        terminal = Terminal([CLIENT, "--socket", getattr(daemon, "path", daemon), "watch", *args],
                            {**ENV, "TERM": "xterm", **env}, rows, columns, stdin)
        self.addCleanup(terminal.__exit__)
        return terminal

    def daemon(self, answers=None, path=None):
        daemon = FakeDaemon({**QUIET, **(answers or {})}, path)
        self.addCleanup(self.close, daemon)
        return daemon

    @staticmethod
    def close(daemon):
        if not getattr(daemon, "closed", False):
            daemon.closed = True
            daemon.close()

    def quit(self, terminal):
        terminal.type("q")
        self.assertEqual(terminal.end(), (0, ""))
        self.assertTrue(terminal.is_as_before())


class What(View):
    """What is shown."""

    def test_all_of_it(self):
        daemon = self.daemon({"check": fake.BUSY, "log": fake.LOG, "status": fake.SICK})
        terminal = self.watch(daemon, "--utc", rows=40, columns=110)
        screen = terminal.see("LIVE", "BLOCKED", "Edbbcli.dll", "use-begin", "History stopped")
        lines = screen.lines()
        self.assertRegex(lines[0], r"^LIVE  spguardd 0.1.0, tier procfs, proved .*13:00Z$")
        self.assertEqual(lines[1], "BLOCKED  Microsoft Exchange Server 5.5: 4 of 19 files are "
                                   "in the way")
        self.assertEqual(lines[2], "  What to do: systemctl stop perfmon.service")
        self.assertEqual(lines[3], "History stopped: no space left on the device")
        self.assertEqual(lines[4], "Gaps since the daemon's start: 2 overflow, 1 store "
                                   "(spguard log --kind gap)")
        for text in ("WHO HOLDS WHAT", "> EVENTS, the newest first", "perfmon (2113)",
                     "backup.service", "open, write, locked", "no process shows it",
                     "store.exe (811) *", "* setup ends this program by itself",
                     "-- gap (overflow):", "Mdbperf.old"):
            self.assertIn(text, screen.text())
        self.assertEqual(lines[-1], "q quit  p pause  j k scroll  Tab other list")
        # The newest first.
        events = [line for line in lines if re.match(r"\S+ 1[23]:\d\d:\d\d\.\d{3}Z", line)]
        self.assertEqual(events, sorted(events, reverse=True))
        self.quit(terminal)

    def test_safe_and_nobody(self):
        terminal = self.watch(self.daemon({"check": fake.SAFE}))
        terminal.see("SAFE  Microsoft", "Nobody uses any of the files.", "None yet",
                     never=["What to do"])
        self.quit(terminal)

    def test_nobody_is_said_only_when_all_was_looked_at(self):
        terminal = self.watch(self.daemon({"check": answer("unknown", coverage=[fake.LACK])}))
        terminal.see("UNKNOWN  Microsoft", "No user was seen.", "Could not look: the directory "
                     "is on NFS", never=["Nobody"])

    def test_worst_product_first(self):
        products = [answer("safe", title=f"Fine {i}") for i in range(9)]
        products += [answer("unknown", title="Odd"), fake.BLOCKED]
        terminal = self.watch(self.daemon({"check": {"verdict": "blocked",
                                                     "products": products}}))
        lines = terminal.see("BLOCKED", "Odd").lines()
        self.assertTrue(lines[1].startswith("BLOCKED  Microsoft"), lines)
        self.assertTrue(lines[2].startswith("UNKNOWN  Odd"), lines)
        self.assertTrue(lines[3].startswith("SAFE  Fine 0"), lines)
        self.assertIn("more, none of them worse", "\n".join(lines))
        self.assertIn("What to do: systemctl stop perfmon.service", "\n".join(lines))

    def test_an_answer_without_a_verdict_is_none(self):
        for odd in ({}, {"verdict": "fine"}, {"verdict": 7}, {"products": [{}, 1, None]},
                    {"products": []}, {"products": 3}, [], 1, None):
            terminal = self.watch(self.daemon({"check": odd}))
            terminal.see("UNKNOWN", never=["SAFE", "Nobody uses"])
            self.quit(terminal)

    def test_refused(self):
        terminal = self.watch(self.daemon({"check": Error(-32002, "no such product: x")}),
                              "--product", "x")
        terminal.see("UNKNOWN  no such product: x", "Not known now.")

    def test_what_is_asked(self):
        daemon = self.daemon()
        terminal = self.watch(daemon, "--product", "exchange55", "--kind", "lock,gap")
        terminal.see("BLOCKED")
        self.assertEqual(daemon.params("check"), {"product": "exchange55"})
        # The view needs all events; the list of events does not.
        self.assertEqual(daemon.params("subscribe"), {"product": "exchange55"})
        self.assertEqual(daemon.params("log"), {"product": "exchange55", "limit": 100,
                                                "kinds": ["lock", "gap"]})
        daemon.tell("event", event(70, fake.AT, "use-begin", name="unlisted"))
        daemon.tell("event", event(71, fake.AT, "lock", name="listed"))
        self.assertNotIn("unlisted", terminal.see(" listed (2113)").text())

    def test_no_event_twice(self):
        old = [event(i, fake.AT, "open", name=f"n{i}") for i in (1, 2, 3)]
        asked = []

        def log(params):
            asked.append(params)
            # It comes live, too, before the answer.
            daemon.tell("event", event(3, fake.AT, "open", name="n3"))
            daemon.tell("event", event(4, fake.AT, "open", name="n4"))
            return {"events": old, "more": True}

        daemon = self.daemon({"log": log})
        text = self.watch(daemon).see("n1 (", "n4 (").text()
        self.assertEqual([text.count(f"n{i} (") for i in (1, 2, 3, 4)], [1, 1, 1, 1])
        self.assertLess(text.index("n4 ("), text.index("n1 ("))


class When(View):
    """It follows what happens."""

    def test_an_event_leads_to_a_new_verdict(self):
        daemon = self.daemon()
        terminal = self.watch(daemon)
        terminal.see("BLOCKED", "perfmon (2113)", "None yet")
        daemon.answers["check"] = fake.SAFE
        daemon.tell("event", event(50, fake.AT, "use-end", how=["mapped"]))
        terminal.see("SAFE", "Nobody uses", "use-end", never=["BLOCKED"])
        daemon.answers["check"] = fake.ATTENTION
        daemon.tell("verdict", {"product": "exchange55", "verdict": "attention",
                                "at": fake.AT, "reasons": []})
        terminal.see("ATTENTION", never=["SAFE"])
        self.quit(terminal)

    def test_dropped_events_are_said(self):
        daemon = self.daemon()
        terminal = self.watch(daemon)
        terminal.see("BLOCKED")
        daemon.tell("event", {"dropped": 1234})
        terminal.see("1,234 events dropped")

    def test_pause(self):
        daemon = self.daemon()
        terminal = self.watch(daemon)
        terminal.see("LIVE", "BLOCKED")
        terminal.type("p")
        terminal.see("PAUSED  since", "0 events since", "p go on")
        daemon.answers["check"] = fake.SAFE
        for i in range(3):
            daemon.tell("event", event(60 + i, fake.AT, "use-end", name="late"))
        terminal.see("PAUSED", "3 events since", "BLOCKED", never=["late", "SAFE"])
        terminal.type("p")
        terminal.see("LIVE", "SAFE", "late", never=["BLOCKED"])

    def test_scrolling_back_stays_there(self):
        daemon = self.daemon({"log": {"events": [event(i, fake.AT, "open", name=f"n{i:03}")
                                                 for i in range(1, 90)], "more": False}})
        terminal = self.watch(daemon)
        terminal.see("n089")
        terminal.type("j" * 5)
        terminal.see("n084", "(5 newer above)", never=["n085"])
        daemon.tell("event", event(200, fake.AT, "open", name="n200"))
        terminal.see("(6 newer above)", "n084", never=["n085", "n200"])
        terminal.type("\x1b[A")
        terminal.see("(5 newer above)", "n085")
        terminal.type("G")
        terminal.see("n001")
        terminal.type("\x1b[5~")
        terminal.see("n014", never=["n013"])
        terminal.type("\x1b[H")
        terminal.see("n200", never=["newer above"])
        terminal.type("\x1bOB")
        terminal.see("(1 newer above)")

    def test_scrolling_the_files(self):
        files = [file(f"/srv/f{i:03}.dll", uses=[use(f"p{i:03}", i)]) for i in range(1, 90)]
        terminal = self.watch(self.daemon({"check": answer("blocked", files, n=100)}))
        terminal.see("f001.dll", "WHO HOLDS WHAT (lines 1-", "> EVENTS")
        terminal.type("\t")
        terminal.see("> WHO HOLDS WHAT", never=["> EVENTS"])
        terminal.type("G")
        terminal.see("p089 (89)", "of 91)")
        terminal.type("k")
        terminal.see("p088 (88)", never=["p089"])
        terminal.type("\x1b[Z")
        terminal.see("> EVENTS")

    def test_unknown_keys_do_nothing(self):
        terminal = self.watch(self.daemon())
        terminal.see("BLOCKED")
        terminal.type("xyz\x1b\x1b[99;5u\x1b[200~\x1bOz" + "\x1b[" + "1" * 200 + "~")
        terminal.type("\tj")
        terminal.see("> WHO HOLDS WHAT")
        self.quit(terminal)

    def test_keys_come_through_a_flood(self):
        daemon = self.daemon()
        terminal = self.watch(daemon)
        terminal.see("BLOCKED")
        for i in range(3000):
            daemon.tell("event", event(100 + i, fake.AT, "modify", name=f"n{i}"))
        terminal.see("n2999 (")
        self.quit(terminal)


class Away(View):
    """The daemon goes, and comes again; nothing old is shown as a verdict."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="spguard-watch-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, "s")

    def test_gone_and_back(self):
        daemon = self.daemon(path=self.path)
        terminal = self.watch(self.path)
        terminal.see("LIVE", "BLOCKED", "perfmon (2113)")
        self.close(daemon)
        lines = terminal.see("NO DAEMON", "UNKNOWN", "trying again", "Not known now.",
                             never=["BLOCKED", "LIVE", "perfmon (2113)"]).lines()
        self.assertRegex(lines[1], r"UNKNOWN  Microsoft Exchange Server 5.5: it was blocked at ")
        self.daemon({"check": fake.SAFE}, path=self.path)
        terminal.see("LIVE", "SAFE", never=["UNKNOWN", "BLOCKED"])
        self.quit(terminal)

    def test_gone_for_good_can_be_left(self):
        daemon = self.daemon(path=self.path)
        terminal = self.watch(self.path)
        terminal.see("BLOCKED")
        self.close(daemon)
        terminal.see("NO DAEMON")
        self.quit(terminal)

    def test_another_protocol_comes_back(self):
        daemon = self.daemon(path=self.path)
        terminal = self.watch(self.path)
        terminal.see("BLOCKED")
        self.close(daemon)
        self.daemon({"hello": dict(fake.HELLO, protocol=2)}, path=self.path)
        terminal.see("NO DAEMON", "speaks protocol 2", never=["BLOCKED"])

    def test_a_silent_daemon(self):
        daemon = self.daemon()
        terminal = self.watch(daemon)
        terminal.see("BLOCKED")
        daemon.answers["check"] = Act()
        daemon.tell("event", event(60, fake.AT, "use-end"))
        lines = terminal.see("WAITING", "UNKNOWN", "Not known now.", never=["BLOCKED"]).lines()
        self.assertRegex(lines[0], r"^WAITING  the daemon has not answered for \d")
        self.quit(terminal)

    def test_no_daemon_at_the_beginning(self):
        terminal = self.watch("/nowhere/s")
        code, said = terminal.end()
        self.assertEqual(code, 1)
        self.assertIn("no daemon: there is no socket", said)
        self.assertNotIn(b"\x1b", terminal.raw)


class Manners(View):
    """The terminal is as it was before, whatever ends the view."""

    def test_signals(self):
        for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT:
            terminal = self.watch(self.daemon())
            terminal.see("BLOCKED")
            self.assertFalse(terminal.is_as_before())
            os.kill(terminal.child.pid, number)
            self.assertEqual(terminal.end(), (0, ""), number)
            self.assertTrue(terminal.is_as_before(), number)
            self.assertEqual(terminal.screen.text().strip(), "")

    def test_control_c(self):
        terminal = self.watch(self.daemon())
        terminal.see("BLOCKED")
        terminal.type("\x03")
        self.assertEqual(terminal.end(), (0, ""))
        self.assertTrue(terminal.is_as_before())

    def test_to_the_shell_and_back(self):
        terminal = self.watch(self.daemon())
        terminal.see("BLOCKED")
        os.kill(terminal.child.pid, signal.SIGTSTP)
        os.waitid(os.P_PID, terminal.child.pid, os.WSTOPPED | os.WNOWAIT)
        terminal.wait(lambda screen: not screen.modes[1049])
        self.assertTrue(terminal.is_as_before())
        os.kill(terminal.child.pid, signal.SIGCONT)
        terminal.see("BLOCKED", "> EVENTS")
        self.quit(terminal)

    def test_without_keys(self):
        terminal = self.watch(self.daemon(), stdin=False)
        terminal.see("BLOCKED", "Ctrl-C ends")
        os.kill(terminal.child.pid, signal.SIGINT)
        self.assertEqual(terminal.end(), (0, ""))
        self.assertTrue(terminal.is_as_before())

    def test_sizes(self):
        daemon = self.daemon({"check": fake.BUSY, "log": fake.LOG, "status": fake.SICK})
        for rows, columns in (24, 80), (5, 20), (1, 1), (2, 3), (6, 30), (60, 200), (12, 40):
            terminal = self.watch(daemon, rows=rows, columns=columns)
            terminal.see(f"LIVE  spguardd"[:columns] if columns < 10 else "LIVE  spguardd")
            if rows > 1 and columns > 10:
                terminal.see("BLOCKED  Mic")
            self.quit(terminal)

    def test_small_has_what_counts(self):
        terminal = self.watch(self.daemon({"log": fake.LOG}), rows=5, columns=20)
        lines = terminal.see("BLOCKED", "> EVENTS").lines()
        self.assertTrue(lines[0].startswith("LIVE"))
        self.assertTrue(lines[1].startswith("BLOCKED  Micro"))
        self.assertTrue(lines[4].startswith("q quit"))
        terminal.type("\t")
        self.assertIn("WHO HOLDS", terminal.see("> WHO").text())

    def test_resize(self):
        terminal = self.watch(self.daemon({"check": fake.BUSY, "log": fake.LOG}))
        terminal.see("BLOCKED", "> EVENTS")
        for rows, columns in (5, 20), (40, 120), (10, 33), (24, 80):
            terminal.resize(rows, columns)
            screen = terminal.see("BLOCKED", "q quit", "> EVENTS")
            self.assertTrue(screen.lines()[-1].startswith("q quit"), screen.text())
        self.quit(terminal)

    def test_colour(self):
        daemon = self.daemon()
        terminal = self.watch(daemon)
        terminal.see("BLOCKED")
        self.assertIn("1;31", terminal.screen.styles)
        for args, env in (["--no-color"], {}), ([], {"NO_COLOR": "1"}):
            terminal = self.watch(daemon, *args, **env)
            terminal.see("BLOCKED", "> EVENTS")
            self.assertEqual(terminal.screen.styles, {"0"})

    def test_plain_locale(self):
        daemon = self.daemon({"check": fake.BUSY, "log": fake.LOG})
        terminal = self.watch(daemon, LC_ALL="C", columns=60)
        terminal.see("BLOCKED", "> EVENTS", "use-begin")
        self.assertTrue(terminal.raw.isascii())
        self.assertIn("…", self.watch(daemon, columns=60).see("use-begin", "q quit").text())

    def test_hostile_names(self):
        bad = event(9, HOSTILE, HOSTILE, path=HOSTILE, name=HOSTILE, user=HOSTILE,
                    detail=HOSTILE, product=HOSTILE)
        gap = dict(fake.GAP, gap={"reason": HOSTILE, "since": HOSTILE}, detail=HOSTILE)
        lack = {"what": HOSTILE, "why": HOSTILE, "remedy": HOSTILE}
        check = answer("blocked", [file("/srv/" + HOSTILE, uses=[use(HOSTILE, unit=HOSTILE)])],
                       [HOSTILE], [HOSTILE], [lack], title=HOSTILE)
        status = dict(fake.SICK, gaps={HOSTILE: 3}, store={"stopped": True, "why": HOSTILE})
        daemon = self.daemon({"check": check, "status": status,
                              "hello": dict(fake.HELLO, tier=HOSTILE, version=HOSTILE),
                              "log": {"events": [bad, gap], "more": False}})
        for rows, columns in (24, 80), (40, 200), (5, 20):
            terminal = self.watch(daemon, rows=rows, columns=columns)
            terminal.see("BLOCKED", "\\x1b" if columns > 20 else "x")
            self.quit(terminal)

    def test_wide_names(self):
        files = [file("/srv/漢字漢字漢字.dll", uses=[use("büro")]),
                 file("/srv/plain.dll", uses=[use("x")])]
        daemon = self.daemon({"check": answer("blocked", files, title="製品" * 30)})
        for columns in 30, 31, 80:
            terminal = self.watch(daemon, columns=columns)
            lines = terminal.see("BLOCKED  製品", "plain.dll").lines()
            self.assertLessEqual(max(map(columns_of, lines)), columns)
        rows = [line for line in lines if "mapped" in line]
        self.assertEqual(len({columns_of(row[:row.index("mapped")]) for row in rows}), 1)


class Plain(unittest.TestCase):
    """Where no view is wanted, or possible."""

    def test_lines(self):
        for args, env in ((["--plain"], {}), ([], {"TERM": "dumb"}), ([], {"TERM": ""})):
            with FakeDaemon(dict(subscribe=fake.Then({"subscription": 1}, [
                    ("event", event(20, fake.AT, "open"))]),
                    status=fake.Then(fake.STATUS, [], close=True))) as daemon:
                done = on_terminal(daemon.path, "watch", "--no-color", *args, env=env)
            self.assertNotIn("\x1b", done.out)
            self.assertIn("open", done.out)
            self.assertEqual(done.code, 1)  # the daemon ended

    def test_json_on_a_terminal(self):
        with FakeDaemon({"subscribe": fake.Then({"subscription": 1}, [
                ("event", event(20, fake.AT, "open"))], close=True)}) as daemon:
            done = on_terminal(daemon.path, "watch", "--json")
        self.assertEqual(json.loads(done.out.splitlines()[0])["id"], 20)

    def test_in_a_pipe(self):
        done = ask({"subscribe": fake.Then({"subscription": 1}, [
            ("event", event(20, fake.AT, "open"))], close=True)}, "watch")
        self.assertNotIn("\x1b", done.out)
        self.assertEqual(len(done.out.splitlines()), 1)

    def test_bad_usage(self):
        done = run("watch", "--kind", "x")
        self.assertEqual(done.code, 2)


if __name__ == "__main__":
    unittest.main()
