#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The PE reader against objdump, monodis and a version decoder of its own, on every
Windows program and library that this machine has: Wine's, mingw's and mono's. None of
them is damaged; emptied, cut or with a section of zeros, each of a sample is.

SPGUARD_BUILD names the build directory, ./build unless set.
"""
import concurrent.futures
import hashlib
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import tap  # noqa: E402

BUILD = os.path.abspath(os.environ.get("SPGUARD_BUILD", os.path.join(ROOT, "build")))
DUMP = os.path.join(BUILD, "tests", "component", "pe-dump")
PLACES = ["/usr/lib/x86_64-linux-gnu/wine", "/usr/lib/i386-linux-gnu/wine",
          "/usr/lib/wine", "/usr/x86_64-w64-mingw32", "/usr/i686-w64-mingw32",
          "/usr/lib/gcc/x86_64-w64-mingw32", "/usr/lib/gcc/i686-w64-mingw32"]
MONO = ["/usr/lib/mono"]
OBJDUMPS = ["x86_64-w64-mingw32-objdump", "i686-w64-mingw32-objdump", "objdump"]
MINGW, DLLTOOL = "x86_64-w64-mingw32-gcc", "x86_64-w64-mingw32-dlltool"
ENV = dict(os.environ, LC_ALL="C")
MACHINES = {"pei-i386": "x86", "pei-x86-64": "x64", "pei-aarch64-little": "arm64"}


def is_pe(path):
    try:
        with open(path, "rb") as f:
            head = f.read(4096)
    except OSError:
        return False
    if head[:2] != b"MZ" or len(head) < 64:
        return False
    at = struct.unpack_from("<I", head, 60)[0]
    return head[at:at + 4] == b"PE\0\0"


def find_files(places=None):
    found = []
    for place in places or PLACES:
        for directory, _, names in os.walk(place):
            paths = (os.path.join(directory, name) for name in sorted(names))
            found += [p for p in paths if os.path.isfile(p) and not os.path.islink(p)
                      and is_pe(p)]
    return found


class Facts:
    """What one reader says about one file."""

    def __init__(self):
        self.machine = None
        self.imports, self.exports = set(), set()
        self.versions, self.strings, self.complaints = None, {}, []
        self.assembly, self.references, self.signed = None, [], None


def ours(paths):
    done = subprocess.run([DUMP, *paths], capture_output=True, text=True, check=True)
    facts, one = {}, None
    for line in done.stdout.splitlines():
        what, *rest = line.split("\t")
        if what == "file":
            one = facts[rest[0]] = Facts()
        elif what == "image":
            one.machine = rest[0]
        elif what == "version":
            one.versions = tuple(rest)
        elif what == "string":
            one.strings[rest[0]] = rest[1]
        elif what in ("import", "delayed"):
            one.imports.add((what, *rest))
        elif what == "signed":
            one.signed = tuple(rest)
        elif what == "assembly":
            one.assembly = tuple(rest)
        elif what == "reference":
            one.references.append(tuple(rest))
        elif what == "export":
            one.exports.add((int(rest[0]), *rest[1:]))
        else:
            one.complaints.append(line)
    return facts


def imports_of(lines):
    """objdump's "The Import Tables": per module a header and lines of symbols."""
    module, n, found = None, 0, set()
    for line in lines + ["\tDLL Name: "]:
        if line.startswith("\tDLL Name: "):
            if module and n == 0:
                found.add(("import", module, "-"))
            module, n = line[len("\tDLL Name: "):], 0
            continue
        ordinal = re.match(r"\t([0-9a-f]+)\t *[0-9a-f]+  <none>", line)
        symbol = re.match(r"\t[0-9a-f]+\t *\d+ {1,2}(\S+)", line)
        if ordinal:
            found.add(("import", module, f"#{int(ordinal.group(1), 16) & 0xffff}"))
        elif symbol:
            found.add(("import", module, symbol.group(1)))
        n += bool(ordinal or symbol)
    return found


