#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A service pack that is a package: its files go where their paths say, and nowhere else."""
import os
import shutil
import subprocess
import unittest

from support import FAIL_AFTER, Product, SystemTest, main
from pe_library import library  # (support knows where it is)

OLD, NEW = library("1.0.0.0"), library("2.0.0.0")
FITS, MIXED = 0, 2
NAMES = "lib/foo.dll", "lib/bar.dll", "bin/app.exe"


@unittest.skipUnless(shutil.which("dpkg-deb"), "dpkg-deb is not installed")
class ArchiveTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.app = self.directory("srv", "app")
        self.deb = os.path.join(self.directory("packages"), "app_2_all.deb")

    def put(self, files):
        """@files: absolute path -> content."""
        for path, content in files.items():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(content)

    def release(self, number, content, names=NAMES):
        return {os.path.join(self.app, number, name): content for name in names}

    def make_deb(self, files):
        tree = self.directory("tree")
        self.put({tree + path: content for path, content in files.items()})
        self.put({tree + "/usr/share/doc/app/README": b"x\n", tree + "/DEBIAN/control":
                  b"Package: app\nVersion: 2\nArchitecture: all\nMaintainer: A <a@b.c>\n"
                  b"Description: d\n"})
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, self.deb], check=True,
                       capture_output=True, timeout=FAIL_AFTER)

    def install_command(self):
        """The real dpkg, with a database of its own."""
        admin = self.directory("dpkg")
        for name in "info", "updates", "triggers":
            os.makedirs(os.path.join(admin, name), exist_ok=True)
        for name in "status", "available":
            open(os.path.join(admin, name), "ab").close()
        return ["dpkg", "--admindir=" + admin, "--instdir=/", "--log=" + admin + "/log",
                "-i", self.deb]

    def serve(self):
        return self.daemon(Product("app", self.app, recursive=True, files="*"),
                           daemon_keys={"install-quiet": "1s"})

    def verify(self, daemon, code=FITS):
        got, answer = daemon.json("verify", "--payload", self.deb)
        product, = answer["products"]
        self.assertEqual(got, code, self.show(answer))
        return ({key: n for key, n in product["payload"].items() if n},
                sorted(f["text"] for f in product["findings"]))

    def test_two_releases_side_by_side(self):
        """The package is one of the new release; the old one has more of its files."""
        self.put({**self.release("14", OLD), **self.release("15", NEW, NAMES[:1])})
        self.make_deb(self.release("15", NEW))
        daemon = self.serve()
        payload, findings = self.verify(daemon)
        self.assertEqual((payload, findings), ({"files": 3, "same": 1, "missing": 2}, []))
        self.put(self.release("15", NEW))
        self.rpc(daemon).call("installs", wait=FAIL_AFTER)
        self.assertEqual(self.verify(daemon), ({"files": 3, "same": 3}, []))
        self.put(self.release("15", OLD, NAMES[:1]))
        self.rpc(daemon).call("installs", wait=FAIL_AFTER)
        self.assertEqual(self.verify(daemon, MIXED), (
            {"files": 3, "same": 2, "different": 1},
            ["foo.dll is 1.0.0.0, the service pack has 2.0.0.0"]))

    def test_run(self):
        self.put({**self.release("14", OLD), **self.release("15", OLD)})
        self.make_deb(self.release("15", NEW))
        daemon = self.serve()
        payload, findings = self.verify(daemon, MIXED)
        self.assertEqual(payload, {"files": 3, "different": 3})
        self.assertEqual(len(findings), 3)
        answer = daemon.check("--payload", self.deb, "--all")
        self.assertEqual({os.path.relpath(f["path"], self.app): f["offer"]
                          for f in answer["files"]},
                         {**{"15/" + name: "update" for name in NAMES},
                          **{"14/" + name: "untouched" for name in NAMES}})
        self.assertEqual({offer: n for offer, n in answer["payload"].items() if n},
                         {"update": 3})
        code, out, err = daemon.run("run", "--yes", "--payload", self.deb, "--",
                                    *self.install_command())
        self.assertEqual(code, 0, (out, err))
        self.assertEqual(" ".join(err.split()).count("the whole service pack would fit"), 1)
        self.assertEqual(self.verify(daemon), ({"files": 3, "same": 3}, []))
        install, = self.rpc(daemon).call("installs", wait=FAIL_AFTER)["installs"]
        self.assertEqual(install["outcome"], "clean")

    def test_a_package_of_something_else(self):
        """Nothing of it is the product's: that is not passed over."""
        self.put(self.release("15", OLD))
        self.make_deb({"/no/such/place/other.dll": NEW})
        daemon = self.serve()
        code, _, err = daemon.run("verify", "--payload", self.deb)
        self.assertEqual(code, 3)
        self.assertIn("no product has a file of this service pack", err)
        self.assertEqual(daemon.check("--payload", self.deb)["payload"]["new"], 2)

    def test_a_product_that_it_does_not_touch(self):
        """One whose directory is not there: no file of the package would go there."""
        self.put(self.release("15", OLD))
        self.make_deb(self.release("15", NEW))
        gone = os.path.join(self.app, "..", "gone")
        os.symlink("gone", os.path.join(self.app, "..", "link"))
        others = [Product("gone", gone), Product("linked", os.path.join(
            self.app, "..", "link", "deep"), recursive=True)]
        daemon = self.daemon(Product("app", self.app, recursive=True), *others)
        self.assert_verdict(daemon.check(), "unknown")
        answer = daemon.check("--payload", self.deb)
        self.assert_verdict(answer, "safe")
        self.assertEqual([p["product"] for p in answer["products"]], ["app"])
        self.assert_verdict(daemon.check("--payload", self.deb, "--product", "gone"),
                            "unknown")
        folder = os.path.dirname(self.directory("tree") + self.app)
        self.assert_verdict(daemon.check("--payload", folder), "unknown")
        holder = self.hold("read", os.path.join(self.app, "15", "lib", "foo.dll"))
        self.assert_verdict(daemon.check("--payload", self.deb), "blocked")
        holder.kill()
        # By another link to the same nothing.
        link = os.path.join(os.path.realpath(self.app), "..", "other")
        os.symlink(os.path.realpath(gone), link)
        self.make_deb({**self.release("15", NEW), os.path.normpath(link) + "/deep/a.dll": NEW})
        self.assert_verdict(daemon.check("--payload", self.deb), "unknown")
        shutil.rmtree(self.directory("tree"))
        # By the name that the product has for it.
        self.make_deb({**self.release("15", NEW), os.path.normpath(os.path.join(
            self.app, "..", "link")) + "/deep/a.dll": NEW})
        self.assert_verdict(daemon.check("--payload", self.deb), "unknown")
        shutil.rmtree(self.directory("tree"))
        # Where a link leads to nothing, the package would bring what is missing.
        self.make_deb({**self.release("15", NEW), os.path.realpath(gone) + "/deep/a.dll": NEW})
        answer = daemon.check("--payload", self.deb)
        self.assert_verdict(answer, "unknown")
        self.assertEqual([(p["product"], p["verdict"]) for p in answer["products"]],
                         [("app", "safe"), ("gone", "unknown"), ("linked", "unknown")])

    def test_letters_of_a_missing_directory(self):
        """Where case does not count, it does not for the directory either."""
        self.put(self.release("15", OLD))
        other = os.path.join(os.path.realpath(self.app), "..", "Other")
        daemon = self.daemon(Product("app", self.app, recursive=True), Product(
            "other", os.path.normpath(other), ignore_case=True, recursive=True))
        self.make_deb(self.release("15", NEW))
        self.assert_verdict(daemon.check("--payload", self.deb), "safe")
        self.make_deb({**self.release("15", NEW),
                       os.path.normpath(other).replace("Other", "OTHER") + "/a/b.dll": NEW})
        self.assert_verdict(daemon.check("--payload", self.deb), "unknown")

    def test_an_unreadable_product_may_have_it(self):
        """What cannot be listed may be the same directory by another way."""
        self.put(self.release("15", OLD))
        self.make_deb(self.release("15", NEW))
        loop = os.path.join(self.directory("links"), "loop")
        os.symlink("loop", loop)
        daemon = self.daemon(Product("app", self.app, recursive=True), Product("loop", loop))
        self.assert_verdict(daemon.check("--payload", self.deb), "unknown")


if __name__ == "__main__":
    main()
