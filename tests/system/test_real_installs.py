#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Real programs install a real release: each is one install, with who did it, what each
file was and is, what was left out, and who still runs the version of before."""
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

from support import (END_AT_RENAME, FAIL_AFTER, Product, SystemTest, main, tier_in_force)

ENGINE = {1: "int engine_open(void) { return 1; }",
          2: "int engine_open(void) { return 1; } int engine_reopen(void) { return 2; }"}
SERVER = """#include <unistd.h>
int {needs}(void);
int main(void) {{ char c; write(1, "ready\\n", 6); read(0, &c, 1); return {needs}() - {version}; }}
"""
NEEDS = {1: "engine_open", 2: "engine_reopen"}
# The link to the library has its content.
FILES = ("bin/server", "lib/libengine.so.1", "lib/libengine.so.1.0", "share/a.txt",
         "share/b.txt", "share/same.txt")
CHANGING = [name for name in FILES if name != "share/same.txt"]
MISFIT = "server needs engine_reopen, which libengine.so.1 (1.0) does not define"
# renameat2(2), AT_FDCWD and RENAME_EXCHANGE
FITS, MIXED = 0, 2 # how "verify" ends
EXCHANGE = "import ctypes, os, sys; a, b = map(os.fsencode, sys.argv[1:]); " \
    "sys.exit(ctypes.CDLL(None).renameat2(-100, a, -100, b, 2))"
RENAMER = """
import os, shutil, sys
new, app, *names = sys.argv[1:]
for name in names:
    shutil.copy(os.path.join(new, name), os.path.join(app, name + ".tmp"))
    os.rename(os.path.join(app, name + ".tmp"), os.path.join(app, name))
"""
IN_PLACE = """
import os, sys
new, app, *names = sys.argv[1:]
for name in names:
    try:
        target = open(os.path.join(app, name), "r+b")
    except OSError:
        continue
    with target, open(os.path.join(new, name), "rb") as source:
        target.truncate()
        target.write(source.read())
