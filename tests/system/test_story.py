#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Q246337 from its beginning to its end, with real Windows programs: the service pack,
the library that Performance Monitor keeps, the installer that skips it, the Directory
service that does not start any more, and the way out.

The files come from tests/data/story, built with mingw-w64. Without Wine a process that
maps the library stands for Performance Monitor, and nobody starts the programs.
"""
import os
import subprocess
import unittest

from support import BUILD, FAIL_AFTER, Product, SystemTest, main, tier_in_force
import story  # noqa: E402  (support knows where it is)
import wine  # noqa: E402

BUILT = os.path.join(BUILD, "tests", "system", "story")
NEEDS = "dsamain.exe needs EcPerfOpenEx, which mdbperf.dll 5.5.2448.0 does not export"
WAIT = FAIL_AFTER / 2  # for an install to be judged; no test waits for all of it


class Story(SystemTest):
    def setUp(self):
        super().setUp()
        if not os.path.isdir(BUILT):
            self.skipTest("built without mingw-w64: the programs of the story are not there")
        self.root = self.path("root")
        story.lay(BUILT, self.root)
        self.directories = [os.path.join(self.root, story.BIN),
                            os.path.join(self.root, story.SYSTEM)]
        self.dll = os.path.join(self.directories[0], "mdbperf.dll")
        self.dsamain = os.path.join(self.directories[0], "dsamain.exe")
        self.payload = os.path.join(self.root, "sp")
        self.product = Product(
            "exchange55", *self.directories, files="*.dll dsamain.exe",
            setup_stops="dsamain.exe", title="Microsoft Exchange Server 5.5",
            advice={"*perf.dll": "Close Performance Monitor."})

    def watcher(self):
        # As it is without a configuration: while setup runs, ten seconds of quiet.
        daemon = self.daemon(self.product, daemon_keys={"install-quiet": "10s"})
        # It has read every file: what it has open for a moment, setup would leave out.
        self.rpc(daemon).call("verify")
        return daemon

    def listener(self, daemon):
        subscriber = self.rpc(daemon)
        subscriber.call("subscribe")
        return subscriber

    def setup_runs(self):
        """The installer, whatever spguard said; what it skipped."""
        done = subprocess.run([os.path.join(self.root, "setup"), self.payload,
                               *self.directories], capture_output=True, text=True,
                              timeout=FAIL_AFTER, check=True)
        self.assertEqual(len(done.stdout.splitlines()), len(story.FILES), done.stdout)
        return [line.split()[0] for line in done.stdout.splitlines() if "in use" in line]

    @staticmethod
    def await_event(subscriber, kind):
        return subscriber.wait_notification(
            lambda method, params: method == "event" and params.get("kind") == kind)

    def assert_blocked_beforehand(self, daemon, name, pid):
        answer = daemon.check("--payload", self.payload)
        self.assertEqual((answer["verdict"], answer["exit"]), ("blocked", 2),
                         self.show(answer))
        blocked = [f["path"] for f in answer["files"] if f["state"] == "blocked"]
        self.assertEqual(blocked, [self.dll], self.show(answer))
        use = self.use_of(answer, self.dll, pid)
        self.assertEqual((use["name"], "mapped" in use["how"]), (name, True), use)
        self.assertEqual(self.file_of(answer, self.dll)["advice"], "Close Performance Monitor.")

    def newest_install(self, daemon):
        """The newest install once none runs, with everything about it."""
        rpc = self.rpc(daemon)
        installs = rpc.call("installs", wait=WAIT)["installs"]
        self.assertTrue(installs)
        return rpc.call("installs", id=installs[0]["id"])["installs"][0]

    def assert_mixed(self, daemon, name):
        """The daemon knows by itself what came of it, and why."""
        install = self.newest_install(daemon)
        self.assertEqual((install["outcome"], install["product"]), ("mixed", "exchange55"),
                         self.show(install))
        self.assertEqual((install["changed"], install["skipped"]), (11, 1), self.show(install))
        # Without BPF the name of a child that lives for a millisecond may be lost, and
        # with it whose child it was.
        if tier_in_force() == "bpf":
            self.assertEqual(install["by"]["name"], "setup", self.show(install))
        files = {os.path.basename(f["path"]): f for f in install["files"]}
        self.assertEqual(files["mdbperf.dll"]["change"], "skipped", self.show(install))
        self.assertIn(name, [h["name"] for h in files["mdbperf.dll"]["holders"]],
                      self.show(install))
        self.assertEqual(
            (files["dsamain.exe"]["from_version"], files["dsamain.exe"]["to_version"]),
            (story.OLD, story.NEW), self.show(install))
        self.assertIn(NEEDS, self.texts(install["findings"]), self.show(install))
        code, out, err = daemon.run("installs")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("mixed", out.lower())
        code, out, err = daemon.run("installs", install["id"])
        self.assertEqual((code, err), (0, ""))
        for word in "mdbperf.dll", name, "EcPerfOpenEx":
            self.assertIn(word, out)

    def verify(self, daemon, *args):
        code, answer = daemon.json("verify", *args)
        self.assertEqual(code, {"fits": 0, "mixed": 2, "unknown": 3}[answer["verdict"]])
        return answer

    def assert_verified_mixed(self, daemon):
        answer = self.verify(daemon)
        self.assertEqual(answer["verdict"], "mixed", self.show(answer))
        findings = [f for f in answer["products"][0]["findings"]
                    if f["kind"] == "missing-export"]
        self.assertEqual([(f["name"], f["needs"], f["from"], f["from_version"], f["text"])
                          for f in findings],
                         [("dsamain.exe", "EcPerfOpenEx", "mdbperf.dll", story.OLD, NEEDS)],
                         self.show(answer))

    def step_aside(self, daemon):
        """The article's workaround, by spguard."""
        code, out, err = daemon.run("sidestep", "--dry-run", self.dll)
        self.assertEqual((code, err), (0, ""), out)
        self.assertTrue(os.path.exists(self.dll))
        code, out, err = daemon.run("sidestep", "--yes", self.dll)
        self.assertEqual((code, err), (0, ""), out)
        self.assertFalse(os.path.exists(self.dll))

    def assert_mended(self, daemon):
        install = self.newest_install(daemon)
        self.assertEqual(install["outcome"], "clean", self.show(install))
        self.assertEqual(install["skipped"], 0, self.show(install))
        for args in [], ["--payload", self.payload]:
            answer = self.verify(daemon, *args)
            self.assertEqual((answer["verdict"], answer["products"][0]["findings"]),
                             ("fits", []), self.show(answer))
        for name in story.FILES:
            installed = next(p for p in (os.path.join(d, name) for d in self.directories)
                             if os.path.exists(p))
            with open(installed, "rb") as a, open(os.path.join(self.payload, name), "rb") as b:
                self.assertEqual(a.read(), b.read(), name)


