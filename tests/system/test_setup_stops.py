#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Processes that setup ends by itself are named and do not block.

The lease probe cannot tell whether there is a further holder of a file that is in
use anyway. Then the honest verdict is unknown, and the answer must say so."""
from support import Product, SystemTest, main, private_mounts, tier_in_force


def setUpModule():
    private_mounts()


class SetupStopsTest(SystemTest):
    def assert_not_blocking(self, answer, path, holder):
        self.assertNotEqual(answer["verdict"], "blocked", self.show(answer))
        use = self.use_of(answer, path, holder.pid)
        self.assertEqual(use["class"], "setup-stops", self.show(answer))
        self.assertEqual(answer["counts"]["blocked"], 0, self.show(answer))
        state = self.file_of(answer, path)["state"]
        if tier_in_force() == "procfs":
            self.assert_verdict(answer, "unknown")
            self.assertEqual(state, "unknown", self.show(answer))
            self.assertRegex(" ".join(answer["reasons"]),
                             r"process|/proc|pid \d+", self.show(answer))
        else:
            self.assert_verdict(answer, "safe")
            self.assertEqual(state, "held-by-setup-stopped", self.show(answer))

    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")
        self.product = Product("app", self.bin, setup_stops="dsamain.exe store.exe")

    def test_maps_a_library(self):
        daemon = self.daemon(self.product)
        holder = self.hold("mapped", self.dll, program=self.program("dsamain.exe"))
        self.assert_not_blocking(daemon.check(), self.dll, holder)
        holder.kill()
        self.assert_safe(daemon)

    def test_is_itself_of_the_product(self):
        path = self.program("Store.exe", self.bin)
        daemon = self.daemon(self.product)
        holder = self.hold("exec", path)
        self.assert_not_blocking(daemon.check(), path, holder)
        holder.kill()
        self.assert_safe(daemon)

    def test_others_still_block(self):
        daemon = self.daemon(self.product)
        self.hold("mapped", self.dll, program=self.program("store.exe"))
        other = self.hold("mapped", self.dll)
        answer = daemon.check()
        self.assert_verdict(answer, "blocked")
        self.assertEqual(self.use_of(answer, self.dll, other.pid)["class"], "blocker",
                         self.show(answer))
        self.assertIn(f"pid {other.pid}", " ".join(answer["reasons"]), self.show(answer))

    def test_the_kernel_has_it_too(self):
        """What shows nowhere must not hide behind the one that shows."""
        # Where it cannot be looked into, it alone would be reason enough.
        self.mount("tmpfs", "/proc/1")
        daemon = self.daemon(self.product)
        for state in ("io-uring-mapped", "acct"):
            with self.subTest(state=state):
                shown = self.hold("mapped", self.dll, program=self.program("store.exe"))
                hidden = self.hold(state, self.dll)
                answer = daemon.check()
                self.use_of(answer, self.dll, shown.pid)
                self.assert_verdict(answer,
                                    "blocked" if tier_in_force() == "bpf" else "unknown")
                shown.kill()
                self.assert_verdict(daemon.check(), "blocked")
                hidden.release()
                self.assert_safe(daemon)


if __name__ == "__main__":
    main()
