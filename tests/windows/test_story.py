#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Q246337 from its beginning to its end, all of it with programs of Windows, spguard's too:
Performance Monitor keeps a library, setup skips it and goes on, the Directory service does
not start any more, and the way out (tests/system/test_story.py is the same on Linux)."""
import os
import re
import shutil
import tempfile

from daemon import FAIL_AFTER, NEED_WINE, DaemonTest, Product, main, run
from watching import Program

import story

NEEDS = "dsamain.exe needs EcPerfOpenEx, which mdbperf.dll 5.5.2448.0 does not export"
ROOT = "C:/server"
BIN, SYSTEM, PAYLOAD = (f"{ROOT}/{name}" for name in (story.BIN, story.SYSTEM, "sp"))
DLL, DSAMAIN = f"{BIN}/mdbperf.dll", f"{BIN}/dsamain.exe"


class Perfmon(Program):
    def __init__(self, world):
        super().__init__(world, f"{ROOT}/perfmon.exe", DLL)
        self.lines.wait_for(lambda line: line == "ready", "perfmon.exe")


@NEED_WINE
class StoryTest(DaemonTest):
    def setUp(self):
        super().setUp()
        if story.missing():
            self.skipTest(f"not installed: {', '.join(story.missing())}")
        with tempfile.TemporaryDirectory(prefix="spguard-story-") as built:
            story.build(built, installer=True)
            server = os.path.join(self.world.drive, "server")
            shutil.rmtree(server, ignore_errors=True)
            story.lay(built, server)
        self.served = self.daemon(
            Product("exchange55", BIN, SYSTEM, files="*.dll dsamain.exe",
                    setup_stops="dsamain.exe", title="Microsoft Exchange Server 5.5",
                    advice={"*perf.dll": "Close Performance Monitor."}),
            daemon_keys={"install-quiet": "10s"})

    def setup_runs(self):
        """The installer, whatever spguard said; what it skipped."""
        code, out, err = run(self.world, f"{ROOT}/setup.exe", PAYLOAD, BIN, SYSTEM)
        self.assertEqual((code, len(out.splitlines())), (0, len(story.FILES)), out + err)
        return [line.split()[0] for line in out.splitlines() if "in use" in line]

    def service_starts(self):
        """Does dsamain.exe? What it says."""
        code, out, _ = run(self.world, DSAMAIN)
        self.assertEqual(code == 0, "the Directory service runs" in out, out)
        return out if code == 0 else None

    def newest_install(self):
        self.assertEqual(self.served.run("flush")[0], 0)
        self.assertEqual(self.served.run("installs", f"--wait={FAIL_AFTER:g}s")[0], 0)
        newest = self.served.json("installs")[1]["installs"][0]["id"]
        return self.served.json("installs", newest)[1]["installs"][0]

    def assert_blocked_beforehand(self):
        answer = self.await_verdict(self.served, "blocked", "--payload", PAYLOAD)
        file, = [file for file in answer["files"] if file["state"] == "blocked"]
        self.assertEqual((file["path"], file["advice"]), (DLL, "Close Performance Monitor."),
                         self.show(answer))
        self.assertEqual([(use["name"], use["how"]) for use in file["uses"]],
                         [("perfmon.exe", ["mapped"])], self.show(answer))

    def assert_mixed(self):
        """The daemon knows by itself what came of it, and why."""
        install = self.newest_install()
        self.assertEqual((install["outcome"], install["changed"], install["skipped"]),
                         ("mixed", 11, 1), self.show(install))
        files = {os.path.basename(file["path"]): file for file in install["files"]}
        self.assertEqual(files["mdbperf.dll"]["change"], "skipped", self.show(install))
        self.assertIn("perfmon.exe", [holder["name"] for holder in
                                      files["mdbperf.dll"]["holders"]], self.show(install))
        self.assertEqual(
            (files["dsamain.exe"]["from_version"], files["dsamain.exe"]["to_version"]),
            (story.OLD, story.NEW), self.show(install))
        self.assertIn(NEEDS, self.texts(install["findings"]), self.show(install))
        code, answer = self.served.json("verify")
        self.assertEqual((code, answer["verdict"]), (2, "mixed"))
        self.assertEqual([finding["text"] for finding in answer["products"][0]["findings"]
                          if finding["kind"] == "missing-export"], [NEEDS], self.show(answer))

    def assert_mended(self):
        install = self.newest_install()
        self.assertEqual((install["outcome"], install["skipped"]), ("clean", 0),
                         self.show(install))
        code, answer = self.served.json("verify", "--payload", PAYLOAD)
        self.assertEqual((code, answer["verdict"]), (0, "fits"), self.show(answer))

    def test_from_beginning_to_end(self):
        self.assertRegex(self.service_starts() or "", re.escape(story.OLD))
        self.await_verdict(self.served, "safe", "--payload", PAYLOAD)
        perfmon = Perfmon(self.world)
        self.addCleanup(perfmon.close)
        self.assert_blocked_beforehand()
        self.assertEqual(self.setup_runs(), ["mdbperf.dll"])
        self.assert_mixed()
        self.assertIsNone(self.service_starts())
        # What is left when Performance Monitor has gone: a set that does not fit.
        code, out, err = self.served.run("sidestep", "--dry-run", DLL)
        self.assertEqual((code, err), (0, ""), out)
        code, out, err = self.served.run("sidestep", "--yes", DLL)
        self.assertEqual((code, err), (0, ""), out)
        self.assertEqual(self.setup_runs(), [])
        self.assert_mended()
        self.assertRegex(self.service_starts() or "", re.escape(story.NEW))
        perfmon.close()
        self.await_verdict(self.served, "safe")
        code, out, err = self.served.run("sidestep", "--clean")
        self.assertEqual((code, err), (0, ""), out)

    def test_attention_when_nobody_is_in_the_way_any_more(self):
        perfmon = Perfmon(self.world)
        self.addCleanup(perfmon.close)
        self.assertEqual(self.setup_runs(), ["mdbperf.dll"])
        self.newest_install()
        perfmon.close()
        answer = self.await_verdict(self.served, "attention")
        self.assertTrue(any(reason["kind"] == "misfit" and "EcPerfOpenEx" in reason["text"]
                            for reason in answer["reasons"]), self.show(answer))


if __name__ == "__main__":
    main()
