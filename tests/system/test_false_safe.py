#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Places where a holder is easily looked past: a path that leads elsewhere by
now, an overlay whose real file is not where its name says, a file that was
never seen at its place before it was deleted. Never "safe" in any of them."""
import os
import shutil
import signal
import subprocess
import sys

from support import EVENTS, Product, RpcError, SystemTest, main, private_mounts

FILE = b"A library\n" * 400

# Serves one regular file, itself the root of a FUSE filesystem, mounted at argv[1].
FUSE_FILE = r"""
import ctypes, os, struct, sys
fd = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={fd},rootmode=100644,user_id=0,group_id=0,allow_other".encode()
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b"fuse", sys.argv[1].encode(), b"fuse", 0, options) != 0:
    sys.exit("no mount")
print("ready", flush=True)
attr = struct.pack("QQQQQQIIIIIIIIII", 1, 4096, 8, 0, 0, 0, 0, 0, 0, 0o100644, 1, 0, 0, 0,
                   4096, 0)
while True:
    request = os.read(fd, 1 << 20)
    _, op, unique = struct.unpack_from("IIQ", request)
    bodies = {26: struct.pack("IIIIHHIIHHIIIIII", 7, 31, 65536, 0, 16, 12, 65536, 1,
                              0, 0, 0, 0, 0, 0, 0, 0),
              3: struct.pack("QII", 0, 0, 0) + attr, 14: struct.pack("QII", 1, 0, 0),
              18: b"", 25: b""}
    if op in (2, 42):
        continue
    body = bodies.get(op)
    os.write(fd, struct.pack("IiQ", 16 + len(body or b""), 0 if body is not None else -38,
                             unique) + (body or b""))
