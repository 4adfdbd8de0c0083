#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who waits for a lock is in the way as well, and is told apart from who has it."""
from support import SystemTest, main


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


if __name__ == "__main__":
    main()
