#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the kernel itself holds open is named, and the printed commands end it."""
import os
import shutil
import subprocess

from support import Product, SystemTest, main, private_mounts
from mounts import mount
import binfmt

MS_RDONLY = 1


def run(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


class KernelUsersTest(SystemTest):
    def setUp(self):
        super().setUp()
        private_mounts()

    def followed(self, path, reasons, before=False):
        """Its answer has these reasons, and no other thing to do than commands; when they
        have been run, it is safe."""
        os.sync()  # what mkfs has written keeps everybody else waiting who opens it
        daemon = self.daemon(Product("app", os.path.dirname(path), files="*"))
        answer = daemon.check()
        self.assert_verdict(answer, "blocked")
        found = [(r["kind"], r.get("place")) for r in answer["reasons"]
                 if r["kind"] != "holder-hidden"]
        self.assertEqual(sorted(found, key=str), sorted(reasons, key=str), self.show(answer))
        for step in answer["next"]:
            self.assertIn("command", step, self.show(answer))
            self.assertIn(step["command"], daemon.run("check")[1])
            subprocess.run(["sh", "-ec", step["command"]], check=True)
        # A filesystem may let its device go after umount(8) has returned.
        daemon.check("--wait=30s", "--settle=0s")
        self.assert_safe(daemon)
        daemon.stop()
        return answer

    def image(self, name, make):
        path = self.file(name, content=b"\0" * (16 << 20))
        run(make, "-q", *(["-F"] if make == "mkfs.ext4" else []), path)
        return path

    def loop(self, path):
        device = subprocess.check_output(["losetup", "--show", "-f", path], text=True).strip()
        self.addCleanup(subprocess.run, ["losetup", "-d", device], stderr=subprocess.DEVNULL)
        return device

    def mount(self, source, *options):
        target = self.directory("mnt")
        run("mount", *options, source, target)
        self.addCleanup(subprocess.run, ["umount", target], stderr=subprocess.DEVNULL)
        return target

    def test_a_loop_device(self):
        path = self.image("disk.img", "mkfs.ext4")
        device = self.loop(path)
        self.followed(path, [("backs-loop", device)])

    def test_a_loop_device_that_is_mounted(self):
        path = self.image("disk with blanks.img", "mkfs.ext4")
        device = self.loop(path)
        target = self.mount(device)
        answer = self.followed(path, [("backs-mount", target), ("backs-loop", device)])
        self.assertEqual([s["kind"] for s in answer["next"]], ["unmount", "detach-loop"])

    def test_an_image_that_is_mounted(self):
        """mount(8) makes a loop device that goes with the mount."""
        for make, options in (("mkfs.ext4", []), ("mkfs.xfs", []), ("mkfs.btrfs", [])):
            with self.subTest(make):
                if not shutil.which(make):
                    self.skipTest(f"no {make} here")
                size = 320 << 20 if make != "mkfs.ext4" else 16 << 20
                path = self.file(make + ".img", self.directory(make))
                os.truncate(path, size)
                run(make, "-q", *(["-F"] if make == "mkfs.ext4" else []), path)
                target = self.mount(path, "-o", "loop")
                device = subprocess.check_output(
                    ["losetup", "-n", "-O", "NAME", "-j", path], text=True).strip()
                answer = self.followed(path, [("backs-mount", target), ("backs-loop", device)])
                self.assertEqual([s["kind"] for s in answer["next"]], ["unmount"])

    def test_an_image_that_is_mounted_elsewhere(self):
        """In the mount namespace of another process alone."""
        path = self.image("disk.img", "mkfs.ext4")
        target = self.directory("mnt")
        box = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c",
             'mount -o loop "$0" "$1" && echo up && read line', path, target],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(box.communicate)
        self.assertEqual(box.stdout.readline(), "up\n")
        device = subprocess.check_output(
            ["losetup", "-n", "-O", "NAME", "-j", path], text=True).strip()
        self.followed(path, [("backs-mount", target), ("backs-loop", device)])

    def test_a_filesystem_without_a_loop_device(self):
        if not shutil.which("mkfs.erofs"):
            self.skipTest("no mkfs.erofs here")
        source = self.directory("source")
        self.file("a", source)
        path = self.path("bin", "app.erofs")
        run("mkfs.erofs", "--quiet", path, source)
        target = self.directory("mnt")
        try:
            mount(path, target, "erofs", MS_RDONLY)
        except OSError as error:
            self.skipTest(f"this kernel mounts no file: {error}")
        self.addCleanup(subprocess.run, ["umount", target], stderr=subprocess.DEVNULL)
        self.followed(path, [("backs-mount", target)])

    def test_swap(self):
        for name in "swap.img", "a swap\tfile.img", "back\\slash.img":
            with self.subTest(name):
                path = self.file(name, self.directory(f"d{len(name)}"),
                                 content=b"\0" * (1 << 20))
                os.chmod(path, 0o600)
                run("mkswap", path)
                done = subprocess.run(["swapon", path], capture_output=True, text=True)
                if done.returncode:
                    self.skipTest(f"no swap here: {done.stderr}")
                self.addCleanup(subprocess.run, ["swapoff", path], stderr=subprocess.DEVNULL)
                self.followed(path, [("swap-file", None)])

    def test_interpreters(self):
        for name, rule in (("spguard-test-magic", "M::SPGUARDTEST:"),
                           ("spguard-test-extension", "E::spguardtest:")):
            with self.subTest(name):
                path = self.program("interpreter", self.directory(name))
                binfmt.register(self, name, rule, path, "F")
                self.followed(path, [("binfmt-interpreter", name)])
        # Without the flag it is opened for each program anew.
        path = self.program("another", self.directory("another"))
        binfmt.register(self, "spguard-test-other", "M::SPGUARDOTHER:", path)
        self.assert_safe(self.daemon(Product("app", os.path.dirname(path), files="*"),
                                     home="another-home"))


if __name__ == "__main__":
    main()
