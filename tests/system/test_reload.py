#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A new configuration takes effect whole or not at all, and says why not."""
import os
import shutil
import signal
import subprocess

from support import FAIL_AFTER, ROOT, SPGUARD, SPGUARDD, Product, SystemTest, main

NOBODY = 65534

BAD = (
    ("unknown key", "[daemon]\ncolour = blue\n", "colour"),
    ("unknown section", "[daemno]\nsocket = /x\n", "daemno"),
    ("bad duration", "[daemon]\nlock-poll = soon\n", "lock-poll"),
    ("bad size", "[daemon]\nretain-size = much\n", "retain-size"),
    ("bad boolean", "[product x]\ndirectory = /tmp\nfiles = *\nrecursive = perhaps\n",
     "recursive"),
    ("relative directory", "[product x]\ndirectory = bin\nfiles = *\n", "bin"),
    ("advice without a product", "[advice *.dll]\nsay = Stop it.\n", "advice"),
    ("advice for nobody", "[advice *.dll]\nproduct = nobody\nsay = Stop it.\n", "nobody"),
    ("no section", "socket = /x\n", "socket"),
)


class ReloadTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")

    def test_bad_file_by_signal(self):
        daemon = self.daemon()
        daemon.write_config("[daemon]", "colour = blue")
        daemon.signal(signal.SIGHUP)
        with open(daemon.config, encoding="utf-8") as f:
            number = len(f.readlines())
        daemon.log.wait_for(lambda line: f"{daemon.config}:{number}" in line and
                            "colour" in line, "the fault with its line")
        self.still_works(daemon)

    def test_bad_file_by_command(self):
        daemon = self.daemon()
        daemon.write_config("[daemon]", "colour = blue")
        code, out, err = daemon.run("reload")
        self.assertNotEqual(code, 0)
        self.assertIn("colour", err)
        self.assertIn(daemon.config, err)
        self.still_works(daemon)

    def test_a_refusal_is_told_until_it_is_mended(self):
        """By status, doctor, and the metrics."""
        daemon = self.daemon()
        self.assertIsNone(daemon.status()["reload_refused"])
        daemon.write_config("[daemon]", "colour = blue", "size = big")
        self.assertNotEqual(daemon.run("reload")[0], 0)
        refusal = daemon.status()["reload_refused"]
        self.assertRegex(refusal["at"], r"^20\d\d-.*Z$")
        self.assertEqual(["colour" in refusal["problems"][0], "size" in refusal["problems"][1]],
                         [True, True], refusal)
        _, text, _ = daemon.run("status")
        self.assertIn("REFUSED", text)
        code, text, _ = daemon.run("doctor")
        self.assertEqual(code, 1)
        self.assertIn("LACK  configuration: the last reload was refused", text)
        self.assertIn("; and 1 more", text)
        self.assertIn("\nspguard_reload_refused 1\n", daemon.run("metrics")[1])
        daemon.write_config()
        self.assertEqual(daemon.run("reload")[0], 0)
        self.assertIsNone(daemon.status()["reload_refused"])
        self.assertNotIn("refused", daemon.run("doctor")[1])
        self.assertIn("\nspguard_reload_refused 0\n", daemon.run("metrics")[1])

    def still_works(self, daemon):
        holder = self.hold("read", self.dll)
        self.assert_blocked_by(daemon, self.dll, [holder.pid], {"open"})

    def test_new_product(self):
        daemon = self.daemon()
        other = self.directory("other")
        path = self.file("Gwperf.dll", other)
        holder = self.hold("mapped", path)
        daemon.products.append(Product("other", other))
        daemon.write_config()
        code, out, err = daemon.run("reload")
        self.assertEqual(code, 0, err)
        # Who asks next is told of it: it has been looked at.
        known = {row["name"]: row for row in daemon.status()["products"]}["other"]
        self.assertEqual((known["files"], known["verdict"]), (1, "blocked"))
        self.assertEqual(daemon.run("doctor")[0], 0)
        answer = daemon.check("--product", "other")
        self.assert_verdict(answer, "blocked")
        self.use_of(answer, path, holder.pid)
        self.assert_verdict(daemon.check("--product", "app"), "safe")
        daemon.products.pop(0)
        daemon.write_config()
        self.assertEqual(daemon.run("reload")[0], 0)
        self.assertEqual(self.rpc(daemon).call("hello")["products"], ["other"])

    def test_new_product_by_signal(self):
        daemon = self.daemon()
        other = self.directory("other")
        self.file("Gwperf.dll", other)
        daemon.products.append(Product("other", other))
        daemon.write_config()
        daemon.signal(signal.SIGHUP)
        rpc = self.rpc(daemon)
        while rpc.call("hello")["products"] != ["app", "other"]:
            self.assertIsNone(daemon.process.poll(), daemon.log_text())
        self.assert_verdict(daemon.check("--product", "other"), "safe")

    def test_not_for_everybody(self):
        daemon = self.daemon(daemon_keys={"group": "nogroup"})
        os.chmod(self.scratch, 0o755)
        os.chmod(daemon.home, 0o755)
        client = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        done = subprocess.run([*client, self.copy_of_client(), "--socket", daemon.socket,
                               "reload"], capture_output=True, text=True, timeout=FAIL_AFTER)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("root", done.stderr)

    def copy_of_client(self):
        """Where a user without rights can run it from."""
        return shutil.copy(SPGUARD, self.path("spguard"))

    def test_check_config(self):
        daemon = self.daemon(start=False)
        done = subprocess.run([SPGUARDD, "--config", daemon.config, "--check-config"],
                              capture_output=True, text=True, timeout=FAIL_AFTER)
        self.assertEqual(done.returncode, 0, done.stderr)
        done = subprocess.run([SPGUARDD, "--config", daemon.config, "--print-config"],
                              capture_output=True, text=True, timeout=FAIL_AFTER)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(self.bin, done.stdout)

    def test_printed_configuration_can_be_read(self):
        daemon = self.daemon(Product("app", self.bin, title="A title", recursive=True,
                                     setup_stops="a.exe b.exe", advice={"*.dll": "Stop it."}),
                             start=False)
        print_config = [SPGUARDD, "--print-config", "--config"]
        first = subprocess.run([*print_config, daemon.config], capture_output=True, text=True,
                               timeout=FAIL_AFTER, check=True).stdout
        again = self.file("again.conf", self.scratch, first.encode())
        second = subprocess.run([*print_config, again], capture_output=True, text=True,
                                timeout=FAIL_AFTER)
        self.assertEqual((second.returncode, second.stdout), (0, first), second.stderr)

    def test_shipped_configuration(self):
        conf = os.path.join(ROOT, "conf", "spguard.conf")
        done = subprocess.run([SPGUARDD, "--config", conf, "--print-config"],
                              capture_output=True, text=True, timeout=FAIL_AFTER)
        self.assertEqual(done.returncode, 0, done.stderr)
        for words in ("exchange55", "edbbcli.dll", "dsamain.exe"):
            self.assertIn(words, done.stdout.lower())


def add(name, text, about):
    def test(self):
        bad = self.file("bad.conf", self.scratch, text.encode())
        done = subprocess.run([SPGUARDD, "--config", bad, "--check-config"],
                              capture_output=True, text=True, timeout=FAIL_AFTER)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"bad\.conf:\d+")
        self.assertIn(about, done.stderr)
    setattr(ReloadTest, "test_bad_line_" + name.replace(" ", "_"), test)


for _row in BAD:
    add(*_row)


if __name__ == "__main__":
    main()
