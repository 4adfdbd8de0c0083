#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""spguard profile of what this machine has: of a real package, by the real dpkg, taken by
a real daemon, whose answers are then right; and of a process."""
import os
import shutil
import subprocess

from support import FAIL_AFTER, SPGUARD, SPGUARDD, SystemTest, main

PACKAGES = ("nginx", "apache2", "postgresql-15", "mariadb-server", "samba",
            "openjdk-17-jre-headless", "python3.11", "coreutils", "libc6", "perl")


def installed(package):
    if not shutil.which("dpkg-query"):
        return False
    done = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", package],
                          capture_output=True, text=True)
    return done.stdout.startswith("installed")


class ProfileTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.file("other.dll")
        self.products = self.directory("home", "products")

    def serve(self):
        return self.daemon(daemon_keys={"include": "products/*.conf"})

    def install(self, daemon, *args):
        return daemon.run("profile", *args, "--install", "--products-dir", self.products)

    def test_every_package_is_taken(self):
        """What is made of one passes the check of the configuration."""
        daemon = self.daemon(start=False, daemon_keys={"include": "products/*.conf"})
        there = [package for package in PACKAGES if installed(package)]
        if not there:
            self.skipTest("no package of dpkg here")
        for package in there:
            with self.subTest(package):
                made = subprocess.run([SPGUARD, "profile", "--package", package],
                                      capture_output=True, text=True, timeout=FAIL_AFTER)
                self.assertEqual((made.returncode, made.stderr), (0, ""))
                with open(os.path.join(self.products, "x.conf"), "w", encoding="utf-8") as out:
                    out.write(made.stdout)
                done = subprocess.run([SPGUARDD, "--config", daemon.config, "--check-config"],
                                      capture_output=True, text=True, timeout=FAIL_AFTER)
                self.assertEqual(done.returncode, 0, done.stderr + made.stdout)

    def test_a_package(self):
        if not installed("nginx"):
            self.skipTest("nginx is not installed")
        daemon = self.serve()
        code, out, err = self.install(daemon, "--package", "nginx")
        self.assertEqual((code, err), (0, ""), out)
        self.assertIn("Written: ", out)
        answer = daemon.check("--product", "nginx", "--all")
        self.assert_verdict(answer, "safe")
        paths = {entry["path"] for entry in answer["files"]}
        self.assertIn("/usr/sbin/nginx", paths)
        # /usr/sbin is of everybody.
        self.assertEqual([p for p in paths if not p.startswith("/usr/lib/nginx/modules/")],
                         ["/usr/sbin/nginx"])
        modules = sorted(paths - {"/usr/sbin/nginx"})
        for path in ["/usr/sbin/nginx", *modules[:2]]:
            holder = self.hold("mapped", path)
            answer = daemon.check("--product", "nginx")
            self.assert_verdict(answer, "blocked")
            self.use_of(answer, path, holder.pid)
            holder.release()
            self.assert_verdict(daemon.check("--product", "nginx"), "safe")
        self.assertEqual(self.install(daemon, "--package", "nginx")[0], 0)

    def test_an_application(self):
        """By its process, and by its directory: the same answers."""
        program = self.program("shopd", self.directory("shop", "bin"))
        library = self.directory("shop", "lib")
        shutil.copy(shutil.which("true"), os.path.join(library, "libshop.so.1"))
        daemon = self.serve()
        holder = self.hold("read", self.file("data"), program=program)
        code, out, err = self.install(daemon, "--pid", holder.pid)
        self.assertEqual((code, err), (0, ""), out)
        self.assertEqual(self.install(daemon, "--name", "tree", self.path("shop"))[0], 0)
        for name in "shopd", "tree":
            answer = daemon.check("--product", name)
            self.assert_verdict(answer, "blocked")
            self.use_of(answer, program, holder.pid)
        holder.kill()
        for name in "shopd", "tree":
            self.assert_verdict(daemon.check("--product", name), "safe")
        reader = self.hold("read", os.path.join(library, "libshop.so.1"))
        self.assert_verdict(daemon.check("--product", "tree"), "blocked")
        reader.kill()

    def test_refused(self):
        """By a daemon whose configuration has another fault: all is as before."""
        daemon = self.serve()
        with open(os.path.join(self.products, "bad.conf"), "w", encoding="utf-8") as out:
            out.write("[product bad]\nnonsense = 1\n")
        shop = self.directory("shop")
        self.program("shopd", shop)
        code, out, err = self.install(daemon, shop)
        self.assertEqual((code, out), (1, ""))
        self.assertIn("bad.conf:2", err)
        self.assertEqual(os.listdir(self.products), ["bad.conf"])
        os.unlink(os.path.join(self.products, "bad.conf"))
        self.assertEqual(self.install(daemon, shop)[0], 0)
        self.assert_verdict(daemon.check("--product", "shop"), "safe")


if __name__ == "__main__":
    main()
