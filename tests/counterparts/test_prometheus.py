#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""promtool and amtool judge what conf/monitoring/prometheus ships; a real Prometheus
scrapes a real spguardd, and a real alert reaches a real Alertmanager and from there a
receiver."""
import json
import os
import re
import subprocess
import unittest

from support import (Product, SystemTest, await_ready, free_ports, http, main, program,
                     serving)

from exposition import Exposition
from prometheus import SHIPPED, Monitoring, shipped

HERE = os.path.dirname(os.path.abspath(__file__))
RULES = ["spguard-window.yml", "spguard-rules.yml", "spguard-alerts.yml"]
# What Prometheus and users add to the labels of a series.
FOREIGN_LABELS = {"job", "instance", "window", "product", "severity", "alertname"}


def accepted(*command, **options):
    done = subprocess.run(command, stdin=options.pop("stdin", subprocess.DEVNULL),
                          capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def dashboard():
    return json.loads(shipped("grafana-dashboard.json"))


def dashboard_expressions():
    board = dashboard()
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    for annotation in board["annotations"]["list"]:
        if "expr" in annotation:
            yield annotation["expr"]


def grounded(expression):
    """An expression of the dashboard without Grafana's variables."""
    return expression.replace("$__rate_interval", "5m").replace("$instance", ".*") \
                     .replace("$product", ".*")


class Shipped(unittest.TestCase):
    def test_promtool_takes_the_rules(self):
        promtool = program("promtool")
        for name in RULES:
            out = accepted(promtool, "check", "rules", "--lint=all", "--lint-fatal",
                           os.path.join(SHIPPED, name))
            self.assertNotRegex(out, "(?i)warn|error|duplicate")

    def test_rule_unit_tests(self):
        for name in "rules-test.yml", "rules-week-test.yml":
            out = accepted(program("promtool"), "test", "rules",
                           os.path.join(HERE, "data", name))
            self.assertIn("SUCCESS", out)

    def test_every_alert_has_a_unit_test(self):
        with open(os.path.join(HERE, "data", "rules-test.yml"), encoding="utf-8") as f:
            tested = set(re.findall(r"alertname: (\w+)", f.read()))
        alerts = re.findall(r"- alert: (\w+)", shipped("spguard-alerts.yml"))
        self.assertEqual(set(alerts), tested)
        for alert in re.split(r"- alert: ", shipped("spguard-alerts.yml"))[1:]:
            self.assertRegex(alert, "severity: (critical|warning)\n")
            self.assertIn("summary:", alert)
            self.assertIn("description:", alert)

    def test_dashboard_is_whole(self):
        board = dashboard()
        self.assertEqual(len({p["id"] for p in board["panels"]}), len(board["panels"]))
        kinds = {r["id"] for r in board["__requires"] if r["type"] == "panel"}
        taken = set()
        for panel in board["panels"]:
            self.assertIn(panel["type"], kinds)
            self.assertEqual(panel["datasource"]["uid"], "${datasource}")
            self.assertTrue(panel["title"] and panel["description"] and panel["targets"])
            grid = panel["gridPos"]
            self.assertLessEqual(grid["x"] + grid["w"], 24)
            cells = {(x, y) for x in range(grid["x"], grid["x"] + grid["w"])
                     for y in range(grid["y"], grid["y"] + grid["h"])}
            self.assertFalse(cells & taken, panel["title"])
            taken |= cells
            ids = [t["refId"] for t in panel["targets"]]
            self.assertEqual(len(set(ids)), len(ids))
        self.assertLessEqual({"state-timeline", "timeseries", "heatmap"}, kinds)
        names = {v["name"] for v in board["templating"]["list"]}
        for expression in dashboard_expressions():
            self.assertLessEqual(set(re.findall(r"\$(\w+)", expression)),
                                 names | {"__rate_interval"})

    def test_dashboard_queries_are_promql(self):
        rules = {"groups": [{"name": "dashboard", "rules": [
            {"record": f"query:{n}", "expr": grounded(expression)}
            for n, expression in enumerate(dashboard_expressions())]}]}
        read, write = os.pipe()
        with os.fdopen(write, "w") as f:
            json.dump(rules, f)
        accepted(program("promtool"), "check", "rules", f"/dev/fd/{read}", pass_fds=[read])
        os.close(read)


