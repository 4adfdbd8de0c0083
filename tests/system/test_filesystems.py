#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The same answers on every filesystem: each has device numbers, leases and
events of its own making."""
import os
import shutil
import subprocess

from support import Product, SystemTest, main, private_mounts

STATES = (("read", {"open"}), ("mapped", {"mapped"}), ("mapped-none", {"mapped"}),
          ("write", {"write"}), ("posix", {"locked"}), ("ofd", {"locked"}),
          ("flock-exclusive", {"locked"}))
# No process shows these.
HIDDEN = ("in-flight", "io-uring", "loop")


def setUpModule():
    private_mounts()


class FilesystemsTest(SystemTest):
    def right_on(self, directory, name="Mdbperf.dll", states=STATES, through=None):
        """Every state is seen on a file of @directory, which its holder opens
        at directory @through."""
        self.need_events(directory)
        path = os.path.join(directory, name)
        if not os.path.exists(path):
            self.file(name, directory)
        # Before the daemon comes: to it this would be an install, whose end it may take
        # a pause of a slow machine for.
        program = os.path.join(directory, "Admin.exe")
        if not os.path.exists(program):
            self.program("Admin.exe", directory)
        daemon = self.daemon(Product("app", directory))
        self.assert_safe(daemon)
        for state, how in states:
            with self.subTest(state=state):
                holder = self.hold(state, os.path.join(through or directory, name))
                answer = self.assert_blocked_by(daemon, path, [holder.pid], how)
                if how == {"mapped"}:
                    self.assertNotIn("open", self.use_of(answer, path, holder.pid)["how"],
                                     self.show(answer))
                if how == {"locked"}:
                    self.assertEqual(self.lock_of(answer, path)["pid"], holder.pid,
                                     self.show(answer))
                holder.release()
                self.assert_safe(daemon)
                holder.close()
        for state in HIDDEN:
            with self.subTest(state=state):
                holder = self.hold(state, os.path.join(through or directory, name))
                answer = daemon.check()
                self.assert_verdict(answer, "blocked")
                self.assertEqual([use["pid"] for use in self.file_of(answer, path)["uses"]],
                                 [None], self.show(answer))
                holder.release()
                self.assert_safe(daemon)
        with self.subTest(state="exec"):
            holder = self.hold("exec", os.path.join(through or directory, "Admin.exe"))
            self.assert_blocked_by(daemon, program, [holder.pid], {"executing"})
            holder.kill()
            self.assert_safe(daemon)

    def test_tmpfs(self):
        self.right_on(self.tmpfs())

    def test_ext4(self):
        self.right_on(self.loop_image("ext4", 32))

    def test_xfs(self):
        self.right_on(self.loop_image("xfs", 320))

    def test_btrfs(self):
        self.right_on(self.loop_image("btrfs", 128))

    def test_btrfs_subvolumes(self):
        """Inode numbers repeat from one subvolume to the next."""
        root = self.loop_image("btrfs", 128)
        if not shutil.which("btrfs"):
            self.skipTest("no btrfs program here")
        paths = []
        for name in ("one", "two"):
            directory = os.path.join(root, name)
            subprocess.run(["btrfs", "subvolume", "create", directory], check=True,
                           stdout=subprocess.DEVNULL)
            paths.append(self.file("Mdbperf.dll", directory))
        self.assertEqual(os.stat(paths[0]).st_ino, os.stat(paths[1]).st_ino)
        self.need_events(os.path.dirname(paths[0]))
        daemon = self.daemon(Product("one", os.path.dirname(paths[0])),
                             Product("two", os.path.dirname(paths[1])))
        for state in ("read", "mapped", "posix"):
            with self.subTest(state=state):
                holder = self.hold(state, paths[0])
                answer = daemon.check("--product", "one")
                self.assert_verdict(answer, "blocked")
                self.use_of(answer, paths[0], holder.pid)
                # Mappings and locks do not tell the subvolume: may be taken as
                # busy, must not be taken as another file's holder.
                other = daemon.check("--product", "two")
                if state == "read":
                    self.assert_verdict(other, "safe")
                holder.release()
                for name in ("one", "two"):
                    self.assert_verdict(daemon.check("--product", name), "safe")

    # Overlays

    def layers(self):
        base = self.tmpfs("layers")
        for name in ("lower", "upper", "work"):
            os.mkdir(os.path.join(base, name))
        return [os.path.join(base, name) for name in ("lower", "upper", "work")]

    def test_overlay_upper_file(self):
        lower, upper, work = self.layers()
        merged = self.overlay(lower, upper, work)
        self.right_on(merged)
        self.assertTrue(os.path.exists(os.path.join(upper, "Mdbperf.dll")))

    def test_overlay_file_made_anew(self):
        """As an update of an application in a container does: the old file goes, a
        new one of its name comes, and below lies what was there first."""
        lower, upper, work = self.layers()
        self.file("Mdbperf.dll", lower)
        merged = self.overlay(lower, upper, work)
        os.unlink(os.path.join(merged, "Mdbperf.dll"))
        self.right_on(merged)

    def test_overlay_lower_file(self):
        lower, upper, work = self.layers()
        path = self.file("Mdbperf.dll", lower)
        self.program("Admin.exe", lower)
        merged = self.overlay(lower, upper, work)
        states = [row for row in STATES if row[0] in ("read", "mapped", "mapped-none",
                                                      "flock-exclusive")]
        self.right_on(merged, states=states)
        # Nothing has copied it up, the daemon least of all.
        self.assertFalse(os.path.exists(os.path.join(upper, "Mdbperf.dll")))
        self.assertTrue(os.path.exists(path))

    def test_overlay_with_a_lower_on_another_filesystem(self):
        _, upper, work = self.layers()
        lower = self.directory("lower-elsewhere")
        self.file("Mdbperf.dll", lower)
        self.program("Admin.exe", lower)
        merged = self.overlay(lower, upper, work)
        self.right_on(merged, states=[row for row in STATES if row[0] in ("read", "mapped")])

    def test_overlay_used_through_its_upper_directory(self):
        lower, upper, work = self.layers()
        merged = self.overlay(lower, upper, work)
        path = self.file("Mdbperf.dll", merged)
        daemon = self.daemon(Product("app", merged))
        holder = self.hold("mapped", os.path.join(upper, "Mdbperf.dll"))
        self.assert_blocked_by(daemon, path, [holder.pid], {"mapped"})
        holder.release()
        self.assert_safe(daemon)

    def test_mounted_over_while_running(self):
        """What lies on top at the time of the question counts."""
        self.file("Mdbperf.dll")
        daemon = self.daemon()
        self.assert_safe(daemon)
        self.mount("tmpfs", self.bin)
        path = self.file("Mdbperf.dll")
        holder = self.hold("mapped", path)
        self.assert_blocked_by(daemon, path, [holder.pid], {"mapped"})
        holder.release()
        self.assert_safe(daemon)


if __name__ == "__main__":
    main()
