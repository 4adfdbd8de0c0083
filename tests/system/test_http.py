#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""HTTP: the same answers as on the socket, nothing that changes anything, and without
what names a process unless that is wanted."""
import contextlib
import grp
import json
import os
import re
import signal
import socket
import sys
import unittest

from support import FAIL_AFTER, Product, SystemTest, main
import web  # noqa: E402  (support knows where it is)
from exposition import Exposition  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")

# What a service manager does: argv is the port, then the program and its arguments.
HAND_OVER = """
import os, socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
    os.dup2(listener.fileno(), 3)
    os.set_inheritable(3, True)  # when it had that number already
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="http")
    os.execv(sys.argv[2], sys.argv[2:])
"""


def is_built(daemon):
    return "built without libmicrohttpd" not in daemon.log_text()


class HttpTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")
        self.file("Other.dll")

    def web_daemon(self, *products, address=None, show_processes=True, **options):
        """A daemon that serves HTTP, and the client for it."""
        address = address or f"unix:{self.path('http.sock')}"
        daemon = self.daemon(*products, start=False, **options)
        return daemon, web.start(daemon, address, show_processes=show_processes)

    def test_off_unless_configured(self):
        daemon = self.daemon()
        sockets = set()
        for fd in os.listdir(f"/proc/{daemon.process.pid}/fd"):
            with contextlib.suppress(FileNotFoundError):  # a file that it has read
                sockets.add(os.readlink(f"/proc/{daemon.process.pid}/fd/{fd}"))
        for table in ("tcp", "tcp6"):
            with open(f"/proc/net/{table}", encoding="ascii") as f:
                for line in list(f)[1:]:
                    self.assertNotIn(f"socket:[{line.split()[9]}]", sockets)

    def test_the_same_answers(self):
        daemon, client = self.web_daemon(Product("app", self.bin), Product("b", self.bin))
        holder = self.hold("mapped", self.dll)
        over_socket = daemon.json("check", "--product", "app")[1]
        over_http = client.json("/api/check?product=app")
        for answer in (over_socket, over_http):
            for key in ("at", "generation", "proof"):
                del answer[key], answer["products"][0][key]
            for entry in answer["files"]:
                for use in entry["uses"]:
                    # Made from two clocks each time.
                    del use["since"], use["started"]
        self.assertEqual(over_http, over_socket)
        self.assertEqual(client.json("/api/check")["verdict"], "blocked")
        self.assertEqual(len(client.json("/api/check?product=app&all")["files"]), 2)
        self.assertEqual(len(client.json("/api/check?product=app&all=0")["files"]), 1)
        who = client.json("/api/who?paths=Mdbperf.dll&product=app")
        self.assertEqual(who["files"][0]["uses"][0]["pid"], holder.pid)
        self.assertEqual(client.json("/api/locks")["locks"], [])
        self.assertEqual(client.json("/api/status")["pid"], daemon.process.pid)
        daemon.run("flush")
        begun = client.json("/api/log?kinds=use-begin&kinds=use-end&limit=5")["events"]
        self.assertEqual({e["kind"] for e in begun}, {"use-begin"})
        self.assertEqual(len(client.json("/api/maintenance?product=app&days=1&utc=1")["slots"]),
                         168)
        self.assertEqual(client.json("/api/installs")["installs"], [])

    def test_metrics_by_accept(self):
        _, client = self.web_daemon()
        status, headers, body = client.get("/metrics")
        self.assertEqual((status, headers["Content-Type"]),
                         (200, "text/plain; version=0.0.4; charset=utf-8"))
        self.assertEqual(Exposition(body, False).value(
            "spguard_verdict", product="app", spguard_verdict="safe"), 1)
        # As Prometheus asks since 2.x.
        status, headers, body = client.get("/metrics", headers={
            "Accept": "application/openmetrics-text;version=1.0.0;q=0.75,"
                      "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"})
        self.assertEqual((status, headers["Content-Type"]), (
            200, "application/openmetrics-text; version=1.0.0; charset=utf-8"))
        self.assertEqual(Exposition(body, True).value("spguard_up"), 1)
        _, headers, _ = client.get("/metrics", headers={
            "Accept": "application/openmetrics-text;q=0.1,text/plain"})
        self.assertIn("text/plain", headers["Content-Type"])

    def test_health(self):
        _, client = self.web_daemon()
        self.assertEqual(client.get("/healthz")[::2], (200, "ok\n"))

    def test_refusals(self):
        daemon, client = self.web_daemon()
        for path, status, words in (
                ("/api/nothing", 404, "nothing at this path"),
                ("/etc/passwd", 404, "nothing at this path"),
                ("/api/reload", 404, "nothing at this path"),
                ("/api/hold.begin?product=app&for=10", 404, "nothing at this path"),
                ("/api/sidestep.apply?paths=x", 404, "nothing at this path"),
                ("/api/check?product=zz", 404, "there is no product"),
                ("/api/events?product=zz", 404, "no such product"),
                ("/api/log?limit=many", 400, "whole number"),
                ("/api/log?limit=99999999999999999999", 400, "whole number"),
                ("/api/maintenance?product=app&for=1e999", 400, "must be a number"),
                ("/api/maintenance?product=app&for=nan", 400, "must be a number"),
                ("/api/check?colour=red", 400, "no parameter"),
                ("/api/check?product=%ff%fe", 400, "not UTF-8"),
                ("/api/check?wait=5", 400, "nothing waits"),
                ("/api/check?product=b&product=app", 400, "given twice"),
                ("/api/check?product=app%00b", 400, "NUL"),
                ("/api/check%00x", 400, "NUL"),
                ("/api/installs?ended=1", 403, "may not say")):
            with self.subTest(path=path):
                got, message, hint = client.error(path)
                self.assertEqual(got, status, message)
                self.assertIn(words, message)
                self.assertTrue(hint)
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            with self.subTest(method=method):
                status, headers, body = client.get("/api/check", method=method, body="x" * 9999)
                self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))
                self.assertIn("only reads", json.loads(body)["error"]["message"])
        self.assertEqual(client.get("/api/check", method="HEAD")[::2], (200, ""))
        self.assert_safe(daemon)

    def test_the_manual_and_the_hint_have_them_all(self):
        daemon, client = self.web_daemon()
        methods = self.rpc(daemon).call("rpc.discover")["methods"]
        served = {m["name"] for m in methods if m["x-over-http"]} - {"metrics"}
        self.assertFalse(served & {m["name"] for m in methods if m["x-needs-admin"]})
        with open(os.path.join(ROOT, "man", "spguardd.8.scd"), encoding="utf-8") as manual:
            described = set(re.findall(r"\*/api/([a-z]+)\*", manual.read())) - {"events"}
        self.assertEqual(described, served)
        hint = client.error("/api/nothing")[2]
        self.assertEqual(set(hint.split("/api/ with ")[1].split(", ")), served)

    def test_headers(self):
        _, client = self.web_daemon()
        _, headers, _ = client.get("/api/check")
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(headers["Cache-Control"], "no-cache")
        self.assertIsNone(headers["Access-Control-Allow-Origin"])
        self.assertIsNone(headers["X-Accel-Buffering"])

    def check_hosts(self, client, port):
        """@port: none for a Unix socket, where each may be meant."""
        ours, other = port or 9763, (port or 9763) ^ 1
        for hosts, status in (
                (["localhost"], 200), ([f"localhost:{ours}"], 200), (["LOCALHOST"], 200),
                (["127.0.0.1"], 200), ([f"127.0.0.1:{ours}"], 200), (["127.8.9.10"], 200),
                (["[::1]"], 200), ([f"[0:0::1]:{ours}"], 200),
                (["[::ffff:127.0.0.1]"], 200), ([f"localhost:{other}"], 421 if port else 200),
                (["localhost."], 421), (["localhost.evil"], 421), (["evil.example"], 421),
                (["127.0.0.1.evil.example:9763"], 421), (["1.2.3.4"], 421), (["127.1"], 421),
                (["[::2]"], 421), (["x" * 300], 421),
                ([], 400), ([""], 400), (["localhost", "localhost"], 400),
                (["localhost", "evil.example"], 400), (["localhost:evil"], 400),
                (["localhost:99999"], 400), (["localhost@evil"], 400), (["[::1"], 400),
                (["[::1]evil"], 400), (["::1"], 400)):
            for method in ("GET", "HEAD"):
                for path in ("/healthz", "/api/events?product=zz"):
                    fields = "".join(f"Host: {host}\r\n" for host in hosts)
                    request = f"{method} {path} HTTP/1.1\r\n{fields}\r\n"
                    expected = 404 if status == 200 and path != "/healthz" else status
                    with self.subTest(request=request):
                        got, headers, body = client.raw(request.encode(), method)
                        self.assertEqual(got, expected)
                        if method == "HEAD":
                            self.assertEqual(body, "")
                        elif got != 200:
                            self.assertEqual(headers["Content-Type"], "application/json")
                            self.assertTrue(json.loads(body)["error"]["hint"])

    def test_only_by_local_names(self):
        """A foreign page cannot ask in the browser of somebody here (DNS rebinding)."""
        port = web.free_port()
        _, client = self.web_daemon(address=f"127.0.0.1:{port}")
        self.check_hosts(client, port)

    def test_only_by_local_names_at_a_unix_socket(self):
        self.check_hosts(self.web_daemon()[1], None)

    def test_only_by_local_names_at_a_socket_of_the_service_manager(self):
        """It bound the socket; to 127.0.0.1 as well, and pages can lead there."""
        port = web.free_port()
        daemon = self.daemon(start=False, prefix=(sys.executable, "-c", HAND_OVER, str(port)))
        web.start(daemon)
        self.check_hosts(web.Web(f"127.0.0.1:{port}"), port)

    def test_each_listener_for_itself(self):
        """One that other machines reach answers to any name; the others still do not."""
        port = web.free_port()
        local, anywhere = f"unix:{self.path('http.sock')}", f"0.0.0.0:{port}"
        daemon = self.daemon(start=False)
        client = web.start(daemon, local, anywhere)
        request = b"GET /healthz HTTP/1.1\r\nHost: app.example\r\n\r\n"
        self.assertEqual(client.raw(request)[0], 421)
        self.assertEqual(web.Web(anywhere).raw(request)[0], 200)
        self.assertEqual(web.Web(anywhere).raw(request.replace(b"app.", b"app@"))[0], 400)

    def test_ipv6(self):
        if not os.path.exists("/proc/net/if_inet6"):
            self.skipTest("no IPv6 here")
        _, client = self.web_daemon(address=f"[::1]:{web.free_port()}")
        self.assertEqual(client.get("/healthz")[0], 200)

    def test_the_group_of_a_unix_socket(self):
        """It may be another one than that of the local socket."""
        path, other = self.path("http.sock"), grp.getgrgid(1)
        for line, gid, mode in ((f"group = {other.gr_name}", other.gr_gid, 0o660),
                                ("group =", 0, 0o600), ("", 0, 0o660)):
            with self.subTest(line=line):
                daemon = self.daemon(start=False, home=f"home{line[8:]}{len(line)}")
                client = web.start(daemon, f"unix:{path}", more=[line])
                self.assertEqual((os.stat(path).st_gid, os.stat(path).st_mode & 0o777),
                                 (gid, mode))
                self.assertEqual(os.stat(daemon.socket).st_gid, 0)
                self.assertEqual(client.get("/healthz")[0], 200)
                if line == "group =":
                    daemon.write_config(*web.section(f"unix:{path}"), "group = daemon")
                    code, out, _ = daemon.run("reload")
                    self.assertEqual(code, 0)
                    self.assertIn("[http] group = daemon takes effect at the next start", out)
                self.assertEqual(daemon.stop(), 0)
        daemon = self.daemon(start=False)
        daemon.write_config(*web.section(f"unix:{path}"), "group = no-such-group")
        daemon.spawn()
        self.assertEqual(daemon.process.wait(FAIL_AFTER), 78)
        daemon.log.wait_for(lambda line: "[http] group = no-such-group" in line, "which key")

    def test_an_address_in_use(self):
        port = web.free_port()
        with socket.socket() as other:
            other.bind(("127.0.0.1", port))
            other.listen()
            daemon = self.daemon(start=False)
            daemon.write_config(*web.section(f"127.0.0.1:{port}"))
            daemon.spawn()
            self.assertNotEqual(daemon.process.wait(FAIL_AFTER), 0)
        if is_built(daemon):
            daemon.log.wait_for(lambda line: "another program listens there" in line,
                                "who is there")

    # What names a process

    def leaks(self, text, holder):
        """What of the holder is in @text. (Its number alone may be part of a time.)"""
        exe = os.readlink(f"/proc/{holder.pid}/exe")
        words = [exe, f'"{os.path.basename(exe)}"', f"{os.path.basename(exe)} (", '"pid"',
                 '"user"', '"exe"', '"unit"', f":{holder.pid},", f":{holder.pid}}}"]
        return [word for word in words if word in text]

    def test_processes_are_not_shown_by_default(self):
        daemon, client = self.web_daemon(show_processes=False)
        stream = client.events()
        holder = self.hold("posix", self.dll)
        seen = json.dumps(stream.wait_for("verdict"))
        stream.close()
        daemon.run("flush")
        for path in ("/api/check", "/api/who", "/api/locks", "/api/log", "/api/status",
                     "/api/installs", "/api/maintenance?product=app", "/api/timeline", "/metrics"):
            with self.subTest(path=path):
                self.assertEqual(self.leaks(client.get(path)[2], holder), [])
        self.assertEqual(self.leaks(seen, holder), [])
        bar = client.json("/api/timeline")["files"][0]["bars"][0]
        self.assertEqual(set(bar), {"from", "to", "how", "setup_stops", "cut"})
        answer = client.json("/api/check")
        self.assertEqual(answer["verdict"], "blocked")
        self.assertEqual(answer["reasons"], [
            {"kind": "files-in-use", "product": "app", "count": 1,
             "text": "one file is in use"}])
        self.assertEqual(answer["next"], [
            {"kind": "ask-server", "product": "app",
             "text": "on the server: spguard check"}])
        self.assertEqual(answer["files"][0]["path"], self.dll)
        self.assertEqual(set(answer["files"][0]["uses"][0]), {"how", "since", "class"})
        events = client.json("/api/log")["events"]
        self.assertIn("use-begin", {event["kind"] for event in events})
        status = client.json("/api/status")
        self.assertEqual(status["products"][0]["name"], "app")
        self.assertNotIn("pid", status)

    def test_a_place_that_cannot_be_looked_at_is_told(self):
        _, client = self.web_daemon(Product("app", self.path("none")), show_processes=False)
        answer = client.json("/api/check")
        lack = answer["proof"]["coverage"][0]
        self.assertEqual((lack["kind"], lack["path"]), ("directory-missing", self.path("none")))
        reason, = answer["reasons"]
        self.assertEqual((reason["kind"], reason["lack"], reason["file"]),
                         ("not-looked-at", "directory-missing", self.path("none")))
        self.assertIn("does not exist", reason["text"])
        self.assertEqual([step["kind"] for step in answer["next"]], ["remedy"])
        self.assertIn("does not exist", lack["why"])
        self.assertIn("create it", lack["remedy"])

    def test_nobody_asks_for_processes_that_are_not_shown(self):
        """Whether there are events of a name would tell what runs here."""
        daemon, client = self.web_daemon(show_processes=False)
        holder = self.hold("mapped", self.dll)
        daemon.run("flush")
        for process in ("holder", str(holder.pid), "none", ""):
            status, message, hint = client.error(f"/api/log?process={process}")
            self.assertEqual(status, 403)
            self.assertIn("not shown", message)
            self.assertIn("spguard log", hint)
        daemon.write_config(*web.section(client.address))
        self.assertEqual(daemon.run("reload")[0], 0)
        self.assertTrue(client.json(f"/api/log?process={holder.pid}")["events"])

    def test_a_reload_shows_them(self):
        daemon, client = self.web_daemon(show_processes=False)
        holder = self.hold("mapped", self.dll)
        self.assertNotIn("pid", client.json("/api/check")["files"][0]["uses"][0])
        daemon.write_config(*web.section(client.address))
        self.assertEqual(daemon.run("reload")[0], 0)
        self.assertEqual(client.json("/api/check")["files"][0]["uses"][0]["pid"], holder.pid)

    # Events as they happen

    def test_events(self):
        _, client = self.web_daemon()
        stream = client.events("/api/events?product=app")
        self.assertEqual(stream.answer.headers["Content-Type"], "text/event-stream")
        # Behind nginx nothing of it would arrive.
        self.assertEqual(stream.answer.headers["X-Accel-Buffering"], "no")
        self.assertEqual(stream.first, ["retry: 2000"])
        holder = self.hold("mapped", self.dll)
        event = stream.wait_for("event", lambda e: e["kind"] == "use-begin")
        self.assertEqual((event["path"], event["pid"]), (self.dll, holder.pid))
        self.assertEqual(stream.wait_for("verdict")["verdict"], "blocked")
        holder.release()
        self.assertEqual(stream.wait_for("verdict")["verdict"], "safe")
        stream.close()

    def test_one_that_does_not_read_stalls_nobody(self):
        daemon, client = self.web_daemon()
        stuck, reader = client.events(), client.events()
        rounds = 0
        while daemon.status()["subscriber_drops"] == 0:
            for _ in range(200):
                with open(self.dll, "rb"):
                    pass
            daemon.check()
            rounds += 1
            self.assertLess(rounds, 2000)
            while client.json("/api/log?limit=1")["events"][-1]["id"] > \
                    reader.wait_for("event")["id"]:
                pass
        self.assert_safe(daemon)
        self.assertGreater(stuck.wait_for("dropped")["dropped"], 0)
        stuck.close()
        reader.close()

    def test_too_many_streams(self):
        daemon, client = self.web_daemon()
        streams = [client.events() for _ in range(24)]
        status, message, _ = client.error("/api/events")
        self.assertEqual(status, 503)
        self.assertIn("too many", message)
        self.assertEqual(client.get("/healthz")[0], 200)
        streams.pop().close()
        self.assert_safe(daemon)
        self.assertEqual(daemon.stop(), 0)
        for stream in streams:
            while stream.read_block():
                pass  # what was under way; then it ends
            stream.close()

    def test_streams_of_pages_that_were_closed_are_nobodys(self):
        """Who loads a page again and again has its events each time."""
        for address in (f"unix:{self.path('http.sock')}", f"127.0.0.1:{web.free_port()}"):
            with self.subTest(address=address):
                daemon, client = self.web_daemon(address=address, home=address[:4])
                for _ in range(100):
                    stream = client.events()
                    self.assertEqual(stream.answer.status, 200)
                    stream.close()
                kept = client.events()
                holder = self.hold("mapped", self.dll)
                self.assertEqual(kept.wait_for("verdict")["verdict"], "blocked")
                holder.release()
                kept.close()
                self.assertEqual(daemon.stop(), 0)

    def test_too_many_connections(self):
        daemon, client = self.web_daemon()
        idle = []
        for _ in range(200):
            connection = client.connection()
            connection.connect()
            idle.append(connection)
        self.assert_safe(daemon)
        for connection in idle:
            connection.close()
        self.assertEqual(client.get("/healthz")[0], 200)

    def test_many_questions_end_no_hold(self):
        """Whatever keeps the daemon busy, the hold goes on."""
        for i in range(5000):
            self.file(f"Part{i}.dll", content=b"x")
        daemon, client = self.web_daemon(show_processes=False)
        holding = self.rpc(daemon)
        hold = holding.call("hold.begin", **{"for": 600})["hold"]
        asking = []
        for _ in range(60):
            connection = client.connection()
            connection.request("GET", "/api/check?all")
            asking.append(connection)
        # One that goes while it waits for its turn keeps nobody from his.
        for connection in asking[::10]:
            connection.close()
        self.assertEqual(client.get("/healthz")[0], 200)
        for i, connection in enumerate(asking):
            if i % 10:
                answer = connection.getresponse()
                self.assertEqual(json.loads(answer.read())["verdict"], "safe")
                connection.close()
        self.assertEqual(holding.call("hold.end", hold=hold)["cause"], "ended")

    def test_many_that_go_before_their_turn(self):
        """They hold up nobody: who comes then has his answer, with nothing else to do."""
        self.hold("mapped", self.dll)
        for address in (f"unix:{self.path('http.sock')}", f"127.0.0.1:{web.free_port()}"):
            with self.subTest(address=address):
                daemon, client = self.web_daemon(address=address, home=address[:4])
                daemon.signal(signal.SIGSTOP)
                waiting = []
                for _ in range(40):
                    connection = client.connection()
                    connection.request("GET", "/metrics")
                    waiting.append(connection)
                for connection in waiting:
                    connection.close()
                daemon.signal(signal.SIGCONT)
                self.assertEqual(client.get("/metrics")[0], 200)
                self.assertEqual(daemon.stop(), 0)

    def test_garbage(self):
        daemon, client = self.web_daemon()
        for data in (b"\0" * 5000, b"GET / HTTP/1.1\r\nHost: " + b"x" * 100000,
                     b"GET /api/check?" + b"a=b&" * 20000 + b" HTTP/1.1\r\n\r\n",
                     b"GET /api/check HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
                     b"GET /%00%01/../../etc HTTP/1.1\r\nHost: localhost\r\n\r\n", b"G"):
            connection = client.connection()
            connection.connect()
            try:
                connection.sock.sendall(data)
            except OSError:
                pass
            connection.close()
        self.assertEqual(client.get("/healthz")[0], 200)
        self.assert_safe(daemon)

    def test_a_client_that_goes_before_its_answer(self):
        daemon, client = self.web_daemon()
        for path in ("/api/check", "/metrics", "/api/log", "/api/maintenance?product=app"):
            for _ in range(20):
                connection = client.connection()
                connection.request("GET", path)
                connection.close()
        self.assertEqual(client.get("/healthz")[0], 200)
        self.assert_safe(daemon)
        self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    main()
