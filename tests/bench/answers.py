#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How long an answer takes, beside lsof and fuser for the same question.

  tests/bench/answers.py [--processes N] [--files N] [--rounds N]

Starts N processes with 50 descriptors each, and a daemon that watches FILES
files, of which none and then one is in use (whoever has it is looked at anew for
every answer). Prints medians in milliseconds and how many times as long as the answer
inside the daemon each takes. Ratios count; the figures are the machine's.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from harness import SPGUARD, Daemon, Holder, LineReader, Product  # noqa: E402

CROWD = """
import os, sys
count = int(sys.argv[1])
for n in range(count):
    if os.fork() == 0:
        kept = [os.open("/dev/null", os.O_RDONLY) for _ in range(50)]
        sys.stdin.read()
        os._exit(0)
print("ready", flush=True)
sys.stdin.read()
"""


def median_ms(rounds, ask):
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        ask()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def run(*command):
    return lambda: subprocess.run(command, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, check=False)


def measure(daemon, rpc, paths, options):
    rows = [
        ("check, in the daemon",
         statistics.median(rpc.call("check", product="app")["proof"]["took_us"] / 1000
                           for _ in range(options.rounds * 5))),
        ("check over the socket",
         median_ms(options.rounds * 5, lambda: rpc.call("check", product="app"))),
        ("spguard check", median_ms(options.rounds, run(
            SPGUARD, "--socket", daemon.socket, "check", "-q"))),
    ]
    for tool in ("fuser", "lsof"):
        if shutil.which(tool):
            rows.append((tool, median_ms(options.rounds, run(tool, *paths))))
        else:
            print(f"  {tool}: not installed")
    for name, ms in rows:
        print(f"  {name:24} {ms:10.3f} ms   {ms / rows[0][1]:8.1f} x")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, default=300)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    scratch = tempfile.mkdtemp(prefix="spguard-bench-")
    crowd = subprocess.Popen([sys.executable, "-c", CROWD, str(options.processes)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    daemon = None
    try:
        LineReader(crowd.stdout).wait_for(lambda line: line == "ready", "the crowd")
        directory = os.path.join(scratch, "bin")
        os.mkdir(directory)
        paths = [os.path.join(directory, f"File{n}.dll") for n in range(options.files)]
        for path in paths:
            with open(path, "wb") as f:
                f.write(b"MZ" * 4096)
        daemon = Daemon(os.path.join(scratch, "home"), [Product("app", directory)]).start()
        rpc = daemon.rpc(held=False)
        print(f"{options.files} files, {options.processes} more processes; all files free:")
        measure(daemon, rpc, paths, options)
        holder = Holder("mapped", paths[0])
        print("one file mapped:")
        measure(daemon, rpc, paths, options)
        holder.close()
        rpc.close()
    finally:
        if daemon:
            daemon.close()
        crowd.stdin.close()
        crowd.wait()
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
