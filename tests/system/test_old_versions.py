#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An old version that was replaced before the daemon started: no event told of
it, and its name leads to another file. Whoever still has it is in the way; below
an overlay and behind somebody else's mounts as well."""
import os
import shutil
import subprocess
import sys

from support import (Product, SystemTest, has_file_ids, main, only_in, private_mounts,
                     tier_in_force)

STATES = ("read", "mapped", "exec")
CHANCES = 60
# A process that is the shell of descriptor 1, and then the program 2; while the test runs.
ENDLESSLY = """
import os, sys
parent = os.getppid()
while os.getppid() == parent:
    if os.fork() == 0:
        os.execve(int(sys.argv[1]), ["sh", "-c", "exec " + sys.argv[2]], {})
    os.wait()
"""
OVERLAY = "lowerdir={lower},upperdir={base}/upper,workdir={base}/work"


def setUpModule():
    private_mounts()


class OldVersionsHelp(SystemTest):
    def setUp(self):
        super().setUp()
        self.cases = 0

    def case(self, on_tmpfs=False):
        """A directory with those of an overlay in it, for one case."""
        self.cases += 1
        base = self.tmpfs(f"case-{self.cases}") if on_tmpfs else \
            self.directory(f"case-{self.cases}")
        for name in ("lower", "upper", "work", "merged"):
            os.mkdir(os.path.join(base, name))
        return base

    def merge(self, base, *options, lower=None):
        text = OVERLAY.format(base=base, lower=lower or base + "/lower")
        return self.mount("overlay", base + "/merged", options=",".join((text, *options)))

    def replace(self, path):
        """As setup does it: beside it, then over it."""
        new = self.program("new", os.path.dirname(path))
        with open(new, "ab") as file:
            file.write(b"another version\n")
        os.rename(new, path)


