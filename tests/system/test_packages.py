#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The hooks of apt and dnf: when they would replace or remove what is in the way, they are
stopped before dpkg or rpm begins. The real ones, with a repository and a database of their
own."""
import os
import shutil
import subprocess
import time
import unittest

from support import FAIL_AFTER, ROOT, SPGUARD, Product, SystemTest, main

HOOK = os.path.join(ROOT, "conf", "apt", "80spguard.in")
PLUGIN = os.path.join(ROOT, "conf", "dnf")
REFUSED = "Failure running script"


@unittest.skipUnless(shutil.which("apt-get") and shutil.which("dpkg-scanpackages"),
                     "no apt-get or no dpkg-scanpackages here")
class AptTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.app = self.directory("srv", "app")
        self.repository = self.directory("repository")
        self.admin = self.directory("dpkg")
        for name in "info", "updates", "triggers":
            os.makedirs(os.path.join(self.admin, name))
        for name in "status", "available":
            open(os.path.join(self.admin, name), "ab").close()
        self.configure()

    def configure(self):
        parts = self.directory("apt", "apt.conf.d")
        with open(HOOK, encoding="utf-8") as f:
            hook = f.read().replace("@spguard@", SPGUARD)
        self.write(os.path.join(parts, "80spguard"), hook)
        for name in "state/lists/partial", "cache/archives/partial", "log":
            self.directory("apt", *name.split("/"))
        apt = self.path("apt")
        self.write(apt + "/sources.list", f"deb [trusted=yes] file:{self.repository} ./\n")
        self.write(apt + "/apt.conf", f"""
            Dir::Etc::parts "{parts}"; Dir::Etc::main "/dev/null";
            Dir::Etc::sourcelist "{apt}/sources.list"; Dir::Etc::sourceparts "/dev/null";
            Dir::Etc::preferencesparts "/dev/null";
            Dir::State "{apt}/state"; Dir::State::status "{self.admin}/status";
            Dir::Cache "{apt}/cache"; Dir::Log "{apt}/log";
            APT::Sandbox::User "root"; APT::Get::Assume-Yes "true";
            APT::Install-Recommends "false"; Debug::NoLocking "true";
            DPkg::Options {{ "--admindir={self.admin}"; "--log={self.admin}/log";
                "--force-confnew"; }};
            """)

    @staticmethod
    def write(path, text):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def make(self, name, version, *files, where=None, postinst=None):
        """Put a package into the repository; @files lie in the application's directory."""
        tree = self.directory("tree", name, version)
        os.makedirs(tree + "/DEBIAN")
        self.write(tree + "/DEBIAN/control",
                   f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
                   "Maintainer: A <a@b.c>\nDescription: d\n")
        if postinst:
            self.write(tree + "/DEBIAN/postinst", postinst)
            os.chmod(tree + "/DEBIAN/postinst", 0o755)
        for file in files:
            path = tree + os.path.join(where or self.app, file)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self.write(path, f"{file} of {name} {version}\n" * 500)
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree,
                        f"{self.repository}/{name}_{version}_all.deb"],
                       check=True, capture_output=True, timeout=FAIL_AFTER)

    def environment(self, daemon, **more):
        return {**os.environ, "APT_CONFIG": self.path("apt", "apt.conf"), "LC_ALL": "C",
                "DPKG_ADMINDIR": self.admin, "SPGUARD_SOCKET": daemon.socket,
                "DEBIAN_FRONTEND": "noninteractive", **more}

    def apt(self, daemon, *words, **more):
        done = subprocess.run(["apt-get", *words], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=self.environment(daemon, **more), timeout=FAIL_AFTER)
        return done.returncode, done.stdout

    def update(self, daemon):
        with open(self.repository + "/Packages", "wb") as f:
            subprocess.run(["dpkg-scanpackages", "-m", "."], cwd=self.repository, check=True,
                           stdout=f, stderr=subprocess.DEVNULL, timeout=FAIL_AFTER)
        code, out = self.apt(daemon, "update")
        self.assertEqual(code, 0, out)

    def succeed(self, daemon, *words, **more):
        code, out = self.apt(daemon, *words, **more)
        self.assertEqual(code, 0, out)
        return out

    def refuse(self, daemon, *words, **more):
        code, out = self.apt(daemon, *words, **more)
        self.assertNotEqual(code, 0, out)
        self.assertIn(REFUSED, out)
        self.assertIn("SPGUARD_ON_BLOCKED=warn", out)
        return " ".join(out.split())

    def serve(self, **options):
        options = {"recursive": True, "files": "*.so", "title": "The shop", **options}
        return self.daemon(Product("shop", self.app, **options),
                           daemon_keys={"install-quiet": "1s"})

    def content(self, name):
        with open(os.path.join(self.app, name), encoding="utf-8") as f:
            return f.readline().strip()

    def begin(self, *files, **options):
        """A daemon, and libheld 1 installed, with 2 to be had."""
        daemon = self.serve(**options)
        self.make("libheld", "1", *files)
        self.update(daemon)
        self.succeed(daemon, "install", "libheld")
        self.rpc(daemon).call("installs", wait=FAIL_AFTER)
        return daemon

    def test_upgrade(self):
        daemon = self.begin("libheld.so")
        self.make("libheld", "2", "libheld.so", "new/libnew.so")
        self.make("other", "1", "etc/other.so", where=self.path("elsewhere"))
        self.update(daemon)
        holder = self.hold("read", os.path.join(self.app, "libheld.so"))
        out = self.refuse(daemon, "install", "libheld", "other")
        for words in ("libheld 1 to 2", "The shop: 1 of 2 files is in the way", "libheld.so",
                      str(holder.pid)):
            self.assertIn(words, out)
        self.assertNotIn("other 1", out.split("spguard:", 1)[1])
        self.assertEqual(self.content("libheld.so"), "libheld.so of libheld 1")
        self.assertFalse(os.path.exists(self.path("elsewhere")))
        self.assertNotIn("spguard:", self.succeed(daemon, "install", "other"))
        holder.release()
        self.assertNotIn("spguard:", self.succeed(daemon, "upgrade"))
        self.assertEqual(self.content("libheld.so"), "libheld.so of libheld 2")
        self.assertEqual(self.content("new/libnew.so"), "new/libnew.so of libheld 2")

    def assert_by(self, daemon, name):
        """The last install names whom a person has started."""
        install = self.rpc(daemon).call("installs", wait=FAIL_AFTER)["installs"][0]
        self.assertEqual((install["by"]["name"], install["by"]["user"], install["outcome"]),
                         (name, "root", "clean"), install)
        code, out, err = daemon.run("installs")
        self.assertEqual(code, 0, err)
        self.assertIn(name, out)

    def test_who_has_installed(self):
        """Neither dpkg, nor what a package's scripts start."""
        daemon = self.begin("libheld.so")
        self.assert_by(daemon, "apt-get")
        self.make("libheld", "2", "libheld.so", "second.so",
                  postinst=f"#!/bin/sh\necho more > {self.app}/made.so\n")
        self.update(daemon)
        self.succeed(daemon, "upgrade")
        self.assert_by(daemon, "apt-get")
        deb = self.repository + "/libheld_1_all.deb"
        subprocess.run(["dpkg", "--admindir=" + self.admin, f"--log={self.admin}/log", "-i",
                        deb], check=True, capture_output=True, stdin=subprocess.DEVNULL,
                       timeout=FAIL_AFTER)
        self.assert_by(daemon, "dpkg")

    def newest(self, daemon):
        rpc = self.rpc(daemon)
        install = rpc.call("installs", wait=FAIL_AFTER, limit=1)["installs"][0]
        install = rpc.call("installs", id=install["id"])["installs"][0]
        self.assertEqual(install["outcome"], "clean", install)
        return install

    def of(self, install):
        """Package and version of each file."""
        return {os.path.basename(file["path"]): tuple(file["package"].values())
                if file["package"] else None for file in install["files"]}

    def test_the_transaction(self):
        """Several packages of one product are one install, which names each of them. The
        database is another than the system's: what was there is known from the second on."""
        daemon = self.serve()
        for version in "1", "2":
            for name in "liba", "libb", "libc":
                self.make(name, version, name + ".so")
        self.make("libd", "1", "libd.so")
        self.make("alien", "1", "etc/alien.so", where=self.path("elsewhere"))
        self.update(daemon)
        self.succeed(daemon, "install", "liba=1", "libb=1", "libc=1", "alien")
        install = self.newest(daemon)
        self.assertEqual(install["id"], 1)
        self.assertEqual(install["packages"], [
            {"name": name, "from": None, "to": "1", "from_known": False}
            for name in ("liba", "libb", "libc")])
        self.assertEqual(self.of(install), {f"lib{x}.so": (f"lib{x}", "1") for x in "abc"})
        command = "apt-get install liba=2 libb=2 libc- libd"
        self.succeed(daemon, *command.split()[1:])
        install = self.newest(daemon)
        self.assertEqual((install["id"], install["command"]), (2, command))
        self.assertEqual(
            [(p["name"], p["from"], p["to"], p["from_known"]) for p in install["packages"]],
            [("liba", "1", "2", True), ("libb", "1", "2", True), ("libc", "1", None, True),
             ("libd", None, "1", True)])
        self.assertEqual(self.of(install), {
            "liba.so": ("liba", "2"), "libb.so": ("libb", "2"), "libc.so": ("libc", "1"),
            "libd.so": ("libd", "1")})
        words = command + " (root): liba 1 to 2, libb 1 to 2, libc 1 removed, libd 1 new"
        code, out, err = daemon.run("installs")
        self.assertEqual(code, 0, err)
        self.assertIn(words, out)
        code, out, err = daemon.run("installs", "2")
        self.assertIn("packages liba 1 to 2, libb 1 to 2, libc 1 removed, libd 1 new", out)
        self.assertIn("liba.so (liba 2)", out)
        self.succeed(daemon, "install", "--reinstall", "liba")
        self.assertEqual(self.newest(daemon)["packages"], [
            {"name": "liba", "from": "2", "to": "2", "from_known": True}])

    def test_another_root(self):
        """What dpkg --root installs is of the packages there; here, files are of none."""
        daemon = self.serve()
        root = self.app
        for name in "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/log":
            os.makedirs(os.path.join(root, name))
        open(root + "/var/lib/dpkg/status", "ab").close()
        for version in "1", "2":
            # Else it may have ended before anybody can read where its packages are.
            self.make("libroot", version, "r.so", where="/usr/lib",
                      postinst="#!/bin/sh\nsleep .5\n")
            subprocess.run(["dpkg", "--root=" + root, "--force-script-chrootless",
                            f"--log={self.admin}/log", "-i",
                            f"{self.repository}/libroot_{version}_all.deb"], check=True,
                           capture_output=True, stdin=subprocess.DEVNULL, timeout=FAIL_AFTER)
            install = self.newest(daemon)
        self.assertEqual(install["packages"], [
            {"name": "libroot", "from": "1", "to": "2", "from_known": True}])
        self.assertEqual(self.of(install), {"r.so": ("libroot", "2")})
        file, = self.rpc(daemon).call("who", all=True)["files"]
        self.assertIsNone(file["package"])

    def test_no_package(self):
        """Who writes a file by hand installs no package."""
        daemon = self.begin("libheld.so")
        self.write(self.app + "/own.so", "own")
        install = self.newest(daemon)
        self.assertEqual((install["packages"], self.of(install)), ([], {"own.so": None}))

    def test_a_database_that_cannot_be_read(self):
        """It is no fault of the install, and the log tells it once."""
        daemon = self.serve()
        os.makedirs(self.path("srv", "root", "var", "lib", "dpkg", "status"))
        self.dpkg = self.path("dpkg", "dpkg")
        self.write(self.dpkg, '#!/bin/sh\necho x > "$1"; sleep .5; echo y > "$1"; exit 0\n')
        os.chmod(self.dpkg, 0o755)
        for _ in range(2):
            # Who is called dpkg is asked where its packages are.
            subprocess.run([self.dpkg, self.app + "/own.so",
                            "--root=" + self.path("srv", "root")],
                           check=True, timeout=FAIL_AFTER)
            install = self.newest(daemon)
            self.assertEqual((install["by"]["name"], install["packages"]), ("dpkg", []))
        self.assertEqual(daemon.log_text().count("of which packages files are is not known"), 1)

    def test_go_on_all_the_same(self):
        daemon = self.begin("libheld.so")
        self.make("libheld", "2", "libheld.so")
        self.update(daemon)
        self.hold("read", os.path.join(self.app, "libheld.so"))
        out = self.succeed(daemon, "upgrade", SPGUARD_ON_BLOCKED="warn")
        self.assertIn("The shop: 1 of 1 file is in the way", out)
        self.assertIn("going on all the same", out)
        self.assertEqual(self.content("libheld.so"), "libheld.so of libheld 2")

    def test_without_the_daemon(self):
        """The daemon itself has to be upgraded, too."""
        daemon = self.begin("libheld.so")
        self.make("libheld", "2", "libheld.so")
        self.update(daemon)
        daemon.stop()
        out = self.succeed(daemon, "upgrade")
        self.assertIn("no daemon", out)
        self.assertIn("going on (--on-failure=warn)", out)
        self.assertEqual(self.content("libheld.so"), "libheld.so of libheld 2")

    def test_what_goes(self):
        """A removed package's files, and those that the new version has no more."""
        daemon = self.begin("libheld.so.1.so", "libheld.so", "sub/plain.so")
        self.make("libheld", "2", "libheld.so")
        self.update(daemon)
        holder = self.hold("read", os.path.join(self.app, "libheld.so.1.so"))
        self.assertIn("libheld.so.1.so", self.refuse(daemon, "upgrade"))
        out = self.refuse(daemon, "remove", "libheld")
        self.assertIn("libheld 1 removed", out)
        self.assertTrue(os.path.exists(os.path.join(self.app, "libheld.so.1.so")))
        holder.release()
        self.succeed(daemon, "remove", "libheld")
        self.assertFalse(os.path.exists(os.path.join(self.app, "libheld.so")))

    def test_only_what_is_watched(self):
        """Other files in a product's directory, and below one without subdirectories, are
        nobody's business."""
        daemon = self.begin("free.so", "held.txt", "sub/held.so", recursive=False)
        self.make("libheld", "2", "free.so", "held.txt", "sub/held.so", "sub/new.so")
        self.update(daemon)
        self.hold("read", os.path.join(self.app, "held.txt"))
        self.hold("read", os.path.join(self.app, "sub", "held.so"))
        self.assertNotIn("spguard:", self.succeed(daemon, "upgrade"))
        self.assertEqual(self.content("held.txt"), "held.txt of libheld 2")

    def test_a_directory_that_is_not_there(self):
        """The first package that brings it is in nobody's way."""
        new = self.path("srv", "new")
        daemon = self.daemon(Product("new", new, files="*.so"),
                             daemon_keys={"install-quiet": "1s"})
        self.make("first", "1", "first.so", where=new)
        self.make("first", "2", "first.so", where=new)
        self.update(daemon)
        self.assertNotIn("spguard:", self.succeed(daemon, "install", "first=1"))
        self.hold("read", os.path.join(new, "first.so"))
        self.refuse(daemon, "upgrade")

    def test_a_directory_by_another_name(self):
        """As /lib is /usr/lib: the product, the package, or both use the link."""
        link = self.path("srv", "link")
        os.symlink("app", link)
        self.make("libheld", "1", "libheld.so")
        self.make("libheld", "2", "libheld.so", where=link)
        daemon = self.daemon(Product("real", self.app, files="*.so"),
                             Product("linked", link, files="*.so"),
                             daemon_keys={"install-quiet": "1s"})
        self.update(daemon)
        self.succeed(daemon, "install", "libheld=1")
        self.hold("read", os.path.join(self.app, "libheld.so"))
        out = self.refuse(daemon, "upgrade")
        for name in "real", "linked":
            self.assertIn(name + ": 1 of 1 file is in the way", out)

    def test_behind_links(self):
        """What a link in the product's directory leads to is its file, wherever it is."""
        outside, more = self.path("outside"), self.path("more")
        self.make("linked", "1", "x.so.1", where=outside)
        self.make("linked", "2", "x.so.1", where=outside)
        self.make("folder", "1", "y.so", where=more)
        self.make("folder", "2", "y.so", where=more)
        os.symlink(os.path.join(outside, "x.so.1"), os.path.join(self.app, "x.so"))
        os.symlink(more, os.path.join(self.app, "sub"))
        daemon = self.serve()
        self.update(daemon)
        for name, path in ("linked", outside + "/x.so.1"), ("folder", more + "/y.so"):
            with self.subTest(name):
                self.succeed(daemon, "install", name + "=1", SPGUARD_ON_BLOCKED="warn")
                holder = self.hold("read", path)
                self.assertIn(name + " 1 to 2", self.refuse(daemon, "install", name))
                holder.release()
                self.succeed(daemon, "install", name)

    def test_one_after_the_other(self):
        """What apt did a moment ago is over: it is no install in the way."""
        daemon = self.begin("libheld.so")
        self.make("second", "1", "second.so")
        self.make("third", "1", "third.so")
        self.update(daemon)
        self.succeed(daemon, "install", "second")
        self.succeed(daemon, "install", "third")
        self.assertEqual(self.content("third.so"), "third.so of third 1")

    # What is no answer.

    def ask(self, daemon, text, *options, code):
        done = subprocess.run([SPGUARD, "packages", *options], input=text, text=True,
                              env=self.environment(daemon), capture_output=True,
                              timeout=FAIL_AFTER)
        self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
        return " ".join(done.stderr.split())

    def test_failures(self):
        daemon = self.serve()
        bad = self.file("bad.deb", self.scratch, b"!<arch>\ndebian-binary   no more")
        line = "app - - none < 1 all none "
        cases = (("", "third version"), ("VERSION 2\n\n", "third version"),
                 ("VERSION 3\nA=b\n\nwhat is this\n", "not understood"),
                 ("VERSION 3\n\n" + line + "**WHAT**\n", "not understood"),
                 ("VERSION 3\n\n-x 1 all none < 2 all none /x\n", "not understood"),
                 ("VERSION 3\n\n" + line + bad + "\n", "bad.deb"),
                 ("VERSION 3\n\n" + line + "/no/such.deb\n", "such.deb"),
                 ("VERSION 3\n\ngone 1 all none > - - none **REMOVE**\n",
                  "does not list the files"),
                 ("VERSION 3\n\n\0\n", "NUL"))
        for text, words in cases:
            with self.subTest(text):
                self.assertIn(words, self.ask(daemon, text, "--apt", code=0))
                out = self.ask(daemon, text, "--apt", "--on-failure=refuse", code=3)
                self.assertIn("refused, nothing was changed", out)
        for text in ("VERSION 3\n\n", "VERSION 3\nA=b\n\n" + line + "**CONFIGURE**\n"):
            self.assertEqual(self.ask(daemon, text, "--apt", code=0), "")
        self.assertIn("takes refuse or warn",
                      self.ask(daemon, "", "--apt", "--on-blocked=no", code=3))
        self.assertIn("give one of", self.ask(daemon, "", code=3))

    def test_no_end(self):
        daemon = self.serve()
        for options, code in ((), 0), (("--on-failure=refuse",), 3):
            process = subprocess.Popen(
                [SPGUARD, "packages", "--apt", "--within=200ms", *options],
                stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                env=self.environment(daemon))
            self.addCleanup(process.stdin.close)
            with process.stderr:
                self.assertIn("in time", process.stderr.read())
            self.assertEqual(process.wait(FAIL_AFTER), code)

    def test_a_package_without_files(self):
        daemon = self.begin()
        self.make("libheld", "2")
        self.update(daemon)
        self.assertNotIn("spguard:", self.succeed(daemon, "upgrade"))


