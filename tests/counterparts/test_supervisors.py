#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A process that ends and is started again at once: `spguard check --wait` never says
safe while a real supervisor brings it back."""
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))

from harness import FAIL_AFTER, SystemTest, main  # noqa: E402
from manager import Manager, require  # noqa: E402

TIMES = 3
SETTLE = 3


class SupervisedTest(SystemTest):
    """What every supervisor here starts: a process whose stdin is the file."""

    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")

    def holders(self):
        """Of the file, by /proc: pids of processes that have it as stdin."""
        found = set()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/fd/0") == self.dll:
                    found.add(int(pid))
        return found

    def next_holder(self, before):
        """The pid of a holder that is not @before."""
        deadline = time.monotonic() + FAIL_AFTER
        while not (now := self.holders() - {before}):
            self.assertLess(time.monotonic(), deadline)
        return now.pop()

    def comes_back(self, daemon, stop):
        """Kill it again and again beside a client that waits, then @stop() for good."""
        holder = self.next_holder(None)
        client = daemon.spawn_client("--json", "check", "--wait=10m", f"--settle={SETTLE}s")
        self.addCleanup(client.communicate)
        self.addCleanup(client.kill)
        for _ in range(TIMES):
            os.kill(holder, signal.SIGTERM)
            holder = self.next_holder(holder)
            self.assertIsNone(client.poll())
            # Asked in between, it is blocked by whom the supervisor has started.
            self.assert_blocked_by(daemon, self.dll, [holder], set())
        stop()
        out, err = client.communicate(timeout=FAIL_AFTER)
        self.assertEqual((client.returncode, err), (0, ""))
        answer = json.loads(out)
        self.assertEqual(self.holders(), set())
        waited = answer["products"][0]["waited"]
        self.assertEqual(waited["settle"], SETTLE)
        self.assertGreaterEqual(waited["free"], SETTLE)
        return answer


class RunitTest(SupervisedTest):
    def test_runsv(self):
        require("runsv", "sv")
        service = self.directory("sv")
        run = os.path.join(service, "run")
        with open(run, "w", encoding="ascii") as f:
            f.write(f"#!/bin/sh\nexec sleep 3600 <{self.dll}\n")
        os.chmod(run, 0o755)
        supervisor = subprocess.Popen(["runsv", service], stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)

        def stop():
            subprocess.run(["sv", "-w", str(FAIL_AFTER), "exit", service], check=False,
                           stdout=subprocess.DEVNULL)
            supervisor.wait(FAIL_AFTER)

        self.addCleanup(supervisor.wait)
        self.addCleanup(supervisor.kill)
        self.addCleanup(stop)
        self.comes_back(self.daemon(), stop)


class SystemdTest(SupervisedTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = Manager()
        cls.addClassCleanup(cls.manager.close)
        cls.manager.start()

    def unit(self, **more):
        lines = "".join(f"{key}={value}\n" for key, value in more.items())
        self.manager.unit("held.service", "[Unit]\nDefaultDependencies=no\n"
                          "StartLimitIntervalSec=0\n[Service]\n"
                          f"ExecStart=/bin/sh -c 'exec sleep 3600 <{self.dll}'\n{lines}")
        self.addCleanup(self.manager.run, "systemctl", "--user", "stop", "held.socket",
                        "held.service")

    def test_restart_always(self):
        self.unit(Restart="always")
        self.manager.ctl("daemon-reload")
        self.manager.ctl("start", "held.service")
        self.comes_back(self.daemon(), lambda: self.manager.ctl("stop", "held.service"))

    def test_restart_after_a_second(self):
        self.unit(Restart="always", RestartSec="1s")
        self.manager.ctl("daemon-reload")
        self.manager.ctl("start", "held.service")
        self.comes_back(self.daemon(), lambda: self.manager.ctl("stop", "held.service"))

    def test_socket_activation(self):
        """A connection that nobody has taken starts the service again."""
        self.unit()
        path = "/run/held.sock"
        self.manager.unit("held.socket", "[Unit]\nDefaultDependencies=no\n[Socket]\n"
                          f"ListenStream={path}\nTriggerLimitIntervalSec=0\n")
        self.manager.ctl("daemon-reload")
        self.manager.ctl("start", "held.socket")
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as asker:
            asker.connect(path)
            self.comes_back(self.daemon(),
                            lambda: self.manager.ctl("stop", "held.socket", "held.service"))


if __name__ == "__main__":
    main()
