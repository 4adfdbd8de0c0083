#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Products as compilers make them. For Windows, by mingw-w64: a program in C++ with its
library and the compiler's own, and one that loads a library when it first calls it, in two
versions and for two machines. (GNU ld makes no directory of delayed imports; LLVM's linker
does.)"""
import os
import shutil
import subprocess
import unittest

from support import FAIL_AFTER, Product, SystemTest, main

ENGINE_H = """
#include <string>
struct __declspec(IMPEXP) Engine {
    std::string open(const std::string &name);
#ifdef V2
    std::string reopen(const std::string &name);
#endif
};
"""
ENGINE = """
#define IMPEXP dllexport
#include <stdexcept>
#include "engine.h"
std::string Engine::open(const std::string &name)
{
    if (name.empty())
        throw std::runtime_error("no name");
    return name + "!";
}
#ifdef V2
std::string Engine::reopen(const std::string &name) { return open(name) + "!"; }
#endif
"""
REPORT = """
__declspec(dllexport) int Report(int n) { return n + 1; }
#ifdef V2
__declspec(dllexport) int ReportEx(int n) { return n + 2; }
#endif
"""
REPORT_DEF = {1: "LIBRARY report.dll\nEXPORTS\nReport\n",
              2: "LIBRARY report.dll\nEXPORTS\nReport\nReportEx\n"}
SERVER = """
#define IMPEXP dllimport
#include "engine.h"
int main(int argc, char **argv)
{
    (void)argc;
    Engine engine;
#ifdef V2
    return (int)engine.reopen(argv[0]).size();
#else
    return (int)engine.open(argv[0]).size();
#endif
}
"""
VIEWER = """
void *__delayLoadHelper2(void *descriptor, void **entry) { return descriptor ? *entry : 0; }
int Report(int n);
int ReportEx(int n);
#ifdef V2
int start(void) { return Report(1) + ReportEx(1); }
#else
int start(void) { return Report(1); }
#endif
"""
REOPEN = "_ZN6Engine6reopenE"  # as the Itanium ABI writes it; its argument follows


class Compiler:
    """mingw-w64's for one machine; makes a set in @folder/MACHINE-VERSION."""

    def __init__(self, machine, folder):
        self.machine, self.folder = machine, folder
        self.libraries = self.runtime()

        self.delays = bool(shutil.which("ld.lld") and shutil.which("llvm-dlltool"))

    def tool(self, name):
        return f"{self.machine}-w64-mingw32-{name}"

    def is_here(self):
        return all(shutil.which(self.tool(name)) for name in ("gcc", "g++", "strip"))

    def command(self, *args):
        return subprocess.run(args, cwd=self.folder, check=True, capture_output=True,
                              text=True, timeout=FAIL_AFTER).stdout

    def run(self, tool, *args):
        return self.command(self.tool(tool), *args)

    def make_viewer(self, out, define):
        dlltool, linker, start = {"x86_64": ("i386:x86-64", "i386pep", "start"),
                                  "i686": ("i386", "i386pe", "_start")}[self.machine]
        self.run("gcc", *define, "-c", "-o", "viewer.o", "viewer.c")
        self.command("llvm-dlltool", "-m", dlltool, "-d", "report.def", "-l", "libreport.a")
        # Behind symbols it leaves zeros that nothing promises, and that may be cut off.
        self.command("ld.lld", "-s", "-m", linker, "-e", start, "-o", f"{out}/viewer.exe",
                     "viewer.o", "libreport.a", "-Xlink=-delayload:report.dll")

    def runtime(self):
        """What programs need that g++ makes, by name: paths."""
        if not self.is_here():
            return {}
        unwind = "dw2" if self.machine == "i686" else "seh"
        names = ["libstdc++-6.dll", f"libgcc_s_{unwind}-1.dll", "libwinpthread-1.dll"]
        paths = {name: self.run("g++", f"-print-file-name={name}").strip() for name in names}
        # One that is not there is answered as its bare name.
        return {name: path for name, path in paths.items() if os.path.isabs(path)}

    def make(self, version):
        out = f"{self.machine}-{version}"
        os.mkdir(os.path.join(self.folder, out))
        define = ["-DV2"] if version == 2 else []
        with open(os.path.join(self.folder, "report.def"), "w", encoding="ascii") as f:
            f.write(REPORT_DEF[version])
        self.run("g++", *define, "-shared", "-o", f"{out}/engine.dll", "engine.cc",
                 "-Wl,--out-implib,libengine.a")
        self.run("gcc", *define, "-shared", "-o", f"{out}/report.dll", "report.c")
        self.run("g++", *define, "-o", f"{out}/server.exe", "server.cc", "libengine.a")
        if self.delays:
            self.make_viewer(out, define)
        for name, path in self.libraries.items():
            self.run("strip", "-o", f"{out}/{name}", path)
        return os.path.join(self.folder, out)


