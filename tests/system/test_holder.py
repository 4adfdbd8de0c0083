#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The holder itself: each state is really there, by the kernel's own lists. The
other tests are worth no more than this."""
import fcntl
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness  # noqa: E402


def fd_targets(pid, tid=None):
    base = f"/proc/{pid}/task/{tid}/fd" if tid else f"/proc/{pid}/fd"
    targets = []
    for fd in os.listdir(base):
        try:
            targets.append(os.readlink(f"{base}/{fd}"))
        except FileNotFoundError:
            pass
    return targets


def maps(pid, path):
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as f:
        return [line.split() for line in f if line.rstrip("\n").endswith(path)]


class HolderTest(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.mkdtemp(prefix="spguard-test-")
        self.addCleanup(shutil.rmtree, self.scratch)
        self.path = os.path.join(self.scratch, "file")
        with open(self.path, "wb") as f:
            f.write(b"content " * 1000)

    def hold(self, state, *args, path=None):
        holder = harness.Holder(state, path or self.path, *args)
        self.addCleanup(holder.close)
        return holder

    def locks(self):
        """Lines of /proc/locks about the file, split into words. The kernel tells them page
        by page, and others' locks come and go: a line may be there twice, or not at all."""
        ino = f":{os.stat(self.path).st_ino}"
        before = None
        while True:
            with open("/proc/locks", encoding="ascii") as f:
                found = [line.split()[1:] for line in f
                         if any(w.endswith(ino) for w in line.split())]
            if found == before:
                return found
            before = found

    def has_fd(self, pid, tid=None):
        return self.path in fd_targets(pid, tid)

    def test_descriptors(self):
        for state in ("read", "write", "dup", "fork", "orphan"):
            with self.subTest(state=state):
                holder = self.hold(state)
                self.assertEqual(len(holder.pids), 2 if state == "fork" else 1)
                for pid in holder.pids:
                    self.assertTrue(self.has_fd(pid))
                if state == "orphan":
                    self.assertFalse(self.has_fd(holder.process.pid))
                    with open(f"/proc/{holder.pid}/stat", encoding="ascii") as f:
                        self.assertNotEqual(int(f.read().split()[3]), holder.process.pid)
                holder.release()
                for pid in holder.pids:
                    self.assertFalse(os.path.exists(f"/proc/{pid}") and self.has_fd(pid))

    def test_mappings(self):
        for state, protection in (("mapped", "r--s"), ("mapped-private", "rw-p"),
                                  ("mapped-none", "---s")):
            with self.subTest(state=state):
                holder = self.hold(state)
                self.assertEqual([m[1] for m in maps(holder.pid, self.path)], [protection])
                self.assertFalse(self.has_fd(holder.pid))
                holder.release()
                self.assertEqual(maps(holder.pid, self.path), [])

    def test_mapping_in_pieces(self):
        with open(self.path, "wb") as f:
            f.write(b"x" * 65536)
        holder = self.hold("mapped-pieces")
        self.assertEqual([m[1] for m in maps(holder.pid, self.path)],
                         ["r--s", "---s", "r--s", "r--s"])
        holder.release()
        self.assertEqual(maps(holder.pid, self.path), [])

    def test_mapped_without_a_leader(self):
        holder = self.hold("leader-exited-mapped")
        with open(f"/proc/{holder.pid}/maps", encoding="ascii") as f:
            self.assertEqual(f.read(), "")
        tid = max(int(t) for t in os.listdir(f"/proc/{holder.pid}/task"))
        self.assertEqual(len(maps(f"{holder.pid}/task/{tid}", self.path)), 1)
        holder.release()
        self.assertFalse(self.in_use())

    def test_library(self):
        path = os.path.join(self.scratch, "Mdbperf.dll")
        shutil.copy(harness.LIBRARY, path)
        holder = self.hold("dlopen", path=path)
        self.assertIn("r-xp", [m[1] for m in maps(holder.pid, path)])
        holder.release()
        self.assertEqual(maps(holder.pid, path), [])

    def test_executable(self):
        path = os.path.join(self.scratch, "Store.exe")
        shutil.copy(harness.HOLDER, path)
        holder = self.hold("exec", path=path)
        self.assertEqual(os.readlink(f"/proc/{holder.pid}/exe"), path)
        holder.release()
        self.assertFalse(os.path.exists(f"/proc/{holder.pid}"))

    def test_thread_with_its_own_table(self):
        holder = self.hold("thread-table")
        self.assertFalse(self.has_fd(holder.pid))
        threads = [int(t) for t in os.listdir(f"/proc/{holder.pid}/task")]
        self.assertEqual([self.has_fd(holder.pid, t) for t in sorted(threads)], [False, True])
        holder.release()
        # The thread may still be on its way out; it holds nothing any more.
        for tid in os.listdir(f"/proc/{holder.pid}/task"):
            try:
                self.assertFalse(self.has_fd(holder.pid, int(tid)))
            except FileNotFoundError:
                pass

    def test_leader_exited(self):
        holder = self.hold("leader-exited")
        with open(f"/proc/{holder.pid}/task/{holder.pid}/stat", encoding="ascii") as f:
            self.assertEqual(f.read().split()[2], "Z")
        self.assertEqual(os.listdir(f"/proc/{holder.pid}/fd"), [])
        tid = max(int(t) for t in os.listdir(f"/proc/{holder.pid}/task"))
        self.assertTrue(self.has_fd(holder.pid, tid))
        holder.release()
        self.assertFalse(self.has_fd(holder.pid, tid))

    def test_shared(self):
        """Two processes, not threads of one, with one table or one memory."""
        for state in ("shared-table", "shared-memory"):
            with self.subTest(state=state):
                holder = self.hold(state)
                for pid in holder.pids:
                    with open(f"/proc/{pid}/status", encoding="ascii") as f:
                        self.assertIn(f"Tgid:\t{pid}\n", f.read())
                    self.assertEqual(self.has_fd(pid), state == "shared-table")
                    self.assertEqual(len(maps(pid, self.path)), state == "shared-memory")
                self.assertEqual(len(set(holder.pids)), 2)
                holder.release()
                self.assertFalse(self.in_use())

    def test_vfork(self):
        holder = self.hold("vfork")
        with open(f"/proc/{holder.pid}/stat", encoding="ascii") as f:
            parent = int(f.read().split()[3])
        # It stands still: uninterruptible, or killable, as kernels show it.
        with open(f"/proc/{parent}/stat", encoding="ascii") as f:
            self.assertEqual(f.read().split()[2], "D")
        self.assertTrue(self.has_fd(holder.pid))
        self.assertFalse(self.has_fd(parent))
        holder.release()
        self.assertFalse(self.in_use())

    def test_user_namespace(self):
        holder = self.hold("user-namespace")
        self.assertNotEqual(os.readlink(f"/proc/{holder.pid}/ns/user"),
                            os.readlink("/proc/self/ns/user"))
        self.assertTrue(self.has_fd(holder.pid))

    def test_many_descriptors(self):
        for state, expected in (("crowd", 10000), ("haystack", 1)):
            with self.subTest(state=state):
                holder = self.hold(state)
                targets = fd_targets(holder.pid)
                self.assertGreaterEqual(len(targets), 10000)
                self.assertEqual(targets.count(self.path), expected)
                holder.release()
                self.assertFalse(self.in_use())

    def test_what_no_table_shows(self):
        for state in ("in-flight", "in-flight-nested", "in-flight-unaccepted", "io-uring",
                      "io-uring-sparse", "io-uring-direct", "io-uring-mapped", "loop",
                      "loop-autoclear", "acct"):
            with self.subTest(state=state):
                holder = self.hold(state)
                self.assertFalse(self.has_fd(holder.pid))
                self.assertEqual(maps(holder.pid, self.path), [])
                # Yet somebody has it: a write lease is refused.
                self.assertTrue(self.in_use())
                holder.release()
                self.assertFalse(self.in_use())

    def test_undone_when_killed(self):
        holder = self.hold("loop")
        self.assertTrue(self.in_use())
        holder.close()
        self.assertFalse(self.in_use())

    def in_use(self):
        """True when the kernel refuses a write lease: somebody has the file."""
        fd = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            return False
        except BlockingIOError:
            return True
        finally:
            os.close(fd)

    def test_o_path(self):
        holder = self.hold("o-path")
        self.assertTrue(self.has_fd(holder.pid))
        self.assertFalse(self.in_use())

    def test_namespaces(self):
        os.mkdir(os.path.join(self.scratch, "elsewhere"))
        holder = self.hold("namespaces", os.path.join(self.scratch, "elsewhere"))
        for kind in ("pid", "mnt"):
            self.assertNotEqual(os.readlink(f"/proc/{holder.pid}/ns/{kind}"),
                                os.readlink(f"/proc/self/ns/{kind}"))
        same = [fd for fd in os.listdir(f"/proc/{holder.pid}/fd") if os.path.samestat(
            os.stat(f"/proc/{holder.pid}/fd/{fd}"), os.stat(self.path))]
        self.assertEqual(len(same), 1)
        self.assertFalse(os.path.exists(os.path.join(self.scratch, "elsewhere", "file")))

    def test_locks(self):
        rows = (
            ("posix", ["write:0:0"], [["POSIX", "ADVISORY", "WRITE", "PID", "0", "EOF"]]),
            ("posix", ["read:5:10", "write:100:0"],
             [["POSIX", "ADVISORY", "READ", "PID", "5", "14"],
              ["POSIX", "ADVISORY", "WRITE", "PID", "100", "EOF"]]),
            ("ofd", ["read:0:1"], [["OFDLCK", "ADVISORY", "READ", "-1", "0", "0"]]),
            ("ofd", ["write:7:1"], [["OFDLCK", "ADVISORY", "WRITE", "-1", "7", "7"]]),
            ("flock-shared", [], [["FLOCK", "ADVISORY", "READ", "PID", "0", "EOF"]]),
            ("flock-exclusive", [], [["FLOCK", "ADVISORY", "WRITE", "PID", "0", "EOF"]]),
            ("lease-read", [], [["LEASE", "ACTIVE", "READ", "PID", "0", "EOF"]]),
            ("lease-write", [], [["LEASE", "ACTIVE", "WRITE", "PID", "0", "EOF"]]),
            ("lost-lock", [], []),
        )
        for state, args, expected in rows:
            with self.subTest(state=state, args=args):
                holder = self.hold(state, *args)
                found = [words[:4] + words[5:] for words in self.locks()]
                expected = [[str(holder.pid) if w == "PID" else w for w in row]
                            for row in expected]
                self.assertEqual(sorted(found), sorted(expected))
                self.assertTrue(self.has_fd(holder.pid))
                holder.release()
                self.assertEqual(self.locks(), [])
                self.assertFalse(self.has_fd(holder.pid))

    def test_heir_of_a_lock(self):
        holder = self.hold("flock-heir")
        shown = int(self.locks()[0][3])
        self.assertNotEqual(shown, holder.pid)
        self.assertFalse(os.path.exists(f"/proc/{shown}"))
        self.assertTrue(self.has_fd(holder.pid))
        holder.release()
        self.assertEqual(self.locks(), [])

    def test_waiters(self):
        for held, waits, pid_shown in (("posix", "wait-posix", True), ("ofd", "wait-ofd", False),
                                       ("flock-exclusive", "wait-flock", True)):
            with self.subTest(waits=waits):
                owner = self.hold(held)
                waiter = self.hold(waits)
                waiting = [words for words in self.locks() if words[0] == "->"]
                self.assertEqual(len(waiting), 1)
                self.assertEqual(waiting[0][4], str(waiter.pid) if pid_shown else "-1")
                waiter.release()
                self.assertEqual([w for w in self.locks() if w[0] == "->"], [])
                owner.release()

    def test_killed(self):
        for state in ("read", "mapped", "fork", "orphan", "flock-heir", "acct", "posix",
                      "lease-read",
                      "in-flight", "leader-exited", "thread-table", "shared-table",
                      "shared-memory", "vfork", "user-namespace", "loop-autoclear"):
            with self.subTest(state=state):
                self.hold(state).kill()
                self.assertFalse(self.in_use())


if __name__ == "__main__":
    harness.main()
