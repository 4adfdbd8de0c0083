#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A product on a mount whose server is gone: unknown, with reason and remedy;
and everything else is served as if nothing had happened."""
import os
import shutil
import subprocess
import unittest

from support import (FAIL_AFTER, FUSE_DEAD, LineReader, Product, SystemTest, main,
                     private_mounts)


def setUpModule():
    private_mounts()
    # LeakSanitizer stops every thread at the end, and one that hangs on a dead
    # mount cannot be stopped.
    os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"


class DeadMountTest(SystemTest):
    def dead_mount(self, target):
        process = subprocess.Popen([FUSE_DEAD, target], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        lines = LineReader(process.stdout)

        def end():
            process.stdin.close()
            process.wait(FAIL_AFTER)
            lines.join(FAIL_AFTER)
            process.stdout.close()
        self.addCleanup(end)
        if lines.queue.get(timeout=FAIL_AFTER) != "ready":
            if process.wait(FAIL_AFTER) == 77:
                self.skipTest("no FUSE here")
            self.fail("fuse-dead failed")

    def products(self, *dead):
        return (Product("app", self.bin), Product("dead", *dead))

    def served(self, daemon):
        path = os.path.join(self.bin, "Mdbperf.dll")
        for _ in range(2):
            answer = daemon.check("--product", "dead")
            self.assert_verdict(answer, "unknown")
            self.assertTrue(answer["reasons"], self.show(answer))
            lacks = answer["proof"]["coverage"]
            self.assertTrue(lacks and all(l["why"] and l["remedy"] for l in lacks),
                            self.show(answer))
            self.assertFalse(answer["proof"]["complete"], self.show(answer))
            self.assert_verdict(daemon.check("--product", "app"), "safe")
            holder = self.hold("mapped", path)
            answer = daemon.check("--product", "app")
            self.assert_verdict(answer, "blocked")
            self.use_of(answer, path, holder.pid)
            holder.release()
        code, status = daemon.json("status")
        self.assertEqual(code, 0, status)
        self.assertEqual(daemon.stop(), 0)

    def test_dead_from_the_start(self):
        self.file("Mdbperf.dll")
        dead = self.directory("dead")
        self.dead_mount(dead)
        self.served(self.daemon(*self.products(dead),
                                daemon_keys={"survey-deadline": "2s"}))

    def test_dies_under_the_daemon(self):
        self.file("Mdbperf.dll")
        dead = self.directory("dead")
        self.file("Other.dll", dead)
        daemon = self.daemon(*self.products(dead), daemon_keys={"survey-deadline": "2s"})
        self.assert_verdict(daemon.check("--product", "dead"), "safe")
        self.dead_mount(dead)
        self.served(daemon)

    def test_below_a_recursive_directory(self):
        self.file("Mdbperf.dll")
        tree = self.directory("tree")
        self.file("Other.dll", tree)
        self.dead_mount(self.directory("tree", "dead"))
        products = (Product("app", self.bin), Product("dead", tree, recursive=True))
        self.served(self.daemon(*products, daemon_keys={"survey-deadline": "2s"}))

    @unittest.skipUnless(shutil.which("dpkg-deb"), "needs dpkg-deb")
    def test_a_directory_of_a_package(self):
        """Which packages files are of is not known then; an install ends all the same."""
        path = self.file("Mdbperf.dll")
        dead, admin = self.directory("dead"), self.directory("admin")
        for name in "info", "updates":
            os.mkdir(os.path.join(admin, name))
        with open(admin + "/status", "w", encoding="utf-8") as f:
            f.write("Package: far\nStatus: install ok installed\nVersion: 1\n"
                    "Architecture: all\nMaintainer: A <a@b.c>\nDescription: d\n\n")
        with open(admin + "/info/far.list", "w", encoding="utf-8") as f:
            f.write(f"{dead}/below/Mdbperf.dll\n")
        tree = self.directory("tree")
        os.makedirs(tree + "/DEBIAN")
        with open(tree + "/DEBIAN/control", "w", encoding="utf-8") as f:
            f.write("Package: near\nVersion: 1\nArchitecture: all\n"
                    "Maintainer: A <a@b.c>\nDescription: d\n")
        os.makedirs(tree + self.bin)
        shutil.copy(path, tree + path)
        with open(tree + path, "a", encoding="utf-8") as f:
            f.write("new")
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", tree,
                        self.path("near.deb")], check=True, capture_output=True,
                       timeout=FAIL_AFTER)
        daemon = self.daemon(Product("app", self.bin), daemon_keys={"install-quiet": "1s"})
        rpc = self.rpc(daemon)
        rpc.call("verify")  # what is installed has been read
        self.dead_mount(dead)
        subprocess.run(["dpkg", f"--admindir={admin}", f"--log={admin}/log", "--unpack",
                        self.path("near.deb")], check=True, capture_output=True,
                       stdin=subprocess.DEVNULL, timeout=FAIL_AFTER)
        install, = rpc.call("installs", wait=FAIL_AFTER)["installs"]
        self.assertEqual(install["outcome"], "clean", self.show(install))
        self.assertEqual(install["packages"], [])
        self.assert_verdict(daemon.check(), "safe")



if __name__ == "__main__":
    main()
