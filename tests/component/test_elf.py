#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What programs and libraries of Linux lack, against who decides it: the loader.

elf-lacks prints what spguardd finds of each file. ldd -r, which is the loader itself,
says the same of the programs of this system and of sets that are made here; and what a
program is said to lack, it fails for when it is started.
"""

import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import tap  # noqa: E402

BUILD = os.environ["SPGUARD_BUILD"]
LACKS = os.path.join(BUILD, "tests", "component", "elf-lacks")
# Files of this system that are compared; the loader takes some milliseconds for each.
FILES_MAX = int(os.environ.get("SPGUARD_ELF_FILES", "1200"))
SEEDS = [int(s) for s in os.environ.get("SPGUARD_ELF_SEEDS", "1 2 3 4").split()]


def run(*words, **more):
    return subprocess.run(
        words, capture_output=True, text=True, errors="replace", timeout=300,
        check=False, **more)


def lacks(paths, *options):
    """Path by path the set of (kind, name) that elf-lacks prints; None: not ELF."""
    done = run(LACKS, *options, input="\n".join(paths) + "\n")
    if done.returncode != 0:
        raise AssertionError(f"elf-lacks: {done.returncode} {done.stderr[-2000:]}")
    found, current = {}, None
    for line in done.stdout.splitlines():
        kind, *fields = line.split("\t")
        if kind == "file":
            current = found.setdefault(fields[0], set())
        elif kind in ("library", "version", "symbol"):
            current.add((kind, fields[1]))
        elif kind in ("error", "unseen"):
            current.add((kind, ""))
    return found


# Each line of ldd -r is one of these, or one of those that say what was found.
LDD = (
    (re.compile(r"(\S+) => not found$"), "library"),
    (re.compile(r"undefined symbol: (\S+?)(?:, version (\S*))?\s+\(.*\)$"), "symbol"),
    (re.compile(r"symbol (\S+), version (\S+) not defined in file \S+ "
                r"with link time reference\s+\(.*\)$"), "symbol"),
    (re.compile(r"(Inconsistency) detected by ld\.so"), "ended"),
    (re.compile(r".*: version `(.*)' not found \(required by .*\)$"), "version"),
)
FOUND = re.compile(
    r"(\S+ => )?/.* \(0x[0-9a-f]+\)$|linux-(vdso|gate)\.so\.1 \(0x[0-9a-f]+\)$"
    r"|statically linked$|not a dynamic executable$|.*warning: you do not have execution"
    r"|.*: no version information available")


def ldd(path, env=None):
    """What it prints; with ("ended", "") the loader gave up before the end."""
    done = run("ldd", "-r", path, env=env)
    said = {("ended", "")} if done.returncode != 0 else set()
    for line in (done.stdout + done.stderr).splitlines():
        line = line.strip()
        for pattern, kind in LDD:
            match = pattern.match(line)
            if match:
                said.add((kind, "@".join(g for g in match.groups() if g)))
                break
        else:
            if line and not FOUND.match(line):
                said.add(("other", line))
    return said


def without_versions(said, missing_library):
    """Where the library of a version is not there at all, the loader forgets of some symbols
    which version they had."""
    if not missing_library:
        return said
    return {(k, n.split("@")[0] if k == "symbol" else n) for k, n in said}


def is_elf(path):
    try:
        with open(path, "rb") as file:
            head = file.read(20)
    except OSError:
        return False
    # Of the machine of this Python, a program or a library.
    with open(sys.executable, "rb") as file:
        own = file.read(20)
    return (head[:4] == b"\x7fELF" and head[4] == own[4] and head[18:20] == own[18:20]
            and head[16:18] in (b"\2\0", b"\3\0"))


def of_this_system():
    paths = set()
    for top in ("/usr/bin", "/usr/sbin", "/usr/lib"):
        for folder, _, names in os.walk(top):
            for name in names:
                path = os.path.join(folder, name)
                if not os.path.islink(path) and os.path.isfile(path) and is_elf(path):
                    paths.add(os.path.realpath(path))
    paths = sorted(paths)
    return paths[::max(1, -(-len(paths) // FILES_MAX))]


class TestThisSystem(unittest.TestCase):
    def test_ldd_says_the_same(self):
        paths = of_this_system()
        ours = lacks(paths)
        wrong = []
        for path in paths:
            theirs = ldd(path) - {("ended", "")}
            gone = any(kind == "library" for kind, _ in theirs)
            mine = ours.get(path, {("error", "absent")})
            if without_versions(theirs, gone) != without_versions(mine, gone):
                wrong.append((path, sorted(theirs - mine)[:4], sorted(mine - theirs)[:4]))
        self.assertEqual(wrong[:5], [], f"{len(wrong)} of {len(paths)} differ")
        self.assertGreater(len(paths), 100)


class Made(unittest.TestCase):
    """Programs and libraries that are made here."""

    def setUp(self):
        if not shutil.which("gcc"):
            self.skipTest("gcc is not installed")
        self.top = os.path.realpath(tempfile.mkdtemp(prefix="spg-elf-"))
        self.addCleanup(shutil.rmtree, self.top)

    def path(self, *parts):
        path = os.path.join(self.top, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def build(self, name, source, *options, versions=None):
        """A program, or with -shared a library, at @name."""
        code, script = self.path("code.c"), self.path("versions.map")
        with open(code, "w", encoding="ascii") as file:
            file.write(source)
        options = list(options)
        if versions is not None:
            with open(script, "w", encoding="ascii") as file:
                file.write(versions)
            options.append("-Wl,--version-script=" + script)
        target = self.path(name)
        if os.path.lexists(target):
            os.unlink(target)
        done = run("gcc", "-w", "-fPIC", "-o", target, code, "-L" + os.path.dirname(target),
                   "-Wl,--allow-shlib-undefined", *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return target

    def library(self, name, source, *options, **more):
        return self.build(name, source, "-shared", "-Wl,-soname," + os.path.basename(name),
                          *options, **more)

    def program(self, source, *options, name="app/bin/program"):
        return self.build(name, source, "-L" + os.path.join(self.top, "app", "lib"),
                          "-Wl,-rpath,$ORIGIN/../lib", *options)

    def agree(self, *paths, env=None):
        """elf-lacks and ldd -r say the same of each of @paths; it is returned."""
        ours = lacks(list(paths))
        for path in paths:
            theirs, mine = ldd(path, env), ours[path]
            gone = any(kind == "library" for kind, _ in theirs)
            ended = any(kind == "ended" for kind, _ in theirs)
            theirs = {lack for lack in theirs if lack[0] != "ended"}
            theirs, mine = without_versions(theirs, gone), without_versions(mine, gone)
            if ended:  # it did not come to all
                self.assertNotEqual(mine, set(), path)
                mine = mine & theirs
            elif gone:  # ldd puts an empty library in its place, for all who need it
                theirs = {lack for lack in theirs if lack[0] == "library" or lack in mine}
            self.assertEqual(mine, theirs, path)
        return ours[paths[0]]

    def fails(self, program, *words):
        """It does not start, and the loader says why with these @words."""
        done = run(program, env={"LD_BIND_NOW": "1"})
        self.assertNotEqual(done.returncode, 0)
        for word in words:
            self.assertIn(word, done.stderr)

    def runs(self, program):
        done = run(program, env={"LD_BIND_NOW": "1"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class TestOneLibrary(Made):
    """A program and its library, of which another version comes."""

    USES = "int foo_a(void), foo_b(void); int main(void) { return foo_a() + foo_b() - 3; }"
    BOTH = "int foo_a(void) { return 1; } int foo_b(void) { return 2; }"
    ONE = "int foo_a(void) { return 1; }"

    def both(self, **more):
        self.library("app/lib/libfoo.so.1", self.BOTH, **more)
        return self.program(self.USES, "-l:libfoo.so.1")

    def test_whole(self):
        program = self.both()
        self.assertEqual(self.agree(program), set())
        self.runs(program)

    def test_a_symbol_is_dropped(self):
        program = self.both()
        self.library("app/lib/libfoo.so.1", self.ONE)
        self.assertEqual(self.agree(program), {("symbol", "foo_b")})
        self.fails(program, "undefined symbol: foo_b")

    def test_a_version_is_dropped(self):
        program = self.both(versions="FOO_1 { global: foo_*; local: *; };")
        self.library("app/lib/libfoo.so.1", self.BOTH,
                     versions="FOO_2 { global: foo_*; local: *; };")
        found = self.agree(program)
        self.assertIn(("version", "FOO_1"), found)
        self.fails(program, "FOO_1", "not found")

    def test_a_symbol_leaves_its_version(self):
        program = self.both(versions="FOO_1 { global: foo_*; local: *; };")
        self.library("app/lib/libfoo.so.1", self.BOTH,
                     versions="FOO_1 { global: foo_a; local: *; }; "
                              "FOO_2 { global: foo_b; } FOO_1;")
        self.assertEqual(self.agree(program), {("symbol", "foo_b@FOO_1")})
        self.fails(program, "foo_b")

    def test_a_library_loses_all_versions(self):
        """The loader takes that for a fault of its own, and ends the program."""
        program = self.both(versions="FOO_1 { global: foo_*; local: *; };")
        self.library("app/lib/libfoo.so.1", self.BOTH)
        self.assertEqual(self.agree(program), {
            ("symbol", "foo_a@FOO_1"), ("symbol", "foo_b@FOO_1")})
        self.fails(program)

    def test_versions_by_another_library(self):
        """One without versions gives every one, when it comes first."""
        program = self.both(versions="FOO_1 { global: foo_*; local: *; };")
        self.library("app/lib/libbar.so.1", self.BOTH)
        program = self.program(self.USES, "-Wl,--no-as-needed", "-l:libfoo.so.1",
                               "-l:libbar.so.1")
        self.library("app/lib/libfoo.so.1", self.ONE,
                     versions="FOO_1 { global: foo_*; local: *; };")
        self.assertEqual(self.agree(program), set())
        self.runs(program)

    def test_a_library_gets_versions(self):
        """Who was linked before needs none, and takes the first, or the only one."""
        program = self.both()
        self.library("app/lib/libfoo.so.1", self.BOTH,
                     versions="FOO_1 { global: foo_a; local: *; }; "
                              "FOO_2 { global: foo_b; } FOO_1;")
        self.assertEqual(self.agree(program), set())
        self.runs(program)

    def test_another_soname(self):
        program = self.both()
        os.unlink(self.path("app/lib/libfoo.so.1"))
        self.library("app/lib/libfoo.so.2", self.BOTH)
        self.assertIn(("library", "libfoo.so.1"), self.agree(program))
        self.fails(program, "libfoo.so.1: cannot open shared object file")

    def test_another_machine(self):
        program = self.both()
        done = run("gcc", "-m32", "-nostdlib", "-shared", "-Wl,-soname,libfoo.so.1", "-o",
                   self.path("app/lib/libfoo.so.1"), "-x", "c", "/dev/null")
        if done.returncode != 0:
            self.skipTest("this compiler makes no 32-bit library")
        self.assertIn(("library", "libfoo.so.1"), lacks([program])[program])
        self.fails(program, "libfoo.so.1", "wrong ELF class")

    def test_cut_off(self):
        program = self.both()
        path = self.path("app/lib/libfoo.so.1")
        with open(path, "rb") as file:
            whole = file.read()
        for n in range(0, len(whole), max(1, len(whole) // 64)):
            with open(path, "wb") as file:
                file.write(whole[:n])
            found = lacks([program, path])
            self.assertTrue(
                ("library", "libfoo.so.1") in found[program]
                or ("error", "") in found.get(path, {("error", "")})
                or run(program, env={"LD_BIND_NOW": "1"}).returncode == 0, n)

    def test_weak(self):
        self.library("app/lib/libfoo.so.1", self.BOTH)
        program = self.program(
            "int foo_a(void); int foo_b(void) __attribute__((weak)); "
            "int main(void) { return foo_a() + (foo_b ? foo_b() : 2) - 3; }",
            "-l:libfoo.so.1")
        self.library("app/lib/libfoo.so.1", self.ONE)
        self.assertEqual(self.agree(program), set())
        self.runs(program)

    def test_copied_data(self):
        """A variable that the program has copied is defined in it, and must be elsewhere."""
        self.library("app/lib/libfoo.so.1", "int foo_data[4] = {1, 2, 3, 4};")
        program = self.build(
            "app/bin/program", "extern int foo_data[4]; int main(void) "
            "{ return foo_data[3] - 4; }", "-fno-pic", "-no-pie",
            "-L" + self.path("app/lib"), "-l:libfoo.so.1", "-Wl,-rpath,$ORIGIN/../lib")
        self.assertEqual(self.agree(program), set())
        self.library("app/lib/libfoo.so.1", self.ONE)
        self.assertEqual(self.agree(program), {("symbol", "foo_data")})
        self.fails(program, "foo_data")

    def test_kinds_of_symbols(self):
        self.library(
            "app/lib/libfoo.so.1",
            "__thread int foo_tls = 1; static int one(void) { return 1; } "
            "static void *choose(void) { return one; } "
            "int foo_ifunc(void) __attribute__((ifunc(\"choose\"))); "
            "__attribute__((visibility(\"protected\"))) int foo_prot(void) { return 1; }")
        program = self.program(
            "extern __thread int foo_tls; int foo_ifunc(void), foo_prot(void); "
            "int main(void) { return foo_tls + foo_ifunc() + foo_prot() - 3; }",
            "-l:libfoo.so.1")
        self.assertEqual(self.agree(program), set())
        self.runs(program)
        self.library(
            "app/lib/libfoo.so.1",
            "__attribute__((visibility(\"hidden\"))) __thread int foo_tls = 1; "
            "__attribute__((visibility(\"hidden\"))) int foo_prot(void) { return 1; } "
            "static int foo_ifunc(void) { return foo_tls; } void *x(void) "
            "{ return foo_ifunc; }")
        self.assertEqual(self.agree(program), {
            ("symbol", "foo_tls"), ("symbol", "foo_ifunc"), ("symbol", "foo_prot")})

    def test_default_and_hidden_versions(self):
        source = ("int old(void) { return 1; } int new(void) { return 2; } "
                  "__asm__(\".symver old,foo_a@FOO_1\"); "
                  "__asm__(\".symver new,foo_a@@FOO_2\"); int foo_b(void) { return 1; }")
        versions = "FOO_1 { global: foo_a; local: *; }; FOO_2 { global: foo_b; } FOO_1;"
        program = self.both(versions="FOO_1 { global: foo_a; foo_b; local: *; };")
        self.library("app/lib/libfoo.so.1", source, versions=versions)
        self.assertEqual(self.agree(program), {("symbol", "foo_b@FOO_1")})
        program = self.program(self.USES, "-l:libfoo.so.1")
        self.assertEqual(self.agree(program), set())
        self.library("app/lib/libfoo.so.1", source.replace("foo_a@@FOO_2", "foo_c@@FOO_2"),
                     versions=versions + " FOO_3 { global: foo_c; };")
        self.agree(program)


class TestWhereItLooks(Made):
    """RPATH and RUNPATH, their tokens, LD_LIBRARY_PATH, folders for newer processors."""

    def chain(self, kind, *options):
        """program -> libone (a/) -> libtwo (b/), each found by the program's list alone."""
        self.library("app/b/libtwo.so", "int two(void) { return 2; }")
        self.library("app/a/libone.so", "int two(void); int one(void) { return two(); }",
                     "-L" + self.path("app/b"), "-ltwo")
        return self.build("app/bin/program", "int one(void); int main(void) "
                          "{ return one() - 2; }", "-L" + self.path("app/a"), "-lone",
                          "-Wl,-rpath-link," + self.path("app/b"), kind,
                          "-Wl,-rpath,$ORIGIN/../a:${ORIGIN}/../b", *options)

    def test_rpath_is_inherited(self):
        program = self.chain("-Wl,--disable-new-dtags")
        self.assertEqual(self.agree(program), set())
        self.runs(program)

    def test_runpath_is_not(self):
        program = self.chain("-Wl,--enable-new-dtags")
        self.assertIn(("library", "libtwo.so"), self.agree(program))
        self.fails(program, "libtwo.so")

    def test_origin_behind_a_link(self):
        """That of a library is where it was found; that of a program, where it lies."""
        self.library("app/store/libtwo.so", "int two(void) { return 2; }")
        self.library("app/store/libone.so", "int two(void); int one(void) { return two(); }",
                     "-L" + self.path("app/store"), "-ltwo", "-Wl,-rpath,$ORIGIN")
        os.symlink("../store/libone.so", self.path("app/lib/libone.so"))
        program = self.program("int one(void); int main(void) { return one() - 2; }", "-lone",
                               "-Wl,-rpath-link," + self.path("app/store"))
        self.assertIn(("library", "libtwo.so"), self.agree(program))
        self.fails(program, "libtwo.so")
        os.rename(self.path("app/store/libtwo.so"), self.path("app/lib/libtwo.so"))
        self.assertEqual(self.agree(program), set())
        self.runs(program)
        os.makedirs(self.path("app/links"))
        link = self.path("app/links/program")
        os.symlink("../bin/program", link)
        self.assertEqual(lacks([link])[link], set())
        self.runs(link)

    def test_library_path(self):
        program = self.chain("-Wl,--enable-new-dtags")
        folder = self.path("app/b")
        self.assertEqual(lacks([program], "-L", folder)[program], set())
        self.assertEqual(ldd(program, {"LD_LIBRARY_PATH": folder, "PATH": os.environ["PATH"]}),
                         set())

    def test_nothing_by_default(self):
        self.library("app/lib/libfoo.so", "int foo(void) { return 0; }", "-lm", "-Wl,--no-as-needed")
        program = self.build("app/bin/program", "double sin(double); int main(int c, char **v) "
                             "{ return sin(c) > 2; }", "-Wl,--no-as-needed", "-lm",
                             "-Wl,-z,nodefaultlib")
        self.agree(program)

    def test_folders_for_processors(self):
        """The better one is taken, and it is the one that lacks a symbol."""
        self.library("app/lib/libfoo.so", "int foo(void) { return 0; }")
        program = self.program("int foo(void); int main(void) { return foo(); }", "-lfoo")
        self.library("app/lib/glibc-hwcaps/x86-64-v2/libfoo.so", "int bar(void) { return 0; }")
        self.agree(program)

    def test_a_name_with_a_slash(self):
        library = self.build("app/lib/libbare.so", "int bare(void) { return 0; }", "-shared")
        program = self.build("app/bin/program", "int bare(void); int main(void) "
                             "{ return bare(); }", library)
        self.assertEqual(self.agree(program), set())
        os.unlink(library)
        self.assertIn(("library", library), self.agree(program))

    def test_filters(self):
        """A library that is named as a filter is needed; an auxiliary one may be absent."""
        for kind in "--filter", "--auxiliary":
            self.library("app/lib/libreal.so", "int bar(void) { return 0; }")
            self.library("app/lib/libfoo.so", "int bar(void); int foo(void) { return bar(); }",
                         f"-Wl,{kind}=libreal.so", "-Wl,-rpath,$ORIGIN")
            program = self.program("int foo(void); int main(void) { return foo(); }", "-lfoo")
            self.assertEqual(self.agree(program), set())
            self.runs(program)
            os.unlink(self.path("app/lib/libreal.so"))
            if kind == "--filter":
                self.assertIn(("library", "libreal.so"), lacks([program])[program])
                self.fails(program, "libreal.so: cannot open shared object file")
            else:
                # ldd misses the library, too; the loader does not.
                self.assertEqual(lacks([program])[program], {("symbol", "bar")})
                self.fails(program, "undefined symbol: bar")

    def test_another_one_of_the_name_first(self):
        """What is no library ends the search, one for another machine does not."""
        self.library("app/b/libfoo.so", "int foo(void) { return 0; }")
        program = self.build("app/bin/program", "int foo(void); int main(void) "
                             "{ return foo(); }", "-L" + self.path("app/b"), "-lfoo",
                             "-Wl,-rpath,$ORIGIN/../a:$ORIGIN/../b")
        self.assertEqual(self.agree(program), set())
        with open(self.path("app/a/libfoo.so"), "w", encoding="ascii") as file:
            file.write("INPUT(libfoo.so.1) and so much more than an ELF header has bytes, of "
                       "which there are sixty-four\n" * 4)
        self.assertIn(("library", "libfoo.so"), lacks([program])[program])
        self.fails(program, "invalid ELF header")


