#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The programs of the story of Q246337: a small Exchange, its service pack, and
Performance Monitor, built with mingw-w64 from tests/data/story.

  story.py build FOLDER [--windows]
                                build all of it into FOLDER, which is made anew;
                                an installer that is a program of Windows, too
  story.py lay BUILT FOLDER     lay out in FOLDER what was built in BUILT:
                                  Exchsrvr/Bin, Winnt/System32   version 1, installed
                                  sp      the service pack, version 2
                                  setup   its installer
                                  perfmon.exe
"""
import os
import shutil
import subprocess
import sys
import tempfile

SOURCES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                       "data", "story")
CC, WINDRES = "x86_64-w64-mingw32-gcc", "x86_64-w64-mingw32-windres"
OLD, NEW = "5.5.2448.0", "5.5.2650.24"
BIN, SYSTEM = "Exchsrvr/Bin", "Winnt/System32"
LIBRARIES = ["gwperf.dll", "imsperf.dll", "mseperf.dll", "mtaperf.dll", "exchmem.dll",
             "dapi.dll", "netif.dll", "eseperf.dll", "edbbcli.dll", "ese.dll"]
IN_SYSTEM = ["eseperf.dll", "edbbcli.dll", "ese.dll"]
FILES = ["dsamain.exe", "mdbperf.dll", *LIBRARIES]


def missing():
    """The compilers that are not here."""
    return [program for program in (CC, WINDRES) if not shutil.which(program)]


def resource(scratch, name, version):
    """An object file that says what @name is."""
    with open(os.path.join(SOURCES, "version.rc"), encoding="ascii") as f:
        text = f.read()
    for key, value in {"NAME": name, "VERSION": version, "COMMAS": version.replace(".", ","),
                       "TYPE": "1" if name.endswith(".exe") else "2"}.items():
        text = text.replace(f"@{key}@", value)
    rc, out = os.path.join(scratch, "version.rc"), os.path.join(scratch, name + ".o")
    with open(rc, "w", encoding="ascii") as f:
        f.write(text)
    subprocess.run([WINDRES, rc, out], check=True)
    return out


def compile_one(scratch, folder, name, version, source, *more):
    shared = [] if name.endswith(".exe") else ["-shared"]
    subprocess.run(
        [CC, "-O1", "-s", "-Wall", "-Wextra", "-Werror", f'-DNAME="{name}"',
         f'-DVERSION="{version}"', *(["-DV2"] if version == NEW else []), *shared,
         "-o", os.path.join(folder, name), os.path.join(SOURCES, source),
         resource(scratch, name, version), *more], check=True)


def build_version(scratch, folder, version):
    os.makedirs(folder)
    compile_one(scratch, folder, "mdbperf.dll", version, "mdbperf.c")
    compile_one(scratch, folder, "dsamain.exe", version, "dsamain.c",
                os.path.join(folder, "mdbperf.dll"))
    for name in LIBRARIES:
        compile_one(scratch, folder, name, version, "library.c")


def build(folder, installer=False):
    """@installer: setup.exe, too, for a machine where all is Windows."""
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="spguard-story-") as scratch:
        build_version(scratch, os.path.join(folder, "old"), OLD)
        build_version(scratch, os.path.join(folder, "sp"), NEW)
        compile_one(scratch, folder, "perfmon.exe", OLD, "perfmon.c")
        if installer:
            compile_one(scratch, folder, "setup.exe", NEW, "setup.c")


def lay(built, folder):
    for directory in BIN, SYSTEM:
        os.makedirs(os.path.join(folder, directory))
    for name in FILES:
        directory = SYSTEM if name in IN_SYSTEM else BIN
        shutil.copy(os.path.join(built, "old", name), os.path.join(folder, directory))
    shutil.copytree(os.path.join(built, "sp"), os.path.join(folder, "sp"))
    for name in "perfmon.exe", "setup.exe":
        if os.path.exists(os.path.join(built, name)):
            shutil.copy(os.path.join(built, name), folder)
    shutil.copy(os.path.join(SOURCES, "setup"), folder)


if __name__ == "__main__":
    if sys.argv[1:2] == ["build"] and sys.argv[3:] in ([], ["--windows"]):
        build(sys.argv[2], sys.argv[3:] != [])
    elif sys.argv[1:2] == ["lay"] and len(sys.argv) == 4:
        lay(*sys.argv[2:])
    else:
        sys.exit(__doc__)
