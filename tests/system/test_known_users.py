#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Asked again and again, a file that is in use costs what its users cost: whoever was found
last is looked at again, and nobody else. Whatever changes in them, beside them or about
them shows in the very next answer."""
import ctypes
import os
import subprocess
import sys

from support import (FAIL_AFTER, LineReader, Product, SystemTest, main, only_in,
                     private_mounts, tier_in_force)

# A process that has a file open, and does what it is told to.
ACTOR = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
fd = os.open(sys.argv[1], os.O_RDONLY)
os.set_inheritable(fd, True)
print("ready", flush=True)
for line in sys.stdin:
    command, _, rest = line.rstrip("\\n").partition(" ")
    if command == "name":
        libc.prctl(15, rest.encode(), 0, 0, 0)
    elif command == "become":
        os.execv(rest, [rest, "idle", sys.argv[1]])
    elif command == "again":
        os.execv("/proc/self/exe", [rest] + sys.orig_argv[1:])
    print("done", flush=True)
"""
IN_OPEN = 0x20
# As many checks have all that can be known at hand for the next one.
OFTEN = 4


def setUpModule():
    private_mounts()


class Actor:
    def __init__(self, path):
        self.process = subprocess.Popen(
            [sys.executable, "-c", ACTOR, path], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, bufsize=1)
        self.pid = self.process.pid
        self.lines = LineReader(self.process.stdout)
        self.await_line("ready")

    def await_line(self, word):
        self.lines.wait_for(lambda line: line.startswith(word), f"'{word}' of an actor")

    def tell(self, command, answer="done"):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        self.await_line(answer)

    def close(self):
        self.process.kill()
        self.process.wait(FAIL_AFTER)
        self.process.stdin.close()
        self.lines.join(FAIL_AFTER)
        self.process.stdout.close()


class KnownUsersTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")
        self.others = [self.file(f"Other{n}.dll") for n in range(3)]
        self.running = self.daemon(Product("app", self.bin, setup_stops="store.exe"))

    def actor(self):
        actor = Actor(self.dll)
        self.addCleanup(actor.close)
        return actor

    def ask_often(self, *verdicts):
        for _ in range(OFTEN):
            answer = self.running.check()
            self.assert_verdict(answer, *verdicts)
        return answer

    def assert_class(self, pid, kind):
        """Who setup stops does not block; but only counts can tell that it is alone."""
        stops = kind == "setup-stops"
        verdict = ("blocked" if not stops else
                   "safe" if tier_in_force() == "bpf" else "unknown")
        use = self.use_of(self.ask_often(verdict), self.dll, pid)
        self.assertEqual(use["class"], kind, self.show(use))
        return use

    @only_in("bpf")
    def test_no_directory_is_listed(self):
        holders = [self.hold(state, self.dll)
                   for state in ("read", "mapped", "posix", "write")]
        if self.ask_often("blocked")["proof"]["took_us"] > 2000:
            self.skipTest("too slow a machine: that takes more than a turn of the loop may")
        libc = ctypes.CDLL(None)
        watcher = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self.addCleanup(os.close, watcher)
        self.assertGreater(
            libc.inotify_add_watch(watcher, self.bin.encode(), IN_OPEN), 0)
        answer = self.ask_often("blocked")
        for holder in holders:
            self.use_of(answer, self.dll, holder.pid)
        self.lock_of(answer, self.dll, kind="posix", state="held")
        self.assertRaises(BlockingIOError, os.read, watcher, 4096)
        # It would have been seen.
        os.listdir(self.bin)
        self.assertTrue(os.read(watcher, 4096))

    def test_takes_another_name(self):
        actor = self.actor()
        self.assert_class(actor.pid, "blocker")
        for _ in range(2):
            actor.tell("name store.exe")
            self.assert_class(actor.pid, "setup-stops")
            actor.tell("name stored.exe")
            self.assertEqual(self.assert_class(actor.pid, "blocker")["name"], "stored.exe")

    def test_becomes_another_program(self):
        actor = self.actor()
        self.assert_class(actor.pid, "blocker")
        actor.tell("become " + self.program("store.exe"), "ready")
        self.assert_class(actor.pid, "setup-stops")

    def test_becomes_the_same_program_again(self):
        """Only its first argument is another one, which has what the kernel cuts off."""
        actor = self.actor()
        for name in ("Directory-Server-1.exe", "Directory-Server-2.exe"):
            actor.tell("again " + name, "ready")
            actor.tell("name " + name)
            self.assertEqual(self.assert_class(actor.pid, "blocker")["name"], name)

    def test_its_program_is_renamed(self):
        path = self.program("other.exe")
        holder = self.hold("read", self.dll, program=path)
        self.assert_class(holder.pid, "blocker")
        renamed = os.path.join(os.path.dirname(path), "store.exe")
        os.rename(path, renamed)
        self.assertEqual(self.assert_class(holder.pid, "setup-stops")["exe"], renamed)
        os.rename(renamed, path)
        self.assertEqual(self.assert_class(holder.pid, "blocker")["exe"], path)

    def test_somebody_comes(self):
        known = self.hold("mapped", self.dll, program=self.program("store.exe"))
        for state in ("read", "mapped", "posix", "in-flight", "io-uring"):
            with self.subTest(state=state):
                self.assert_class(known.pid, "setup-stops")
                other = self.hold(state, self.dll)
                self.assert_never_safe(self.running.check())
                self.assert_never_safe(self.ask_often("blocked", "unknown"))
                other.kill()

    def share(self, state, known):
        descriptors = f"/proc/{known.pid}/fd"
        number, = (n for n in os.listdir(descriptors)
                   if os.path.realpath(os.path.join(descriptors, n)) == self.dll)
        return self.hold(state, self.dll, "share", known.pid, number)

    def test_who_shares_what_is_open_is_named(self):
        known = self.hold("read", self.dll)
        for state in ("read", "mapped", "dup"):
            with self.subTest(state=state):
                self.assert_class(known.pid, "blocker")
                other = self.share(state, known)
                self.use_of(self.running.check(), self.dll, other.pid)
                self.use_of(self.ask_often("blocked"), self.dll, other.pid)
                other.kill()

    def test_somebody_shares_what_is_open(self):
        for state in ("in-flight", "in-flight-nested", "io-uring", "mapped"):
            with self.subTest(state=state):
                known = self.hold("read", self.dll, program=self.program("store.exe"))
                self.assert_class(known.pid, "setup-stops")
                other = self.share(state, known)
                self.assert_never_safe(self.running.check())
                self.assert_never_safe(self.ask_often("blocked", "unknown"))
                known.kill()
                self.assert_never_safe(self.running.check())
                other.kill()
                # A kernel thread ends a ring, some time after its process.
                self.assert_verdict(self.running.check("--wait=60s", "--settle=0s"), "safe")

    def test_another_file_is_used(self):
        known = self.hold("read", self.dll, program=self.program("store.exe"))
        for path in self.others:
            self.assert_class(known.pid, "setup-stops")
            other = self.hold("mapped", path)
            answer = self.running.check()
            self.assert_verdict(answer, "blocked")
            self.use_of(answer, path, other.pid)
            other.kill()

    def test_goes(self):
        holder = self.hold("mapped", self.dll)
        for _ in range(2):
            self.ask_often("blocked")
            holder.kill()
            self.ask_often("safe")
            holder = self.hold("read", self.dll)

    def test_a_lock_comes_and_goes(self):
        holder = self.hold("read", self.dll)
        self.ask_often("blocked")
        locker = self.hold("flock-exclusive", self.dll)
        self.lock_of(self.running.check(), self.dll, kind="flock", state="held")
        self.lock_of(self.ask_often("blocked"), self.dll, kind="flock", state="held")
        locker.kill()
        answer = self.ask_often("blocked")
        self.assertEqual(self.file_of(answer, self.dll)["locks"], [], self.show(answer))
        self.use_of(answer, self.dll, holder.pid)

    def test_the_file_is_replaced(self):
        holder = self.hold("mapped", self.dll)
        self.ask_often("blocked")
        fresh = self.file("fresh", self.scratch)
        os.rename(fresh, self.dll)
        for _ in range(OFTEN):
            answer = self.running.check()
            self.assert_verdict(answer, "blocked")
            self.assertTrue(any(reason.get("pid") == holder.pid
                                for reason in answer["reasons"]), self.show(answer))


if __name__ == "__main__":
    main()
