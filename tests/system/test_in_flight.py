#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A descriptor on its way through a socket belongs to no process: the kernel
says busy, nobody shows why, and that is blocked."""
from support import SystemTest, main


class InFlightTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")

    def assert_unattributed(self, daemon):
        answer = daemon.check()
        self.assert_verdict(answer, "blocked")
        entry = self.file_of(answer, self.dll)
        self.assertEqual(entry["state"], "blocked", self.show(answer))
        self.assertEqual([(use["pid"], use["name"]) for use in entry["uses"]],
                         [(None, None)], self.show(answer))
        self.assertIn("held by something that no process shows",
                      " ".join(self.texts(answer["reasons"])), self.show(answer))
        self.assertEqual(answer["counts"]["unattributed"], 1, self.show(answer))

    def test_then_dropped(self):
        daemon = self.daemon()
        holder = self.hold("in-flight", self.dll)
        self.assert_unattributed(daemon)
        holder.release()
        self.assert_safe(daemon)

    def test_then_killed(self):
        daemon = self.daemon()
        holder = self.hold("in-flight", self.dll)
        self.assert_unattributed(daemon)
        holder.kill()
        self.assert_safe(daemon)

    def test_from_before(self):
        self.hold("in-flight", self.dll)
        self.assert_unattributed(self.daemon())

    def test_behind_a_visible_holder(self):
        daemon = self.daemon()
        self.hold("in-flight", self.dll)
        visible = self.hold("read", self.dll)
        answer = daemon.check()
        self.assert_verdict(answer, "blocked")
        self.use_of(answer, self.dll, visible.pid)
        visible.release()
        self.assert_unattributed(daemon)


if __name__ == "__main__":
    main()