class NativeTest(Story):
    def perfmon(self):
        return self.hold("mapped", self.dll, program=self.program("perfmon"))

    def test_from_beginning_to_end(self):
        daemon = self.watcher()
        self.assert_safe(daemon)
        perfmon = self.perfmon()
        self.assert_blocked_beforehand(daemon, "perfmon", perfmon.pid)
        subscriber = self.listener(daemon)
        self.assertEqual(self.setup_runs(), ["mdbperf.dll"])
        self.await_event(subscriber, "install-end")
        self.assert_mixed(daemon, "perfmon")
        self.assert_verified_mixed(daemon)
        self.step_aside(daemon)
        self.assertEqual(self.setup_runs(), [])
        self.await_event(subscriber, "install-end")
        self.assert_mended(daemon)
        perfmon.kill()
        self.assert_safe(daemon)

    def test_it_says_so_without_being_asked(self):
        daemon = self.watcher()
        subscriber = self.listener(daemon)
        perfmon = self.perfmon()
        self.setup_runs()
        self.await_event(subscriber, "install-end")
        perfmon.kill()
        notice = subscriber.wait_notification(
            lambda method, params: method == "verdict" and params["verdict"] == "attention")
        self.assertEqual(notice["product"], "exchange55")
        self.assertTrue(any("mdbperf.dll" in r["text"] for r in notice["reasons"]), notice)
        answer = daemon.check()
        self.assertEqual((answer["verdict"], answer["exit"]), ("attention", 1),
                         self.show(answer))
        self.assertTrue(any(r["kind"] == "misfit" and "EcPerfOpenEx" in r["text"]
                            for r in answer["reasons"]), self.show(answer))
        self.assertTrue(answer["next"], self.show(answer))

    def test_what_setup_takes_for_in_use(self):
        """What somebody has open or mapped, and nothing that somebody only looks at."""
        fd = os.open(self.dll, os.O_PATH)
        self.addCleanup(os.close, fd)
        for state in "read", "write", "mapped":
            with self.subTest(state=state):
                holder = self.hold(state, self.dll)
                self.assertEqual(self.setup_runs(), ["mdbperf.dll"])
                holder.kill()
        self.assertEqual(self.setup_runs(), [])

    def test_nobody_in_the_way(self):
        daemon = self.watcher()
        subscriber = self.listener(daemon)
        self.assertEqual(self.setup_runs(), [])
        self.await_event(subscriber, "install-end")
        self.assert_mended(daemon)
        self.assert_safe(daemon)


@unittest.skipUnless(wine.WINE and wine.SERVER, "Wine is not installed")
class WineTest(Story):
    def setUp(self):
        super().setUp()
        self.wine = wine.Wine(self.path("prefix"))
        self.addCleanup(self.wine.close)

    def test_from_beginning_to_end(self):
        code, said = self.wine.run(self.dsamain)
        self.assertEqual(code, 0, said)
        self.assertIn(f"dsamain.exe {story.OLD}: the Directory service runs", said)
        daemon = self.watcher()
        perfmon = self.wine.spawn(os.path.join(self.root, "perfmon.exe"), "Z:" + self.dll)
        self.addCleanup(perfmon.close)
        self.assert_blocked_beforehand(daemon, "perfmon.exe", perfmon.pid)
        subscriber = self.listener(daemon)
        self.assertEqual(self.setup_runs(), ["mdbperf.dll"])
        self.await_event(subscriber, "install-end")
        self.assert_mixed(daemon, "perfmon.exe")
        self.assert_verified_mixed(daemon)
        # What verify foretells: the service does not start.
        code, said = self.wine.run(self.dsamain)
        self.assertNotEqual(code, 0, said)
        self.assertNotIn("the Directory service runs", said)
        self.step_aside(daemon)
        self.assertEqual(self.setup_runs(), [])
        self.await_event(subscriber, "install-end")
        self.assert_mended(daemon)
        code, said = self.wine.run(self.dsamain)
        self.assertEqual(code, 0, said)
        self.assertIn(f"dsamain.exe {story.NEW}: the Directory service runs", said)
        perfmon.close()
        # Wine's server lets go a moment after its program has ended.
        self.assert_safe(daemon, "--wait=30s")


if __name__ == "__main__":
    main()
