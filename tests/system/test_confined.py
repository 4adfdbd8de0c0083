#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A daemon that does not see every process: in a container, in a user namespace,
without /proc. What the kernel counts still blocks, though nobody shows it; and
nothing is safe, with the reason and the remedy."""
from support import FAIL_AFTER, LIBRARY, TIER, Failure, SystemTest, main, private_mounts

CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
USER = ["unshare", "--user", "--map-root-user"]
HIDE_PROC = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"]

STATES = ("read", "write", "mapped", "mapped-none", "posix", "ofd", "flock-exclusive",
          "thread-table", "leader-exited", "user-namespace", "in-flight", "io-uring", "loop",
          "haystack")


def setUpModule():
    private_mounts()


class ConfinedTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll", content=b"\0" * 65536)

    def confined(self, prefix):
        """A daemon behind @prefix, in the best tier that it has there."""
        daemon = self.daemon(prefix=prefix, start=False, tier="procfs" if TIER == "procfs" else "")
        daemon.spawn()
        try:
            daemon.log.wait_for(lambda line: "spguardd: ready" in line, "'spguardd: ready'")
        except Failure:
            code = daemon.process.wait(FAIL_AFTER)
            if "spguardd:" not in daemon.log_text():
                self.skipTest(daemon.log_text())
            # It may refuse, if it says what it lacks.
            self.assertIn(code, (1, 69, 77), daemon.log_text())
            self.assertRegex(daemon.log_text(), "/proc|namespace|CAP_|permi")
            return None
        return daemon

    def assert_lacks(self, daemon, answer, what):
        """The answer, status and doctor say that @what is missing, and what to do."""
        self.assert_verdict(answer, "unknown", "blocked")
        self.assertFalse(answer["proof"]["complete"], self.show(answer))
        lacks = [lack for lack in answer["proof"]["coverage"]
                 if lack["blinds"] and what in lack["what"] + " " + lack["why"]]
        self.assertTrue(lacks and lacks[0]["remedy"], self.show(answer))
        self.assertIn(lacks[0]["why"], " ".join(self.texts(answer["reasons"])), self.show(answer))
        status = daemon.status()
        broken = [row for row in status["mechanisms"] if not row["works"]]
        self.assertTrue(any(what in row["name"] + " " + row["detail"] for row in broken),
                        self.show(status))
        for row in broken:
            self.assertTrue(row["detail"] and row["remedy"], self.show(status))
        _, out, _ = daemon.run("doctor")
        self.assertIn(what, " ".join(out.split()))

    def never_safe(self, daemon, what):
        self.assert_lacks(daemon, daemon.check(), what)
        for state in STATES:
            with self.subTest(state=state):
                holder = self.hold(state, self.dll)
                self.assert_never_safe(daemon.check())
                holder.close()
                # A ring, or a device, may go a little later: not free, not safe.
                self.assert_never_safe(daemon.check())
        self.assert_lacks(daemon, daemon.check(), what)

    def test_in_a_pid_namespace(self):
        daemon = self.confined(CONTAINER)
        self.never_safe(daemon, "pid namespace")
        self.assertEqual(daemon.stop(), 0, daemon.log_text())

    def test_holders_outside_of_the_pid_namespace(self):
        """The census counts whom no process of the namespace shows."""
        daemon = self.confined(CONTAINER)
        for state in ("read", "mapped", "posix", "dlopen", "exec", "in-flight"):
            with self.subTest(state=state):
                path = self.dll
                if state == "exec":
                    path = self.program("Admin.exe", self.bin)
                elif state == "dlopen":
                    with open(LIBRARY, "rb") as f:
                        path = self.file("Library.dll", content=f.read())
                holder = self.hold(state, path)
                answer = daemon.check()
                self.assert_verdict(answer, "blocked")
                entry = self.file_of(answer, path)
                self.assertEqual(entry["state"], "blocked", self.show(answer))
                for use in entry["uses"]:
                    # Either nobody, or somebody by the number he has there.
                    self.assertNotEqual(use["pid"], daemon.process.pid, self.show(answer))
                self.assertIn("held by something that no process shows",
                              " ".join(self.texts(answer["reasons"])), self.show(answer))
                self.assertEqual(answer["counts"]["unattributed"], 1, self.show(answer))
                holder.kill()

    def test_in_a_user_namespace(self):
        daemon = self.confined(USER)
        if daemon:
            self.never_safe(daemon, "user namespace")
            self.assertEqual(daemon.stop(), 0, daemon.log_text())

    def test_in_both(self):
        daemon = self.confined([*USER, *CONTAINER[1:]])
        if daemon:
            self.never_safe(daemon, "namespace")
            self.assertEqual(daemon.stop(), 0, daemon.log_text())

    def test_without_proc(self):
        daemon = self.confined(HIDE_PROC)
        if daemon:
            self.never_safe(daemon, "/proc")


if __name__ == "__main__":
    main()
