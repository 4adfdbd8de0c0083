#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A file that was deleted or replaced while somebody used it: the old one still
runs, so it is in the way and named until it is let go of."""
import os

from support import EVENTS, Product, SystemTest, main


class ReplacedTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")
        self.file("Other.dll")

    def delete(self):
        os.unlink(self.dll)

    def rename_over(self):
        os.rename(self.file("new", self.scratch), self.dll)

    def run_row(self, state, change, how):
        daemon = self.daemon()
        holder = self.hold(state, self.dll)
        self.assert_blocked_by(daemon, self.dll, [holder.pid], how)
        change()
        self.assert_blocked_by(daemon, self.dll, [holder.pid], how)
        holder.kill()
        self.assert_safe(daemon)

    def test_mapped_and_deleted(self):
        self.run_row("mapped", self.delete, {"mapped"})

    def test_mapped_and_renamed_over(self):
        self.run_row("mapped", self.rename_over, {"mapped"})

    def test_open_and_deleted(self):
        self.run_row("read", self.delete, {"open"})

    def test_open_and_renamed_over(self):
        self.run_row("read", self.rename_over, {"open"})

    def test_running_and_renamed_over(self):
        path = self.program("Admin.exe", self.bin)
        daemon = self.daemon()
        holder = self.hold("exec", path)
        os.rename(self.program("new"), path)
        self.assert_blocked_by(daemon, path, [holder.pid], {"executing"})
        holder.kill()
        self.assert_safe(daemon)

    def test_between_two_looks(self):
        """Used and replaced before any check could see the use."""
        daemon = self.daemon()
        holder = self.hold("mapped", self.dll)
        self.rename_over()
        self.assert_blocked_by(daemon, self.dll, [holder.pid], {"mapped"})

    def assert_left(self, daemon, elsewhere, leave):
        """The name at which @elsewhere was leads to another file then: opening it is
        nothing that the product has to do with."""
        self.assert_safe(daemon)
        leave()
        self.assert_safe(daemon)
        daemon.run("flush")
        before = len(daemon.log_events("--limit", 1000))
        with open(elsewhere, "rb"):
            self.assert_safe(daemon)
        self.assert_safe(daemon)
        self.assertEqual([e for e in daemon.log_events("--limit", 1000)[before:]
                          if e["kind"] in ("open", "close")], [])

    def test_left_its_name(self):
        kept = os.path.join(self.directory("side"), "kept.dll")
        os.link(self.dll, kept)
        self.assert_left(self.daemon(), kept, self.rename_over)

    def move_link(self, target):
        os.symlink(target, self.path("new"))
        os.rename(self.path("new"), self.path("tree", "current"))

    def test_left_its_name_in_a_tree(self):
        """A link in the middle of a tree, to two releases."""
        releases = [self.directory(name) for name in ("r1", "r2", "tree", "side")][:2]
        for i, release in enumerate(releases):
            os.link(self.file("Part.dll", release), self.path("side", f"{i}.dll"))
        self.move_link("../r1")
        daemon = self.daemon(Product("app", self.path("tree"), recursive=True))
        self.assert_left(daemon, self.path("side", "0.dll"), lambda: self.move_link("../r2"))
        self.assert_left(daemon, self.path("side", "1.dll"), lambda: self.move_link("../r1"))

    def test_left_its_name_and_came_back(self):
        """Its mark and its name are there again."""
        kept = os.path.join(self.directory("side"), "kept.dll")
        os.link(self.dll, kept)
        daemon = self.daemon()
        self.assert_left(daemon, kept, self.rename_over)
        os.link(kept, self.path("again.dll"))
        os.rename(self.path("again.dll"), self.dll)
        self.assert_safe(daemon)
        with open(kept, "rb"):
            self.assert_blocked_by(daemon, self.dll, [os.getpid()], {"open"})
        self.assert_safe(daemon)
        if EVENTS != "inotify":  # which does not tell
            self.assertEqual([e["path"] for e in daemon.log_events(
                "--kind", "open", "--process", os.getpid())], [self.dll])

    def test_before_the_daemon(self):
        holder = self.hold("mapped", self.dll)
        self.rename_over()
        daemon = self.daemon()
        self.assert_blocked_by(daemon, self.dll, [holder.pid], {"mapped"})
        holder.kill()
        self.assert_safe(daemon)

    def test_both_versions(self):
        daemon = self.daemon()
        old = self.hold("mapped", self.dll)
        self.rename_over()
        new = self.hold("mapped", self.dll)
        answer = daemon.check()
        self.assert_verdict(answer, "blocked")
        pids = {use["pid"] for entry in answer["files"] if entry["path"] == self.dll
                for use in entry["uses"]}
        self.assertEqual(pids, {old.pid, new.pid}, self.show(answer))
        old.kill()
        self.assert_blocked_by(daemon, self.dll, [new.pid], {"mapped"})
        new.kill()
        self.assert_safe(daemon)


if __name__ == "__main__":
    main()