"""


def setUpModule():
    private_mounts()


class FalseSafeTest(SystemTest):
    def never_safe(self, daemon, *args):
        answer = daemon.check(*args)
        self.assert_never_safe(answer)
        return answer

    def layers(self, *more):
        base = self.tmpfs("layers")
        for name in ("lower", "upper", "work", "merged", *more):
            os.mkdir(os.path.join(base, name))
        return base

    def merge(self, base, *options, lower=None):
        text = ",".join((f"lowerdir={lower or base + '/lower'}", f"upperdir={base}/upper",
                         f"workdir={base}/work", *options))
        return self.mount("overlay", base + "/merged", options=text)

    def list(self, *names):
        path = self.path("list")
        with open(path, "w", encoding="utf-8") as f:
            f.write("".join(name + "\n" for name in names))
        return path

    def link(self, target, path):
        """Put the symbolic link @path at its place, over one that is there."""
        os.symlink(target, path + ".new")
        os.rename(path + ".new", path)

    # Paths that lead elsewhere by now

    def test_the_release_moved_and_its_link_with_it(self):
        release, moved = self.directory("v1"), self.path("v1-moved")
        self.file("Mdbperf.dll", release)
        link = self.path("app")
        self.link(release, link)
        daemon = self.daemon(Product("app", link))
        self.assert_safe(daemon)
        os.rename(release, moved)
        self.link(moved, link)
        self.file("Mdbperf.dll", self.directory("v1"))
        for state in ("read", "mapped", "in-flight"):
            with self.subTest(state=state):
                holder = self.hold(state, os.path.join(link, "Mdbperf.dll"))
                self.assert_verdict(self.never_safe(daemon), "blocked")
                holder.close()

    def test_the_target_of_a_linked_file_moved(self):
        target, moved = self.file("one", self.scratch), self.path("two")
        link = os.path.join(self.bin, "Mdbperf.dll")
        self.link(target, link)
        daemon = self.daemon()
        self.assert_safe(daemon)
        os.rename(target, moved)
        self.link(moved, link)
        self.file("one", self.scratch)
        self.hold("mapped", link)
        self.assert_verdict(self.never_safe(daemon), "blocked")

    def test_a_linked_subdirectory_of_a_recursive_product(self):
        self.file("Other.dll")
        dll = self.file("Mdbperf.dll", self.directory("plugins"))
        os.symlink(os.path.dirname(dll), os.path.join(self.bin, "plugins"))
        daemon = self.daemon(Product("app", self.bin, recursive=True))
        self.hold("mapped", dll)
        self.never_safe(daemon)

    def test_through_the_root_of_another_mount_namespace(self):
        self.file("Mdbperf.dll")
        command = f"mount -t tmpfs none {self.bin} && cp /etc/passwd {self.bin}/Mdbperf.dll"
        other = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", f"{command} && echo ready && exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(other.communicate)
        if other.stdout.readline() != "ready\n":
            self.skipTest("no mount namespace")
        there = f"/proc/{other.pid}/root{self.bin}"
        daemon = self.daemon(Product("app", there))
        self.hold("mapped", there + "/Mdbperf.dll")
        self.never_safe(daemon)

    def test_a_file_of_a_foreign_filesystem_mounted_over_one(self):
        self.file("Other.dll")
        dll = self.file("Mdbperf.dll")
        server = subprocess.Popen([sys.executable, "-c", FUSE_FILE, dll],
                                  stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.communicate)
        self.addCleanup(server.kill)
        self.addCleanup(subprocess.run, ["umount", "-l", dll], stderr=subprocess.DEVNULL)
        if server.stdout.readline() != "ready\n":
            self.skipTest("no FUSE here")
        self.hold("read", dll)
        self.never_safe(self.daemon())

    # Names that are asked about

    def test_asked_about_a_path_outside_of_the_product(self):
        self.file("Other.dll")
        dll = self.file("Mdbperf.dll", self.directory("elsewhere"))
        daemon = self.daemon()
        self.hold("mapped", dll)
        self.never_safe(daemon, "--files", self.list("Other.dll", dll))

    def test_asked_about_by_its_real_path(self):
        self.file("Other.dll")
        dll = self.file("Mdbperf.dll")
        os.symlink(self.bin, self.path("app"))
        daemon = self.daemon(Product("app", self.path("app")))
        self.hold("mapped", dll)
        self.never_safe(daemon, "--files", self.list("Other.dll", dll))

    def test_asked_about_an_old_version_outside_of_the_patterns(self):
        self.file("Other.dll")
        path = self.file("Mdbperf.dat")
        daemon = self.daemon()
        self.hold("mapped", path)
        os.rename(self.file("new", self.scratch), path)
        self.never_safe(daemon, "--files", self.list("Other.dll", "Mdbperf.dat"))

    # Overlays

    def right_in(self, directory):
        daemon = self.daemon(Product("app", directory))
        self.hold("mapped", os.path.join(directory, "Mdbperf.dll"))
        self.never_safe(daemon)

    def test_an_overlay_on_an_overlay(self):
        base = self.layers("upper2", "work2", "merged2")
        self.file("Mdbperf.dll", base + "/lower")
        merged = self.merge(base)
        self.right_in(self.mount("overlay", base + "/merged2",
                                 options=f"lowerdir={merged},upperdir={base}/upper2,"
                                         f"workdir={base}/work2"))

    def test_an_overlay_over_a_hidden_mount(self):
        base = self.layers("lower/app", "merged/app")
        self.file("Mdbperf.dll", base + "/lower/app")
        self.mount("tmpfs", base + "/merged/app")
        self.right_in(self.merge(base) + "/app")

    def test_a_relative_lower_layer_and_a_copy_above(self):
        base = self.layers()
        self.file("Mdbperf.dll", base + "/lower")
        before = os.getcwd()
        os.chdir(base)
        self.addCleanup(os.chdir, before)
        merged = self.merge(base, lower="lower")
        self.hold("mapped", merged + "/Mdbperf.dll")
        os.utime(merged + "/Mdbperf.dll")
        self.never_safe(self.daemon(Product("app", merged)))

    def test_another_directory_at_the_place_of_a_layer(self):
        base = self.layers()
        self.file("Mdbperf.dll", base + "/lower")
        merged = self.merge(base)
        os.rename(base + "/lower", base + "/lower-moved")
        os.mkdir(base + "/lower")
        self.file("Mdbperf.dll", base + "/lower")
        self.right_in(merged)

    def test_a_redirected_directory(self):
        base = self.layers("lower/app", "lower/old")
        for name in ("app", "old"):
            self.file("Mdbperf.dll", f"{base}/lower/{name}")
        merged = self.merge(base, "redirect_dir=on")
        shutil.rmtree(merged + "/app")
        os.rename(merged + "/old", merged + "/app")
        self.right_in(merged + "/app")

    def test_only_the_metadata_copied_up_and_renamed(self):
        base = self.layers()
        self.file("setup.tmp", base + "/lower")
        merged = self.merge(base, "redirect_dir=on", "metacopy=on")
        os.rename(merged + "/setup.tmp", merged + "/Mdbperf.dll")
        self.right_in(merged)

    def test_an_overlay_on_btrfs(self):
        """Its handles are the longest there are: 44 bytes."""
        base = self.loop_image("btrfs", 128)
        for name in ("lower", "upper", "work", "merged"):
            os.mkdir(os.path.join(base, name))
        self.file("Mdbperf.dll", base + "/lower")
        merged = self.merge(base)
        daemon = self.daemon(Product("app", merged))
        self.assert_safe(daemon)
        holder = self.hold("mapped", merged + "/Mdbperf.dll")
        self.assert_blocked_by(daemon, merged + "/Mdbperf.dll", [holder.pid], {"mapped"})
        holder.release()
        self.assert_safe(daemon)

    def data_only(self):
        """An overlay with Mdbperf.dll, and where the contents of that are."""
        base = self.layers("data")
        blob = self.file("blob", base + "/data", FILE)
        path = self.file("Mdbperf.dll", base + "/lower", b"")
        os.truncate(path, len(FILE))
        os.setxattr(path, "trusted.overlay.metacopy", b"")
        os.setxattr(path, "trusted.overlay.redirect", b"/blob")
        return self.merge(base, "metacopy=on", "redirect_dir=on",
                          lower=f"{base}/lower::{base}/data"), blob

    def test_a_layer_of_data_only(self):
        self.right_in(self.data_only()[0])

    def test_a_layer_of_data_only_used_where_it_lies(self):
        """Nothing of the overlay names the file before it is first opened there."""
        for state in ("read", "mapped", "in-flight"):
            for late in (False, True):
                with self.subTest(state=state, daemon_came_later=late):
                    self.setUp()
                    merged, blob = self.data_only()
                    product = Product("app", merged)
                    daemon = None if late else self.daemon(product)
                    holder = self.hold(state, blob)
                    daemon = daemon or self.daemon(product)
                    self.never_safe(daemon)
                    holder.kill()
                    self.assertNotEqual(daemon.check()["verdict"], "blocked")
                    daemon.close()

    def test_an_innocent_file_with_the_same_inode_number(self):
        one, two = self.tmpfs("one"), self.tmpfs("two")
        dll, other = self.file("Mdbperf.dll", one), self.file("other.bin", two)
        self.assertEqual(os.stat(dll).st_ino, os.stat(other).st_ino)
        merged = self.mount("overlay", self.directory("merged"),
                            options=f"lowerdir={one}:{two},xino=off")
        daemon = self.daemon(Product("app", merged))
        holder = self.hold("read", merged + "/Mdbperf.dll")
        self.hold("mapped", merged + "/other.bin")
        self.assert_blocked_by(daemon, merged + "/Mdbperf.dll", [holder.pid], {"open"})

    def test_deleted_from_an_overlay_before_the_daemon(self):
        base = self.layers()
        for name in ("Mdbperf.dll", "Other.dll"):
            self.file(name, base + "/lower")
        merged = self.merge(base)
        self.hold("read", merged + "/Mdbperf.dll")
        os.unlink(merged + "/Mdbperf.dll")
        self.never_safe(self.daemon(Product("app", merged)))

    # Old versions

    def test_replaced_where_handles_are_for_comparing_only(self):
        """ramfs gives handles that cannot be opened."""
        root = self.mount("ramfs", self.directory("ramfs"))
        dll = self.file("Mdbperf.dll", root)
        daemon = self.daemon(Product("app", root))
        self.hold("mapped", dll)
        self.never_safe(daemon)
        os.rename(self.file("new", root), dll)
        self.never_safe(daemon)

    def test_replaced_before_the_daemon_behind_a_linked_directory(self):
        dll = self.file("Mdbperf.dll")
        os.symlink(self.bin, self.path("app"))
        self.hold("mapped", self.path("app", "Mdbperf.dll"))
        os.rename(self.file("new", self.scratch), dll)
        self.never_safe(self.daemon(Product("app", self.path("app"))))

    def test_replaced_before_the_daemon_behind_a_linked_file(self):
        self.file("Other.dll")
        target = self.file("library.so.1", self.scratch)
        os.symlink(target, os.path.join(self.bin, "Mdbperf.dll"))
        self.hold("mapped", target)
        os.rename(self.file("new", self.scratch), target)
        self.never_safe(self.daemon())

    def test_replaced_before_the_daemon_with_another_name_left(self):
        dll = self.file("Mdbperf.dll")
        os.link(dll, self.path("kept"))
        self.hold("mapped", dll)
        os.rename(self.file("new", self.scratch), dll)
        self.never_safe(self.daemon())

    def test_created_opened_and_moved_away_at_once(self):
        """Of that only events tell: no look saw it at its place."""
        self.file("Other.dll")
        daemon = self.daemon()
        self.assert_safe(daemon)
        fd = os.open(self.file("Mdbperf.dll"), os.O_RDONLY)
        self.addCleanup(os.close, fd)
        os.rename(os.path.join(self.bin, "Mdbperf.dll"), self.path("Mdbperf.old"))
        self.file("Mdbperf.dll")
        self.never_safe(daemon)

    def test_deleted_unseen_in_a_large_product(self):
        """The look that found it must not be the last one that does."""
        for i in range(700):
            self.file(f"Many{i}.dll", content=b"x")
        daemon = self.daemon()
        self.assert_safe(daemon)
        fd = os.open(self.file("Mdbperf.dll"), os.O_RDONLY)
        self.addCleanup(os.close, fd)
        os.unlink(os.path.join(self.bin, "Mdbperf.dll"))
        daemon.run("flush")
        self.never_safe(daemon)

    def never_safe_or_refused(self, connection):
        try:
            self.assert_never_safe(connection.call("check"))
        except RpcError:
            pass  # no answer is not a wrong one

    def test_deleted_unseen_among_very_many(self):
        """More than are remembered, between two looks."""
        self.file("Other.dll")
        # inotify does not say which file was deleted: without a process it is not found.
        in_flight = ("in-flight",) if EVENTS != "inotify" else ()
        for state in ("read", "mapped", *in_flight):
            with self.subTest(state=state):
                daemon = self.daemon(Product("app", self.bin), Product("b", self.bin),
                                     home=f"home-{state}")
                self.assert_safe(daemon, "--product", "app")
                daemon.signal(signal.SIGSTOP)
                path = self.file("Mdbperf.dll")
                holder = self.hold(state, path)
                os.unlink(path)
                for n in range(1500):
                    os.unlink(self.file(f"Temporary{n}.dll"))
                daemon.signal(signal.SIGCONT)
                for product in ("app", "b"):
                    answer = daemon.check("--product", product)
                    self.assert_verdict(answer, "blocked")
                    self.use_of(answer, path, None if state == "in-flight" else holder.pid)
                holder.release()
                for product in ("app", "b"):
                    self.assert_safe(daemon, "--product", product)
                daemon.close()

    def test_no_descriptors_left_to_search_with(self):
        for spare in range(8):
            with self.subTest(spare=spare):
                daemon = self.daemon(home=f"home-{spare}")
                connection = self.rpc(daemon)
                self.file("Other.dll")
                connection.call("check")
                dll = self.file("Mdbperf.dll")
                fd = os.open(dll, os.O_RDONLY)
                os.unlink(dll)
                fds = [int(name) for name in os.listdir(f"/proc/{daemon.process.pid}/fd")]
                limit = f"--nofile={max(fds) + 1 + spare}"
                subprocess.run(["prlimit", "--pid", str(daemon.process.pid), limit],
                               check=True)
                try:
                    # What the first could not look at, the next ones must ask again.
                    for _ in range(3):
                        self.never_safe_or_refused(connection)
                finally:
                    os.close(fd)
                    daemon.close()

    def test_deleted_when_no_descriptors_are_left(self):
        for spare in range(8):
            with self.subTest(spare=spare):
                dll = self.file("Mdbperf.dll")
                daemon = self.daemon(home=f"home-{spare}")
                connection = self.rpc(daemon)
                connection.call("check")
                fds = [int(name) for name in os.listdir(f"/proc/{daemon.process.pid}/fd")]
                limit = f"--nofile={max(fds) + 1 + spare}"
                subprocess.run(["prlimit", "--pid", str(daemon.process.pid), limit],
                               check=True)
                created = self.file("Later.dll")
                fds = [os.open(path, os.O_RDONLY) for path in (dll, created)]
                os.unlink(dll)
                os.unlink(created)
                try:
                    for _ in range(3):
                        self.never_safe_or_refused(connection)
                    os.close(fds.pop())
                    self.never_safe_or_refused(connection)
                finally:
                    for fd in fds:
                        os.close(fd)
                    daemon.close()

    def test_many_busy_files_and_few_descriptors(self):
        """An answer for each who asks, and no wrong one."""
        stoppable = self.program("store.exe")
        for path in self.files(60):
            self.hold("mapped", path, program=stoppable)
        self.hold("mapped", os.path.join(self.bin, "Many3.dll"))
        daemon = self.daemon(Product("app", self.bin, setup_stops="store.exe"),
                             prefix=("prlimit", "--nofile=134:134"))
        for _ in range(4):
            self.never_safe(daemon)

    # Holders that are never where one looks

    def test_a_relay(self):
        """Processes that hand the file on, each gone before it can be looked at,
        beside a holder that explains why the file is busy."""
        dll = self.file("Mdbperf.dll")
        daemon = self.daemon(Product("app", self.bin, setup_stops="store.exe"))
        for beside in ("read", "mapped"):
            stopped = self.hold(beside, dll, program=self.program("store.exe"))
            for state in ("relay", "relay-mapped"):
                with self.subTest(state=state, beside=beside):
                    relay = self.hold(state, dll)
                    for _ in range(30):
                        self.never_safe(daemon)
                    relay.release()
                    self.assertNotEqual(daemon.check()["verdict"], "blocked")
            stopped.kill()
            self.assert_safe(daemon)

    def test_created_and_opened_in_the_same_tick(self):
        """ramfs tells times by the tick: its directory looks unchanged then."""
        root = self.mount("ramfs", self.directory("ramfs"))
        self.file("Other.dll", root)
        connection = self.rpc(self.daemon(Product("app", root)))
        for i in range(200):
            path = os.path.join(root, f"Many{i}.dll")
            with open(os.path.join(root, "touched"), "wb"):
                pass
            os.unlink(os.path.join(root, "touched"))
            connection.call("check")
            fd = os.open(path, os.O_CREAT | os.O_RDWR)
            try:
                self.assert_never_safe(connection.call("check"))
            finally:
                os.close(fd)
            os.unlink(path)
            connection.call("check")


if __name__ == "__main__":
    main()
