#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An overlay whose lower layer is on another filesystem: its files have the
numbers of one and the contents of the other, and change their inode when they
are written to. A holder from before that goes on using the old one."""
import os
import subprocess

from support import BLOCKED, Product, SystemTest, main, private_mounts

STATES = (("read", {"open"}), ("mapped", {"mapped"}), ("mapped-private", {"mapped"}),
          ("mapped-none", {"mapped"}), ("flock-exclusive", {"locked"}),
          ("flock-shared", {"locked"}))
# These need a file that can be written to: they copy it up.
WRITING = (("write", {"write"}), ("posix", {"locked"}), ("ofd", {"locked"}))


def setUpModule():
    private_mounts()


class LayersTest(SystemTest):
    def setUp(self):
        super().setUp()
        # The scratch directory is on a filesystem of its own, next to a tmpfs.
        self.lower = self.directory("lower")
        self.file("Mdbperf.dll", self.lower)
        self.program("Admin.exe", self.lower)
        above = self.tmpfs("above")
        self.upper, self.work = os.path.join(above, "upper"), os.path.join(above, "work")
        os.mkdir(self.upper)
        os.mkdir(self.work)
        if os.stat(self.lower).st_dev == os.stat(above).st_dev:
            self.skipTest("no two filesystems here")
        self.merged = self.overlay(self.lower, self.upper, self.work)
        self.need_events(self.merged)
        self.dll = os.path.join(self.merged, "Mdbperf.dll")
        self.exe = os.path.join(self.merged, "Admin.exe")

    def copied_up(self, path):
        return os.path.exists(os.path.join(self.upper, os.path.basename(path)))

    def copy_up(self, path):
        os.chmod(path, 0o700)
        self.assertTrue(self.copied_up(path))

    def right(self, daemon, states=STATES, through=None):
        for state, how in states:
            with self.subTest(state=state):
                holder = self.hold(state, through or self.dll)
                answer = self.assert_blocked_by(daemon, self.dll, [holder.pid], how)
                if how == {"locked"}:
                    self.assertEqual(self.lock_of(answer, self.dll)["pid"], holder.pid,
                                     self.show(answer))
                holder.release()
                self.assert_safe(daemon)

    def runs(self, daemon):
        holder = self.hold("exec", self.exe)
        self.assert_blocked_by(daemon, self.exe, [holder.pid], {"executing"})
        holder.kill()
        self.assert_safe(daemon)

    def test_before_it_is_copied_up(self):
        daemon = self.daemon(Product("app", self.merged))
        self.assert_safe(daemon)
        self.right(daemon)
        self.runs(daemon)
        # Nobody wrote to it, the daemon least of all.
        self.assertFalse(self.copied_up(self.dll))

    def test_after_it_was_copied_up(self):
        for path in (self.dll, self.exe):
            self.copy_up(path)
        daemon = self.daemon(Product("app", self.merged))
        self.assert_safe(daemon)
        self.right(daemon, STATES + WRITING)
        self.runs(daemon)

    def test_copied_up_under_the_daemon(self):
        daemon = self.daemon(Product("app", self.merged))
        self.assert_safe(daemon)
        self.right(daemon, WRITING)
        self.assertTrue(self.copied_up(self.dll))
        self.right(daemon)

    def test_held_since_before_it_was_copied_up(self):
        """The holder has what lies below, the name leads to what lies above."""
        for state in ("read", "mapped", "flock-exclusive", "exec"):
            for late in (False, True):
                with self.subTest(state=state, daemon_came_later=late):
                    self.setUp()
                    path = self.exe if state == "exec" else self.dll
                    home = f"home-{state}"
                    daemon = None if late else self.daemon(Product("app", self.merged), home=home)
                    holder = self.hold(state, path)
                    if daemon:
                        self.assert_blocked_by(daemon, path, [holder.pid], set())
                    self.copy_up(path)
                    daemon = daemon or self.daemon(Product("app", self.merged), home=home)
                    answer = daemon.check()
                    self.assert_never_safe(answer)
                    if answer["verdict"] == "blocked":
                        self.use_of(answer, path, holder.pid)
                    holder.kill()
                    self.assert_safe(daemon)
                    daemon.close()

    def test_one_holder_below_and_one_above(self):
        daemon = self.daemon(Product("app", self.merged))
        below = self.hold("mapped", self.dll)
        self.copy_up(self.dll)
        above = self.hold("mapped", self.dll)
        answer = daemon.check()
        self.assert_verdict(answer, "blocked")
        self.use_of(answer, self.dll, above.pid)
        above.release()
        self.assert_never_safe(daemon.check())
        below.release()
        self.assert_safe(daemon)

    def test_used_where_it_lies(self):
        """Past the overlay, in its lower layer: the same file, as long as it is."""
        daemon = self.daemon(Product("app", self.merged))
        self.right(daemon, [row for row in STATES if row[0] in ("read", "mapped")],
                   through=os.path.join(self.lower, "Mdbperf.dll"))

    def test_held_by_the_kernel(self):
        daemon = self.daemon(Product("app", self.merged))
        for step in ("below", "copied up"):
            for state in ("in-flight", "io-uring", "io-uring-direct", "loop"):
                with self.subTest(state=state, step=step):
                    holder = self.hold(state, self.dll)
                    answer = daemon.check()
                    self.assert_verdict(answer, "blocked")
                    uses = self.file_of(answer, self.dll)["uses"]
                    self.assertEqual([use["pid"] for use in uses], [None], self.show(answer))
                    holder.release()
                    self.assert_safe(daemon)
            self.copy_up(self.dll)

    def test_an_overlay_on_that(self):
        """Two steps from the name to the file. Whoever does not follow both says
        that it cannot tell."""
        above = self.tmpfs("above2")
        upper, work = os.path.join(above, "upper"), os.path.join(above, "work")
        os.mkdir(upper)
        os.mkdir(work)
        merged = self.overlay(self.merged, upper, work, name="merged2")
        for step in ("below", "copied up into the middle", "copied up to the top"):
            with self.subTest(step=step):
                if step == "copied up into the middle":
                    # Changed below a mounted overlay: what it then shows is
                    # undefined (overlayfs.rst), so mount it again.
                    subprocess.run(["umount", merged], check=True)
                    self.copy_up(self.dll)
                    self.copy_up(self.exe)
                    merged = self.overlay(self.merged, upper, work, name="merged2")
                elif step == "copied up to the top":
                    os.chmod(os.path.join(merged, "Mdbperf.dll"), 0o755)
                daemon = self.daemon(Product("app", merged), home="home-" + step[-3:])
                self.assertNotEqual(daemon.run("check")[0], BLOCKED)
                for state, name in (("read", "Mdbperf.dll"), ("mapped", "Mdbperf.dll"),
                                    ("flock-exclusive", "Mdbperf.dll"), ("exec", "Admin.exe"),
                                    ("in-flight", "Mdbperf.dll")):
                    path = os.path.join(merged, name)
                    holder = self.hold(state, path)
                    answer = daemon.check()
                    self.assert_never_safe(answer)
                    if answer["verdict"] == "blocked" and state != "in-flight":
                        self.use_of(answer, path, holder.pid)
                    holder.kill()
                self.assertNotEqual(daemon.run("check")[0], BLOCKED)
                daemon.close()


if __name__ == "__main__":
    main()
