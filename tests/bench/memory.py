#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the daemon's memory does while one install follows the other.

  tests/bench/memory.py [--installs N] [--files N]

Each install replaces all the files of a product, modules with 60 exports, and has ended
before the next begins. Prints the resident memory after some of them, and how many times
as much that is as after the tenth; fails when it is a tenth more after the last. Ratios
count; the figures are the machine's.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from harness import PE_FILE, Daemon, Product  # noqa: E402

TENTH, MOST = 10, 1.1


def resident_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def settled_kb(pid):
    """When it has been the same for a second."""
    before, now = 0, resident_kb(pid)
    while now != before:
        time.sleep(1)
        before, now = now, resident_kb(pid)
    return now


def install(directory, module, n, number):
    for i in range(n):
        new = os.path.join(os.path.dirname(directory), "new")
        with open(new, "wb") as f:
            f.write(module + b"%d" % number)
        os.rename(new, os.path.join(directory, f"module{i}.dll"))


def measure(daemon, directory, module, options):
    rpc, tenth = daemon.rpc(held=False), None
    for number in range(1, options.installs + 1):
        install(directory, module, options.files, number)
        rpc.call("flush")
        rpc.call("installs", wait=60, limit=1)
        if number not in (1, 5, TENTH, options.installs) and number % 20:
            continue
        kb = settled_kb(daemon.main_pid())
        if number == TENTH:
            tenth = kb
        ratio = f"{kb / tenth:6.3f} x" if tenth else ""
        print(f"  {number:4} installs {kb:8} kB {ratio}", flush=True)
    rpc.close()
    return kb / tenth


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--installs", type=int, default=40)
    parser.add_argument("--files", type=int, default=1500)
    options = parser.parse_args()
    if options.installs < TENTH:
        parser.error(f"--installs: at least {TENTH}")
    scratch = tempfile.mkdtemp(prefix="spguard-bench-")
    daemon = None
    try:
        directory, path = os.path.join(scratch, "bin"), os.path.join(scratch, "m.dll")
        os.mkdir(directory)
        subprocess.run([PE_FILE, path, "1.0.0.0", *(f"+Export{i}" for i in range(60))],
                       check=True)
        with open(path, "rb") as f:
            module = f.read()
        install(directory, module, options.files, 0)
        daemon = Daemon(os.path.join(scratch, "home"), [Product("app", directory)],
                        daemon_keys={"install-quiet": "500ms"}).start()
        print(f"{options.files} files in each install:")
        return measure(daemon, directory, module, options) > MOST
    finally:
        if daemon:
            daemon.close()
        shutil.rmtree(scratch)


if __name__ == "__main__":
    sys.exit(main())
