#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A real nginx with what conf/proxy/nginx.conf ships: below a prefix, behind a password,
with events as they happen."""
import base64
import http.client
import os
import subprocess

from support import (ROOT, Product, Service, SystemTest, await_ready, free_ports, main,
                     program, serving)

SHIPPED = os.path.join(ROOT, "conf", "proxy", "nginx.conf")
AUTHORIZATION = "Basic " + base64.b64encode(b"me:secret").decode()


class Proxy(SystemTest):
    def setUp(self):
        super().setUp()
        nginx = program("nginx")
        directory = self.directory("bin")
        self.dll = self.file("app.dll", directory)
        self.socket = self.path("http.sock")
        self.guarded = serving(
            self.daemon(Product("app", directory), start=False),
            f"unix:{self.socket}")
        self.guarded.spawn()
        await_ready(self.guarded)
        self.port = free_ports(1)[0]
        with open(SHIPPED, encoding="utf-8") as f:
            location = f.read()
        for theirs, ours in (("/run/spguard/http.sock", self.socket),
                             ("/etc/nginx/spguard.htpasswd", self.path("htpasswd"))):
            self.assertIn(theirs, location)
            location = location.replace(theirs, ours)
        with open(self.path("htpasswd"), "w", encoding="utf-8") as f:
            f.write("me:{PLAIN}secret\n")
        with open(self.path("location.conf"), "w", encoding="utf-8") as f:
            f.write(location)
        with open(self.path("nginx.conf"), "w", encoding="utf-8") as f:
            f.write(f"""daemon off; user root; pid {self.path("nginx.pid")};
error_log stderr;
events {{}}
http {{
    access_log off;
    {"".join(f"{what}_temp_path {self.path(what)}; " for what in (
        "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))}
    server {{
        listen 127.0.0.1:{self.port};
        include {self.path("location.conf")};
    }}
}}
""")
        checked = subprocess.run([nginx, "-t", "-c", self.path("nginx.conf")],
                                 capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stderr)
        self.nginx = Service(self, [nginx, "-c", self.path("nginx.conf")])
        self.nginx.until("an answer", lambda: self.answers())

    def answers(self):
        try:
            return self.get("/spguard/healthz")[0] == 200
        except ConnectionError:
            return False

    def ask(self, path, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        self.addCleanup(connection.close)
        connection.request("GET", path, headers=headers)
        return connection.getresponse()

    def get(self, path, headers=None):
        answer = self.ask(path, {"Authorization": AUTHORIZATION} if headers is None
                          else headers)
        return answer.status, answer.read().decode()

    def test_a_password_is_asked_for(self):
        self.assertEqual(self.get("/spguard/api/check", headers={})[0], 401)

    def test_page_and_answers_below_the_prefix(self):
        status, page = self.get("/spguard/")
        self.assertEqual(status, 200)
        self.assertIn("<title>spguard", page)
        # Nothing that the page asks for leaves the prefix.
        for outside in ('"/api', "'/api", "`/api", 'src="/', 'href="/'):
            self.assertNotIn(outside, page)
        status, answer = self.get("/spguard/api/check?product=app")
        self.assertEqual(status, 200, answer)
        self.assertIn('"safe"', answer)

    def test_a_name_of_somebody_elses_changes_nothing(self):
        status, _ = self.get("/spguard/healthz", headers={
            "Authorization": AUTHORIZATION, "Host": "evil.example"})
        self.assertEqual(status, 200)

    def test_events_as_they_happen(self):
        stream = self.ask("/spguard/api/events", {"Authorization": AUTHORIZATION})
        self.assertEqual(stream.status, 200)
        self.assertEqual(stream.readline(), b"retry: 2000\n")
        holder = self.hold("mapped", self.dll)
        # Each line comes although the answer has no end.
        while b'"blocked"' not in stream.readline():
            pass
        holder.release()


if __name__ == "__main__":
    main()
