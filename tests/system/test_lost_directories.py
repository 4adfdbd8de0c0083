#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An old version whose way is lost as well: the directory that it lay in was removed, or it
was opened through a mount that is gone, or is out of its holder's root."""
import os
import shutil
import subprocess
import sys

from support import Product, main, tier_in_force
from test_old_versions import STATES, OldVersionsHelp, setUpModule

PATTERN = f"*.only{os.getpid()}"
NAME, OTHER = PATTERN.replace("*", "Mdbperf"), PATTERN.replace("*", "Other")
# Descriptors 1 and up: a file opened in a mount namespace of its own, through a mount of its
# directory there, and what then becomes of that.
BEHIND_A_MOUNT = """
import ctypes, os, sys
directory, name, there, what = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
assert libc.unshare(0x20000) == 0
assert libc.mount(b"none", b"/", None, 0x44000, None) == 0
assert libc.mount(directory.encode(), there.encode(), None, 4096, None) == 0
fd = os.open(there + "/" + name, os.O_RDONLY)
if what == "unmount":
    assert libc.umount2(there.encode(), 2) == 0
elif what == "chroot":
    os.chroot(os.path.dirname(there))
elif what == "chroot-away":
    os.chroot(there + "/../away")
print("ready", flush=True)
sys.stdin.read()
"""


