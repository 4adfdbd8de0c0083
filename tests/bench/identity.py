#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Of how many short-lived processes the history knows who they were.

  tests/bench/identity.py [--processes N] [--at-once N]

Runs `cat` N times, each on one of many watched files, and prints the share of the
recorded opens and executions that have a name, an executable and a user; in each
tier. The aim of the tier "bpf" is 99.9 %.
"""
import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from harness import Daemon, Product, why_no_bpf  # noqa: E402

FILES = 400


def run_cats(paths, processes, at_once):
    names = "\n".join(paths[n % len(paths)] for n in range(processes))
    subprocess.run(["xargs", "-n", "1", "-P", str(at_once), "cat"], input=names, text=True,
                   stdout=subprocess.DEVNULL, check=True)


def measure(scratch, tier, options):
    directory = os.path.join(scratch, "bin")
    paths = [os.path.join(directory, f"File{n}.dll") for n in range(FILES)]
    daemon = Daemon(os.path.join(scratch, tier), [Product("app", directory)], tier=tier).start()
    run_cats(paths, options.processes, options.at_once)
    daemon.run("flush")
    daemon.close()
    database = sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True)
    events, whole, right = database.execute(
        "SELECT count(*), sum(process IS NOT NULL AND exe IS NOT NULL AND user IS NOT NULL),"
        " sum(process = 'cat') FROM history WHERE kind = 'open'").fetchone()
    print(f"{tier:8} {events:8} opens, {100 * whole / events:8.3f} % with name, executable and "
          f"user, {100 * right / events:8.3f} % with the right name")
    return whole / events


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, default=10000)
    parser.add_argument("--at-once", type=int, default=4)
    options = parser.parse_args()
    scratch = tempfile.mkdtemp(prefix="spguard-bench-")
    try:
        os.mkdir(os.path.join(scratch, "bin"))
        for n in range(FILES):
            with open(os.path.join(scratch, "bin", f"File{n}.dll"), "wb") as f:
                f.write(b"MZ" * 64)
        for tier in ("procfs", "bpf"):
            if tier == "procfs" or not why_no_bpf():
                measure(scratch, tier, options)
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
