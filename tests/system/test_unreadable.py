#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the daemon may not look at is unknown, with reason and remedy: never safe."""
import os
import shutil
import socket

from support import (FAIL_AFTER, SPGUARDD, Failure, Product, SystemTest, main,
                     tier_in_force)

NOBODY = 65534


def without(*capabilities):
    """A prefix that runs a program as root short of these capabilities."""
    dropped = ",".join("-" + name for name in capabilities)
    return ["setpriv", f"--bounding-set={dropped}", f"--inh-caps={dropped}"]


CANNOT_READ = ("dac_override", "dac_read_search")


class UnreadableTest(SystemTest):
    def assert_unknown(self, answer, about):
        self.assert_verdict(answer, "unknown")
        self.assertIn(about, " ".join(self.texts(answer["reasons"])) +
                      self.show(answer["proof"]["coverage"]), self.show(answer))
        self.assertTrue(answer["reasons"], self.show(answer))
        self.assertTrue(answer["proof"]["coverage"], self.show(answer))
        for lack in answer["proof"]["coverage"]:
            self.assertTrue(lack["what"] and lack["why"] and lack["remedy"],
                            self.show(answer))
        self.assertFalse(answer["proof"]["complete"], self.show(answer))

    def odd_entries(self):
        """What is no file, under names of the product, in self.bin."""
        self.file("Mdbperf.dll")
        os.mkfifo(self.path("bin", "pipe.dll"))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.path("bin", "socket.dll"))
        os.mknod(self.path("bin", "null.dll"), 0o20600, os.makedev(1, 3))
        os.mkdir(self.path("bin", "directory.dll"))
        for name, target in (("loop", "loop.dll"), ("there", "back.dll"),
                             ("back", "there.dll"), ("inside", "loop.dll/x.dll"),
                             ("dangling", "nowhere"), ("below", "Mdbperf.dll/x"),
                             ("wordy", "x" * 300), ("topipe", "pipe.dll"),
                             ("tonull", "/dev/null"), ("self", "."),
                             ("growing", "growing.dll/growing.dll")):
            os.symlink(target, self.path("bin", f"{name}.dll"))

    def test_what_is_no_file(self):
        """None of it makes an answer unknown, and none of it hides a file."""
        self.odd_entries()
        for recursive in (False, True):
            with self.subTest(recursive=recursive):
                daemon = self.daemon(Product("app", self.bin, recursive=recursive),
                                     home=f"home-{recursive}")
                for _ in range(2):
                    answer = self.assert_safe(daemon)
                    self.assertEqual(answer["counts"]["files"], 1, self.show(answer))
                # What leads nowhere now may lead somewhere later.
                library = self.file("library", self.scratch)
                for name in ("loop", "wordy", "below"):
                    link = self.path("bin", f"{name}.dll")
                    target = os.readlink(link)
                    os.unlink(link)
                    os.symlink(library, link)
                    holder = self.hold("mapped", library)
                    self.assert_verdict(daemon.check(), "blocked")
                    holder.kill()
                    os.unlink(link)
                    os.symlink(target, link)
                self.assert_safe(daemon)
                daemon.stop()  # it reads what the next one watches, and holds it open

    def test_the_directory_is_a_circle(self):
        os.symlink("circle", self.path("circle"))
        answer = self.daemon(Product("app", self.path("circle"))).check()
        self.assert_unknown(answer, "in a circle")
        self.assertIn("mend the link", self.texts(answer["next"])[0])

    def test_paths_that_are_too_long(self):
        """They can be reached step by step only; by whoever does, they may be used."""
        self.file("Mdbperf.dll")
        os.chdir(self.bin)
        self.addCleanup(os.chdir, "/")
        for _ in range(20):
            os.mkdir("y" * 250)
            os.chdir("y" * 250)
        with open("Deep.dll", "w", encoding="ascii"):
            pass
        answer = self.daemon(Product("app", self.bin, recursive=True)).check()
        self.assert_verdict(answer, "unknown")
        self.assertIn("shorten", self.texts(answer["next"])[0])

    def test_what_is_too_large_to_be_read(self):
        path = self.file("Mdbperf.dll")
        os.truncate(path, (1 << 30) + 1)
        _, answer = self.daemon().json("verify")
        lack, = (lack for product in answer["products"] for lack in product["coverage"])
        self.assertIn("larger than 1 GiB", lack["why"])
        self.assertNotIn("readable", lack["remedy"])

    def test_directory(self):
        secret = self.directory("secret")
        self.file("Mdbperf.dll", secret)
        os.chown(secret, NOBODY, NOBODY)
        os.chmod(secret, 0o700)
        self.file("Other.dll")
        daemon = self.daemon(Product("app", secret), Product("other", self.bin),
                             prefix=without(*CANNOT_READ))
        self.assert_unknown(daemon.check("--product", "app"), secret)
        self.assert_verdict(daemon.check("--product", "other"), "safe")
        os.chmod(secret, 0o755)
        self.assert_verdict(daemon.check("--product", "app"), "safe")

    def test_file(self):
        path = self.file("Mdbperf.dll")
        daemon = self.daemon(prefix=without(*CANNOT_READ))
        self.assert_safe(daemon)
        os.chown(path, NOBODY, NOBODY)
        os.chmod(path, 0)
        if tier_in_force() == "bpf":
            # To name it is enough: who has it is asked of the inode.
            self.assert_safe(daemon)
        else:
            self.assert_unknown(daemon.check(), "Mdbperf.dll")
        holder = self.hold("mapped", path)
        self.assert_never_safe(daemon.check())
        holder.release()
        hidden = self.hold("in-flight", path)
        self.assert_never_safe(daemon.check())
        hidden.release()
        os.chmod(path, 0o644)
        self.assert_safe(daemon)

    def test_no_leases(self):
        """Without CAP_LEASE the probe is refused for other people's files."""
        path = self.file("Mdbperf.dll")
        os.chown(path, NOBODY, NOBODY)
        daemon = self.daemon(prefix=without("lease"))
        if tier_in_force() == "bpf":
            self.assert_safe(daemon)  # it takes no leases
        else:
            self.assert_never_safe(daemon.check())
        holder = self.hold("mapped", path)
        answer = daemon.check()
        self.assert_verdict(answer, "blocked")
        self.use_of(answer, path, holder.pid)
        holder.release()
        self.hold("in-flight", path)
        self.assert_never_safe(daemon.check())

    def test_processes(self):
        """Without CAP_SYS_PTRACE a privileged holder shows nothing of itself:
        still blocked, by somebody whom no process shows."""
        path = self.file("Mdbperf.dll")
        daemon = self.daemon(prefix=without("sys_ptrace"))
        self.assert_never_blocked_wrongly(daemon)
        for state in ("read", "mapped", "in-flight"):
            with self.subTest(state=state):
                holder = self.hold(state, path)
                answer = daemon.check()
                self.assert_never_safe(answer)
                self.assertEqual(self.file_of(answer, path)["state"], answer["verdict"],
                                 self.show(answer))
                holder.release()
                self.assert_never_blocked_wrongly(daemon)

    def assert_never_blocked_wrongly(self, daemon):
        self.assertIn(daemon.check()["verdict"], ("safe", "unknown"))

    def test_setup_stopped_but_others_cannot_be_seen(self):
        """The visible holder is one that setup stops; whoever else may hold the
        file cannot be seen: not safe."""
        path = self.file("Mdbperf.dll")
        program = self.program("store.exe")
        daemon = self.daemon(Product("app", self.bin, setup_stops="store.exe"),
                             prefix=without("sys_ptrace"))
        self.hold("read", path, program=program)
        self.hold("in-flight", path)
        self.assert_never_safe(daemon.check())

    def test_no_privileges_at_all(self):
        """An ordinary user may run it and is told what it cannot know."""
        path = self.file("Mdbperf.dll")
        home = self.directory("home")
        os.chmod(self.scratch, 0o755)
        os.chown(home, NOBODY, NOBODY)
        daemon = self.daemon(
            start=False, daemon_keys={"group": "nogroup"},
            program=shutil.copy(SPGUARDD, self.path("spguardd")),
            prefix=["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                    "--bounding-set=-all", "--inh-caps=-all"])
        daemon.spawn()
        try:
            daemon.log.wait_for(lambda line: "spguardd: ready" in line, "ready")
        except Failure:
            # It may refuse, if it says what it lacks.
            self.assertNotEqual(daemon.process.wait(FAIL_AFTER), 0)
            self.assertRegex(daemon.log_text(), "CAP_|root|permission|permitted")
            return
        self.hold("mapped", path)
        self.assert_never_safe(daemon.check())


if __name__ == "__main__":
    main()