"""


def needs(*programs):
    return unittest.skipUnless(all(map(shutil.which, programs)),
                               "needs " + ", ".join(programs))


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


@functools.lru_cache(maxsize=None)
def releases():
    """A directory with both releases, as gcc makes them: v1 and v2."""
    root = tempfile.mkdtemp(prefix="spguard-test-")
    unittest.addModuleCleanup(shutil.rmtree, root)
    for version in (1, 2):
        folder = os.path.join(root, f"v{version}")
        for name in "bin", "lib", "share":
            os.makedirs(os.path.join(folder, name))
        engine = os.path.join(folder, "lib", "libengine.so.1.0")
        gcc(engine, ENGINE[version], "-shared", "-Wl,-soname,libengine.so.1")
        os.symlink("libengine.so.1.0", os.path.join(folder, "lib", "libengine.so.1"))
        gcc(os.path.join(folder, "bin", "server"),
            SERVER.format(needs=NEEDS[version], version=version), engine,
            "-Wl,-rpath,$ORIGIN/../lib")
        for name, text in (("a", f"a of {version}\n"), ("b", f"b of {version}\n"),
                           ("same", "of both\n")):
            with open(os.path.join(folder, "share", name + ".txt"), "w",
                      encoding="utf-8") as f:
                f.write(text)
        for path in FILES:  # rsync goes by time and length
            os.utime(os.path.join(folder, path), (version * 1000, version * 1000))
    return root


def gcc(out, code, *args):
    subprocess.run(["gcc", "-w", "-fPIC", "-o", out, "-x", "c", "-", "-x", "none", *args],
                   input=code.encode(), check=True, timeout=FAIL_AFTER)


class Server:
    """The program of the product, while it runs."""

    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.pid = self.process.pid
        assert self.process.stdout.readline() == b"ready\n"

    def end(self):
        """It may crash: what it ran may have been written over."""
        if self.process.returncode is None:
            self.process.kill()
            self.process.wait(FAIL_AFTER)
            self.process.stdin.close()
            self.process.stdout.close()


@needs("gcc")
class RealInstall(SystemTest):
    """What all have in common; ->app is the product, ->old runs release 1 of it."""

    app_parts = ("srv", "app")

    def setUp(self):
        super().setUp()
        for name in "v1", "v2":
            shutil.copytree(os.path.join(releases(), name), self.path(name), symlinks=True)
        self.app = self.path(*self.app_parts)
        os.makedirs(os.path.dirname(self.app), exist_ok=True)
        self.old = None

    def put_release_1(self):
        shutil.copytree(self.path("v1"), self.app, symlinks=True)

    def begin(self, quiet="10s", runs=True, files="*"):
        """A daemon that knows release 1, which runs."""
        if not os.path.lexists(self.app):
            self.put_release_1()
        self.served = self.daemon(
            Product("shop", self.app, files=files, recursive=True, ignore_case=False),
            daemon_keys={"install-quiet": quiet})
        self.rpc(self.served).call("verify")  # what is installed has been read
        self.old = self.server() if runs else None

    def server(self):
        server = Server(os.path.join(self.app, "bin", "server"))
        self.addCleanup(server.end)
        return server

    def run_orphan(self, *words, **more):
        """Run it as the child of a shell that has ended: nobody who took part is left
        after it. Returns what it printed."""
        done = subprocess.run(["sh", "-c", '"$@" &', "sh", *words], cwd=self.scratch,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=FAIL_AFTER,
                              env={**os.environ, "LC_ALL": "C", **more}, check=True)
        return done.stdout

    def end_early(self, at, *words):
        """@words is killed when it is about to rename its file number @at."""
        self.run_orphan(*words, LD_PRELOAD=END_AT_RENAME, END_BELOW=self.app, END_AT=str(at))

    def script(self, text, name="setup.sh"):
        path = self.path(name)
        with open(path, "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\n" + text)
        os.chmod(path, 0o755)
        return path

    def zip(self, version, path):
        with zipfile.ZipFile(path, "w", strict_timestamps=False) as f:
            for name in FILES:
                f.write(self.path(version, name), name)

    def installs(self, **params):
        return self.rpc(self.served).call("installs", wait=FAIL_AFTER, **params)["installs"]

    def only_install(self):
        """The one install that there is, with its files."""
        rows = self.installs()
        self.assertEqual(len(rows), 1, self.show(rows))
        return self.installs(id=rows[0]["id"])[0]

    def version_of(self, name, digest):
        for version in (1, 2):
            path = self.path(f"v{version}", name)
            if os.path.exists(path) and digest == sha256(path):
                return version
        return "?" if digest else None

    def became(self, install):
        """Of each file that has changed, or was left out: what became of it, and from
        which release to which."""
        files = {}
        for file in install["files"]:
            name = os.path.relpath(file["path"], self.app)
            then, now = file["from_sha256"], file["to_sha256"]
            if then != now or file["change"] == "skipped":
                files[name] = (file["change"], self.version_of(name, then),
                               self.version_of(name, now))
        return files

    def assert_one(self, *by, outcome="clean", change="replaced", names=CHANGING, **more):
        """There is one install, by one of @by; @names went from release 1 to 2, @more
        (by the last part of the name) is otherwise. Returns it."""
        install = self.only_install()
        self.assertEqual(install["outcome"], outcome, self.show(install))
        self.assertTrue(install["by"], self.show(install))
        self.assertIn(install["by"]["name"], self.seen(*by), self.show(install))
        want = {name: (change, 1, 2) for name in names}
        want.update(more.get("but", {}))
        self.assertEqual(self.became(install), want, self.show(install))
        return install

    def seen(self, *names):
        """As whom one of @names may be told: without the kernel's table, of somebody who
        had ended before anybody looked only the number is left."""
        return names + (None,) * (tier_in_force() == "procfs")

    def assert_by_script(self, *helpers, name="setup.sh", **more):
        """Where nobody keeps who has ended, what the script has started is named when that
        is all that was seen of it."""
        return self.assert_one(name, *(helpers if tier_in_force() == "procfs" else ()),
                               **more)

    def outdated(self):
        return [r for r in self.served.json("check")[1]["remarks"] if r["kind"] == "outdated"]

    def assert_old_runs(self, *names, verdict="safe"):
        """->old is shown to run old versions of @names, until it has ended. What starts
        then runs the new ones, and there was no other install."""
        remark, = self.outdated()
        self.assertEqual(remark["pid"], self.old.pid, remark)
        for name in names:
            self.assertIn(name, remark["text"])
        self.assertEqual(self.served.check()["verdict"], "blocked")
        self.old.end()
        self.assert_verdict(self.served.check(), verdict)
        self.assertEqual(self.outdated(), [])
        if verdict == "safe":
            new = self.server()
            self.assertEqual(self.outdated(), [])
            new.end()
        self.assertEqual(len(self.installs()), 1)

    def assert_nobody_is_outdated(self):
        self.assertEqual(self.outdated(), [])


class BystanderTest(RealInstall):
    """Four files, of which one is left out since somebody holds it."""

    NAMES = [f"m{i}.so" for i in range(4)]

    def write(self, version, names, folder=None):
        """By cp --remove-destination, out of a folder of its own."""
        source = self.directory(f"r{version}")
        for name in names:
            self.file(name, source, f"{name} {version}\n".encode())
        return [os.path.join(source, name) for name in names] + [folder or self.app]

    def put(self, folder):
        os.makedirs(folder)
        for name in self.NAMES:
            self.file(name, folder, b"0\n")

    def skipped(self):
        install = self.installs(id=self.installs()[0]["id"])[0]
        return install["outcome"], [os.path.basename(f["path"]) for f in install["files"]
                                    if f["change"] == "skipped"]

    def test_two_commands_of_one_shell(self):
        """The second is no part of the first, though it comes soon."""
        self.put(self.app)
        self.begin(quiet="2s", runs=False)
        shell = subprocess.Popen(["sh"], stdin=subprocess.PIPE, text=True)
        self.addCleanup(shell.wait)

        def command(version, names):
            fifo = self.path(f"done{version}")
            os.mkfifo(fifo)
            shell.stdin.write(" ".join(["cp", "--remove-destination",
                                        *self.write(version, names)]) + f"; : > {fifo}\n")
            shell.stdin.flush()
            with open(fifo, "rb") as done:
                done.read()

        command(1, self.NAMES)
        self.assertEqual(self.skipped(), ("clean", []))
        self.hold("read", os.path.join(self.app, "m3.so"))
        command(2, self.NAMES[:3])
        self.assertEqual(self.skipped(), ("mixed", ["m3.so"]))
        shell.stdin.close()

    def test_a_service_that_makes_folders(self):
        """It is no installer, and the install ends while it goes on."""
        self.put(self.app)
        self.begin(quiet="1s", runs=False)
        service = subprocess.Popen(
            [sys.executable, "-c", "import os, sys\n"
             "file = open(sys.argv[1])\n"
             "os.mkdir(sys.argv[2]); os.rmdir(sys.argv[2]); print('made', flush=True)\n"
             "while True: os.mkdir(sys.argv[2]); os.rmdir(sys.argv[2])",
             os.path.join(self.app, "m3.so"), os.path.join(self.app, "cache")],
            stdout=subprocess.PIPE)
        self.addCleanup(service.stdout.close)
        self.addCleanup(service.wait)
        self.addCleanup(service.kill)
        service.stdout.readline()
        self.served.run("flush")
        self.run_orphan("cp", "--remove-destination", *self.write(1, self.NAMES[:3]))
        self.assertEqual(self.skipped(), ("mixed", ["m3.so"]))

    def test_files_behind_links(self):
        """Of a folder that nobody watches: what is moved over them is one install."""
        away = self.path("away")
        self.put(away)
        os.makedirs(self.app)
        for name in self.NAMES:
            os.symlink(os.path.join(away, name), os.path.join(self.app, name))
        self.begin(quiet="2s", runs=False)
        self.hold("read", os.path.join(self.app, "m3.so"))
        self.run_orphan("cp", "--remove-destination", *self.write(1, self.NAMES[:3], away))
        self.assertEqual(self.skipped(), ("mixed", ["m3.so"]))
        self.assertEqual(len(self.installs()), 1)


class OverTest(RealInstall):
    """Programs that write over what is there."""

    def test_cp(self):
        """What runs cannot be written to, and is left out; the library is written over
        under the feet of who has it mapped."""
        self.begin()
        self.assertIn("Text file busy", self.run_orphan(
            "cp", "-rT", self.path("v2"), self.app))
        install = self.assert_one("cp", outcome="mixed", change="modified", but={
            "bin/server": ("skipped", 1, 1), "lib/libengine.so.1": ("replaced", 1, 2)})
        skipped, = [f for f in install["files"] if f["change"] == "skipped"]
        self.assertEqual([h["pid"] for h in skipped["holders"]], [self.old.pid])
        texts = " ".join(self.texts(install["reasons"]))
        self.assertIn("server was not replaced", texts)
        self.assertIn("libengine.so.1.0 was written to in place while server", texts)
        self.assertTrue(self.told_to_restart())
        self.old.end()
        # It is no advice any more, though the set is still mixed.
        self.assert_verdict(self.served.check(), "attention")
        self.assertEqual(self.told_to_restart(), [])
        self.run_orphan("cp", "-rT", self.path("v2"), self.app)
        newest = self.installs()[0]
        self.assertEqual((newest["outcome"], newest["follows"]), ("clean", install["id"]),
                         self.show(newest))
        self.assert_safe(self.served)

    def told_to_restart(self):
        answer = self.served.check()
        return [note["text"] for note in answer["reasons"] + answer["next"]
                if note["kind"] in ("changed-in-use", "restart")]

    def test_cp_remove_destination(self):
        self.begin()
        self.run_orphan("cp", "-rT", "--remove-destination", self.path("v2"), self.app)
        self.assert_one("cp")
        self.assert_old_runs("server", "libengine.so.1")

    def archive(self):
        path = self.path("v2.tar")
        subprocess.run(["tar", "-C", self.path("v2"), "-cf", path, "bin", "lib", "share"],
                       check=True, timeout=FAIL_AFTER)
        return path

    def test_tar(self):
        archive = self.archive()
        self.begin()
        self.run_orphan("tar", "-C", self.app, "-xf", archive)
        self.assert_one("tar")
        self.assert_old_runs("server", "libengine.so.1")

    def test_tar_that_is_cut_off(self):
        archive = self.archive()
        os.truncate(archive, 5000)
        self.begin()
        self.assertIn("Unexpected EOF", self.run_orphan("tar", "-C", self.app, "-xf", archive))
        install = self.assert_one("tar", outcome="mixed", names=[],
                                  but={"bin/server": ("replaced", 1, "?")})
        self.assertIn("server is damaged: it was cut off", self.texts(install["reasons"])[0])
        self.assert_old_runs("server", verdict="attention")

    def test_unzip(self):
        if not shutil.which("unzip"):
            self.skipTest("needs unzip")
        archive = self.path("v2.zip")
        self.zip("v2", archive)
        os.unlink(self.path("v1", "lib", "libengine.so.1"))
        shutil.copy(self.path("v1", "lib", "libengine.so.1.0"),
                    self.path("v1", "lib", "libengine.so.1"))
        self.begin()
        self.run_orphan("unzip", "-qo", archive, "-d", self.app)
        self.only_install()
        os.chmod(os.path.join(self.app, "bin", "server"), 0o755)
        self.assert_one("unzip")
        self.assert_old_runs("server", "libengine.so.1")

    def test_rsync(self):
        if not shutil.which("rsync"):
            self.skipTest("needs rsync")
        self.begin()
        self.run_orphan("rsync", "-a", self.path("v2") + "/", self.app)
        self.assert_one("rsync")
        self.assert_old_runs("server", "libengine.so.1")

    def end_rsync(self, *options, at=2, files="*"):
        """It is killed when it is about to rename its file number @at. Returns the
        install that it was."""
        if not shutil.which("rsync"):
            self.skipTest("needs rsync")
        self.begin(files=files)
        self.end_early(at, "rsync", "-a", *options, self.path("v2") + "/", self.app)
        return self.only_install()

    def test_rsync_that_is_killed(self):
        install = self.end_rsync()
        self.assertEqual(install["outcome"], "mixed", self.show(install))
        self.assertIn(install["by"]["name"], self.seen("rsync"))
        self.assertIn(MISFIT, self.texts(install["reasons"])[0])
        self.assertEqual(self.became(install)["bin/server"], ("replaced", 1, 2))
        self.run_orphan("rsync", "-a", self.path("v2") + "/", self.app)
        newest = self.installs()[0]
        self.assertEqual((newest["outcome"], newest["follows"]), ("clean", install["id"]),
                         self.show(newest))

    def end_rsync_of_texts(self, *options, at, left):
        """What it leaves has names that the product's patterns do not match."""
        install = self.end_rsync("--include=*.txt", "--include=*/", "--exclude=*",
                                 *options, at=at, files="*.txt")
        self.assertEqual(install["outcome"], "mixed", self.show(install))
        self.assertRegex(self.texts(install["reasons"])[0],
                         rf"^b\.txt was not replaced: its new version lies beside it as {left}$")

    def test_rsync_of_texts_that_is_killed(self):
        self.end_rsync_of_texts(at=2, left=r"\.b\.txt\.\w{6}")

    def test_rsync_with_delayed_updates_that_is_killed(self):
        self.end_rsync_of_texts("--delay-updates", at=5, left=r"\.~tmp~/b\.txt")

    def test_make_install(self):
        """Neither install(1) nor the shells that make starts are named."""
        if not shutil.which("make"):
            self.skipTest("needs make")
        with open(self.path("Makefile"), "w", encoding="utf-8") as f:
            f.write("install:\n" + "".join(
                f"\tinstall -m 755 v2/{name} {self.app}/{name} && true\n"
                for name in CHANGING if name != "lib/libengine.so.1"))
        self.begin()
        self.run_orphan("make", "-s", "install")
        self.assert_by_script("install", name="make")
        self.assert_old_runs("server", "libengine.so.1")

    def test_install_of_one_file(self):
        """The library that it needs was forgotten."""
        self.begin()
        self.run_orphan("install", "-m", "755", self.path("v2", "bin", "server"),
                        os.path.join(self.app, "bin"))
        install = self.assert_one("install", outcome="mixed", names=["bin/server"])
        self.assertIn(MISFIT, self.texts(install["reasons"])[0])
        self.assert_old_runs("server", verdict="attention")

    def test_sed(self):
        self.begin()
        self.run_orphan("sed", "-i", "s/of 1/of 2/", *[
            os.path.join(self.app, "share", name) for name in ("a.txt", "b.txt")])
        self.assert_one("sed", names=["share/a.txt", "share/b.txt"])
        self.assert_nobody_is_outdated()

    def test_patch(self):
        if not shutil.which("patch"):
            self.skipTest("needs patch")
        self.begin()
        subprocess.run(["sh", "-c", "diff -ru v1/share v2/share > sp.diff"],
                       cwd=self.scratch, timeout=FAIL_AFTER, check=False)
        self.run_orphan("patch", "-s", "-d", self.app, "-p1", "-i", self.path("sp.diff"))
        self.assert_one("patch", names=["share/a.txt", "share/b.txt"])
        self.assert_nobody_is_outdated()

    def test_git_checkout(self):
        if not shutil.which("git"):
            self.skipTest("needs git")
        self.put_release_1()
        for command in (f"git init -q {self.app}", "git add .", "git commit -qm 1",
                        "git tag v1", f"cp -a {self.path('v2')}/. .", "git add .",
                        "git commit -qm 2", "git tag v2", "git checkout -q v1"):
            subprocess.run(["git", "-C", self.app, "-c", "user.name=a", "-c", "user.email=a",
                            *command.split()[1:]] if command.startswith("git ") and
                           " init " not in command else command.split(),
                           cwd=self.app, check=True, timeout=FAIL_AFTER)
        self.begin(files="server *.so.* *.txt")
        self.run_orphan("git", "-C", self.app, "checkout", "-q", "v2")
        self.assert_one("git")
        self.assert_old_runs("server", "libengine.so.1")


