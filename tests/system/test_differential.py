#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What verify misses of a set of real modules, each left out, emptied, cut and exchanged in
turn, against what LLVM reads of their tables. SPGUARD_SET names a folder of modules other
than Wine's; SPGUARD_TRIALS says how many are tried, all of them with 0."""
import os
import re
import shutil
import subprocess
import unittest

from support import Product, SystemTest, main

READOBJ = shutil.which("llvm-readobj") or shutil.which("llvm-readobj-14")
FOLDER = os.environ.get("SPGUARD_SET", "/usr/lib/x86_64-linux-gnu/wine/x86_64-windows")
TRIALS = int(os.environ.get("SPGUARD_TRIALS", "20"))
SET_MAX = 140  # modules
TABLE = re.compile(r"^(File: (?P<file>.*)|(?P<kind>Import|DelayImport|Export) \{"
                   r"|  Name: (?P<name>.*)|  Ordinal: (?P<ordinal>\d+)"
                   r"|  Symbol: (?P<symbol>\S*) \((?P<hint>\d+)\))$", re.MULTILINE)


class Tables:
    """What one module imports, and what it exports."""

    def __init__(self):
        self.imports = []  # (module, symbol or ordinal)
        self.names, self.ordinals = set(), set()


def read_tables(paths):
    """By path."""
    text = subprocess.run([READOBJ, "--coff-imports", "--coff-exports", *paths], check=True,
                          capture_output=True, text=True).stdout
    tables, kind, name = {}, None, None
    for match in TABLE.finditer(text):
        if match["file"]:
            now = tables[match["file"]] = Tables()
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


@unittest.skipUnless(READOBJ and os.path.isdir(FOLDER), "needs llvm-readobj and Wine's modules")
class DifferentialTest(SystemTest):
    def setUp(self):
        super().setUp()
        names = sorted((n for n in os.listdir(FOLDER) if n.endswith((".dll", ".exe"))),
                       key=lambda n: (os.path.getsize(os.path.join(FOLDER, n)), n))
        # The smaller ones, and what most of them need.
        chosen = set(names[::max(1, len(names) // SET_MAX)]) | {"kernel32.dll", "ntdll.dll",
                                                               "advapi32.dll", "ole32.dll"}
        self.names = sorted(chosen & set(names))
        for name in self.names:
            shutil.copyfile(os.path.join(FOLDER, name), self.path("bin", name))
        self.tables = {os.path.basename(path): tables for path, tables in
                       read_tables([self.path("bin", n) for n in self.names]).items()}
        self.app = self.daemon(Product("app", self.bin, files="*.dll *.exe"),
                               daemon_keys={"install-quiet": "1ms"})
        self.wire = self.rpc(self.app)
        self.assertEqual(self.verify(), set())

    def verify(self):
        """Kind, file and what it needs, of all findings, when no install runs."""
        self.wire.call("installs", wait=60, limit=1)
        answer, = self.wire.call("verify")["products"]
        self.assertEqual(answer["more_findings"], 0)
        self.texts_found = [finding["text"] for finding in answer["findings"]]
        # What the other module forwards to nowhere LLVM does not tell.
        return {(f["kind"], f["name"], f["needs"] or f["from"]) for f in answer["findings"]
                if "forwards" not in f["text"]}

    def put(self, name, content):
        path = self.path("new")
        with open(path, "wb") as f:
            f.write(content)
        os.rename(path, self.path("bin", name))

    def importers(self, name):
        return {n for n, tables in self.tables.items()
                if n != name and any(module == name for module, _ in tables.imports)}

    def chosen(self):
        """Those that the most others need first."""
        names = sorted(self.names, key=lambda n: (-len(self.importers(n)), n))
        return names if TRIALS == 0 else names[:TRIALS // 2] + names[-TRIALS // 2:]

    def test_each_in_turn(self):
        for i, name in enumerate(self.chosen()):
            with open(self.path("bin", name), "rb") as f:
                content = f.read()
            with self.subTest("left out", name=name):
                os.unlink(self.path("bin", name))
                self.assertEqual(self.verify(), {
                    ("missing-module", importer, name) for importer in self.importers(name)})
            for what, other in ("emptied", b""), ("cut", content[:len(content) // 2]), \
                    ("cut at its end", content[:-1]), ("a page", b"<!DOCTYPE html><html>no</html>"):
                with self.subTest(what, name=name):
                    self.put(name, other)
                    self.assertEqual({(kind, n) for kind, n, _ in self.verify()},
                                     {("damaged", name)}, self.texts_found)
            with self.subTest("exchanged", name=name):
                other = self.names[(7 * i + 3) % len(self.names)]
                with open(os.path.join(FOLDER, other), "rb") as f:
                    self.put(name, f.read())
                has = self.tables[other]
                self.assertEqual(self.verify(), {
                    ("missing-export", n, words(symbol)) for n in self.names
                    for module, symbol in self.tables[other if n == name else n].imports
                    if module == name and
                    symbol not in (has.names if isinstance(symbol, str) else has.ordinals)})
            self.put(name, content)
            self.assertEqual(self.verify(), set(), name)
        self.assertEqual(self.app.check()["verdict"], "safe")


if __name__ == "__main__":
    main()
