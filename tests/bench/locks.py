#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the lock history costs those who lock, and whether it is complete.

  tests/bench/locks.py [--pairs N] [--rounds N] [--count N]

Times pairs of lock and unlock on a file of a product and on another one, with and
without a daemon in between, in turns, and prints the medians and differences; then
has --count pairs made as fast as they go, and counts their intervals in the database.
Ratios and differences count; the figures are the machine's.
"""
import argparse
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from harness import BUILD, Daemon, Product  # noqa: E402

LOCK_PAIRS = os.path.join(BUILD, "tests", "bench", "bench-lock-pairs")
AIMS_NS = {"watched": 1500, "unwatched": 250}


def time_pairs(path, kind, pairs, rounds):
    done = subprocess.run([LOCK_PAIRS, path, kind, str(pairs), str(rounds)],
                          capture_output=True, text=True, check=True)
    return [float(line) for line in done.stdout.split()]


class Bench:
    def __init__(self, scratch):
        self.paths = {}
        for name in ("watched", "unwatched"):
            directory = os.path.join(scratch, name)
            os.mkdir(directory)
            self.paths[name] = os.path.join(directory, "File.dll")
            with open(self.paths[name], "wb") as f:
                f.write(b"MZ" * 64)
        self.home = os.path.join(scratch, "home")
        self.product = Product("app", os.path.join(scratch, "watched"))

    def daemon(self):
        return Daemon(self.home, [self.product], tier="bpf")

    def compare(self, pairs, rounds):
        times = {}
        for _ in range(rounds):
            for running in (False, True):
                daemon = self.daemon().start() if running else None
                for kind in ("flock", "posix"):
                    for name, path in self.paths.items():
                        times.setdefault((kind, name, running), []).extend(
                            time_pairs(path, kind, pairs, 1))
                        if running:
                            daemon.run("flush")
                if daemon:
                    daemon.close()
        print(f"{'a pair':24}{'without':>10}{'with':>10}{'more':>10}{'aim':>10}")
        for kind in ("flock", "posix"):
            for name in self.paths:
                bare = statistics.median(times[kind, name, False])
                daemon = statistics.median(times[kind, name, True])
                print(f"{kind + ', ' + name:24}{bare:7.0f} ns{daemon:7.0f} ns"
                      f"{daemon - bare:7.0f} ns{AIMS_NS[name]:7} ns")

    def count(self, pairs):
        daemon = Daemon(self.home + "-count", [self.product], tier="bpf").start()
        ns = time_pairs(self.paths["watched"], "flock", pairs, 1)[0]
        code, _, err = daemon.run("flush")
        status = daemon.status()
        daemon.close()
        if code:
            sys.exit(f"flush: {err}")
        database = sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True)
        (intervals,) = database.execute(
            "SELECT count(*) FROM file_locks WHERE until IS NOT NULL").fetchone()
        gaps = database.execute("SELECT reason, count FROM history_gaps").fetchall()
        print(f"{pairs} pairs at {ns:.0f} ns: {intervals} intervals in the database, "
              f"gaps: {[gap for gap in gaps if gap[0] != 'downtime'] or 'none'}, "
              f"dropped: {status['store']['dropped']}")
        return intervals == pairs


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=200000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=1000000)
    options = parser.parse_args()
    scratch = tempfile.mkdtemp(prefix="spguard-bench-")
    try:
        bench = Bench(scratch)
        bench.compare(options.pairs, options.rounds)
        complete = bench.count(options.count)
    finally:
        shutil.rmtree(scratch)
    sys.exit(0 if complete else "records are missing")


if __name__ == "__main__":
    main()
