#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""More file events than one reading of the kernel's queue takes, with changes of the
directories in the middle: what a change sets off reads no events into the batch that is
still being delivered, so each event comes once."""
import os
import signal
from collections import Counter

from support import SystemTest, main

# An event has at least 24 bytes of its own, 8 of its pidfd, and two file ids of 28 or
# more (fanotify(7)); a reading takes up to 256 KiB.
READING_BYTES, EVENT_BYTES = 256 * 1024, 88
FILES = 2 * READING_BYTES // EVENT_BYTES


class BatchesTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")
        self.names = [f"New{i:05}.dll" for i in range(FILES)]

    def create_all(self, every=0, change=None):
        """Before each @every'th of them @change."""
        for i, name in enumerate(self.names):
            if every and i % every == 0:
                change(i)
            os.mknod(os.path.join(self.bin, name))

    def frozen(self, daemon, change):
        """@change happens while the daemon stands still, and all of it waits for it."""
        pid = daemon.main_pid()
        daemon.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
        try:
            change()
        finally:
            daemon.signal(signal.SIGCONT)

    def created(self, daemon):
        events = daemon.log_events("--kind", "create", "--limit", "10000")
        return Counter(os.path.basename(event["path"]) for event in events)

    def assert_each_once(self, daemon):
        told = self.created(daemon)
        self.assertEqual(daemon.state(), "runs", daemon.log_text())
        self.assertEqual([name for name in self.names if told[name] == 0][:5], [], "lost")
        self.assertEqual([name for name in self.names if told[name] > 1][:5], [], "twice")
        self.assertEqual(daemon.log_events("--kind", "gap"), [])

    def each_once_among(self, every, change):
        daemon = self.daemon()
        self.assert_safe(daemon)
        self.frozen(daemon, lambda: self.create_all(every, change))
        self.assert_each_once(daemon)

    def test_a_directory_before_them(self):
        self.each_once_among(FILES, lambda i: self.directory("bin", "folder"))

    def test_directories_among_them(self):
        def change(i):
            os.rename(self.directory("bin", f"folder{i}"), self.path("bin", f"moved{i}"))
        self.each_once_among(FILES // 20, change)

    def test_attributes_among_them(self):
        self.each_once_among(FILES // 20, lambda i: os.chmod(self.dll, 0o600 + i % 7))


if __name__ == "__main__":
    main()
