#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Members of the group that may ask, who ask for as much as they can: others get their
answers, holds go on, and the daemon keeps a bounded amount for them."""
import json
import os
import select
import subprocess
import sys

from support import FAIL_AFTER, Product, Rpc, SystemTest, main

READER = 65534
MEMORY = 64 * 1024  # KiB: promised of one user
N_NAMES = 10_000

# A reader's program: as user ARGV[2], runs the Python of ARGV[1].
AS_USER = """
import json, os, select, socket, sys
uid = int(sys.argv[2])
os.setgroups([0]), os.setresgid(uid, uid, uid), os.setresuid(uid, uid, uid)
def connect():
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[3])
    return s
exec(sys.argv[1])
"""


def question(**params):
    return (json.dumps({"jsonrpc": "2.0", "id": 1, "method": "check", "params": params},
                       separators=(",", ":")) + "\n").encode()


def status_kib(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(next(line for line in f if line.startswith(key + ":")).split()[1])


def is_sanitized(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as f:
        text = f.read()
    return "libasan" in text or "libtsan" in text


class Reader:
    def __init__(self, test, daemon, code, uid=READER, stdin=b""):
        self.process = subprocess.Popen(
            [sys.executable, "-c", AS_USER, code, str(uid), daemon.socket],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        test.addCleanup(self.close)
        self.process.stdin.write(stdin)
        self.process.stdin.flush()

    def line(self):
        """What it prints next; None: it has not yet."""
        return self.process.stdout.readline().decode().strip()

    def has_said_something(self):
        return bool(select.select([self.process.stdout], [], [], 0)[0])

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(FAIL_AFTER)
        self.process.stdin.close()
        self.process.stdout.close()


class ReadersTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")
        os.chmod(self.path(), 0o755)  # the readers' way to the socket
        self.service = self.daemon(Product("app", self.bin))
        self.memory = status_kib(self.service.main_pid(), "VmRSS")

    def assert_memory_is_bounded(self):
        pid = self.service.main_pid()
        if not is_sanitized(pid):
            self.assertLess(status_kib(pid, "VmHWM") - self.memory, MEMORY)

    def test_large_questions(self):
        """Somebody else's turn comes after each of them."""
        asked = question(all=True, names=[f"{i:x}n" for i in range(N_NAMES)])
        held = self.rpc(self.service)
        hold = held.call("hold.begin", product="app", **{"for": 600})["hold"]
        reader = Reader(self, self.service, """
line = sys.stdin.buffer.readline()
sockets = [connect() for _ in range(31)]
files = [s.makefile("rb") for s in sockets]
print("asks", flush=True)
for s in sockets: s.sendall(line)
for f in files: f.readline()
print("done", flush=True)
""", stdin=asked)
        self.assertEqual(reader.line(), "asks")
        good = Rpc(self.service.socket, held=False)
        self.addCleanup(good.close)
        for _ in range(10):
            self.assertEqual(good.call("check")["verdict"], "safe")
        self.assertFalse(reader.has_said_something(), "the reader was served first")
        self.assertEqual(reader.line(), "done")
        self.assertEqual(held.call("hold.end", hold=hold)["cause"], "ended")
        self.assert_memory_is_bounded()

    def test_answers_that_nobody_reads(self):
        """They wait for the same moment, and then are given all at once."""
        blocker = self.hold("read", self.dll)
        asked = question(all=True, wait=3600, settle=0,
                         names=["Mdbperf.dll"] + [f"{i:x}n" for i in range(N_NAMES - 1)])
        reader = Reader(self, self.service, """
line = sys.stdin.buffer.readline()
sockets = [connect() for _ in range(16)]
for s in sockets:
    s.setblocking(False)
    for _ in range(4):
        try: s.send(line)
        except BlockingIOError: break
print("asked", flush=True)
left = list(sockets)
while left:
    ready = select.select(left, [], [])[0]
    left = [s for s in left if s not in ready]
    print("answered", flush=True)
sys.stdin.buffer.readline()
""", stdin=asked)
        self.assertEqual(reader.line(), "asked")
        self.assert_verdict(self.service.check(), "blocked")
        blocker.release()
        self.assertEqual(reader.line(), "answered")
        self.assert_safe(self.service)
        self.assert_memory_is_bounded()

    def test_all_connections(self):
        """Of one user with many numbers: everybody else may ask, and root may hold."""
        readers = [Reader(self, self.service, """
sockets = [connect() for _ in range(64)]
for s in sockets:
    try: s.sendall(b'{"jsonrpc":"2.0","id":1,"method":"hello"}\\\\n')
    except OSError: pass
for s in sockets:
    try: s.recv(1)
    except OSError: pass
print("connected", flush=True)
sys.stdin.buffer.readline()
""".replace("\\\\n", "\\n"), uid=READER - i) for i in range(5)]
        for reader in readers:
            self.assertEqual(reader.line(), "connected")
        self.assert_safe(self.service)
        held = self.rpc(self.service)
        hold = held.call("hold.begin", product="app", **{"for": 600})["hold"]
        other = Reader(self, self.service, """
s = connect()
s.sendall(b'{"jsonrpc":"2.0","id":1,"method":"check"}\\\\n')
print(json.loads(s.makefile().readline())["result"]["verdict"], flush=True)
""".replace("\\\\n", "\\n"), uid=READER - 5)
        self.assertEqual(other.line(), "safe")
        self.assertEqual(held.call("hold.end", hold=hold)["cause"], "ended")


if __name__ == "__main__":
    main()
