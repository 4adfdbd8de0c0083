#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Service packs that are archives: what the client reads is what was packed, and one
that is damaged, hostile or encrypted is an error and never a shorter list.

By hand: SPGUARD_BUILD=build python3 tests/component/test_archives.py
"""
import bz2
import gzip
import hashlib
import io
import lzma
import os
import random
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
import unittest
import zipfile

import fake_daemon as fake
from client_run import BUILD, CLIENT, ENV, HANG, ask, run
from pe_library import library  # (fake_daemon knows where it is)

DUMP = os.path.join(BUILD, "tests", "component", "archive-dump")
OLE = bytes.fromhex("d0cf11e0a1b11ae1")
VERSION = "5.5.2650.24"
NOISE = random.Random(1).randbytes(150000)
FILES = {
    "app/bin/mdb.dll": library(VERSION),
    "app/bin/Größe.txt": b"a name\n",
    "app/lib/big.so": NOISE,
    "app/lib/deep/er/zeros": bytes(70000),
    "app/empty": b"",
}


def file_lines(files):
    """What is printed of @files, sorted."""
    lines = []
    for path, data in files.items():
        version = VERSION if data == FILES["app/bin/mdb.dll"] else "-"
        if data is None:
            lines.append("\t".join(("file", path, "0", "-", "-")))
            continue
        lines.append("\t".join(("file", path, str(len(data)),
                                hashlib.sha256(data).hexdigest(), version)))
    return sorted(lines)


def from_root(files):
    """As a package has them."""
    return {"/" + path: data for path, data in files.items()}


def dump(path, *options):
    done = subprocess.run([DUMP, *options, path], env=ENV, capture_output=True, timeout=100)
    assert done.returncode == 0, (done.returncode, done.stderr)
    return sorted(done.stdout.decode().splitlines())


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="spguard-archives-")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def put(self, name, data=b""):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def tree(self, name="tree", files=None):
        for path, data in (files or FILES).items():
            self.put(os.path.join(name, path), data)
        return self.path(name)

    def tool(self, *args, cwd=None, env=None):
        if not shutil.which(args[0]):
            self.skipTest(args[0] + " is not installed")
        done = subprocess.run(args, cwd=cwd or self.folder, env=env, capture_output=True,
                              timeout=100)
        self.assertEqual(done.returncode, 0, (args, done.stdout, done.stderr))

    def reads(self, path, files=None, *options):
        wanted = file_lines(FILES if files is None else files)
        self.assertEqual(dump(path, *options), wanted)
        # Who wants no more than the paths gets all of them, of a package.
        self.assertEqual(dump(path, "--paths"), ["none"] if not path.endswith((".deb", ".rpm"))
                         else sorted(f"file\t{line.split(chr(9))[1]}\t0\t-\t-"
                                     for line in wanted))

    def refuses(self, path, *says, options=()):
        lines = dump(path, *options)
        self.assertEqual([line.split("\t")[0] for line in lines], ["error"], lines)
        paths = dump(path, "--paths")
        self.assertTrue(paths == ["none"] or paths[0].startswith("error") or options or
                        not path.endswith((".deb", ".rpm")), paths)
        for text in says:
            self.assertIn(text, lines[0])
        # Every message says what to do.
        self.assertIn("\\x0a", lines[0])


# ---- makers ----

def make_tar(members=None):
    """Bytes of a tar of @members: pairs of a TarInfo or a path, and bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for info, data in members or [("app/", b"")] + list(FILES.items()):
            if isinstance(info, str):
                name, info = info, tarfile.TarInfo(info)
                if name.endswith("/"):
                    info.type, info.mode = tarfile.DIRTYPE, 0o755
            if info.type == tarfile.REGTYPE:
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def link(path, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(path)
    info.type, info.linkname = kind, target
    return info, b""


def make_zip(files=None):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for path, data in (files or FILES).items():
            z.writestr(path, data)
    return out.getvalue()


def make_cpio(members):
    """newc; @members: (path, inode, number of links, bytes)."""
    out = b""
    for path, inode, links, data in [*members, ("TRAILER!!!", 0, 1, b"")]:
        name = os.fsencode(path) + b"\0"
        fields = (inode, 0o100644 if inode else 0, 0, 0, links, 0, len(data), 0, 0, 0, 0,
                  len(name), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
        out += head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)
    return out


def make_deb(data, name=b"data.tar", control=b""):
    def member(name, data):
        return (name.ljust(16) + b"0           0     0     100644  " +
                str(len(data)).encode().ljust(10) + b"`\n" + data + b"\n" * (len(data) % 2))
    return (b"!<arch>\n" + member(b"debian-binary", b"2.0\n") +
            member(b"control.tar", control or make_tar([("./control", b"x")])) +
            member(name, data))


class Formats(Case):
    def test_tar(self):
        data = make_tar()
        self.reads(self.put("a.tar", data))
        self.reads(self.put("named-otherwise.bin", data))
        self.reads(self.put("a.tgz", gzip.compress(data)))
        self.reads(self.put("a.tar.xz", lzma.compress(data)))
        self.reads(self.put("a.tar.bz2", bz2.compress(data)))

    def test_tar_zst(self):
        self.put("a.tar", make_tar())
        self.tool("zstd", "-q", "a.tar")
        self.reads(self.path("a.tar.zst"))

    def test_tar_formats(self):
        """As tar(1) writes them, with paths that begin with ./ and a hole."""
        self.tree()
        with open(self.path("tree/app/hole"), "wb") as f:
            f.truncate(3 << 20)
            f.seek(1 << 20)
            f.write(b"x")
        hole = bytes(1 << 20) + b"x" + bytes((2 << 20) - 1)
        for form in "gnu", "pax", "posix":
            self.tool("tar", "-cSf", "a.tar", "--format=" + form, "-C", "tree", ".")
            self.reads(self.path("a.tar"), {**FILES, "app/hole": hole})

    def test_zip(self):
        self.reads(self.put("a.zip", make_zip()))
        self.reads(self.put("setup.exe", b"MZ" + bytes(5000) + make_zip()))

    def test_7z(self):
        self.tree()
        for options in [], ["-ms=off"], ["-m0=deflate"]:
            self.tool("7z", "a", *options, "../a.7z", ".", cwd=self.path("tree"))
            self.reads(self.path("a.7z"))
            os.unlink(self.path("a.7z"))

    def test_cab(self):
        self.tree()
        for options in [], ["-z"]:
            self.tool("gcab", "-c", *options, "../a.cab", *FILES, cwd=self.path("tree"))
            self.reads(self.path("a.cab"))

    def test_iso(self):
        self.tree()
        for options in (["-R"], ["-J"], ["-R", "-J"]):
            self.tool("genisoimage", "-quiet", "-input-charset", "utf-8", *options, "-o",
                      "a.iso", "tree")
            self.reads(self.path("a.iso"))

    def test_deb(self):
        self.tree()
        self.put("tree/DEBIAN/control", b"Package: app\nVersion: 1\nArchitecture: all\n"
                 b"Maintainer: A <a@b.c>\nDescription: d\n")
        for packer in "xz", "gzip", "zstd", "none":
            self.tool("dpkg-deb", "--root-owner-group", "-Z" + packer, "-b", "tree", "a.deb")
            self.reads(self.path("a.deb"), from_root(FILES))

    def test_rpm(self):
        self.tree()
        os.link(self.path("tree/app/lib/big.so"), self.path("tree/app/lib/other.so"))
        os.symlink("big.so", self.path("tree/app/lib/link.so"))
        self.put("a.spec", b"Name: a\nVersion: 1\nRelease: 1\nSummary: s\nLicense: MIT\n"
                 b"BuildArch: noarch\n%global __os_install_post %{nil}\n%description\nd\n"
                 b"%install\ncp -al ../tree/. %{buildroot}\n%files\n/app\n")
        self.put("BUILD/x")
        for packer in "w9.gzdio", "w6.xzdio", "w3.zstdio", "w9.bzdio":
            self.tool("rpmbuild", "-bb", "--quiet", "-D", "_topdir " + self.folder, "-D",
                      "_binary_payload " + packer, "-D", "_build_id_links none", "-D",
                      "__arch_install_post %{nil}", "-D", "__brp_mangle_shebangs %{nil}",
                      "a.spec")
            self.reads(self.path("RPMS/noarch/a-1-1.noarch.rpm"), from_root(
                {**FILES, "app/lib/other.so": NOISE, "app/lib/link.so": NOISE}))

    def test_cpio(self):
        """The content comes with the last of the hard links."""
        data = make_cpio([("a.so", 7, 2, b""), ("c", 8, 1, b"c"), ("b.so", 7, 2, b"content")])
        for packed in data, gzip.compress(data):
            self.reads(self.put("a.cpio", packed),
                       {"a.so": b"content", "b.so": b"content", "c": b"c"})


class Entries(Case):
    def test_links(self):
        self.reads(self.put("a.tar", make_tar([
            ("lib/foo.so.1", b"content"),
            link("lib/foo.so", "foo.so.1"), link("lib/hard.so", "./lib/foo.so.1", tarfile.LNKTYPE),
            link("bin/foo.so", "../lib/foo.so"), link("current", "lib"),
            link("bin/by-folder.so", "../current/foo.so"), link("nothing.so", "gone.so"),
            link("out.so", "../../x"), link("root.so", "/lib/foo.so.1"),
            link("one", "two"), link("two", "one"), link("itself", "itself"),
            link("empty", ""), link("here", "."),
            link("lost.so", "gone.so", tarfile.LNKTYPE),
        ])), {"lib/foo.so.1": b"content", "lib/foo.so": b"content", "lib/hard.so": b"content",
              "bin/foo.so": b"content", "bin/by-folder.so": b"content", "nothing.so": None,
              "out.so": None, "root.so": None, "one": None, "two": None, "itself": None,
              "empty": None, "lost.so": None})

    def test_package_links_from_the_root(self):
        data = make_tar([("./usr/lib/foo.so.1", b"content"),
                         link("./usr/lib/foo.so", "/usr/lib/foo.so.1")])
        self.reads(self.put("a.deb", make_deb(data)),
                   {"/usr/lib/foo.so.1": b"content", "/usr/lib/foo.so": b"content"})

    def test_links_of_this_machine(self):
        """A package says where its files go, and links may lead elsewhere."""
        os.makedirs(self.path("real/lib"))
        os.symlink("real", self.path("link"))
        folder = self.folder.lstrip("/")
        self.reads(self.put("a.deb", make_deb(make_tar([
            ("./" + folder + "/link/lib/new/x.so", b"x"), ("./" + folder + "/real/y.so", b"y"),
            ("./z.so", b"z"), ("./no/such/folder/of/ours.so", b"o")]))),
            {self.folder + "/real/lib/new/x.so": b"x", self.folder + "/real/y.so": b"y",
             "/z.so": b"z", "/no/such/folder/of/ours.so": b"o"})

    def test_the_last_one_counts(self):
        self.reads(self.put("a.tar", make_tar([
            ("a", b"first"), ("b", b"b"), link("hard", "a", tarfile.LNKTYPE), ("./a", b"last"),
            link("c", "a")])), {"a": b"last", "b": b"b", "hard": b"first", "c": b"last"})

    def test_absolute_paths_and_what_is_no_file(self):
        fifo, device = tarfile.TarInfo("dev/fifo"), tarfile.TarInfo("dev/null")
        fifo.type, device.type = tarfile.FIFOTYPE, tarfile.CHRTYPE
        self.reads(self.put("a.tar", make_tar([
            ("/usr/lib/x.so", b"x"), ("./usr//lib/./y.so", b"y"), (fifo, b""), (device, b"")])),
            {"usr/lib/x.so": b"x", "usr/lib/y.so": b"y"})

    def test_inner_archives(self):
        """Packages and cabinets are opened, and are files as well; others are files."""
        deb = make_deb(make_tar([("./usr/lib/foo.so", b"content")]))
        inner = make_zip()
        self.reads(self.put("a.tar", make_tar([("DEBS/foo.deb", deb), ("docs.zip", inner)])),
                   {"DEBS/foo.deb": deb, "/usr/lib/foo.so": b"content", "docs.zip": inner})
        # Two packages may bring one path: both count.
        other = make_deb(make_tar([("./usr/lib/foo.so", b"other")]))
        lines = dump(self.put("b.tar", make_tar([("1.deb", deb), ("2.deb", other)])))
        self.assertEqual(lines, sorted(
            file_lines({"1.deb": deb, "/usr/lib/foo.so": b"content"}) +
            file_lines({"2.deb": other, "/usr/lib/foo.so": b"other"})))
        # What a package installs is a file, whatever it is.
        self.reads(self.put("c.deb", make_deb(make_tar([("./srv/foo.deb", deb)]))),
                   {"/srv/foo.deb": deb})

    def test_inner_cabinet(self):
        self.tree()
        self.tool("gcab", "-c", "../a.cab", *FILES, cwd=self.path("tree"))
        with open(self.path("a.cab"), "rb") as f:
            cab = f.read()
        self.reads(self.put("a.zip", make_zip({"i386/a.cab": cab, "x": b"x"})), {
            "i386/a.cab": cab, "x": b"x",
            **{"i386/a.cab/" + path: data for path, data in FILES.items()}})
        self.refuses(self.put("b.zip", make_zip({"i386/a.cab": cab[:-100]})), "i386/a.cab: ")
        self.put("two.cab/a.cab", cab)
        self.tool("gcab", "-c", "../b.cab", "a.cab", cwd=self.path("two.cab"))
        with open(self.path("b.cab"), "rb") as f:
            deeper = f.read()
        self.refuses(self.put("c.zip", make_zip({"b.cab": deeper})),
                     "c.zip: b.cab: a.cab: an archive in an archive in an archive")

    def test_large_module(self):
        """Beyond what is kept in memory."""
        data = library(VERSION) + bytes(65 << 20)
        line, = dump(self.put("a.tgz", gzip.compress(make_tar([("a.dll", data)]), 1)))
        self.assertEqual(line, "file\ta.dll\t%d\t%s\t%s" % (
            len(data), hashlib.sha256(data).hexdigest(), VERSION))


class Refused(Case):
    def test_what_is_no_archive(self):
        for data in (b"x.dll\n", b"", b"!<arch>\n", NOISE, b"07070 is a name\n",
                     b"\x7fELF" + bytes(5000)):
            self.assertEqual(dump(self.put("list", data)), ["none"])
        self.refuses(self.put("zeros", bytes(1000)), "there is no file in it")
        done = run("--socket", "/nowhere", "check", "--payload", self.put("list", b"x.dll\n"))
        self.assertEqual(done.code, 3)
        self.assertIn("list: Not a directory", done.err)
        self.assertIn("--files a list of names", " ".join(done.err.split()))

    def test_paths_that_escape(self):
        for name in "../x", "a/../../x", "/../x", "a/..", "a/../b":
            self.refuses(self.put("a.tar", make_tar([("good", b""), (name, b"x")])),
                         "a.tar: " + name + ": this path leads out")
            self.refuses(self.put("a.zip", make_zip({name: b"x"})), "leads out of the archive")
            self.refuses(self.put("a.deb", make_deb(make_tar([(name, b"x")]))), "leads out")
        self.refuses(self.put("a.tar", make_tar([("a", b""), link("b", "../a", tarfile.LNKTYPE)])),
                     "leads out of the archive")

    def test_names(self):
        self.reads(self.put("a.tar", make_tar([("new\nline\x1b[1m", b"x")])),
                   {"new\\x0aline\\x1b[1m": b"x"})
        self.refuses(self.put("a.tar", make_tar([("a/" + os.fsdecode(b"f\xff"), b"x")])),
                     "UTF-8", "f\\xff")
        self.refuses(self.put("a.tar", make_tar([("a/" * 2500 + "x", b"x")])), "4095 bytes")
        self.refuses(self.put("a.tar", make_tar([("x" * 5000, b"x")])), "4095 bytes")
        self.refuses(self.put("a.tar", make_tar([("./", b""), (".", b"x")])), "without name")
        self.refuses(self.put("a.cpio", make_cpio([("", 1, 1, b"x")])))
        self.refuses(self.put("a.tar", make_tar([("folder/", b"")])), "there is no file in it")

    def test_windows_installer(self):
        self.refuses(self.put("update.bin", OLE + bytes(600)), "Windows Installer",
                     "msiextract -C FOLDER")
        self.refuses(self.put("a.zip", make_zip({"x/Update.MSP": OLE + bytes(600)})),
                     "a.zip: x/Update.MSP: ", "msiextract")
        # A document is none.
        self.reads(self.put("b.zip", make_zip({"x.doc": OLE + bytes(600)})),
                   {"x.doc": OLE + bytes(600)})

    def test_program(self):
        self.refuses(self.put("setup.exe", library(VERSION)), "this program is no archive", "7z x")

    def test_encrypted(self):
        self.put("x", NOISE)
        for name, options in (("a.zip", []), ("a.7z", []), ("b.7z", ["-mhe=on"]),
                              ("b.zip", ["-mem=AES256"])):
            self.tool("7z", "a", "-psecret", *options, name, "x")
            self.refuses(self.path(name), "it is encrypted", "password")

    def test_packed_but_no_archive(self):
        self.refuses(self.put("x.gz", gzip.compress(b"x.dll\n")), "no archive that can be read")
        self.refuses(self.put("x.deb", make_deb(b"x.dll\n")), "no archive that can be read")
        self.refuses(self.put("y.deb", make_deb(b"", b"other")), "the package's files are missing")

    def test_limits(self):
        many = make_tar([("f%d" % i, b"") for i in range(1000)])
        self.assertEqual(len(dump(self.put("a.tar", many), "--entries", "1000")), 1000)
        self.refuses(self.path("a.tar"), "more entries", options=("--entries", "999"))
        size = sum(map(len, FILES.values()))
        for name, data in (("a.zip", make_zip()), ("b.tar", make_tar())):
            self.reads(self.put(name, data), FILES, "--bytes", str(size))
            self.refuses(self.put(name, data), "larger than", options=("--bytes", str(size - 1)))
        # What is unpacked and thrown away counts too.
        self.refuses(self.put("c.deb", make_deb(gzip.compress(bytes(1 << 22)))),
                     options=("--bytes", "100000"))
        with_device = tarfile.TarInfo("dev/null")
        with_device.type = tarfile.CHRTYPE
        self.refuses(self.put("d.tgz", gzip.compress(make_tar(
            [(with_device, b""), ("x", b"")]) + bytes(1 << 22))), options=("--bytes", "100000"))

    def test_bombs(self):
        """A terabyte is not read to its end."""
        info = tarfile.TarInfo("zeros")
        info.size = 1 << 40
        head = info.tobuf(tarfile.GNU_FORMAT)
        zeros = gzip.compress(bytes(64 << 20))
        self.refuses(self.put("a.tgz", gzip.compress(head) + zeros * 64), "larger than",
                     options=("--bytes", str(1 << 28)))

    def test_many_entries(self):
        """A million and one, in a file of a few kilobytes."""
        part = b"".join(tarfile.TarInfo("f").tobuf() for _ in range(1000))
        self.refuses(self.put("a.tgz", gzip.compress(part) * 1001), "more entries")

    def test_links_without_end(self):
        members = [link("l%d" % i, "l%d/x" % (i + 1)) for i in range(3000)]
        lines = dump(self.put("a.tar", make_tar(members)))
        self.assertEqual(len(lines), 3000)


    def test_what_follows_the_end(self):
        """tar(1) stops at the end of the first archive, and so would a shorter list."""
        data = make_tar()
        for pack in bytes, gzip.compress, lzma.compress:
            self.reads(self.put("filled", pack(data + bytes(1 << 20))))
            self.refuses(self.put("two", pack(data + data)), "something follows the end")
            self.refuses(self.put("more", pack(data + bytes(70000) + b"x")),
                         "something follows the end")
        self.refuses(self.put("zeros.gz", gzip.compress(bytes(64 << 20)) * 2),
                     "something follows the end")
        self.refuses(self.put("a.deb", make_deb(data + data)), "something follows the end")


class Damaged(Case):
    """Cut at each sixteenth, and some bytes short of the end."""

    def cut(self, path):
        whole = dump(path)
        self.assertTrue(all(line.startswith("file\t") for line in whole), whole)
        with open(path, "rb") as f:
            data = f.read()
        for length in [len(data) * i // 16 for i in range(1, 16)] + self.ends(data):
            lines = dump(self.put("cut", data[:length]))
            # What is missing at its end may be padding.
            if lines != whole:
                self.assertEqual(lines[0].split("\t")[0], "error", (path, length, len(data)))

    @staticmethod
    def ends(data):
        return [len(data) - n for n in (1, 4, 8, 22, 100, 511, 512, 1024, 2048, 10240)
                if n < len(data)]

    def test_tar(self):
        for name, pack in (("a.tar", bytes), ("a.tgz", gzip.compress),
                           ("a.tar.xz", lzma.compress), ("a.tar.bz2", bz2.compress)):
            self.cut(self.put(name, pack(make_tar())))
        # Where an entry ends.
        data = make_tar()
        for at in range(512, len(data) - 10240, 512):
            lines = dump(self.put("cut.tar", data[:at]))
            self.assertEqual(lines[0].split("\t")[0], "error", at)
        self.refuses(self.put("cut.tgz", gzip.compress(data)[:-1]))

    def test_zip(self):
        self.cut(self.put("a.zip", make_zip()))

    def test_deb(self):
        self.cut(self.put("a.deb", make_deb(make_tar())))
        self.cut(self.put("b.deb", make_deb(lzma.compress(make_tar()), b"data.tar.xz")))

    def test_cpio(self):
        self.cut(self.put("a.cpio", make_cpio(
            [(path, i + 1, 1, data) for i, (path, data) in enumerate(FILES.items())])))

    def test_with_tools(self):
        self.tree()
        for name, cwd, command in (
                ("a.7z", "tree", ["7z", "a", "../a.7z", "."]),
                ("a.cab", "tree", ["gcab", "-c", "../a.cab", *FILES]),
                ("a.iso", ".", ["genisoimage", "-quiet", "-R", "-o", "a.iso", "tree"]),
                ("a.tar.zst", ".", ["tar", "--zstd", "-cf", "a.tar.zst", "tree"])):
            with self.subTest(name):
                self.tool(*command, cwd=self.path(cwd))
                self.cut(self.path(name))

    def test_rpm(self):
        Formats.test_rpm(self)
        self.cut(self.path("RPMS/noarch/a-1-1.noarch.rpm"))

    def test_bits(self):
        """A flipped bit is never fewer files."""
        noise = random.Random(2)
        for name, data in (("a.tar", make_tar()), ("a.tar.xz", lzma.compress(make_tar())),
                           ("a.zip", make_zip())):
            whole = len(dump(self.put(name, data)))
            for _ in range(60):
                at = noise.randrange(len(data))
                flipped = bytearray(data)
                flipped[at] ^= 1 << noise.randrange(8)
                lines = dump(self.put(name, bytes(flipped)))
                if lines[0].split("\t")[0] == "file":
                    self.assertEqual(len(lines), whole, (name, at))


class Client(Case):
    def test_foretold(self):
        """The daemon reads what is unpacked for it, which is gone afterwards."""
        content = library(VERSION)
        path = self.put("sp4.zip", make_zip({"i386/mdb.dll": content, "same.dll": content,
                                             "i386/mdb.dll/x": b"no folder", "e": b""}))
        roots, seen = [], {}

        def foretell(params):
            roots.append(params["root"])
            for folder, _, names in os.walk(params["root"]):
                for name in names:
                    with open(os.path.join(folder, name), "rb") as f:
                        seen[os.path.relpath(f.name, params["root"])] = f.read()
            return {"product": params["product"], "at": "2026-01-02T03:04:05Z", "replaced": 1,
                    "added": 0, "unplaced": 0, "unseen": 0, "checked": 1, "findings": [],
                    "held": []}

        checked = {"verdict": "safe", "products": [fake.SAFE]}
        done = ask({"check": checked, "foretell": foretell}, "check", "--payload", path)
        self.assertEqual(done.code, 0, done.out + done.err)
        self.assertIn("After the service pack", done.out)
        root, = roots
        self.assertEqual({name: seen.get(name) for name in ("same.dll", "e")},
                         {"same.dll": content, "e": b""})
        self.assertEqual(seen.get("i386/mdb.dll", content), content)
        self.assertFalse(os.path.exists(os.path.dirname(root)))
        # Who may not ask unpacks nothing, and nothing is foretold to nobody.
        for hello, option in (dict(fake.HELLO, admin=False), "--json"), (fake.HELLO, "-q"):
            done = ask({"check": checked, "foretell": foretell, "hello": hello}, "check",
                       option, "--payload", path)
            self.assertEqual((done.code, len(roots)), (0, 1), done.err)

    def test_what_is_unpacked_goes_with_the_client(self):
        path = self.put("sp4.zip", make_zip({"a.dll": library(VERSION)}))
        roots, clients = [], []

        def foretell(params):
            roots.append(os.path.dirname(params["root"]))
            clients[0].kill()
            return None

        with fake.FakeDaemon({"check": {"verdict": "safe", "products": [fake.SAFE]},
                              "foretell": foretell}) as daemon:
            with subprocess.Popen([CLIENT, "--socket", daemon.path, "check", "--payload",
                                   path], env=ENV, stdout=subprocess.DEVNULL,
                                  stdin=subprocess.PIPE) as client:
                clients.append(client)
        self.assertEqual((client.returncode, len(roots)), (-signal.SIGKILL, 1))
        until = time.monotonic() + HANG
        while os.path.exists(roots[0]) and time.monotonic() < until:
            time.sleep(0.01)
        self.assertFalse(os.path.exists(roots[0]))

    def test_check(self):
        path = self.put("sp4.zip", make_zip({"i386/mdb.dll": library(VERSION), "x": b"x"}))
        done = ask({}, "check", "--payload", path)
        self.assertEqual(done.daemon.params("check")["payload"], [
            {"name": "mdb.dll", "path": "i386/mdb.dll", "version": VERSION,
             "size": len(library(VERSION)), "sha256": hashlib.sha256(library(VERSION)).hexdigest()},
            {"name": "x", "path": "x", "size": 1, "sha256": hashlib.sha256(b"x").hexdigest()}])

    def test_a_user_without_rights(self):
        os.chmod(self.folder, 0o755)
        os.chmod(self.put("sp4.zip", make_zip()), 0)
        done = run("--socket", "/nowhere", "check", "--payload", self.path("sp4.zip"),
                   user=65534 if os.geteuid() == 0 else None)
        self.assertEqual(done.code, 3)
        self.assertIn("sp4.zip: Permission denied", done.err)


if __name__ == "__main__":
    unittest.main()
