#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Starting, stopping, and what is in the way of either."""
import contextlib
import grp
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import time

from support import FAIL_AFTER, SPGUARD, SPGUARDD, SystemTest, main


class StartStopTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")

    def test_stops_cleanly(self):
        daemon = self.daemon()
        subscriber = self.rpc(daemon)
        subscriber.call("subscribe")
        self.hold("mapped", self.dll)
        daemon.check()
        began = time.monotonic()
        self.assertEqual(daemon.stop(), 0, daemon.log_text())
        self.assertLess(time.monotonic() - began, 5)
        self.assertFalse(os.path.exists(daemon.socket))
        while subscriber.read_message() is not None:
            pass

    def test_stops_while_somebody_waits(self):
        daemon = self.daemon()
        self.hold("mapped", self.dll)
        rpc = self.rpc(daemon)
        rpc.send_raw(b'{"jsonrpc":"2.0","id":1,"method":"check","params":{"wait":600}}\n'
                     b'{"jsonrpc":"2.0","id":2,"method":"hello"}\n')
        self.assertEqual(rpc.read_message()["id"], 2)
        began = time.monotonic()
        self.assertEqual(daemon.stop(), 0, daemon.log_text())
        self.assertLess(time.monotonic() - began, 5)

    def test_a_reload_while_it_stops(self):
        """It comes too late, and ends nothing."""
        for _ in range(5):
            daemon = self.daemon()
            daemon.signal(signal.SIGTERM)
            daemon.log.wait_for(lambda line: "stopping" in line, "'stopping'")
            daemon.signal(signal.SIGHUP)
            self.assertEqual(daemon.process.wait(FAIL_AFTER), 0)

    def test_interrupt_stops_too(self):
        daemon = self.daemon()
        daemon.signal(signal.SIGINT)
        self.assertEqual(daemon.process.wait(FAIL_AFTER), 0)
        self.assertFalse(os.path.exists(daemon.socket))

    def test_second_daemon_is_refused(self):
        daemon = self.daemon()
        second = self.daemon(start=False)
        second.spawn()
        self.assertNotEqual(second.process.wait(FAIL_AFTER), 0)
        second.log.join(FAIL_AFTER)
        self.assertIn(f"pid {daemon.process.pid}", second.log_text())
        # The first one is none the worse.
        self.assert_safe(daemon)

    def exit_status(self, daemon, *args):
        daemon.spawn(*args)
        code = daemon.process.wait(FAIL_AFTER)
        daemon.log.join(FAIL_AFTER)
        self.assertIn("spguard", daemon.log_text())
        daemon.close()
        return code

    def test_exit_status_says_whether_to_try_again(self):
        nowhere = {"socket": self.path("nowhere", "socket")}
        daemon = self.daemon(start=False)
        self.assertEqual(self.exit_status(daemon, "--nonsense"), 2)
        self.assertEqual(self.exit_status(daemon, "--config", self.path("nowhere")), 78)
        daemon.write_config("nonsense = yes")
        self.assertEqual(self.exit_status(daemon), 78)
        self.assertEqual(self.exit_status(
            self.daemon(start=False, daemon_keys={"group": "nobody-has-this"})), 78)
        self.assertEqual(self.exit_status(self.daemon(start=False, daemon_keys=nowhere)), 78)
        os.chmod(self.scratch, 0o755)
        self.assertEqual(self.exit_status(self.daemon(
            start=False, tier="procfs", daemon_keys={"group": ""},
            prefix=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                    "--inh-caps=-all"])), 77)
        first = self.daemon()
        self.assertEqual(self.exit_status(self.daemon(start=False)), 1)
        self.assertEqual(first.stop(), 0)
        with contextlib.closing(sqlite3.connect(first.database)) as database:
            database.execute("PRAGMA user_version = 9999")
        self.assertEqual(self.exit_status(self.daemon(start=False)), 69)

    def connected(self, daemon):
        """A connection, as soon as somebody answers."""
        until = time.monotonic() + FAIL_AFTER
        while time.monotonic() < until:
            self.assertIsNone(daemon.process.poll(), daemon.log_text())
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                return self.rpc(daemon)
            os.sched_yield()
        self.fail(f"nobody listens: {daemon.log_text()}")

    def test_socket_that_was_removed(self):
        """With its lock file, even: it comes back, sessions and holders are none the worse,
        and no second daemon gets in."""
        group = grp.getgrnam("nogroup").gr_gid
        daemon = self.daemon(daemon_keys={"group": "nogroup"})
        holder = self.hold("mapped", self.dll)
        session = self.rpc(daemon)
        mode = os.stat(daemon.socket).st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o660)
        for names in ([daemon.socket], [daemon.socket + ".lock"],
                      [daemon.socket, daemon.socket + ".lock"]):
            with self.subTest(names=names):
                for name in names:
                    os.unlink(name)
                daemon.log.wait_for(lambda line: "made again" in line, "'made again'")
                self.assertEqual(self.connected(daemon).call("check")["verdict"], "blocked")
                there = os.stat(daemon.socket)
                self.assertEqual((there.st_mode, there.st_gid), (mode, group))
                self.assertEqual(session.call("check")["verdict"], "blocked")
                self.assertEqual(self.exit_status(self.daemon(start=False)), 1)
        holder.close()
        self.assert_safe(daemon)
        self.assertEqual(daemon.stop(), 0)
        self.assertFalse(os.path.exists(daemon.socket + ".lock"))

    def test_whose_place_was_taken(self):
        """By a daemon that found neither socket nor lock: the first one ends."""
        first = self.daemon()
        first.signal(signal.SIGSTOP)  # or it would be quicker
        for name in (first.socket, first.socket + ".lock"):
            os.unlink(name)
        second = self.daemon(home="other", daemon_keys={"socket": first.socket})
        second.socket = first.socket
        first.signal(signal.SIGCONT)
        self.assertEqual(first.process.wait(FAIL_AFTER), 1)
        self.assert_safe(second)
        self.assertEqual(second.stop(), 0)

    def test_stale_socket_is_replaced(self):
        first = self.daemon()
        first.kill()
        self.assertTrue(os.path.exists(first.socket))
        self.assert_safe(self.daemon())

    def test_socket_of_another_program_is_left_alone(self):
        daemon = self.daemon(start=False)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(daemon.socket)
            other.listen()
            daemon.spawn()
            self.assertNotEqual(daemon.process.wait(FAIL_AFTER), 0)
        self.assertTrue(os.path.exists(daemon.socket))

    def test_file_in_place_of_the_socket_is_left_alone(self):
        daemon = self.daemon(start=False)
        with open(daemon.socket, "w", encoding="ascii") as f:
            f.write("somebody's data")
        daemon.spawn()
        self.assertNotEqual(daemon.process.wait(FAIL_AFTER), 0)
        daemon.log.join(FAIL_AFTER)
        self.assertIn(daemon.socket, daemon.log_text())
        with open(daemon.socket, encoding="ascii") as f:
            self.assertEqual(f.read(), "somebody's data")

    def test_socket_permissions(self):
        daemon = self.daemon()
        self.assertEqual(os.stat(daemon.socket).st_mode & 0o007, 0)

    def test_no_such_socket_directory(self):
        daemon = self.daemon(start=False,
                             daemon_keys={"socket": self.path("nowhere", "socket")})
        daemon.spawn()
        self.assertNotEqual(daemon.process.wait(FAIL_AFTER), 0)
        daemon.log.join(FAIL_AFTER)
        self.assertIn(self.path("nowhere"), daemon.log_text())

    def test_tells_the_service_manager(self):
        path = self.path("notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(FAIL_AFTER)
            daemon = self.daemon(prefix=["env", f"NOTIFY_SOCKET={path}"])
            told = ""
            while "READY=1" not in told:
                told += manager.recv(4096).decode()
            daemon.signal(signal.SIGHUP)
            while "RELOADING=1" not in told:
                told += manager.recv(4096).decode()
            while told.count("READY=1") < 2:
                told += manager.recv(4096).decode()
            daemon.process.terminate()
            while "STOPPING=1" not in told:
                told += manager.recv(4096).decode()
            self.assertEqual(daemon.process.wait(FAIL_AFTER), 0)

    def test_feeds_the_watchdog(self):
        path = self.path("notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(FAIL_AFTER)
            self.daemon(prefix=["env", f"NOTIFY_SOCKET={path}", "WATCHDOG_USEC=400000"])
            told = ""
            while "WATCHDOG=1" not in told:
                told += manager.recv(4096).decode()

    def test_help_and_version(self):
        for program in (SPGUARD, SPGUARDD):
            for option in ("--help", "-h", "--version", "-V"):
                with self.subTest(program=program, option=option):
                    done = subprocess.run([program, option], capture_output=True, text=True,
                                          timeout=FAIL_AFTER)
                    self.assertEqual((done.returncode, done.stderr), (0, ""))
                    self.assertIn("spguard", done.stdout)

    def test_ready_is_the_last_thing_it_says(self):
        """Whoever reads "ready" may ask: the socket is there, the answer proved."""
        daemon = self.daemon(start=False)
        holder = self.hold("mapped", self.dll)
        daemon.spawn()
        daemon.log.wait_for(lambda line: "spguardd: ready" in line, "'spguardd: ready'")
        status = self.rpc(daemon).call("status")
        self.assertEqual(status["products"][0]["verdict"], "blocked", self.show(status))
        self.assert_blocked_by(daemon, self.dll, [holder.pid], {"mapped"})


if __name__ == "__main__":
    main()
