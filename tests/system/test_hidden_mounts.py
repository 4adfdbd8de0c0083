#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is mounted in a namespace whose processes are in a chroot, and an overlay that
another mount covers: what nobody can see is said, and the overlay makes every product
unknown, where the kernel is not asked by BPF. (So these run alone.)"""
import os
import subprocess
import sys

from support import Product, main, tier_in_force
from test_keepers import KeepersHelp, setUpModule


class HiddenMountsTest(KeepersHelp):
    def jailed(self, shell, jail=None):
        """The shell becomes two processes in a chroot; the pid of the first."""
        jail = jail or self.directory("jail")
        shell.process.stdin.write(
            f"exec {sys.executable} -c 'import os; os.chroot(\"{jail}\"); os.chdir(\"/\"); "
            "os.fork() and print(\"jailed\", flush=True); os.read(0, 1)'\n")
        self.assertEqual(shell.process.stdout.readline(), "jailed\n")
        return shell.pid

    def test_a_mount_outside_of_a_chroot(self):
        """Of those in the chroot nobody can tell what is mounted outside."""
        path, daemon = self.begin()
        there = self.file("there", self.scratch)
        shell = self.shell()
        shell.run(f"mount --bind {path} {there}")
        pid = self.jailed(shell)
        for leave in (lambda: None, lambda: self.replace(path)):
            leave()
            for _ in range(2):
                answer = daemon.check()
                if tier_in_force() == "bpf":
                    self.assert_verdict(answer, "blocked")
                    continue
                # It is said, and no more: many a service is in such a namespace.
                self.assertIn(f"in the mount namespace of python3 (pid {pid})", " ".join(
                    lack["why"] for lack in answer["proof"]["coverage"]), self.show(answer))
        shell.end()
        self.assert_safe_in_time(daemon)

    def test_a_mount_beside_a_chroot(self):
        """The oldest process of the namespace is in a chroot, another one is not."""
        path, daemon = self.begin()
        there = self.file("there", self.scratch)
        shell = self.shell()
        shell.run(f"mount --bind {path} {there}")
        other = subprocess.Popen(["nsenter", "-t", str(shell.pid), "-m", "sleep", "infinity"])
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        while os.stat(f"/proc/{other.pid}/ns/mnt").st_ino != \
                os.stat(f"/proc/{shell.pid}/ns/mnt").st_ino:
            pass
        self.jailed(shell)
        self.assert_kept(daemon, path, "mounted", f"Mdbperf.dll is mounted at {there} in the "
                         f"mount namespace of sleep (pid {other.pid})", pid=other.pid)
        other.kill()
        other.wait()
        shell.end()
        self.assert_safe_in_time(daemon)

    def test_a_mount_within_a_chroot(self):
        path, daemon = self.begin()
        jail = self.directory("jail")
        there = self.file("there", jail)
        shell = self.shell()
        shell.run(f"mount --bind {path} {there}")
        pid = self.jailed(shell, jail)
        answer = daemon.check()
        self.assert_verdict(answer, "blocked")
        use, = self.file_of(answer, path)["uses"]
        self.assertEqual((use["how"], use["pid"]), (["mounted"], pid), self.show(answer))
        shell.end()
        self.assert_safe_in_time(daemon)

    def test_a_namespace_of_chroots(self):
        """Nothing is mounted below the root of any: that is no reason to look for ever."""
        path, daemon = self.begin(replaced="in-place")
        self.jailed(self.shell())
        self.replace(path)
        answer = daemon.check()
        self.assertLess(answer["proof"]["took_us"], 5000000, self.show(answer))
        self.assert_safe(daemon)

    def test_an_overlay_that_cannot_be_looked_into(self):
        """Another mount covers it, and its layer has moved."""
        release = self.directory("release")
        path = self.file("Mdbperf.dll", release)
        command, merged = self.merge(release)
        shell = self.shell()
        shell.run(command)
        shell.run(f"cat {merged}/Mdbperf.dll >/dev/null")
        shell.run(f"mount -t tmpfs none {merged}")
        os.rename(release, release + ".moved")
        path = os.path.join(release + ".moved", "Mdbperf.dll")
        daemon = self.daemon(Product("app", os.path.dirname(path)))
        for _ in range(2):
            answer = daemon.check()
            if tier_in_force() == "bpf":
                self.assert_verdict(answer, "blocked")
            else:
                self.assert_verdict(answer, "unknown")
                self.assertIn(f"the overlay at {merged} in the mount namespace of sh "
                              f"(pid {shell.pid}) cannot be looked into", " ".join(
                                  lack["why"] for lack in answer["proof"]["coverage"]))
            self.replace(path)
        shell.end()
        self.assert_safe_in_time(daemon)


if __name__ == "__main__":
    main()
