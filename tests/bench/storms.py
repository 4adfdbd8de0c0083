#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What everybody else does to somebody who asks: one check every 100 ms, in silence and then
in each storm and in all of them at once, beside a hold.

  tests/bench/storms.py [--seconds N] [--only NAME[,NAME]]

Storms: open (two processes of a stranger open the files of another product), fork (the
same, each time as another process), rename (two processes rename files there), ask (a
reader's 31 connections, with 10,000 names each), http (64 clients that ask without a
pause). Prints medians, the 99th percentile and the longest in milliseconds, and how many
times as long as in silence; and how the hold ended. Ratios count; the figures are the
machine's, and the storms take its processors too.
"""
import argparse
import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from harness import Daemon, Product, Rpc  # noqa: E402

STRANGER = 65534


def become_stranger(groups=()):
    os.setgroups(groups)
    os.setresgid(STRANGER, STRANGER, STRANGER)
    os.setresuid(STRANGER, STRANGER, STRANGER)


def storm_open(top, daemon):
    become_stranger()
    while True:
        for i in range(20):
            os.close(os.open(f"{top}/stormy/lib{i}.so", os.O_RDONLY))


def storm_fork(top, daemon):
    become_stranger()
    while True:
        pid = os.fork()
        if pid == 0:
            for i in range(20):
                os.close(os.open(f"{top}/stormy/lib{i}.so", os.O_RDONLY))
            os._exit(0)
        os.waitpid(pid, 0)


def storm_rename(top, daemon):
    mine = f"{top}/stormy/own{os.getpid()}"
    open(f"{mine}.so", "wb").close()
    while True:
        os.rename(f"{mine}.so", f"{mine}x.so")
        os.rename(f"{mine}x.so", f"{mine}.so")


def storm_ask(top, daemon):
    become_stranger([0])
    line = (json.dumps({"jsonrpc": "2.0", "id": 1, "method": "check", "params": {
        "all": True, "names": [f"{i:x}n" for i in range(10_000)]}}) + "\n").encode()

    def ask():
        s = socket.socket(socket.AF_UNIX)
        s.connect(daemon.socket)
        answers = s.makefile("rb")
        while True:
            s.sendall(line)
            answers.readline()
    for _ in range(30):
        threading.Thread(target=ask, daemon=True).start()
    ask()


def storm_http(top, daemon):
    become_stranger()

    def ask():
        while True:
            try:
                with socket.socket() as s:
                    s.connect((b"127.0.0.1", PORT))
                    s.sendall(b"GET /api/check HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % PORT)
                    while s.recv(65536):
                        pass
            except OSError:
                pass
    for _ in range(63):
        threading.Thread(target=ask, daemon=True).start()
    ask()


STORMS = {"open": (storm_open, 2), "fork": (storm_fork, 2), "rename": (storm_rename, 2),
          "ask": (storm_ask, 1), "http": (storm_http, 1)}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


PORT = free_port()


def measure(daemon, seconds):
    rpc, times, until = Rpc(daemon.socket, held=False), [], time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        rpc.call("check", product="calm")
        took = time.monotonic() - began
        times.append(1000 * took)
        time.sleep(max(0, 0.1 - took))
    rpc.close()
    times.sort()
    return times[len(times) // 2], times[min(len(times) - 1, len(times) * 99 // 100)], times[-1]


def run(name, storms, top, daemon, seconds, silence):
    children = []
    for storm, n in (STORMS[s] for s in storms):
        for _ in range(n):
            pid = os.fork()
            if pid == 0:
                try:
                    storm(top, daemon)
                finally:
                    os._exit(1)
            children.append(pid)
    held = Rpc(daemon.socket, held=False)
    hold = held.call("hold.begin", product="calm", **{"for": 600})["hold"]
    row = measure(daemon, seconds)
    cause = held.call("hold.end", hold=hold)["cause"]
    held.close()
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    factor = row[1] / silence if silence else 1
    print(f"  {name:8} {row[0]:9.2f} {row[1]:9.2f} {row[2]:9.2f} ms   {factor:7.1f} x   "
          f"hold {cause}", flush=True)
    return row[1]


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--seconds", type=int, default=10)
    options.add_argument("--only", default=",".join(STORMS))
    options = options.parse_args()
    names = options.only.split(",")
    with tempfile.TemporaryDirectory(prefix="spguard-bench-") as top:
        os.chmod(top, 0o755)
        for product in ("calm", "stormy"):
            os.mkdir(f"{top}/{product}")
            for i in range(20):
                with open(f"{top}/{product}/lib{i}.so", "wb") as f:
                    f.write(os.urandom(4096))
        daemon = Daemon(f"{top}/home", [Product("calm", f"{top}/calm", files="*.so"),
                                        Product("stormy", f"{top}/stormy", files="*.so")])
        daemon.write_config("[http]", f"listen = 127.0.0.1:{PORT}")
        daemon.start()
        try:
            print("             median       p99   longest")
            silence = run("silence", [], top, daemon, options.seconds, 0)
            for name in names:
                run(name, [name], top, daemon, options.seconds, silence)
            if len(names) > 1:
                run("all", names, top, daemon, options.seconds, silence)
        finally:
            daemon.close()


if __name__ == "__main__":
    main()
