#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whatever comes in at the socket ends at most that session."""
import json
import os

from support import RpcError, SystemTest, main

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
    ("parameters by position",
     b'{"jsonrpc":"2.0","id":1,"method":"check","params":["app"]}\n', -32602),
    ("no such product",
     b'{"jsonrpc":"2.0","id":1,"method":"check","params":{"product":"x"}}\n', -32002),
)


class GarbageTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.file("Mdbperf.dll")
        self.served = self.daemon()
        self.neighbour = self.rpc(self.served)
        self.neighbour.call("hello")

    def others_are_served(self):
        self.assertEqual(self.neighbour.call("check", product="app")["verdict"], "safe")
        self.assert_safe(self.served)

    def flood(self, data):
        """Send @data; the error that comes back, and the end of the session."""
        rpc = self.rpc(self.served)
        try:
            rpc.send_raw(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        errors = []
        while True:
            message = rpc.read_message()
            if message is None:
                return errors
            errors.append(message["error"]["code"])

    def test_two_megabytes_without_an_end(self):
        errors = self.flood(b"x" * (2 << 20))
        self.assertIn(errors, ([-32003], []))
        self.others_are_served()

    def test_two_megabytes_of_noise(self):
        rpc = self.rpc(self.served)
        try:
            rpc.send_raw(os.urandom(2 << 20))
        except (BrokenPipeError, ConnectionResetError):
            pass
        rpc.close()
        self.others_are_served()

    def test_too_large_a_request(self):
        request = {"jsonrpc": "2.0", "id": 1, "method": "check",
                   "params": {"names": ["x" * 100] * 20000}}
        errors = self.flood(json.dumps(request).encode() + b"\n")
        self.assertIn(errors, ([-32003], []))
        self.others_are_served()

    def test_half_a_request_and_gone(self):
        rpc = self.rpc(self.served)
        rpc.send_raw(b'{"jsonrpc":"2.0","id":1,"meth')
        rpc.close()
        self.others_are_served()

    def test_gone_before_the_answer(self):
        for _ in range(20):
            rpc = self.rpc(self.served)
            rpc.send_raw(b'{"jsonrpc":"2.0","id":1,"method":"check"}\n'
                         b'{"jsonrpc":"2.0","id":2,"method":"check","params":{"wait":60}}\n')
            rpc.close()
        self.others_are_served()

    def test_byte_by_byte(self):
        rpc = self.rpc(self.served)
        for byte in b'{"jsonrpc":"2.0","id":7,"method":"hello"}\n':
            rpc.send_raw(bytes([byte]))
        self.assertEqual(rpc.read_message()["id"], 7)

    def test_many_connections(self):
        """More than one user may have: refused, not served badly."""
        connections = []
        refused = 0
        for _ in range(200):
            rpc = self.rpc(self.served)
            connections.append(rpc)
            try:
                rpc.send_raw(b'{"jsonrpc":"2.0","id":1,"method":"hello"}\n')
                message = rpc.read_message()
            except (BrokenPipeError, ConnectionResetError):
                message = None
            if message is None or "error" in message:
                refused += 1
        self.assertGreater(refused, 0)
        for rpc in connections:
            rpc.close()
        self.assertEqual(self.neighbour.call("check", product="app")["verdict"], "safe")

    def test_hints(self):
        with self.assertRaises(RpcError) as caught:
            self.neighbour.call("check", product="nothing")
        self.assertEqual(caught.exception.code, -32002)
        self.assertTrue(caught.exception.hint)

    def test_discover(self):
        document = self.neighbour.call("rpc.discover")
        names = {method["name"] for method in document["methods"]}
        self.assertLessEqual({"hello", "check", "who", "locks", "log", "status", "subscribe",
                              "unsubscribe", "flush", "reload", "rpc.discover",
                              "hold.begin", "hold.renew", "hold.end"}, names)


def add(name, data, code):
    def test(self):
        rpc = self.rpc(self.served)
        rpc.send_raw(data)
        message = rpc.read_message()
        self.assertEqual(message["error"]["code"], code, message)
        self.assertTrue(message["error"]["message"])
        self.others_are_served()
    setattr(GarbageTest, "test_" + name.replace(" ", "_"), test)


for _row in LINES:
    add(*_row)


if __name__ == "__main__":
    main()
