#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Processes that setup ends by itself are named and do not block.

The lease probe cannot tell whether there is a further holder of a file that is in
use anyway. Then the honest verdict is unknown, and the answer must say so."""
import os
import socket

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
            self.assertRegex(" ".join(self.texts(answer["reasons"])),
                             r"process|/proc|pid \d+", self.show(answer))
        else:
            self.assert_verdict(answer, "safe")
            self.assertEqual(state, "held-by-setup-stopped", self.show(answer))

    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll", content=b"a library\n" * 5000)
        self.product = Product("app", self.bin, setup_stops="dsamain.exe store.exe")
        self.store = self.program("store.exe")

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

    def test_beside_who_is_never_found_twice(self):
        """What has gone since it was found makes up for nothing that is hidden."""
        daemon = self.daemon(self.product)
        for state in ("moves-descriptor", "opens-anew", "has-children"):
            with self.subTest(state=state):
                ours = os.open(self.dll, os.O_RDONLY)
                # Two share what is in flight, the third has a file of its own.
                shared = () if state == "opens-anew" else (os.getpid(), ours)
                holder = self.hold(state, self.dll, *shared, program=self.store)
                near, far = socket.socketpair()
                socket.send_fds(near, [b"x"], [ours])
                os.close(ours)
                for _ in range(60):
                    answer = daemon.check()
                    self.assertIn(answer["verdict"], ("blocked", "unknown"),
                                  self.show(answer))
                near.close()
                far.close()
                holder.kill()
                self.assert_safe(daemon)

    def test_others_still_block(self):
        daemon = self.daemon(self.product)
        self.hold("mapped", self.dll, program=self.store)
        other = self.hold("mapped", self.dll)
        answer = daemon.check()
        self.assert_verdict(answer, "blocked")
        self.assertEqual(self.use_of(answer, self.dll, other.pid)["class"], "blocker",
                         self.show(answer))
        self.assertIn(f"pid {other.pid}", " ".join(self.texts(answer["reasons"])), self.show(answer))

    def test_the_kernel_has_it_too(self):
        """What shows nowhere must not hide behind the one that shows."""
        # Where it cannot be looked into, it alone would be reason enough.
        self.mount("tmpfs", "/proc/1")
        daemon = self.daemon(self.product)
        for state in ("io-uring-mapped", "acct"):
            with self.subTest(state=state):
                shown = self.hold("mapped", self.dll, program=self.store)
                hidden = self.hold(state, self.dll)
                answer = daemon.check()
                self.use_of(answer, self.dll, shown.pid)
                self.assert_verdict(answer,
                                    "blocked" if tier_in_force() == "bpf" else "unknown")
                shown.kill()
                self.assert_verdict(daemon.check(), "blocked")
                hidden.release()
                self.assert_safe(daemon)

    # One open file that is shared with somebody who does not show

    def share(self, state, holder, **options):
        """A process in @state, with the open file of @holder."""
        descriptors = f"/proc/{holder.pid}/fd"
        number, = (n for n in os.listdir(descriptors)
                   if os.readlink(os.path.join(descriptors, n)).removesuffix(" (deleted)")
                   == self.dll)
        return self.hold(state, self.dll, "share", holder.pid, number, **options)

    def assert_not_masked(self, *states):
        daemon = self.daemon(self.product)
        for state in states:
            with self.subTest(state=state):
                shown = self.hold("read", self.dll, program=self.store)
                self.assert_not_blocking(daemon.check(), self.dll, shown)
                hidden = self.share(state, shown)
                answer = daemon.check()
                self.use_of(answer, self.dll, shown.pid)
                self.assert_verdict(answer, "unknown", "blocked")
                self.assertTrue(answer["reasons"] and answer["next"], self.show(answer))
                shown.kill()
                self.assert_verdict(daemon.check(), "blocked")
                hidden.release()
                self.assert_safe(daemon)

    def test_what_is_in_flight(self):
        self.assert_not_masked("in-flight", "in-flight-nested", "in-flight-unaccepted")

    def test_what_a_ring_has(self):
        self.assert_not_masked("io-uring", "io-uring-sparse", "io-uring-mapped")

    def test_what_a_loop_device_has(self):
        self.assert_not_masked("loop", "loop-autoclear")

    # A wait for a lock has a reference of its own, which may not hide somebody else's.

    def assert_not_masked_by_a_wait(self, daemon, waiting):
        answer = daemon.check()
        self.use_of(answer, self.dll, waiting.pid)
        self.assertNotEqual(answer["verdict"], "blocked", self.show(answer))
        hidden = self.share("in-flight", waiting)
        for _ in range(2):
            self.assert_verdict(daemon.check(), "unknown", "blocked")
        return hidden

    def locker(self):
        return self.hold("flock-exclusive", self.dll, program=self.store)

    def test_beside_a_wait(self):
        daemon = self.daemon(self.product)
        for state in "wait-flock", "wait-flock-child":
            with self.subTest(state=state):
                locker = self.locker()
                waiting = self.hold(state, self.dll, program=self.store)
                hidden = self.assert_not_masked_by_a_wait(daemon, waiting)
                waiting.release()
                locker.release()
                self.assert_verdict(daemon.check(), "blocked")
                hidden.release()
                self.assert_safe(daemon)

    def test_beside_a_wait_for_a_file_with_two_names(self):
        os.link(self.dll, os.path.join(self.bin, "Other.dll"))
        daemon = self.daemon(self.product)
        self.locker()
        self.assert_not_masked_by_a_wait(
            daemon, self.hold("wait-flock", self.dll, program=self.store))

    def test_beside_a_wait_for_an_old_version_of_two_processes(self):
        daemon = self.daemon(self.product)
        self.locker()
        waiting = self.hold("wait-flock", self.dll, program=self.store)
        self.share("read", waiting, program=self.store)
        daemon.check()
        os.rename(self.file("new"), self.dll)
        self.assert_not_masked_by_a_wait(daemon, waiting)

    def test_what_is_shared_beside_a_file_that_blocks(self):
        """Each file has its own answer: one that never adds up, or one that somebody is
        named for, takes nothing from what is said of the others."""
        other = self.file("Other.dll")
        daemon = self.daemon(self.product)
        for blocker in ("io-uring-mapped", "in-flight", "loop", "read", "mapped"):
            with self.subTest(blocker=blocker):
                shown = self.hold("read", self.dll, program=self.store)
                sharer = self.share("loop", shown)
                blocking = self.hold(blocker, other)
                answer = daemon.check()
                self.assert_verdict(answer, "blocked")
                self.assertEqual(self.file_of(answer, other)["state"], "blocked",
                                 self.show(answer))
                self.assertEqual(self.file_of(answer, self.dll)["state"], "unknown",
                                 self.show(answer))
                blocking.release()
                self.assert_verdict(daemon.check(), "unknown")
                shown.kill()
                sharer.release()
                self.assert_safe(daemon)

    def test_what_a_process_maps(self):
        """It shows; so it is named, and blocks."""
        daemon = self.daemon(self.product)
        shown = self.hold("read", self.dll, program=self.store)
        sharer = self.share("mapped", shown)
        self.use_of(daemon.check(), self.dll, sharer.pid)
        self.assert_verdict(daemon.check(), "blocked")

    def test_what_setup_stops_shares_with_itself(self):
        """Descriptors, mappings, tables and threads of its own are all accounted for."""
        daemon = self.daemon(self.product)
        for state in ("dup", "mapped-pieces", "fork", "shared-table", "shared-memory",
                      "thread-table", "leader-exited", "leader-exited-mapped"):
            with self.subTest(state=state):
                holder = self.hold(state, self.dll, program=self.store)
                self.assert_not_blocking(daemon.check(), self.dll, holder)
                holder.kill()
                self.assert_safe(daemon)


if __name__ == "__main__":
    main()