class SystemDatabaseTest(SystemTest):
    """What the machine's own database knows of the machine's own programs."""

    @staticmethod
    def packages(directory):
        """What dpkg-query says of the files of a directory."""
        done = subprocess.run(["dpkg-query", "--search", directory + "/*"], text=True,
                              capture_output=True, timeout=FAIL_AFTER,
                              env={**os.environ, "LC_ALL": "C"})
        found = {}
        for line in done.stdout.splitlines():
            names, _, path = line.partition(": ")
            if not line.startswith("diversion by ") and "," not in names:
                found[path] = names
        return found

    @unittest.skipUnless(shutil.which("dpkg-query"), "no dpkg here")
    def test_who(self):
        """Also where a package says /sbin, which is /usr/sbin."""
        daemon = self.daemon(Product("programs", "/usr/sbin", files="*"))
        rpc, files = self.rpc(daemon), []
        end = time.monotonic() + FAIL_AFTER
        # The database is read after the start.
        while not any(file["package"] for file in files) and time.monotonic() < end:
            files = rpc.call("who", all=True)["files"]
        known = self.packages("/usr/sbin")
        if os.path.realpath("/sbin") == "/usr/sbin":
            known.update({"/usr" + path: name
                          for path, name in self.packages("/sbin").items()})
        own = subprocess.run(["dpkg", "--print-architecture"], text=True, check=True,
                             capture_output=True, timeout=FAIL_AFTER).stdout.strip()
        versions = {}
        n = 0
        for file in files:
            name = known.get(file["path"])
            if not name:
                continue
            n += 1
            if name not in versions:
                versions[name] = subprocess.run(
                    ["dpkg-query", "--show", "--showformat=${Version}", name], text=True,
                    check=True, capture_output=True, timeout=FAIL_AFTER).stdout
            self.assertEqual(file["package"], {"name": name.removesuffix(":" + own),
                                               "version": versions[name]}, file["path"])
        self.assertGreater(n, 20)
        path = next(file["path"] for file in files if file["package"])
        code, out, err = daemon.run("who", path)
        self.assertEqual(code, 0, err)
        package = next(f["package"] for f in files if f["path"] == path)
        self.assertIn(f"({package['name']} {package['version']})", " ".join(out.split()))


