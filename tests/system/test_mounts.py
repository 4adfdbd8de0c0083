#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Something is mounted or unmounted on the machine: what is known of every product stays
until it has been looked at again, and that happens without anybody asking."""
import os
import subprocess

from support import Product, SystemTest, main, private_mounts


def setUpModule():
    private_mounts()


class MountsTest(SystemTest):
    def setUp(self):
        super().setUp()
        for name in ("one", "two", "three"):
            self.file(f"{name}.dll", self.directory(name))
        self.products = [Product(name, self.path(name)) for name in ("one", "two", "three")]

    def states(self, daemon):
        return {directory["path"]: directory["state"]
                for product in daemon.status()["products"]
                for directory in product["directories"]}

    def assert_all_watched(self, daemon):
        self.assertEqual(set(self.states(daemon).values()), {"watched"})

    def umount(self, path):
        subprocess.run(["umount", "-l", path], check=True)

    def await_verdict(self, rpc, product, verdict):
        rpc.wait_notification(lambda method, event: method == "event" and
                              event["kind"] == "verdict" and
                              event.get("product") == product and
                              event.get("verdict") == verdict)

    def test_mounts_elsewhere(self):
        daemon = self.daemon(*self.products)
        for step in ("mount", "umount", "mount"):
            with self.subTest(step=step):
                if step == "mount":
                    self.tmpfs("elsewhere")
                else:
                    self.umount(self.path("elsewhere"))
                self.assert_all_watched(daemon)
                # One is looked at; the others are as they were.
                self.assert_verdict(daemon.check("--product", "one"), "safe")
                self.assert_all_watched(daemon)
                daemon.run("flush")
                self.assert_all_watched(daemon)
                self.assertEqual(daemon.run("doctor")[0], 0)

    def test_a_directory_is_unmounted_and_mounted_again(self):
        disk = self.tmpfs("disk")
        self.file("four.dll", disk)
        daemon = self.daemon(*self.products, Product("four", disk))
        rpc = self.rpc(daemon)
        rpc.call("subscribe")
        holder = self.hold("read", os.path.join(disk, "four.dll"))
        self.await_verdict(rpc, "four", "blocked")
        holder.kill()
        self.await_verdict(rpc, "four", "safe")
        self.umount(disk)
        self.await_verdict(rpc, "four", "unknown")
        self.assert_all_watched(daemon)  # what is below the mount
        self.tmpfs("disk")
        self.file("four.dll", disk)
        self.await_verdict(rpc, "four", "safe")
        self.assert_all_watched(daemon)

    def test_something_is_mounted_over_a_directory(self):
        daemon = self.daemon(*self.products)
        rpc = self.rpc(daemon)
        rpc.call("subscribe")
        other = self.file("two.dll", self.directory("other"))
        holder = self.hold("mapped", other)
        self.bind(self.path("other"), self.path("two"))
        self.await_verdict(rpc, "two", "blocked")
        self.use_of(daemon.check("--product", "two"), self.path("two", "two.dll"), holder.pid)
        holder.kill()
        self.await_verdict(rpc, "two", "safe")
        self.umount(self.path("two"))
        self.assert_all_watched(daemon)


if __name__ == "__main__":
    main()
