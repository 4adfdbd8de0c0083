#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""spguardd under systemd: what it tells a manager, and what a real systemd and a real
journald make of its units, its sandbox and its messages.

systemd is not process 1 where tests run, so it runs as a manager of its own beside
(tests/support/manager.py): the service's system calls, capabilities, address families
and devices are restricted by it for real.
"""
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))

from harness import (BUILD, FAIL_AFTER, ROOT, SPGUARD, SPGUARDD, TIER, Rpc,  # noqa: E402
                     SystemTest, main)
from manager import Manager, Notified, require, unit_text  # noqa: E402

# systemd-analyze(1): 0 nothing exposed .. 100 unsafe. What is left is what it is for:
# root, its capabilities, and the view of everybody else.
EXPOSURE = 44

IDS = os.path.join(ROOT, "common", "log_ids.h")
CATALOG = os.path.join(ROOT, "conf", "spguard.catalog")


def message_ids():
    """Name to number, of log_ids.h."""
    with open(IDS, encoding="utf-8") as f:
        return dict(re.findall(r'SPG_LOG_ID_(\w+)\s+"(\w+)"', f.read()))


class UnitFileTest(SystemTest):
    def setUp(self):
        super().setUp()
        require("systemd-analyze")
        self.units = self.directory("units")
        for name in ("spguardd.service", "spguardd.socket"):
            with open(os.path.join(self.units, name), "w", encoding="utf-8") as f:
                f.write(unit_text(name))

    def analyze(self, *args):
        done = subprocess.run(["systemd-analyze", *args], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=FAIL_AFTER)
        return done.returncode, done.stdout + done.stderr

    def test_verify_has_nothing_to_say(self):
        # Whether man pages are installed is not the units' business.
        self.assertEqual(
            self.analyze("verify", "--man=no", os.path.join(self.units, "spguardd.service"),
                         os.path.join(self.units, "spguardd.socket")), (0, ""))

    def test_exposure(self):
        code, out = self.analyze("security", "--offline=true", f"--threshold={EXPOSURE}",
                                 "--no-pager", os.path.join(self.units, "spguardd.service"))
        self.assertEqual(code, 0, out)

    def test_group_and_directories(self):
        require("systemd-sysusers", "systemd-tmpfiles")
        root = self.path("root")
        self.directory("root", "etc")
        for program, option in (("systemd-sysusers", ()), ("systemd-tmpfiles", ("--create",))):
            conf = "sysusers.conf" if "users" in program else "tmpfiles.conf"
            done = subprocess.run([program, f"--root={root}", *option,
                                   os.path.join(ROOT, "conf", conf)],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
        with open(os.path.join(root, "etc", "group"), encoding="utf-8") as f:
            gid = int(re.search(r"^spguard:[^:]*:(\d+):", f.read(), re.M)[1])
        state = os.stat(os.path.join(root, "var", "lib", "spguard"))
        self.assertEqual((state.st_mode & 0o7777, state.st_uid, state.st_gid), (0o2750, 0, gid))
        self.assertEqual(os.stat(os.path.join(root, "run", "spguard")).st_mode & 0o7777, 0o755)


class CatalogTest(SystemTest):
    def entries(self):
        with open(CATALOG, encoding="utf-8") as f:
            parts = re.split(r"^-- (\w+)\n", f.read(), flags=re.M)
        return dict(zip(parts[1::2], parts[2::2]))

    def test_every_id_has_a_text_and_no_other(self):
        ids = message_ids()
        self.assertEqual(sorted(ids.values()), sorted(self.entries()))
        self.assertEqual(len(set(ids.values())), len(ids))
        for number in ids.values():
            self.assertRegex(number, r"^[0-9a-f]{32}$")

    def test_every_id_is_used(self):
        for name in message_ids():
            found = subprocess.run(["grep", "-rlw", f"SPG_LOG_ID_{name}", "--include=*.c",
                                    os.path.join(ROOT, "daemon")], capture_output=True)
            self.assertTrue(found.stdout, f"SPG_LOG_ID_{name} is in no source file")

    def test_texts_name_what_there_is(self):
        """Fields that are sent, and commands that the client takes."""
        daemon = self.daemon()
        self.file("Mdbperf.dll")
        with open(os.path.join(ROOT, "common", "log_linux.c"), encoding="utf-8") as f:
            sent = set(re.findall(r'"(SPGUARD_\w+)"', f.read()))
        commands = set()
        for number, text in self.entries().items():
            self.assertLessEqual(set(re.findall(r"@(\w+)@", text)), sent, number)
            commands |= set(re.findall(r"^  (spguard .*)$", text, re.M))
        self.assertGreater(len(commands), 5)
        for command in sorted(commands):
            words = command.replace("@SPGUARD_PRODUCT@", "app").split()[1:]
            if "DIRECTORY" in words:
                words[words.index("DIRECTORY")] = self.bin
            if "SETUP" in words:
                words[words.index("SETUP")] = "true"
                words.insert(1, "--yes")
            code, out, err = daemon.run(*words)
            self.assertNotIn("--help", err, f"{command}: {code} {out} {err}")
            self.assertLess(code, 4, f"{command}: {code} {out} {err}")


class NotifyTest(SystemTest):
    """The protocol, against a socket of our own."""

    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")
        self.manager = Notified(self.path("notify"))
        self.addCleanup(self.manager.close)

    def started(self, *environment):
        return self.daemon(start=False, prefix=[
            "env", f"NOTIFY_SOCKET={self.manager.path}", *environment]).spawn()

    def ready(self, *environment):
        daemon = self.started(*environment)
        message = self.manager.wait_for("READY=1", daemon.process)
        self.assertIsNotNone(message, self.manager.told)
        return daemon, message

    def test_ready_when_answers_are_proved(self):
        self.hold("mapped", self.dll)
        daemon, message = self.ready()
        self.assertIn("STATUS=Watching 1 product: app blocked", message)
        self.assertEqual(self.manager.told[0],
                         ["STATUS=Looking at everything for the first time"])
        status = self.rpc(daemon).call("status")
        self.assertEqual(status["products"][0]["verdict"], "blocked")

    def test_never_ready_when_it_cannot_start(self):
        daemon = self.daemon(start=False, daemon_keys={"socket": self.path("no", "socket")},
                             prefix=["env", f"NOTIFY_SOCKET={self.manager.path}"]).spawn()
        self.assertIsNone(self.manager.wait_for("READY=1", daemon.process))

    def test_status_follows_the_verdicts(self):
        daemon, _ = self.ready()
        holder = self.hold("mapped", self.dll)
        self.manager.wait_for("STATUS=Watching 1 product: app blocked", daemon.process)
        holder.kill()
        self.manager.wait_for("STATUS=Watching 1 product: app safe", daemon.process)

    def test_reload(self):
        """RELOADING=1 with its time, then READY=1: what Type=notify-reload waits for."""
        daemon, _ = self.ready()
        for broken in (False, True, False):
            daemon.write_config(*(["nonsense = yes"] if broken else []))
            before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            daemon.signal(signal.SIGHUP)
            message = self.manager.wait_for("RELOADING=1", daemon.process)
            stamps = [int(line.removeprefix("MONOTONIC_USEC=")) for line in message
                      if line.startswith("MONOTONIC_USEC=")]
            self.assertEqual(len(stamps), 1, message)
            self.assertGreaterEqual(stamps[0], before)
            message = self.manager.wait_for("READY=1", daemon.process)
            self.assertGreaterEqual(time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000,
                                    stamps[0])
            refused = [line for line in message if "was refused" in line]
            self.assertEqual(bool(refused), broken, message)

    def silence(self, daemon):
        """What is told from now on, for some times the watchdog's period, when what was
        told before has been taken."""
        while self.manager.next(0):
            pass
        self.assertIsNone(daemon.process.poll())
        return self.manager.next(1.5)

    def test_stopped_daemon_is_silent(self):
        daemon, _ = self.ready("WATCHDOG_USEC=200000")
        self.manager.wait_for("WATCHDOG=1", daemon.process)
        daemon.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, daemon.process.pid, os.WSTOPPED | os.WNOWAIT)
        self.assertIsNone(self.silence(daemon))
        daemon.signal(signal.SIGCONT)
        self.manager.wait_for("WATCHDOG=1", daemon.process)

    def test_stuck_loop_is_silent(self):
        """The process runs, its other threads too, but the loop hangs in a write: to a
        pipe that nobody reads."""
        read, write = os.pipe()
        with os.fdopen(read, "rb") as reader:
            daemon = self.daemon(start=False, daemon_keys={"log-level": "debug"}, prefix=[
                "env", f"NOTIFY_SOCKET={self.manager.path}", "WATCHDOG_USEC=200000",
                "sh", "-c", f'exec "$@" 2>/proc/{os.getpid()}/fd/{write}', "sh"]).spawn()
            self.manager.wait_for("READY=1", daemon.process)
            self.manager.wait_for("WATCHDOG=1", daemon.process)
            os.set_blocking(write, False)
            try:
                while True:
                    os.write(write, b"x" * 4096)
            except BlockingIOError:
                pass
            daemon.signal(signal.SIGHUP)
            self.await_write(daemon.main_pid())
            self.assertIsNone(self.silence(daemon))
            os.close(write)
            while b"reloaded" not in reader.readline():
                pass
            self.manager.wait_for("WATCHDOG=1", daemon.process)

    def await_write(self, pid):
        """Until its main thread sleeps in write(2, ...): proc(5)."""
        numbers = {"x86_64": "1", "aarch64": "64"}
        machine = os.uname().machine
        if machine not in numbers:
            self.skipTest(f"the number of write(2) on {machine} is not known here")
        end = time.monotonic() + FAIL_AFTER
        while True:
            with open(f"/proc/{pid}/syscall", encoding="ascii") as f:
                words = f.read().split()
            if words[:2] == [numbers[machine], "0x2"]:
                return
            self.assertLess(time.monotonic(), end, words)
            os.sched_yield()


class ServiceTest(SystemTest):
    """The service as installed, under a real systemd."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = Manager()
        cls.addClassCleanup(cls.manager.close)
        cls.manager.start()

    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")
        # Only its configuration and its client are used.
        self.here = self.daemon(start=False, daemon_keys={
            "socket": "/run/spguard/spguard.sock", "install-quiet": "1ms"})
        self.here.socket = "/run/spguard/spguard.sock"
        self.here.log_text = self.manager.text
        self.install("spguardd.service")
        self.install("spguardd.socket")
        self.addCleanup(self.manager.ctl, "stop", "spguardd.socket", "spguardd.service")

    def install(self, name, **changes):
        """Unit @name with the test's configuration; @changes: a drop-in's [Service]."""
        text = unit_text(name).replace(
            f"{SPGUARDD} --config ", f"{SPGUARDD}{' --tier ' + TIER if TIER else ''} --config ")
        text = re.sub(r"--config \S+", f"--config {self.here.config}", text)
        # No targets of a system here, and no group "spguard".
        text = text.replace("[Unit]\n", "[Unit]\nDefaultDependencies=no\n")
        text = text.replace("SocketGroup=spguard", "SocketGroup=root")
        lines = [f"{key}={value}" for key, value in changes.items()]
        self.manager.unit(name, text)
        self.manager.unit(f"{name}.d/test.conf", "\n".join(["[Service]", *lines]) + "\n"
                          if name.endswith(".service") else "")
        self.manager.ctl("daemon-reload")

    def start(self):
        self.manager.ctl("start", "spguardd.service")
        return self.pid()

    def pid(self):
        return int(self.manager.show("spguardd.service", "MainPID"))

    def test_restricted_and_whole(self):
        """All restrictions are in force, and nothing of what it does is gone."""
        pid = self.start()
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            status = dict(line.split(":\t", 1) for line in f.read().splitlines())
        self.assertEqual((status["Seccomp"], status["NoNewPrivs"]), ("2", "1"))
        self.assertEqual(int(status["CapBnd"], 16) & 1 << 16, 0)  # CAP_SYS_MODULE
        for kind in ("mnt", "pid", "user", "net", "cgroup", "ipc"):
            self.assertEqual(os.readlink(f"/proc/{pid}/ns/{kind}"),
                             os.readlink(f"/proc/self/ns/{kind}"))
        self.assertIn("app safe", self.manager.show("spguardd.service", "StatusText"))
        self.assert_safe(self.here)
        status = self.here.status()
        self.assertEqual(status["tier"], TIER or status["tier"])
        broken = [row for row in status["mechanisms"] if not row["works"]]
        self.assertEqual(broken, [], self.show(status))

    def said(self, name, pid, **fields):
        """The message of process @pid with id @name, and its text."""
        number = message_ids()[name]

        def matches(entry):
            return (entry.get("MESSAGE_ID") == number and entry["_PID"] == str(pid) and
                    all(entry.get(key) == value for key, value in fields.items()))
        return self.manager.entry(matches, f"message {name} {fields} of {pid}")

    def test_does_its_work(self):
        """What of its work needs most: files, processes, locks, renames, a hold."""
        self.start()
        other = self.file("Other.dll")
        self.rpc(self.here).call("verify")
        mapped = self.hold("mapped", self.dll)
        locked = self.hold("flock-exclusive", other)
        self.assert_blocked_by(self.here, self.dll, [mapped.pid], {"mapped"})
        answer = self.here.check()
        self.assertIn("locked", self.file_of(answer, other)["uses"][0]["how"])
        locked.kill()
        step, = self.rpc(self.here).call("sidestep.apply", paths=[self.dll])["sidesteps"]
        self.assertEqual(step["state"], "renamed", step)
        step, = self.rpc(self.here).call("sidestep.undo", id=step["id"])["sidesteps"]
        self.assertEqual(step["state"], "undone", step)
        mapped.kill()
        self.assert_safe(self.here)
        with self.holding() as holding:
            with self.assertRaises(OSError):
                os.close(os.open(other, os.O_RDONLY))
            holding.stdin.close()
            self.assertEqual(holding.wait(FAIL_AFTER), 0)
        os.close(os.open(other, os.O_RDONLY))
        kinds = {event["kind"] for event in self.here.log_events()}
        self.assertLessEqual({"use-begin", "use-end", "hold-begin", "hold-refuse", "hold-end"},
                             kinds)

    @contextlib.contextmanager
    def holding(self):
        """`spguard hold`, until its stdin is closed."""
        process = subprocess.Popen(
            [SPGUARD, "--socket", self.here.socket, "hold", "--yes", "--for", "60s", "--",
             "sh", "-c", "echo held; exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            self.assertEqual(process.stdout.readline(), "held\n")
            yield process
        finally:
            process.kill()
            process.wait(FAIL_AFTER)
            process.stdin.close()
            process.stdout.close()

    def test_messages(self):
        pid = self.start()
        entry = self.said("STARTED", pid, PRIORITY="5", SYSLOG_IDENTIFIER="spguardd")
        self.assertIn("1 product, tier", entry["MESSAGE"])
        self.said("VERDICT", pid, SPGUARD_PRODUCT="app", SPGUARD_VERDICT="safe", PRIORITY="6")
        self.said("READY", pid)
        holder = self.hold("mapped", self.dll)
        entry = self.said("VERDICT", pid, SPGUARD_VERDICT="blocked", PRIORITY="5")
        self.assertIn("app is blocked: ", entry["MESSAGE"])
        holder.kill()
        self.said("VERDICT", pid, SPGUARD_VERDICT="safe")
        with self.holding() as holding:
            self.said("HOLD_BEGUN", pid, SPGUARD_PRODUCT="app")
            holding.stdin.close()
            self.said("HOLD_ENDED", pid, SPGUARD_PRODUCT="app")
        self.here.write_config("nonsense = yes")
        self.assertNotEqual(self.here.run("reload")[0], 0)
        self.said("RELOAD_REFUSED", pid, PRIORITY="3")
        self.here.write_config()
        self.assertEqual(self.here.run("reload")[0], 0)
        self.said("RELOADED", pid)
        self.manager.ctl("stop", "spguardd.service")
        self.said("STOPPED", pid)
        with open(self.here.database, "r+b") as f:
            f.write(b"no database at all " * 100)
        pid = self.start()
        self.said("STORE_ASIDE", pid, PRIORITY="3")
        self.manager.ctl("restart", "spguardd.service")
        self.said("GAP", self.pid(), SPGUARD_GAP="downtime")
        # What a person is told of one of them.
        code, text = self.manager.run("journalctl", "--no-pager", "--catalog",
                                      f"MESSAGE_ID={message_ids()['VERDICT']}")
        self.assertEqual(code, 0, text)
        self.assertIn("Product app is blocked now", text)
        self.assertIn("spguard check --product app", text)

    def test_mixed_install(self):
        pid = self.start()
        self.rpc(self.here).call("verify")
        names = [f"Part{i}.dll" for i in range(4)]
        for name in names:
            self.file(name)
        self.here.run("flush")
        self.rpc(self.here).call("installs", wait=FAIL_AFTER)
        self.said("INSTALL_ENDED", pid, SPGUARD_PRODUCT="app", SPGUARD_OUTCOME="clean")
        self.hold("mapped", os.path.join(self.bin, "Part3.dll"))
        # One program that replaces all but the one in use.
        setup = ("import os, sys\n"
                 "for path in sys.argv[1:]:\n"
                 "    open(path + '~', 'w').write('new ' + path)\n"
                 "    os.rename(path + '~', path)\n")
        subprocess.run([sys.executable, "-c", setup,
                        *(os.path.join(self.bin, name) for name in names[:3])], check=True)
        entry = self.said("INSTALL_MIXED", pid, PRIORITY="4", SPGUARD_PRODUCT="app")
        self.assertIn("mixed", entry["MESSAGE"])

    def test_no_file_events(self):
        """Without what events need it starts, and says what it cannot do."""
        self.install("spguardd.service", SystemCallFilter="~fanotify_init")
        self.manager.ctl("start", "spguardd.service")
        self.said("WATCH_LOST", self.pid(), PRIORITY="4")

    def test_stuck_loop_is_restarted(self):
        self.install("spguardd.service", WatchdogSec="1s", TimeoutAbortSec="1s", RestartSec="0")
        pid = self.start()
        self.said("READY", pid)
        os.kill(pid, signal.SIGSTOP)
        self.manager.entry(lambda entry: entry.get("MESSAGE_ID") == message_ids()["READY"] and
                           entry["_PID"] != str(pid), "a new daemon")
        self.assertEqual(self.manager.show("spguardd.service", "NRestarts"), "1")
        self.assertNotEqual(self.pid(), pid)
        self.assert_safe(self.here)
        gap, = self.here.log_events("--kind", "gap")
        self.assertEqual(gap["gap"]["reason"], "downtime", gap)

    def test_socket_that_was_removed(self):
        """In its sandbox it can make another one."""
        pid = self.start()
        os.unlink(self.here.socket)
        self.manager.entry(lambda entry: "made again" in str(entry["MESSAGE"]), "a new socket")
        self.here.write_config("nonsense = yes")  # refused, so a turn of the loop later
        os.kill(pid, signal.SIGHUP)
        self.said("RELOAD_REFUSED", pid, PRIORITY="3")
        self.assert_safe(self.here)
        self.assertEqual(self.pid(), pid)

    def test_reload_by_the_manager(self):
        self.start()
        self.here.products[0].title = "The application"
        self.here.write_config()
        self.manager.ctl("reload", "spguardd.service")
        self.said("RELOADED", self.pid())
        self.assertEqual(self.here.status()["products"][0]["title"], "The application")
        self.assertEqual(self.manager.show("spguardd.service", "ActiveState"), "active")
        self.here.write_config("nonsense = yes")
        code, _ = self.manager.run("systemctl", "--user", "reload", "spguardd.service")
        self.assertNotEqual(code, 0)
        self.said("RELOAD_REFUSED", self.pid(), PRIORITY="3")
        self.assertIn("nonsense", str(self.here.status()["reload_refused"]))
        self.assertEqual(self.manager.show("spguardd.service", "ActiveState"), "active")
        self.assert_safe(self.here)

    def test_socket_activation(self):
        self.manager.ctl("start", "spguardd.socket")
        path = self.here.socket
        inode = os.stat(path).st_ino
        self.assertEqual(os.stat(path).st_mode & 0o7777, 0o660)
        # Who asks first starts it.
        self.assert_safe(self.here)
        first = self.pid()
        self.assertNotIn("clients look for", self.manager.journal())
        # Who asks while it is away waits, and is answered.
        os.kill(first, signal.SIGSTOP)
        with contextlib.closing(Rpc(path)):
            os.kill(first, signal.SIGKILL)
            self.assert_safe(self.here)
        self.assertNotEqual(self.pid(), first)
        self.manager.ctl("restart", "spguardd.service")
        self.assert_safe(self.here)
        self.assertEqual(os.stat(path).st_ino, inode)
        # The socket is the manager's: it stays without the service, and goes with it.
        self.manager.run("systemctl", "--user", "stop", "spguardd.service")
        self.assertEqual(os.stat(path).st_ino, inode)
        self.manager.ctl("stop", "spguardd.socket")
        self.assertFalse(os.path.exists(path))

    def test_http_activation(self):
        """A second socket, named "http": whoever the unit lets connect may ask."""
        self.manager.unit("spguardd-http.socket", "[Unit]\nDefaultDependencies=no\n"
                          "[Socket]\nListenStream=/run/spguard/http.sock\n"
                          "FileDescriptorName=http\nService=spguardd.service\n")
        self.manager.ctl("daemon-reload")
        self.manager.ctl("start", "spguardd-http.socket", "spguardd.socket")
        self.addCleanup(self.manager.ctl, "stop", "spguardd-http.socket")
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as asking:
            asking.settimeout(FAIL_AFTER)
            asking.connect("/run/spguard/http.sock")
            asking.sendall(b"GET /api/check HTTP/1.1\r\nHost: localhost\r\n"
                           b"Connection: close\r\n\r\n")
            answer = b""
            with contextlib.suppress(ConnectionError):
                answer = b"".join(iter(lambda: asking.recv(65536), b""))
        if b" 200 " not in answer and "built without" in self.manager.journal():
            self.skipTest("built without HTTP")
        self.assertIn(b'"verdict":"safe"', answer.replace(b" ", b""))
        self.assert_safe(self.here)

    def test_bad_configuration(self):
        """It does not start, the journal has the reasons as errors, nobody tries in
        vain, and who is to hear of a failure does."""
        self.manager.unit("tell.service", "[Unit]\nDefaultDependencies=no\n[Service]\n"
                          "Type=oneshot\nExecStart=/bin/echo somebody was told\n")
        self.install("spguardd.service", RestartSec="0")
        self.manager.unit("spguardd.service.d/tell.conf", "[Unit]\nOnFailure=tell.service\n")
        self.manager.ctl("daemon-reload")
        self.here.write_config("nonsense = yes")
        code, _ = self.manager.run("systemctl", "--user", "start", "spguardd.service")
        self.assertNotEqual(code, 0)
        self.manager.entry(lambda entry: entry.get("PRIORITY") == "3" and
                           "nonsense" in str(entry["MESSAGE"]), "the fault")
        self.manager.entry(lambda entry: entry["MESSAGE"] == "somebody was told", "OnFailure=")
        for name, value in (("ActiveState", "failed"), ("NRestarts", "0"),
                            ("ExecMainStatus", "78")):
            self.assertEqual(self.manager.show("spguardd.service", name), value)


if __name__ == "__main__":
    main()
