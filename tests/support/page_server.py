#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Serves the page with answers that are made up: for tests of the page alone, for
pictures that are the same every time, and for looking at it while it is changed.

  page_server.py [--port N] [--world NAME] [--sources]

--sources serves daemon/serve/page/ as it lies there, without a policy. Worlds: see
worlds in page_worlds.py.
"""
import argparse
import contextlib
import http.server
import importlib.util
import json
import os
import queue
import socket
import sys
import threading
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import page_worlds  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOURCES = os.path.join(ROOT, "daemon", "serve", "page")
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript"}


def assemble():
    """The document and its policy, as the build makes them."""
    spec = importlib.util.spec_from_file_location("assemble",
                                                  os.path.join(SOURCES, "assemble.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.assemble(os.path.join(SOURCES, "page.html"))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, body, kind="application/json", status=200, headers=()):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        address = urllib.parse.urlsplit(self.path)
        params = {name: values[-1] for name, values
                  in urllib.parse.parse_qs(address.query).items()}
        server = self.server.stand_in
        server.asked.append(self.path)
        if address.path == "/api/events":
            self.stream(server)
        elif address.path.startswith("/api/"):
            self.answer(server, address.path[5:], params)
        elif server.sources:
            self.source(address.path)
        elif address.path == "/":
            self.reply(server.document.encode(), TYPES[".html"],
                       headers=[("Content-Security-Policy", server.policy)])
        else:
            self.reply(b"", status=404)

    def answer(self, server, method, params):
        try:
            with server.lock:
                answer = server.world.answer(method, params)
            self.reply(json.dumps(answer).encode())
        except page_worlds.Refused as refused:
            self.reply(json.dumps({"error": {"code": refused.code, "message": str(refused),
                                             "hint": refused.hint}}).encode(),
                       status=refused.status)

    def source(self, path):
        name = os.path.basename(path) or "page.html"
        try:
            with open(os.path.join(SOURCES, name), "rb") as f:
                self.reply(f.read(), TYPES.get(os.path.splitext(name)[1], "text/plain"),
                           headers=[("Cache-Control", "no-store")])
        except OSError:
            self.reply(b"", status=404)

    def stream(self, server):
        if not server.streams:
            self.reply(b'{"error":{"message":"no streams"}}', status=503)
            return
        mine = queue.Queue()
        server.listeners.append(mine)  # before the page can know of its stream
        try:
            self.send_events(mine)
        except OSError:
            pass
        finally:
            server.listeners.remove(mine)
            self.close_connection = True

    def send_events(self, mine):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(b"retry: 2000\n\n")
        self.wfile.flush()
        while True:
            try:
                message = mine.get(timeout=15)
            except queue.Empty:
                message = ":\n\n"
            if message is None:
                break
            self.wfile.write(message.encode())
            self.wfile.flush()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *args):
        self.connections, self.connections_lock = set(), threading.Lock()
        super().__init__(*args)

    def process_request(self, request, client_address):
        with self.connections_lock:
            self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        with self.connections_lock:
            self.connections.discard(request)
        super().shutdown_request(request)

    def end_connections(self):
        """Those that browsers keep for their next question as well."""
        with self.connections_lock:
            for connection in self.connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request, client_address):
        pass  # a browser that goes away


class StandIn:
    """A server on a port of this machine. world answers; asked has every request."""

    def __init__(self, world, port=0, sources=False, streams=True):
        self.world, self.sources, self.streams = world, sources, streams
        self.asked, self.listeners, self.lock = [], [], threading.Lock()
        self.document, self.policy = assemble()
        self.server, self.port = None, port
        self.start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}/"

    def start(self):
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.server.stand_in = self
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,),
                                       daemon=True)
        self.thread.start()

    def stop(self):
        """As a daemon that ends: no port, no streams, no connections."""
        self.server.shutdown()
        self.server.server_close()
        self.end_streams()
        self.server.end_connections()
        self.thread.join()

    def end_streams(self):
        for listener in list(self.listeners):
            listener.put(None)

    def tell(self, kind, data):
        """An event to all who listen."""
        for listener in list(self.listeners):
            listener.put(f"event: {kind}\ndata: {json.dumps(data)}\n\n")

    def change(self, act):
        """Change the world, and tell the verdicts that changed by it."""
        with self.lock:
            before = {p.name: p.verdict() for p in self.world.products}
            act(self.world)
            changed = [p for p in self.world.products if p.verdict() != before.get(p.name)]
            events = [self.world.verdict_event(p) for p in changed]
        for event in events:
            self.tell("verdict", event)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--world", default="blocked", choices=sorted(page_worlds.worlds))
    parser.add_argument("--sources", action="store_true")
    options = parser.parse_args()
    server = StandIn(page_worlds.worlds[options.world](), options.port, options.sources)
    print(server.address)
    server.thread.join()


if __name__ == "__main__":
    main()
