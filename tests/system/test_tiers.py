#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The ladder: the best tier that proves itself is taken, a lower one says what is
missing and what would mend it, and none of them calls a file in use safe."""
import os
import re
import subprocess

from support import (FAIL_AFTER, LIBRARY, REFUSE, SPGUARDD, Failure, SystemTest, main,
                     private_mounts, why_no_bpf)

# Set by meson: whether this build has the tier; not known when run by hand.
HAVE_BPF = os.environ.get("SPGUARD_HAVE_BPF")

USES = (("read", {"open"}), ("write", {"write"}), ("mapped", {"mapped"}),
        ("mapped-none", {"mapped"}), ("dlopen", {"mapped"}), ("exec", {"executing"}),
        ("posix", {"locked"}), ("ofd", {"locked"}), ("flock-exclusive", {"locked"}),
        ("thread-table", {"open"}), ("leader-exited", {"open"}))
HIDDEN = ("in-flight", "io-uring")

# What of the kernel's answers each needs is decided by what it lacks.
CAPABILITIES = (("bpf", "perfmon"), ("sys_admin",), ("perfmon", "sys_admin"),
                ("bpf", "perfmon", "sys_admin"), ("bpf", "perfmon", "sys_admin", "sys_ptrace"))

# Runs the rest of its arguments with an empty file in place of the kernel's BTF.
NO_BTF = ["unshare", "--mount", "sh", "-c",
          'mount --bind "$0" /sys/kernel/btf/vmlinux && exec "$@"']


def setUpModule():
    private_mounts()


def without(capabilities):
    dropped = ",".join("-" + name for name in capabilities)
    return ["setpriv", f"--bounding-set={dropped}", f"--inh-caps={dropped}"]


class TiersTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")

    def used(self, state):
        """The file that @state is about."""
        if state == "exec":
            return self.program("Admin.exe", self.bin)
        if state == "dlopen":
            with open(LIBRARY, "rb") as f:
                return self.file("Library.dll", content=f.read())
        return self.dll

    def assert_tier(self, daemon, tier):
        """It says so wherever it speaks of itself."""
        self.assertEqual(daemon.tier(), tier)
        self.assertEqual(self.rpc(daemon).call("hello")["tier"], tier)
        self.assertEqual(daemon.check()["proof"]["tier"], tier)
        for command in ("status", "doctor"):
            self.assertIn(f"tier {tier}", daemon.run(command)[1])

    def assert_works(self, daemon):
        """Every use is found and told, and is over when it is over."""
        self.assert_safe(daemon)
        for state, how in USES:
            with self.subTest(state=state):
                path = self.used(state)
                holder = self.hold(state, path)
                self.assert_blocked_by(daemon, path, [holder.pid], how)
                holder.kill()
                self.assert_safe(daemon)
        for state in HIDDEN:
            with self.subTest(state=state):
                holder = self.hold(state, self.dll)
                answer = daemon.check()
                self.assert_verdict(answer, "blocked")
                self.assertEqual([use["pid"] for use in self.file_of(answer, self.dll)["uses"]],
                                 [None], self.show(answer))
                holder.release()
                self.assert_safe(daemon)
        kinds = {event["kind"] for event in daemon.log_events(self.dll, "--limit", "1000")}
        self.assertLessEqual({"open", "close", "use-begin", "use-end", "lock", "unlock"}, kinds)

    def assert_never_wrong(self, daemon):
        """No tier promised: only that nothing in use is ever safe."""
        for state in (*(state for state, _ in USES), *HIDDEN):
            with self.subTest(state=state):
                holder = self.hold(state, self.used(state))
                self.assert_never_safe(daemon.check())
                holder.kill()

    def bpf_lack(self, daemon, about):
        """What status says is missing for the tier bpf: a reason that speaks of
        @about, and a remedy; and doctor says it, too."""
        status = daemon.status()
        rows = [row for row in status["mechanisms"] if not row["works"] and
                re.search("bpf", row["name"] + " " + row["detail"], re.IGNORECASE)]
        self.assertTrue(rows, self.show(status))
        self.assertTrue(any(re.search(about, row["detail"], re.IGNORECASE) for row in rows),
                        self.show(status))
        _, doctor, _ = daemon.run("doctor")
        for row in rows:
            self.assertTrue(row["detail"] and row["remedy"], self.show(status))
            self.assertIn(row["name"], doctor)
            self.assertIn(" ".join(row["remedy"].split()), " ".join(doctor.split()))

    def ended(self, daemon):
        """Exit code and last words of a daemon that does not start."""
        daemon.spawn()
        with self.assertRaises(Failure, msg=daemon.command):
            daemon.log.wait_for(lambda line: "spguardd: ready" in line, "'spguardd: ready'")
        return daemon.process.wait(FAIL_AFTER), daemon.log_text()

    def has_bpf(self):
        if HAVE_BPF == "0":
            self.skipTest("this build has no tier bpf")
        self.need_bpf()

    # The choice

    def test_procfs(self):
        daemon = self.daemon(tier="procfs")
        self.assert_tier(daemon, "procfs")
        self.assert_works(daemon)

    def test_bpf(self):
        self.has_bpf()
        daemon = self.daemon(tier="bpf")
        self.assert_tier(daemon, "bpf")
        status = daemon.status()
        self.assertEqual([row for row in status["mechanisms"] if not row["works"]], [],
                         self.show(status))
        self.assert_works(daemon)

    def test_auto_takes_the_best(self):
        daemon = self.daemon(tier="")
        self.assert_tier(daemon, "procfs" if why_no_bpf() else "bpf")
        self.assert_works(daemon)

    def test_auto_by_name(self):
        daemon = self.daemon(tier="auto")
        self.assert_tier(daemon, "procfs" if why_no_bpf() else "bpf")

    def test_no_such_tier(self):
        code, words = self.ended(self.daemon(tier="magic", start=False))
        self.assertEqual(code, 2, words)
        self.assertIn('"magic"', words)
        self.assertIn("procfs", words)

    def test_help_names_them(self):
        done = subprocess.run([SPGUARDD, "--help"], capture_output=True, text=True,
                              timeout=FAIL_AFTER)
        for tier in ("auto", "procfs"):
            self.assertIn(tier, done.stdout)

    # A build without it

    def test_a_build_without_it_says_so(self):
        if HAVE_BPF != "0":
            self.skipTest("this build has the tier bpf, or it is not known")
        code, words = self.ended(self.daemon(tier="bpf", start=False))
        self.assertEqual(code, 69, words)
        self.assertRegex(words, "bpf")
        self.assertRegex(words, "procfs|auto")

    # Refused when it runs

    def test_auto_when_bpf_is_refused(self):
        self.has_bpf()
        daemon = self.daemon(tier="", prefix=[REFUSE, "bpf"])
        self.assert_tier(daemon, "procfs")
        self.bpf_lack(daemon, "permitted|denied|EPERM")
        self.assert_works(daemon)
        self.assertEqual(daemon.stop(), 0, daemon.log_text())

    def test_bpf_when_it_is_refused(self):
        self.has_bpf()
        code, words = self.ended(self.daemon(tier="bpf", prefix=[REFUSE, "bpf"], start=False))
        self.assertEqual(code, 77, words)
        self.assertRegex(words, "(?i)bpf")
        self.assertRegex(words, "procfs|auto|CAP_BPF")

    def test_procfs_does_not_miss_it(self):
        daemon = self.daemon(tier="procfs", prefix=[REFUSE, "bpf"])
        self.assert_tier(daemon, "procfs")
        self.assert_works(daemon)

    # Without the privileges

    def test_without_capabilities(self):
        for lacking in CAPABILITIES:
            with self.subTest(without=lacking):
                daemon = self.daemon(tier="", prefix=without(lacking), start=False,
                                     home="home-" + "-".join(lacking))
                daemon.spawn()
                try:
                    daemon.log.wait_for(lambda line: "spguardd: ready" in line, "ready")
                except Failure:
                    # It may refuse, if it says what it lacks.
                    self.assertEqual(daemon.process.wait(FAIL_AFTER), 1)
                    self.assertRegex(daemon.log_text(), "CAP_|root|permission|permitted")
                    continue
                self.assertIn(daemon.tier(), ("bpf", "procfs"))
                self.assert_never_wrong(daemon)
                daemon.close()

    def test_bpf_without_its_capabilities(self):
        self.has_bpf()
        lacking = ("bpf", "perfmon", "sys_admin")
        code, words = self.ended(self.daemon(tier="bpf", prefix=without(lacking), start=False))
        self.assertEqual(code, 77, words)
        self.assertIn("CAP_BPF", words)
        daemon = self.daemon(tier="", prefix=without(lacking))
        self.assert_tier(daemon, "procfs")
        self.bpf_lack(daemon, "permitted|denied|CAP_")

    # Without the kernel's description of itself

    def no_btf(self):
        if not os.path.exists("/sys/kernel/btf/vmlinux"):
            self.skipTest("this kernel has no BTF anyway")
        return [*NO_BTF, self.file("empty", self.scratch, content=b"")]

    def test_auto_without_btf(self):
        daemon = self.daemon(tier="", prefix=self.no_btf())
        self.assert_tier(daemon, "procfs")
        self.assert_works(daemon)
        if not why_no_bpf():
            self.bpf_lack(daemon, "BTF")

    def test_bpf_without_btf(self):
        self.has_bpf()
        code, words = self.ended(self.daemon(tier="bpf", prefix=self.no_btf(), start=False))
        self.assertEqual(code, 69, words)
        self.assertIn("BTF", words)


if __name__ == "__main__":
    main()
