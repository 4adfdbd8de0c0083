#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the past explains: who comes back after it has ended, who starts short-lived users
all the time, and who opened a file that no process shows."""
import os
import shutil
import subprocess
import sys
import time

from support import FAIL_AFTER, SystemTest, main

# Programs of the product that live for milliseconds, one after the other.
LOOPS = {
    "a shell's loop": ["sh", "-c", 'while :; do "$0"; done'],
    "two at a time": ["sh", "-c", 'while :; do "$0" & "$0" & wait; done'],
    "a monitor": [sys.executable, "-c",
                  "import subprocess, sys\nwhile True: subprocess.run([sys.argv[1]])"],
}
# What hides a file from every process that has opened it.
HIDING = "in-flight", "in-flight-nested", "io-uring"


class VisitsTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")

    def remarks(self, answer, kind):
        return [remark for remark in answer["remarks"] if remark["kind"] == kind]

    def check_until(self, daemon, starter):
        """The first answer that says who keeps starting users."""
        deadline = time.monotonic() + FAIL_AFTER
        while True:
            answer = daemon.check()
            if starter in [remark.get("starter_pid")
                           for remark in self.remarks(answer, "keeps-starting")]:
                return answer
            self.assertLess(time.monotonic(), deadline, self.show(answer))

    def test_came_back(self):
        daemon = self.daemon()
        for n in range(3):
            holder = self.hold("read", self.dll)
            answer = daemon.check()
            came_back = self.remarks(answer, "came-back")
            self.assertEqual([(r["count"], r["pid"], r["starter_pid"]) for r in came_back],
                             [(n, holder.pid, os.getpid())] if n else [], self.show(answer))
            holder.kill()
            self.assert_safe(daemon)
        # Nobody is in the way; that they may be back is worth knowing.
        answer = daemon.check()
        self.assertEqual(self.remarks(answer, "came-back")[0]["count"], 2, self.show(answer))
        self.assertIn("Good to know:", daemon.run("check")[1])

    def test_a_second_holder_did_not_come_back(self):
        daemon = self.daemon()
        first = self.hold("read", self.dll)
        daemon.check()
        self.hold("read", self.dll)
        first.kill()
        answer = daemon.check()
        self.assert_verdict(answer, "blocked")
        self.assertEqual(self.remarks(answer, "came-back"), [], self.show(answer))

    def test_short_lived(self):
        daemon = self.daemon()
        for n, (what, command) in enumerate(LOOPS.items()):
            with self.subTest(what):
                probe = self.path("bin", f"probe{n}.dll")
                shutil.copy("/bin/true", probe)
                starter = subprocess.Popen([*command, probe], stdin=subprocess.DEVNULL)
                try:
                    answer = self.check_until(daemon, starter.pid)
                    remark = self.remarks(answer, "keeps-starting")[0]
                    self.assertGreaterEqual(remark["count"], 5, self.show(answer))
                    # While it goes on, nothing is safe for long enough.
                    waited = daemon.check("--wait=1ms", "--settle=10s")
                    self.assertNotEqual(waited["verdict"], "safe", self.show(waited))
                    self.assertIn(starter.pid, [s.get("pid") for s in waited["next"]],
                                  self.show(waited))
                finally:
                    starter.kill()
                    starter.wait()

    def test_opened_last(self):
        daemon = self.daemon()
        for state in HIDING:
            with self.subTest(state):
                path = self.file(f"{state}.dll")
                daemon.check()
                holder = self.hold(state, path)
                answer = daemon.check()
                self.assert_verdict(answer, "blocked")
                last = [r for r in answer["reasons"] if r["kind"] == "opened-last"]
                self.assertEqual([(r["file"], r["pid"]) for r in last], [(path, holder.pid)],
                                 self.show(answer))
                self.assertIn(f"kill {holder.pid}", [s.get("command") for s in answer["next"]],
                              self.show(answer))
                holder.kill()
                # A kernel thread ends a ring, some time after its process.
                self.assert_verdict(daemon.check("--wait=60s", "--settle=0s"), "safe")


if __name__ == "__main__":
    main()
