#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A hold: new opens and executions of a product's files are refused to everybody but
the installer, until one of many ends; and nobody ever waits for long."""
import contextlib
import ctypes
import errno
import json
import os
import pty
import signal
import subprocess
import sys
import time

from support import (FAIL_AFTER, ROOT, SPGUARD, LineReader, Product, Rpc, RpcError, SystemTest,
                     await_end, main)

INSTALLER = os.path.join(ROOT, "tests", "support", "installer.py")
RELEASED_WITHIN = 2.0  # seconds; promised, whoever is stuck
OPENER = """
import errno, os, sys, time
for path in sys.stdin:
    began = time.monotonic()
    try:
        os.close(os.open(path.rstrip("\\n"), os.O_RDONLY))
        what = "ok"
    except OSError as error:
        what = errno.errorcode[error.errno]
    print(what, time.monotonic() - began, flush=True)
"""


def outcome(path, flags=os.O_RDONLY):
    """How an open by this process, which is not the installer, ends."""
    try:
        os.close(os.open(path, flags))
        return "ok"
    except OSError as error:
        return errno.errorcode[error.errno]


class Installer:
    """tests/support/installer.py, with a hold."""

    def __init__(self, test, daemon, **params):
        self.process = subprocess.Popen(
            [sys.executable, INSTALLER, daemon.socket, json.dumps(params)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        test.addCleanup(self.close)
        self.lines = LineReader(self.process.stdout)
        self.begun = self.answer()

    def answer(self):
        return json.loads(self.lines.wait_for(lambda line: True, "an answer"))

    def order(self, do, **order):
        self.process.stdin.write(json.dumps({"do": do, **order}) + "\n")
        return self.answer()

    def open(self, path, who="self"):
        return self.order("open", path=path, who=who)

    def call(self, method, **params):
        return self.order("call", method=method, params=params)

    def end(self):
        return self.call("hold.end", hold=self.begun["result"]["hold"])["result"]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(FAIL_AFTER)
        self.process.stdin.close()
        self.lines.join(FAIL_AFTER)
        self.process.stdout.close()


class Opener:
    """A process that opens what it is told to, and says how long that took."""

    def __init__(self, test):
        self.process = subprocess.Popen([sys.executable, "-c", OPENER],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, bufsize=1)
        test.addCleanup(self.close)
        self.lines = LineReader(self.process.stdout)

    def open(self, path):
        self.process.stdin.write(path + "\n")
        what, seconds = self.lines.wait_for(lambda line: True, "an outcome").split()
        return what, float(seconds)

    def close(self):
        self.process.kill()
        self.process.wait(FAIL_AFTER)
        self.process.stdin.close()
        self.lines.join(FAIL_AFTER)
        self.process.stdout.close()


def guard_of(daemon):
    """The guard's pid; None when there is none."""
    pid = daemon.main_pid()
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        for child in f.read().split():
            with open(f"/proc/{child}/comm", encoding="ascii") as comm:
                if comm.read().strip() == "spguard-guard":
                    return int(child)
    return None


PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 17, 0x4206, 0x4207, 0x40000000


