#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Held by nobody is not yet "can be replaced": what is in setup's way although nobody uses a
file. Each obstacle comes after the product was found safe, and no event tells of it; it is
named, and the step that is printed takes it away."""
import contextlib
import os
import shutil
import subprocess
import unittest

from support import (ATTENTION, BLOCKED, FOR_DOS, SAFE, SPGUARD, UNKNOWN, Product, SystemTest,
                     main, private_mounts)


def setUpModule():
    private_mounts()


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise unittest.SkipTest(f"{' '.join(command)}: {done.stderr.strip()}")


class ObstaclesTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.n = 0

    def begin(self, directory=None, **options):
        """A product of two files, found safe twice: from then on what is known of it
        may be enough for an answer."""
        self.n += 1
        directory = directory or self.directory(f"app{self.n}")
        path = self.file("First.dll", directory)
        self.file("Second.dll", directory)
        daemon = self.daemon(Product("app", directory, **options), home=f"home{self.n}")
        for _ in range(2):
            self.assert_safe(daemon)
        return path, daemon

    def assert_safe(self, daemon):
        answer = daemon.check()
        self.assertEqual(answer["exit"], SAFE, self.show(answer))
        self.assertEqual(answer["counts"]["obstructed"], 0)

    def clean_up(self, *command):
        self.addCleanup(subprocess.run, command, stderr=subprocess.DEVNULL)

    def assert_obstructed(self, daemon, kind, *names):
        """The files @names are, by @kind and nothing else; nobody is made up who would
        use them. Returns the step."""
        answer = daemon.check()
        said = self.show(answer)
        self.assertEqual(answer["exit"], BLOCKED, said)
        self.assertEqual(answer["without_blocked"], "blocked", said)
        blocked = {os.path.basename(row["path"]): row for row in answer["files"]
                   if row["state"] == "blocked"}
        self.assertEqual(set(blocked), set(names), said)
        for row in blocked.values():
            self.assertEqual(row["obstacles"], [kind], said)
            self.assertEqual(row["uses"], [], said)
        counts = answer["counts"]
        self.assertEqual((counts["blocked"], counts["obstructed"], counts["unattributed"]),
                         (len(names), len(names), 0), said)
        self.assertEqual({(note["kind"], note["obstacle"]) for note in answer["reasons"]},
                         {("obstacle", kind)}, said)
        self.assertEqual(daemon.json("who")[1]["files"], [])
        steps = [note for note in answer["next"] if note["kind"] == "clear-obstacle"]
        self.assertEqual(len(steps), len(answer["reasons"]), said)
        return steps[0]

    def follow(self, step):
        run("sh", "-c", step["command"])

    def assert_cleared_by_its_step(self, daemon, kind, *names):
        self.follow(self.assert_obstructed(daemon, kind, *names))
        self.assert_safe(daemon)

    def chattr(self, flag, path):
        self.clean_up("chattr", flag.replace("+", "-"), path)
        run("chattr", flag, path)

    # Attributes

    def test_attributes_of_a_file(self):
        for flag, kind in (("+i", "immutable"), ("+a", "append-only")):
            for replaced in (None, "in-place", "rename"):
                with self.subTest(flag=flag, replaced=replaced):
                    path, daemon = self.begin(replaced=replaced)
                    self.chattr(flag, path)
                    self.assert_cleared_by_its_step(daemon, kind, "First.dll")

    def test_attributes_of_a_directory(self):
        for flag, kind in (("+i", "directory-immutable"), ("+a", "directory-append-only")):
            with self.subTest(flag=flag):
                path, daemon = self.begin(replaced="rename")
                self.chattr(flag, os.path.dirname(path))
                self.assert_cleared_by_its_step(daemon, kind, "First.dll", "Second.dll")

    def test_who_writes_in_place_needs_no_directory(self):
        path, daemon = self.begin(replaced="in-place")
        self.chattr("+i", os.path.dirname(path))
        self.assert_safe(daemon)
        with open(path, "ab") as f:  # it is so
            f.write(b"new")

    def check_new(self, daemon, *names):
        """The answer about a service pack that brings First.dll, and @names anew."""
        listed = self.file("names", self.scratch, "\n".join(["First.dll", *names]).encode())
        return daemon.check("--files", listed)

    def test_a_new_file_needs_its_directory(self):
        """Whoever writes in place makes what is new."""
        path, daemon = self.begin(replaced="in-place")
        self.assertEqual(self.check_new(daemon, "New.dll")["exit"], SAFE)
        self.chattr("+a", os.path.dirname(path))
        self.assertEqual(self.check_new(daemon, "New.dll")["exit"], SAFE)
        self.chattr("-a", os.path.dirname(path))
        self.chattr("+i", os.path.dirname(path))
        self.assert_safe(daemon)
        for name in "New.dll", os.path.join(os.path.dirname(path), "Other.dll"):
            answer = self.check_new(daemon, name)
            self.assertEqual((answer["exit"], answer["counts"]["blocked"]), (BLOCKED, 0),
                             self.show(answer))
            self.assertEqual([(r["kind"], r["obstacle"]) for r in answer["reasons"]],
                             [("obstacle", "directory-immutable")], self.show(answer))
        listed = self.file("names", self.scratch, b"First.dll\nNew.dll")
        self.assertIn("a new file cannot be put where it belongs",
                      daemon.run("check", "--files", listed)[1])
        step, = [s for s in answer["next"] if s["kind"] == "clear-obstacle"]
        self.follow(step)
        self.assertEqual(self.check_new(daemon, "New.dll")["exit"], SAFE)

    def test_a_new_file_that_may_belong_elsewhere(self):
        one, two = self.directory("one"), self.directory("two")
        self.file("First.dll", one)
        self.file("Second.dll", two)
        daemon = self.daemon(Product("app", one, two, replaced="in-place"))
        self.chattr("+i", two)
        self.assertEqual(self.check_new(daemon, "New.dll")["exit"], ATTENTION)
        self.assertEqual(self.check_new(daemon, os.path.join(one, "New.dll"))["exit"], SAFE)
        self.assertEqual(self.check_new(daemon, os.path.join(two, "New.dll"))["exit"], BLOCKED)

    def test_attributes_below_a_recursive_product(self):
        directory = self.directory("deep")
        for name in ("one", "two"):
            self.file(f"{name}.dll", self.directory("deep", name))
        path, daemon = self.begin(directory, recursive=True)
        self.chattr("+i", self.path("deep", "two"))
        step = self.assert_obstructed(daemon, "directory-immutable", "two.dll")
        self.assertEqual(step["place"], self.path("deep", "two"))
        self.follow(step)
        self.assert_safe(daemon)

    def test_only_those_asked_about(self):
        path, daemon = self.begin()
        self.chattr("+i", path)
        names = self.file("names", self.scratch, b"Second.dll\n")
        self.assertEqual(daemon.check("--files", names)["exit"], SAFE)
        names = self.file("names", self.scratch, b"First.dll\n")
        self.assertEqual(daemon.check("--files", names)["exit"], BLOCKED)

    def test_a_link_is_replaced_itself(self):
        for replaced, exit_code in (("rename", SAFE), ("in-place", BLOCKED)):
            with self.subTest(replaced=replaced):
                self.n += 1
                target = self.file(f"target{self.n}", self.scratch)
                directory = self.directory(f"linked{self.n}")
                os.symlink(target, os.path.join(directory, "Linked.dll"))
                _, daemon = self.begin(directory, replaced=replaced)
                self.chattr("+i", target)
                self.assertEqual(daemon.check()["exit"], exit_code)

    def test_used_besides(self):
        path, daemon = self.begin()
        self.chattr("+i", path)
        holder = self.hold("mapped", path)
        answer = daemon.check()
        self.assertEqual(answer["counts"]["obstructed"], 0)
        self.assertEqual([note["kind"] for note in answer["reasons"]], ["in-use", "obstacle"])
        self.use_of(answer, path, holder.pid)
        holder.kill()
        self.assert_cleared_by_its_step(daemon, "immutable", "First.dll")

    # Mounts

    def test_a_mount_on_a_file(self):
        other = self.file("other", self.scratch)
        far = self.file("far", self.tmpfs("elsewhere"))
        for source in (other, far, "/proc/version"):
            with self.subTest(source=source):
                path, daemon = self.begin(replaced="rename")
                self.bind(source, path)
                step = self.assert_obstructed(daemon, "mount-point", "First.dll")
                self.assertIn(path, step["command"])
                self.follow(step)
                self.assert_safe(daemon)

    def test_what_a_device_is_mounted_on_is_not_forgotten(self):
        for source in ("/dev/null", "/dev/zero", self.path("pipe")):
            with self.subTest(source=source):
                if source == self.path("pipe"):
                    os.mkfifo(source)
                path, daemon = self.begin()
                self.bind(source, path)
                answer = daemon.check()
                self.assertEqual(answer["exit"], UNKNOWN, self.show(answer))
                self.assertEqual([lack["path"] for lack in answer["proof"]["coverage"]],
                                 [path])
                run("sh", "-c", answer["next"][0]["text"])
                self.assert_safe(daemon)

    def test_a_mount_below_is_none(self):
        directory = self.directory("tree")
        self.directory("tree", "data")
        _, daemon = self.begin(directory, recursive=True)
        self.tmpfs(os.path.join("tree", "data"))
        self.assert_safe(daemon)

    def test_a_read_only_mount(self):
        for how in ("bind", "remount", "tmpfs"):
            with self.subTest(how=how):
                directory = self.tmpfs(f"disk-{how}")
                path, daemon = self.begin(directory)
                if how == "bind":
                    self.bind(directory, directory)
                run("mount", "-o", "remount,bind,ro", directory)
                self.assert_cleared_by_its_step(
                    daemon, "read-only-mount", "First.dll", "Second.dll")

    def test_a_read_only_filesystem(self):
        for kind in ("ext4", "xfs", "tmpfs"):
            with self.subTest(kind=kind):
                directory = self.tmpfs("disk-tmpfs") if kind == "tmpfs" \
                    else self.loop_image(kind, 320 if kind == "xfs" else 16)
                _, daemon = self.begin(directory)
                run("mount", "-o", "remount,ro", directory)
                self.assert_cleared_by_its_step(
                    daemon, "read-only-filesystem", "First.dll", "Second.dll")

    def test_read_only_by_another_mount_of_it(self):
        """No change of the mount that the product is on tells of it."""
        directory = self.loop_image("ext4", 16)
        other = self.directory("other-view")
        _, daemon = self.begin(directory)
        run("unshare", "-m", "sh", "-c", f"mount --bind '{directory}' '{other}' && "
            f"mount -o remount,ro '{other}'")
        self.assert_cleared_by_its_step(
            daemon, "read-only-filesystem", "First.dll", "Second.dll")

    def test_read_only_by_an_error_of_the_disk(self):
        """No flag says it, and no event; what ext4 counts does."""
        for seen_before in (True, False):
            with self.subTest(seen_before=seen_before):
                directory = self.loop_image("ext4", 16, f"broken-{seen_before}")
                run("mount", "-o", "remount,errors=remount-ro", directory)
                device = os.path.basename(subprocess.run(
                    ["findmnt", "-no", "SOURCE", directory], capture_output=True,
                    text=True, check=True).stdout.strip())
                trigger = f"/sys/fs/ext4/{device}/trigger_fs_error"
                if not os.path.exists(trigger):
                    self.skipTest("no errors on demand")
                path, daemon = self.begin(directory) if seen_before else (
                    self.file("First.dll", directory), None)
                with open(trigger, "w", encoding="ascii") as f:
                    f.write("test")
                daemon = daemon or self.daemon(Product("app", directory), home="home-late")
                with self.assertRaises(OSError):
                    open(path, "wb").close()
                names = ("First.dll", "Second.dll") if seen_before else ("First.dll",)
                step = self.assert_obstructed(daemon, "read-only-filesystem", *names)
                self.assertIn("dmesg", step["command"])
                self.assertIn("error", daemon.check()["reasons"][0]["text"])

    def test_an_error_that_is_gone_on_from(self):
        directory = self.loop_image("ext4", 16, "sick")
        run("mount", "-o", "remount,errors=continue", directory)
        device = os.path.basename(subprocess.run(
            ["findmnt", "-no", "SOURCE", directory], capture_output=True, text=True,
            check=True).stdout.strip())
        path, daemon = self.begin(directory)
        with open(f"/sys/fs/ext4/{device}/trigger_fs_error", "w", encoding="ascii") as f:
            f.write("test")
        for _ in range(2):
            self.assert_safe(daemon)
        open(path, "ab").close()

    def test_a_write_protected_device(self):
        self.image("ext4", "mkfs.ext4", "-q", "-d", "{source}", "{image}", "8m", options="ro")
        daemon = self.daemon(Product("app", self.path("ext4")))
        step = self.assert_obstructed(daemon, "read-only-filesystem", "First.dll")
        self.assertNotIn("command", step)  # no remount helps
        self.assertIn("loop device", step["text"])

    def image(self, kind, *make, options="defaults"):
        program = shutil.which(make[0], path="/usr/sbin:/sbin:/usr/bin:/bin")
        if not program:
            self.skipTest(f"no {make[0]} here")
        source, target = self.directory(f"{kind}-source"), self.directory(kind)
        self.file("First.dll", source)
        image = self.path(f"{kind}.image")
        run(program, *(word.format(source=source, image=image) for word in make[1:]))
        run("mount", "-t", kind, "-o", f"loop,{options}", image, target)
        self.clean_up("umount", "-l", target)
        return target

    def test_what_is_never_written_to(self):
        lower = self.directory("lower")
        self.file("First.dll", lower)
        for kind in ("squashfs", "erofs", "overlay"):
            with self.subTest(kind=kind):
                if kind == "squashfs":
                    directory = self.image(kind, "mksquashfs", "{source}", "{image}", "-quiet",
                                           "-no-progress")
                elif kind == "erofs":
                    directory = self.image(kind, "mkfs.erofs", "{image}", "{source}")
                else:
                    directory = self.mount("overlay", self.directory("no-upper"), options=
                                           f"lowerdir={lower}:{self.directory('empty')}")
                daemon = self.daemon(Product("app", directory), home=f"home-{kind}")
                step = self.assert_obstructed(daemon, "read-only-filesystem", "First.dll")
                self.assertNotIn("command", step)

    # Of whom the mounts are

    def test_what_is_read_only_for_the_daemon_alone(self):
        """As with ProtectSystem=: who installs is not in its namespace."""
        directory = self.directory("protected")
        path = self.file("First.dll", directory)
        script = f"mount --bind '{directory}' '{directory}' && " \
                 f"mount -o remount,bind,ro '{directory}' && exec \"$@\""
        daemon = self.daemon(Product("app", directory),
                             prefix=("unshare", "-m", "sh", "-c", script, "sh"))
        self.assert_safe(daemon)
        self.assert_safe(daemon)
        # What counts is found through that as well.
        self.chattr("+i", path)
        self.assert_cleared_by_its_step(daemon, "immutable", "First.dll")
        run("mount", "--bind", directory, directory)
        self.clean_up("umount", "-l", directory)
        run("mount", "-o", "remount,bind,ro", directory)
        self.assert_cleared_by_its_step(daemon, "read-only-mount", "First.dll")

    def test_a_filesystem_that_the_daemon_could_not_write_to_before(self):
        directory = self.loop_image("ext4", 16)
        self.file("First.dll", directory)
        script = f"mount -o remount,bind,ro '{directory}' && exec \"$@\""
        daemon = self.daemon(Product("app", directory),
                             prefix=("unshare", "-m", "sh", "-c", script, "sh"))
        self.assert_safe(daemon)
        run("mount", "-o", "remount,ro", directory)
        self.assert_cleared_by_its_step(daemon, "read-only-filesystem", "First.dll")

    def test_when_it_cannot_be_told_whose(self):
        """Without CAP_SYS_PTRACE: neither blocked by what is the daemon's alone, nor
        silent about it."""
        directory = self.directory("untold")
        self.file("First.dll", directory)
        script = f"mount --bind '{directory}' '{directory}' && " \
                 f"mount -o remount,bind,ro '{directory}' && " \
                 "exec setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace \"$@\""
        daemon = self.daemon(Product("app", directory),
                             prefix=("unshare", "-m", "sh", "-c", script, "sh"))
        answer = daemon.check()
        self.assertEqual(answer["counts"]["obstructed"], 0, self.show(answer))
        lack, = (row for row in answer["proof"]["coverage"] if row["kind"] == "mounts")
        self.assertEqual((lack["path"], lack["blinds"]), (directory, False))

    # Room

    def pack(self, **files):
        """A service pack of files with so many bytes."""
        self.n += 1
        folder = self.directory(f"pack{self.n}")
        for name, size in files.items():
            self.file(f"{name}.dll", folder, os.urandom(size))
        return folder

    def fill(self, directory, leave=0):
        """Use what is free for root, but for @leave bytes."""
        path = os.path.join(directory, "filler")
        with open(path, "ab", buffering=0) as f:
            with contextlib.suppress(OSError):
                while f.write(bytes(1 << 16)):
                    pass
            with contextlib.suppress(OSError):
                while f.write(bytes(1 << 10)):
                    pass
            if leave:
                f.truncate(f.tell() - leave)
        return path

    def need_room(self, answer, kind, exit_code):
        self.assertEqual(answer["exit"], exit_code, self.show(answer))
        first, step = answer["reasons"][0], answer["next"][0]
        self.assertEqual((first["kind"], first["obstacle"]), ("obstacle", kind))
        self.assertEqual((step["kind"], step["obstacle"]), ("clear-obstacle", kind))
        self.assertGreater(first["count"], 0)
        return step

    def test_no_room_for_the_service_pack(self):
        small, large = self.pack(First=1000), self.pack(First=3 << 20)
        for kind in ("tmpfs", "ext4", "xfs"):
            with self.subTest(kind=kind):
                directory = self.tmpfs("room-tmpfs", "4m") if kind == "tmpfs" else \
                    self.loop_image(kind, 320 if kind == "xfs" else 8, f"room-{kind}")
                path, daemon = self.begin(directory, replaced="rename")
                filler = self.fill(directory, leave=1 << 20)
                self.assertEqual(daemon.check("--payload", small)["exit"], SAFE)
                answer = daemon.check("--payload", large)
                self.need_room(answer, "no-space", BLOCKED)
                self.assertEqual(self.file_of(answer, path)["obstacles"], ["no-space"])
                self.assertEqual(self.file_of(answer, path)["uses"], [])
                os.unlink(filler)
                self.assertEqual(daemon.check("--payload", large)["exit"], SAFE)

    def test_who_writes_in_place_needs_what_files_grow_by(self):
        directory = self.tmpfs("grows", "4m")
        self.n += 1
        for replaced, exit_code in (("in-place", SAFE), ("any", ATTENTION),
                                    ("rename", BLOCKED)):
            with self.subTest(replaced=replaced):
                path, daemon = self.begin(directory, replaced=replaced)
                with open(path, "wb") as f:
                    f.write(FOR_DOS.ljust(2 << 20, b"\0"))
                self.assert_safe(daemon)  # and that was no install of the pack's
                filler = self.fill(directory, leave=1 << 20)
                for size, expected in ((2 << 20, exit_code), (4 << 20, BLOCKED)):
                    answer = daemon.check("--payload", self.pack(First=size))
                    self.assertEqual(answer["exit"], expected, self.show(answer))
                os.unlink(filler)
                daemon.stop()  # it reads what the next one watches, and holds it open

    def test_a_full_disk(self):
        """Without a service pack nobody knows how much is needed; something is."""
        for kind in ("tmpfs", "ext4", "xfs"):
            with self.subTest(kind=kind):
                directory = self.tmpfs("full-tmpfs", "2m") if kind == "tmpfs" else \
                    self.loop_image(kind, 320 if kind == "xfs" else 8, f"full-{kind}")
                _, daemon = self.begin(directory)
                filler = self.fill(directory)
                self.need_room(daemon.check(), "no-space", ATTENTION)
                os.unlink(filler)
                self.assert_safe(daemon)

    def test_no_inodes(self):
        directory = self.mount("tmpfs", self.directory("few"),
                               options="size=4m,nr_inodes=8")
        _, daemon = self.begin(directory, replaced="rename")
        pack = self.pack(First=100)
        fillers = []
        with contextlib.suppress(OSError):
            while True:
                fillers.append(self.file(f"filler{len(fillers)}", directory, b""))
        self.need_room(daemon.check(), "no-inodes", ATTENTION)
        self.need_room(daemon.check("--payload", pack), "no-inodes", BLOCKED)
        os.unlink(fillers[0])
        self.assert_safe(daemon)

    # Who installs, and is not root

    # Owner, group and mode of the directory, and of the file; the entries of their ACLs;
    # the mode of what is above.
    PERMISSIONS = {
        "nothing": ((0, 0, 0o755), (0, 0, 0o644)),
        "owner": ((1, 0, 0o755), (1, 0, 0o644)),
        "everybody": ((0, 0, 0o777), (0, 0, 0o666)),
        "sticky": ((0, 0, 0o1777), (0, 0, 0o666)),
        "sticky, his file": ((0, 0, 0o1777), (1, 0, 0o444)),
        "sticky, his directory": ((1, 0, 0o1755), (0, 0, 0o666)),
        "group": ((0, 1, 0o775), (0, 1, 0o664)),
        "not his group": ((0, 1, 0o707), (0, 1, 0o606)),
        "owner without": ((1, 1, 0o577), (1, 1, 0o466)),
        "his file where he may make none": ((0, 0, 0o755), (1, 0, 0o600)),
        "acl": ((0, 0, 0o755), (0, 0, 0o644), ("u:daemon:rwx", "u:daemon:rw")),
        "acl with mask": ((0, 0, 0o755), (0, 0, 0o644),
                          ("u:daemon:rwx,m::rx", "u:daemon:rw,m::r")),
        "acl of a group": ((0, 0, 0o755), (0, 0, 0o644), ("g:daemon:rwx", "g:daemon:rw")),
        "acl that denies": ((0, 0, 0o777), (0, 0, 0o666), ("u:daemon:rx", "u:daemon:r")),
        "acl of several groups": ((0, 1, 0o775), (0, 1, 0o664), ("g:bin:rwx", "g:bin:rw")),
        "above": ((1, 1, 0o755), (1, 1, 0o644), None, 0o700),
    }

    def spoil(self, place, owner, acl):
        uid, gid, mode = owner
        os.chown(place, uid, gid)
        os.chmod(place, mode)
        if acl:
            run("setfacl", "-m", acl, place)

    def can(self, *command):
        """Whether the kernel lets that user do it."""
        return subprocess.run(["setpriv", "--reuid=1", "--regid=1", "--clear-groups", *command],
                              stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stdin=subprocess.DEVNULL).returncode == 0

    def replaces(self, path, replaced):
        if replaced == "in-place":
            return self.can("sh", "-c", f"echo new >> '{path}'")
        new = os.path.join(os.path.dirname(path), ".new")
        return self.can("sh", "-c", f"echo new > '{new}'") and self.can("mv", "-f", new, path)

    def test_who_installs_may_not(self):
        os.chmod(self.scratch, 0o755)
        for name, (of_directory, of_file, *more) in self.PERMISSIONS.items():
            for replaced in ("in-place", "rename"):
                with self.subTest(name=name, replaced=replaced):
                    above = self.directory(f"above-{name}-{replaced}")
                    directory = os.path.join(above, "app")
                    os.mkdir(directory)
                    os.chmod(directory, 0o777)
                    path = self.file("First.dll", directory)
                    os.chmod(path, 0o666)
                    daemon = self.daemon(
                        Product("app", directory, replaced=replaced, install_as="daemon"),
                        home=f"home-{name}-{replaced}")
                    for _ in range(2):
                        self.assert_safe(daemon)
                    acls = more[0] if more and more[0] else (None, None)
                    self.spoil(directory, of_directory, acls[0])
                    self.spoil(path, of_file, acls[1])
                    os.chmod(above, more[1] if len(more) > 1 else 0o755)
                    answer = daemon.check()
                    # The kernel has the last word.
                    self.assertEqual(answer["exit"], SAFE if self.replaces(path, replaced)
                                     else BLOCKED, self.show(answer))
                    daemon.close()

    def test_who_installs_is_let(self):
        """The steps, followed one after the other, let him."""
        os.chmod(self.scratch, 0o755)
        for replaced, kinds in (
                ("rename", ["directory-no-permission", "directory-unreachable"]),
                ("in-place", ["no-permission", "directory-unreachable"])):
            with self.subTest(replaced=replaced):
                above = self.directory(f"barred-{replaced}")
                directory = self.directory(f"barred-{replaced}", "app")
                path = self.file("First.dll", directory)
                os.chmod(above, 0o700)
                daemon = self.daemon(
                    Product("app", directory, replaced=replaced, install_as="daemon"),
                    home=f"home-{replaced}")
                answer = daemon.check()
                row = self.file_of(answer, path)
                self.assertEqual(row["obstacles"], kinds, self.show(answer))
                for step in answer["next"]:
                    self.follow(step)
                self.assert_safe(daemon)
                self.assertTrue(self.replaces(path, replaced))
                # The daemon is root: to step aside it needs none of that.
                run("setfacl", "-b", above, directory, path)
                os.chmod(above, 0o700)
                self.hold("mapped", path)
                step, = self.rpc(daemon).call("sidestep.apply", paths=[path],
                                              dry_run=True)["sidesteps"]
                self.assertEqual((step["state"], step["obstacles"]), ("planned", []), step)

    # Doctor, and whoever asks

    def test_doctor_says_the_same(self):
        path, daemon = self.begin()
        self.assertEqual(daemon.json("doctor")[0], 0)
        for spoil, kind in ((lambda: self.chattr("+i", path), "immutable"),
                            (lambda: self.bind(self.file("x", self.scratch), path),
                             "mount-point"),
                            (lambda: run("chattr", "+a", os.path.dirname(path)),
                             "directory-append-only")):
            with self.subTest(kind=kind):
                spoil()
                answer = daemon.check()
                reason, = answer["reasons"]
                step, = (note for note in answer["next"] if note["kind"] == "clear-obstacle")
                self.assertEqual(reason["obstacle"], kind)
                code, report = daemon.json("doctor")
                self.assertEqual(code, 1, report)
                found, = (row for row in report["findings"] if not row["works"])
                self.assertEqual(
                    (found["subject"], found["detail"], found["command"]),
                    (reason.get("place", path), reason["text"], step["command"]))
                self.follow(step)
                self.assertEqual(daemon.json("doctor")[0], 0)

    def as_nobody(self, daemon, *args):
        for place in (self.scratch, daemon.home):
            os.chmod(place, 0o755)
        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=0", "--clear-groups", "--inh-caps=-all",
             SPGUARD, "--socket", daemon.socket, *args],
            capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode == 127:
            self.skipTest(done.stderr)
        return done

    def test_who_asks_may_not_write(self):
        path, daemon = self.begin()
        directory = os.path.dirname(path)
        os.chmod(directory, 0o755)
        done = self.as_nobody(daemon, "doctor")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(f"{directory}: you cannot write to it: Permission denied", done.stdout)
        mark = self.path("mark")
        done = self.as_nobody(daemon, "run", "--yes", "--", "touch", mark)
        self.assertEqual(done.returncode, BLOCKED, done.stderr)
        self.assertIn(f"you cannot write to {directory}: Permission denied", done.stderr)
        self.assertFalse(os.path.exists(mark))
        # As somebody else COMMAND may: no hold is begun for this user, but that is later.
        program = self.path("like-sudo")
        shutil.copy("/bin/true", program)
        os.chmod(program, 0o4755)
        done = self.as_nobody(daemon, "run", "--yes", "--", program)
        self.assertNotIn("you cannot write", done.stderr)

    # Waiting

    def test_who_waits_is_told_when_it_is_gone(self):
        path, daemon = self.begin()
        self.chattr("+i", path)
        self.assertEqual(daemon.json("check", "--wait=1ms")[0], BLOCKED)
        waiting = daemon.spawn_client("check", "--wait=60s", "-q")
        run("chattr", "-i", path)
        self.assertEqual(waiting.wait(60), SAFE)
        waiting.stdout.close()
        waiting.stderr.close()


if __name__ == "__main__":
    main()
