#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""In the tier bpf the kernel reports each lock as it comes and goes, however short
it was: every one is in the history, with its true owner, and no other."""
import fcntl
import os
import struct
import threading

from support import SystemTest, main, only_in

PAIRS = 200
F_OFD_SETLK = 37  # linux/fcntl.h


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
        subscriber = self.rpc(daemon)
        subscriber.call("subscribe", kinds=["lock-wait"])
        holder = self.hold("flock-exclusive", self.dll)
        taker = threading.Thread(target=fcntl.flock, args=(fd, fcntl.LOCK_EX))
        taker.start()
        subscriber.wait_notification(lambda _, params: params.get("kind") == "lock-wait")
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
