#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A process whose memory map does not answer, since it is stuck in a page fault on a disk
that does not: it stops nobody. The daemon starts beside it and answers about everything
else as ever; what such a process uses is blocked by its name, or by what is counted."""
import contextlib
import datetime
import glob
import json
import os
import re
import subprocess
import unittest

from support import FAIL_AFTER, Product, SystemTest, main, private_mounts, tier_in_force


def setUpModule():
    private_mounts()


def waiting_threads(pid):
    """How many threads wait for the kernel, uninterruptibly."""
    n = 0
    for path in glob.glob(f"/proc/{pid}/task/*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
                open(path, encoding="ascii") as f:
            n += f.read().rpartition(")")[2].split()[0] == "D"
    return n


class StuckTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")
        self.file("Edbbcli.dll")
        self.other = self.file("Other.dll", self.directory("other"))
        self.products = (Product("app", self.bin), Product("other", self.path("other")))

    def stuck(self, state, path, n=""):
        """A process that is in @state on @path and gets stuck."""
        disk = self.loop_image("ext4", 8, name=f"disk{n}")
        page = self.file("page", disk, content=b"x" * 4096)
        os.sync()
        # Before anything is ended: else that would wait for ever.
        holder = self.hold(state, path, page)
        self.addCleanup(self.thaw, disk)
        return holder

    def thaw(self, disk):
        subprocess.run(["fsfreeze", "-u", disk], stderr=subprocess.DEVNULL, check=False)

    def end(self, holder):
        holder.release()
        holder.kill()

    def safe(self, daemon, product):
        self.assert_verdict(daemon.check("--product", product), "safe")

    def assert_named(self, answer, holder):
        """By its pid, as a user or as what cannot be looked into."""
        self.assertRegex(self.show(answer), rf"\b{holder.pid}\b")

    def assert_used(self, answer, holder):
        self.assert_verdict(answer, "blocked")
        self.assertEqual(self.file_of(answer, self.dll)["state"], "blocked")
        self.assert_named(answer, holder)
        if tier_in_force() == "bpf":
            self.assertEqual(self.use_of(answer, self.dll, holder.pid)["class"], "blocker")

    # Who uses nothing of the product

    def test_a_stranger_from_before(self):
        holder = self.stuck("stuck", "/etc/passwd")
        daemon = self.daemon(*self.products)
        for product in ("app", "other"):
            self.safe(daemon, product)
        user = self.hold("read", self.dll)
        self.use_of(daemon.check("--product", "app"), self.dll, user.pid)
        self.safe(daemon, "other")
        user.kill()
        self.safe(daemon, "app")
        self.end(holder)
        self.safe(daemon, "app")

    def test_a_stranger_that_comes_later(self):
        daemon = self.daemon(*self.products)
        self.safe(daemon, "app")
        holder = self.stuck("stuck", "/etc/passwd")
        user = self.hold("mapped", self.dll)
        self.use_of(daemon.check("--product", "app"), self.dll, user.pid)
        os.unlink(self.dll)
        self.use_of(daemon.check("--product", "app"), self.dll, user.pid)
        user.kill()
        self.safe(daemon, "app")
        self.safe(daemon, "other")
        self.end(holder)

    def test_several_strangers(self):
        holders = [self.stuck("stuck", "/etc/passwd", n) for n in range(4)]
        daemon = self.daemon(*self.products)
        for product in ("app", "other"):
            self.safe(daemon, product)
        for holder in holders:
            self.end(holder)

    # Who uses a file of the product

    def from_before_and_after(self, state):
        for first in (True, False):
            with self.subTest(first=first):
                if first:
                    holder = self.stuck(state, self.dll, "before")
                daemon = self.daemon(*self.products, home=f"home{first}")
                if not first:
                    holder = self.stuck(state, self.dll, "after")
                for _ in range(2):
                    self.assert_used(daemon.check("--product", "app"), holder)
                    self.safe(daemon, "other")
                self.end(holder)
                self.safe(daemon, "app")
                daemon.close()

    def test_a_mapping(self):
        self.from_before_and_after("stuck-mapped")

    def test_a_descriptor(self):
        self.from_before_and_after("stuck-read")

    def test_an_executable(self):
        self.dll = self.program("Store.exe", self.bin)
        disk = self.loop_image("ext4", 8)
        page = self.file("page", disk, content=b"x" * 4096)
        holder = self.hold("stuck", "/etc/passwd", page, program=self.dll)
        self.addCleanup(self.thaw, disk)
        daemon = self.daemon(*self.products)
        answer = daemon.check("--product", "app")
        self.assert_used(answer, holder)
        self.assertIn("executing", self.use_of(answer, self.dll, holder.pid)["how"])
        self.safe(daemon, "other")
        self.end(holder)
        self.safe(daemon, "app")

    def old_version(self, daemon, holder):
        """Whoever maps it is named, for as long as it does and however often one asks."""
        for _ in range(2):
            answer = daemon.check("--product", "app")
            self.assert_never_safe(answer)
            self.assert_named(answer, holder)
            self.safe(daemon, "other")
        self.end(holder)
        self.safe(daemon, "app")

    def test_an_old_version(self):
        """Deleted under the daemon's eyes."""
        daemon = self.daemon(*self.products)
        holder = self.stuck("stuck-deleted", self.dll)
        self.old_version(daemon, holder)

    @unittest.skipIf(tier_in_force() == "procfs", "nothing but the memory map shows it")
    def test_an_old_version_whose_holder_ends_meanwhile(self):
        """It did not answer and is gone: that it does not answer is true no more."""
        for number in range(10):
            daemon = self.daemon(*self.products)
            ended_at, answer = self.ask_and_end(daemon, number)
            daemon.stop()
            # On a busy machine it may have been asked and answered before they ended.
            if answer["verdict"] != "blocked" or answer["at"] >= ended_at:
                break
        self.assert_verdict(answer, "safe")

    def ask_and_end(self, daemon, number):
        """When holders of files that nobody has looked for before were ended, while somebody
        asked about these, and the answer."""
        files = f"notes{number}.txt", f"more{number}.txt"
        names = self.file("names", self.scratch, "\n".join(("Edbbcli.dll", *files)).encode())
        holders = [self.stuck("stuck-deleted", self.file(name), name) for name in files]
        asked = daemon.spawn_client("--json", "check", "--product", "app", "--files", names)
        # One has been given up, and the other is waited for.
        while waiting_threads(daemon.main_pid()) < 2 and asked.poll() is None:
            pass
        for holder in holders:
            self.end(holder)
        ended_at = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        out, err = asked.communicate(timeout=FAIL_AFTER)
        self.assertEqual(err, "")
        return ended_at, json.loads(out)

    @unittest.skipIf(tier_in_force() == "procfs", "nothing but the memory map shows it")
    def test_an_old_version_from_before(self):
        holder = self.stuck("stuck-deleted", self.dll)
        self.old_version(self.daemon(*self.products), holder)

    def test_it_is_named(self):
        holder = self.stuck("stuck-mapped", self.dll)
        daemon = self.daemon(*self.products)
        answer = daemon.check("--product", "app")
        self.assertIn(str(holder.pid), daemon.run("check", "--product", "app")[1])
        if tier_in_force() == "procfs":
            self.assertTrue(any(re.search(rf"pid {holder.pid} .*memory map does not answer",
                                          reason) for reason in self.texts(answer["reasons"])),
                            self.show(answer))
        self.end(holder)


if __name__ == "__main__":
    main()
