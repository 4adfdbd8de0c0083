#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How `spguard maintenance` asks, and how it tells what comes back."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import fake_daemon as fake  # noqa: E402
from client_run import ask, columns_of, on_terminal, run  # noqa: E402
from fake_daemon import FakeDaemon, count, windows  # noqa: E402


def best(free, of=2, **more):
    return dict(count(free, of), **{"day": 6, "from": "00:00", "to_day": 6, "to": "01:00",
                                    "length": 3600, **more})


class WindowsTest(unittest.TestCase):
    def test_asks(self):
        done = ask({}, "maintenance")
        self.assertEqual((done.code, done.err), (0, ""))
        self.assertEqual(done.daemon.params("maintenance"), {"for": 1800, "days": 14, "utc": False})
        done = ask({}, "maintenance", "--for", "1h30m", "--days", "28", "-p", "shop", "--utc")
        self.assertEqual(done.daemon.params("maintenance"),
                         {"for": 5400, "days": 28, "utc": True, "product": "shop"})

    def test_refuses(self):
        for args in (["--for", "0s"], ["--for", "8d"], ["--for", "30"], ["--days", "0"],
                     ["--days", "367"], ["--days", "x"], ["stray"]):
            done = run("--socket", "/nowhere", "maintenance", *args)
            self.assertEqual((done.code, done.out), (2, ""), args)
            self.assertIn(args[-1], done.err)

    def test_json(self):
        done = ask({}, "maintenance", "--json")
        self.assertEqual(json.loads(done.out), fake.WINDOWS)

    def test_tells(self):
        done = ask({}, "maintenance")
        lines = done.out.splitlines()
        self.assertEqual(lines[0], "Microsoft Exchange Server 5.5: free for 30m on Sunday "
                                   "02:00 to 04:30")
        self.assertEqual(lines[2].split(maxsplit=4),
                         ["DAY", "FROM", "TO", "FREE", "USUALLY BROKEN BY"])
        self.assertRegex(lines[3], r"^Sunday +02:00 +04:30 +2 of 2 weeks +-$")
        self.assertRegex(
            lines[4],
            r"^Saturday +22:00 +Sunday 02:00 +1 of 2 weeks, 1 not watched +backup \(1\)$")
        self.assertEqual(lines[6][:13], "     00  02  ")
        week = {line[:3]: line[5:] for line in lines[7:14]}
        self.assertEqual(week["Sun"], " ·" * 2 + "██" * 3 + " ·" * 19)
        self.assertEqual(week["Sat"], "░░" * 24)
        self.assertEqual(week["Mon"], " ?" * 24)
        self.assertEqual(week["Tue"], " ·" * 24)
        self.assertIn("██ free every week", done.out)
        self.assertIn("Nobody watched for 1d 0h of this time (7 %)", done.out)
        self.assertIn("days and times are the server's (CET).", done.out)

    def test_plain_characters(self):
        done = ask({}, "maintenance", "--utc", env={"LC_ALL": "C"})
        self.assertTrue(done.out.isascii(), done.out)
        self.assertIn("\nSun   . .###### . .", done.out)
        self.assertIn("days and times are UTC.", done.out)

    def test_widths(self):
        with FakeDaemon({}) as daemon:
            for columns in 40, 59, 60, 80, 200:
                done = on_terminal(daemon.path, "maintenance", "--no-color", columns=columns)
                self.assertEqual(done.code, 0)
                self.assertEqual("\nSun  " in done.out, columns >= 60, done.out)
                if columns >= 60:
                    self.assertLessEqual(max(map(columns_of, done.out.splitlines())), columns)

    def test_never(self):
        answer = windows(lambda day, hour: count(0, 2, 1 if day else 0, ("store.exe", 1)))
        done = ask({"maintenance": answer}, "maintenance", "--for", "2h")
        self.assertEqual(done.code, 0)
        self.assertIn("in the last 14 days never free for 30m", done.out)
        self.assertIn("0 of 336 windows were free, 144 were not all watched. Usually broken by: "
                      "store.exe (1).", done.out.replace("\n", " "))
        self.assertNotIn("FROM", done.out)

    def test_not_every_week(self):
        answer = windows(lambda day, hour: count(0), [best(1)])
        done = ask({"maintenance": answer}, "maintenance")
        self.assertIn("not every week free for 30m; best on Sunday 00:00 to 01:00, 1 of 2 weeks",
                      done.out.replace("\n", " "))

    def test_any_time(self):
        answer = windows(lambda day, hour: count(2), [best(2, length=604800)])
        done = ask({"maintenance": answer}, "maintenance")
        self.assertIn("free for 30m at any time of the week", done.out)
        self.assertNotIn("FROM", done.out)

    def test_hostile_names(self):
        answer = windows(lambda day, hour: count(0), [
            dict(best(1), breakers=[{"name": "a\x1b[31m\n", "unit": None, "times": 1},
                                    {"name": None, "unit": None, "times": 1}])])
        done = ask({"maintenance": answer}, "maintenance")
        self.assertNotIn("\x1b", done.out)
        self.assertIn("\\x1b[31m\\x0a (1), something that no process shows (1)", done.out)

    def test_which_product(self):
        done = ask({"maintenance": fake.Error(-32602, "this is about one product: name it",
                                          "the products are: a, b")}, "maintenance")
        self.assertEqual((done.code, done.out), (1, ""))
        self.assertIn("the products are: a, b", done.err)


if __name__ == "__main__":
    unittest.main()