class ByItselfTest(RealInstall):
    """A program that brings itself up to date."""

    def test_by_renaming(self):
        self.begin()
        self.run_orphan("python3", "-c", RENAMER, self.path("v2"), self.app,
                        "bin/server", "lib/libengine.so.1.0", "share/a.txt", "share/b.txt")
        self.assert_one("python3")
        self.assert_old_runs("server", "libengine.so.1")

    def in_place(self):
        self.run_orphan("python3", "-c", IN_PLACE, self.path("v2"), self.app,
                        "bin/server", "lib/libengine.so.1.0", "share/a.txt", "share/b.txt")

    def test_in_place(self):
        self.begin(runs=False)
        self.in_place()
        self.assert_one("python3", change="modified")
        self.assert_nobody_is_outdated()
        self.assert_safe(self.served)

    def test_in_place_and_what_runs_is_skipped(self):
        self.begin()
        self.in_place()
        install = self.assert_one("python3", outcome="mixed", change="modified",
                                  but={"bin/server": ("skipped", 1, 1)})
        skipped, = [f for f in install["files"] if f["change"] == "skipped"]
        self.assertEqual([h["pid"] for h in skipped["holders"]], [self.old.pid])


class FoldersTest(RealInstall):
    """The files stay as they are, and their folder becomes another one."""

    def test_exchange(self):
        self.begin()
        shutil.copytree(self.path("v2"), self.path("next"), symlinks=True)
        self.run_orphan("python3", "-c", EXCHANGE, self.path("next"), self.app)
        self.assert_one("python3")
        self.assert_old_runs("server", "libengine.so.1")

    def test_another_folder_in_its_place(self):
        """And after that a file is written: it is all one install."""
        self.begin()
        self.run_orphan(self.script(f"""
            cp -a v2 new
            mv -T {self.app} old
            mv -T new {self.app}
            echo 'a of 2' > {self.app}/share/a.txt
            rm -r old
            true"""))
        self.assert_by_script("mv")
        self.assert_old_runs("server", "libengine.so.1")

    def test_the_folder_is_removed_and_copied(self):
        self.begin()
        self.run_orphan(self.script(f"rm -r {self.app}\ncp -a v2 {self.app}\ntrue"))
        self.assert_by_script("rm", "cp")
        self.assert_old_runs("server", "libengine.so.1")

    def test_folders_within(self):
        self.begin()
        self.run_orphan(self.script(f"""
            cd {self.app}
            for i in bin lib share; do mv $i $i.old; mv ../../v2/$i $i; done
            rm -r *.old
            true"""))
        shutil.copytree(os.path.join(releases(), "v2"), self.path("v2"), symlinks=True,
                        dirs_exist_ok=True)
        self.assert_by_script("mv", "rm")
        self.assert_old_runs("server", "libengine.so.1")

    def of_releases(self):
        shutil.copytree(self.path("v1"), self.path("rel1"), symlinks=True)
        shutil.copytree(self.path("v2"), self.path("rel2"), symlinks=True)
        os.symlink(self.path("rel1"), self.app)
        self.begin()

    def assert_another_release(self, *by):
        install = self.assert_one(*by)
        reason, = [r for r in install["reasons"] if r["kind"] == "another-release"]
        self.assertEqual(reason["text"], "another release: from "
                         f"{self.path('rel1')} to {self.path('rel2')}")
        self.assert_old_runs("server", "libengine.so.1")

    def test_a_link_to_another_release(self):
        self.of_releases()
        self.run_orphan("ln", "-sfn", self.path("rel2"), self.app)
        self.assert_another_release("ln")

    def test_a_link_to_another_release_and_the_old_one_goes(self):
        self.of_releases()
        self.run_orphan(self.script(f"""
            ln -s {self.path('rel2')} {self.app}.new
            mv -T {self.app}.new {self.app}
            rm -r rel1
            true"""))
        self.assert_another_release("setup.sh", "mv", "rm")


