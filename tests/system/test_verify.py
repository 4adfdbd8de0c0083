#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""verify is judged beside the loop: what comes meanwhile neither ends the daemon nor leaves
two answers."""
import os
import signal

from support import Product, SystemTest, main

N = 400


class VerifyTest(SystemTest):
    def setUp(self):
        super().setUp()
        first = self.module("user0.dll", version="1.0.0.0", tables=["lib.dll:Old"])
        for i in range(1, N):
            os.link(first, os.path.join(self.bin, f"user{i}.dll"))
        self.module("lib.dll", version="1.0.0.0", tables=["+Old"])
        self.app = self.daemon(Product("app", self.bin), daemon_keys={"install-quiet": "1ms"})

    def ask(self):
        """A connection that waits for the answer."""
        connection = self.app.rpc()
        connection.send_raw(b'{"jsonrpc": "2.0", "id": 1, "method": "verify"}\n')
        return connection

    def meanwhile(self, n):
        """So much later: @n other questions are answered."""
        rpc = self.app.rpc()
        for _ in range(n):
            rpc.call("status")
        rpc.close()

    def update(self, fits):
        self.module("lib.dll", version="2.0.0.0" if fits else "0.9.0.0",
                    tables=["+Old"] if fits else ["+Other"])

    def assert_agreed(self, fits):
        rpc = self.rpc(self.app)
        rpc.call("installs", wait=60)
        self.assertEqual(rpc.call("verify")["verdict"], "fits" if fits else "mixed")
        unresolved = self.app.status()["products"][0]["installs"]["unresolved"]
        self.assertEqual(unresolved is None, fits)

    def test_each_gets_an_answer(self):
        asked = [self.ask() for _ in range(10)]
        for connection in asked:
            answer = connection.read_message()["result"]
            self.assertEqual(answer["verdict"], "fits")
            self.assertEqual(answer["products"][0]["checked"], N + 1)
            connection.close()

    def test_clients_that_go(self):
        for k in range(60):
            connection = self.ask()
            self.meanwhile(3 * k)
            connection.close()
        self.assert_agreed(True)

    def test_installs_meanwhile(self):
        for k in range(8):
            fits = k % 2 == 1
            asked = [self.ask() for _ in range(3)]
            self.meanwhile(20 * k)
            self.update(fits)
            for connection in asked:
                self.assertIn(connection.read_message()["result"]["verdict"],
                              ("fits", "mixed"))
                connection.close()
            self.assert_agreed(fits)

    def test_reloads_meanwhile(self):
        for k in range(8):
            asked = [self.ask() for _ in range(3)]
            self.meanwhile(10 * k)
            self.app.products[0].name = f"app{k % 3}"
            self.app.write_config()
            self.app.signal(signal.SIGHUP)
            for connection in asked:
                self.assertEqual(connection.read_message()["result"]["verdict"], "fits")
                connection.close()

    def test_stop_meanwhile(self):
        for k in range(5):
            asked = [self.ask() for _ in range(3)]
            self.meanwhile(30 * k)
            code = self.app.stop()
            for connection in asked:
                connection.close()
            self.assertEqual(code, 0, self.app.log_text())
            self.app.close()
            self.app.start()


if __name__ == "__main__":
    main()
