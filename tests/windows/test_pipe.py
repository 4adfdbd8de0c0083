#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whatever comes in at the pipe ends at most that session; the answers are those of the
Unix socket (tests/system/test_garbage.py)."""
import json
import os

from daemon import NEED_WINE, Connection, DaemonTest, Talker, main
from harness import FOR_DOS

LINES = (
    ("not JSON", b"hello there\n", -32700),
    ("half an object", b'{"jsonrpc":"2.0","id":1,\n', -32700),
    ("no UTF-8", b'{"jsonrpc":"2.0","id":1,"method":"\xff\xfe"}\n', -32700),
    ("a NUL", b'{"jsonrpc":"2.0","id":1,"method":"hel\x00lo"}\n', -32700),
    ("deep nesting", b"[" * 10000 + b"\n", -32700),
    ("too many elements", b"[" * 100000 + b"\n", -32003),
    ("no request", b'{"id":1}\n', -32600),
    ("a number", b"42\n", -32600),
    ("no such method", b'{"jsonrpc":"2.0","id":1,"method":"explode"}\n', -32601),
    ("unknown parameter",
     b'{"jsonrpc":"2.0","id":1,"method":"check","params":{"colour":1}}\n', -32602),
    ("wrong type",
     b'{"jsonrpc":"2.0","id":1,"method":"check","params":{"product":7}}\n', -32602),
    ("no such product",
     b'{"jsonrpc":"2.0","id":1,"method":"check","params":{"product":"x"}}\n', -32002),
)
HELLO = b'{"jsonrpc":"2.0","id":7,"method":"hello"}\n'


@NEED_WINE
class PipeTest(DaemonTest):
    def setUp(self):
        super().setUp()
        self.world.make("Mdbperf.dll", FOR_DOS)
        self.served = self.daemon()
        self.talker = Talker(self.world, self.served.socket)
        self.addCleanup(self.talker.close)
        self.neighbour = self.connect()
        self.neighbour.call("hello")

    def connect(self):
        return Connection(self.talker)

    def others_are_served(self):
        self.assertEqual(self.neighbour.call("check", product="app")["verdict"], "safe")

    def send_large(self, data):
        """As a file: what became of sending it, and the codes of the errors until the end
        of the session."""
        with open(os.path.join(self.world.drive, "data"), "wb") as file:
            file.write(data)
        connection, codes = self.connect(), []
        said = connection.send_file("C:/data")
        self.assertIn(said, ("sent", "ended"))
        while (message := connection.read_message()) is not None:
            codes.append(message["error"]["code"])
        return codes

    def test_lines(self):
        for name, data, code in LINES:
            with self.subTest(name=name):
                connection = self.connect()
                connection.send_raw(data)
                message = connection.read_message()
                self.assertEqual(message["error"]["code"], code, message)
                self.assertTrue(message["error"]["message"])
                connection.close()
        self.others_are_served()

    def test_two_megabytes(self):
        request = {"jsonrpc": "2.0", "id": 1, "method": "check",
                   "params": {"names": ["x" * 100] * 20000}}
        for data in b"x" * (2 << 20), json.dumps(request).encode() + b"\n":
            self.assertIn(self.send_large(data), ([-32003], []))
        self.others_are_served()

    def test_noise(self):
        with open(os.path.join(self.world.drive, "data"), "wb") as file:
            file.write(os.urandom(2 << 20))
        connection = self.connect()
        self.assertIn(connection.send_file("C:/data"), ("sent", "ended"))
        connection.close()
        self.others_are_served()

    def test_half_a_request_and_gone(self):
        connection = self.connect()
        connection.send_raw(b'{"jsonrpc":"2.0","id":1,"meth')
        connection.close()
        self.others_are_served()

    def test_gone_before_the_answer(self):
        for _ in range(20):
            connection = self.connect()
            connection.send_raw(
                b'{"jsonrpc":"2.0","id":1,"method":"check"}\n'
                b'{"jsonrpc":"2.0","id":2,"method":"check","params":{"wait":60}}\n')
            connection.close()
        self.others_are_served()

    def test_killed_in_mid_request(self):
        other = Talker(self.world, self.served.socket)
        for _ in range(5):
            Connection(other).send_raw(b'{"jsonrpc":"2.0","id":1,"method":"check"}\n{"js')
        other.process.kill()
        other.close()
        self.others_are_served()

    def test_byte_by_byte(self):
        connection = self.connect()
        for byte in HELLO:
            connection.send_raw(bytes([byte]))
        self.assertEqual(connection.read_message()["id"], 7)

    def test_a_hundred_clients(self):
        """More than one user may have: some are refused, the others are answered, each its
        own question; and there is room when they have gone."""
        connections = [self.connect() for _ in range(100)]
        answered = refused = 0
        for i, connection in enumerate(connections):
            try:
                connection.send_raw(HELLO.replace(b"7", b"%d" % i))
                message = connection.read_message()
            except BrokenPipeError:
                message = None
            if message is None or "error" in message:
                refused += 1
            else:
                self.assertEqual(message["id"], i)
                answered += 1
        self.assertGreaterEqual(answered, 60)
        self.assertGreater(refused, 0)
        for connection in connections:
            connection.close()
        self.others_are_served()
        again = [self.connect() for _ in range(40)]
        for connection in again:
            self.assertIn("version", connection.call("hello"))


if __name__ == "__main__":
    main()
