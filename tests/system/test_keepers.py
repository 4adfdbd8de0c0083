#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who keeps a version of a file without having it open: a uprobe in it, which an
in-place write leaves behind; a mount of the file, or an overlay that has it in a layer,
which go on showing the old one after a rename. Each blocks where it matters, is named,
and is forgotten when it has gone. And what only looks like one blocks nobody."""
import contextlib
import ctypes
import os
import re
import shutil
import socket
import subprocess
import sys
import unittest

from support import (BUILD, FAIL_AFTER, SAFE, Holder, Product, SystemTest, main, only_in,
                     private_mounts, tier_in_force)

PROBER = os.path.join(BUILD, "tests", "system", "prober")
OFFSET = "0x2500"  # within the text of the file that is probed
PROBES = ("perf", "link", "multi")
SYS_OPEN_TREE, OPEN_TREE_CLONE, AT_FDCWD = 428, 1, -100
SYS_PIDFD_GETFD = 438
NAMER = """
import os, sys, time
print("ready", flush=True)
while True:
    fd = os.open(sys.argv[1], os.O_PATH)
    time.sleep(0.0015)
    os.close(fd)
    time.sleep(0.0015)
"""
libc = ctypes.CDLL(None, use_errno=True)


def setUpModule():
    private_mounts()

with open("/bin/true", "rb") as program:
    NEW = program.read() + b"the new version\n"


class Shell:
    """A shell in a mount namespace of its own, which runs one line at a time."""

    def __init__(self):
        self.process = subprocess.Popen(
            ["unshare", "-m", "sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, bufsize=1)
        self.pid = self.process.pid

    def run(self, line):
        self.process.stdin.write(f"{line} && echo +done || echo +failed\n")
        out = []
        while True:
            got = self.process.stdout.readline()
            if got == "":
                raise AssertionError(f"the shell ended at: {line}")
            if got in ("+done\n", "+failed\n"):
                break
            out.append(got)
        if got != "+done\n":
            raise AssertionError(f"failed: {line}")
        return "".join(out)

    def end(self):
        if self.process.returncode is None:
            self.process.stdin.close()
            self.process.wait(FAIL_AFTER)
            self.process.stdout.close()


class KeepersHelp(SystemTest):
    """What test_hidden_mounts.py needs as well."""

    def setUp(self):
        super().setUp()
        self.n = 0

    def begin(self, **options):
        """A product of two files in a directory of its own, and its daemon."""
        self.n += 1
        directory = self.directory(f"app{self.n}")
        path = os.path.join(directory, "Mdbperf.dll")
        shutil.copy("/bin/true", path)
        self.file("Other.dll", directory)
        daemon = self.daemon(Product("app", directory, **options), home=f"home{self.n}")
        self.assert_safe(daemon)
        return path, daemon

    def shell(self):
        shell = Shell()
        self.addCleanup(shell.end)
        return shell

    def assert_safe_in_time(self, daemon):
        """The kernel takes out probes, and ends namespaces, when it finds the time."""
        self.assertEqual(daemon.run("check", "--wait=60s")[0], SAFE)
        self.assert_safe(daemon)

    def replace(self, path, content=NEW):
        with open(path + ".new", "wb") as f:
            f.write(content)
            os.fchmod(f.fileno(), 0o755)
        os.rename(path + ".new", path)

    def assert_kept(self, daemon, path, how, reason, step=None, pid=None):
        """Blocked by @how of @pid alone; the words of the reason and of what ends it."""
        answer = daemon.check()
        self.assert_verdict(answer, "blocked")
        kept = [entry for entry in answer["files"] if entry["path"] == path]
        self.assertEqual(
            {(tuple(use["how"]), use["pid"]) for entry in kept for use in entry["uses"]},
            {((how,), pid)}, self.show(answer))
        self.assertIn(reason, " ".join(self.texts(answer["reasons"])), self.show(answer))
        if step:
            self.assertIn(step, " ".join(self.texts(answer["next"])), self.show(answer))
        self.assertEqual(answer["counts"]["unattributed"], 0, self.show(answer))
        self.assertEqual(answer["counts"]["blocked"], 1, self.show(answer))
        return answer

    def merge(self, lower, upper=None, where=None):
        """An overlay on @lower; the command and its mount point."""
        self.n += 1
        top, work, merged = (self.directory(f"{part}{self.n}")
                             for part in ("upper", "work", "merged"))
        if upper:
            top, work = upper, self.directory(f"work{self.n}")
        return (f"mount -t overlay o -o lowerdir={lower},upperdir={top},workdir={work} "
                f"{merged}"), merged


class KeepersTest(KeepersHelp):
    # --- probes ---

    def prober(self, how, path, *args):
        return Holder(how, path, OFFSET, *args, program=PROBER)

    def probed(self, how, path, *args):
        prober = self.prober(how, path, *args)
        self.addCleanup(prober.close)
        return prober

    @staticmethod
    def shows(how):
        """Does what this kernel tells of such a probe say of which file it is?"""
        release = tuple(map(int, re.match(r"(\d+)\.(\d+)", os.uname().release).groups()))
        return how != "link" or release >= (6, 6)

    @only_in("bpf")
    def test_a_probe_that_does_not_show(self):
        if self.shows("link"):
            self.skipTest("this kernel says of which file a BPF link's probe is")
        path, daemon = self.begin()
        prober = self.prober("link", path)
        # Only the counts tell of it.
        self.assert_verdict(daemon.check(), "blocked")
        prober.close()
        self.assert_safe_in_time(daemon)

    def test_a_probe_of_a_process(self):
        for how in filter(self.shows, PROBES):
            if how == "perf" and tier_in_force() != "bpf":
                continue  # it shows nowhere: spguardd(8), LIMITS
            with self.subTest(how=how):
                path, daemon = self.begin()
                prober = self.prober(how, path)
                try:
                    self.assert_kept(daemon, path, "probed", "Mdbperf.dll has a probe in it, of "
                                     f"prober (pid {prober.pid})",
                                     f"kill {prober.pid}", prober.pid)
                finally:
                    prober.close()
                self.assert_safe_in_time(daemon)
                daemon.close()

    def test_a_probe_from_before(self):
        for how in filter(self.shows, PROBES[1:]):
            with self.subTest(how=how):
                path, daemon = self.begin()
                daemon.stop()
                prober = self.prober(how, path)
                daemon.start()
                try:
                    self.assert_kept(daemon, path, "probed", f"prober (pid {prober.pid})",
                                     pid=prober.pid)
                finally:
                    prober.close()
                self.assert_safe_in_time(daemon)
                daemon.close()

    def test_a_probe_by_other_names(self):
        path, daemon = self.begin()
        os.link(path, self.path("a-hard-link"))
        there = self.directory("there")
        self.bind(os.path.dirname(path), there)
        os.symlink(path, self.path("a-symlink"))
        for name in (self.path("a-hard-link"), there + "/Mdbperf.dll",
                     self.path("a-symlink")):
            with self.subTest(name=name):
                prober = self.prober("multi", name)
                try:
                    self.assert_kept(daemon, path, "probed", "has a probe in it", pid=prober.pid)
                finally:
                    prober.close()
                self.assert_safe_in_time(daemon)

    WAYS_TO_GO = ("replace", "unlink", "rename")

    def leave(self, path, way):
        if way == "replace":
            self.replace(path)
        elif way == "unlink":
            os.unlink(path)
        else:
            os.rename(path, path + ".old")

    @only_in("bpf")  # elsewhere only what the file was called once shows
    def test_a_probe_in_an_old_version(self):
        """It keeps that, and is in nobody's way."""
        for replaced in ("any", "rename"):
            for how in filter(self.shows, PROBES):
                for way in self.WAYS_TO_GO:
                    with self.subTest(replaced=replaced, how=how, way=way):
                        path, daemon = self.begin(replaced=replaced)
                        prober = self.prober(how, path)
                        self.leave(path, way)
                        self.assert_safe(daemon)
                        prober.close()
                        daemon.close()

    @only_in("bpf")
    def test_an_event_in_an_old_version(self):
        tracefs = self.tracefs()
        path, daemon = self.begin()
        group = f"spg{os.getpid()}"
        for way in self.WAYS_TO_GO:
            with self.subTest(way=way):
                self.replace(path)
                event = self.define(tracefs, f"p:{group}/{way} {path}:{OFFSET}")
                self.write(f"{tracefs}/events/{group}/{way}/enable", "1")
                self.assert_kept(daemon, path, "probed", f"the event {group}/{way}")
                self.leave(path, way)
                self.assert_safe(daemon)
                event.close()

    @only_in("bpf")
    def test_a_probe_stays_with_its_file(self):
        """Also when that has another name by now, and another file has its own."""
        tracefs = self.tracefs()
        path, daemon = self.begin()
        other = os.path.join(os.path.dirname(path), "Moved.dll")
        group = f"spg{os.getpid()}"
        os.rename(path, other)
        self.replace(path)
        for how in ("event", *filter(self.shows, PROBES)):
            with self.subTest(how=how):
                self.assert_safe(daemon)
                if how == "event":
                    prober = self.define(tracefs, f"p:{group}/moved {path}:{OFFSET}")
                else:
                    prober = self.prober(how, path)
                os.rename(path, path + ".saved")
                os.rename(other, path)
                os.rename(path + ".saved", other)
                self.assert_kept(
                    daemon, other, "probed", "Moved.dll has a probe in it" + (
                        f": the event {group}/moved" if how == "event" else
                        f", of prober (pid {prober.pid})"),
                    pid=None if how == "event" else prober.pid)
                prober.close()
                self.assert_safe_in_time(daemon)

    def test_a_probe_that_is_pinned(self):
        path, daemon = self.begin()
        pins = self.directory("pins")
        self.mount("bpf", pins)
        self.probed("pinned", path, pins + "/link").close()
        self.assert_kept(daemon, path, "probed", "of a BPF link that no process has open",
                         "bpftool link")
        os.unlink(pins + "/link")
        self.assert_safe_in_time(daemon)

    def tracefs(self):
        there = self.directory("tracefs")
        self.mount("tracefs", there)
        return there

    def define(self, tracefs, definition):
        """Returns what takes the event away again."""
        event = definition.split()[0].split(":", 1)[1]
        self.write(tracefs + "/uprobe_events", definition)
        stack = contextlib.ExitStack()
        stack.callback(self.write, tracefs + "/uprobe_events", f"-:{event}")
        stack.callback(self.write, f"{tracefs}/events/{event}/enable", "0")
        self.addCleanup(stack.close)
        return stack

    @staticmethod
    def write(path, text):
        # (Its file cannot be seeked in, which Python does to append.)
        fd = os.open(path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(fd, text.encode() + b"\n")
        finally:
            os.close(fd)

    def test_an_event_of_tracefs(self):
        tracefs = self.tracefs()
        path, daemon = self.begin()
        os.link(path, self.path("a-hard-link"))
        group = f"spg{os.getpid()}"
        for name, kind, by, enabled in (("defined", "p", path, False),
                                        ("enabled", "p", path, True),
                                        ("returns", "r", path, True),
                                        ("linked", "p", self.path("a-hard-link"), True)):
            with self.subTest(name=name):
                event = self.define(tracefs, f"{kind}:{group}/{name} {by}:{OFFSET}")
                if enabled:
                    self.write(f"{tracefs}/events/{group}/{name}/enable", "1")
                self.assert_kept(daemon, path, "probed", f"the event {group}/{name}",
                                 f"echo -:{group}/{name} >>uprobe_events")
                event.close()
                self.assert_safe(daemon)

    def test_two_probes_of_several_products(self):
        tracefs = self.tracefs()
        first, daemon = self.begin()
        second, other = self.begin()
        group = f"spg{os.getpid()}"
        event = self.define(tracefs, f"p:{group}/first {first}:{OFFSET}")
        prober = self.probed("multi", second)
        self.assert_kept(daemon, first, "probed", f"{group}/first")
        self.assert_kept(other, second, "probed", "of prober", pid=prober.pid)
        event.close()
        self.assert_safe(daemon)
        prober.close()
        self.assert_safe_in_time(other)

    def test_where_a_probe_matters(self):
        path, by_rename = self.begin(replaced="rename")
        in_place = self.daemon(Product("app", os.path.dirname(path), replaced="in-place"),
                               home="in-place")
        prober = self.probed("multi", path)
        self.assert_safe(by_rename)
        self.assert_kept(in_place, path, "probed", "has a probe", pid=prober.pid)

    # --- mounts ---

    def test_a_mount_beside_it(self):
        path, daemon = self.begin()
        there = self.file("there", self.scratch)
        self.bind(path, there)
        self.assert_kept(daemon, path, "mounted", f"Mdbperf.dll is mounted at {there}",
                         f"umount {there}")
        subprocess.run(["umount", there], check=True)
        self.assert_safe(daemon)

    def test_a_mount_on_the_file_itself(self):
        """Setup's rename would be refused: it is busy."""
        path, daemon = self.begin()
        other = self.file("other", self.scratch)
        self.bind(other, path)
        answer = daemon.check()
        self.assert_verdict(answer, "blocked")
        self.assertIn(f"umount {path}", " ".join(self.texts(answer["next"])), self.show(answer))
        subprocess.run(["umount", path], check=True)
        self.assert_safe(daemon)

    def test_a_mount_in_a_container(self):
        path, daemon = self.begin()
        os.link(path, self.path("a-hard-link"))
        there = self.file("there", self.scratch)
        for name in (path, self.path("a-hard-link")):
            with self.subTest(name=name):
                shell = self.shell()
                shell.run(f"mount --bind {name} {there}")
                self.assert_kept(
                    daemon, path, "mounted", f"Mdbperf.dll is mounted at {there} in the "
                    f"mount namespace of sh (pid {shell.pid})",
                    f"nsenter -t {shell.pid} -m umount {there}", shell.pid)
                shell.run(f"umount {there}")
                self.assert_safe(daemon)
                shell.run(f"mount --bind {name} {there}")
                self.assert_kept(daemon, path, "mounted", "is mounted", pid=shell.pid)
                shell.end()
                self.assert_safe_in_time(daemon)

    def test_a_mount_that_outlives_the_replacement(self):
        """And shows the old version, which counts like one that somebody runs."""
        path, daemon = self.begin(replaced="in-place")
        there = self.file("there", self.scratch)
        shell = self.shell()
        shell.run(f"mount --bind {path} {there}")
        self.assert_safe(daemon)
        self.replace(path)
        self.assert_kept(daemon, path, "mounted", "an old version of Mdbperf.dll is mounted",
                         pid=shell.pid)
        shell.end()
        self.assert_safe_in_time(daemon)

    def test_an_old_version_on_an_overlay_that_is_mounted(self):
        """The mount keeps the merged file, to which no name of the product leads."""
        layers = self.tmpfs("layers")
        for part in ("lower/app", "upper", "work"):
            os.makedirs(os.path.join(layers, part))
        shutil.copy("/bin/true", os.path.join(layers, "lower/app/Lower.dll"))
        directory = os.path.join(self.overlay(*(os.path.join(layers, part) for part in
                                                ("lower", "upper", "work"))), "app")
        for name in ("Upper.dll", "Other.dll"):
            self.file(name, directory)
        daemon = self.daemon(Product("app", directory))
        self.assert_safe(daemon)
        there = self.file("there", self.scratch)
        for name in ("Lower.dll", "Upper.dll"):
            for leave in (self.replace, os.unlink, lambda path: os.rename(path, path + ".old")):
                with self.subTest(name=name):
                    path = os.path.join(directory, name)
                    self.replace(path)
                    shell = self.shell()
                    shell.run(f"mount --bind {path} {there}")
                    self.assert_kept(daemon, path, "mounted", "is mounted", pid=shell.pid)
                    leave(path)
                    for _ in range(2):
                        self.assert_kept(daemon, path, "mounted", "an old version of",
                                         pid=shell.pid)
                    shell.end()
                    self.assert_safe_in_time(daemon)

    def test_two_old_versions_that_are_mounted(self):
        """Their names are the same, and they are not."""
        path, daemon = self.begin()
        there = self.file("there", self.scratch)
        shells = []
        for _ in range(2):
            shells.append(self.shell())
            shells[-1].run(f"mount --bind {path} {there}")
            self.assert_verdict(daemon.check(), "blocked")
            self.replace(path)
        for _ in range(2):
            answer = daemon.check()
            self.assert_verdict(answer, "blocked")
            self.assertEqual(
                {use["pid"] for entry in answer["files"] for use in entry["uses"]},
                {shell.pid for shell in shells}, self.show(answer))
        shells[0].end()
        self.assert_verdict(daemon.check(), "blocked")
        shells[1].end()
        self.assert_safe_in_time(daemon)

    def test_an_old_version_on_an_overlay_beside_who_setup_stops(self):
        """Each of several open files explains no more than its own references."""
        layers = self.tmpfs("layers")
        for part in ("lower/app", "upper", "work"):
            os.makedirs(os.path.join(layers, part))
        for name in ("Lower.dll", "Other.dll"):
            self.file(name, os.path.join(layers, "lower/app"))
        directory = os.path.join(self.overlay(*(os.path.join(layers, part) for part in
                                                ("lower", "upper", "work"))), "app")
        path = os.path.join(directory, "Lower.dll")
        daemon = self.daemon(Product("app", directory, setup_stops="holder"))
        self.assert_safe(daemon)
        holders = [self.hold("read", path) for _ in range(3)]
        there = self.file("there", self.scratch)
        shell = self.shell()
        shell.run(f"mount --bind {path} {there}")
        os.unlink(path)
        for _ in range(2):
            answer = daemon.check()
            self.assert_verdict(answer, "blocked")
            self.assertIn(f"an old version of Lower.dll is mounted at {there}",
                          " ".join(self.texts(answer["reasons"])), self.show(answer))
        shell.end()
        for holder in holders:
            holder.kill()
        self.assert_safe_in_time(daemon)

    def newest_install(self, daemon):
        with contextlib.closing(daemon.rpc()) as rpc:
            return rpc.call("installs", wait=FAIL_AFTER, limit=1)["installs"][0]

    def test_an_install_below_a_mount(self):
        """It is not clean while some get the old version, and nothing is left of it
        when they do not."""
        path, daemon = self.begin()
        there = self.file("there", self.scratch)
        shell = self.shell()
        shell.run(f"mount --bind {path} {there}")
        for name in ("Mdbperf.dll", "Other.dll"):
            self.replace(os.path.join(os.path.dirname(path), name))
        self.assert_verdict(daemon.check(), "blocked")
        install = self.newest_install(daemon)
        self.assertEqual(install["outcome"], "mixed", install)
        self.assertIn(f"an old version of Mdbperf.dll is mounted at {there}",
                      " ".join(self.texts(install["reasons"])), install)
        self.assertEqual(install["skipped"], 0, install)
        shell.end()
        self.assert_safe_in_time(daemon)
        daemon.stop()
        daemon.start()
        self.assert_safe(daemon)
        self.replace(path, NEW + b"and the next\n")
        self.assert_safe_in_time(daemon)
        self.assertEqual(self.newest_install(daemon)["outcome"], "clean")

    def test_where_a_mount_matters(self):
        path, in_place = self.begin(replaced="in-place")
        by_rename = self.daemon(Product("app", os.path.dirname(path), replaced="rename"),
                                home="by-rename")
        shell = self.shell()
        shell.run(f"mount --bind {path} {self.file('there', self.scratch)}")
        self.assert_safe(in_place)
        self.assert_kept(by_rename, path, "mounted", "is mounted", pid=shell.pid)

    def bind_namespace(self, shell, target):
        """False where the kernel takes it for older than ours (fs/namespace.c,
        mnt_ns_loop(): their numbers do not come in order since 6.18)."""
        shell.run("true")
        try:
            self.bind(f"/proc/{shell.pid}/ns/mnt", target)
        except OSError:
            return False
        return True

    @only_in("bpf")
    def test_a_mount_in_a_namespace_without_a_process(self):
        path, daemon = self.begin()
        there = self.file("there", self.scratch)
        kept = self.file("kept", self.scratch)
        for by in ("descriptor", "mount"):
            with self.subTest(by=by):
                shell = self.shell()
                while by == "mount" and not self.bind_namespace(shell, kept):
                    shell.end()
                    shell = self.shell()
                shell.run(f"mount --bind {path} {there}")
                fd = os.open(f"/proc/{shell.pid}/ns/mnt", os.O_RDONLY)
                shell.end()
                if by == "mount":
                    os.close(fd)
                self.assert_kept(daemon, path, "mounted",
                                 "in a mount namespace without a process", "lsns -t mnt")
                if by == "mount":
                    subprocess.run(["umount", kept], check=True)
                else:
                    os.close(fd)
                self.assert_safe_in_time(daemon)

    @only_in("bpf")
    def test_a_mount_that_is_attached_nowhere(self):
        path, daemon = self.begin()
        fd = libc.syscall(SYS_OPEN_TREE, AT_FDCWD, path.encode(), OPEN_TREE_CLONE)
        self.assertGreaterEqual(fd, 0)
        self.assert_kept(daemon, path, "mounted", "has a mount that is attached nowhere, which "
                         f"is open in", pid=os.getpid())
        os.close(fd)
        self.assert_safe(daemon)

    # --- layers ---

    def test_a_layer_of_an_overlay(self):
        for part in ("the directory", "above it", "upper"):
            with self.subTest(part=part):
                path, daemon = self.begin()
                directory = os.path.dirname(path)
                if part == "upper":
                    command, merged = self.merge(self.directory("empty"), upper=directory)
                else:
                    command, merged = self.merge(
                        directory if part == "the directory" else self.scratch)
                shown = merged + "/" + os.path.relpath(
                    path, self.scratch if part == "above it" else directory)
                shell = self.shell()
                shell.run(command)
                shell.run(f"cat {shown} >/dev/null")
                self.assert_layer(daemon, path, merged, shell)
                shell.run(f"umount {merged}")
                self.assert_safe(daemon)
                daemon.close()

    def assert_layer(self, daemon, path, merged, shell):
        answer = daemon.check()
        self.assert_verdict(answer, "blocked")
        use, = self.file_of(answer, path)["uses"]
        self.assertEqual((use["how"], use["pid"]), (["layer"], shell.pid), self.show(answer))
        self.assertIn(f"Mdbperf.dll is shown by an overlay at {merged} in the mount "
                      "namespace of sh", " ".join(self.texts(answer["reasons"])), self.show(answer))
        self.assertIn(f"umount {merged}", " ".join(self.texts(answer["next"])), self.show(answer))

    def test_a_layer_beside_who_names_the_file(self):
        """Now and then, without an event: that stands for nobody else."""
        path, daemon = self.begin()
        command, merged = self.merge(os.path.dirname(path))
        shell = self.shell()
        shell.run(command)
        shell.run(f"cat {merged}/Mdbperf.dll >/dev/null")
        namer = subprocess.Popen([sys.executable, "-c", NAMER, path],
                                 stdout=subprocess.PIPE, text=True)
        self.addCleanup(namer.stdout.close)
        self.addCleanup(namer.wait)
        self.addCleanup(namer.kill)
        self.assertEqual(namer.stdout.readline(), "ready\n")
        for _ in range(60):
            self.assert_verdict(daemon.check(), "blocked")

    def test_an_overlay_that_outlives_the_replacement(self):
        path, daemon = self.begin()
        command, merged = self.merge(os.path.dirname(path))
        shell = self.shell()
        shell.run(command)
        shell.run(f"cat {merged}/Mdbperf.dll >/dev/null")
        self.replace(path)
        with open(path, "rb") as new:
            self.assertNotEqual(shell.run(f"md5sum <{merged}/Mdbperf.dll"),
                                subprocess.run(["md5sum"], stdin=new, text=True,
                                               capture_output=True, check=True).stdout)
        self.assert_verdict(daemon.check(), "blocked")
        shell.end()
        self.assert_safe_in_time(daemon)

    def test_an_overlay_that_outlives_a_hard_link(self):
        """The old version is known by a name that no layer has."""
        for way in ("replace", "unlink"):
            with self.subTest(way=way):
                path, daemon = self.begin()
                command, merged = self.merge(os.path.dirname(path))
                shell = self.shell()
                shell.run(command)
                shell.run(f"cat {merged}/Mdbperf.dll >/dev/null")
                link = self.path(f"a-hard-link{self.n}")
                os.link(path, link)
                self.assert_layer(daemon, path, merged, shell)
                self.leave(path, way)
                os.stat(link)
                for _ in range(2):
                    self.assert_layer(daemon, path, merged, shell)
                shell.end()
                self.assert_safe_in_time(daemon)
                daemon.close()

    def test_an_overlay_beside_who_setup_stops(self):
        """Its open file is found through that overlay, which is not ours for that."""
        path, daemon = self.begin(setup_stops="holder")
        directory = os.path.dirname(path)
        merged = self.overlay(directory, self.directory("up"), self.directory("wo"))
        holder = self.hold("read", merged + "/Mdbperf.dll")
        for _ in range(2):
            answer = daemon.check()
            self.assert_verdict(answer, "blocked")
            self.assertIn(f"is shown by an overlay at {merged}",
                          " ".join(self.texts(answer["reasons"])), self.show(answer))
            self.replace(path)
        holder.release()
        self.assert_verdict(daemon.check(), "blocked")
        subprocess.run(["umount", merged], check=True)
        self.assert_safe_in_time(daemon)

    def product_on_an_overlay(self):
        """A product of Upper.dll, Lower.dll and Other.dll, and its daemon."""
        self.n += 1
        layers = self.tmpfs(f"layers{self.n}")
        for part in ("lower/app", "upper", "work"):
            os.makedirs(os.path.join(layers, part))
        self.file("Lower.dll", os.path.join(layers, "lower/app"))
        directory = os.path.join(self.overlay(*(os.path.join(layers, part) for part in
                                                ("lower", "upper", "work"))), "app")
        for name in ("Upper.dll", "Other.dll"):
            self.file(name, directory)
        daemon = self.daemon(Product("app", directory), home=f"home{self.n}")
        self.assert_safe(daemon)
        return directory, daemon

    def test_a_mount_beside_who_went_below(self):
        """Whom setup stops has the real file open: that explains no name of the merged
        one, which is mounted elsewhere."""
        layers = self.tmpfs("layers")
        for part in ("lower/app", "upper", "work"):
            os.makedirs(os.path.join(layers, part))
        directory = os.path.join(self.overlay(*(os.path.join(layers, part) for part in
                                                ("lower", "upper", "work"))), "app")
        path = self.file("Upper.dll", directory)
        daemon = self.daemon(Product("app", directory, setup_stops="holder"))
        self.assert_safe(daemon)
        there = self.file("there", self.scratch)
        for state in ("read", "mapped"):
            with self.subTest(state=state):
                holder = self.hold(state, os.path.join(layers, "upper/app/Upper.dll"))
                self.assertEqual(self.file_of(daemon.check(), path)["state"],
                                 "held-by-setup-stopped" if tier_in_force() == "bpf" else
                                 "unknown")
                shell = self.shell()
                shell.run(f"mount --bind {path} {there}")
                for _ in range(2):
                    answer = daemon.check()
                    self.assert_verdict(answer, "blocked")
                    self.assertIn((("mounted",), shell.pid),
                                  {(tuple(use["how"]), use["pid"])
                                   for use in self.file_of(answer, path)["uses"]},
                                  self.show(answer))
                shell.end()
                holder.close()
                self.assert_safe_in_time(daemon)

    def test_an_overlay_on_an_overlay(self):
        """It shows the merged file, of the product's own overlay, and keeps that."""
        for part in ("the directory", "above it", "by a link"):
            directory, daemon = self.product_on_an_overlay()
            link = self.path(f"link{self.n}")
            os.symlink(directory, link)
            lower = {"the directory": directory, "above it": os.path.dirname(directory),
                     "by a link": link}[part]
            for name in ("Upper.dll", "Lower.dll"):
                for leave in (self.replace, os.unlink):
                    with self.subTest(part=part, name=name, leave=leave.__name__):
                        self.outlive(daemon, lower, os.path.join(directory, name), leave)
            daemon.close()

    def outlive(self, daemon, lower, path, leave):
        """An overlay on @lower, which shows @path, when @leave takes that away."""
        if not os.path.exists(path):
            self.file(os.path.basename(path), os.path.dirname(path))
        self.assert_safe_in_time(daemon)
        command, merged = self.merge(lower)
        reason = f"is shown by an overlay at {merged} in the mount namespace of sh"
        shown = merged + "/" + os.path.relpath(path, os.path.realpath(lower))
        shell = Shell()
        try:
            shell.run(command)
            old = shell.run(f"md5sum <{shown}")
            self.assert_shown(daemon, path, reason, shell.pid)
            leave(path)
            self.assertEqual(shell.run(f"md5sum <{shown}"), old)
            for _ in range(2):
                self.assert_shown(daemon, path, reason, shell.pid)
        finally:
            shell.end()
        self.assert_safe_in_time(daemon)

    def assert_shown(self, daemon, path, reason, pid):
        answer = daemon.check()
        self.assert_verdict(answer, "blocked")
        uses = {(use["how"][0], use["pid"]) for entry in answer["files"]
                if entry["path"] == path for use in entry["uses"]}
        self.assertIn(("layer", pid), uses, self.show(answer))
        self.assertIn(reason, " ".join(self.texts(answer["reasons"])), self.show(answer))

    def test_a_product_by_a_link_onto_an_overlay(self):
        """Its names are not those below which the layer is."""
        directory, other = self.product_on_an_overlay()
        other.close()
        os.symlink(directory, self.path("by-link"))
        daemon = self.daemon(Product("app", self.path("by-link")), home="by-link-home")
        self.assert_safe(daemon)
        command, merged = self.merge(directory)
        shell = self.shell()
        shell.run(command)
        shell.run(f"cat {merged}/Upper.dll >/dev/null")
        for _ in range(2):
            answer = daemon.check()
            self.assert_verdict(answer, "blocked")
            self.assertIn(f"Upper.dll is shown by an overlay at {merged}",
                          " ".join(self.texts(answer["reasons"])), self.show(answer))
            self.replace(os.path.join(directory, "Upper.dll"))
        shell.end()
        self.assert_safe_in_time(daemon)

    # --- what is none ---

    def test_what_keeps_nothing(self):
        """Many that hold the inode, or its name, and show nobody an old version."""
        path, daemon = self.begin()
        directory = os.path.dirname(path)
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, os.open(path, os.O_PATH))
            self.assert_safe(daemon)
            inotify = libc.inotify_init1(0)
            stack.callback(os.close, inotify)
            libc.inotify_add_watch(inotify, path.encode(), 0x8)
            fanotify = libc.fanotify_init(0, os.O_RDONLY)
            stack.callback(os.close, fanotify)
            self.assertEqual(libc.fanotify_mark(fanotify, 1, ctypes.c_uint64(0x8), -100,
                                                path.encode()), 0)
            self.assert_safe(daemon)
            child = subprocess.Popen(["sleep", "infinity"], cwd=directory)
            stack.callback(child.wait)
            stack.callback(child.kill)
            self.assert_safe(daemon)
            for i in range(100):
                os.link(path, self.path(f"link{i}"))
                os.stat(self.path(f"link{i}"))
            self.assert_safe(daemon)
            with open(path, "rb") as f:
                f.read()
            self.assert_safe(daemon)

    def test_a_mount_of_the_directory(self):
        path, daemon = self.begin()
        shell = self.shell()
        there = self.directory("there")
        shell.run(f"mount --bind {os.path.dirname(path)} {there}")
        shell.run(f"cat {there}/Mdbperf.dll >/dev/null")
        self.assert_safe(daemon)
        self.replace(path)
        self.assertEqual(shell.run(f"tail -n 1 {there}/Mdbperf.dll | tail -c 16"),
                         "the new version\n")
        self.assert_safe(daemon)

    def test_a_mount_on_top_of_it_elsewhere(self):
        """Who masks the file shows no version of it."""
        path, daemon = self.begin()
        shell = self.shell()
        shell.run(f"mount --bind /dev/null {path}")
        self.assert_safe(daemon)

    @only_in("bpf")
    def test_a_mount_on_top_of_it_beside_what_is_hidden(self):
        """It excuses nothing but itself: a probe goes on whose descriptor is in flight."""
        path, daemon = self.begin()
        prober = self.probed("perf", path)
        fds = f"/proc/{prober.pid}/fd"
        number, = (int(fd) for fd in os.listdir(fds)
                   if "perf_event" in os.readlink(f"{fds}/{fd}"))
        pidfd = os.pidfd_open(prober.pid)
        fd = libc.syscall(SYS_PIDFD_GETFD, pidfd, number, 0)
        self.assertGreaterEqual(fd, 0)
        near, far = socket.socketpair()
        socket.send_fds(near, [b"x"], [fd])
        os.close(fd)
        os.close(pidfd)
        prober.close()
        self.assert_verdict(daemon.check(), "blocked")
        shell = self.shell()
        shell.run(f"mount --bind /dev/null {path}")
        for _ in range(2):
            self.assert_verdict(daemon.check(), "blocked")
        near.close()
        far.close()
        self.assert_safe_in_time(daemon)

    def test_a_namespace_that_is_a_copy(self):
        path, daemon = self.begin()
        shells = [self.shell() for _ in range(3)]
        for shell in shells:
            shell.run("true")
        self.assert_safe(daemon)

    def test_hard_links_within_a_product(self):
        directory = self.directory("linked")
        path = self.file("Mdbperf.dll", directory)
        os.link(path, directory + "/Twin.dll")
        daemon = self.daemon(Product("app", directory))
        self.assert_safe(daemon)
        there = self.file("there", self.scratch)
        self.bind(path, there)
        self.assert_verdict(daemon.check(), "blocked")
        subprocess.run(["umount", there], check=True)
        self.assert_safe(daemon)

    def on(self, directory):
        """Safe there; a mount is seen there, too."""
        path = self.file("Mdbperf.dll", directory)
        self.n += 1
        daemon = self.daemon(Product("app", directory), home=f"home{self.n}")
        self.assert_safe(daemon)
        self.assert_safe(daemon)
        there = self.file("there", self.scratch)
        self.bind(path, there)
        self.assert_kept(daemon, path, "mounted", f"is mounted at {there}")
        subprocess.run(["umount", there], check=True)
        self.assert_safe(daemon)
        self.replace(path)
        self.assert_safe(daemon)
        daemon.close()

    def test_on_a_filesystem_in_memory(self):
        self.on(self.tmpfs())

    def test_on_other_filesystems(self):
        for kind, size in (("ext4", 32), ("xfs", 320), ("btrfs", 128)):
            with self.subTest(kind=kind):
                try:
                    directory = self.loop_image(kind, size, kind)
                except unittest.SkipTest:
                    continue
                self.on(directory)

    def test_on_an_overlay(self):
        lower = self.directory("lower")
        self.file("Mdbperf.dll", lower)
        upper, work = self.directory("up"), self.directory("wo")
        self.on(self.overlay(lower, upper, work))

    # --- names that lead nowhere, or cannot be followed in memory ---

    MOVES = ("renamed", "link gone", "relative", "link moved", "name taken")

    def test_an_overlay_whose_layer_has_moved(self):
        """The name by which it was mounted leads nowhere, or to another directory: of
        that only BPF knows, and not where it is."""
        for how in self.MOVES if tier_in_force() == "bpf" else self.MOVES[:3]:
            with self.subTest(how=how):
                self.n += 1
                release, link = self.directory(f"release{self.n}"), self.path(f"link{self.n}")
                self.file("Mdbperf.dll", release)
                os.symlink(release, link)
                command, merged = self.merge(link if how.startswith("link") else release)
                shell = self.shell()
                if how == "relative":
                    command = command.replace(release, os.path.basename(release))
                    shell.run(f"cd {self.scratch}")
                shell.run(command)
                shell.run(f"cat {merged}/Mdbperf.dll >/dev/null")
                if how.startswith("link"):
                    os.unlink(link)
                    if how == "link moved":
                        os.symlink(self.directory(f"next{self.n}"), link)
                elif how in ("renamed", "name taken"):
                    os.rename(release, release + ".moved")
                    if how == "name taken":
                        os.mkdir(release)
                    release += ".moved"
                path = os.path.join(release, "Mdbperf.dll")
                daemon = self.daemon(Product("app", release), home=f"home{self.n}")
                for leave in (lambda: None, lambda: self.replace(path)):
                    leave()
                    for _ in range(2):
                        if how in self.MOVES[:3]:
                            self.assert_layer(daemon, path, merged, shell)
                        else:
                            self.assert_verdict(daemon.check(), "blocked")
                shell.end()
                self.assert_safe_in_time(daemon)
                daemon.close()

    def test_a_product_in_an_overlay_beside(self):
        """An overlay on which its directory is mounted shows no old version of it."""
        path, daemon = self.begin()
        lower = self.directory("beside")
        os.mkdir(lower + "/there")
        os.rename(lower, lower + ".moved")
        os.rename(lower + ".moved", lower)
        command, merged = self.merge(lower)
        shell = self.shell()
        shell.run(command)
        shell.run(f"mount --bind {os.path.dirname(path)} {merged}/there")
        shell.run(f"cat {merged}/there/Mdbperf.dll >/dev/null")
        os.rename(lower, lower + ".moved")
        self.assert_safe(daemon)
        self.replace(path)
        self.assert_safe(daemon)

    def links_on_an_overlay(self):
        """A directory on an overlay: its links are never followed from memory."""
        self.n += 1
        layers = self.tmpfs(f"links{self.n}")
        for part in ("lower", "upper", "work"):
            os.mkdir(os.path.join(layers, part))
        return self.overlay(*(os.path.join(layers, part) for part in
                              ("lower", "upper", "work")))

    def test_a_layer_by_a_link_that_is_not_in_memory(self):
        path, daemon = self.begin()
        link = os.path.join(self.links_on_an_overlay(), "l")
        os.symlink(os.path.dirname(path), link)
        command, merged = self.merge(link)
        shell = self.shell()
        shell.run(command)
        shell.run(f"cat {merged}/Mdbperf.dll >/dev/null")
        self.assert_layer(daemon, path, merged, shell)
        shell.end()
        self.assert_safe_in_time(daemon)

    def test_a_probe_by_a_link_that_is_not_in_memory(self):
        """In another namespace, where an overlay has it."""
        if not self.shows("link"):
            self.skipTest("this kernel says not of which file a BPF link's probe is")
        path, daemon = self.begin()
        there, layers = self.directory("links"), self.directory("layers")
        shell = self.shell()
        shell.run(f"mount -t tmpfs none {layers}")
        shell.run(f"mkdir {layers}/lower {layers}/upper {layers}/work")
        shell.run(f"mount -t overlay o -o lowerdir={layers}/lower,upperdir={layers}/upper,"
                  f"workdir={layers}/work {there}")
        shell.run(f"ln -s {path} {there}/l")
        shell.process.stdin.write(f"exec {PROBER} link {there}/l {OFFSET}\n")
        self.assertEqual(shell.process.stdout.readline(), f"ready {shell.pid}\n")
        self.assert_kept(daemon, path, "probed", "of prober", pid=shell.pid)
        shell.end()
        self.assert_safe_in_time(daemon)


if __name__ == "__main__":
    main()