class LostDirectoriesTest(OldVersionsHelp):
    # In a directory that has been removed as well

    def removed(self, *below, state="mapped", remove=None, recursive=True):
        """A product with a file in directory @below of its own, held; then @remove is called
        with the product's directory. Returns a daemon that comes after it, the holder, and the
        file's path."""
        directory = self.case() + "/lower"
        self.file("Other.dll", directory)
        os.makedirs(os.path.join(directory, *below))
        make = self.program if state == "exec" else self.file
        path = make("Mdbperf.dll", os.path.join(directory, *below))
        holder = self.hold(state, path)
        if remove:
            remove(directory)
        else:
            shutil.rmtree(os.path.join(directory, below[0]))
        daemon = self.daemon(Product("app", directory, recursive=recursive),
                             home=f"home-{self.cases}")
        return daemon, holder, path

    def assert_found(self, daemon, holder, path):
        answer = daemon.check()
        self.assert_verdict(answer, "blocked")
        self.use_of(answer, path, holder.pid)
        holder.kill()
        self.assert_safe(daemon)
        daemon.close()

    def assert_none(self, daemon, holder):
        self.assert_verdict(daemon.check(), "safe")
        holder.kill()
        daemon.close()

    def test_in_a_directory_that_was_removed(self):
        for state in STATES:
            for below in (("plugins-1.0",), ("a", "b", "c"), ("x" * 200, "y" * 50)):
                with self.subTest(state=state, below=len(below)):
                    self.assert_found(*self.removed(*below, state=state))

    def test_in_a_directory_that_was_replaced(self):
        """By a new one, a file, a link to somewhere else, or with the whole product."""
        def again(directory):
            shutil.rmtree(directory + "/a")
            self.file("Mdbperf.dll", self.directory(directory, "a", "b"))

        def by_file(directory):
            shutil.rmtree(directory + "/a")
            self.file("a", directory)

        def by_link(directory):
            shutil.rmtree(directory + "/a")
            self.directory(self.scratch, "elsewhere", "b")
            os.symlink(self.scratch + "/elsewhere", directory + "/a")

        def whole(directory):
            shutil.rmtree(directory)
            self.file("Other.dll", self.directory(directory))

        for remove in (again, by_file, by_link, whole):
            with self.subTest(remove=remove.__name__):
                self.assert_found(*self.removed("a", "b", remove=remove))

    def test_in_a_removed_directory_that_is_not_the_product_s(self):
        """Below a product that is not recursive; and moved out of it first, or only beside
        it."""
        def away(directory):
            os.rename(directory + "/a", self.scratch + "/away")
            shutil.rmtree(self.scratch + "/away")

        def beside(directory):
            os.rename(directory + "/a", directory + "-old")
            shutil.rmtree(directory + "-old")

        daemon, holder, _ = self.removed("a", "b", recursive=False)
        self.assert_none(daemon, holder)
        for remove in (away, beside):
            with self.subTest(remove=remove.__name__):
                daemon, holder, _ = self.removed("a", "b", remove=remove)
                self.assert_none(daemon, holder)

    def test_of_another_name_in_a_removed_directory(self):
        """As an installer's own below the product: of what it unpacks there, only what has one
        of the product's names counts."""
        directory = self.case() + "/lower"
        self.file("Other.dll", directory)
        temporary = self.directory(directory, "tmp-1a2b")
        holders = [self.hold("mapped", self.file(name, temporary))
                   for name in ("setup.dat", "Mdbperf.dll")]
        shutil.rmtree(temporary)
        daemon = self.daemon(Product("app", directory, recursive=True))
        answer = daemon.check()
        self.assert_verdict(answer, "blocked")
        self.use_of(answer, temporary + "/Mdbperf.dll", holders[1].pid)
        holders[1].kill()
        self.assert_safe(daemon)

    def test_in_a_directory_that_came_and_went_under_the_daemon(self):
        directory = self.case() + "/lower"
        self.file("Other.dll", directory)
        daemon = self.daemon(Product("app", directory, recursive=True))
        self.assert_safe(daemon)
        for state in STATES:
            with self.subTest(state=state):
                make = self.program if state == "exec" else self.file
                path = make("Mdbperf.dll", self.directory(directory, "a", "b"))
                holder = self.hold(state, path)
                shutil.rmtree(directory + "/a")
                answer = daemon.check()
                self.assert_verdict(answer, "blocked")
                self.use_of(answer, path, holder.pid)
                holder.kill()
                self.assert_safe(daemon)

    def test_in_a_removed_directory_of_an_overlay(self):
        for state in STATES:
            with self.subTest(state=state):
                base = self.case()
                make = self.program if state == "exec" else self.file
                make("Mdbperf.dll", self.directory(base, "lower", "a", "b"))
                self.file("Other.dll", base + "/lower")
                merged = self.merge(base)
                path = merged + "/a/b/Mdbperf.dll"
                holder = self.hold(state, path)
                shutil.rmtree(merged + "/a")
                daemon = self.daemon(Product("app", merged, recursive=True),
                                     home=f"home-{self.cases}")
                answer = daemon.check()
                self.assert_verdict(answer, "blocked")
                self.use_of(answer, path, holder.pid)
                holder.kill()
                self.assertNotEqual(daemon.check()["verdict"], "blocked")
                daemon.close()

    # Behind a mount of another namespace that is no way to it any more. (By names that no
    # other test has: where the path leads nowhere, the name decides.)

    def behind_a_mount(self, directory, name, what):
        there = self.directory(self.scratch, f"jail-{self.cases}", "there")
        self.directory(self.scratch, f"jail-{self.cases}", "away")
        holder = subprocess.Popen(
            [sys.executable, "-c", BEHIND_A_MOUNT, directory, name, there, what],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        self.addCleanup(holder.stdin.close)
        self.addCleanup(holder.stdout.close)
        self.assertEqual(holder.stdout.readline(), "ready\n")
        return holder

    def end(self, holder):
        holder.kill()
        holder.wait()

    def test_behind_a_mount_of_another_namespace(self):
        for what in ("nothing", "unmount", "chroot", "chroot-away"):
            for recursive in (False, True):
                with self.subTest(what=what, recursive=recursive):
                    directory = self.case() + "/lower"
                    path = self.file(NAME, directory)
                    self.file(OTHER, directory)
                    holder = self.behind_a_mount(directory, NAME, what)
                    self.replace(path)
                    daemon = self.daemon(Product("app", directory, files=PATTERN,
                                                 recursive=recursive),
                                         home=f"home-{self.cases}")
                    answer = daemon.check()
                    self.assert_verdict(answer, "blocked")
                    self.use_of(answer, path, holder.pid)
                    self.end(holder)
                    self.assert_safe(daemon)
                    daemon.close()

    def test_behind_a_mount_of_a_directory_that_was_made_again(self):
        for what in ("nothing", "unmount", "chroot"):
            with self.subTest(what=what):
                directory = self.case() + "/lower"
                path = self.file(NAME, directory)
                holder = self.behind_a_mount(directory, NAME, what)
                shutil.rmtree(directory)
                self.file(NAME, self.directory(directory))
                daemon = self.daemon(Product("app", directory, files=PATTERN),
                                     home=f"home-{self.cases}")
                answer = daemon.check()
                self.assert_verdict(answer, "blocked")
                self.use_of(answer, path, holder.pid)
                self.end(holder)
                self.assert_safe(daemon)
                daemon.close()

    def test_behind_a_mount_in_a_removed_directory(self):
        for what in ("nothing", "unmount", "chroot"):
            with self.subTest(what=what):
                directory = self.case() + "/lower"
                self.file(OTHER, directory)
                self.file(NAME, self.directory(directory, "a"))
                holder = self.behind_a_mount(directory, "a/" + NAME, what)
                shutil.rmtree(directory + "/a")
                daemon = self.daemon(Product("app", directory, files=PATTERN,
                                             recursive=True),
                                     home=f"home-{self.cases}")
                answer = daemon.check()
                self.assert_verdict(answer, "blocked")
                self.assertIn(f"pid {holder.pid}", " ".join(self.texts(answer["reasons"])))
                self.end(holder)
                self.assert_safe(daemon)
                daemon.close()

    def test_behind_a_mount_of_what_is_not_the_product_s(self):
        """Where the path shows it, by another name, or on another filesystem; of one of a
        name of the product's on its filesystem the tier procfs cannot tell."""
        for what, name, on_tmpfs in (("nothing", NAME, False),
                                     ("chroot", NAME, False),
                                     ("unmount", "notes.txt", False),
                                     ("unmount", NAME, True),
                                     ("unmount", NAME, False)):
            with self.subTest(what=what, name=name, on_tmpfs=on_tmpfs):
                directory = self.case() + "/lower"
                self.file(NAME, directory)
                other = self.tmpfs(f"other-{self.cases}") if on_tmpfs else \
                    self.directory(f"other-{self.cases}")
                path = self.file(name, other)
                holder = self.behind_a_mount(other, name, what)
                os.unlink(path)
                daemon = self.daemon(Product("app", directory, files=PATTERN),
                                     home=f"home-{self.cases}")
                told = (what, name, on_tmpfs) != ("unmount", NAME, False) or \
                    tier_in_force() == "bpf"
                self.assert_verdict(daemon.check(), "safe" if told else "blocked")
                self.end(holder)
                self.assert_safe(daemon)
                daemon.close()


if __name__ == "__main__":
    main()