class TestRandomSets(Made):
    """Libraries that need each other at random, some of another version than the others."""

    def one(self, random_, n):
        """The sources of @n libraries; each needs some of the later ones."""
        libraries = []
        for i in range(n):
            exports = [f"f{i}_{k}" for k in range(random_.randint(1, 5))]
            libraries.append({
                "name": f"lib{i}.so", "exports": exports,
                "versioned": random_.random() < 0.5,
                "folder": random_.choice(("a", "b")), "needs": [], "uses": []})
        for i, library in enumerate(libraries):
            for k in range(i + 1, n):
                if random_.random() < 0.4:
                    library["needs"].append(k)
                    library["uses"] += random_.sample(
                        libraries[k]["exports"],
                        random_.randint(1, len(libraries[k]["exports"])))
        return libraries

    def make(self, random_, library, libraries, exports):
        weak = {name for name in library["uses"] if random_.random() < 0.15}
        code = "".join(f"int {name}(void){' __attribute__((weak))' if name in weak else ''};"
                       for name in library["uses"])
        body = "+".join(f"(int) (long) {name}" for name in library["uses"]) or "0"
        code += "".join(f"int {name}(void) {{ return {body}; }}" for name in exports)
        versions = None
        if library["versioned"]:
            half = len(exports) // 2
            versions = "".join(
                f"V{number} {{ global: {' '.join(n + ';' for n in names)} "
                f"{'local: *;' if number == 1 else ''} }};"
                for number, names in ((1, exports[:half] or ["none"]), (2, exports[half:]))
                if names)
        self.library(
            f"app/{library['folder']}/{library['name']}", code,
            *("-L" + self.path("app", f, "x")[:-2] for f in ("a", "b")),
            *("-l:" + libraries[k]["name"] for k in library["needs"]),
            "-Wl,--unresolved-symbols=ignore-all",
            random_.choice(("-Wl,--enable-new-dtags", "-Wl,--disable-new-dtags")),
            *random_.choice(((), ("-Wl,-rpath,$ORIGIN/../a:$ORIGIN/../b",))),
            *random_.choice(((), ("-Wl,-z,now",), ("-fno-plt",))), versions=versions)

    def test_random(self):
        n_lacks = 0
        top = self.top
        for seed in SEEDS:
            self.top = os.path.join(top, str(seed))
            random_ = random.Random(seed)
            libraries = self.one(random_, 7)
            for library in reversed(libraries):
                self.make(random_, library, libraries, library["exports"])
            for library in libraries:  # another version of some
                if random_.random() < 0.4:
                    exports = [e for e in library["exports"] if random_.random() < 0.7]
                    library["versioned"] ^= random_.random() < 0.3
                    self.make(random_, library, libraries, exports)
            if random_.random() < 0.5:
                gone = random_.choice(libraries)
                os.unlink(self.path("app", gone["folder"], gone["name"]))
                libraries.remove(gone)
            paths = [self.path("app", l["folder"], l["name"]) for l in libraries]
            with self.subTest(seed=seed):
                self.agree(*paths)
            n_lacks += sum(len(l) for l in lacks(paths).values())
        self.assertGreater(n_lacks, 0, "nothing was ever lacking")


if __name__ == "__main__":
    tap.main()
