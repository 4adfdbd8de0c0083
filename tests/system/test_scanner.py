#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An on-access scanner that does not answer (fanotify(7), permission events): whoever opens
a file on its file system waits. spguardd too, when it reads what the files are; no answer
waits for that."""
import os
import signal
import subprocess
import sys
import unittest

from support import Product, SystemTest, main, private_mounts

# Lets everybody open everything below the mount argv[1], for as long as it runs.
SCANNER = r"""
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
group = libc.fanotify_init(0x4, os.O_RDONLY)
if group < 0 or libc.fanotify_mark(group, 0x1 | 0x100, ctypes.c_uint64(0x10000), -100,
                                   sys.argv[1].encode()) < 0:
    sys.exit("no permission events")
print("ready", flush=True)
while True:
    events = os.read(group, 4096)
    while events:
        length, _, _, _, _, fd, _ = struct.unpack_from("=IBBHQii", events)
        os.write(group, struct.pack("=iI", fd, 1))
        os.close(fd)
        events = events[length:]
"""


def setUpModule():
    private_mounts()


class ScannerTest(SystemTest):
    def setUp(self):
        super().setUp()
        disk = self.loop_image("ext4", 8)
        for name in ("Mdbperf.dll", "Edbbcli.dll"):
            self.file(name, disk)
        self.file("Other.dll", self.directory("other"))
        self.disk = disk
        self.products = (Product("app", disk), Product("other", self.path("other")))

    def scanner(self):
        process = subprocess.Popen([sys.executable, "-c", SCANNER, self.disk],
                                   stdout=subprocess.PIPE, text=True)
        # Its end lets everybody go on.
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        if process.stdout.readline() != "ready\n":
            self.skipTest("no permission events here")
        return process

    def beside(self, scanner):
        """A daemon; the scanner goes on before that is ended, whatever happens: a leak
        checker stops all threads first, and one that waits in an open cannot be."""
        daemon = self.daemon(*self.products)
        self.addCleanup(scanner.send_signal, signal.SIGCONT)
        return daemon

    def check(self, daemon, product):
        return daemon.check("--product", product)

    def assert_waits(self, daemon):
        """One file is being read, or is to be: it is unknown; all else is answered."""
        for _ in range(2):
            answer = self.check(daemon, "app")
            self.assert_verdict(answer, "unknown", "safe")
            if answer["verdict"] == "unknown":
                self.assertEqual(answer["counts"]["files"], 2, self.show(answer))
                self.assertIn("scanner", self.show(answer))
            self.assert_verdict(self.check(daemon, "other"), "safe")

    def test_it_is_stopped_before_the_daemon_starts(self):
        scanner = self.scanner()
        scanner.send_signal(signal.SIGSTOP)
        daemon = self.beside(scanner)
        self.assert_waits(daemon)
        scanner.send_signal(signal.SIGCONT)
        daemon.after_installs(lambda: None)
        # It answers those who waited one after the other.
        self.assert_verdict(daemon.check("--product", "app", "--wait=60s", "--settle=0s"), "safe")

    def test_it_is_stopped_while_the_daemon_runs(self):
        scanner = self.scanner()
        daemon = self.beside(scanner)
        self.assert_verdict(self.check(daemon, "app"), "safe")
        scanner.send_signal(signal.SIGSTOP)
        self.assert_waits(daemon)

    @unittest.skipIf("ASAN_OPTIONS" in os.environ, "the leak checker would wait for it")
    def test_the_daemon_stops_beside_it(self):
        scanner = self.scanner()
        scanner.send_signal(signal.SIGSTOP)
        daemon = self.beside(scanner)
        self.assert_waits(daemon)
        daemon.stop()

    def test_a_user_is_found_beside_it(self):
        scanner = self.scanner()
        path = os.path.join(self.disk, "Edbbcli.dll")
        holders = [self.hold("mapped", os.path.join(self.disk, name))
                   for name in ("Edbbcli.dll", "Mdbperf.dll")]
        scanner.send_signal(signal.SIGSTOP)
        daemon = self.beside(scanner)
        answer = self.check(daemon, "app")
        self.assert_verdict(answer, "blocked")
        for holder in holders:
            self.assertRegex(self.show(answer), rf"\b{holder.pid}\b")
        self.use_of(answer, path, holders[0].pid)
        self.assert_verdict(self.check(daemon, "other"), "safe")


if __name__ == "__main__":
    main()
