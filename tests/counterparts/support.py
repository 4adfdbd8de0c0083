# SPDX-License-Identifier: MIT
"""What the tests with real counterparts share: the harness, programs that are there or
not, free ports, and questions over HTTP that are asked again until the answer is in.

A counterpart has no barrier of its own where it only says by its state what it has
seen; until() asks it again, and fails after FAIL_AFTER. Nothing hangs on how long that
took. Programs are started on directories and ports of the test's own, and only those
are ended.
"""
import json
import os
import shutil
import ssl
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from harness import *  # noqa: E402,F401,F403
from harness import FAIL_AFTER, BUILD, ROOT, Failure  # noqa: E402
import web  # noqa: E402

CHECK_SPGUARD = os.path.join(BUILD, "plugin", "check_spguard")
MONITORING = os.path.join(ROOT, "conf", "monitoring")
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin"
ASK_AGAIN = 0.1  # seconds between two questions


def program(*names):
    """The path of the first of @names that is installed; else the test is skipped."""
    for name in names:
        path = shutil.which(name, path=PATH)
        if path:
            return path
    raise unittest.SkipTest(f"{names[0]} is not installed")


def free_ports(n):
    """@n ports of the loopback that nobody listens on, and that are different."""
    ports = set()
    while len(ports) < n:
        ports.add(web.free_port())
    return sorted(ports)


def until(what, ask, last=lambda: ""):
    """What @ask returns once that is true; @last() tells more when it never is."""
    deadline, answer = time.monotonic() + FAIL_AFTER, None
    while time.monotonic() < deadline:
        answer = ask()
        if answer:
            return answer
        time.sleep(ASK_AGAIN)
    raise Failure(f"no {what} within {FAIL_AFTER:g} s: {last()[-4000:]}")


def http(url, data=None, headers=None, context=None):
    """The body of the answer; None while nobody answers, or not with success."""
    request = urllib.request.Request(url, data, headers or {})
    try:
        # Never through a proxy of the environment.
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=context or ssl.create_default_context()))
        with opener.open(request, timeout=FAIL_AFTER) as answer:
            return answer.read().decode()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


def http_json(url, **options):
    body = http(url, **options)
    return None if body is None else json.loads(body)


def serving(daemon, address):
    """@daemon, not started yet, told to serve HTTP at @address."""
    daemon.write_config("[http]", f"listen = {address}")
    return daemon


def await_ready(daemon):
    """Until @daemon, which was spawned to serve HTTP, is ready; a build that cannot
    serve skips."""
    try:
        daemon.log.wait_for(lambda line: "spguardd: ready" in line, "'spguardd: ready'")
    except Failure:
        if "built without libmicrohttpd" in daemon.log_text():
            raise unittest.SkipTest("built without libmicrohttpd") from None
        raise


class Service:
    """A counterpart that runs: its output goes to a file that failures show."""

    def __init__(self, test, command, name=None, **options):
        self.name = name or os.path.basename(command[0])
        self.log_path = test.path(self.name + ".log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, cwd=test.scratch,
                                            **options)
        test.addCleanup(self.close)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return f"{self.name}: {log.read()}"

    def until(self, what, ask):
        def asked():
            if self.process.poll() is not None:
                raise Failure(f"ended with {self.process.returncode}: {self.log()[-4000:]}")
            return ask()
        return until(f"{what} from {self.name}", asked, self.log)

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(FAIL_AFTER)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(FAIL_AFTER)
