#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""btrfs: a snapshot's files have the inode numbers of the original's. No holder
of the original is missed for it, and none of the snapshot's taken for one."""
import os
import shutil
import subprocess

from support import Product, SystemTest, main, only_in, private_mounts

STATES = ("read", "write", "mapped", "mapped-none", "posix", "ofd", "flock-exclusive",
          "lease-read", "thread-table", "leader-exited")


def setUpModule():
    private_mounts()


class SnapshotsTest(SystemTest):
    def setUp(self):
        super().setUp()
        if not shutil.which("btrfs"):
            self.skipTest("no btrfs program here")
        root = self.loop_image("btrfs", 128)
        self.original, self.snapshot = os.path.join(root, "bin"), os.path.join(root, "before")
        self.btrfs("create", self.original)
        self.dll = self.file("Mdbperf.dll", self.original)
        self.exe = self.program("Admin.exe", self.original)
        self.btrfs("snapshot", self.original, self.snapshot)
        for path in (self.dll, self.exe):
            self.assertEqual(os.stat(path).st_ino, os.stat(self.twin(path)).st_ino)

    def btrfs(self, *args):
        subprocess.run(["btrfs", "subvolume", *args], check=True, stdout=subprocess.DEVNULL)

    def twin(self, path):
        return os.path.join(self.snapshot, os.path.basename(path))

    def test_holders_of_the_original(self):
        daemon = self.daemon(Product("app", self.original))
        self.assert_safe(daemon)
        for state in STATES:
            with self.subTest(state=state):
                holder = self.hold(state, self.dll)
                self.assert_blocked_by(daemon, self.dll, [holder.pid], set())
                holder.kill()
                self.assert_safe(daemon)
        holder = self.hold("exec", self.exe)
        self.assert_blocked_by(daemon, self.exe, [holder.pid], {"executing"})
        holder.kill()
        self.assert_safe(daemon)

    def test_holders_of_both(self):
        """The snapshot's is there first: it must not stand for the other's."""
        daemon = self.daemon(Product("app", self.original))
        for state in STATES:
            with self.subTest(state=state):
                other = self.hold(state, self.twin(self.dll))
                holder = self.hold(state, self.dll)
                answer = daemon.check()
                self.assert_verdict(answer, "blocked")
                self.use_of(answer, self.dll, holder.pid)
                other.kill()
                self.assert_blocked_by(daemon, self.dll, [holder.pid], set())
                holder.kill()
                self.assert_safe(daemon)

    def test_hidden_behind_a_holder_of_the_snapshot(self):
        """Who maps the snapshot's file does not explain why the original is busy."""
        daemon = self.daemon(Product("app", self.original))
        for state in ("read", "mapped", "posix"):
            with self.subTest(state=state):
                other = self.hold(state, self.twin(self.dll))
                hidden = self.hold("in-flight", self.dll)
                self.assert_verdict(daemon.check(), "blocked")
                other.kill()
                self.assert_verdict(daemon.check(), "blocked")
                hidden.release()
                self.assert_safe(daemon)

    @only_in("bpf")
    def test_holders_of_the_snapshot(self):
        """The kernel tells the inodes apart, whatever their numbers."""
        daemon = self.daemon(Product("app", self.original))
        for state in STATES:
            with self.subTest(state=state):
                holder = self.hold(state, self.twin(self.dll))
                self.assert_safe(daemon)
                holder.kill()
        self.hold("exec", self.twin(self.exe))
        self.assert_safe(daemon)

    @only_in("procfs")
    def test_holders_of_the_snapshot_are_not_forgotten(self):
        """The text of /proc does not tell all of them apart: they may be taken for
        the original's, as long as they are there."""
        daemon = self.daemon(Product("app", self.original))
        for state in STATES:
            with self.subTest(state=state):
                holder = self.hold(state, self.twin(self.dll))
                self.assert_safe(daemon)
                holder.kill()
                self.assert_safe(daemon)

    def test_holders_of_the_snapshot_beside_one_of_another_file(self):
        """For that one everybody is searched and all locks are read."""
        daemon = self.daemon(Product("app", self.original))
        self.hold("read", self.exe)
        for state in STATES:
            with self.subTest(state=state):
                holder = self.hold(state, self.twin(self.dll))
                answer = daemon.check()
                self.assertEqual([entry["path"] for entry in answer["files"]
                                  if entry["state"] != "free"], [self.exe],
                                 self.show(answer))
                holder.kill()


if __name__ == "__main__":
    main()