def exports_of(lines):
    """objdump prints the functions, then names with the functions' numbers."""
    base, functions, names, at = 0, {}, [], None
    for line in lines:
        if line.startswith("Ordinal Base"):
            base = int(line.split()[-1])
        at = next((t for t in ("Export Address Table", "[Ordinal/Name Pointer]")
                   if line.startswith(t)), at)
        entry = re.match(r"\s*\[ *(\d+)\](.*)", line)
        if not entry:
            continue
        number, rest = int(entry.group(1)), entry.group(2)
        if at == "Export Address Table":
            rva = re.search(r"([0-9a-f]{4,}) (Export|Forwarder) RVA(?: -- (.*))?$", rest)
            forwarder = "-"
            if rva.group(2) == "Forwarder":
                forwarder = rva.group(3)
            functions[number] = forwarder
        elif at:
            # Newer versions print the hint between: "[   0] +base[   1]  0000 Name".
            names.append((number, rest.split()[-1]))
    found = set()
    named = {number for number, _ in names}
    for number, name in names:
        if number in functions:
            found.add((base + number, name, functions[number]))
    for number, forwarder in functions.items():
        if number not in named:
            found.add((base + number, "-", forwarder))
    return found


def objdump(path):
    for program in OBJDUMPS:
        if not shutil.which(program):
            continue
        done = subprocess.run([program, "-p", path], capture_output=True, env=ENV)
        text = done.stdout.decode("latin-1")
        kind = re.search(r"file format (\S+)", text)
        if done.returncode == 0 and kind and kind.group(1) in MACHINES:
            break
    else:
        return None
    facts, lines = Facts(), text.splitlines()
    facts.machine = MACHINES[kind.group(1)]
    starts = [i for i, line in enumerate(lines) if line.startswith(
        ("The Import Tables", "The Export Tables", "The Function Table", "PE File Base",
         "The Data Directory", "The .rsrc", "The Function Table", "There is "))]
    for start, end in zip(starts, starts[1:] + [len(lines)]):
        if lines[start].startswith("The Import Tables"):
            facts.imports = imports_of(lines[start:end])
        elif lines[start].startswith("The Export Tables"):
            facts.exports = exports_of(lines[start:end])
    return facts


def version_of(path):
    """File and product version, from the bytes of the resource section alone."""
    with open(path, "rb") as f:
        data = f.read()
    at = struct.unpack_from("<I", data, 60)[0]
    n, optional = struct.unpack_from("<H", data, at + 6)[0], struct.unpack_from(
        "<H", data, at + 20)[0]
    for i in range(n):
        header = at + 24 + optional + 40 * i
        if data[header:header + 8].rstrip(b"\0") != b".rsrc":
            continue
        size, offset = struct.unpack_from("<II", data, header + 16)
        found = data.find(struct.pack("<I", 0xFEEF04BD), offset, offset + size)
        if found >= 0:
            f1, f2, p1, p2 = struct.unpack_from("<4I", data, found + 8)
            return tuple(".".join(str(part) for word in pair
                                  for part in (word >> 16, word & 0xFFFF))
                         for pair in ((f1, f2), (p1, p2)))
    return None


def distinct(paths):
    """One path of each content."""
    known = {}
    for path in paths:
        with open(path, "rb") as f:
            known.setdefault(hashlib.sha256(f.read()).digest(), path)
    return list(known.values())


def token_of(key, is_reference):
    if not key:
        return "-"
    if is_reference and len(key) == 8:
        return key.hex()
    return hashlib.sha1(key).digest()[:-9:-1].hex()


def monodis(path, what):
    """Names as "assembly" and "reference" have them."""
    done = subprocess.run(["monodis", "--" + what, path], capture_output=True, env=ENV)
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    starts = [i for i, line in enumerate(lines)
              if re.match(r"Name: |\d+: Version=", line)] + [len(lines)]
    found = []
    for start, end in zip(starts, starts[1:]):
        text = "\n".join(lines[start:end])
        field = {m.group(1): m.group(2).strip()
                 for m in re.finditer(r"(Name|Version|Culture)[:=](.*)", text)}
        dump = text.partition("Key")[2].partition("hash value")[0]
        key = b"".join(bytes.fromhex(m.group(1)) for m in re.finditer(
            r"^0x[0-9a-f]{8}: ((?:[0-9A-F]{2} )+)", dump, re.M))
        found.append((field["Name"], field["Version"], field.get("Culture") or "-",
                      token_of(key, what == "assemblyref")))
    return found


