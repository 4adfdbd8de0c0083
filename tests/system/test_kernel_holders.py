#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the kernel itself has open shows in no process: registered with io_uring,
behind a loop device, swapped to, written by process accounting, in transit over a
socket. Always blocked; and
the cause is named where anything shows it."""
import os
import shutil
import signal
import subprocess
import sys

from support import SAFE, Product, SystemTest, main, private_mounts, tier_in_force

# state, what the reason names (None: nothing shows it)
STATES = (
    ("io-uring", "io_uring"),
    ("io-uring-sparse", "io_uring"),
    ("io-uring-direct", "io_uring"),
    ("io-uring-mapped", None),
    ("loop", "backs the loop device /dev/loop"),
    ("loop-autoclear", "backs the loop device /dev/loop"),
    ("swap", "is a swap file"),
    ("acct", None),
    ("in-flight", "in flight"),
    ("in-flight-nested", "in flight"),
    ("in-flight-unaccepted", "in flight"),
)
# A kernel thread ends these, some time after the process.
ENDED_LATER = ("io-uring", "io-uring-sparse", "io-uring-direct", "io-uring-mapped")


def setUpModule():
    private_mounts()


class KernelHoldersTest(SystemTest):
    def begin(self, state):
        """A product's file and its directory, fit for @state."""
        if state != "swap":
            return self.file("Mdbperf.dll", content=b"A library\n\0\0\0\0\0" * 4096), self.bin
        directory = self.loop_image("ext4", 32)
        path = self.file("Mdbperf.dll", directory, content=b"\0" * (1 << 20))
        os.chmod(path, 0o600)
        mkswap = shutil.which("mkswap", path="/usr/sbin:/sbin:/usr/bin:/bin")
        if not mkswap:
            self.skipTest("no mkswap here")
        subprocess.run([mkswap, path], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        return path, directory

    def assert_hidden(self, daemon, path, cause, also=()):
        """Blocked by something without a process, and by the pids of @also."""
        answer = daemon.check()
        self.assert_verdict(answer, "blocked")
        entry = self.file_of(answer, path)
        self.assertEqual(entry["state"], "blocked", self.show(answer))
        self.assertEqual({(use["pid"], use["class"]) for use in entry["uses"]},
                         {(None, "blocker"), *((pid, "blocker") for pid in also)},
                         self.show(answer))
        reasons = " ".join(self.texts(answer["reasons"]))
        self.assertIn("held by something that no process shows", reasons, self.show(answer))
        if cause:
            self.assertIn(cause, reasons, self.show(answer))
        self.assertEqual(answer["counts"]["unattributed"], 1, self.show(answer))
        return answer

    def then_released(self, state, cause):
        path, directory = self.begin(state)
        daemon = self.daemon(Product("app", directory))
        self.assert_safe(daemon)
        holder = self.hold(state, path)
        self.assert_hidden(daemon, path, cause)
        holder.release()
        self.assert_safe(daemon)

    def from_before_then_killed(self, state, cause):
        path, directory = self.begin(state)
        holder = self.hold(state, path)
        daemon = self.daemon(Product("app", directory))
        self.assert_hidden(daemon, path, cause)
        # What a child undoes is undone when its end of the output is closed.
        holder.close()
        if state in ENDED_LATER:
            self.assertEqual(daemon.run("check", "--wait=60s")[0], SAFE)
        # The kernel may have written its records over the module.
        self.assert_verdict(daemon.check(), "safe", *["attention"] * (state == "acct"))

    def test_each_beside_one_that_shows(self):
        """The one that shows must not be taken for the one that does not."""
        for state, cause in STATES:
            with self.subTest(state=state):
                path, directory = self.begin(state)
                daemon = self.daemon(Product("app", directory), home=f"home-{state}")
                hidden, shown = self.hold(state, path), self.hold("read", path)
                answer = daemon.check()
                self.assert_verdict(answer, "blocked")
                self.use_of(answer, path, shown.pid)
                if tier_in_force() == "bpf":
                    # Counts tell two from one; a lease only some from none.
                    self.assert_hidden(daemon, path, cause, also=[shown.pid])
                shown.release()
                self.assert_hidden(daemon, path, cause)
                hidden.release()
                self.assert_safe(daemon)
                daemon.close()

    def test_two_rings(self):
        path, directory = self.begin("io-uring")
        daemon = self.daemon(Product("app", directory))
        first, second = self.hold("io-uring", path), self.hold("io-uring-direct", path)
        self.assert_hidden(daemon, path, "io_uring")
        first.release()
        self.assert_hidden(daemon, path, "io_uring")
        second.release()
        self.assert_safe(daemon)

    def test_a_ring_that_others_look_at(self):
        """Who reads its fdinfo keeps what is registered from the next one who does."""
        path, directory = self.begin("io-uring")
        daemon = self.daemon(Product("app", directory))
        holder = self.hold("io-uring", path)
        fds = f"/proc/{holder.pid}/fd"
        ring, = [fd for fd in os.listdir(fds)
                 if os.readlink(f"{fds}/{fd}") == "anon_inode:[io_uring]"]
        reader = subprocess.Popen(
            [sys.executable, "-c", "import sys\nwhile True:\n"
             " with open(sys.argv[1], 'rb') as f: f.read()",
             f"/proc/{holder.pid}/fdinfo/{ring}"])
        self.addCleanup(reader.wait)
        self.addCleanup(reader.kill)
        for _ in range(20):
            self.assert_hidden(daemon, path, "io_uring")

    def test_a_loop_device_on_another_file(self):
        """Only what it stands on is in use, not what is beside it."""
        path, directory = self.begin("loop")
        other = self.file("Other.dll", content=b"\0" * 65536)
        daemon = self.daemon(Product("app", directory))
        self.hold("loop", other)
        answer = self.assert_hidden(daemon, other, "loop device /dev/loop")
        self.assertEqual([entry["path"] for entry in answer["files"]], [other],
                         self.show(answer))
        self.assertNotIn(path, self.show(answer))

    def test_a_loop_device_on_a_deleted_file(self):
        path, directory = self.begin("loop")
        daemon = self.daemon(Product("app", directory))
        holder = self.hold("loop", path)
        self.assert_hidden(daemon, path, "loop device /dev/loop")
        os.rename(self.file("new", self.scratch), path)
        self.assert_never_safe(daemon.check())
        holder.release()
        self.assert_safe(daemon)

    def test_a_deleted_file_of_two_products(self):
        """One that no survey saw at its place: an event names it, to both."""
        self.file("Other.dll")
        daemon = self.daemon(Product("app", self.bin), Product("b", self.bin))
        self.assert_safe(daemon, "--product", "app")
        self.assert_safe(daemon, "--product", "b")
        daemon.signal(signal.SIGSTOP)
        path = self.file("Later.dll")
        holder = self.hold("in-flight", path)
        os.unlink(path)
        daemon.signal(signal.SIGCONT)
        for _ in range(2):
            for product in ("app", "b"):
                self.assert_verdict(daemon.check("--product", product), "blocked")
        daemon.products.append(Product("late", self.bin))
        daemon.write_config()
        self.assertEqual(daemon.run("reload")[0], 0)
        self.assert_verdict(daemon.check("--product", "late"), "blocked")
        holder.release()
        for product in ("app", "b", "late"):
            self.assert_safe(daemon, "--product", product)


def add(name, method, row):
    def test(self):
        getattr(self, method)(*row)
    setattr(KernelHoldersTest, name, test)


for _row in STATES:
    for _method in ("then_released", "from_before_then_killed"):
        add(f"test_{_row[0].replace('-', '_')}_{_method}", _method, _row)


if __name__ == "__main__":
    main()
