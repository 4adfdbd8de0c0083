#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a client of HTTP can keep the daemon from: nothing."""
from support import SystemTest, main
import web  # noqa: E402  (support knows where it is)

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


class HttpLimitsTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")
        self.n_daemons = 0

    def addresses(self):
        return f"unix:{self.path('http.sock')}", f"127.0.0.1:{web.free_port()}"

    def web_daemon(self, address, *products):
        self.n_daemons += 1
        daemon = self.daemon(*products, start=False, home=f"home{self.n_daemons}")
        return daemon, web.start(daemon, address)

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


if __name__ == "__main__":
    main()
