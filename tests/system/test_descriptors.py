#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Descriptors 0, 1 and 2 that are closed when a program starts, as cron and some
supervisors leave them, and a standard output that takes nothing."""
import itertools
import os
import socket
import subprocess

from support import BUILD, FAIL_AFTER, SPGUARD, SPGUARDD, SystemTest, main

PLUGIN = os.path.join(BUILD, "plugin", "check_spguard")
STANDARD = range(3)
COMBINATIONS = [closed for n in (1, 2, 3) for closed in itertools.combinations(STANDARD, n)]


def without(closed):
    """A prefix that runs a program with the descriptors @closed closed."""
    return ["/bin/sh", "-c", 'exec "$@" ' + " ".join(f"{fd}>&-" for fd in closed), "sh"]


class DescriptorsTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")

    def start_without(self, closed):
        """A daemon that is ready, which not all of them could write."""
        path = self.path("notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(FAIL_AFTER)
            daemon = self.daemon(prefix=["env", f"NOTIFY_SOCKET={path}", *without(closed)],
                                 start=False)
            daemon.spawn()
            told = ""
            while "READY=1" not in told:
                told += manager.recv(4096).decode()
        os.unlink(path)
        return daemon

    def test_daemon(self):
        """It starts in the tier that it has with all of them, answers, and stops."""
        whole = self.daemon()
        tier = whole.tier()
        whole.close()
        for closed in COMBINATIONS:
            with self.subTest(closed=closed):
                daemon = self.start_without(closed)
                self.assertEqual(daemon.tier(), tier)
                for fd in closed:
                    self.assertEqual(os.readlink(f"/proc/{daemon.main_pid()}/fd/{fd}"),
                                     "/dev/null")
                holder = self.hold("mapped", self.dll)
                self.assert_blocked_by(daemon, self.dll, [holder.pid], {"mapped"})
                holder.close()
                self.assert_safe(daemon)
                self.assertEqual(daemon.stop(), 0)
                daemon.close()

    def test_hold(self):
        """The guard, a process that the daemon starts, is none the worse."""
        daemon = self.start_without(STANDARD)
        code, out, err = daemon.run("hold", "--for", "1m", "--yes", "--", "/bin/echo", "held")
        self.assertEqual((code, out), (0, "held\n"), err)
        self.assertEqual(daemon.stop(), 0)

    def run_without(self, closed, *command):
        return subprocess.run([*without(closed), *command], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=FAIL_AFTER)

    def test_clients(self):
        daemon = self.daemon()
        commands = {"check": SPGUARD, "who": SPGUARD, "status": SPGUARD, "log": SPGUARD,
                    "--help": SPGUARD, "--version": SPGUARD}
        for closed, (word, program) in itertools.product(COMBINATIONS, commands.items()):
            with self.subTest(closed=closed, word=word):
                done = self.run_without(closed, program, "--socket", daemon.socket, word)
                self.assertEqual(done.returncode, 3 if 1 in closed else 0, done.stderr)
                if 1 in closed and 2 not in closed:
                    self.assertIn("standard output is closed", done.stderr)
        for closed in COMBINATIONS:
            with self.subTest(closed=closed, word="check_spguard"):
                done = self.run_without(closed, PLUGIN, "-s", daemon.socket)
                self.assertEqual(done.returncode, 3 if 1 in closed else 0, done.stderr)
                if 1 in closed and 2 not in closed:
                    self.assertIn("standard output is closed", done.stderr)
        # The daemon got nothing that was meant for a terminal.
        self.assertNotIn("parse", daemon.log_text())
        self.assert_safe(daemon)

    def test_quiet_client_needs_no_output(self):
        daemon = self.daemon()
        done = self.run_without(STANDARD, SPGUARD, "--socket", daemon.socket, "check", "-q")
        self.assertEqual(done.returncode, 0)

    def test_full_output(self):
        daemon = self.daemon()
        for command in ([SPGUARD, "--socket", daemon.socket, "check"],
                        [SPGUARD, "--socket", daemon.socket, "--json", "who"],
                        [SPGUARD, "--socket", daemon.socket, "metrics"],
                        [SPGUARD, "check", "--help"], [SPGUARD, "--help"],
                        [SPGUARD, "--version"], [PLUGIN, "-s", daemon.socket]):
            with self.subTest(command=command[1:]), open("/dev/full", "w") as full:
                done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=full,
                                      stderr=subprocess.PIPE, text=True, timeout=FAIL_AFTER)
                self.assertEqual(done.returncode, 3)
                self.assertIn("No space left on device", done.stderr)

    def test_full_output_of_the_daemon(self):
        daemon = self.daemon(start=False)
        for words in (["--help"], ["--version"], ["--print-config"], ["--check-config"]):
            with self.subTest(words=words), open("/dev/full", "w") as full:
                done = subprocess.run([SPGUARDD, "--config", daemon.config, *words],
                                      stdout=full, stderr=subprocess.PIPE, text=True,
                                      timeout=FAIL_AFTER)
                self.assertEqual(done.returncode, 1)
                self.assertIn("No space left on device", done.stderr)


if __name__ == "__main__":
    main()
