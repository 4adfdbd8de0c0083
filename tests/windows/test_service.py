#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""spguardd as a service of Windows, under Wine: installed, started, read again, stopped
and removed, by its own commands and by the installer."""
import os
import re
import shutil
import subprocess
import time
import unittest

from watching import PROGRAMS, Holder, World, can_run, program

from harness import FAIL_AFTER
from tap import main

BUILD = os.path.join(PROGRAMS, "../..")
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
DAEMON = os.path.join(BUILD, "daemon/spguardd.exe")
CLIENT = os.path.join(BUILD, "client/spguard.exe")
# SERVICE_...
STOPPED, RUNNING = 1, 4
# SERVICE_CONTROL_...
STOP, PARAMCHANGE, UNKNOWN_CONTROL = 1, 6, 200
SPECIFIC_ERROR = 1066


@unittest.skipUnless(can_run(), "no Wine, or the programs of tests/windows are not built")
class ServiceTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.world.wine.restart()
        cls.data = os.path.join(cls.world.drive, "ProgramData/spguard")

    @classmethod
    def tearDownClass(cls):
        cls.world.close()

    def setUp(self):
        shutil.rmtree(self.data, ignore_errors=True)
        os.makedirs(self.data)
        self.world.empty()
        self.world.make_library("a.dll")
        self.configure("[product app]", "directory = C:\\product")
        self.addCleanup(self.run_wine, DAEMON, "remove-service")

    def configure(self, *lines):
        with open(os.path.join(self.data, "spguard.conf"), "w", encoding="utf-8") as file:
            file.write("\r\n".join(lines) + "\r\n")

    def run_wine(self, *command):
        return self.world.wine.run(*command)

    def expect(self, code, text, *command):
        done, said = self.run_wine(*command)
        self.assertEqual(done, code, said)
        self.assertIn(text, said)

    def control(self, number=0):
        code, said = self.run_wine(program("control.exe"), str(number))
        self.assertEqual(code, 0, said)
        return tuple(int(word) for word in said.split())

    def wait_for_state(self, state):
        end = time.monotonic() + FAIL_AFTER
        while self.control()[0] != state:
            if time.monotonic() > end:
                self.fail(f"{self.control()}: {self.log()}")
            time.sleep(0.1)
        return self.control()

    def log(self):
        with open(os.path.join(self.data, "log/spguardd.log"), encoding="utf-8") as file:
            return file.read()

    def start(self):
        self.expect(0, "started successfully", "net", "start", "spguard")
        self.wait_for_state(RUNNING)

    def install(self):
        self.expect(0, "is installed", DAEMON, "install-service")

    def test_a_life(self):
        self.install()
        self.start()
        self.expect(0, "SAFE", CLIENT, "check", "--product", "app")
        self.configure("[product app]", "directory = C:\\product", "[product more]",
                       "directory = C:\\scratch")
        self.assertEqual(self.control(PARAMCHANGE)[0], RUNNING)
        self.expect(0, "more", CLIENT, "status")
        self.assertIn("configuration reloaded: 2 products", self.log())
        # A bad one leaves the old one running, and says so.
        self.configure("[product app", "directory = C:\\product")
        self.assertEqual(self.control(PARAMCHANGE)[0], RUNNING)
        self.assertIn("is not reloaded", self.log())
        self.expect(0, "SAFE", CLIENT, "check", "--product", "app")
        self.control(STOP)
        self.assertEqual(self.wait_for_state(STOPPED), (STOPPED, 0, 0))
        self.assertRegex(self.log(), r"notice: stopping\n.*notice: stopped\n\Z")
        self.expect(0, "is removed", DAEMON, "remove-service")
        self.expect(1, "there is no service", DAEMON, "remove-service")

    def test_where_it_logs(self):
        """Wine's Event Log takes what it is given and keeps nothing."""
        self.install()
        self.start()
        self.assertRegex(self.log(), r"\A[-0-9T:.]+Z warning: the Event Log does not keep")
        self.assertIn("notice: ready", self.log())
        # Every line has its time and level.
        for line in self.log().splitlines():
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT[0-9:.]+Z (error|warning|notice|info): ")

    def test_a_start_that_fails(self):
        self.configure("[daemon]", "nonsense")
        self.install()
        self.run_wine("net", "start", "spguard")
        self.assertEqual(self.wait_for_state(STOPPED), (STOPPED, SPECIFIC_ERROR, 78))
        self.assertIn("spguard.conf:2: this is neither", self.log())
        # Put right, it starts.
        self.configure("[product app]", "directory = C:\\product")
        self.start()

    def test_killed(self):
        """Wine's service manager goes on to say that it runs, but starts it again."""
        self.install()
        for _ in range(2):
            self.start()
            self.assertEqual(
                self.run_wine("taskkill", "/f", "/im", "spguardd.exe")[0], 0)
        self.start()
        end = time.monotonic() + FAIL_AFTER
        while self.log().count("notice: ready") < 3 and time.monotonic() < end:
            time.sleep(0.1)
        self.expect(0, "SAFE", CLIENT, "check", "--product", "app")
        self.expect(0, "ended without a clean stop", CLIENT, "log")

    def test_removed_while_it_runs(self):
        self.install()
        self.start()
        self.expect(0, "is removed", DAEMON, "remove-service")
        self.assertIn("notice: stopped", self.log())

    def test_another_configuration(self):
        path = os.path.join(self.world.drive, "scratch", "a ü.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write("[product other]\ndirectory = C:/product\n")
        self.expect(0, "is installed", DAEMON, "install-service", "--config",
                    "C:/scratch/a ü.conf")
        self.start()
        self.expect(0, "other", CLIENT, "status")
        # Again is a change, which the next start has.
        self.expect(0, "is changed", DAEMON, "install-service")
        self.control(STOP)
        self.wait_for_state(STOPPED)
        self.start()
        self.expect(0, "app", CLIENT, "status")

    def test_wrong(self):
        self.expect(2, "is for the service manager", DAEMON, "service")
        self.expect(2, 'unexpected argument "x"', DAEMON, "install-service", "x")
        self.expect(2, 'unexpected argument "x"', DAEMON, "remove-service", "x")
        self.expect(2, "unexpected argument", DAEMON, "install-service", "--config")
        self.expect(78, "there is no such file", DAEMON, "install-service", "--config",
                    "C:/nothing.conf")
        self.expect(78, "there is no such file", DAEMON, "install-service", "--config", "C:/")
        self.expect(1, "there is no service", DAEMON, "remove-service")
        self.install()
        self.start()
        # A control that nobody knows changes nothing.
        self.run_wine(program("control.exe"), str(UNKNOWN_CONTROL))
        self.assertEqual(self.control()[0], RUNNING)


@unittest.skipUnless(can_run() and shutil.which("wixl") and shutil.which("msibuild"),
                     "no Wine, no wixl, or the programs are not built")
class InstallerTest(ServiceTest):
    """The same prefix, with what the installer puts there."""
    test_a_life = test_where_it_logs = test_a_start_that_fails = None
    test_killed = test_removed_while_it_runs = test_another_configuration = test_wrong = None

    def msi(self, *arguments):
        self.expect(0, "", "msiexec", arguments[0], self.file, "/qn", *arguments[1:])

    def test_installed_upgraded_removed(self):
        self.file = os.path.join(self.world.dir, "spguard.msi")
        subprocess.run([os.path.join(SOURCE, "conf/windows/msi"), BUILD, self.file],
                       check=True, stdout=subprocess.DEVNULL, timeout=FAIL_AFTER)
        shutil.rmtree(self.data)
        programs = os.path.join(self.world.drive, "Program Files/spguard")
        client = "C:\\Program Files\\spguard\\spguard.exe"
        config = os.path.join(self.data, "spguard.conf")

        self.msi("/i")
        self.wait_for_state(RUNNING)
        self.expect(0, "//./pipe/spguard", client, "status")
        # Its own profile waits for Exchange: whether that is safe cannot be said.
        self.assertTrue(os.path.exists(os.path.join(self.data, "products/exchange.conf")))
        with open(os.path.join(self.data, "products/app.conf"), "w", encoding="utf-8") as file:
            file.write("[product app]\r\ndirectory = C:\\product\r\n")
        self.expect(0, "app", client, "reload")
        self.expect(0, "SAFE", client, "check", "--product", "app")
        holder = Holder(self.world, "share-all=C:/product/a.dll")
        self.addCleanup(holder.close)
        code, said = self.run_wine(client, "check", "--product", "app")
        self.assertEqual(code, 2, said)
        self.assertTrue(re.search(r"holder\.exe", said) and str(holder.pid) in said, said)
        holder.close()
        self.expect(0, "SAFE", client, "check", "--product", "app")

        # Once more over it: what the administrator has written stays.
        with open(config, "a", encoding="utf-8") as file:
            file.write("# mine\r\n")
        self.msi("/i", "REINSTALL=ALL")
        self.wait_for_state(RUNNING)
        with open(config, encoding="utf-8") as file:
            self.assertTrue(file.read().endswith("# mine\n"))

        self.msi("/x")
        self.assertFalse(os.path.exists(programs))
        self.assertEqual(self.run_wine(program("control.exe"), "0")[0], 2)
        self.assertTrue(os.path.exists(config))
        self.assertTrue(os.path.exists(os.path.join(self.data, "spguard.db")))
        self.msi("/i")
        self.msi("/x", "PURGE=1")
        self.assertFalse(os.path.exists(self.data))


if __name__ == "__main__":
    main()
