#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One call of the daemon's fails, the first, the second and so on, until the work is done
without it: memory, open, read, write, a new thread, a system call. The daemon goes on,
says nothing wrong, and when it is over its answers are the truth.

SPGUARD_FAIL_STEP=1 tries each; without it the steps grow, as a stretch of one work does the
same again and again."""
import mmap
import os
import struct

from support import (BUILD, FOR_DOS, Failure, Product, Rpc, RpcError, SystemTest, await_end,
                     main)

LIBRARY = os.path.join(BUILD, "tests", "system", "fail_nth.so")
STEP = int(os.environ.get("SPGUARD_FAIL_STEP", "0"))
MEMORY, OPEN, READ, WRITE, THREAD, SYSCALL = 1, 2, 4, 8, 16, 32
# A thread first: later on all are there.
KINDS = {"thread": THREAD, "memory": MEMORY, "open": OPEN, "read": READ, "write": WRITE,
         "syscall": SYSCALL}


class Faults:
    """struct control of tests/support/fail_nth.c."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as f:
            f.write(bytes(24))
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 24)

    def arm(self, nth, kinds):
        self.map[:] = struct.pack("=qqq", nth, 0, kinds)

    def disarm(self):
        """True: a call has failed."""
        failed, = struct.unpack("=q", self.map[8:16])
        self.map[:8] = bytes(8)
        return failed > 0


def series(first=1):
    n = first
    while True:
        yield n
        n += STEP or max(1, n // 4)


class FailNthTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")
        self.free = self.file("Free.dll")
        self.faults = Faults(self.path("faults"))

    def start(self):
        return self.daemon(Product("app", self.bin), prefix=(
            "env", f"LD_PRELOAD={LIBRARY}", f"SPG_FAIL_NTH={self.faults.path}"))

    def children(self, pid):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(word) for word in f.read().split()]

    def ask(self, daemon, method, **params):
        """The answer; None: an error, or the end of the connection."""
        try:
            rpc = Rpc(daemon.socket)
        except OSError:
            return None
        try:
            return rpc.call(method, **params)
        except (RpcError, Failure, ConnectionError):
            return None
        finally:
            rpc.close()

    def each(self, daemon, work, check=None):
        for kind, bit in KINDS.items():
            for nth in series():
                with self.subTest(kind=kind, nth=nth):
                    self.faults.arm(nth, bit)
                    answer = work()
                    failed = self.faults.disarm()
                    self.assertIsNone(daemon.process.poll(), daemon.log_text()[-2000:])
                    if check and answer is not None:
                        check(answer)
                if not failed:
                    break

    def assert_truth(self, daemon, verdict):
        try:
            rpc = Rpc(daemon.socket)
        except OSError as error:
            self.fail(f"{error} ({daemon.process.poll()}): {daemon.log_text()[-2000:]}")
        self.addCleanup(rpc.close)
        params = {"wait": 30, "settle": 0} if verdict == "safe" else {}
        self.assert_verdict(rpc.call("check", **params), verdict)

    def test_questions(self):
        daemon = self.start()
        holder = self.hold("read", self.dll)
        self.assert_truth(daemon, "blocked")

        def is_no_wrong_safe(answer):
            self.assertNotEqual(answer.get("verdict"), "safe", self.show(answer))

        for method, params in (("check", {}), ("check", {"names": ["Mdbperf.dll", "x.dll"]}),
                               ("who", {}), ("locks", {}), ("log", {}), ("status", {}),
                               ("metrics", {}), ("installs", {}), ("verify", {}),
                               ("timeline", {"product": "app"}), ("flush", {})):
            with self.subTest(method=method):
                self.each(daemon, lambda m=method, p=params: self.ask(daemon, m, **p),
                          is_no_wrong_safe)
                self.assert_truth(daemon, "blocked")
        holder.release()
        self.assert_truth(daemon, "safe")
        self.assertEqual(daemon.stop(), 0, daemon.log_text()[-2000:])

    def test_reload(self):
        daemon = self.start()
        holder = self.hold("read", self.dll)
        self.each(daemon, lambda: self.ask(daemon, "reload"))
        self.ask(daemon, "reload")
        self.assert_truth(daemon, "blocked")
        holder.release()
        self.assert_truth(daemon, "safe")
        self.assertEqual(daemon.stop(), 0, daemon.log_text()[-2000:])

    def test_hold(self):
        daemon = self.start()

        def await_guards():
            """A hold that lost its client ends by itself; until then there is no other."""
            pid = daemon.main_pid()
            for child in self.children(pid):
                await_end(child)

        def hold_and_end():
            begun = None
            try:
                rpc = Rpc(daemon.socket)
            except OSError:
                return None
            try:
                begun = rpc.call("hold.begin", product="app", **{"for": 60})
                return rpc.call("hold.end", hold=begun["hold"])
            except (RpcError, Failure, ConnectionError):
                return None
            finally:
                rpc.close()
                await_guards()

        self.each(daemon, hold_and_end)
        self.assertIsNotNone(hold_and_end())
        self.assert_truth(daemon, "safe")
        self.assertEqual(daemon.stop(), 0, daemon.log_text()[-2000:])

    def test_an_install(self):
        """The replaced file's new version is what is there, whatever was missed."""
        daemon = self.start()
        n = 0

        def install():
            nonlocal n
            n += 1
            os.rename(self.file("new", content=FOR_DOS + b"version %d\n" % n), self.dll)
            return self.ask(daemon, "flush")

        self.each(daemon, install)
        self.assert_truth(daemon, "safe")
        holder = self.hold("mapped", self.dll)
        self.assert_truth(daemon, "blocked")
        holder.kill()
        self.assert_truth(daemon, "safe")
        self.assertEqual(daemon.stop(), 0, daemon.log_text()[-2000:])


if __name__ == "__main__":
    main()