@contextlib.contextmanager
def frozen_loop(daemon):
    """The daemon's first thread stands still, and no other one."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

    def ptrace(request):
        if libc.ptrace(request, daemon.main_pid(), None, None) < 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    ptrace(PTRACE_SEIZE)
    ptrace(PTRACE_INTERRUPT)
    os.waitpid(daemon.main_pid(), WALL)
    try:
        yield
    finally:
        ptrace(PTRACE_DETACH)


class HoldTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")
        self.text = self.file("readme.txt")

    def held(self, daemon=None, **params):
        daemon = daemon or self.daemon()
        installer = Installer(self, daemon, **{"product": "app", "for": 600, **params})
        self.assertIn("result", installer.begun)
        return daemon, installer

    def last_end(self, daemon):
        return daemon.log_events("--kind", "hold-end")[-1]["detail"]

    # Who is refused what

    def test_others_are_refused_and_the_installer_is_not(self):
        program = self.program("Admin.exe", self.bin)
        other_name = self.path("elsewhere")
        os.link(self.dll, other_name)
        daemon, installer = self.held()
        self.assertEqual(installer.begun["result"]["files"], 2)
        self.assertEqual(installer.begun["result"]["directories"], 1)
        for flags in os.O_RDONLY, os.O_RDWR, os.O_RDONLY | os.O_NONBLOCK, os.O_WRONLY:
            self.assertEqual(outcome(self.dll, flags), "EBUSY")
        self.assertEqual(outcome(other_name), "EBUSY")
        with self.assertRaises(OSError) as refused:
            subprocess.run([program, "read", self.text], check=False)
        self.assertEqual(refused.exception.errno, errno.EBUSY)
        for who in "self", "child", "thread", "orphan":
            self.assertEqual(installer.open(self.dll, who), "ok", who)
        # What is no file of the product is nobody's business.
        self.assertEqual(outcome(self.text), "ok")
        self.assertEqual(outcome(self.file("New.txt")), "ok")
        with self.assertRaises(OSError):
            self.file("New.dll")
        report = installer.end()
        self.assertEqual(report["cause"], "ended")
        self.assertEqual(report["refused"], 7)
        self.assertEqual({(row["pid"], row["path"], row["executes"]) for row in report["who"]},
                         # By another name it is the same file.
                         {(os.getpid(), self.dll, False),
                          (os.getpid(), os.path.join(self.bin, "New.dll"), False)} |
                         {(row["pid"], program, True) for row in report["who"]
                          if row["executes"]})
        self.assertEqual(sum(row["times"] for row in report["who"]), 7)
        self.assertEqual(outcome(self.dll), "ok")
        self.assertEqual(daemon.stop(), 0, daemon.log_text())

    def test_an_orphan_that_never_opened_before(self):
        """Its parent has ended before anybody asked who it is."""
        _, installer = self.held()
        for _ in range(20):
            self.assertEqual(installer.open(self.dll, "orphan"), "ok")
        self.assertEqual(installer.end()["refused"], 0)

    def test_allowed_processes(self):
        opener, stranger = Opener(self), Opener(self)
        _, installer = self.held(pids=[opener.process.pid])
        self.assertEqual(opener.open(self.dll)[0], "ok")
        self.assertEqual(stranger.open(self.dll)[0], "EBUSY")
        report = installer.end()
        self.assertEqual([row["pid"] for row in report["who"]], [stranger.process.pid])

    def test_files_by_identity_and_new_directories(self):
        tree = self.directory("tree", "lib")
        deep = self.file("deep.dll", tree)
        link = os.path.join(self.directory("tree"), "link.dll")
        target = self.file("real.so", self.directory("far"))
        os.symlink(target, link)
        daemon = self.daemon(Product("app", self.path("tree"), recursive=True))
        _, installer = self.held(daemon)
        for path in deep, link, target:
            self.assertEqual(outcome(path), "EBUSY", path)
        # It keeps what it is under another name in a directory that is watched.
        os.rename(deep, deep + ".old")
        self.assertEqual(outcome(deep + ".old"), "EBUSY")
        os.rename(deep + ".old", deep)
        # A directory that the installer makes is held as soon as it was seen.
        rpc = self.rpc(daemon)
        rpc.call("subscribe", kinds=["create", "hold-refuse"])
        fresh = os.path.join(self.directory("tree", "fresh"), "fresh.dll")
        deadline = time.monotonic() + FAIL_AFTER
        while True:
            try:
                with open(fresh, "wb"):
                    pass
            except OSError as error:
                self.assertEqual(error.errno, errno.EBUSY)
                break
            self.assertLess(time.monotonic(), deadline, "a new directory is not held")
            rpc.call("check", product="app")  # a barrier: everything was drained
        self.assertEqual(installer.open(deep), "ok")

    def test_in_the_history(self):
        daemon, installer = self.held()
        for _ in range(5):
            outcome(self.dll)
        installer.end()
        events = daemon.log_events("--kind", "hold-begin,hold-refuse,hold-end")
        self.assertEqual([e["kind"] for e in events], ["hold-begin", "hold-refuse", "hold-end"])
        begin, refuse, end = events
        self.assertEqual((begin["pid"], begin["product"]), (installer.process.pid, "app"))
        self.assertEqual((refuse["pid"], refuse["path"], refuse["user"]),
                         (os.getpid(), self.dll, "root"))
        self.assertEqual(refuse["exe"], os.readlink("/proc/self/exe"))
        self.assertIn("5 times", refuse["detail"])
        self.assertEqual(end["detail"], "its command ended; 5 opens refused")

    def test_what_is_not_stopped_is_told(self):
        daemon, installer = self.held()
        os.rename(self.dll, self.dll + ".bak")
        os.rename(self.dll + ".bak", self.dll)
        os.truncate(self.dll, 10)
        installer.order("rename", **{"from": self.dll, "to": self.dll + ".mine"})
        daemon.check()
        told = installer.end()["not_stopped"]
        with open("/proc/self/comm", encoding="ascii") as f:
            who = f"by {f.read().strip()} (pid {os.getpid()})"
        self.assertTrue(all(line.endswith(who) for line in told), told)
        self.assertTrue(any(line.startswith("rename of " + self.dll) for line in told), told)
        self.assertTrue(any(line.startswith("modify of " + self.dll) for line in told), told)

    def test_a_hundred_openers(self):
        n, times = 100, 20
        daemon, installer = self.held()
        guard = guard_of(daemon)
        ready, go = os.pipe()
        results, report = os.pipe()
        for _ in range(n):
            if os.fork() == 0:
                os.close(go)
                os.read(ready, 1)
                bad = sum(outcome(self.dll) != "EBUSY" for _ in range(times))
                os.write(report, bytes([bad]))
                os._exit(0)
        os.close(report)
        os.close(go)
        # Meanwhile the guard has the file open, time and again: it is nobody.
        rpc = self.rpc(daemon)
        for _ in range(10):
            answer = rpc.call("check", product="app", all=True)
            for entry in answer["files"]:
                self.assertNotIn(guard, [use["pid"] for use in entry["uses"]])
            # Who waits to be refused looks like a user: never "blocked" for that.
            self.assertNotEqual(answer["verdict"], "blocked", self.show(answer))
        self.assertEqual(installer.open(self.dll, "orphan"), "ok")
        with open(results, "rb") as f:
            self.assertEqual(f.read(), bytes(n))
        for _ in range(n):
            os.wait()
        os.close(ready)
        told = installer.end()
        self.assertEqual(told["refused"], n * times)
        self.assertEqual(sum(row["times"] for row in told["who"]) + told["untold"], n * times)
        # A daemon that gets no time to listen is told less, and says of how many.
        self.assertLess(told["untold"], n * times)
        if not told["untold"]:
            self.assertEqual(len({row["pid"] for row in told["who"]}), n)

    # How it ends

    def test_ends_at_its_time(self):
        daemon, installer = self.held(**{"for": 1})
        self.assertEqual(outcome(self.dll), "EBUSY")
        event = installer.order("wait-end")
        self.assertIn("its time was over", event["detail"])
        self.assertEqual(outcome(self.dll), "ok")
        report = installer.end()
        self.assertEqual((report["cause"], report["refused"]), ("time-over", 1))
        self.assertIsNone(guard_of(daemon))

    def test_can_be_renewed(self):
        daemon, installer = self.held(**{"for": 2})
        hold = installer.begun["result"]["hold"]
        renewed = installer.call("hold.renew", **{"hold": hold, "for": 600})
        self.assertGreater(renewed["result"]["until"], installer.begun["result"]["until"])
        # A second one in another product ends later than the first would have.
        self.assertEqual(daemon.run("hold", "--for", "10s", "--yes", "--", "true")[0], 125)
        renewed = installer.call("hold.renew", **{"hold": hold, "for": 0.2})
        self.assertIn("its time was over", installer.order("wait-end")["detail"])
        self.assertIn("error", installer.call("hold.renew", **{"hold": hold, "for": 5}))

    # The client

    def client(self, daemon, *args, **more):
        return subprocess.run([SPGUARD, "--socket", daemon.socket, "hold", *args],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=FAIL_AFTER, **more)

    def test_client(self):
        daemon = self.daemon()
        ask = ["--for", "60s", "--yes", "--"]
        # The command's own output and exit code, and nothing else.
        done = self.client(daemon, *ask, "sh", "-c", f"cat {self.text}; cat < {self.dll} | wc -c; "
                           f"(setsid cat {self.dll} &) ; exit 7")
        self.assertEqual(done.returncode, 7, done.stderr)
        self.assertIn("1 files of app are held for 1m", done.stderr)
        self.assertIn("the hold has ended: 0 opens were refused", done.stderr)
        for command, code in ((["sh", "-c", "kill -9 $$"], 137), (["/nonexistent/x"], 127),
                              ([self.text], 126), (["true"], 0)):
            self.assertEqual(self.client(daemon, *ask, *command).returncode, code, command)
        # Nothing is run where nothing is held.
        mark = self.path("mark")
        for args in (["--for", "5s", "--", "touch", mark], ["--yes", "--", "touch", mark],
                     ["--for", "5s", "--yes", "touch", mark],
                     ["--for", "5h", "--yes", "--", "touch", mark],
                     ["--for", "5s", "--allow", "x", "--yes", "--", "touch", mark],
                     ["--for", "5s", "--product", "none", "--yes", "--", "touch", mark]):
            done = self.client(daemon, *args)
            self.assertEqual(done.returncode, 125, (args, done.stderr))
            self.assertTrue(done.stderr.startswith("spguard"), done.stderr)
            self.assertEqual(done.stdout, "")
        _, installer = self.held(daemon)
        done = self.client(daemon, *ask, "touch", mark)
        self.assertEqual(done.returncode, 125)
        self.assertIn("is held already", done.stderr)
        installer.end()
        daemon.stop()
        self.assertEqual(self.client(daemon, *ask, "touch", mark).returncode, 125)
        self.assertFalse(os.path.exists(mark))

    def spawn_client(self, daemon, *args):
        process = subprocess.Popen([SPGUARD, "--socket", daemon.socket, "hold", *args],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, bufsize=1)
        out, err = LineReader(process.stdout), LineReader(process.stderr)

        def close():
            process.kill()
            process.wait(FAIL_AFTER)
            process.stdin.close()
            for reader in out, err:
                reader.join(FAIL_AFTER)
                reader.stream.close()
        self.addCleanup(close)
        return process, out, err

    def test_client_tells_who_was_refused(self):
        daemon = self.daemon()
        process, out, err = self.spawn_client(
            daemon, "--for", "60s", "--yes", "--", "sh", "-c", "echo begun; read x; exit 3")
        out.wait_for(lambda line: line == "begun", "the command")
        self.assertEqual([outcome(self.dll) for _ in range(3)], ["EBUSY"] * 3)
        process.stdin.write("\n")
        process.stdin.flush()
        self.assertEqual(process.wait(FAIL_AFTER), 3)
        err.wait_for(lambda line: "3 opens were refused" in line, "the report")
        err.wait_for(lambda line: line.endswith(f"(pid {os.getpid()}): {self.dll}, 3 times"),
                     "who was refused")

    def test_client_json(self):
        daemon = self.daemon()
        done = self.client(daemon, "--json", "--for", "60s", "-y", "--", "true")
        report = json.loads(done.stderr.splitlines()[-1])
        self.assertEqual((report["cause"], report["refused"], report["who"]), ("ended", 0, []))
        self.assertEqual(done.stdout, "")

    def test_client_when_the_hold_ends_first(self):
        for end in "time", "daemon":
            daemon = self.daemon(home=end)
            process, out, err = self.spawn_client(
                daemon, "--for", "1s" if end == "time" else "60s", "--yes", "--",
                "sh", "-c", "echo begun; read x; exit 4")
            out.wait_for(lambda line: line == "begun", "the command")
            if end == "daemon":
                daemon.kill()
            err.wait_for(lambda line: "the hold is over, the command goes on" in line,
                         "the warning")
            process.stdin.write("\n")
            process.stdin.flush()
            self.assertEqual(process.wait(FAIL_AFTER), 4)

    def test_client_passes_signals_on(self):
        daemon = self.daemon()
        process, out, _ = self.spawn_client(
            daemon, "--for", "60s", "--yes", "--", "sh", "-c",
            "trap 'echo got; exit 5' TERM; echo begun; while :; do read x; done")
        out.wait_for(lambda line: line == "begun", "the command")
        process.terminate()
        out.wait_for(lambda line: line == "got", "the signal")
        self.assertEqual(process.wait(FAIL_AFTER), 5)

    def test_client_asks_at_a_terminal(self):
        daemon = self.daemon()
        for answer, code in ("y", 6), ("n", 125), ("", 125):
            master, slave = pty.openpty()
            process = subprocess.Popen(
                [SPGUARD, "--socket", daemon.socket, "hold", "--for", "30m", "--", "sh", "-c",
                 "exit 6"], stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
            os.close(slave)
            text = b""
            while b"[y/N]" not in text:
                text += os.read(master, 4096)
            self.assertIn(f"new opens of 1 files in {self.bin} to everyone else for 30m",
                          text.decode())
            os.write(master, answer.encode() + b"\n")
            self.assertEqual(process.wait(FAIL_AFTER), code)
            os.close(master)

    def test_ends_with_the_connection(self):
        daemon, installer = self.held()
        rpc = self.rpc(daemon)
        rpc.call("subscribe", kinds=["hold-end"])
        guard = guard_of(daemon)
        installer.process.kill()
        await_end(guard)
        self.assertEqual(outcome(self.dll), "ok")
        event = rpc.wait_notification(lambda _, e: e.get("kind") == "hold-end")
        self.assertIn("the client's connection ended", event["detail"])

    def test_ends_with_the_daemon(self):
        for number in signal.SIGKILL, signal.SIGTERM:
            home = signal.Signals(number).name
            daemon, installer = self.held(self.daemon(home=home))
            guard = guard_of(daemon)
            opener = Opener(self)
            self.assertEqual(opener.open(self.dll)[0], "EBUSY")
            daemon.signal(number)
            daemon.process.wait(FAIL_AFTER)
            await_end(guard)
            what, seconds = opener.open(self.dll)
            self.assertEqual(what, "ok")
            self.assertLess(seconds, RELEASED_WITHIN)
            installer.close()
            if number == signal.SIGTERM:
                self.assertEqual(daemon.process.returncode, 0, daemon.log_text())
                again = self.daemon(home=home)
                self.assertIn("spguardd was stopped", self.last_end(again))

    def test_ends_with_the_guard(self):
        for number in signal.SIGKILL, signal.SIGTERM:
            daemon, installer = self.held()
            os.kill(guard_of(daemon), number)
            self.assertIn("the guard died", installer.order("wait-end")["detail"])
            self.assertEqual(outcome(self.dll), "ok")
            report = installer.end()
            self.assertEqual(report["cause"], "guard-died")
            # Another one can begin at once.
            again = installer.call("hold.begin", **{"product": "app", "for": 60})
            self.assertEqual(outcome(self.dll), "EBUSY")
            self.assertEqual(installer.call(
                "hold.end", hold=again["result"]["hold"])["result"]["refused"], 1)
            self.assertEqual(daemon.stop(), 0, daemon.log_text())

    # Nobody waits for long

    def assert_released(self, opener, *allowed):
        what, seconds = opener.open(self.dll)
        self.assertIn(what, allowed)
        self.assertLess(seconds, RELEASED_WITHIN)

    def test_the_guard_is_stopped(self):
        daemon, installer = self.held()
        opener, guard = Opener(self), guard_of(daemon)
        self.assertEqual(opener.open(self.dll)[0], "EBUSY")
        os.kill(guard, signal.SIGSTOP)
        self.assert_released(opener, "ok")
        await_end(guard)
        event = installer.order("wait-end")
        self.assertRegex(event["detail"], "the guard (did not answer and was ended|died)")
        self.assertEqual(daemon.stop(), 0, daemon.log_text())

    def test_the_daemon_is_stopped(self):
        daemon, installer = self.held()
        opener, guard = Opener(self), guard_of(daemon)
        os.kill(daemon.main_pid(), signal.SIGSTOP)
        try:
            self.assert_released(opener, "EBUSY", "ok")
            await_end(guard)
            self.assert_released(opener, "ok")
        finally:
            os.kill(daemon.main_pid(), signal.SIGCONT)
        self.assertIn("the daemon did not answer", installer.order("wait-end")["detail"])
        self.assertEqual(daemon.stop(), 0, daemon.log_text())

    def test_the_loop_is_busy(self):
        """For longer than silence may last: that long another daemon is silent."""
        daemon, installer = self.held()
        elsewhere = os.path.dirname(self.file("Other.dll", self.directory("elsewhere")))
        other, _ = self.held(
            self.daemon(Product("app", elsewhere), home="other"))
        guard_of_other = guard_of(other)
        with frozen_loop(daemon):
            os.kill(other.main_pid(), signal.SIGSTOP)
            try:
                await_end(guard_of_other)
            finally:
                os.kill(other.main_pid(), signal.SIGCONT)
            self.assertEqual(outcome(self.dll), "EBUSY")
        self.assertEqual(outcome(self.dll), "EBUSY")
        self.assertEqual(installer.end()["cause"], "ended")

    def test_the_loop_is_stuck(self):
        daemon, installer = self.held()
        guard = guard_of(daemon)
        with frozen_loop(daemon):
            self.assertEqual(outcome(self.dll), "EBUSY")
            await_end(guard)
            self.assertEqual(outcome(self.dll), "ok")
        self.assertIn("the daemon did not answer", installer.order("wait-end")["detail"])

    def test_both_are_stopped(self):
        daemon, _ = self.held()
        opener, guard = Opener(self), guard_of(daemon)
        os.kill(daemon.main_pid(), signal.SIGSTOP)
        try:
            os.kill(guard, signal.SIGSTOP)
            self.assert_released(opener, "ok")
        finally:
            os.kill(daemon.main_pid(), signal.SIGCONT)

    # Who may, and what else is refused

    def test_one_at_a_time(self):
        daemon = self.daemon(Product("app", self.bin), Product("other", self.directory("other")))
        _, installer = self.held(daemon)
        rpc = self.rpc(daemon)
        with self.assertRaises(RpcError) as refused:
            rpc.call("hold.begin", **{"product": "app", "for": 60})
        self.assertEqual(refused.exception.code, -32004)
        self.assertIn(str(installer.process.pid), refused.exception.message)
        other = rpc.call("hold.begin", **{"product": "other", "for": 60})
        rpc.call("hold.end", hold=other["hold"])
        for params, words in (({"product": "app", "for": 0}, "for"),
                              ({"product": "app", "for": 14401}, "for"),
                              ({"for": 5}, "which one"),
                              ({"product": "other", "for": 5, "pids": [0]}, "pids"),
                              ({"product": "other", "for": 5, "pids": ["1"]}, "pids"),
                              ({"product": "other", "for": 5, "pids": [2 ** 22 + 1]}, "process")):
            with self.assertRaises(RpcError) as refused:
                rpc.call("hold.begin", **params)
            self.assertEqual(refused.exception.code, -32602)
            self.assertIn(words, refused.exception.message)
        # A hold is its connection's.
        for method in "hold.end", "hold.renew":
            with self.assertRaises(RpcError) as refused:
                rpc.call(method, hold=installer.begun["result"]["hold"],
                         **({"for": 5} if method == "hold.renew" else {}))
            self.assertEqual(refused.exception.code, -32602)

    def test_others_may_not(self):
        daemon = self.daemon()
        connections = []
        result, report = os.pipe()
        os.chmod(self.scratch, 0o755)
        os.chmod(daemon.home, 0o755)
        child = os.fork()
        if child == 0:
            code = b"nothing"
            try:
                os.setgroups([])
                os.setuid(65534)  # of the socket's group still
                connections.append(Rpc(daemon.socket))
                connections[0].call("hold.begin", **{"product": "app", "for": 60})
            except RpcError as error:
                code = str(error.code).encode()
            except OSError as error:
                code = str(error).encode()
            finally:
                os.write(report, code)
                os._exit(0)
        os.close(report)
        os.waitpid(child, 0)
        with open(result, "rb") as f:
            self.assertEqual(f.read(), b"-32001")
        self.assertEqual(outcome(self.dll), "ok")

    def test_without_directories(self):
        daemon = self.daemon(Product("app", self.path("nowhere")))
        installer = Installer(self, daemon, **{"product": "app", "for": 60})
        self.assertIn("none of its directories is there", installer.begun["error"])
        self.assertEqual(daemon.log_events("--kind", "hold-begin,hold-end"), [])
        self.assertEqual(daemon.stop(), 0, daemon.log_text())

    def test_the_guard_has_nothing_it_does_not_need(self):
        daemon, _ = self.held()
        guard = guard_of(daemon)
        links = [os.readlink(f"/proc/{guard}/fd/{fd}") for fd in os.listdir(f"/proc/{guard}/fd")]
        self.assertEqual(len([link for link in links if "fanotify" in link]), 1, links)
        self.assertLessEqual(len(links), 5, links)
        with open(f"/proc/{guard}/status", encoding="ascii") as f:
            status = dict(line.split(":", 1) for line in f)
        for which in "CapEff", "CapPrm":
            self.assertEqual(int(status[which], 16) & ~(1 << 19 | 1 << 2), 0, which)


if __name__ == "__main__":
    main()
