#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What bash, zsh and fish offer behind spguard and spguardd: exactly what the programs
have.

By hand: SPGUARD_BUILD=build python3 tests/component/test_completions.py
"""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import fake_daemon as fake
import shells
from client_run import BUILD, ENV, ROOT, run
from fake_daemon import Act, FakeDaemon

FOLDER = os.path.join(ROOT, "conf", "completions")
DAEMON = os.path.join(BUILD, "daemon", "spguardd")
LONG = re.compile(r"--[a-z][a-z-]*")
ALL = set("--socket --json --no-color --utc --timeout --help".split())
TWO = {"status": dict(fake.STATUS, products=[
    dict(fake.STATUS["products"][0], name=name) for name in ("exchange55", "shop.2")])}


def commands():
    return re.findall(r"(?m)^  ([a-z]+) {2,}\S", run("--help").out)


def options_of(command):
    """Of its help, examples left out; those that follow an option's words are quoted
    from other commands, so only at the beginning of a line."""
    text = run(command, "--help").out
    found = set(ALL)
    for line in text.split("\n"):
        match = re.match(r" {2,6}(?:-\w, )?(--[a-z-]+)", line)
        if match:
            found.add(match[1])
    return found


def kinds():
    return set(re.search(r"there are: (.*)", run("log", "--kind", "x").err)[1].split(", "))


class Offers:
    """What holds in every shell; @self.shell(setup) begins one."""

    def setUp(self):
        if not shells.have(self.program):
            self.skipTest(f"no {self.program} here")
        self.folder = tempfile.mkdtemp(prefix="spguard-shell-")
        self.addCleanup(shutil.rmtree, self.folder)
        os.mkdir(os.path.join(self.folder, "payload"))
        with open(os.path.join(self.folder, "pay.dll"), "w", encoding="ascii"):
            pass
        path = ":".join([os.path.join(BUILD, "client"), os.path.join(BUILD, "daemon"),
                         ENV["PATH"]])
        env = dict(ENV, PATH=path, HOME=self.folder, SPGUARD_SOCKET="/nowhere/s")
        self.shell = self.kind(self.setup_line(), env, self.folder)
        self.addCleanup(self.shell.close)

    def offers(self, line):
        return self.shell.offers(line)

    def test_commands(self):
        self.assertEqual(self.offers("spguard "), set(commands()))
        self.assertEqual(self.offers("spguard --utc doc"), {"doctor"})
        self.assertEqual(self.offers("spguard --timeout 5s doc"), {"doctor"})

    def test_options(self):
        self.assertEqual(self.offers("spguard --"), ALL | {"--version"})
        for command in commands():
            with self.subTest(command):
                self.assertEqual(
                    {o.rstrip("=") for o in self.offers(f"spguard {command} --")},
                    options_of(command))

    def test_options_behind_others(self):
        self.assertEqual(self.offers("spguard --utc check --json --pa"), {"--payload"})

    def test_daemon(self):
        text = subprocess.run([DAEMON, "--help"], capture_output=True, text=True).stdout
        self.assertEqual(self.offers("spguardd --"), set(LONG.findall(text)))
        self.assertEqual(self.offers("spguardd --tier "), {"auto", "bpf", "procfs"})

    def test_products(self):
        with FakeDaemon(TWO) as daemon:
            for command in "check", "who", "log", "maintenance", "run":
                self.assertEqual(
                    self.offers(f"spguard --socket {daemon.path} {command} --product "),
                    {"exchange55", "shop.2"})
            self.assertEqual(self.offers(f"spguard --socket {daemon.path} who -p sh"),
                             {"shop.2"})

    def test_products_of_nobody(self):
        self.assertEqual(self.offers("spguard check --product "), set())
        with FakeDaemon({"status": Act()}) as silent:
            self.assertEqual(self.offers(f"spguard --socket {silent.path} check -p "), set())

    def test_kinds(self):
        for command in "log", "watch":
            self.assertEqual(self.offers(f"spguard {command} --kind "), kinds())
            some = {kind.split(",")[-1] for kind in
                    self.offers(f"spguard {command} --kind gap,use-")}
            self.assertEqual(some, {"use-begin", "use-end"})

    def test_values(self):
        self.assertEqual(self.offers("spguard who --by "), {"service", "file"})
        self.assertEqual(self.offers("spguard log --limit "), set())

    def test_files(self):
        for command in "who", "locks", "log", "sidestep":
            self.assertEqual({name.rstrip("/").replace("./", "") for name in
                              self.offers(f"spguard {command} ./pay")},
                             {"pay.dll", "payload"})
        self.assertEqual({name.rstrip("/") for name in
                          self.offers("spguard check --payload pa")}, {"payload", "pay.dll"})
        self.assertEqual({name.rstrip("/") for name in
                          self.offers("spguard check --files pa")}, {"payload", "pay.dll"})

    def test_the_command_behind(self):
        for command in "hold --for 1h", "run":
            self.assertIn("ls", self.offers(f"spguard {command} -- l"))


class Bash(Offers, unittest.TestCase):
    program, kind = "bash", shells.Bash

    @staticmethod
    def setup_line():
        return f"source {FOLDER}/spguard.bash"

    def test_after_an_equals_sign(self):
        self.assertEqual({word.replace("--retry=", "")
                          for word in self.offers("spguard run --retry=")},
                         {"ask", "wait", "sidestep"})

    def test_the_short_n(self):
        # A number for log, a switch for sidestep.
        self.assertEqual(self.offers("spguard log -n "), set())
        self.assertIn("pay.dll", self.offers("spguard sidestep -n pay"))


class Zsh(Offers, unittest.TestCase):
    program, kind = "zsh", shells.Zsh

    @staticmethod
    def setup_line():
        return f"fpath=({FOLDER} $fpath)"

    def test_syntax(self):
        subprocess.run(["zsh", "-n", os.path.join(FOLDER, "_spguard")], check=True)


class Fish(Offers, unittest.TestCase):
    program, kind = "fish", shells.Fish

    @staticmethod
    def setup_line():
        return f"source {FOLDER}/spguard.fish; source {FOLDER}/spguardd.fish"

    def test_syntax(self):
        for name in "spguard.fish", "spguardd.fish":
            subprocess.run(["fish", "-n", os.path.join(FOLDER, name)], check=True)


if __name__ == "__main__":
    unittest.main()
