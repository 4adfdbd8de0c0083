# SPDX-License-Identifier: MIT
"""spguardd.exe under Wine with a pipe, a database and products of its own, its client,
its plugin, and connections to its pipe. What a test of Linux asks of its daemon can be
asked of this one: it is the same class, with other programs."""
import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
import time
import unittest

from watching import WINE, Holder, World, can_run, program  # noqa: F401  (for the tests)

import harness
from harness import BUILD, EXIT_CODE, FAIL_AFTER, Failure, LineReader, Product, Rpc
from tap import main  # noqa: F401

SPGUARDD = os.path.join(BUILD, "daemon", "spguardd.exe")
SPGUARD = os.path.join(BUILD, "client", "spguard.exe")
CHECK_SPGUARD = os.path.join(BUILD, "plugin", "check_spguard.exe")
NEED_WINE = unittest.skipUnless(
    can_run() and all(os.path.exists(path) for path in (SPGUARDD, SPGUARD, CHECK_SPGUARD)),
    "no Wine, or the programs of Windows are not built")


def _begins(process):
    """False: it is still Wine's loader after some seconds. While somebody looks into a
    process that starts, as the daemon does, Wine 8 may leave it there for good, or end it
    with nothing said and exit code 0; Windows asks nothing of the process itself."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
        return True
    with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
            open(f"/proc/{process.pid}/comm", encoding="utf-8") as file:
        return file.read().strip() != os.path.basename(WINE)
    return True


def _run_once(world, command):
    # Wine's own services inherit the descriptors: a pipe would not end with the program.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen([WINE, *map(str, command)], env=world.wine.env,
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        try:
            if not _begins(process):
                return None
            code = process.wait(FAIL_AFTER)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(FAIL_AFTER)
        said = []
        for file in out, err:
            file.seek(0)
            said.append(file.read().decode().replace("\r\n", "\n"))
    return code, *said


def run(world, *command):
    """Run a program of Windows to its end: exit code, stdout, stderr."""
    for _ in range(3):
        done = _run_once(world, command)
        # With --json there is always something to say.
        if done and (done != (0, "", "") or "--json" not in command):
            return done
        print(f"# Wine did not begin {command}", flush=True)
    raise Failure(f"Wine does not begin {command}")


class Daemon(harness.Daemon):
    """On a console, with its files in C:/NAME."""

    def __init__(self, world, *products, name="daemon", daemon_keys=None):
        keys = {"socket": f"//./pipe/spguard-{name}", "database": f"C:/{name}/spguard.db",
                "group": "Users"}
        super().__init__(os.path.join(world.drive, name), products,
                         {**keys, **(daemon_keys or {})}, program=SPGUARDD, tier="")
        self.world, self.socket, self.database = world, keys["socket"], keys["database"]
        self.windows_config = f"C:/{name}/spguard.conf"

    def spawn(self, *args):
        self.process = subprocess.Popen(
            [WINE, SPGUARDD, "--config", self.windows_config, *args],
            env=self.world.wine.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, errors="replace")
        self.log = LineReader(self.process.stderr)
        return self

    def main_pid(self):
        return self.process.pid

    def stop(self):
        """Ctrl-C; returns the exit code."""
        self.signal(signal.SIGINT)
        return self.process.wait(FAIL_AFTER)

    def run(self, *args, env=None):
        return run(self.world, SPGUARD, "--socket", self.socket, *args)

    def spawn_client(self, *args):
        return subprocess.Popen([WINE, SPGUARD, "--socket", self.socket, *map(str, args)],
                                env=self.world.wine.env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                bufsize=1)

    def plugin(self, *args):
        return run(self.world, CHECK_SPGUARD, "--socket", self.socket, *args)

    def rpc(self, held=True):
        return Connection(Talker(self.world, self.socket), held, own=True)


class Talker:
    """talker.exe: many connections to one pipe."""

    def __init__(self, world, pipe):
        self.process = subprocess.Popen(
            [WINE, program("talker.exe"), pipe], env=world.wine.env, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1,
            errors="surrogateescape")
        self.lines = LineReader(self.process.stdout)
        self.lines.wait_for(lambda line: line == "ready", "talker")

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.lines.wait_for(lambda line: True, f"an answer to {command[:60]}")

    def close(self):
        if self.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired, BrokenPipeError):
                self.process.stdin.close()
                self.process.wait(FAIL_AFTER)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(FAIL_AFTER)
        self.lines.join(FAIL_AFTER)
        self.process.stdout.close()


class Connection(Rpc):
    """One of them. @own: the talker is this connection's alone."""

    def __init__(self, talker, held=True, own=False):  # pylint: disable=W0231
        self.talker, self.held, self.own = talker, held, own
        self.last_id, self.notifications = 0, []
        said = talker.ask("open").split()
        if said[0] != "open":
            raise ConnectionRefusedError(" ".join(said))
        self.number = said[1]

    def send_raw(self, data):
        for i in range(0, len(data), 8000):
            text = "".join(f"\\x{byte:02x}" if byte < 32 or byte > 126 or byte == 92
                           else chr(byte) for byte in data[i:i + 8000])
            said = self.talker.ask(f"send {self.number} {text}")
            if said != "sent":
                raise BrokenPipeError(said)

    def send_file(self, path):
        return self.talker.ask(f"file {self.number} {path}")

    def read_message(self):
        said = self.talker.ask(f"read {self.number}")
        if said == "end":
            return None
        if not said.startswith("line "):
            raise Failure(f"reading: {said}")
        return json.loads(said[5:])

    def close(self):
        if self.own:
            self.talker.close()
        elif self.number is not None:
            self.talker.ask(f"close {self.number}")
        self.number = None


