#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a client of HTTP can keep the daemon from: nothing."""
import contextlib
import http.client
import json
import os
import re
import select
import selectors
import signal
import socket

from support import FAIL_AFTER, Product, SystemTest, main
import web  # noqa: E402  (support knows where it is)

# daemon/serve/http/connection.h
CONNECTIONS, PEER_CONNECTIONS = 128, 64
STREAMS, PEER_STREAMS = 32, 24  # state.h
NOBODY = 65534
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


class HttpLimitsTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")
        self.n_daemons = 0

    def addresses(self):
        return f"unix:{self.path(f'http{self.n_daemons}.sock')}", f"127.0.0.1:{web.free_port()}"

    def web_daemon(self, address, *products):
        self.n_daemons += 1
        daemon = self.daemon(*products, start=False, home=f"home{self.n_daemons}")
        return daemon, web.start(daemon, address)

    def connect(self, client, data=b"", source=None):
        """A connection that is closed with the test, from address @source."""
        sock = socket.socket(socket.AF_UNIX if client.address.startswith("unix:")
                             else socket.AF_INET)
        self.addCleanup(sock.close)
        if source:
            sock.bind((source, 0))
        if sock.family == socket.AF_UNIX:
            sock.connect(client.address[5:])
        else:
            host, port = client.address.rsplit(":", 1)
            sock.connect((host, int(port)))
        sock.settimeout(FAIL_AFTER)
        sock.sendall(data)
        return sock

    def large_answers(self, n):
        """A product of @n files with long names, about 1 KiB each in an answer."""
        top = self.directory("top")
        deep = self.directory("top", *(letter * 250 for letter in "abcd"))
        for i in range(n - 1):
            self.file(f"Part{i}.dll", deep, content=b"x")
        self.file("Part.dll", top)
        return Product("app", top, recursive=True)

    @contextlib.contextmanager
    def as_user(self, uid, client):
        """What connects is another user's, whom the test's directories let through."""
        os.chmod(self.directory(), 0o755)
        if client.address.startswith("unix:"):
            os.chmod(client.address[5:], 0o666)
        os.seteuid(uid)
        try:
            yield
        finally:
            os.seteuid(0)

    @staticmethod
    def is_open(sock):
        """Neither closed nor answered."""
        return not select.select([sock], [], [], 0)[0]

    def assert_answers(self, *clients):
        for client in clients:
            self.assertEqual(client.get("/healthz")[::2], (200, "ok\n"))
            self.assertEqual(client.get("/metrics")[0], 200)

    def assert_no_descriptor_is_left(self, daemon, client, before):
        """Those that the daemon had @before, as soon as it has noticed who has gone."""
        for _ in range(1000):
            client.get("/healthz")
            now = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
            if now <= before:
                return
        self.assertLessEqual(now, before)

    # The loop

    def test_a_pipeline_and_the_socket_take_turns(self):
        """A client that sends requests without a pause is answered, and so is everybody
        else meanwhile."""
        for address in self.addresses():
            for request in (HEALTH, HEALTH.replace(b"healthz", b"api/check?nope=1"),
                            HEALTH.replace(b"GET", b"HEAD")):
                with self.subTest(address=address, request=request):
                    daemon, client = self.web_daemon(address)
                    pipelines = [web.Pipeline(client, request) for _ in range(3)]
                    try:
                        asking = self.rpc(daemon)
                        for _ in range(20):
                            pipelines[0].wait_for_more()
                            self.assertEqual(asking.call("check")["verdict"], "safe")
                    finally:
                        for pipeline in pipelines:
                            pipeline.close()
                    self.assertEqual(daemon.stop(), 0)

    def test_a_connection_has_one_request(self):
        """What follows it is thrown away, and takes nothing of the answer back."""
        for address in self.addresses():
            with self.subTest(address=address):
                daemon, client = self.web_daemon(address)
                before = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
                for more in (HEALTH, HEALTH * 3000, b"POST / HTTP/1.1\r\n", b"\0" * 100000):
                    status, headers, body = client.raw(
                        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + more)
                    self.assertEqual((status, headers["Connection"]), (200, "close"))
                    self.assertIn("</html>", body)
                self.assert_no_descriptor_is_left(daemon, client, before)

    def test_peers_take_turns(self):
        """Who asks much waits for himself."""
        for i in range(3000):
            self.file(f"Part{i}.dll", content=b"x")
        self.hold("mapped", self.dll)
        addresses = self.addresses()
        daemon = self.daemon(start=False)
        web.start(daemon, *addresses)
        local, tcp = (web.Web(address) for address in addresses)
        request = b"GET /api/check?all HTTP/1.1\r\nHost: localhost\r\n\r\n"
        daemon.signal(signal.SIGSTOP)
        asking = [self.connect(tcp, request) for _ in range(40)]
        with self.as_user(NOBODY, local):
            other = self.connect(local, request)
        daemon.signal(signal.SIGCONT)
        with selectors.DefaultSelector() as selector:
            for sock in [*asking, other]:
                selector.register(sock, selectors.EVENT_READ)
            answered = []
            while other not in answered:
                for key, _ in selector.select(FAIL_AFTER):
                    selector.unregister(key.fileobj)
                    answered.append(key.fileobj)
        self.assertLess(len(answered), 20)
        for sock in [*asking, other]:
            self.assertEqual(web.read_answer(sock)[0], 200)

    # Slots

    def test_slow_ones_of_one_peer(self):
        whole = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for address in self.addresses():
            for part in (b"", whole[:8], whole[:-2]):
                with self.subTest(address=address, part=part):
                    daemon, client = self.web_daemon(address)
                    before = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
                    slow = [self.connect(client, part) for _ in range(200)]
                    self.assert_answers(client)
                    # The oldest have gone for the others.
                    self.assertFalse(any(map(self.is_open, slow[:200 - PEER_CONNECTIONS])))
                    self.assertTrue(self.is_open(slow[-1]))
                    self.assertTrue(self.is_open(slow[10 - PEER_CONNECTIONS]))
                    # It still gets its answer.
                    if part:
                        slow[-1].sendall(whole[len(part):])
                        self.assertEqual(web.read_answer(slow[-1])[0], 200)
                    for sock in slow:
                        sock.close()
                    self.assert_no_descriptor_is_left(daemon, client, before)
                    self.assertEqual(daemon.stop(), 0)

    def test_slow_ones_of_many_addresses_of_this_machine(self):
        """They are one user, or where that is not known the loopback."""
        _, client = self.web_daemon(self.addresses()[1])
        slow = [self.connect(client, b"GET / HT", source=f"127.0.{i // 50}.{i % 50 + 2}")
                for i in range(200)]
        self.assert_answers(client)
        self.assertFalse(any(map(self.is_open, slow[:200 - PEER_CONNECTIONS])))
        self.assertTrue(self.is_open(slow[-1]))

    def test_slow_ones_of_many_peers(self):
        """All slots are taken: the oldest of all goes."""
        addresses = self.addresses()
        web.start(self.daemon(start=False), *addresses)
        local, tcp = (web.Web(address) for address in addresses)
        first = [self.connect(tcp, b"GET / HT") for _ in range(PEER_CONNECTIONS)]
        with self.as_user(NOBODY - 1, local):
            second = [self.connect(local, b"G") for _ in range(CONNECTIONS - PEER_CONNECTIONS)]
        with self.as_user(NOBODY, local):
            third = self.connect(local, HEALTH)
        self.assertEqual(web.read_answer(third)[0], 200)
        self.assertFalse(self.is_open(first[0]))
        self.assertTrue(all(map(self.is_open, first[1:] + second)))

    def test_users_of_this_machine(self):
        """They are told apart, over TCP as well."""
        for address in self.addresses():
            with self.subTest(address=address):
                daemon, client = self.web_daemon(address)
                with self.as_user(NOBODY, client):
                    streams = [client.events() for _ in range(PEER_STREAMS)]
                    self.assertEqual(client.error("/api/events")[0], 503)
                streams += [client.events() for _ in range(STREAMS - PEER_STREAMS)]
                self.assertEqual(client.error("/api/events")[0], 503)
                for stream in streams:
                    self.assertEqual(stream.answer.status, 200)
                    stream.close()
                self.assertEqual(daemon.stop(), 0)

    def test_a_head_has_its_time(self):
        """However often a byte comes. One that never began has no answer to read."""
        _, client = self.web_daemon(self.addresses()[1])
        slow, silent = self.connect(client, b"GET / HTTP/1.1\r\nX: "), self.connect(client)
        with selectors.DefaultSelector() as selector:
            selector.register(slow, selectors.EVENT_READ)
            while not selector.select(0.2):
                slow.sendall(b"x")
        status, headers, body = web.read_answer(slow)
        self.assertEqual((status, headers["Connection"]), (408, "close"))
        self.assertIn("in time", json.loads(body)["error"]["message"])
        self.assertEqual(silent.recv(1), b"")

    def test_answers_that_are_not_taken(self):
        """Who has all slots, and is owed answers, is refused more, and nobody else; then
        those that do not read them are dropped, and streams are not."""
        # The kernel takes 208 KiB of each.
        daemon, client = self.web_daemon(self.addresses()[0], self.large_answers(400))
        files = b"GET /api/check?all HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with self.as_user(NOBODY, client):
            streams = [client.events() for _ in range(PEER_STREAMS)]
            stuck = [self.connect(client, files)
                     for _ in range(PEER_CONNECTIONS - PEER_STREAMS)]
            status, message, _ = client.error("/healthz")
            self.assertEqual(status, 503)
            self.assertIn("too many", message)
        self.assert_answers(client)
        with selectors.DefaultSelector() as nothing, self.as_user(NOBODY, client):
            while client.get("/healthz")[0] != 200:
                nothing.select(0.2)
        self.assert_answers(client)
        self.assert_safe(daemon)
        self.hold("mapped", self.path("top", "Part.dll"))
        for stream in streams:
            stream.wait_for("verdict", lambda data: data["verdict"] == "blocked")
            stream.close()
        # Who was not dropped has his whole answer.
        whole = 0
        for sock in stuck:
            with contextlib.suppress(http.client.HTTPException, OSError):
                whole += len(json.loads(web.read_answer(sock)[2])["files"]) == 400
        self.assertGreater(whole, 0)
        self.assertLess(whole, len(stuck))

    def memory(self, daemon, key="VmHWM"):
        """The most that it has had, in bytes, or what it has (VmRSS); None where a sanitizer keeps what is freed."""
        with open(f"/proc/{daemon.process.pid}/maps", encoding="utf-8") as maps:
            if re.search("lib[at]san", maps.read()):
                return None
        with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) * 1024 for line in status
                        if line.startswith(key))

    def assert_memory_comes_back(self, daemon, most):
        with selectors.DefaultSelector() as nothing:
            for _ in range(100):
                if self.memory(daemon, "VmRSS") < most:
                    return
                nothing.select(0.1)
        self.assertLess(self.memory(daemon, "VmRSS"), most)

    def test_answers_that_are_not_taken_cost_little(self):
        """8 MiB of one peer, then his questions wait; 32 MiB of all, then answers of the
        greediest are dropped."""
        product = self.large_answers(800)
        files = b"GET /api/check?all HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for n_users, n, most in ((1, PEER_CONNECTIONS, 30 << 20), (6, 20, 60 << 20)):
            with self.subTest(n_users=n_users):
                daemon, client = self.web_daemon(self.addresses()[0], product)
                size = len(client.raw(files)[2])
                self.assertGreater(n * n_users * size, 1.5 * most)
                before, whole, stuck = self.memory(daemon), 0, []
                for i in range(n_users):
                    with self.as_user(NOBODY - i, client):
                        stuck.append([self.connect(client, files) for _ in range(n)])
                # Whatever they get, they have had when others were answered so often.
                for _ in range(n * n_users):
                    self.assertEqual(client.get("/api/check")[0], 200)
                if before is not None:
                    self.assertLess(self.memory(daemon) - before, most)
                for sock in [sock for socks in zip(*stuck) for sock in socks]:
                    with contextlib.suppress(http.client.HTTPException, OSError):
                        status, _, body = web.read_answer(sock)
                        self.assertEqual(status, 200)
                        whole += len(json.loads(body)["files"]) == 800
                if n_users == 1:
                    self.assertEqual(whole, n)  # they wait, and lose nothing
                else:
                    self.assertLess(whole, n * n_users)
                if before is not None:
                    self.assert_memory_comes_back(daemon, before + (6 << 20))
                self.assertEqual(daemon.stop(), 0)

    # What is no request

    def test_each_fault_has_one_answer(self):
        get, host = b"GET / HTTP/1.1\r\n", b"Host: localhost\r\n"
        faults = (
            (b"GET /\r\n\r\n", 400), (b"\x16\x03\x01\x02\x00", 400),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
            (b"GET http://localhost/ HTTP/1.1\r\n" + host + b"\r\n", 400),
            (b"GET /%00 HTTP/1.1\r\n" + host + b"\r\n", 400),
            (b"GET /\0 HTTP/1.1\r\n" + host + b"\r\n", 400),
            (b"GET /api/check?" + b"p=1&" * 2500 + b" HTTP/1.1\r\n" + host + b"\r\n", 400),
            (b"GET /" + b"a" * 1000000, 414),
            (get + host + b"X: " + b"a" * 100000, 431),
            (get + host + b"X: a\r\n" * 200 + b"\r\n", 431),
            (get + host + b"Cookie: " + b"a=b;" * 500 + b"\r\n\r\n", 431),
            (get + host + b"X\r\n\r\n", 400),
            (get + host + b"Content-Length: 5\r\n\r\nhello" + HEALTH, 413),
            (get + host + b"Content-Length: -5\r\n\r\n", 400),
            (get + host + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HEALTH, 413),
            (get + host + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
             b"0\r\n\r\n" + HEALTH, 400),
            (get + host + b"Expect: 100-continue\r\n\r\n", 417),
            (b"POST /api/check HTTP/1.1\r\n" + host + b"Content-Length: 1000000\r\n\r\n"
             + b"x" * 50000, 405),
            (b"TRACE / HTTP/1.1\r\n" + host + b"\r\n", 405),
            (b"CONNECT x:1 HTTP/1.1\r\n" + host + b"\r\n", 405))
        for address in self.addresses():
            daemon, client = self.web_daemon(address)
            before = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
            for data, expected in faults:
                with self.subTest(address=address, data=data[:60]):
                    sock = self.connect(client)
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        sock.sendall(data)
                    status, headers, body = web.read_answer(sock)
                    sock.close()
                    self.assertEqual((status, headers["Content-Type"]),
                                     (expected, "application/json"))
                    error = json.loads(body)["error"]
                    self.assertEqual(set(error), {"code", "message", "hint"})
                    self.assertEqual(headers["Allow"], "GET, HEAD" if status == 405 else None)
                    self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            self.assert_answers(client)
            self.assert_no_descriptor_is_left(daemon, client, before)
            self.assertEqual(daemon.stop(), 0)

    def test_as_many_parameters_as_there_may_be(self):
        """What is let through, the library has memory for."""
        _, client = self.web_daemon(self.addresses()[1])
        paths = "&".join(["paths=Mdbperf.dll"] * 256)
        cookies = "; ".join(f"c{i}=" + "v" * 50 for i in range(80))
        status, _, body = client.get(f"/api/who?{paths}", headers={"Cookie": cookies})
        self.assertEqual(status, 200, body)
        self.assertEqual(client.error("/api/check?" + "&" * 255)[0], 400)


if __name__ == "__main__":
    main()