def readobj(path):
    """Imports and exports as llvm-readobj has them, without forwarders. It ends with an
    error at an export table without names, which some modules of Wine have."""
    done = subprocess.run(["llvm-readobj", "--coff-imports", "--coff-exports", path],
                          capture_output=True, env=ENV)
    imports, exports, module, n, ordinal, export = set(), set(), None, 0, None, None
    for line in done.stdout.decode("latin-1").splitlines() + ["Import {"]:
        line = line.strip()
        name, _, value = line.partition(": ")
        if line in ("Import {", "Export {", "DelayImport {"):
            if module and n == 0:
                imports.add(("import", module, "-"))
            module, n, ordinal = None, 0, None
            kind = line.split()[0]
        elif name == "Ordinal":
            ordinal = int(value)
        elif line.startswith("Name:") and kind == "Export":
            export = value or "-"
        elif name == "RVA" and kind == "Export" and int(value, 16):  # 0: an empty place
            exports.add((ordinal, export))
        elif name == "Name" and kind == "Import":
            module = value
        elif line.startswith("Symbol:") and kind == "Import":
            symbol, hint = re.fullmatch(r"Symbol: +(\S*) *\((\d+)\)", line).groups()
            imports.add(("import", module, symbol or f"#{hint}"))
            n += 1
    return imports, exports


SPC_IMAGE_DATA = bytes.fromhex("060a2b06010401823702010f")
SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


class Image:
    """The bytes of a file, and the places in it that the tests damage."""

    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = bytearray(f.read())
        self.at = self.u32(60)
        optional, = struct.unpack_from("<H", self.data, self.at + 20)
        is_plus = self.data[self.at + 25] == 2
        self.directories_at = self.at + 24 + (112 if is_plus else 96)
        self.x86 = self.data[self.at + 4:self.at + 6] == b"\x4c\x01"
        n, = struct.unpack_from("<H", self.data, self.at + 6)
        self.sections_at = self.at + 24 + optional
        self.sections = [struct.unpack_from("<8s4I12xI", self.data, self.sections_at + 40 * i)
                         for i in range(n)]
        self.end = max([s[3] + s[4] for s in self.sections if s[3] and s[4]] + [0])

    def u32(self, at):
        return struct.unpack_from("<I", self.data, at)[0]

    def directory(self, i):
        return struct.unpack_from("<II", self.data, self.directories_at + 8 * i)

    def has_content(self, section):
        """Can it not be meant to be all zeros? What the manual promises, anew."""
        _, size, rva, raw, at, flags = section
        entry = self.u32(self.at + 40)
        if not raw or not at or not any(self.data[at:at + min(raw, size or raw)]):
            return False
        if flags & 0x20000000 and not flags & 0x80000000:
            return True
        least = {0: 1, 1: 40, 2: 17, 5: 16, 9: 1, 10: 1, 14: 1}
        if not self.x86:
            least[3] = 1
        places = [where for i, n in least.items() for where, bytes_ in [self.directory(i)]
                  if where and bytes_ >= n] + [entry] * bool(entry)
        return any(rva <= where < rva + (size or raw) for where in places)

    def cuts(self):
        """Lengths at which the file is no whole one."""
        yield from (2, 63, self.at + 3, self.at + 30, self.sections_at + 20)
        yield from (at + 1 for _, _, _, raw, at, _ in self.sections if raw > 1)
        yield self.end - 1
        symbols, n = struct.unpack_from("<II", self.data, self.at + 12)
        if symbols and n and not self.data[self.at + 22] & 8:
            yield from (symbols, symbols + 1, symbols + 18 * n - 1, symbols + 18 * n + 3)
            yield symbols + 18 * n + self.u32(symbols + 18 * n) - 1

    def zeroed(self):
        for section in self.sections:
            if self.has_content(section):
                data = bytearray(self.data)
                data[section[4]:section[4] + section[3]] = bytes(section[3])
                yield section[0].rstrip(b"\0").decode("latin-1"), data

    def signed(self):
        """With a certificate table, of whose content only the frame is right."""
        data = self.data + bytes(-len(self.data) % 8)
        struct.pack_into("<II", data, self.directories_at + 32, len(data), 1024)
        digest = hashlib.sha256()
        parts = (0, self.at + 24 + 64, self.directories_at + 32, len(data))
        for start, end, left_out in zip(parts, parts[1:], (0, 4, 8)):
            digest.update(data[start + left_out:end])
        content = SPC_IMAGE_DATA + b"c" * 100 + SHA256_INFO + digest.digest()
        return data + struct.pack("<IHH", 1024, 0x200, 2) + b"\x30\x82\x03\xf4" + \
            content.ljust(1012, b"c")


