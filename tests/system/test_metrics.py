#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`spguard metrics`: what is measured agrees with what is so, in both formats."""
import os
import stat
import time

from support import Product, SystemTest, main, private_mounts
from exposition import Exposition  # noqa: E402  (support knows where it is)

VERDICTS = ("safe", "attention", "blocked", "unknown")
# The names of the public contract.
CONTRACT = {
    "spguard_up", "spguard_build_info", "spguard_verdict", "spguard_files", "spguard_uses",
    "spguard_unattributed_files", "spguard_events_total", "spguard_gaps_total",
    "spguard_check_duration_seconds_bucket", "spguard_check_duration_seconds_sum",
    "spguard_check_duration_seconds_count", "spguard_census_timestamp_seconds",
    "spguard_loop_turn_seconds_bucket", "spguard_loop_turn_seconds_sum",
    "spguard_loop_turn_seconds_count",
    "spguard_store_rows_total", "spguard_store_bytes", "spguard_store_queue_rows",
    "spguard_sessions", "spguard_subscriber_drops_total", "spguard_installs_total",
    "spguard_mixed_files", "spguard_hold_active"}


def setUpModule():
    private_mounts()


class MetricsTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")
        self.file("Other.dll")

    def metrics(self, daemon, form="openmetrics"):
        code, out, err = daemon.run("metrics", "--format", form)
        self.assertEqual((code, err), (0, ""))
        return Exposition(out, form == "openmetrics")

    def assert_metric_verdict(self, metrics, product, verdict):
        self.assertEqual(
            {v: metrics.value("spguard_verdict", product=product, spguard_verdict=v)
             for v in VERDICTS}, {v: float(v == verdict) for v in VERDICTS})

    def test_the_contract_in_both_formats(self):
        daemon = self.daemon(Product("app", self.bin), Product("other", self.bin))
        openmetrics = self.metrics(daemon)
        prometheus = self.metrics(daemon, "prometheus")
        self.assertLessEqual(CONTRACT, openmetrics.names())
        self.assertEqual(openmetrics.names(), prometheus.names())
        self.assertEqual(openmetrics.families["spguard_verdict"][0], "stateset")
        self.assertEqual(openmetrics.families["spguard_build"][0], "info")
        self.assertEqual(prometheus.families["spguard_build_info"][0], "gauge")
        self.assertEqual(prometheus.families["spguard_events_total"][0], "counter")
        self.assertEqual(openmetrics.value("spguard_build_info", tier=daemon.tier()), 1)
        # No label may ever have a pid or a path.
        for _, samples in openmetrics.families.values():
            for name, labels, _ in samples:
                self.assertFalse({"pid", "path", "name"} & set(labels), name)
                for value in labels.values():
                    self.assertNotIn("/", value, name)

    def test_a_holder_comes_and_goes(self):
        daemon = self.daemon()
        before = time.time()
        self.assert_metric_verdict(self.metrics(daemon), "app", "safe")
        holder = self.hold("mapped", self.dll)
        metrics = self.metrics(daemon)
        self.assert_metric_verdict(metrics, "app", "blocked")
        self.assertEqual(metrics.value("spguard_files", product="app", state="blocked"), 1)
        self.assertEqual(metrics.value("spguard_files", product="app", state="free"), 1)
        self.assertEqual(metrics.value("spguard_uses", product="app", how="mapped"), 1)
        self.assertEqual(metrics.value("spguard_uses", product="app", how="locked"), 0)
        proved = metrics.value("spguard_census_timestamp_seconds", product="app")
        self.assertTrue(before <= proved <= time.time(), proved)
        holder.release()
        after = self.metrics(daemon)
        self.assert_metric_verdict(after, "app", "safe")
        self.assertEqual(after.value("spguard_uses", product="app", how="mapped"), 0)
        self.assertGreater(after.value("spguard_events_total", kind="use-begin"), 0)
        self.assertGreater(after.value("spguard_check_duration_seconds_count"),
                           metrics.value("spguard_check_duration_seconds_count"))
        self.assertEqual(
            after.value("spguard_check_duration_seconds_bucket", le="+Inf"),
            after.value("spguard_check_duration_seconds_count"))

    def test_what_cannot_be_looked_at_is_unknown(self):
        daemon = self.daemon(Product("app", self.path("not-there")), Product("b", self.bin))
        metrics = self.metrics(daemon)
        self.assert_metric_verdict(metrics, "app", "unknown")
        self.assertGreater(metrics.value("spguard_lacks", product="app"), 0)
        self.assert_metric_verdict(metrics, "b", "safe")

    def test_an_install_that_left_a_file_out(self):
        replaced = [self.file(f"Part{n}.dll") for n in range(8)]
        # One install, however slowly the machine replaces the files.
        daemon = self.daemon(daemon_keys={"install-quiet": "3s"})
        holder = self.hold("mapped", self.dll)
        daemon.check()
        for path in replaced:
            with open(self.path("new"), "wb") as new:
                new.write(b"another version\n")
            os.rename(self.path("new"), path)
        daemon.check()
        metrics = self.metrics(daemon)
        self.assertEqual(
            metrics.value("spguard_installs_total", product="app", outcome="mixed"), 1)
        self.assertEqual(
            metrics.value("spguard_installs_total", product="app", outcome="clean"), 0)
        self.assertEqual(metrics.value("spguard_install_unresolved", product="app"), 1)
        self.assertEqual(metrics.value("spguard_install_running", product="app"), 0)
        self.assertGreaterEqual(metrics.value("spguard_mixed_files", product="app"), 1)
        holder.release()
        self.assert_metric_verdict(self.metrics(daemon), "app", "attention")

    def test_textfile(self):
        daemon = self.daemon()
        path = self.path("spguard.prom")
        with open(path, "w", encoding="utf-8") as old:
            old.write("old\n")
        self.assertEqual(daemon.run("metrics", "--textfile", path), (0, "", ""))
        with open(path, encoding="utf-8") as file:
            self.assert_metric_verdict(Exposition(file.read(), False), "app", "safe")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o644)
        self.assertEqual([n for n in os.listdir(self.path()) if "spguard.prom" in n],
                         ["spguard.prom"])
        daemon.stop()
        code, out, err = daemon.run("metrics", "--textfile", path)
        self.assertEqual((code, out), (1, ""))
        self.assertIn("hint:", err)
        with open(path, encoding="utf-8") as file:
            down = Exposition(file.read(), False)
        self.assertEqual(down.names(), {"spguard_up"})
        self.assertEqual(down.value("spguard_up"), 0)

    def test_a_textfile_that_nobody_reads(self):
        """node_exporter takes names that end in .prom."""
        daemon = self.daemon()
        for name in ("spguard.txt", "spguard.prom.new", ".prom", ""):
            with self.subTest(name=name):
                path = self.path(name) if name else ""
                code, out, err = daemon.run("metrics", "--textfile", path)
                self.assertEqual((code, out), (2, ""))
                self.assertIn(".prom", err)
                self.assertFalse(os.path.isfile(path))

    def test_a_textfile_that_cannot_be_written_is_not_kept(self):
        """Or it would go on saying safe, with every file held."""
        daemon, directory = self.daemon(), self.tmpfs(size="64k")
        path = os.path.join(directory, "spguard.prom")
        self.assertEqual(daemon.run("metrics", "--textfile", path), (0, "", ""))
        self.hold("mapped", self.dll)
        with open(os.path.join(directory, "filler"), "wb", 0) as filler:
            with self.assertRaises(OSError):
                while filler.write(b"\0" * 4096):
                    pass
        code, _, err = daemon.run("metrics", "--textfile", path)
        self.assertEqual(code, 1)
        self.assertIn("No space left", err)
        self.assertEqual(os.listdir(directory), ["filler"])

    def test_refusals(self):
        daemon = self.daemon()
        code, _, err = daemon.run("metrics", "--format", "xml")
        self.assertEqual(code, 2)
        self.assertIn("openmetrics or prometheus", err)
        code, _, err = daemon.run("metrics", "--textfile", self.path("none", "x.prom"))
        self.assertEqual(code, 1)
        self.assertIn("No such file or directory", err)


if __name__ == "__main__":
    main()