class ScriptTest(RealInstall):
    """The script is named, not what it starts."""

    def test_subshells(self):
        self.begin()
        self.run_orphan(self.script(f"""
            for i in bin/server lib/libengine.so.1.0; do
                (cd v2; rm {self.app}/$i; cat $i | (cat > {self.app}/$i; true); true)
                chmod 755 {self.app}/$i
            done
            find v2/share -name '*.txt' -exec cp {{}} {self.app}/share ';'
            true"""))
        self.assert_by_script("rm", "cat", "cp", "find", but={
            f"share/{n}.txt": ("modified", 1, 2) for n in "ab"})
        self.assert_old_runs("server", "libengine.so.1")

    def test_one_helper_and_a_failure(self):
        """The helper is named, and the script tells that it has failed."""
        self.begin(runs=False, files="*.txt")
        subprocess.run([self.script(f"""
            cp v2/share/a.txt {self.app}/share
            exit 4""")], cwd=self.scratch, check=False, timeout=FAIL_AFTER)
        install = self.only_install()
        if tier_in_force() == "procfs" and install["outcome"] == "clean":
            return  # nobody was left of whom it could be asked
        self.assertEqual(install["outcome"], "unknown", self.show(install))
        self.assertRegex(self.texts(install["reasons"])[0],
                         r"^setup\.sh \(pid \d+\) ended with exit status 4: ")
        # It comes again, and ends well.
        subprocess.run([self.script(f"cp v2/share/a.txt {self.app}/share\nexit 0")],
                       cwd=self.scratch, check=True, timeout=FAIL_AFTER)
        newest = self.installs()[0]
        if tier_in_force() == "bpf":
            self.assertEqual((newest["id"], newest["outcome"]), (install["id"] + 1, "clean"),
                             self.show(newest))

    def test_modes_that_are_lost(self):
        """Python's unzip gives nobody the right to execute what it makes."""
        server = os.path.join(self.app, "bin", "server")
        self.begin(runs=False)
        for version in "v2", "v1":
            self.zip(version, self.path(version + ".zip"))
            self.run_orphan(self.script(f"""
                rm -r {self.app}/bin {self.app}/lib
                python3 -m zipfile -e {version}.zip {self.app}"""))
            install = self.installs()[0]
            self.assertEqual(install["outcome"], "mixed", self.show(install))
            self.assertEqual([(r["file"], r["finding"], r["text"]) for r in install["reasons"]
                              if r["kind"] == "misfit"],
                             [(server, "not-executable", "server could be executed before, "
                               "and nobody may any more")])
        self.assertEqual(self.served.run("verify")[0], MIXED)
        os.chmod(server, 0o755)
        self.assertEqual(self.served.run("verify")[0], FITS)
        self.assert_verdict(self.served.check(), "safe")

    def in_two_parts(self, quiet, then):
        """@then is done in between."""
        self.begin(quiet=quiet)
        process = subprocess.Popen(
            [self.script(f"""
                cp --remove-destination v2/bin/server {self.app}/bin
                echo half; read go
                cp --remove-destination v2/lib/libengine.so.1.0 {self.app}/lib
                cp --remove-destination v2/share/* {self.app}/share
                echo whole; read go""")],
            cwd=self.scratch, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        for done in ("half", "whole"):
            self.assertEqual(process.stdout.readline().strip(), done)
            self.served.run("flush")
            if done == "half":
                then()
            process.stdin.write("\n")
            process.stdin.flush()
        self.assertEqual(process.wait(FAIL_AFTER), 0)

    def test_a_pause(self):
        """Shorter than the time of quiet: it is one install."""
        self.in_two_parts("1m", lambda: None)
        self.rpc(self.served).call("installs", ended=True)
        self.assert_by_script("cp")
        self.assert_old_runs("server", "libengine.so.1")

    def test_a_long_pause(self):
        """The second part goes on with the first one, and has all of it."""
        self.in_two_parts("500ms", self.installs)
        second, first = self.installs()
        self.assertEqual((first["outcome"], second["outcome"]), ("mixed", "clean"))
        self.assertEqual(second["follows"], first["id"])
        self.assertIn(second["by"]["name"],
                      self.seen("setup.sh", *["cp"] * (tier_in_force() == "procfs")))
        whole = {name: ("replaced", 1, 2) for name in CHANGING}
        became = self.became(self.installs(id=second["id"])[0])
        if tier_in_force() == "procfs" and "bin/server" not in became:
            whole.pop("bin/server")  # nothing was left of whose child it was
        self.assertEqual(became, whole)


@needs("dpkg-deb")
class Debian(RealInstall):
    """Packages of Debian, with a database of their own."""

    def setUp(self):
        super().setUp()
        self.admin = self.directory("dpkg")
        for name in "info", "updates", "triggers":
            os.makedirs(os.path.join(self.admin, name))
        for name in "status", "available":
            open(os.path.join(self.admin, name), "ab").close()
        self.options = ["--admindir=" + self.admin, f"--log={self.admin}/log"]
        for version in (1, 2):
            self.make("server", version, "bin/server", "share/a.txt")
            self.make("engine", version, "lib/libengine.so.1.0", "lib/libengine.so.1",
                      "share/b.txt", "share/same.txt")

    def deb(self, name, version):
        return self.path("debs", f"{name}_{version}_all.deb")

    def make(self, name, version, *files, preinst=None, conffiles=()):
        tree = self.directory("tree", name, str(version))
        os.makedirs(tree + "/DEBIAN")
        with open(tree + "/DEBIAN/conffiles", "w", encoding="utf-8") as f:
            f.writelines(os.path.join(self.app, file) + "\n" for file in conffiles)
        if preinst:
            self.script(preinst, name=f"tree/{name}/{version}/DEBIAN/preinst")
        with open(tree + "/DEBIAN/control", "w", encoding="utf-8") as f:
            f.write(f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
                    "Maintainer: A <a@b.c>\nDescription: d\n")
        for file in files:
            path = tree + os.path.join(self.app, file)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            shutil.copy2(self.path(f"v{version}", file), path, follow_symlinks=False)
        self.directory("debs")
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", tree,
                        self.deb(name, version)],
                       check=True, capture_output=True, timeout=FAIL_AFTER)

    def dpkg(self, *words, **more):
        return self.run_orphan("dpkg", *self.options, *words, **more)

    def begin_with(self, *names, **options):
        subprocess.run(["dpkg", *self.options, "-i", *[self.deb(name, 1) for name in names]],
                       check=True, capture_output=True, timeout=FAIL_AFTER)
        self.begin(**options)

    def new(self, *names):
        return [self.deb(name, 2) for name in names]


