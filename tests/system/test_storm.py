#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Many processes open, lock and close without pause: answers stay right, and a
daemon that is killed in the middle of it comes back sound."""
import sqlite3
import subprocess
import sys

from support import FAIL_AFTER, LineReader, Product, SystemTest, main

STORMER = """
import fcntl, mmap, sys
paths = sys.argv[1:]
n = 0
while True:
    for path in paths:
        with open(path, "r+b") as f:
            fcntl.lockf(f, fcntl.LOCK_SH)
            mmap.mmap(f.fileno(), 0).close()
            fcntl.lockf(f, fcntl.LOCK_UN)
    n += 1
    if n == 100:
        print("under way", flush=True)
"""


class StormTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.paths = [self.file(f"File{n}.dll") for n in range(8)]
        self.quiet = self.file("Quiet.dll")

    def storm(self, n):
        stormers = []
        for _ in range(n):
            process = subprocess.Popen([sys.executable, "-c", STORMER, *self.paths],
                                       stdout=subprocess.PIPE, text=True)
            lines = LineReader(process.stdout)

            def end(process=process, lines=lines):
                process.kill()
                process.wait(FAIL_AFTER)
                lines.join(FAIL_AFTER)
                process.stdout.close()
            self.addCleanup(end)
            stormers.append((lines, end))
        for lines, _ in stormers:
            lines.wait_for(lambda line: line == "under way", "a storm")
        return [end for _, end in stormers]

    def assert_sound(self, daemon):
        database = sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True)
        self.addCleanup(database.close)
        self.assertEqual(database.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        self.assertEqual(database.execute("PRAGMA foreign_key_check").fetchall(), [])
        return database

    def test_killed_in_the_middle(self):
        daemon = self.daemon()
        ends = self.storm(3)
        rpc = self.rpc(daemon)
        # Only once there is something on disk to be torn.
        while rpc.call("status")["store"]["rows"] < 1000:
            self.assertIsNone(daemon.process.poll(), daemon.log_text())
        daemon.kill()
        holder = self.hold("mapped", self.quiet)
        daemon = self.daemon()
        answer = daemon.check()
        self.assert_never_safe(answer)
        for end in ends:
            end()
        self.assert_blocked_by(daemon, self.quiet, [holder.pid], {"mapped"})
        holder.kill()
        self.assert_safe(daemon)
        daemon.run("flush")
        database = self.assert_sound(daemon)
        gaps = database.execute(
            "SELECT since < until FROM history_gaps WHERE reason = 'downtime'").fetchall()
        self.assertEqual(gaps, [(1,)])
        # No use of the first daemon's time is left open.
        self.assertEqual(database.execute(
            "SELECT count(*) FROM file_uses WHERE until IS NULL").fetchone(), (0,))

    def test_answers_in_the_middle(self):
        daemon = self.daemon()
        ends = self.storm(2)
        holder = self.hold("mapped", self.quiet)
        for _ in range(5):
            answer = daemon.check()
            self.assert_never_safe(answer)
            if answer["verdict"] == "blocked":
                self.use_of(answer, self.quiet, holder.pid)
        # All that happened before; what goes on to happen keeps nobody waiting.
        code, _, err = daemon.run("flush", "--timeout", f"{FAIL_AFTER:g}s")
        self.assertEqual(code, 0, err)
        for end in ends:
            end()
        holder.kill()
        self.assert_safe(daemon)

    def test_another_product_in_the_middle(self):
        """What happens to one product's files is not another's: it has its answers, and
        its hold goes on."""
        calm = self.directory("calm")
        self.file("Calm.dll", calm)
        daemon = self.daemon(Product("app", self.bin), Product("calm", calm))
        rpc = self.rpc(daemon)
        hold = rpc.call("hold.begin", product="calm", **{"for": 600})["hold"]
        self.storm(2)
        for _ in range(50):
            self.assert_verdict(rpc.call("check", product="calm"), "safe")
        # All that was there before is read, whatever comes meanwhile.
        rpc.call("flush")
        self.assertEqual(rpc.call("hold.end", hold=hold)["cause"], "ended")

    def test_killed_again_and_again(self):
        self.storm(2)
        for _ in range(5):
            daemon = self.daemon()
            # One that has written nothing yet leaves no history that could have a gap.
            daemon.run("flush")
            daemon.kill()
        daemon = self.daemon()
        daemon.run("flush")
        database = self.assert_sound(daemon)
        self.assertEqual(database.execute(
            "SELECT count(*) FROM history_gaps WHERE reason = 'downtime'").fetchone(), (5,))


if __name__ == "__main__":
    main()
