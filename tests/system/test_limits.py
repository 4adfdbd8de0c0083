#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the machine has of something is used up by others: it is said by name, and when it
is there again the daemon takes it by itself."""
import ctypes
import os

from support import Product, SystemTest, main, private_mounts


def setUpModule():
    private_mounts()


class LimitsTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")

    def use_up_groups(self):
        """Every fanotify group that this user may have."""
        libc = ctypes.CDLL(None, use_errno=True)
        groups = []
        self.addCleanup(self.give_back, groups)
        while True:
            group = libc.fanotify_init(0x1, os.O_RDONLY)
            if group < 0:
                break
            groups.append(group)
        return groups

    def give_back(self, groups):
        while groups:
            os.close(groups.pop())

    def test_fanotify_groups(self):
        groups = self.use_up_groups()
        daemon = self.daemon(Product("app", self.bin))
        answer = daemon.check()
        self.assert_verdict(answer, "unknown")
        self.assertIn("fs.fanotify.max_user_groups", self.show(answer))
        holder = self.hold("mapped", self.dll)
        self.use_of(daemon.check(), self.dll, holder.pid)
        holder.kill()
        rpc = self.rpc(daemon)
        rpc.call("subscribe")
        self.give_back(groups)
        rpc.wait_notification(lambda method, event: method == "event" and
                              event["kind"] == "verdict" and event["verdict"] == "safe")
        self.assert_safe(daemon)
        # And there are events: who opens it is told at once.
        holder = self.hold("read", self.dll)
        rpc.wait_notification(lambda method, event: method == "event" and
                              event["kind"] == "use-begin" and event["pid"] == holder.pid)
        self.assertIn("file events work now", daemon.log_text())


if __name__ == "__main__":
    main()