class DpkgTest(Debian):
    def test_two_packages(self):
        self.begin_with("server", "engine")
        self.dpkg("-i", *self.new("server", "engine"))
        self.assert_one("dpkg")
        self.assert_old_runs("server", "libengine.so.1")

    def test_one_of_two_packages(self):
        self.begin_with("server", "engine")
        self.dpkg("-i", *self.new("server"))
        install = self.assert_one("dpkg", outcome="mixed", names=["bin/server", "share/a.txt"])
        self.assertIn(MISFIT, self.texts(install["reasons"])[0])
        self.assert_old_runs("server", verdict="attention")

    def test_unpack_and_configure(self):
        """To configure changes no file of the product."""
        self.begin_with("server", "engine")
        self.dpkg("--unpack", *self.new("server", "engine"))
        self.assert_one("dpkg")
        self.dpkg("--configure", "-a")
        self.assert_one("dpkg")
        self.assert_old_runs("server", "libengine.so.1")

    def test_unpack_that_is_killed(self):
        self.begin_with("server", "engine")
        self.end_early(3, "dpkg", *self.options, "--unpack", *self.new("server", "engine"))
        install = self.only_install()
        self.assertEqual(install["outcome"], "mixed", self.show(install))
        self.assertIn(install["by"]["name"], self.seen("dpkg"))
        self.assertIn(MISFIT, " ".join(self.texts(install["reasons"])))
        self.assertEqual(self.became(install)["bin/server"], ("replaced", 1, 2))
        self.dpkg("--unpack", *self.new("server", "engine"))
        newest = self.installs()[0]
        self.assertEqual((newest["outcome"], newest["follows"]), ("clean", install["id"]),
                         self.show(newest))

    def test_a_file_that_is_the_same_in_both(self):
        """It is written again, and whoever has the one of before open is in nobody's
        way: nothing was left out."""
        self.begin_with("server", "engine", runs=False)
        holder = self.hold("read", os.path.join(self.app, "share", "same.txt"))
        self.dpkg("-i", *self.new("server", "engine"))
        self.assert_one("dpkg")
        holder.kill()
        self.assert_safe(self.served)

    def end_unpack(self, *names, files="*", at=2):
        """dpkg is killed when it is about to rename its file number @at of the packages
        @names. Returns the install that it was."""
        self.begin_with(*names[:1], runs=False, files=files)
        self.end_early(at, "dpkg", *self.options, "--unpack", *self.new(*names))
        return self.only_install()

    def kill_unpack_of_texts(self, files="*"):
        self.make("texts", 1, "share/a.txt", "share/b.txt")
        self.make("texts", 2, "share/a.txt", "share/b.txt")
        install = self.end_unpack("texts", files=files)
        self.assertEqual(install["outcome"], "mixed", self.show(install))
        became = self.became(install)
        changes = {became[f"share/{name}"][0]: name for name in ("a.txt", "b.txt")}
        self.assertEqual(sorted(changes), ["replaced", "skipped"])
        left = changes["skipped"]
        self.assertEqual(self.texts(install["reasons"])[0],
                         f"{left} was not replaced: its new version lies beside it as "
                         f"{left}.dpkg-new")
        return install

    def assert_mended(self, install):
        newest = self.installs()[0]
        self.assertEqual((newest["outcome"], newest["follows"]), ("clean", install["id"]),
                         self.show(newest))
        self.assert_safe(self.served)

    def test_unpack_of_texts_that_is_killed(self):
        """What there is fits together, and is of both versions all the same."""
        install = self.kill_unpack_of_texts()
        self.dpkg("--unpack", *self.new("texts"))
        self.assert_mended(install)

    def test_unpack_of_texts_that_is_killed_and_left_a_name_of_its_own(self):
        """The patterns of the product do not match that name."""
        install = self.kill_unpack_of_texts(files="*.txt")
        self.dpkg("--unpack", *self.new("texts"))
        self.assert_mended(install)

    def test_unpack_of_texts_that_is_killed_and_undone(self):
        """The package of before is unpacked again: nothing is left out of that."""
        install = self.kill_unpack_of_texts(files="*.txt")
        self.dpkg("--unpack", self.deb("texts", 1))
        self.assert_mended(install)
        self.assertIn(f"undid install {install['id']}, all files are as they were before",
                      self.texts(self.installs()[0]["reasons"])[0])

    def test_a_configuration_that_is_kept(self):
        """dpkg leaves it beside until somebody has answered, and it stays as it was."""
        for version in (1, 2):
            self.make("texts", version, "share/a.txt", "share/b.txt",
                      conffiles=["share/a.txt"])
        self.begin_with("texts", runs=False, files="*.txt")
        with open(os.path.join(self.app, "share", "a.txt"), "w", encoding="utf-8") as f:
            f.write("mine\n")
        self.installs()
        self.dpkg("--unpack", *self.new("texts"))
        install = self.installs()[0]
        self.assertEqual(install["outcome"], "mixed", self.show(install))
        self.dpkg("--configure", "--force-confold", "texts")
        # Nothing has happened to a file of the product; the next install sees it.
        self.dpkg("--force-confold", "-i", *self.new("texts"))
        self.assert_mended(install)

    def test_unpack_that_is_killed_before_a_new_file(self):
        """All that was there before is of the new version."""
        self.make("texts", 1, "share/a.txt")
        self.make("texts", 2, "share/a.txt")
        with open(self.path("v2", "share", "new.txt"), "w", encoding="utf-8") as f:
            f.write("new")
        self.make("more", 2, "share/new.txt")
        install = self.end_unpack("texts", "more", files="*.txt", at=3)
        self.assertEqual(install["outcome"], "mixed", self.show(install))
        self.assertEqual(self.texts(install["reasons"])[0],
                         "new.txt is not installed: it still lies there as "
                         "new.txt.dpkg-new")
        self.dpkg("--unpack", *self.new("texts", "more"))
        self.assert_mended(install)

    def test_unpack_that_is_killed_before_it_unpacks(self):
        """Nothing of the second package lies there yet; dpkg knows that it has begun."""
        for version, preinst in ((1, None), (2, "kill -9 $PPID\n"), (3, None)):
            if version == 3:
                shutil.copytree(self.path("v2"), self.path("v3"), symlinks=True)
            self.make("first", version, "share/a.txt")
            self.make("second", version, "share/b.txt", "share/same.txt", preinst=preinst)
        self.begin_with("first", "second", runs=False, files="*.txt")
        self.dpkg("--unpack", *self.new("first", "second"))
        install = self.only_install()
        self.assertEqual(self.became(install), {
            "share/a.txt": ("replaced", 1, 2), "share/b.txt": ("skipped", 1, 1),
            "share/same.txt": ("skipped", 1, 1)}, self.show(install))
        self.assertEqual(self.texts(install["reasons"])[0],
                         "b.txt was not replaced: its package second is half-installed")
        self.dpkg("--unpack", self.deb("first", 3), self.deb("second", 3))
        self.assert_mended(install)

    def test_removed(self):
        self.begin_with("server", "engine")
        self.dpkg("-r", "server")
        self.assert_one("dpkg", names=[], but={
            name: ("deleted", 1, None) for name in ("bin/server", "share/a.txt")})


