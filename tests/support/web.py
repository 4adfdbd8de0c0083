# SPDX-License-Identifier: MIT
"""HTTP as the daemon serves it: a client over a Unix socket or TCP, and the section
of the configuration that makes it listen."""
import contextlib
import http.client
import json
import socket

import contract
from harness import FAIL_AFTER


def free_port():
    """Nobody listens there now; another program may before we do."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def section(*addresses, show_processes=True):
    return ["[http]", *(f"listen = {address}" for address in addresses),
            f"show-processes = {'yes' if show_processes else 'no'}"]


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=FAIL_AFTER)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        # With a timeout, a full queue would be an error and no reason to wait.
        self.sock.connect(self.path)
        self.sock.settimeout(FAIL_AFTER)


class Web:
    """@address as in the configuration."""

    def __init__(self, address):
        self.address = address

    def connection(self):
        if self.address.startswith("unix:"):
            return _UnixConnection(self.address[5:])
        host, port = self.address.rsplit(":", 1)
        return http.client.HTTPConnection(host.strip("[]"), int(port), timeout=FAIL_AFTER)

    def get(self, path, method="GET", headers=None, body=None):
        """(status, headers, body as text)"""
        with contextlib.closing(self.connection()) as connection:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()

    def json(self, path):
        status, _, body = self.get(path)
        if status != 200:
            raise ValueError(f"{path}: {status} {body}")
        method = path.partition("?")[0].rpartition("/")[2]
        return contract.hold(method, json.loads(body), withheld=True)

    def error(self, path, **options):
        """(status, message, hint)"""
        status, _, body = self.get(path, **options)
        error = json.loads(body)["error"]
        return status, error["message"], error["hint"]

    def events(self, path="/api/events"):
        return Events(self.connection(), path)


class Events:
    """A stream of server-sent events, read one by one."""

    def __init__(self, connection, path):
        self.connection = connection
        connection.request("GET", path)
        self.answer = connection.getresponse()
        self.first = self.read_block()

    def read_block(self):
        """The lines of one event, [] at the end."""
        lines = []
        while True:
            line = self.answer.readline().decode()
            if line in ("", "\n"):
                return lines
            lines.append(line.rstrip("\n"))

    def wait_for(self, name, predicate=lambda data: True):
        """The data of the first event of that name for which it is true."""
        while True:
            block = self.read_block()
            if not block:
                raise EOFError(f"no event {name}")
            fields = dict(line.split(": ", 1) for line in block if ": " in line)
            if fields.get("event") != name:
                continue
            data = json.loads(fields["data"])
            if predicate(data):
                return data

    def close(self):
        self.answer.close()
        self.connection.close()
