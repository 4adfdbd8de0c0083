#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`maintenance`: what the daemon makes of a month of history that it did not see."""
import datetime
import os
import sqlite3
import time

from support import Product, SystemTest, main

# Weekdays and hours are those of the daemon's zone. One without summer time, so that
# the tests are the same all year; clocks that change are in tests/unit/maintenance.c.
ZONE = "CET-1"
DAY = datetime.timedelta(days=1)


def ns(moment):
    """Nanoseconds UTC of a moment in local time."""
    return int(time.mktime(moment.timetuple())) * 10**9


class WindowsTest(SystemTest):
    def setUp(self):
        super().setUp()
        before = os.environ.get("TZ")
        os.environ["TZ"] = ZONE
        time.tzset()
        self.addCleanup(self.restore_zone, before)
        self.dll = self.file("Mdbperf.dll")
        self.now = datetime.datetime.now()
        # Never a day that is being lived through: its hours are not over.
        self.day = (self.now.weekday() - 3) % 7
        self.start_of = self.now - 40 * DAY

    @staticmethod
    def restore_zone(zone):
        os.environ.pop("TZ")
        if zone is not None:
            os.environ["TZ"] = zone
        time.tzset()

    def with_history(self, *products, **history):
        """A daemon that finds @history in its database: see fill()."""
        daemon = self.daemon(*products)
        daemon.check()
        self.assertEqual(daemon.stop(), 0)
        database = sqlite3.connect(daemon.database)
        with database:
            self.fill(database, **history)
        database.close()
        daemon.close()
        return self.daemon(*products)

    def fill(self, db, uses=(), locks=(), gaps=()):
        """@uses, @locks: (process, path, since, until); @gaps: (since, until). The
        tables are described atop daemon/store/schema.c."""
        def text(text):
            return db.execute("INSERT INTO texts(hash, text) VALUES(0, ?)", (text,)).lastrowid

        def file(path):
            return db.execute("INSERT INTO files(path, base, dev, ino) VALUES(?, ?, 1, 1)",
                              (text(path), os.path.basename(path))).lastrowid

        def process(name):
            return db.execute("INSERT INTO processes(pid, start, name, refuses_stop)"
                              " VALUES(1, 1, ?, 0)", (name,)).lastrowid

        interval = db.execute("SELECT value FROM meta WHERE key = 'last_interval'").fetchone()[0]
        for name, path, since, until in uses:
            interval += 1
            db.execute("INSERT INTO uses(interval, file, process, how, since, until)"
                       " VALUES(?, ?, ?, 4, ?, ?)",
                       (interval, file(path), process(name), ns(since), ns(until)))
        for name, path, since, until in locks:
            interval += 1
            db.execute("INSERT INTO locks(interval, file, process, kind, mode, start, state,"
                       " since, until) VALUES(?, ?, ?, 1, 1, 0, 0, ?, ?)",
                       (interval, file(path), process(name), ns(since), ns(until)))
        db.execute("UPDATE meta SET value = ? WHERE key = 'last_interval'", (interval,))
        for since, until in gaps:
            event = db.execute("SELECT max(id) + 1 FROM events").fetchone()[0]
            db.execute("INSERT INTO events(id, at, kind) VALUES(?, ?, 13)", (event, ns(until)))
            db.execute("INSERT INTO gaps VALUES(?, 1, ?, ?, 1)", (event, ns(since), ns(until)))
            db.execute("UPDATE meta SET value = ? WHERE key = 'last_id'", (event,))
        # Since when there is history.
        db.execute("UPDATE blocks SET min_at = ?", (ns(self.start_of),))

    def days(self):
        """The last ones of that day of the week, newest first."""
        midnight = self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        return [midnight - n * DAY for n in range(40)
                if (midnight - n * DAY).weekday() == self.day]

    def but_one_night(self, name="shopd"):
        """@name has the file at all times but on that day from 02:00 to 05:00."""
        free_until = self.start_of
        for day in reversed(self.days()):
            yield name, self.dll, free_until, day.replace(hour=2)
            free_until = day.replace(hour=5)
        if free_until < self.now:
            yield name, self.dll, free_until, self.now

    def ask(self, daemon, *args):
        code, answer = daemon.json("maintenance", "--days", "28", *args)
        self.assertEqual(code, 0, answer)
        return answer

    @staticmethod
    def slot(answer, day, hour):
        slot = answer["slots"][day * 24 + hour]
        assert (slot["day"], slot["hour"]) == (day, hour)
        return slot

    def test_one_night(self):
        stopped = Product("app", self.bin, setup_stops="dsamain.exe")
        elsewhere = self.file("Other.dll", self.directory("elsewhere"))
        day = self.days()[1]
        daemon = self.with_history(
            stopped,
            uses=[*self.but_one_night(),
                  ("dsamain.exe", self.dll, self.start_of, self.now),
                  ("vi", elsewhere, self.start_of, self.now)],
            locks=[("backup", self.dll, day.replace(hour=4, minute=10),
                    day.replace(hour=4, minute=20))])
        answer = self.ask(daemon, "--for", "1h")
        self.assertEqual((answer["product"], answer["for"], answer["days"]), ("app", 3600, 28))
        best = answer["best"][0]
        self.assertEqual((best["day"], best["from"], best["to_day"], best["to"]),
                         (self.day, "02:00", self.day, "04:00"), self.show(answer["best"]))
        self.assertEqual((best["free"], best["of"], best["breakers"]), (4, 4, []), best)
        four = self.slot(answer, self.day, 4)
        self.assertEqual((four["free"], four["of"]), (3, 4), four)
        self.assertEqual(four["breakers"], [{"name": "backup", "unit": None, "times": 1}])
        next_day = self.slot(answer, (self.day + 1) % 7, 12)
        self.assertEqual((next_day["free"], next_day["breakers"][0]["name"]), (0, "shopd"))
        # Two hours fit as well, four do not.
        self.assertEqual(self.ask(daemon, "--for", "2h")["best"][0]["to"], "04:00")
        self.assertEqual(self.ask(daemon, "--for", "4h")["best"], [])
        code, out, err = daemon.run("maintenance", "--for", "4h", "--days", "28")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("never free for 4h", out)
        self.assertIn("shopd", out)

    def test_utc(self):
        daemon = self.with_history(uses=self.but_one_night())
        best = self.ask(daemon, "--for", "1h", "--utc")
        self.assertEqual(best["zone"], "UTC")
        for row in best["best"]:
            self.assertIn(row["from"], ("00:00", "01:00"), self.show(best["best"]))
        code, out, err = daemon.run("maintenance", "--for", "1h", "--days", "28", "--utc")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("days and times are UTC", out)

    def test_gaps_are_not_free(self):
        day = self.days()[1]
        daemon = self.with_history(
            uses=self.but_one_night(),
            gaps=[(day.replace(hour=3, minute=5), day.replace(hour=3, minute=6))])
        answer = self.ask(daemon, "--for", "1h")
        three = self.slot(answer, self.day, 3)
        self.assertEqual((three["free"], three["of"], three["unseen"]), (3, 4, 1), three)
        self.assertEqual(three["breakers"], [])
        self.assertEqual(self.slot(answer, self.day, 2)["free"], 4)
        self.assertGreaterEqual(answer["unseen_s"], 60)

    def test_young_history(self):
        """What nobody saw is not free."""
        daemon = self.daemon()
        daemon.check()
        answer = self.ask(daemon)
        self.assertEqual(answer["best"], [])
        self.assertEqual(sum(s["free"] for s in answer["slots"]), 0)
        self.assertGreater(answer["unseen_s"], 27.9 * 86400)
        code, out, err = daemon.run("maintenance")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("not watched for long enough", out)
        self.assertIn("Nobody watched", out)

    def test_which_product(self):
        daemon = self.daemon(Product("app", self.bin), Product("tools", self.directory("t")))
        code, out, err = daemon.run("maintenance")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("app, tools", err)
        code, answer = daemon.json("maintenance", "--product", "tools")
        self.assertEqual((code, answer["product"]), (0, "tools"))


if __name__ == "__main__":
    main()