@needs("apt-get")
class AptTest(Debian):
    """Whoever runs dpkg is named."""

    def apt(self, *words):
        apt = self.directory("apt")
        for name in "state/lists/partial", "cache/archives/partial", "log", "parts":
            self.directory("apt", *name.split("/"))
        with open(apt + "/apt.conf", "w", encoding="utf-8") as f:
            f.write(f"""
                Dir::Etc::parts "{apt}/parts"; Dir::Etc::main "/dev/null";
                Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "/dev/null";
                Dir::Etc::preferencesparts "/dev/null";
                Dir::State "{apt}/state"; Dir::State::status "{self.admin}/status";
                Dir::Cache "{apt}/cache"; Dir::Log "{apt}/log";
                APT::Sandbox::User "root"; APT::Get::Assume-Yes "true";
                APT::Install-Recommends "false"; Debug::NoLocking "true";
                DPkg::Options {{ "{self.options[0]}"; "{self.options[1]}"; }};
                """)
        return self.run_orphan("apt-get", *words, APT_CONFIG=apt + "/apt.conf",
                               DEBIAN_FRONTEND="noninteractive")

    def test_upgrade(self):
        self.begin_with("server", "engine")
        self.apt("install", *self.new("server", "engine"))
        self.assert_one("apt-get")
        self.assert_old_runs("server", "libengine.so.1")

    def test_reinstall(self):
        """It is an install, of what was there before; what runs is the same, too, but not
        by its file any more."""
        self.begin_with("server", "engine")
        self.apt("install", "--reinstall", self.deb("server", 1), self.deb("engine", 1))
        install = self.assert_one("apt-get", names=[])
        self.assertEqual(install["changed"], len(FILES), self.show(install))
        self.assert_old_runs("server", "libengine.so.1")


