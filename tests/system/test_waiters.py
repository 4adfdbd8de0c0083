#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who waits for a lock is in the way as well, and is told apart from who has it."""
import subprocess
import sys
import time

from support import FAIL_AFTER, SystemTest, main, only_in

# Waits for an OFD lock on the first file by a descriptor whose number is, in the table
# of another thread, the second file's.
TWO_TABLES = """
import ctypes, fcntl, os, struct, sys, threading
CLONE_FILES, F_OFD_SETLKW = 0x400, 38
fd, ready = os.open(sys.argv[1], os.O_RDWR), threading.Event()
def apart():
    ctypes.CDLL(None).unshare(CLONE_FILES)
    os.dup2(os.open(sys.argv[2], os.O_RDWR), fd)
    ready.set()
    threading.Event().wait()
threading.Thread(target=apart, daemon=True).start()
ready.wait()
fcntl.fcntl(fd, F_OFD_SETLKW, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
"""


class WaitersTest(SystemTest):
    def waits(self, held, waits, kind):
        path = self.file("Edbbcli.dll")
        daemon = self.daemon()
        owner = self.hold(held, path)
        waiter = self.hold(waits, path)
        answer = self.assert_blocked_by(daemon, path, [owner.pid, waiter.pid], set())
        self.assertIn("locked", self.use_of(answer, path, owner.pid)["how"], self.show(answer))
        waiting = self.lock_of(answer, path, kind=kind, state="waiting")
        self.assertEqual(self.lock_of(answer, path, kind=kind, state="held")["pid"],
                         owner.pid, self.show(answer))
        self.assertEqual(answer["counts"]["waiting"], 1, self.show(answer))
        if kind != "ofd":
            # The kernel does not tell whose open file description waits.
            self.assertEqual(waiting["pid"], waiter.pid, self.show(answer))
            self.assertIn("waiting", self.use_of(answer, path, waiter.pid)["how"],
                          self.show(answer))
        waiter.kill()
        answer = self.assert_blocked_by(daemon, path, [owner.pid], {"locked"}, {"waiting"})
        self.assertEqual(answer["counts"]["waiting"], 0, self.show(answer))
        owner.release()
        self.assert_safe(daemon)

    def test_posix(self):
        self.waits("posix", "wait-posix", "posix")

    def test_flock(self):
        self.waits("flock-exclusive", "wait-flock", "flock")

    def test_ofd(self):
        self.waits("ofd", "wait-ofd", "ofd")

    @only_in("procfs")
    def test_the_same_number_in_another_table(self):
        """Who waits for an OFD lock shows by the number of the descriptor only."""
        one, two = self.file("One.dll"), self.file("Two.dll")
        daemon = self.daemon()
        for path in (one, two):
            self.hold("ofd", path)
        process = subprocess.Popen([sys.executable, "-c", TWO_TABLES, one, two])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + FAIL_AFTER
        while self.waiting(daemon.check(), one) != {process.pid}:
            self.assertLess(time.monotonic(), deadline)
        waiter = self.hold("wait-ofd", two)
        self.assertLess(process.pid, waiter.pid)
        self.assertEqual(self.waiting(daemon.check(), two), {waiter.pid})

    def waiting(self, answer, path):
        return {use["pid"] for use in self.file_of(answer, path)["uses"]
                if "waiting" in use["how"]}


if __name__ == "__main__":
    main()
