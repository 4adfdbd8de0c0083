# SPDX-License-Identifier: MIT
"""Entries of binfmt_misc, which are everybody's: such tests run alone."""
import contextlib
import os
import subprocess

PLACE = "/proc/sys/fs/binfmt_misc"


def register(test, name, rule, interpreter, flags=""):
    """An entry for as long as @test runs; in its own mount namespace, where nothing is
    mounted yet."""
    if not os.path.exists(os.path.join(PLACE, "register")):
        done = subprocess.run(["mount", "-t", "binfmt_misc", "none", PLACE],
                              capture_output=True, text=True)
        if done.returncode:
            test.skipTest(f"no binfmt_misc here: {done.stderr}")
        test.addCleanup(subprocess.run, ["umount", PLACE])
    with open(os.path.join(PLACE, "register"), "w", encoding="ascii") as f:
        f.write(f":{name}:{rule}:{interpreter}:{flags}")
    test.addCleanup(remove, name)


def remove(name):
    with contextlib.suppress(FileNotFoundError), \
            open(os.path.join(PLACE, name), "r+b", buffering=0) as f:
        f.write(b"-1")