@unittest.skipUnless(all(map(shutil.which, ("rpm", "rpmbuild"))), "no rpm or rpmbuild here")
class RpmTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.root = self.directory("root")
        self.directory("root", "db")
        self.app = self.directory("root", "opt", "app")
        self.daemon_here = self.daemon(Product("shop", self.app, files="*.so"),
                                       daemon_keys={"install-quiet": "1s"})

    def run_it(self, *words):
        subprocess.run(words, check=True, capture_output=True, timeout=FAIL_AFTER,
                       stdin=subprocess.DEVNULL)

    def make(self, name, version, *files):
        spec = self.path(name + ".spec")
        with open(spec, "w", encoding="utf-8") as f:
            f.write(f"Name: {name}\nVersion: {version}\nRelease: 1\nEpoch: 3\nSummary: d\n"
                    "License: MIT\nBuildArch: noarch\n%description\nd\n%install\n"
                    "mkdir -p %{buildroot}/opt/app\n")
            for file in files:
                f.write(f"seq 1 5000 > %{{buildroot}}/opt/app/{file}; "
                        f"echo {version} >> %{{buildroot}}/opt/app/{file}\n")
            f.write("%files\n" + "".join(f"/opt/app/{file}\n" for file in files))
        self.run_it("rpmbuild", "-bb", "--define", f"_topdir {self.directory('top')}",
                    "--define", f"_rpmdir {self.directory('rpms')}", spec)
        return self.path("rpms", "noarch", f"{name}-{version}-1.noarch.rpm")

    def rpm(self, *words):
        # Each by another parent: else the second goes on with the first.
        self.run_it("sh", "-c", 'rpm "$@"; exit $?', "sh", "--root", self.root, "--dbpath",
                    "/db", *words)
        rpc = self.rpc(self.daemon_here)
        install = rpc.call("installs", wait=FAIL_AFTER, limit=1)["installs"][0]
        return rpc.call("installs", id=install["id"])["installs"][0]

    def test_the_transaction(self):
        """A database of its own, below another root."""
        self.rpm("-i", self.make("liba", "1", "a.so", "x.so"),
                 self.make("libb", "1", "b.so"))
        install = self.rpm("-U", self.make("liba", "2", "a.so"),
                           self.make("libc", "1", "c.so"))
        self.assertEqual((install["by"]["name"], install["outcome"]), ("rpm", "clean"), install)
        self.assertEqual(install["packages"], [
            {"name": "liba", "from": "3:1-1", "to": "3:2-1", "from_known": True},
            {"name": "libc", "from": None, "to": "3:1-1", "from_known": True}])
        self.assertEqual(
            {os.path.basename(f["path"]): f["package"] for f in install["files"]},
            {"a.so": {"name": "liba", "version": "3:2-1"},
             "c.so": {"name": "libc", "version": "3:1-1"},
             "x.so": {"name": "liba", "version": "3:1-1"}})
        install = self.rpm("-e", "libb")
        self.assertEqual(install["packages"], [
            {"name": "libb", "from": "3:1-1", "to": None, "from_known": True}])


