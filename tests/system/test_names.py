#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A file is what it is, under whatever name somebody uses it."""
import os

from support import Product, SystemTest, main, private_mounts


def setUpModule():
    private_mounts()


class NamesTest(SystemTest):
    def held_under(self, path, other, *products):
        daemon = self.daemon(*products)
        self.assert_safe(daemon)
        for state, how in (("read", {"open"}), ("mapped", {"mapped"}), ("posix", {"locked"})):
            with self.subTest(state=state):
                holder = self.hold(state, other)
                self.assert_blocked_by(daemon, path, [holder.pid], how)
                holder.release()
                self.assert_safe(daemon)

    def test_hard_link_in_an_unwatched_directory(self):
        path = self.file("Mdbperf.dll")
        other = os.path.join(self.directory("unwatched"), "x")
        os.link(path, other)
        self.held_under(path, other)

    def test_events_by_a_name_that_is_no_product_s(self):
        """In a directory above the product's, in one beside it, and in its own: who opens
        it so is in the log; that the other name comes and goes is not."""
        path = self.file("Mdbperf.dll")
        others = [self.path("x"), os.path.join(self.directory("unwatched"), "x"),
                  os.path.join(os.path.dirname(path), "Mdbperf.old")]
        for other in others:
            os.link(path, other)
        daemon = self.daemon()
        self.assert_safe(daemon)
        for other in others:
            with self.subTest(other=other):
                holder = self.hold("read", other)
                self.assert_blocked_by(daemon, path, [holder.pid], {"open"})
                holder.kill()
                self.assert_safe(daemon)
                self.assertEqual({e["kind"]: e["path"] for e in daemon.log_events(
                    "--process", holder.pid, "--kind", "open,close")},
                    {"open": path, "close": path})
        for other in others:
            os.rename(other, other + ".moved")
            os.unlink(other + ".moved")
        self.assert_safe(daemon)
        self.assertEqual(daemon.log_events("--kind", "rename,delete,create"), [])

    def test_hard_link_made_later(self):
        path = self.file("Mdbperf.dll")
        other = os.path.join(self.directory("unwatched"), "x")
        daemon = self.daemon()
        os.link(path, other)
        holder = self.hold("mapped", other)
        self.assert_blocked_by(daemon, path, [holder.pid], {"mapped"})
        holder.kill()
        self.assert_safe(daemon)

    def test_bind_mount(self):
        path = self.file("Mdbperf.dll")
        other = self.bind(self.bin, self.directory("bound"))
        self.held_under(path, os.path.join(other, "Mdbperf.dll"))

    def test_bind_mount_of_the_file(self):
        path = self.file("Mdbperf.dll")
        other = self.bind(path, self.file("bound", self.scratch))
        # A rename would leave the old version there (test_keepers.py).
        self.held_under(path, other, Product("app", self.bin, replaced="in-place"))

    def test_symbolic_link(self):
        path = self.file("Mdbperf.dll")
        os.symlink(path, self.path("link"))
        self.held_under(path, self.path("link"))

    def test_ignoring_case(self):
        path = self.file("MDBPERF.DLL")
        daemon = self.daemon(Product("app", self.bin, files="mdbperf.dll"))
        holder = self.hold("read", path)
        self.assert_blocked_by(daemon, path, [holder.pid], {"open"})

    def test_ignoring_case_of_every_alphabet(self):
        """By the product's pattern, by a name that is asked about, by a service pack's, and
        by events."""
        path = self.file("\u00c4RGER\u212a.DLL")  # the sign of Kelvin: three bytes for one
        payload = self.directory("payload")
        self.file("\u00e4rGerk.dll", payload, content=b"a newer one\n")
        names = self.file("list", self.scratch, "\u00e4rgerK.dll\n".encode())
        daemon = self.daemon(Product("app", self.bin, files="\u00e4rger?.dll"))
        for asked in ((), ("--files", names), ("--payload", payload)):
            with self.subTest(asked=asked):
                self.assert_safe(daemon, *asked)
                holder = self.hold("mapped", path)
                answer = daemon.check(*asked)
                self.assert_verdict(answer, "blocked")
                self.assertEqual(self.use_of(answer, path, holder.pid)["how"], ["mapped"])
                holder.kill()
                self.assert_safe(daemon, *asked)
        later = self.file("\u00e4RGERX.dll")
        holder = self.hold("read", later)
        self.assert_blocked_by(daemon, later, [holder.pid], {"open"})
        holder.kill()
        self.assert_safe(daemon)
        self.assertIn(later, {e["path"] for e in daemon.log_events("--kind", "open")})

    def test_a_letter_and_a_mark_are_not_the_letter_with_it(self):
        self.file("\u00e4.dll")
        self.hold("read", self.file("A\u0308.dll"))
        self.assert_safe(self.daemon(Product("app", self.bin, files="\u00c4.dll")))

    def test_minding_case(self):
        self.hold("read", self.file("MDBPERF.DLL"))
        self.file("mdbperf.dll")
        self.assert_safe(self.daemon(
            Product("app", self.bin, files="mdbperf.dll", ignore_case=False)))

    def test_other_files_do_not_block(self):
        self.file("Mdbperf.dll")
        self.hold("read", self.file("readme.txt"))
        self.hold("mapped", self.file("Mdbperf.dll", self.directory("unwatched")))
        self.assert_safe(self.daemon())

    def test_hostile_name(self):
        path = self.file("bad\n\x1b[31m\u202e.dll")
        daemon = self.daemon()
        self.hold("read", path)
        code, out, err = daemon.run("check")
        self.assertEqual(code, 2, err)
        for text in (out, err, daemon.log_text()):
            self.assertNotIn("\x1b", text)
            self.assertNotIn("\u202e", text)
        self.assertIn("\\x1b[31m", out)
        self.assert_verdict(daemon.check(), "blocked")


if __name__ == "__main__":
    main()
