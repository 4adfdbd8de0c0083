#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The method timeline: bars for who held what, gaps, installs and holds."""
import contextlib
import datetime
import json
import os
import signal
import sqlite3

from support import FOR_DOS, Product, RpcError, SystemTest, main


class TimelineTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")
        self.other = self.file("Other.dll")

    def timeline(self, daemon, **params):
        daemon.run("flush")
        with self.rpc_of(daemon) as connection:
            return connection.call("timeline", **params)

    def rpc_of(self, daemon):
        connection = self.rpc(daemon)

        class Closing:
            def __enter__(self):
                return connection

            def __exit__(self, *_):
                connection.close()
        return Closing()

    def bars(self, answer, path):
        return [bar for entry in answer["files"] if entry["path"] == path
                for bar in entry["bars"]]

    def test_bars(self):
        daemon = self.daemon()
        first = self.hold("mapped", self.dll)
        daemon.check()
        answer = self.timeline(daemon)
        self.assertEqual([entry["path"] for entry in answer["files"]], [self.dll])
        bar = self.bars(answer, self.dll)[0]
        self.assertEqual((bar["pid"], bar["name"], bar["to"], bar["setup_stops"], bar["cut"]),
                         (first.pid, "holder", None, False, False))
        self.assertIn("mapped", bar["how"])
        first.release()
        second = self.hold("read", self.other)
        daemon.check()
        answer = self.timeline(daemon)
        self.assertEqual([entry["path"] for entry in answer["files"]],
                         sorted([self.dll, self.other]))
        ended = self.bars(answer, self.dll)
        self.assertEqual(len(ended), 1, self.show(answer))
        self.assertLess(ended[0]["from"], ended[0]["to"])
        self.assertEqual(self.bars(answer, self.other)[0]["pid"], second.pid)
        self.assertFalse(answer["more"])

    def test_a_lock_is_a_bar(self):
        daemon = self.daemon()
        holder = self.hold("posix", self.dll)
        daemon.check()
        hows = {how for bar in self.bars(self.timeline(daemon), self.dll)
                for how in bar["how"] if bar["pid"] == holder.pid}
        self.assertLessEqual({"write", "locked"}, hows)

    def test_only_what_overlaps(self):
        daemon = self.daemon()
        holder = self.hold("mapped", self.dll)
        daemon.check()
        began = self.bars(self.timeline(daemon), self.dll)[0]["from"]
        holder.release()
        daemon.check()
        until = self.bars(self.timeline(daemon), self.dll)[0]["to"]
        after = self.timeline(daemon, since=until)
        self.assertEqual(after["files"], [])
        before = self.timeline(daemon, since="2026-01-01T00:00:00Z", until=began)
        self.assertEqual(before["files"], [])
        within = self.timeline(daemon, since=began, until=until)
        self.assertEqual(len(self.bars(within, self.dll)), 1)
        self.assertEqual(within["since"], began)

    def test_since_when_it_is_known(self):
        daemon = self.daemon()
        daemon.check()
        answer = self.timeline(daemon)
        self.assertTrue(answer["since"] < answer["recorded_since"] < answer["until"])
        answer = self.timeline(daemon, since="2026-01-01T00:00:00Z",
                               until="2026-01-02T00:00:00Z")
        self.assertIsNone(answer["recorded_since"])

    def test_a_gap(self):
        daemon = self.daemon()
        holder = self.hold("mapped", self.dll)
        daemon.check()
        self.timeline(daemon)
        daemon.signal(signal.SIGKILL)
        daemon.process.wait()
        daemon.start()
        answer = self.timeline(daemon)
        self.assertEqual([gap["reason"] for gap in answer["gaps"]], ["downtime"])
        bars = self.bars(answer, self.dll)
        self.assertEqual([bar["cut"] for bar in bars], [True, False], self.show(answer))
        self.assertEqual({bar["pid"] for bar in bars}, {holder.pid})

    def test_installs_and_holds(self):
        daemon = self.daemon()
        new = self.path("new")
        with open(new, "wb") as f:
            f.write(FOR_DOS + b"another version\n")
        code, out, err = daemon.run("hold", "--for", "60s", "--yes", "--", "mv", new, self.dll)
        self.assertEqual(code, 0, out + err)
        daemon.check()
        answer = self.timeline(daemon)
        self.assertEqual([(i["id"], i["outcome"]) for i in answer["installs"]], [(1, "clean")])
        self.assertEqual(len(answer["holds"]), 1, self.show(answer))
        hold = answer["holds"][0]
        self.assertTrue(answer["since"] < hold["from"] <= hold["to"] <= answer["until"])

    def test_a_hold_that_lasts(self):
        daemon = self.daemon()
        connection = self.rpc(daemon)
        connection.call("hold.begin", **{"for": 60})
        answer = self.timeline(daemon)
        self.assertEqual([hold["to"] for hold in answer["holds"]], [None])
        self.assertEqual(self.timeline(daemon, until=answer["since"])["holds"], [])

    def test_a_hold_that_ended_after_the_period(self):
        daemon = self.daemon()
        connection = self.rpc(daemon)
        hold = connection.call("hold.begin", **{"for": 60})["hold"]
        within = self.timeline(daemon)["until"]
        connection.call("hold.end", hold=hold)
        holds = self.timeline(daemon, until=within)["holds"]
        self.assertEqual(len(holds), 1)
        self.assertTrue(holds[0]["from"] < within < holds[0]["to"], holds)
        after = holds[0]["to"]
        holds = self.timeline(daemon, since=within)["holds"]
        self.assertEqual([hold["to"] for hold in holds], [after])
        self.assertEqual(self.timeline(daemon, since=after)["holds"], [])

    def insert_installs(self, n, first="2026-01-01T00:00:00"):
        """Of the product "app", one a minute, into the database."""
        began = int(datetime.datetime.fromisoformat(first + "+00:00").timestamp())
        with contextlib.closing(sqlite3.connect(self.path("home", "spguard.db"))) as db:
            db.executemany(
                "INSERT INTO installs(product, began, ended, outcome, last) "
                "SELECT 'app', ?, ?, outcome, ? FROM installs WHERE id = 1",
                [((began + 60 * i) * 10**9, (began + 60 * i + 30) * 10**9,
                  (began + 60 * i) * 10**9) for i in range(n)])
            db.commit()

    def test_more_installs_than_are_told(self):
        daemon = self.daemon()
        os.rename(self.file("new", self.path()), self.dll)
        daemon.check()
        self.timeline(daemon)
        self.assertEqual(daemon.stop(), 0)
        self.insert_installs(250)
        daemon.start()
        # The newest ones are: 50 of the oldest are left out, and that is said.
        period = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}
        answer = self.timeline(daemon, **period)
        self.assertTrue(answer["more"])
        self.assertLessEqual(len(answer["installs"]), 200)
        period["since"] = "2026-01-01T02:00:00Z"
        answer = self.timeline(daemon, **period)
        self.assertEqual((answer["more"], len(answer["installs"])), (False, 130))

    def test_the_ends_of_time(self):
        daemon = self.daemon()
        for period in ({"since": "0001-01-01T00:00:00Z"},
                       {"since": "1677-09-21T00:12:44Z", "until": "2262-04-11T23:47:16Z"},
                       {"since": "1970-01-01T00:00:00Z", "until": "9999-12-31T23:59:59Z"},
                       {"until": "1677-09-21T00:12:44Z"}):
            with self.subTest(**period):
                try:
                    self.assertEqual(self.timeline(daemon, **period)["files"], [])
                except RpcError:
                    pass  # a time that no clock of this daemon can have
        self.assertEqual(daemon.check()["verdict"], "safe")

    def test_many_at_once_end_no_hold(self):
        """A daemon that only draws pictures does not hang."""
        daemon = self.daemon()
        holder = self.hold("mapped", self.dll)
        daemon.check()
        holder.release()
        daemon.check()
        self.timeline(daemon)
        self.assertEqual(daemon.stop(), 0)
        with contextlib.closing(sqlite3.connect(daemon.database)) as db:
            db.executemany(
                "INSERT INTO uses(file, process, how, since, until) SELECT file, process, how,"
                " since - ?, since - ? FROM uses LIMIT 1",
                [((i + 1) * 10**9, (i + 1) * 10**9 - 10**8) for i in range(10000)])
            db.commit()
        daemon.start()
        holding = self.rpc(daemon)
        hold = holding.call("hold.begin", **{"for": 600})["hold"]
        asking = [self.rpc(daemon) for _ in range(6)]
        for connection in asking:
            for i in range(15):
                connection.send_raw(json.dumps(
                    {"jsonrpc": "2.0", "id": i, "method": "timeline",
                     "params": {"since": "2020-01-01T00:00:00Z"}}).encode() + b"\n")
        for connection in asking:
            for _ in range(15):
                answer = connection.read_message()
                # Or too many are not read yet.
                self.assertTrue(answer.get("result", {}).get("more") or
                                answer.get("error", {}).get("code") == -32004,
                                str(answer)[:200])
        self.assertEqual(holding.call("hold.end", hold=hold)["cause"], "ended")

    def test_refusals(self):
        daemon = self.daemon(Product("app", self.bin), Product("b", self.bin))
        for params, words in (({}, "name it"), ({"product": "zz"}, "no product"),
                              ({"product": "b", "since": "yesterday"}, "RFC 3339"),
                              ({"product": "b", "since": "2026-02-01T00:00:00Z",
                                "until": "2026-01-01T00:00:00Z"}, "not before")):
            with self.subTest(params=params):
                with self.assertRaises(RpcError) as refused:
                    self.timeline(daemon, **params)
                self.assertIn(words, str(refused.exception))

    def test_setup_stopped(self):
        daemon = self.daemon(Product("app", self.bin, setup_stops="store.exe"))
        self.hold("mapped", self.dll, program=self.program(
            "store.exe", directory=os.path.dirname(self.path("x"))))
        daemon.check()
        bars = self.bars(self.timeline(daemon), self.dll)
        self.assertEqual([bar["setup_stops"] for bar in bars], [True])


if __name__ == "__main__":
    main()
