#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""spguard run: check, hold, run, wait for quiet, verify; the first step that fails
decides, and nothing is run that should not be."""
import json
import os

from support import Product, SystemTest, main


class RunTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.pack = self.directory("pack")
        self.old = [self.file(name, content=b"old") for name in ("a.dat", "b.dat")]
        self.new = [self.file(name, self.pack, content=b"new") for name in ("a.dat", "b.dat")]
        self.app = self.daemon(Product("app", self.bin, files="*.dat"))
        self.mark = self.path("mark")

    def apply(self, *args, options=()):
        return self.app.run("run", "--yes", *options, "--payload", self.pack, "--", *args)

    def test_all_goes_well(self):
        code, out, err = self.apply("sh", "-c", f"echo mine; cp {self.pack}/* {self.bin}")
        self.assertEqual((code, out), (0, "mine\n"), err)
        steps = [line for line in err.splitlines() if not line.startswith("spguard:  ")]
        self.assertEqual([line.split(": ", 1)[1] for line in steps], [
            "check: safe",
            "2 files of app are held for 1h 0m at most: new opens are refused to others",
            "check: safe", "the command has ended with exit code 0", "install: clean",
            "the hold has ended: 0 opens were refused", "verify: fits"])
        self.assertEqual(self.app.log_events("--kind", "hold-refuse"), [])

    def test_somebody_is_in_the_way(self):
        holder = self.hold("read", self.old[0])
        code, _, err = self.apply("touch", self.mark)
        self.assertEqual(code, 2, err)
        self.assertIn(f"(pid {holder.pid})", err)
        self.assertFalse(os.path.exists(self.mark))
        self.assertEqual(self.app.log_events("--kind", "hold-begin"), [])

    def test_the_command_fails(self):
        code, _, err = self.apply("sh", "-c", f"echo half > {self.old[0]}; exit 9")
        self.assertEqual(code, 9, err)
        self.assertIn("install: mixed", err)
        self.assertIn("verify: mixed", err)
        # Mended by the same again.
        code, _, err = self.apply("cp", *self.new, self.bin)
        self.assertEqual(code, 0, err)
        self.assertIn("check: attention", err)
        self.assertEqual(self.app.check()["verdict"], "safe")

    def test_the_command_leaves_it_mixed(self):
        code, _, err = self.apply("cp", self.new[0], self.bin)
        self.assertEqual(code, 2, err)
        self.assertIn("verify: mixed", err)
        self.assertIn("b.dat", err)

    def test_usage_and_no_command(self):
        for args in (["--", "touch", self.mark], ["--yes", "touch", self.mark], ["--yes"],
                     ["--yes", "--allow", "0", "--", "touch", self.mark],
                     ["--yes", "--for", "5h", "--", "touch", self.mark],
                     ["--yes", "--payload", "/nowhere", "--", "touch", self.mark]):
            code, out, err = self.app.run("run", *args)
            self.assertEqual((code, out), (125, ""), err)
            self.assertIn("spguard", err)
        self.assertFalse(os.path.exists(self.mark))
        self.assertEqual(self.apply("/nonexistent/setup")[0], 127)

    def test_json(self):
        code, out, err = self.app.run("--json", "run", "-y", "--", "true")
        told = json.loads(err.splitlines()[-1])
        self.assertEqual((code, out, told["exit"]), (0, "", 0), err)
        self.assertEqual(told["check"]["verdict"], "safe")
        self.assertEqual(told["check_held"]["verdict"], "safe")
        self.assertEqual(told["hold"]["cause"], "ended")
        self.assertEqual(told["installs"]["installs"], [])
        self.assertEqual(told["verify"]["verdict"], "fits")


if __name__ == "__main__":
    main()