@unittest.skipUnless(all(map(shutil.which, ("dnf", "rpmbuild", "createrepo_c"))),
                     "no dnf, no rpmbuild or no createrepo_c here")
class DnfTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.app, self.repository = self.directory("srv", "app"), self.directory("repository")
        self.library = os.path.join(self.app, "libheld.so")
        self.plugins, home = self.directory("plugins"), self.directory("user")
        self.write(home + "/.rpmmacros", f"%_dbpath {self.directory('rpmdb')}\n")
        with open(PLUGIN + "/spguard.py.in", encoding="utf-8") as f:
            self.write(self.plugins + "/spguard.py", f.read().replace("@spguard@", SPGUARD))
        shutil.copy(PLUGIN + "/spguard.conf", self.plugins)
        self.write(self.path("dnf.conf"), f"""[main]
cachedir={self.directory("cache")}
persistdir={self.directory("persist")}
logdir={self.directory("log")}
reposdir=/dev/null
varsdir=/dev/null
pluginpath={self.plugins}
pluginconfpath={self.plugins}
plugins=1
[own]
name=own
baseurl=file://{self.repository}
gpgcheck=0
""")
        self.daemon_here = self.daemon(
            Product("shop", self.app, files="*.so", title="The shop"),
            daemon_keys={"install-quiet": "1s"})
        self.environment = {**os.environ, "HOME": home, "LC_ALL": "C",
                            "SPGUARD_SOCKET": self.daemon_here.socket}
        for version in "1", "2":
            self.make(version)
        self.tool("createrepo_c", "-q", self.repository)
        code, out = self.dnf("install", "libheld-1")
        self.assertEqual(code, 0, out)
        self.assertNotIn("spguard:", out)
        self.rpc(self.daemon_here).call("installs", wait=FAIL_AFTER)

    @staticmethod
    def write(path, text):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def tool(self, *words):
        subprocess.run(words, check=True, capture_output=True, timeout=FAIL_AFTER,
                       env=self.environment)

    def make(self, version):
        self.write(self.path("libheld.spec"), f"""Name: libheld
Version: {version}
Release: 1
Summary: d
License: MIT
BuildArch: noarch
%description
d
%install
mkdir -p %{{buildroot}}{self.app}
echo {version} > %{{buildroot}}{self.library}
%files
{self.library}
""")
        self.tool("rpmbuild", "-bb", "--define", f"_topdir {self.directory('top')}",
                  "--define", f"_rpmdir {self.repository}", self.path("libheld.spec"))

    def dnf(self, *words, **more):
        done = subprocess.run(
            ["dnf", "--releasever=1", "--assumeyes", "-c", self.path("dnf.conf"), *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, env={**self.environment, **more}, timeout=FAIL_AFTER)
        return done.returncode, done.stdout

    def version(self):
        with open(self.library, encoding="utf-8") as f:
            return f.read().strip()

    def test_upgrade(self):
        holder = self.hold("read", self.library)
        for words in ("upgrade",), ("remove", "libheld"):
            code, out = self.dnf(*words)
            self.assertNotEqual(code, 0, out)
            for said in ("libheld", "The shop: 1 of 1 file is in the way", str(holder.pid),
                         "spguard has refused the transaction"):
                self.assertIn(said, out)
            self.assertEqual(self.version(), "1")
        holder.release()
        code, out = self.dnf("upgrade")
        self.assertEqual((code, self.version()), (0, "2"), out)
        self.assertNotIn("spguard:", out)
        install = self.rpc(self.daemon_here).call("installs", wait=FAIL_AFTER)["installs"][0]
        self.assertEqual(install["by"]["name"], "dnf", install)

    def test_go_on_all_the_same(self):
        self.hold("read", self.library)
        code, out = self.dnf("upgrade", SPGUARD_ON_BLOCKED="warn")
        self.assertEqual((code, self.version()), (0, "2"), out)
        self.assertIn("The shop: 1 of 1 file is in the way", out)

    def test_without_the_daemon(self):
        self.daemon_here.stop()
        code, out = self.dnf("upgrade")
        self.assertEqual((code, self.version()), (0, "2"), out)
        self.assertIn("going on (--on-failure=warn)", out)


if __name__ == "__main__":
    main()
