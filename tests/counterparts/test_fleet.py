#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fifty daemons on loopback ports, one real Prometheus and one real Alertmanager with
what conf/monitoring ships: which servers are safe for the coming window, who is told of
the one that is not, and a rolling update that stops at it (docs/fleet.md).

SPGUARD_FLEET  how many daemons, 50 unless set, at least 11
"""
import os
import subprocess

from support import (BUILD, FAIL_AFTER, MONITORING, PATH, LineReader, Product, SystemTest,
                     await_ready, free_ports, main, program, serving)

from prometheus import Monitoring

N_SERVERS = int(os.environ.get("SPGUARD_FLEET", "50"))
AT_ONCE = 10  # daemons that start together
GATE = os.path.join(MONITORING, "rolling-update")

RSH = """#!/bin/sh
# Instead of ssh: the server's name is the directory that its socket is in.
SPGUARD_SOCKET="{scratch}/$1/socket" SERVER="{scratch}/$1" PATH="{client}:$PATH"
export SPGUARD_SOCKET SERVER PATH
exec sh -c "$2"
"""


class Server:
    """A daemon with a product of its own; its name is its address."""

    def __init__(self, test, port):
        self.name = f"127.0.0.1:{port}"
        self.files = [test.file(f"Part{n}.dll", test.directory(self.name, "bin"))
                      for n in range(4)]
        self.daemon = serving(test.daemon(
            Product("shop", test.path(self.name, "bin")), home=self.name, start=False),
            self.name)


class FleetTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.rsh = self.path("rsh")
        with open(self.rsh, "w", encoding="utf-8") as f:
            f.write(RSH.format(scratch=self.scratch, client=os.path.join(BUILD, "client")))
        os.chmod(self.rsh, 0o755)

    def start(self, n):
        servers = [Server(self, port) for port in free_ports(n)]
        for first in range(0, n, AT_ONCE):
            batch = servers[first:first + AT_ONCE]
            for server in batch:
                server.daemon.spawn()
            for server in batch:
                await_ready(server.daemon)
        return servers

    def update(self, servers, *args, command="touch $SERVER/applied"):
        """rolling-update, started: what it prints is in .lines."""
        process = subprocess.Popen(
            [GATE, "-e", self.rsh, "-c", command, *args, *(s.name for s in servers)],
            env={"PATH": PATH}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        lines = LineReader(process.stdout)

        def close():
            if process.poll() is None:
                process.kill()
            process.wait(FAIL_AFTER)
            lines.join(FAIL_AFTER)
            process.stdout.close()
        self.addCleanup(close)
        process.lines = lines
        return process

    def applied(self, servers):
        return [os.path.exists(self.path(s.name, "applied")) for s in servers]

    def finish(self, process):
        code = process.wait(FAIL_AFTER * 2)
        process.lines.join(FAIL_AFTER)
        return code, "\n".join(process.lines.lines)


class Fleet(FleetTest):
    def test_fifty_servers(self):
        program("curl")
        program("prometheus")
        servers = self.start(N_SERVERS)
        names = {s.name for s in servers}
        monitoring = Monitoring(self, {"": sorted(names)}, interval="2s")
        monitoring.until("spguard:server_safe == 1", N_SERVERS)

        # One of them is not: the query says which are, the alert says which is not.
        first, second, blocked, *last = servers[:5]
        holder = self.hold("mapped", blocked.files[0])
        # Not by their number: on a busy machine a scrape of another one may be late.
        monitoring.until_from("spguard:server_ready_for_window == 1",
                              names - {blocked.name})
        update = self.update([first, second, blocked, *last], "-p", monitoring.url)
        update.lines.wait_for(lambda line: line.startswith(f"{blocked.name}: waiting until "
                                                           "http"), "stop of the update")
        alert = monitoring.receiver.wait_for("firing", alertname="SpguardBlockedInWindow")
        self.assertEqual(alert["labels"]["instance"], blocked.name)
        self.assertEqual({a["labels"]["instance"] for a in monitoring.alertmanager_alerts()},
                         {blocked.name})
        # All that time it has waited.
        self.assertEqual(self.applied(servers[:6]), [True, True] + [False] * 4)
        self.assertIsNone(update.poll())

        holder.release()
        code, told = self.finish(update)
        self.assertEqual(code, 0, told)
        self.assertEqual(self.applied(servers[:6]), [True] * 5 + [False])
        self.assertEqual(told.count(": done"), 5)
        monitoring.receiver.wait_for("resolved", instance=blocked.name)

        self.stops_when_an_updated_server_is_mixed(monitoring, servers[6:9])

        # A server that is gone is not safe.
        servers[10].daemon.stop()
        (labels, _), = monitoring.until(
            f'spguard:server_safe{{instance="{servers[10].name}"}} == 0')
        self.assertEqual(labels["instance"], servers[10].name)

    def stops_when_an_updated_server_is_mixed(self, monitoring, servers):
        updated, waited_for, _ = servers
        self.hold("mapped", waited_for.files[0])
        monitoring.until(f'spguard:server_safe{{instance="{waited_for.name}"}} == 0')
        update = self.update(servers, "-p", monitoring.url)
        update.lines.wait_for(lambda line: line == f"{updated.name}: done", "first server")
        # Setup comes once more, and leaves out what somebody holds.
        self.hold("mapped", updated.files[0])
        updated.daemon.check()
        for path in updated.files[1:]:
            with open(path + ".new", "wb") as new:
                new.write(b"another version\n")
            os.rename(path + ".new", path)
        updated.daemon.check()
        code, told = self.finish(update)
        self.assertEqual(code, 4, told)
        self.assertIn(f"not touched: {waited_for.name} {servers[2].name}", told)
        self.assertEqual(self.applied(servers), [True, False, False])


class Gate(FleetTest):
    """The rolling update without Prometheus."""

    def setUp(self):
        super().setUp()
        self.servers = self.start(3)

    def test_goes_through_all(self):
        code, told = self.finish(self.update(self.servers))
        self.assertEqual(code, 0, told)
        self.assertEqual(self.applied(self.servers), [True] * 3)

    def test_stops_at_a_blocked_server(self):
        holder = self.hold("mapped", self.servers[1].files[0])
        code, told = self.finish(self.update(self.servers, "-w", "1"))
        self.assertEqual(code, 2, told)
        self.assertEqual(self.applied(self.servers), [True, False, False])
        self.assertIn(f"{self.servers[1].name}: STOP: it is blocked", told)
        self.assertIn(f"kill {holder.pid}", told)  # what to do is told as well
        self.assertIn(f"not touched: {self.servers[2].name}\n", told + "\n")

    def test_waits_for_a_blocked_server(self):
        holder = self.hold("mapped", self.servers[1].files[0])
        update = self.update(self.servers)
        update.lines.wait_for(
            lambda line: line == f"{self.servers[1].name}: waiting until it is safe",
            "wait for the second server")
        self.assertEqual(self.applied(self.servers), [True, False, False])
        holder.release()
        code, told = self.finish(update)
        self.assertEqual(code, 0, told)
        self.assertEqual(self.applied(self.servers), [True] * 3)

    def test_stops_where_nobody_answers(self):
        self.servers[0].daemon.stop()
        code, told = self.finish(self.update(self.servers))
        self.assertEqual(code, 2, told)
        self.assertEqual(self.applied(self.servers), [False] * 3)

    def test_stops_when_the_command_fails(self):
        code, told = self.finish(self.update(self.servers, command="exit 7"))
        self.assertEqual(code, 3, told)
        self.assertIn("exit code 7", told)
        self.assertEqual(self.applied(self.servers), [False] * 3)

    def test_mistakes(self):
        for args in (["-c", "true"], ["a"], ["-c", "true", "-w", "1h", "a"],
                     ["-c", "true", "-x", "a"], ["-c", "true", "a b"],
                     ["-c", "true", "-w", "0", "a"], ["-c", "true", "a", "$(true)"],
                     ["-c", "true", "--", "-oProxyCommand=x"]):
            done = subprocess.run([GATE, *args], env={"PATH": PATH}, capture_output=True,
                                  stdin=subprocess.DEVNULL, text=True, timeout=FAIL_AFTER)
            self.assertEqual(done.returncode, 1, args)
            self.assertEqual(done.stdout, "")
            self.assertTrue(done.stderr.startswith("rolling-update: "), done.stderr)


if __name__ == "__main__":
    main()
