#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What verify misses of a set of real modules, each left out, emptied, cut and exchanged in
turn, against what LLVM reads of their tables. SPGUARD_SET names a folder of modules other
than Wine's; SPGUARD_TRIALS says how many of each set are tried, all of them with 0."""
import glob
import os
import re
import shutil
import subprocess
import unittest

from support import Product, SystemTest, main

READOBJ = shutil.which("llvm-readobj") or shutil.which("llvm-readobj-14")
FOLDER = os.environ.get("SPGUARD_SET", "/usr/lib/x86_64-linux-gnu/wine/x86_64-windows")
TRIALS = os.environ.get("SPGUARD_TRIALS")
SET_MAX = 140  # modules of Wine's
BYTES_MAX = 2 << 20  # of a module of mingw-w64's, unless all are tried
TABLE = re.compile(r"^(File: (?P<file>.*)|Arch: (?P<machine>.*)"
                   r"|(?P<kind>Import|DelayImport|Export) \{"
                   r"|  Name: (?P<name>.*)|  Ordinal: (?P<ordinal>\d+)"
                   r"|  Symbol: (?P<symbol>\S*) \((?P<hint>\d+)\))$", re.MULTILINE)


class Tables:
    """What one module imports, what it exports, and for which machine it is."""

    def __init__(self):
        self.machine = None
        self.imports = []  # (module, symbol or ordinal)
        self.names, self.ordinals = set(), set()

    def has(self, symbol):
        return symbol in (self.names if isinstance(symbol, str) else self.ordinals)


def read_tables(paths):
    """By path."""
    text = subprocess.run([READOBJ, "--coff-imports", "--coff-exports", *paths], check=True,
                          capture_output=True, text=True).stdout
    tables, kind, name = {}, None, None
    for match in TABLE.finditer(text):
        if match["file"]:
            now = tables[match["file"]] = Tables()
        elif match["machine"]:
            now.machine = match["machine"]
        elif match["kind"]:
            kind = match["kind"]
        elif kind == "Export":
            if match["ordinal"]:
                now.ordinals.add(int(match["ordinal"]))
            elif match["name"]:
                now.names.add(match["name"])
        elif match["name"]:
            name = match["name"].lower()
            name += "" if "." in name else ".dll"
        elif match["hint"]:
            now.imports.append((name, match["symbol"] or int(match["hint"])))
    return tables


def words(symbol):
    return symbol if isinstance(symbol, str) else f"ordinal {symbol}"


class Set:
    """Modules in folders, as they are after a change, and what they miss of each other: in
    their own folder, else in the first other one that has it for their machine."""

    def __init__(self, tables):
        self.tables = dict(tables)  # by (folder, name)
        self.folders = sorted({folder for folder, _ in tables})
        self.names = {name for _, name in tables}

    def loads(self, place, name):
        """The module that the one at @place means by @name, or None."""
        if (place[0], name) in self.tables:
            return self.tables[place[0], name]
        for folder in self.folders:
            other = self.tables.get((folder, name))
            if other and other.machine == self.tables[place].machine:
                return other
        return None

    def importers(self, name):
        return {place for place, tables in self.tables.items()
                if any(module == name for module, _ in tables.imports)}

    def findings(self):
        """(kind, place, what it needs)."""
        found = set()
        for place, tables in self.tables.items():
            for name, symbol in tables.imports:
                if name not in self.names:
                    continue  # of Windows
                module = self.loads(place, name)
                if not module:
                    found.add(("missing-module", place, name))
                elif module.machine != tables.machine:
                    found.add(("architecture", place, name))
                elif not module.has(symbol):
                    found.add(("missing-export", place, words(symbol)))
        return found


