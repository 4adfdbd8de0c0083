#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What --check-config refuses a start refuses, in the same words, and what passes it
starts. Each row is tried with both."""
import os
import shutil
import socket
import subprocess

from support import FAIL_AFTER, SPGUARDD, SystemTest, main, private_mounts
import web

# Of nobody: TEST-NET-1, RFC 5737.
ELSEWHERE = "192.0.2.1"
MAX = 107  # bytes of a socket's path, unix(7)


def setUpModule():
    private_mounts()


class CheckConfigTest(SystemTest):
    def check(self, daemon, prefix=()):
        done = subprocess.run([*prefix, SPGUARDD, "--config", daemon.config, "--check-config"],
                              capture_output=True, text=True, timeout=FAIL_AFTER)
        return done.returncode, done.stdout, done.stderr

    def has_http(self):
        daemon = self.daemon(start=False, home="other")
        daemon.write_config(*web.section(f"unix:{self.path('http')}"))
        return "built without libmicrohttpd" not in self.check(daemon)[2]

    def refused(self, about, code=78, http=(), **keys):
        """By both, and alike."""
        daemon = self.daemon(start=False, daemon_keys=keys)
        daemon.write_config(*web.section(*http) if http else ())
        there = sorted(os.listdir(daemon.home))
        checked, out, err = self.check(daemon)
        self.assertEqual((checked, out), (code, ""), err)
        self.assertIn(about, err)
        self.assertEqual(sorted(os.listdir(daemon.home)), there)
        daemon.spawn()
        self.assertEqual(daemon.process.wait(FAIL_AFTER), code)
        daemon.log.join(FAIL_AFTER)
        for line in err.splitlines():
            if about in line:
                self.assertIn(line, daemon.log_text())
        daemon.close()

    def passes(self, http=(), http_keys=(), **keys):
        daemon = self.daemon(start=False, daemon_keys=keys)
        daemon.write_config(*web.section(*http) if http else (), *http_keys)
        code, out, err = self.check(daemon)
        self.assertEqual(code, 0, err)
        self.assertIn("no fault found", out)
        daemon.socket = daemon.keys["socket"]
        daemon.start()
        self.assert_safe(daemon)
        self.assertEqual(daemon.stop(), 0)
        daemon.close()
        return err

    def setUp(self):
        super().setUp()
        self.file("Mdbperf.dll")

    def test_what_is_well(self):
        self.assertEqual(self.passes(), "")
        self.assertEqual(self.passes(database=self.path("home", "of any name")), "")
        # Left by a daemon that was killed.
        daemon = self.daemon()
        daemon.kill()
        self.assertEqual(self.passes(), "")

    def test_addresses(self):
        port = web.free_port()
        if not self.has_http():
            self.refused("libmicrohttpd", 69, [f"127.0.0.1:{port}"])
            return
        self.assertEqual(self.passes([f"127.0.0.1:{port}", f"127.0.0.2:{port}",
                                      f"unix:{self.path('http')}"]), "")
        for first, second in (("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "127.0.0.1"),
                              ("[::]", "[::1]"), ("[::1]", "[0::1]")):
            self.refused("already", http=[f"{first}:{port}", f"{second}:{port}"])
        self.refused("no interface", 1, [f"{ELSEWHERE}:{port}"])
        self.refused("socket of [daemon]", http=[f"unix:{self.path('home', 'socket')}"])
        self.refused("No such file", http=[f"unix:{self.path('nowhere', 'http')}"])
        with socket.socket() as other:
            other.bind(("0.0.0.0", port))
            other.listen()
            self.refused("another program listens there", 1, [f"127.0.0.1:{port}"])

    def test_the_socket(self):
        self.refused("No such file", socket=self.path("nowhere", "socket"))
        self.refused("is no directory", socket=self.file("plain") + "/socket")
        self.refused("what is there is no socket", socket=self.file("plain"))
        stem = self.path("home") + "/"
        self.refused("shorter", socket=stem + "s" * (MAX + 1 - len(stem)))
        self.assertEqual(self.passes(socket=stem + "s" * (MAX - len(stem) - 7)), "")

    def test_a_directory_that_it_makes(self):
        name = f"/run/spguard-test-{os.getpid()}"
        self.addCleanup(shutil.rmtree, name)
        self.assertEqual(self.passes(socket=f"{name}/socket"), "")
        self.assertTrue(os.path.isdir(name))
        self.refused("No such file", socket=f"{name}/deeper/socket")

    def test_the_database(self):
        self.refused("No such file", database=self.path("nowhere", "db"))
        self.refused("is no directory", database=self.file("plain") + "/db")
        self.refused("what is there is no file", database=self.directory("home"))
        self.refused("both", database=self.path("home", "socket"))
        self.refused("cannot write to /proc", database="/proc/spguard.db")
        target = self.tmpfs("read-only")
        self.refused("cannot write", 1,
                     database=self.read_only(target))

    def read_only(self, target):
        subprocess.run(["mount", "-o", "remount,ro", target], check=True)
        return os.path.join(target, "spguard.db")

    def test_the_groups(self):
        self.refused("no such group", group="nobody-has-this")
        self.refused("no such group", **{"admin-group": "nobody-has-this"})

    def test_where_the_group_cannot_reach(self):
        """A start does, and so it is only said."""
        os.chmod(self.scratch, 0o700)
        self.assertIn(f"cannot get through {self.scratch}\n", self.passes(group="nogroup"))
        if self.has_http():
            self.assertIn(f"cannot get through {self.scratch}\n", self.passes(
                [f"unix:{self.path('http')}"], ["group = nogroup"]))
        os.chmod(self.scratch, 0o755)
        self.assertEqual(self.passes(group="nogroup"), "")

    def test_beside_a_daemon_that_runs(self):
        """What it has is no fault: a reload checks the file while it does."""
        daemon = self.daemon(start=False)
        if self.has_http():
            daemon.write_config(*web.section(f"127.0.0.1:{web.free_port()}"))
        daemon.start()
        code, out, err = self.check(daemon)
        self.assertEqual(code, 0, err)
        self.assertIn("no fault found", out)
        self.assertIn(f"pid {daemon.process.pid}", err)
        self.assert_safe(daemon)

    def test_for_the_service_manager(self):
        """Its socket is in place before the daemon runs; to connect would start it."""
        daemon = self.daemon(start=False)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(daemon.socket)
            other.listen()
            other.settimeout(0)
            code, _, err = self.check(daemon)
            self.assertEqual(code, 0, err)
            self.assertIn("somebody listens there", err)
            with self.assertRaises(BlockingIOError):
                other.accept()

    def test_as_an_ordinary_user(self):
        """What is written is checked; what the daemon may do is not found out."""
        daemon = self.daemon(start=False)
        for directory in (self.scratch, daemon.home):
            os.chmod(directory, 0o755)
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        with open(SPGUARDD, "rb") as program:
            copy = self.file("spguardd", self.scratch, program.read())
        os.chmod(copy, 0o755)
        done = subprocess.run([*user, copy, "--config", daemon.config, "--check-config"],
                              capture_output=True, text=True, timeout=FAIL_AFTER)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("ask as root", done.stderr)


if __name__ == "__main__":
    main()
