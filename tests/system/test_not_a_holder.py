#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The daemon never becomes a holder of what it guards."""
import ctypes
import fcntl
import os

from support import SystemTest, main, only_in, tier_in_force


class NotAHolderTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.paths = [self.file(f"File{n}.dll") for n in range(20)]

    def in_use(self, path):
        """True when the kernel refuses a write lease: somebody has the file."""
        fd = os.open(path, os.O_RDONLY)
        try:
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            return False
        except BlockingIOError:
            return True
        finally:
            os.close(fd)

    def test_between_checks(self):
        daemon = self.daemon()
        holder = self.hold("mapped", self.paths[0])
        for _ in range(5):
            self.assert_blocked_by(daemon, self.paths[0], [holder.pid], {"mapped"})
            opened = daemon.opened_files()
            self.assertEqual([p for p in opened if p.startswith(self.bin + "/")], [])
            with open(f"/proc/{daemon.process.pid}/maps", encoding="utf-8") as f:
                self.assertNotIn(self.bin, f.read())
        for path in self.paths[1:]:
            self.assertFalse(self.in_use(path))

    def test_never_in_its_own_answers(self):
        daemon = self.daemon()
        holder = self.hold("read", self.paths[0])
        rpc = self.rpc(daemon)
        for _ in range(20):
            for entry in rpc.call("check", product="app", all=True)["files"]:
                for use in entry["uses"]:
                    self.assertEqual(use["pid"], holder.pid)
        daemon.run("flush")
        self.assertEqual([e for e in daemon.log_events() if e["pid"] == daemon.process.pid], [])

    def test_every_thread_gave_up_its_privileges(self):
        daemon = self.daemon()
        needed = 0
        for bit in (0, 1, 2, 3, 19, 21, 28, 40):  # linux/capability.h; see backend.c, confine()
            needed |= 1 << bit
        if tier_in_force() == "bpf":
            needed |= 1 << 38 | 1 << 39
        tasks = f"/proc/{daemon.process.pid}/task"
        for tid in os.listdir(tasks):
            with open(f"{tasks}/{tid}/status", encoding="ascii") as f:
                status = dict(line.split(":", 1) for line in f)
            for which in "CapEff", "CapPrm":
                self.assertEqual(int(status[which], 16) & ~needed, 0, (tid, which))
            self.assertEqual(status["NoNewPrivs"].strip(), "1", tid)

    @only_in("bpf")
    def test_asks_without_being_seen(self):
        """Neither opens nor reads: nobody who watches the file hears of a check."""
        libc = ctypes.CDLL(None, use_errno=True)
        daemon = self.daemon()
        self.assert_safe(daemon)
        self.rpc(daemon).call("verify")  # what is installed has been read
        watcher = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self.addCleanup(os.close, watcher)
        for path in self.paths:
            self.assertGreater(libc.inotify_add_watch(watcher, path.encode(), 0xFFF), 0)
        holder = self.hold("o-path", self.paths[0])  # to the kernel, no event either
        for _ in range(20):
            self.assert_safe(daemon)
        with self.assertRaises(BlockingIOError):
            os.read(watcher, 4096)
        holder.kill()
        # It would have been heard.
        with open(self.paths[0], "rb"):
            pass
        self.assertTrue(os.read(watcher, 4096))

    def test_does_not_disturb(self):
        """What somebody does to a file all the time does not fail for it."""
        daemon = self.daemon()
        rpc = self.rpc(daemon)
        rpc.send_raw(b"".join(
            b'{"jsonrpc":"2.0","id":%d,"method":"check"}\n' % n for n in range(10)))
        for _ in range(2000):
            # Blocking opens wait out a lease for its few microseconds.
            with open(self.paths[0], "r+b"):
                pass
        for _ in range(10):
            self.assertIn(rpc.read_message()["result"]["verdict"], ("safe", "blocked", "unknown"))
        os.rename(self.paths[1], self.paths[0])
        os.unlink(self.paths[0])
        self.assert_safe(daemon)


if __name__ == "__main__":
    main()