class Differential(SystemTest):
    n_trials = 20

    def sources(self):
        """The files of the whole set, by (folder, name)."""
        raise NotImplementedError

    def setUp(self):
        super().setUp()
        self.n_trials = int(TRIALS or self.n_trials)
        self.source = self.sources()
        for (folder, name), path in self.source.items():
            shutil.copyfile(path, os.path.join(self.directory("bin", folder), name))
        by_path = read_tables(list(self.source.values()))
        self.whole = Set({place: by_path[path] for place, path in self.source.items()})
        self.app = self.daemon(
            Product("app", *(self.path("bin", folder) for folder in self.whole.folders),
                    files="*.dll *.exe"), daemon_keys={"install-quiet": "1ms"})
        self.wire = self.rpc(self.app)
        self.assertEqual(self.whole.findings(), set())
        self.assertEqual(self.verify(), set(), self.texts_found)

    def verify(self):
        """Kind, file and what it needs, of all findings, when no install runs."""
        self.wire.call("installs", wait=60, limit=1)
        answer, = self.wire.call("verify")["products"]
        self.assertEqual(answer["more_findings"], 0)
        self.texts_found = [finding["text"] for finding in answer["findings"]]
        # What the other module forwards to nowhere LLVM does not tell.
        return {(f["kind"], os.path.split(os.path.relpath(f["path"], self.bin)),
                 f["needs"] or f["from"])
                for f in answer["findings"] if "forwards" not in f["text"]}

    def put(self, place, content):
        path = self.path("new")
        with open(path, "wb") as f:
            f.write(content)
        os.rename(path, self.path("bin", *place))

    def chosen(self):
        """Those that the most others need first."""
        places = sorted(self.source, key=lambda place: (
            -len(self.whole.importers(place[1])), place))
        half = self.n_trials // 2
        return places if self.n_trials == 0 else places[:half] + places[-half:]

    def left_out(self, place):
        os.unlink(self.path("bin", *place))
        without = Set(self.whole.tables)
        without.names = self.whole.names
        del without.tables[place]
        expected = without.findings()
        self.assertEqual({finding for finding in self.verify() if finding in expected or
                          not self.is_reference(finding, place[1])}, expected)

    def is_reference(self, finding, name):
        """Is it that an assembly refers to @name, which is gone? LLVM does not read that."""
        kind, place, needs = finding
        if kind != "missing-module" or needs != name:
            return False
        references = subprocess.run(["monodis", "--assemblyref", self.source[place]],
                                    check=True, capture_output=True, text=True).stdout
        return f"Name={os.path.splitext(name)[0]}\n" in references

    def exchanged(self, place, other):
        with open(self.source[other], "rb") as f:
            self.put(place, f.read())
        changed = Set({**self.whole.tables, place: self.whole.tables[other]})
        self.assertEqual(self.verify(), changed.findings())

    def each_in_turn(self):
        places = sorted(self.source)
        for i, place in enumerate(self.chosen()):
            with open(self.source[place], "rb") as f:
                content = f.read()
            with self.subTest("left out", place=place):
                self.left_out(place)
            for what, other in ("emptied", b""), ("cut", content[:len(content) // 2]), \
                    ("cut at its end", content[:-1]), ("a page", b"<!DOCTYPE html><html>no</html>"):
                with self.subTest(what, place=place):
                    self.put(place, other)
                    self.assertEqual({finding[:2] for finding in self.verify()},
                                     {("damaged", place)}, self.texts_found)
            with self.subTest("exchanged", place=place):
                self.exchanged(place, places[(7 * i + 3) % len(places)])
            self.put(place, content)
            self.assertEqual(self.verify(), set(), (place, self.texts_found))
        self.assertEqual(self.app.check()["verdict"], "safe")


@unittest.skipUnless(READOBJ and os.path.isdir(FOLDER), "needs llvm-readobj and Wine's modules")
class WineTest(Differential):
    def sources(self):
        names = sorted((n for n in os.listdir(FOLDER) if n.endswith((".dll", ".exe"))),
                       key=lambda n: (os.path.getsize(os.path.join(FOLDER, n)), n))
        # The smaller ones, and what most of them need.
        chosen = set(names[::max(1, len(names) // SET_MAX)]) | {"kernel32.dll", "ntdll.dll",
                                                               "advapi32.dll", "ole32.dll"}
        return {("all", n): os.path.join(FOLDER, n) for n in chosen & set(names)}

    def test_each_in_turn(self):
        self.each_in_turn()


MINGW = ["/usr/*-w64-mingw32/lib", "/usr/lib/gcc/*-w64-mingw32/*",
         "/usr/lib/gcc/*-w64-mingw32/*/adalib"]


@unittest.skipUnless(READOBJ and glob.glob(MINGW[0] + "/*.dll"),
                     "needs llvm-readobj and mingw-w64's libraries")
class MingwTest(Differential):
    """The libraries that mingw-w64 brings, for every machine and in every variant, in their
    own folders: some of them stand in two, and some need what another folder has."""
    n_trials = 6

    def sources(self):
        paths = [path for folder in MINGW for path in glob.glob(folder + "/*.dll")]
        if self.n_trials:
            # libgnarl needs the large libgnat.
            paths = [path for path in paths
                     if os.path.getsize(path) < BYTES_MAX and "/adalib/" not in path]
        return {(os.path.dirname(path).removeprefix("/usr/").replace("/", "-"),
                 os.path.basename(path)): path for path in paths}

    def test_each_in_turn(self):
        self.each_in_turn()


if __name__ == "__main__":
    main()