@needs("rpm", "rpmbuild")
class RpmTest(RealInstall):
    """rpm with a root of its own."""

    app_parts = ("root", "srv", "app")

    def make(self, version):
        with open(self.path("shop.spec"), "w", encoding="utf-8") as f:
            f.write(f"""Name: shop
Version: {version}
Release: 1
Summary: d
License: MIT
AutoReqProv: no
%define _build_id_links none
%define debug_package %{{nil}}
%define __os_install_post %{{nil}}
%description
d
%install
mkdir -p %{{buildroot}}/srv
cp -a {self.path(f"v{version}")} %{{buildroot}}/srv/app
%files
/srv/app
""")
        subprocess.run(["rpmbuild", "-bb", "--define", f"_topdir {self.directory('top')}",
                        "--define", f"_rpmdir {self.scratch}", "--define",
                        f"_rpmfilename shop-{version}.rpm", self.path("shop.spec")],
                       check=True, capture_output=True, timeout=FAIL_AFTER)

    def test_upgrade(self):
        for version in (1, 2):
            self.make(version)
        root = ["--root", self.path("root"), "--dbpath", "/var/lib/rpm"]
        subprocess.run(["rpm", *root, "-i", self.path("shop-1.rpm")], check=True,
                       capture_output=True, timeout=FAIL_AFTER)
        self.begin()
        self.run_orphan("rpm", *root, "-U", self.path("shop-2.rpm"))
        self.assert_one("rpm")
        self.assert_old_runs("server", "libengine.so.1")


del RealInstall, Debian

if __name__ == "__main__":
    main()
