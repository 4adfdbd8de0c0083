#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A product on a mount whose server is gone: unknown, with reason and remedy;
and everything else is served as if nothing had happened."""
import os
import subprocess

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


if __name__ == "__main__":
    main()