class Damaged(unittest.TestCase):
    """A sample of files that are whole, each damaged in every way."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.n = 0

    def put(self, what, data):
        self.n += 1
        path = os.path.join(self.folder.name, f"{self.n}-{what}.dll")
        with open(path, "wb") as f:
            f.write(data)
        return path

    def damage(self, image):
        yield self.put("empty", b"")
        yield self.put("page", b"<!DOCTYPE html><html><title>404 Not Found</title>")
        yield self.put("text", b"version https://git-lfs.github.com/spec/v1\n")
        yield self.put("zeros", bytes(len(image.data)))
        for length in set(image.cuts()):
            yield self.put(f"cut-at-{length}-of-{len(image.data)}", image.data[:length])
        for name, data in image.zeroed():
            yield self.put(f"zeros-in-{name.replace('/', '-')}", data)
        signed = image.signed()
        for n in (1, 8, 1000, 1024):
            yield self.put(f"cut-certificate-{n}", signed[:-n])
        signed[-1016:] = bytes(1016)
        yield self.put("zeros-in-certificate", signed)

    def expect_changed(self, image):
        """A page of zeros where there was something, anywhere."""
        signed, places = image.signed(), range(0, len(image.data) - 4096, 4096)
        for at in random.Random(246337).sample(places, min(4, len(places))):
            data = bytearray(signed)
            data[at:at + 4096] = bytes(4096)
            if data == signed or at < 4096:
                continue
            path = self.put("page-of-zeros", data)
            self.assertEqual(ours([path])[path].signed, ("sha256", "changed"))
            os.unlink(path)

    def test_each_of_a_sample(self):
        paths = find_files()
        chosen = random.Random(246337).sample(paths, min(24, len(paths)))
        mono = find_files(MONO)
        chosen += random.Random(246337).sample(mono, min(12, len(mono)))
        if not chosen:
            self.skipTest("neither Wine, mingw nor mono is installed here")
        n = 0
        for path in chosen:
            image = Image(path)
            if len(image.data) > 4 << 20:
                continue
            whole = self.put("signed", image.signed())
            facts = ours([whole])[whole]
            self.assertEqual((facts.complaints, facts.signed), ([], ("sha256", "whole")), path)
            damaged = list(self.damage(image))
            for where, facts in ours(damaged).items():
                self.assertNotEqual(facts.complaints, [], (path, where))
                os.unlink(where)
            os.unlink(whole)
            n += len(damaged)
            self.expect_changed(image)
        print(f"# {n} damages to {len(chosen)} files", file=sys.stderr)


class Compared(unittest.TestCase):
    maxDiff = 4000

    def test_every_file_of_wine_and_mingw(self):
        if not any(shutil.which(program) for program in OBJDUMPS):
            self.skipTest("no objdump here")
        paths = find_files()
        if not paths:
            self.skipTest("neither Wine nor mingw is installed here")
        began = time.monotonic()
        mine = ours(paths)
        took = time.monotonic() - began
        n = {"imports": 0, "exports": 0, "versions": 0, "forwarders": 0}
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for path, theirs, version in zip(paths, pool.map(objdump, paths),
                                             pool.map(version_of, paths)):
                with self.subTest(path=path):
                    self.assertIsNotNone(theirs, "objdump cannot read it")
                    self.assertEqual(mine[path].complaints, [])
                    self.assertEqual(mine[path].machine, theirs.machine)
                    self.assertEqual(
                        {i for i in mine[path].imports if i[0] == "import"},
                        theirs.imports)
                    self.assertEqual(mine[path].exports, theirs.exports)
                    self.assertEqual(mine[path].versions, version)
                n["imports"] += len(theirs.imports)
                n["exports"] += len(theirs.exports)
                n["forwarders"] += sum(e[2] != "-" for e in theirs.exports)
                n["versions"] += version is not None
        print(f"# {len(paths)} files: " + ", ".join(f"{n[k]} {k}" for k in n) +
              f"; pe-dump took {took:.1f} s, all {time.monotonic() - began:.1f} s",
              file=sys.stderr)
        self.assertGreater(n["imports"], 0)

    def test_against_llvm(self):
        if not shutil.which("llvm-readobj"):
            self.skipTest("no llvm-readobj here (llvm)")
        paths = distinct(find_files())
        if not paths:
            self.skipTest("neither Wine nor mingw is installed here")
        mine = ours(paths)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for path, theirs in zip(paths, pool.map(readobj, paths)):
                with self.subTest(path=path):
                    self.assertEqual({i for i in mine[path].imports if i[0] == "import"},
                                     theirs[0])
                    if any(export[1] != "-" for export in mine[path].exports):
                        self.assertEqual({e[:2] for e in mine[path].exports}, theirs[1])

    def test_every_assembly_of_mono(self):
        if not shutil.which("monodis"):
            self.skipTest("no monodis here (mono-utils)")
        paths = distinct(find_files(MONO))
        if not paths:
            self.skipTest("mono is not installed here")
        mine, n = ours(paths), 0
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            own = pool.map(lambda path: monodis(path, "assembly"), paths)
            others = pool.map(lambda path: monodis(path, "assemblyref"), paths)
            for path, assembly, references in zip(paths, own, others):
                with self.subTest(path=path):
                    self.assertEqual(mine[path].complaints, [])
                    self.assertEqual(
                        [mine[path].assembly] if mine[path].assembly else [], assembly)
                    self.assertEqual([(name, version, token) for name, version, _, token
                                      in mine[path].references],
                                     [(name, version, token) for name, version, _, token
                                      in references])
                n += len(references)
        print(f"# {len(paths)} assemblies, {n} references", file=sys.stderr)
        self.assertGreater(n, 0)

    def test_built_by_mingw(self):
        """What Wine's files have little of: functions with an ordinal only."""
        if not shutil.which(MINGW) or not shutil.which(DLLTOOL):
            self.skipTest("mingw is not installed here")
        with tempfile.TemporaryDirectory() as folder:
            def put(name, text):
                with open(os.path.join(folder, name), "w", encoding="ascii") as f:
                    f.write(text)

            def run(*args):
                subprocess.run(args, cwd=folder, check=True, capture_output=True)
            put("a.c", "int one(void){return 1;} int two(void){return 2;}")
            put("a.def", "LIBRARY a.dll\nEXPORTS\none @7\ntwo @9 NONAME\n"
                "gone = OTHER.Else @11\n")
            put("main.c", "int one(void); int two(void);"
                "int main(void){return one()+two();}")
            run(MINGW, "-shared", "-o", "a.dll", "a.c", "a.def")
            run(DLLTOOL, "-d", "a.def", "-l", "liba.a")
            run(MINGW, "-o", "main.exe", "main.c", "liba.a")
            paths = [os.path.join(folder, name) for name in ("a.dll", "main.exe")]
            dll, exe = (ours(paths)[path] for path in paths)
        self.assertEqual(dll.exports, {(7, "one", "-"), (9, "-", "-"),
                                       (11, "gone", "OTHER.Else")})
        self.assertEqual({i for i in exe.imports if i[1] == "a.dll"},
                         {("import", "a.dll", "one"), ("import", "a.dll", "#9")})


if __name__ == "__main__":
    tap.main()