class OldVersionsTest(OldVersionsHelp):
    def found(self, directory, holder, then_safe=True, shown=None):
        """A daemon for @directory that comes after all that finds @holder, and
        nobody when that has gone; @then_safe: and can tell so; @shown: and when the
        overlay there, which shows it on, is unmounted."""
        daemon = self.daemon(Product("app", directory), home=f"home-{self.cases}")
        answer = daemon.check()
        self.assert_never_safe(answer)
        if answer["verdict"] == "blocked":
            self.assertIn(f"pid {holder.pid}", " ".join(self.texts(answer["reasons"])), self.show(answer))
        holder.kill()
        if shown:
            self.assert_verdict(daemon.check(), "blocked")
            subprocess.run(["umount", shown], check=True)
        if then_safe and (tier_in_force() == "bpf" or has_file_ids(directory)):
            self.assert_safe(daemon)
        else:
            self.assertNotEqual(daemon.check()["verdict"], "blocked")
        daemon.close()

    # Below an overlay

    def replaced_in_an_overlay(self, lower=None, **where):
        for state in STATES:
            with self.subTest(state=state):
                base = self.case(**where)
                self.program("Admin.exe", base + "/lower")
                before = os.getcwd()
                os.chdir(base)
                try:
                    merged = self.merge(base, lower=lower)
                finally:
                    os.chdir(before)
                holder = self.hold(state, merged + "/Admin.exe")
                self.replace(merged + "/Admin.exe")
                self.found(merged, holder,
                           then_safe=lower is None or tier_in_force() == "bpf")

    def test_in_an_overlay(self):
        self.replaced_in_an_overlay()

    def test_in_an_overlay_on_tmpfs(self):
        self.replaced_in_an_overlay(on_tmpfs=True)

    def test_in_an_overlay_whose_layer_is_named_relatively(self):
        """As container engines do: its options do not tell where it is, and so the
        tier procfs cannot tell who is on it."""
        self.replaced_in_an_overlay(lower="lower")

    def test_in_a_redirected_directory(self):
        for state in STATES:
            with self.subTest(state=state):
                base = self.case()
                self.program("Admin.exe", self.directory(base, "lower", "old"))
                merged = self.merge(base, "redirect_dir=on")
                os.rename(merged + "/old", merged + "/app")
                holder = self.hold(state, merged + "/app/Admin.exe")
                self.replace(merged + "/app/Admin.exe")
                self.found(merged + "/app", holder)

    def test_of_another_name_below(self):
        """A file of the lower layer was renamed into its place."""
        for state in STATES:
            with self.subTest(state=state):
                base = self.case()
                self.program("setup.tmp", base + "/lower")
                merged = self.merge(base)
                holder = self.hold(state, merged + "/setup.tmp")
                os.rename(merged + "/setup.tmp", merged + "/Admin.exe")
                self.replace(merged + "/Admin.exe")
                self.found(merged, holder)

    def test_copied_up_and_replaced(self):
        """Two old versions: the one below and the copy of it."""
        for state in STATES:
            with self.subTest(state=state):
                base = self.case()
                self.program("Admin.exe", base + "/lower")
                path = self.merge(base) + "/Admin.exe"
                below = self.hold("mapped", path)
                os.chmod(path, 0o700)
                above = self.hold(state, path)
                self.replace(path)
                below.kill()
                self.found(os.path.dirname(path), above)

    # The product is the lower layer of somebody else's overlay

    def lower_layer(self, state):
        base = self.case()
        path = self.program("Admin.exe", base + "/lower")
        return path, base + "/lower", self.merge(base) + "/Admin.exe"

    @only_in("bpf")
    def test_in_the_layer_of_another_s_overlay(self):
        """/proc shows its users the overlay's name only, which leads nowhere."""
        for state in STATES:
            with self.subTest(state=state):
                path, lower, merged = self.lower_layer(state)
                holder = self.hold(state, merged)
                self.replace(path)
                self.found(lower, holder, shown=os.path.dirname(merged))

    def test_in_the_layer_of_another_s_overlay_under_the_daemon(self):
        for state in STATES:
            with self.subTest(state=state):
                path, lower, merged = self.lower_layer(state)
                # What may be looked up in a layer counts there (test_keepers.py).
                daemon = self.daemon(Product("app", lower), home=f"home-{self.cases}")
                holder = self.hold(state, merged)
                self.assert_never_safe(daemon.check())
                self.replace(path)
                self.assert_never_safe(daemon.check())
                holder.kill()
                # The overlay shows it on, to whoever opens it.
                self.assert_verdict(daemon.check(), "blocked")
                subprocess.run(["umount", os.path.dirname(merged)], check=True)
                self.assert_safe(daemon)
                daemon.close()

    # Behind somebody else's mounts

    @only_in("bpf")
    def test_of_a_file_mounted_into_a_container(self):
        """Its name there never was in the product's directory."""
        for state in ("bound-file", "bound-file-mapped"):
            with self.subTest(state=state):
                dll = self.file("Mdbperf.dll", self.case())
                holder = self.hold(state, dll, self.file("there", self.scratch))
                self.replace(dll)
                self.found(os.path.dirname(dll), holder)

    def test_of_a_file_mounted_into_a_container_under_the_daemon(self):
        for state in ("bound-file", "bound-file-mapped"):
            with self.subTest(state=state):
                dll = self.file("Mdbperf.dll", self.case())
                daemon = self.daemon(Product("app", os.path.dirname(dll)),
                                     home=f"home-{self.cases}")
                self.assert_safe(daemon)
                holder = self.hold(state, dll, self.file("there", self.scratch))
                self.assert_never_safe(daemon.check())
                self.replace(dll)
                self.assert_never_safe(daemon.check())
                holder.kill()
                self.assert_safe(daemon)
                daemon.close()

    def test_of_a_directory_mounted_into_a_container(self):
        dll = self.file("Mdbperf.dll", self.case())
        holder = self.hold("namespaces", dll, self.directory("there"))
        self.replace(dll)
        self.found(os.path.dirname(dll), holder)

    def test_of_a_directory_that_was_made_again(self):
        dll = self.file("Mdbperf.dll")
        holder = self.hold("mapped", dll)
        shutil.rmtree(self.bin)
        self.file("Mdbperf.dll", self.directory("bin"))
        self.found(self.bin, holder)

    @only_in("bpf")
    def test_of_a_process_that_goes_on_to_another_program(self):
        """Between the search and the look at what was found it executes that one, which
        has never been the product's: a race, so it is given many chances."""
        shell, other = self.file("Admin.exe"), self.file("other", self.directory("elsewhere"))
        shutil.copy("/bin/sh", shell)
        shutil.copy("/bin/true", other)
        for path in (shell, other):
            os.chmod(path, 0o755)
        self.file("Mdbperf.dll")
        # By a descriptor that holds nothing, so that only who executes it has it.
        fd, in_use = os.open(shell, os.O_PATH), os.open(other, os.O_RDONLY)
        self.addCleanup(os.close, in_use)
        os.unlink(shell)
        runner = subprocess.Popen([sys.executable, "-c", ENDLESSLY, str(fd), other],
                                  pass_fds=(fd,))
        os.close(fd)
        self.addCleanup(runner.wait)
        self.addCleanup(runner.kill)
        daemon = self.daemon()
        # What the product has no pattern for is looked for among all deleted files.
        names = self.file("names", self.scratch, b"notes.txt\n")
        for _ in range(CHANCES):
            daemon.check("--files", names)
        runner.kill()
        runner.wait()
        # Its last child may go on for a moment.
        self.assert_verdict(daemon.check("--wait=1m"), "safe")

    # In a subvolume

    def test_in_one_subvolume_of_several(self):
        """Their directories have one number: the old version belongs to its own."""
        if not shutil.which("btrfs"):
            self.skipTest("no btrfs program here")
        root = self.loop_image("btrfs", 128)
        one, two = os.path.join(root, "one"), os.path.join(root, "two")
        for path in (one, two):
            subprocess.run(["btrfs", "-q", "subvolume", "create", path], check=True)
            self.file("Other.dll", path)
        self.assertEqual(os.stat(one).st_ino, os.stat(two).st_ino)
        self.need_events(one)
        for state in STATES:
            with self.subTest(state=state):
                self.cases += 1
                path = (self.program if state == "exec" else self.file)("Admin.exe", two)
                holder = self.hold(state, path)
                os.unlink(path)
                daemon = self.daemon(Product("both", one, two), Product("one", one),
                                     home=f"home-{self.cases}")
                answer = daemon.check("--product", "both")
                self.assert_verdict(answer, "blocked")
                self.use_of(answer, path, holder.pid)
                self.assert_verdict(daemon.check("--product", "one"), "safe")
                holder.kill()
                self.assert_verdict(daemon.check("--product", "both"), "safe")
                daemon.close()

    # Behind a link that leads nowhere by now

    def test_what_a_link_led_to_was_deleted(self):
        """The file, or the whole directory that it was in."""
        for whole in (False, True):
            for state in STATES:
                with self.subTest(state=state, whole=whole):
                    base = self.case()
                    directory, elsewhere = base + "/lower", base + "/upper/1.0"
                    os.mkdir(elsewhere)
                    self.file("Other.dll", directory)
                    if state == "exec":
                        path = self.program("Mdbperf.dll", elsewhere)
                    else:
                        path = self.file("Mdbperf.dll", elsewhere)
                    if whole:
                        os.symlink("../upper/./1.0", directory + "/current")
                    else:
                        os.symlink("../upper/1.0/Mdbperf.dll", directory + "/Link.dll")
                    holder = self.hold(state, path)
                    shutil.rmtree(elsewhere) if whole else os.unlink(path)
                    daemon = self.daemon(Product("app", directory, recursive=whole),
                                         home=f"home-{self.cases}")
                    answer = daemon.check()
                    self.assert_verdict(answer, "blocked")
                    name = "current/Mdbperf.dll" if whole else "Link.dll"
                    self.use_of(answer, f"{directory}/{name}", holder.pid)
                    holder.kill()
                    self.assert_safe(daemon)
                    daemon.close()


if __name__ == "__main__":
    main()
