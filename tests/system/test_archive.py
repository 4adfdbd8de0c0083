#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A service pack that is a package: its files go where their paths say, and nowhere else."""
import os
import shutil
import subprocess
import unittest

from support import BLOCKED, FAIL_AFTER, SAFE, UNKNOWN, Product, SystemTest, main
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
        shutil.rmtree(self.path("tree"), ignore_errors=True)
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

    def check(self, daemon, *params):
        code, answer = daemon.json("check", "--payload", self.deb, *params)
        return code, answer, {os.path.relpath(f["path"], self.app): f["state"]
                              for f in answer["files"]}

    def test_where_the_product_does_not_look(self):
        """A program that is there, below a directory that is not recursive, or outside: it
        is neither new nor free."""
        held = os.path.join(self.app, "lib/sub/bar.so.1")
        self.put({held: OLD, os.path.join(self.app, "lib/foo.dll"): OLD,
                  os.path.join(self.app, "lib/sub/README"): b"old\n"})
        self.hold("mapped", held)
        product = Product("app", os.path.join(self.app, "lib"), files="*", recursive=False)
        daemon = self.daemon(product)
        self.make_deb({os.path.join(self.app, name): NEW
                       for name in ("lib/foo.dll", "lib/sub/bar.so.1", "lib/sub/README.d",
                                    "lib/sub/new.so")})
        code, answer, states = self.check(daemon)
        self.assertEqual((code, answer["verdict"]), (UNKNOWN, "unknown"), answer)
        self.assertEqual(states, {"lib/sub/bar.so.1": "unknown"})
        self.assertEqual([(r["kind"], r["file"]) for r in answer["reasons"]],
                         [("not-of-product", held)])
        self.assertEqual(answer["payload"]["new"], 0, answer)
        out = daemon.run("check", "--payload", self.deb)[1]
        self.assertIn("nobody has looked who uses it", " ".join(out.split()))
        self.assertNotIn("not installed", out)
        # What is no program is nobody's business, and what is not there is in no one's way.
        self.make_deb({os.path.join(self.app, name): NEW
                       for name in ("lib/foo.dll", "lib/sub/new.so")} |
                      {os.path.join(self.app, "lib/sub/README"): b"new\n"})
        code, answer, states = self.check(daemon)
        self.assertEqual((code, states), (SAFE, {}), answer)
        self.assertEqual((answer["payload"]["new"], answer["payload"]["update"]), (0, 1))
        # Whoever has the product look there learns who holds it.
        product.recursive = True
        daemon.write_config()
        self.assertEqual(daemon.run("reload")[0], 0)
        self.make_deb({path: NEW for path in (held, os.path.join(self.app, "lib/foo.dll"))})
        self.assertEqual(self.check(daemon)[0], BLOCKED)

    def test_a_program_elsewhere(self):
        """A library by its name, a program by its content, or by that of the new one."""
        for name, old, content in (("bin/prog", b"old\n", NEW), ("lib2/x.so", b"o\n", b"n\n"),
                                   ("bin/script", OLD, b"#!/bin/sh\n")):
            with self.subTest(name):
                path = os.path.join(self.app, name)
                self.put({path: old, os.path.join(self.app, "lib/foo.dll"): OLD})
                os.chmod(path, 0o755)
                daemon = self.daemon(Product("app", os.path.join(self.app, "lib")),
                                     home=os.path.basename(name))
                self.make_deb({path: content, os.path.join(self.app, "lib/foo.dll"): NEW})
                code, answer, states = self.check(daemon)
                self.assertEqual((code, states), (UNKNOWN, {name: "unknown"}), answer)
                os.unlink(path)
                code, answer, states = self.check(daemon)
                self.assertEqual((code, states), (SAFE, {}), answer)
                daemon.close()

    def test_what_a_path_in_a_tar_does_not_tell(self):
        """Where setup puts bin/prog nobody knows: the answer does not say that it looked, or
        that it is not there."""
        self.put({os.path.join(self.app, "lib/foo.dll"): OLD,
                  os.path.join(self.app, "bin/prog"): OLD})
        daemon = self.daemon(Product("app", os.path.join(self.app, "lib")))
        self.deb = self.path("pack.tar")
        pack = self.directory("pack")
        self.put({os.path.join(pack, name): NEW for name in ("lib/foo.dll", "bin/prog")})
        subprocess.run(["tar", "-C", pack, "-cf", self.deb, "lib", "bin"], check=True,
                       timeout=FAIL_AFTER)
        code, out, _ = daemon.run("check", "--payload", self.deb)
        self.assertEqual(code, SAFE, out)
        self.assertIn("app: its file is not in use", out)
        self.assertIn("1 file of the service pack is not installed in the product's "
                      "directories: prog", " ".join(out.split()))

    def test_another_path_of_the_product(self):
        """A link leads to its directory: what the package replaces there is looked at."""
        real = os.path.join(self.app, "1.2")
        self.put({os.path.join(real, "foo.dll"): OLD, os.path.join(real, "tool"): OLD})
        link = self.path("current")
        os.symlink(real, link)
        daemon = self.daemon(Product("app", link, files="*.dll"))
        self.make_deb({os.path.join(real, name): NEW for name in ("foo.dll", "tool")})
        self.assertEqual(self.check(daemon)[0], SAFE)
        self.hold("mapped", os.path.join(real, "tool"))
        self.assertEqual(self.check(daemon)[0], BLOCKED)

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
