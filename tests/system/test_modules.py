#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A filesystem whose module the kernel loads when the daemon already runs: its types were
not known when the daemon's BPF programs were loaded."""
import os
import shutil
import subprocess

from support import Product, SystemTest, main, private_mounts


def setUpModule():
    private_mounts()


def kernel_knows(name):
    with open("/proc/filesystems", encoding="ascii") as known:
        return name in [line.split()[-1] for line in known]


class ModulesTest(SystemTest):
    def unload(self, name):
        if kernel_knows(name) and shutil.which("modprobe"):
            subprocess.run(["modprobe", "-q", "-r", name], check=False)
        if kernel_knows(name):
            self.skipTest(f"{name} is part of the kernel, or in use")

    def right(self, daemon, path):
        self.assert_safe(daemon)
        for state, how in (("read", {"open"}), ("mapped", {"mapped"}),
                           ("flock-exclusive", {"locked"})):
            with self.subTest(state=state):
                holder = self.hold(state, path)
                self.assert_blocked_by(daemon, path, [holder.pid], how)
                holder.release()
                self.assert_safe(daemon)

    def test_overlay(self):
        self.unload("overlay")
        merged = self.directory("merged")
        daemon = self.daemon(Product("app", merged))
        base = self.tmpfs("layers")
        for name in ("lower", "upper", "work"):
            os.mkdir(os.path.join(base, name))
        self.file("Mdbperf.dll", base + "/lower")
        self.mount("overlay", merged,
                   options=f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work")
        self.right(daemon, merged + "/Mdbperf.dll")

    def test_btrfs(self):
        self.unload("btrfs")
        if not shutil.which("btrfs"):
            self.skipTest("no btrfs program here")
        there = self.directory("volume")
        daemon = self.daemon(Product("app", there))
        root = self.loop_image("btrfs", 128)
        for name in ("one", "two"):
            subprocess.run(["btrfs", "-q", "subvolume", "create", f"{root}/{name}"], check=True)
            self.file("Mdbperf.dll", f"{root}/{name}")
        self.bind(f"{root}/one", there)
        # Its twin in the other subvolume has the same number.
        self.hold("flock-exclusive", f"{root}/two/Mdbperf.dll")
        self.right(daemon, there + "/Mdbperf.dll")


if __name__ == "__main__":
    main()
