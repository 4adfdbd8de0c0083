#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""More events than the kernel keeps: a gap on record, and a right answer."""
import os
import signal

from support import SystemTest, main

LIMIT = "/proc/sys/fs/fanotify/max_queued_events"


class OverflowTest(SystemTest):
    def test_overflow(self):
        with open(LIMIT, encoding="ascii") as f:
            limit = int(f.read())
        if limit > 200000:
            self.skipTest(f"{LIMIT} is {limit}")
        self.file("Mdbperf.dll")
        daemon = self.daemon()
        self.assert_safe(daemon)
        daemon.signal(signal.SIGSTOP)
        # Each name is an event of its own, so that nothing can be merged.
        for n in range(limit + 1000):
            os.close(os.open(os.path.join(self.bin, f"{n}"), os.O_CREAT | os.O_WRONLY))
        holder = self.hold("mapped", os.path.join(self.bin, "Mdbperf.dll"))
        daemon.signal(signal.SIGCONT)
        code, _, err = daemon.run("flush")
        self.assertEqual(code, 0, err)
        gaps = [e["gap"] for e in daemon.log_events("--kind", "gap")]
        self.assertIn("overflow", [gap["reason"] for gap in gaps], gaps)
        self.assert_blocked_by(daemon, os.path.join(self.bin, "Mdbperf.dll"), [holder.pid],
                               {"mapped"})
        holder.kill()
        self.assert_safe(daemon)
        self.assertEqual(daemon.json("status")[1]["gaps"]["overflow"], len(
            [gap for gap in gaps if gap["reason"] == "overflow"]))


if __name__ == "__main__":
    main()
