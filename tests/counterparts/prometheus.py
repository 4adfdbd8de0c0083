# SPDX-License-Identifier: MIT
"""A real Prometheus and a real Alertmanager with what conf/monitoring/prometheus ships,
on directories and loopback ports of the test's own, and somebody who gets the alerts.

Changed is only what a test has to: addresses, intervals, and the maintenance window,
which is a file that administrators edit.
"""
import http.server
import json
import os
import queue
import shutil
import threading
import urllib.parse

from support import FAIL_AFTER, MONITORING, Failure, Service, free_ports, http_json, program

SHIPPED = os.path.join(MONITORING, "prometheus")
WINDOW = """groups:
  - name: spguard-window
    rules:
      - {record: "spguard:window_open", expr: "vector(1)"}
      - {record: "spguard:window_ahead", expr: "vector(1)"}
"""


def shipped(name):
    with open(os.path.join(SHIPPED, name), encoding="utf-8") as f:
        return f.read()


def replaced(text, *pairs):
    for old, new in pairs:
        if old not in text:
            raise Failure(f"{old!r} is not in what is shipped")
        text = text.replace(old, new)
    return text


class Receiver:
    """The end of the way of an alert: a webhook."""

    def __init__(self, test):
        received = self.queue = queue.Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()
                for alert in body["alerts"]:
                    received.put(alert)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        test.addCleanup(self.server.server_close)
        test.addCleanup(self.server.shutdown)

    def wait_for(self, status, **labels):
        """The first alert not taken yet that has @status and @labels."""
        others = []
        while True:
            try:
                alert = self.queue.get(timeout=FAIL_AFTER * 2)
            except queue.Empty:
                raise Failure(f"no alert {status} {labels}; got {others}")
            if alert["status"] == status and labels.items() <= alert["labels"].items():
                return alert
            others.append((alert["status"], alert["labels"]))


class Monitoring:
    """@targets: lists of addresses by the name of their window ("": none). The window is
    open."""

    def __init__(self, test, targets, interval="1s"):
        prometheus = program("prometheus")
        alertmanager = program("prometheus-alertmanager", "alertmanager")
        self.folder = test.directory("etc", "spguard")
        self.receiver = Receiver(test)
        self.port, self.alertmanager_port = free_ports(2)
        for name in "spguard-rules.yml", "spguard-alerts.yml":
            shutil.copy(os.path.join(SHIPPED, name), self.folder)
        self.write("spguard/spguard-window.yml", WINDOW)
        self.write_targets(targets)
        self.write("prometheus.yml", replaced(
            shipped("prometheus.yml"), ("interval: 15s", f"interval: {interval}"),
            ("127.0.0.1:9093", f"127.0.0.1:{self.alertmanager_port}")))
        self.write("alertmanager.yml", replaced(
            shipped("alertmanager.yml"), ("group_wait: 30s", "group_wait: 0s"),
            ("group_interval: 1m", "group_interval: 1s"),
            ("127.0.0.1:9095", f"127.0.0.1:{self.receiver.port}")))
        self.alertmanager = Service(test, [
            alertmanager, f"--config.file={test.path('etc', 'alertmanager.yml')}",
            f"--storage.path={test.directory('alertmanager')}",
            f"--web.listen-address=127.0.0.1:{self.alertmanager_port}",
            "--cluster.listen-address="], "alertmanager")
        self.prometheus = Service(test, [
            prometheus, f"--config.file={test.path('etc', 'prometheus.yml')}",
            f"--storage.tsdb.path={test.directory('prometheus')}",
            f"--web.listen-address=127.0.0.1:{self.port}"], "prometheus")
        self.url = f"http://127.0.0.1:{self.port}"
        self.prometheus.until("readiness", lambda: self.api("status/runtimeinfo"))

    def write(self, name, text):
        """Replace a file in one step, as file_sd wants it."""
        path = os.path.join(os.path.dirname(self.folder), name)
        with open(path + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.rename(path + ".new", path)

    def write_targets(self, targets):
        # JSON is YAML.
        self.write("spguard/targets.yml", json.dumps(
            [{"targets": addresses, "labels": {"window": window} if window else {}}
             for window, addresses in targets.items()]))

    def api(self, path, **parameters):
        """The data of an answer; None while there is none."""
        answer = http_json(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        return answer["data"] if answer and answer["status"] == "success" else None

    def query(self, expression):
        """[(labels, value)] of an instant query; None while there is no answer."""
        data = self.api("query", query=expression)
        return data and [(r["metric"], float(r["value"][1])) for r in data["result"]]

    def until(self, expression, n=1):
        """Wait until @expression has @n results, and return them."""
        return self.prometheus.until(
            f"{n} of {expression}",
            lambda: (lambda got: got if got is not None and len(got) == n else None)(
                self.query(expression)))

    def until_from(self, expression, instances):
        """Wait until exactly @instances have results of @expression."""
        return self.prometheus.until(
            f"{expression} of those {len(instances)}",
            lambda: {labels["instance"] for labels, _ in self.query(expression) or []}
            == set(instances))

    def until_alert(self, name, state, **labels):
        return self.prometheus.until(f"alert {name} {state}", lambda: [
            a for a in (self.api("alerts") or {"alerts": []})["alerts"]
            if a["state"] == state and a["labels"]["alertname"] == name
            and labels.items() <= a["labels"].items()])

    def alertmanager_alerts(self):
        return http_json(
            f"http://127.0.0.1:{self.alertmanager_port}/api/v2/alerts?active=true") or []
