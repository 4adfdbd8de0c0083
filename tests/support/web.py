# SPDX-License-Identifier: MIT
"""HTTP as the daemon serves it: a client over a Unix socket or TCP, and the section
of the configuration that makes it listen."""
import contextlib
import http.client
import json
import random
import socket
import threading
import unittest

import contract
from harness import FAIL_AFTER


def free_port():
    """Nobody listens there now; and it is below the ports that the system gives away, so
    that no connection of another test has it by the time that we listen."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        given_away = int(file.read().split()[0])
    while True:
        port = random.randrange(max(1024, given_away - 22000), given_away)
        with contextlib.closing(socket.socket()) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def section(*addresses, show_processes=True):
    return ["[http]", *(f"listen = {address}" for address in addresses),
            f"show-processes = {'yes' if show_processes else 'no'}"]


def start(daemon, *addresses, show_processes=True, more=()):
    """Start @daemon so that it serves HTTP at @addresses, and with @more lines in that
    section; returns a client for the first."""
    daemon.write_config(*section(*addresses, show_processes=show_processes), *more)
    try:
        daemon.start()
    except Exception:
        if "built without libmicrohttpd" in daemon.log_text():
            raise unittest.SkipTest("built without libmicrohttpd") from None
        raise
    return Web(addresses[0]) if addresses else None


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=FAIL_AFTER)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        # With a timeout, a full queue would be an error and no reason to wait.
        self.sock.connect(self.path)
        self.sock.settimeout(FAIL_AFTER)


def read_answer(sock, method="GET"):
    """(status, headers, body as text) of the only answer on a connection: it ends with
    it."""
    answer = http.client.HTTPResponse(sock, method=method)
    answer.begin()
    body = answer.read().decode()
    if sock.recv(1):
        raise ValueError("there is more than one answer")
    return answer.status, answer.headers, body


class Web:
    """@address as in the configuration."""

    def __init__(self, address):
        self.address = address

    def connection(self):
        if self.address.startswith("unix:"):
            return _UnixConnection(self.address[5:])
        host, port = self.address.rsplit(":", 1)
        return http.client.HTTPConnection(host.strip("[]"), int(port), timeout=FAIL_AFTER)

    def socket(self):
        """Connected, to speak to it byte by byte."""
        connection = self.connection()
        connection.connect()
        return connection.sock

    def raw(self, data, method="GET"):
        """As get() for the bytes of a request, which may be no request; all that was
        answered is read."""
        with contextlib.closing(self.socket()) as sock:
            sock.sendall(data)
            return read_answer(sock, method)

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


class Pipeline:
    """A client that sends requests without a pause, and takes the answers, in threads of
    its own. Where its connection is closed, it makes another."""

    def __init__(self, client, request):
        self.client, self.block = client, request * 200
        self.n_bytes, self.ended = 0, False
        self.news = threading.Condition()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.ended:
            with contextlib.suppress(OSError), self.client.socket() as sock:
                reader = threading.Thread(target=self._read, args=(sock,))
                reader.start()
                try:
                    while not self.ended:
                        sock.sendall(self.block)
                finally:
                    with contextlib.suppress(OSError):
                        sock.shutdown(socket.SHUT_RDWR)
                    reader.join()

    def _read(self, sock):
        while True:
            try:
                n = len(sock.recv(1 << 20))
            except OSError:
                return
            if not n:
                return
            with self.news:
                self.n_bytes += n
                self.news.notify_all()

    def wait_for_more(self):
        """Until it has been answered more than by now."""
        with self.news:
            before = self.n_bytes
            if not self.news.wait_for(lambda: self.n_bytes > before, FAIL_AFTER):
                raise TimeoutError("the pipeline gets no answers")

    def close(self):
        self.ended = True
        self.thread.join()