class DaemonTest(harness.SystemTest):
    """A test with Wine, and drive C: of its own for the whole class; the product "app" is
    C:/product."""

    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.close)

    def setUp(self):  # pylint: disable=W0221
        self.world.empty()
        self.bin = "C:/product"
        self.n_daemons = 0

    def product(self, name="app", *directories, **options):
        return Product(name, *(directories or (self.bin,)), **options)

    def daemon(self, *products, name=None, start=True, **options):
        name = name or re.sub(r"\W", "-", self.id().rpartition(".")[2])
        daemon = Daemon(self.world, *(products or (self.product(),)), name=name, **options)
        self.addCleanup(daemon.close)
        return daemon.start() if start else daemon

    def hold(self, *held, **options):  # pylint: disable=W0221
        holder = Holder(self.world, *held, **options)
        self.addCleanup(holder.close)
        return holder

    def client(self, daemon, *args):
        """One that goes on, until the test is over."""
        client = daemon.spawn_client(*args)

        def end():
            if client.poll() is None:
                client.kill()
            client.wait(FAIL_AFTER)
            client.stdout.close()
        self.addCleanup(end)
        return client

    def await_status(self, daemon, predicate):
        deadline = time.monotonic() + FAIL_AFTER
        while not predicate(daemon.status()):
            self.assertLess(time.monotonic(), deadline, daemon.status())

    def file(self, name, **_):  # pylint: disable=W0221
        """A file of the product: its path."""
        self.world.make(name)
        return self.world.path(name)

    def library(self, name):
        self.world.make_library(name)
        return self.world.path(name)

    def await_verdict(self, daemon, verdict, *args):
        """The answer to `check`, which is @verdict: at once, but for a "safe", before which
        Wine has a file of a program that has ended open for a moment."""
        deadline = time.monotonic() + FAIL_AFTER
        answer = daemon.check(*args)
        while answer["verdict"] == "blocked" != verdict and time.monotonic() < deadline:
            answer = daemon.check(*args)
        self.assertEqual((answer["verdict"], answer["exit"]), (verdict, EXIT_CODE[verdict]),
                         self.show(answer))
        return answer