class Windows:
    """The tests for one machine."""
    machine = other = None

    def setUp(self):
        super().setUp()
        folder = self.directory("made")
        for name, text in {"engine.h": ENGINE_H, "engine.cc": ENGINE, "report.c": REPORT,
                           "server.cc": SERVER, "viewer.c": VIEWER}.items():
            with open(os.path.join(folder, name), "w", encoding="ascii") as f:
                f.write(text)
        self.compiler, self.others = (Compiler(m, folder) for m in (self.machine, self.other))
        if not self.compiler.is_here():
            self.skipTest(f"no {self.compiler.tool('g++')} here")
        self.old, self.new = self.compiler.make(1), self.compiler.make(2)
        self.install(self.old, *os.listdir(self.old))
        self.app = self.daemon(Product("app", self.bin), daemon_keys={"install-quiet": "1ms"})
        self.expect()

    def install(self, folder, *names):
        for name in names:
            shutil.copy(os.path.join(folder, name), self.path("new"))
            os.rename(self.path("new"), os.path.join(self.bin, name))

    def expect(self, *findings):
        """(kind, file, what it needs, of which) of each, when no install runs; an export of
        C++ by its beginning."""
        self.rpc(self.app).call("installs", wait=FAIL_AFTER, limit=1)
        code, answer = self.app.json("verify")
        product, = answer["products"]
        found = [(f["kind"], f["name"],
                  REOPEN if (f["needs"] or "").startswith(REOPEN) else f["needs"], f["from"])
                 for f in product["findings"]]
        self.assertEqual(sorted(found, key=str), sorted(findings, key=str), self.show(answer))
        self.assertEqual((code, answer["verdict"]), (2, "mixed") if findings else (0, "fits"))
        return [f["text"] for f in product["findings"]]

    def viewer(self):
        return ["viewer.exe"] * self.compiler.delays

    def late(self, kind, needs=None):
        """What is found of the program that loads report.dll when it first calls it."""
        return [(kind, "viewer.exe", needs, "report.dll")] * self.compiler.delays

    def test_a_library_of_the_old_version(self):
        engine = ("missing-export", "server.exe", REOPEN, "engine.dll")
        report = self.late("missing-export", "ReportEx")
        self.install(self.new, "server.exe", *self.viewer())
        texts = self.expect(engine, *report)
        self.assertEqual([text.endswith(", when it is first called") for text in texts],
                         ["ReportEx" in text for text in texts])
        self.install(self.new, "engine.dll")
        self.expect(*report)
        self.install(self.new, *os.listdir(self.new))
        self.expect()
        code, answer = self.app.json("verify", "--payload", self.new)
        self.assertEqual((code, answer["verdict"]), (0, "fits"), self.show(answer))

    def test_a_library_of_the_new_version(self):
        """Whoever knows less gets on with it."""
        self.install(self.new, "engine.dll", "report.dll")
        self.expect()

    def test_a_library_that_is_gone(self):
        unwind, = (name for name in self.compiler.libraries if name.startswith("libgcc"))
        needs = {"engine.dll": {"server.exe"}, "report.dll": set(self.viewer()),
                 "libstdc++-6.dll": {"server.exe", "engine.dll"},
                 unwind: {"libstdc++-6.dll", *self.importers(unwind)}}
        for name, importers in needs.items():
            with self.subTest(name=name):
                os.unlink(os.path.join(self.bin, name))
                self.expect(*(("missing-module", importer, None, name)
                              for importer in importers))
                self.install(self.old, name)
                self.expect()

    def importers(self, library):
        """Of those that were compiled here."""
        return {name for name in ("server.exe", "engine.dll", "report.dll")
                if f"DLL Name: {library}" in self.compiler.run(
                    "objdump", "-p", os.path.join(self.old, name))}

    def test_a_library_that_is_damaged(self):
        for name in os.listdir(self.old):
            with open(os.path.join(self.old, name), "rb") as f:
                whole = f.read()
            for what, content in ("empty", b""), ("cut", whole[:len(whole) // 2]), \
                    ("cut at its end", whole[:-1]), ("text", b"404 Not Found\n"):
                with self.subTest(what, name=name):
                    self.file("new", self.scratch, content)
                    os.rename(self.path("new"), os.path.join(self.bin, name))
                    self.expect(("damaged", name, None, None))
            self.install(self.old, name)
            self.expect()

    def test_a_library_for_another_machine(self):
        if not self.others.is_here():
            self.skipTest(f"no {self.others.tool('g++')} here")
        foreign = self.others.make(1)
        self.install(foreign, "report.dll")
        self.expect(*self.late("architecture"))
        self.install(self.old, "report.dll")
        self.install(foreign, "engine.dll")
        # What it needs itself is for the other machine as well.
        imported = self.others.run("objdump", "-p", os.path.join(foreign, "engine.dll"))
        self.expect(("architecture", "server.exe", None, "engine.dll"),
                    *(("architecture", "engine.dll", None, name)
                      for name in self.compiler.libraries if f"DLL Name: {name}\n" in imported),
                    *(("missing-module", "engine.dll", None, name)
                      for name in self.others.libraries
                      if f"DLL Name: {name}\n" in imported and
                      name not in self.compiler.libraries))


class Windows64Test(Windows, SystemTest):
    machine, other = "x86_64", "i686"


class Windows32Test(Windows, SystemTest):
    machine, other = "i686", "x86_64"


if __name__ == "__main__":
    main()
