#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""In the tier bpf the kernel reports each lock as it comes and goes, however short
it was: every one is in the history, with its true owner, and no other."""
import fcntl
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import threading

from support import Product, SystemTest, main, only_in, private_mounts

PAIRS = 200
F_OFD_SETLK = 37  # linux/fcntl.h


# A lock of every kind, of a process of its own: the state, its lock in history.
HELD = {
    "posix": ("posix", "write", "held", 0, None),
    "ofd": ("ofd", "write", "held", 0, None),
    "flock-exclusive": ("flock", "write", "held", 0, None),
}


def setUpModule():
    private_mounts()


def range_lock(command, fd, kind, start=0, length=0):
    fcntl.fcntl(fd, command, struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0))


def posix(fd, kind, *where):
    range_lock(fcntl.F_SETLK, fd, kind, *where)


def ofd(fd, kind, *where):
    range_lock(F_OFD_SETLK, fd, kind, *where)


def flock(fd, kind, *_where):
    fcntl.flock(fd, {fcntl.F_RDLCK: fcntl.LOCK_SH, fcntl.F_WRLCK: fcntl.LOCK_EX,
                     fcntl.F_UNLCK: fcntl.LOCK_UN}[kind])


class LockHistoryTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Edbbcli.dll")

    def open(self, path=None):
        fd = os.open(path or self.dll, os.O_RDWR)
        self.addCleanup(self.close, fd)
        return fd

    @staticmethod
    def close(fd):
        try:
            os.close(fd)
        except OSError:
            pass  # closed in the course of the test

    def history(self, daemon, pid, *kinds):
        """(kind of event, lock's kind, mode, start, end), oldest first."""
        found = []
        for event in daemon.log_events("--kind", ",".join(kinds or ("lock", "unlock")),
                                       "--limit", 10 * PAIRS):
            lock = event["lock"]
            self.assertEqual(event["path"], self.dll, self.show(event))
            if event["pid"] == pid:
                found.append((event["kind"], lock["kind"], lock["mode"], lock["start"],
                              lock["end"]))
        return found

    def intervals(self, daemon, pid, path=None, ended=False):
        """The locks of @pid on @path that last, or that are over, as history has
        them, once it has all."""
        code, _, err = daemon.run("flush")
        self.assertEqual(code, 0, err)
        database = sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True)
        try:
            return database.execute(
                "SELECT kind, mode, state, start, end FROM file_locks WHERE pid = ?"
                f" AND path = ? AND until IS {'NOT' if ended else ''} NULL"
                " ORDER BY kind, start, since_ns", (pid, path or self.dll)).fetchall()
        finally:
            database.close()

    def wait_beside(self, daemon, take):
        """Have @take() wait for a lock; returns its thread."""
        subscriber = self.rpc(daemon)
        subscriber.call("subscribe", kinds=["lock-wait"])
        taker = threading.Thread(target=take)
        taker.start()
        subscriber.wait_notification(lambda _, params: params.get("kind") == "lock-wait")
        return taker

    @only_in("bpf")
    def test_every_pair(self):
        for take, name in ((posix, "posix"), (ofd, "ofd"), (flock, "flock")):
            with self.subTest(kind=name):
                daemon = self.daemon(home=f"home-{name}")
                fd = self.open()
                for _ in range(PAIRS):
                    take(fd, fcntl.F_WRLCK)
                    take(fd, fcntl.F_UNLCK)
                found = self.history(daemon, os.getpid())
                self.assertEqual([row[:2] for row in found],
                                 [("lock", name), ("unlock", name)] * PAIRS)
                self.assertEqual({row[2:] for row in found if row[0] == "lock"},
                                 {("write", 0, None)})
                os.close(fd)
                self.assert_safe(daemon)
                daemon.close()

    @only_in("bpf")
    def test_ranges(self):
        daemon, fd = self.daemon(), self.open()
        posix(fd, fcntl.F_WRLCK, 100, 50)
        posix(fd, fcntl.F_RDLCK, 0, 1)
        posix(fd, fcntl.F_UNLCK, 100, 50)
        posix(fd, fcntl.F_UNLCK, 0, 1)
        self.assertEqual(self.history(daemon, os.getpid()),
                         [("lock", "posix", "write", 100, 149), ("lock", "posix", "read", 0, 0),
                          ("unlock", "posix", "write", 100, 149),
                          ("unlock", "posix", "read", 0, 0)])

    @only_in("bpf")
    def test_given_up_by_closing(self):
        """A POSIX lock goes with any descriptor of its file."""
        daemon, fd = self.daemon(), self.open()
        posix(fd, fcntl.F_WRLCK)
        os.close(self.open())
        self.assertEqual([row[0] for row in self.history(daemon, os.getpid())],
                         ["lock", "unlock"])
        flock(fd, fcntl.F_RDLCK)
        os.close(fd)
        self.assertEqual([row[:2] for row in self.history(daemon, os.getpid())][2:],
                         [("lock", "flock"), ("unlock", "flock")])

    @only_in("bpf")
    def test_given_up_by_ending(self):
        for state, kind in (("posix", "posix"), ("ofd", "ofd"), ("flock-shared", "flock"),
                            ("lease-read", "lease")):
            with self.subTest(state=state):
                daemon = self.daemon(home=f"home-{state}")
                holder = self.hold(state, self.dll)
                holder.kill()
                self.assertEqual([row[:2] for row in self.history(daemon, holder.pid)],
                                 [("lock", kind), ("unlock", kind)])
                self.assert_safe(daemon)
                daemon.close()

    @only_in("bpf")
    def test_refused(self):
        daemon, fd = self.daemon(), self.open()
        holder = self.hold("posix", self.dll)
        with self.assertRaises(BlockingIOError):
            posix(fd, fcntl.F_WRLCK, 5, 1)
        self.assertEqual(self.history(daemon, os.getpid(), "lock-fail"),
                         [("lock-fail", "posix", "write", 5, 5)])
        self.assertEqual(self.history(daemon, os.getpid()), [])
        self.assertEqual([row[0] for row in self.history(daemon, holder.pid)], ["lock"])

    @only_in("bpf")
    def test_waited_for_and_got(self):
        daemon, fd = self.daemon(), self.open()
        holder = self.hold("flock-exclusive", self.dll)
        taker = self.wait_beside(daemon, lambda: fcntl.flock(fd, fcntl.LOCK_EX))
        holder.release()
        taker.join()
        kinds = [row[0] for row in self.history(daemon, os.getpid(), "lock", "lock-wait")]
        self.assertEqual(kinds, ["lock-wait", "lock"])
        self.assertEqual([row[0] for row in self.history(daemon, holder.pid)],
                         ["lock", "unlock"])

    @only_in("bpf")
    def test_the_waiter_of_an_open_file_description(self):
        """/proc/locks does not tell whose it is, the kernel's own record does."""
        daemon = self.daemon()
        self.hold("ofd", self.dll)
        waiter = self.hold("wait-ofd", self.dll)
        self.assertEqual(self.history(daemon, waiter.pid, "lock-wait"),
                         [("lock-wait", "ofd", "write", 0, None)])

    # The intervals of locks

    @only_in("bpf")
    def test_taken_before_the_daemon(self):
        """No event told of them: the first survey finds them, each restart again."""
        for state, lock in HELD.items():
            with self.subTest(state=state):
                holder = self.hold(state, self.dll)
                for _ in range(3):
                    daemon = self.daemon(home=f"home-{state}")
                    self.assert_verdict(daemon.check(), "blocked")
                    self.assertEqual(self.intervals(daemon, holder.pid), [lock])
                    daemon.close()
                daemon = self.daemon(home=f"home-{state}")
                holder.kill()
                self.assertEqual(self.intervals(daemon, holder.pid), [])
                self.assert_safe(daemon)
                daemon.close()

    @only_in("bpf")
    def test_taken_while_the_daemon_was_away(self):
        fd = self.open()
        daemon = self.daemon()
        posix(fd, fcntl.F_WRLCK, 3, 4)
        self.assertEqual(self.intervals(daemon, os.getpid()),
                         [("posix", "write", "held", 3, 6)])
        daemon.close()
        posix(fd, fcntl.F_UNLCK, 3, 4)
        posix(fd, fcntl.F_RDLCK, 20, 5)
        flock(fd, fcntl.F_RDLCK)
        daemon = self.daemon()
        daemon.check()
        shared = ("flock", "read", "held", 0, None)
        self.assertEqual(self.intervals(daemon, os.getpid()),
                         [shared, ("posix", "read", "held", 20, 24)])
        # From here on events go on from what was found.
        posix(fd, fcntl.F_UNLCK, 21, 1)
        self.assertEqual(self.intervals(daemon, os.getpid()),
                         [shared, ("posix", "read", "held", 20, 20),
                          ("posix", "read", "held", 22, 24)])
        os.close(fd)
        self.assertEqual(self.intervals(daemon, os.getpid()), [])

    @only_in("bpf")
    def test_ofd_lock_ends_with_its_last_descriptor(self):
        """Beside somebody else's lock, which does not end."""
        daemon = self.daemon()
        other = self.hold("flock-shared", self.dll)
        fd = self.open()
        second = os.dup(fd)
        ofd(fd, fcntl.F_WRLCK, 100, 10)
        os.close(fd)
        lock = ("ofd", "write", "held", 100, 109)
        self.assertEqual(self.intervals(daemon, os.getpid()), [lock])
        os.close(second)
        self.assertEqual(self.intervals(daemon, os.getpid()), [])
        self.assertEqual(self.intervals(daemon, os.getpid(), ended=True), [lock])
        self.assertEqual(self.intervals(daemon, other.pid), [("flock", "read", "held", 0, None)])

    @only_in("bpf")
    def test_got_and_joined_to_its_neighbour(self):
        daemon, fd = self.daemon(), self.open()
        posix(fd, fcntl.F_WRLCK, 10, 10)
        holder = self.hold("posix", self.dll, "write:0:10")
        taker = self.wait_beside(
            daemon, lambda: range_lock(fcntl.F_SETLKW, fd, fcntl.F_WRLCK, 0, 10))
        self.assertEqual(self.intervals(daemon, os.getpid()),
                         [("posix", "write", "waiting", 0, 9),
                          ("posix", "write", "held", 10, 19)])
        holder.release()
        taker.join()
        self.assertEqual(self.intervals(daemon, os.getpid()),
                         [("posix", "write", "held", 0, 19)])
        self.assertEqual(self.intervals(daemon, holder.pid), [])

    @only_in("bpf")
    def test_interrupted(self):
        """A wait is over although its file stays open."""
        for state, lock in HELD.items():
            kind = lock[0]
            with self.subTest(kind=kind):
                daemon = self.daemon(home=f"home-{kind}")
                holder = self.hold(state, self.dll)
                waiter = self.hold(f"wait-{kind}-open", self.dll)
                waits = (kind, "write", "waiting", 0, None)
                self.assertEqual(self.intervals(daemon, waiter.pid), [waits])
                waiter.release()
                self.assertEqual(self.intervals(daemon, waiter.pid), [])
                self.assertEqual(self.intervals(daemon, waiter.pid, ended=True), [waits])
                self.assertEqual(self.intervals(daemon, holder.pid), [lock])
                waiter.kill()
                holder.kill()
                self.assert_safe(daemon)
                daemon.close()

    @only_in("bpf")
    def test_ended_in_an_old_version_on_an_overlay(self):
        """Its merged inode, which has the locks, has no name as soon as nobody has it
        open; the old version goes on as a mapping of the real file below."""
        lower, upper, work = (self.directory(name) for name in ("lower", "upper", "work"))
        self.file("Mdbperf.dll", lower)
        merged = self.overlay(lower, upper, work, "merged")
        dll = os.path.join(merged, "Mdbperf.dll")
        daemon = self.daemon(Product("app", merged))
        self.hold("mapped", dll)
        holder = self.hold("flock-exclusive", dll)
        waiter = self.hold("wait-flock", dll)
        waits = ("flock", "write", "waiting", 0, None)
        self.assertEqual(self.intervals(daemon, waiter.pid, dll), [waits])
        os.rename(self.file("new", merged), dll)
        self.assert_verdict(daemon.check(), "blocked")
        # At once, so that no look comes in between.
        for process in (waiter, holder):
            os.kill(process.pid, signal.SIGKILL)
        for process in (waiter, holder):
            process.kill()
        for process in (waiter, holder):
            self.assertEqual(self.intervals(daemon, process.pid, dll), [])
        self.assertIn(waits, self.intervals(daemon, waiter.pid, dll, ended=True))
        self.assert_verdict(daemon.check(), "blocked")

    @only_in("bpf")
    def test_inherited(self):
        """One lock, whoever has it by now: it is held once, however often one looks."""
        daemon = self.daemon()
        holder = self.hold("flock-heir", self.dll)
        for _ in range(3):
            self.assert_verdict(daemon.check(), "blocked")
            self.assertEqual(self.lasting_and_most_of_one(daemon), (1, 1))
        holder.kill()
        self.assertEqual(self.lasting_and_most_of_one(daemon), (0, 1))

    @only_in("bpf")
    def test_inherited_from_one_who_lives(self):
        """Two open file descriptions with a lock each, closed by who locked them."""
        daemon = self.daemon()
        fds = [self.open(), self.open()]
        for fd in fds:
            flock(fd, fcntl.F_RDLCK)
        heir = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=fds)
        self.addCleanup(heir.communicate)
        self.assertEqual(self.lasting_and_most_of_one(daemon), (2, 2))
        for fd in fds:
            os.close(fd)
        for _ in range(3):
            self.assert_verdict(daemon.check(), "blocked")
            self.assertEqual(self.lasting_and_most_of_one(daemon), (2, 2))
        heir.kill()
        heir.wait()
        self.assertEqual(self.lasting_and_most_of_one(daemon), (0, 2))
        self.assert_safe(daemon)

    @only_in("bpf")
    def test_inherited_before_the_daemon(self):
        """Two processes have it, and still it is one lock."""
        fd = self.open()
        flock(fd, fcntl.F_RDLCK)
        heir = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[fd])
        self.addCleanup(heir.communicate)
        for _ in range(2):
            daemon = self.daemon()
            for _ in range(3):
                self.assert_verdict(daemon.check(), "blocked")
                self.assertEqual(self.lasting_and_most_of_one(daemon)[0], 1)
            daemon.close()
        daemon = self.daemon()
        os.close(fd)
        self.assert_verdict(daemon.check(), "blocked")
        self.assertEqual(self.lasting_and_most_of_one(daemon)[0], 1)
        heir.kill()
        heir.wait()
        self.assertEqual(self.lasting_and_most_of_one(daemon)[0], 0)
        self.assert_safe(daemon)

    def lasting_and_most_of_one(self, daemon):
        """How many intervals last, and how many one process has at most."""
        self.assertEqual(daemon.run("flush")[0], 0)
        database = sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True)
        try:
            return database.execute(
                "SELECT sum(lasting), max(n) FROM (SELECT count(*) AS n,"
                " count(*) - count(until) AS lasting FROM file_locks GROUP BY pid)").fetchone()
        finally:
            database.close()

    @only_in("bpf")
    def test_of_a_snapshot_s_twin(self):
        """btrfs: a file with the same number in a snapshot is another file."""
        if not shutil.which("btrfs"):
            self.skipTest("no btrfs program here")
        root = self.loop_image("btrfs", 128)
        original, snapshot = os.path.join(root, "bin"), os.path.join(root, "before")
        subprocess.run(["btrfs", "-q", "subvolume", "create", original], check=True)
        dll = self.file("Edbbcli.dll", original)
        subprocess.run(["btrfs", "-q", "subvolume", "snapshot", original, snapshot], check=True)
        twin = os.path.join(snapshot, "Edbbcli.dll")
        self.assertEqual(os.stat(dll).st_ino, os.stat(twin).st_ino)
        alone = self.daemon(Product("app", original), home="alone")
        both = self.daemon(Product("app", original), Product("before", snapshot), home="both")
        fds = {path: self.open(path) for path in (twin, dll)}
        flock(fds[twin], fcntl.F_WRLCK)
        ofd(fds[twin], fcntl.F_WRLCK, 0, 10)
        posix(fds[twin], fcntl.F_WRLCK, 20, 10)
        self.assertEqual(self.intervals(alone, os.getpid(), dll), [])
        # Each of the two sees the lease with which the other one asks who writes.
        self.assertEqual([event for event in alone.log_events("--kind", "lock")
                          if event["name"] != "spguardd"], [])
        self.assert_verdict(both.check("--product", "before"), "blocked")
        taken = HELD["flock-exclusive"]
        self.assertEqual(self.intervals(both, os.getpid(), twin),
                         [taken, ("ofd", "write", "held", 0, 9),
                          ("posix", "write", "held", 20, 29)])
        self.assertEqual(self.intervals(both, os.getpid(), dll), [])
        flock(fds[dll], fcntl.F_WRLCK)
        self.assertEqual(self.intervals(alone, os.getpid(), dll), [taken])
        self.assertEqual(self.intervals(both, os.getpid(), dll), [taken])

    def test_other_files_are_nobody_s_business(self):
        daemon = self.daemon()
        other = self.file("data", self.scratch)
        for take in (posix, ofd, flock):
            fd = self.open(other)
            for _ in range(PAIRS):
                take(fd, fcntl.F_WRLCK)
                take(fd, fcntl.F_UNLCK)
            os.close(fd)
        self.assertEqual(daemon.log_events("--kind", "lock,unlock,lock-wait,lock-fail"), [])


if __name__ == "__main__":
    main()
