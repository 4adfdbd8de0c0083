#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""spguard run: check, hold, run, wait for quiet, verify; the first step that fails
decides, and nothing is run that should not be."""
import json
import os

from support import FAIL_AFTER, HOLDER, LineReader, Product, SystemTest, main


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

    # A setup that leaves b.dat the first time, and starts somebody who holds it.
    LEAVES = """
        cd {pack}
        if [ ! -e {mark} ]; then
            touch {mark}
            cp a.dat {bin}
            {holder} mapped {bin}/b.dat < {fifo} > {ready} 2>/dev/null &
            read line < {ready}
            exit 0
        fi
        for name in a.dat b.dat; do cp $name {bin}/$name.tmp; mv {bin}/$name.tmp {bin}/$name; done
    """

    def leaving(self):
        """The command, and what lets the holder go."""
        for name in "fifo", "ready":
            os.mkfifo(self.path(name))
        stdin = os.open(self.path("fifo"), os.O_RDWR)
        self.addCleanup(os.close, stdin)
        script = self.LEAVES.format(pack=self.pack, bin=self.bin, mark=self.mark,
                                    holder=HOLDER, fifo=self.path("fifo"),
                                    ready=self.path("ready"))
        return ["sh", "-c", script], lambda: os.write(stdin, b"release\nquit\n")

    def test_retry_with_a_step_aside(self):
        command, release = self.leaving()
        self.addCleanup(release)
        code, _, err = self.apply(*command, options=["--retry=sidestep"])
        self.assertEqual(code, 0, err)
        for line in ("install: mixed", "b.dat was not replaced", "these files are in the way:",
                     f"sidestep: renamed {self.old[1]}", "running it again", "install: clean"):
            self.assertIn(line, err)
        with open(self.old[1], "rb") as f:
            self.assertEqual(f.read(), b"new")
        release()

    def test_retry_when_they_let_go(self):
        command, release = self.leaving()
        client = self.app.spawn_client("run", "--yes", "--retry=wait", "--payload", self.pack,
                                       "--", *command)
        lines = LineReader(client.stderr)
        lines.wait_for(lambda line: "waiting until the files are free" in line, "the wait")
        release()
        self.assertEqual(client.wait(FAIL_AFTER), 0, lines.lines)
        lines.join(FAIL_AFTER)
        client.stdout.close()
        client.stderr.close()
        self.assertIn("install: clean", "\n".join(lines.lines))

    def test_no_retry_without_a_terminal(self):
        command, release = self.leaving()
        self.addCleanup(release)
        code, _, err = self.apply(*command, options=["--retry"])
        self.assertEqual(code, 2, err)
        self.assertNotIn("running it again", err)
        self.assertIn("say --retry=wait or --retry=sidestep", err)

    def test_what_it_did_to_the_services(self):
        """systemctl's words about unit files, before and after."""
        programs = self.directory("programs")
        with open(os.path.join(programs, "systemctl"), "w", encoding="utf-8") as f:
            f.write(f"#!/bin/sh\ncat {self.path('units')}\n")
        os.chmod(os.path.join(programs, "systemctl"), 0o755)
        with open(self.path("units"), "w", encoding="utf-8") as f:
            f.write("a.service enabled enabled\nmta.service  enabled -\nz.service static -\n")
        change = (f"sed -i 's/mta.service  enabled/mta.service disabled/; /^z/d' "
                  f"{self.path('units')}; echo new.service masked >> {self.path('units')}; "
                  f"cp {self.pack}/* {self.bin}")
        code, _, err = self.app.run(
            "run", "--yes", "--", "sh", "-c", change,
            env={**os.environ, "PATH": programs + ":" + os.environ["PATH"]})
        self.assertEqual(code, 0, err)
        self.assertEqual([line.split("service: ", 1)[1] for line in err.splitlines()
                          if "service: " in line],
                         ["mta.service was enabled, is disabled", "new.service is new: masked",
                          "z.service was static, and is gone"])

    def test_usage_and_no_command(self):
        for args in (["--", "touch", self.mark], ["--yes", "touch", self.mark], ["--yes"],
                     ["--yes", "--allow", "0", "--", "touch", self.mark],
                     ["--yes", "--for", "5h", "--", "touch", self.mark],
                     ["--yes", "--retry=often", "--", "touch", self.mark],
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
        self.assertEqual(told["verify"]["verdict"], "not-checked")


if __name__ == "__main__":
    main()