class Scraped(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")
        self.file("Gwperf.dll")
        self.product = Product("exchange55", self.bin, title="Exchange 5.5")

    def serving(self):
        """A daemon that listens on a port: it and its address."""
        address = f"127.0.0.1:{free_ports(1)[0]}"
        daemon = serving(self.daemon(self.product, start=False), address)
        await_ready(daemon.spawn())
        return daemon, address

    def test_promtool_takes_the_configuration(self):
        etc = self.directory("etc", "spguard")
        for name in [*RULES, "targets.yml"]:
            with open(os.path.join(etc, name), "w", encoding="utf-8") as f:
                f.write(shipped(name))
        config = self.path("etc", "prometheus.yml")
        with open(config, "w", encoding="utf-8") as f:
            f.write(shipped("prometheus.yml"))
        out = accepted(program("promtool"), "check", "config", config)
        self.assertIn("3 rule files found", out)
        self.assertNotIn("WARN", out)
        accepted(program("amtool"), "check-config", os.path.join(SHIPPED, "alertmanager.yml"))

    def test_every_name_and_label_is_one_of_the_daemon(self):
        daemon = self.daemon(self.product)
        code, text, _ = daemon.run("metrics", "--format", "prometheus")
        self.assertEqual(code, 0)
        metrics = Exposition(text, False)
        recorded = set(re.findall(r"record: (\S+)", shipped("spguard-window.yml") +
                                  shipped("spguard-rules.yml")))
        labels = {}
        for _, samples in metrics.families.values():
            for _, have, _ in samples:
                for name, value in have.items():
                    labels.setdefault(name, set()).add(value)
        texts = [re.sub(r"(?m)#.*|^ *(summary|description|- alert|name):.*", "", shipped(name))
                 for name in RULES[1:]]
        texts += [grounded(e) for e in dashboard_expressions()]
        seen = set()
        for text in texts:
            for name in re.findall(r"\bspguard[_:][a-z0-9_:]+", text):
                self.assertIn(name, metrics.names() | recorded | set(labels), text)
                seen.add(name)
            for name, values in re.findall(r'(\w+)=~?"([^"]*)"', text):
                if name in FOREIGN_LABELS:
                    continue
                for value in values.split("|"):
                    self.assertIn(value, labels[name], text)
            for names in re.findall(r"(?:without|by|on|ignoring) \(([^)]*)\)", text):
                for name in names.split(", "):
                    self.assertIn(name, FOREIGN_LABELS | set(labels))
        # What is recorded is used, if only by people: nothing is left over.
        self.assertLessEqual(recorded, seen)

    def test_promtool_takes_the_metrics(self):
        promtool = program("promtool")
        daemon, address = self.serving()
        _, printed, _ = daemon.run("metrics", "--format", "prometheus")
        for text in printed, http(f"http://{address}/metrics",
                                  headers={"Accept": "text/plain"}):
            self.assertIn("spguard_verdict{", text)
            read, write = os.pipe()
            with os.fdopen(write, "w") as f:
                f.write(text)
            out = accepted(promtool, "check", "metrics", stdin=read)
            os.close(read)
            self.assertEqual(out, "")

    def test_an_alert_reaches_its_receiver(self):
        daemon, address = self.serving()
        monitoring = Monitoring(self, {"": [address]})
        blocked = 'spguard_verdict{spguard_verdict="blocked"} == '
        (labels, _), = monitoring.until(blocked + "0")
        self.assertEqual(labels["instance"], address)
        self.assertEqual(labels["product"], "exchange55")
        target, = monitoring.api("targets")["activeTargets"]
        self.assertEqual((target["health"], target["lastError"]), ("up", ""))
        monitoring.until("spguard:server_safe == 1")

        holder = self.hold("mapped", self.dll)
        monitoring.until(blocked + "1")
        monitoring.until("spguard:verdict == 2")
        monitoring.until_alert("SpguardBlockedInWindow", "pending", product="exchange55")
        firing = monitoring.receiver.wait_for(
            "firing", alertname="SpguardBlockedInWindow", instance=address,
            product="exchange55", severity="critical")
        self.assertIn("its maintenance window is open", firing["annotations"]["summary"])
        self.assertIn("spguard check --product exchange55",
                      firing["annotations"]["description"])
        self.assertIn("SpguardBlockedInWindow",
                      [a["labels"]["alertname"] for a in monitoring.alertmanager_alerts()])

        holder.release()
        monitoring.until("spguard:server_safe == 1")
        monitoring.receiver.wait_for("resolved", alertname="SpguardBlockedInWindow",
                                     instance=address)
        daemon.stop()
        monitoring.until('up{job="spguard"} == 0')
        monitoring.until("spguard:server_safe == 0")
        monitoring.until_alert("SpguardDown", "pending", instance=address)


if __name__ == "__main__":
    main()
