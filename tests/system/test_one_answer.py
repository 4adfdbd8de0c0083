#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check, installs, verify and the metrics say the same of a product, in every state that
an install can leave; and an administrator can end each."""
import os
import shutil

from support import ATTENTION, SAFE, Product, SystemTest, main
from exposition import Exposition  # noqa: E402  (support knows where it is)

EXE = ["mdbperf.dll:EcPerfOpen"]
NEW_EXE = EXE + ["mdbperf.dll:EcPerfOpenEx"]
DLL, NEW_DLL = ["+EcPerfOpen"], ["+EcPerfOpen", "+EcPerfOpenEx"]


class OneAnswerTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.module("dsamain.exe", version="1.0.0.0", tables=EXE)
        self.module("mdbperf.dll", version="1.0.0.0", tables=DLL)
        self.pack = self.directory("pack")
        self.module("dsamain.exe", self.pack, "2.0.0.0", NEW_EXE)
        self.module("mdbperf.dll", self.pack, "2.0.0.0", NEW_DLL)
        self.app = self.daemon(Product("app", self.bin), daemon_keys={"install-quiet": "1ms"})
        self.app.run("verify")

    def put(self, *names):
        for name in names:
            new = os.path.join(self.scratch, name)
            shutil.copy(os.path.join(self.pack, name), new)
            os.rename(new, os.path.join(self.bin, name))

    def installed(self):
        """The newest record, when no install runs."""
        installs = self.rpc(self.app).call("installs", wait=60)["installs"]
        return installs[0] if installs else None

    def assert_agreed(self, outcome, unresolved=None, files=0):
        """Everybody says that the product is as @outcome says; @unresolved: because of
        this install, which left out so many @files."""
        mixed = outcome == "mixed"
        record = self.installed()
        self.assertEqual(record["outcome"], outcome, record)
        self.assertEqual(self.app.check()["exit"], ATTENTION if unresolved else SAFE)
        product = self.app.status()["products"][0]
        self.assertEqual(product["installs"]["unresolved"], unresolved)
        metrics = Exposition(self.app.run("metrics")[1], True)
        self.assertEqual(metrics.value("spguard_verdict", product="app",
                                       spguard_verdict="attention"), float(mixed))
        self.assertEqual(metrics.value("spguard_mixed_files", product="app"), files)
        code, answer = self.app.json("verify")
        self.assertEqual((code, answer["verdict"]), (2, "mixed") if mixed else (0, "fits"),
                         answer)
        self.assertEqual(answer["products"][0]["install"], unresolved)
        # To ask changes nothing, and a restart neither.
        self.assertEqual(self.installed()["id"], record["id"])
        return record

    def accept(self, record):
        steps = [step for step in record["next"] if step["kind"] == "accept"]
        self.assertEqual([step["command"] for step in steps],
                         [f"spguard installs --accept {record['id']}"])
        self.assertEqual(self.app.run("installs", "--accept", str(record["id"]))[0], 0)
        accepted = self.installed()
        self.assertEqual((accepted["outcome"], accepted["follows"]), ("clean", record["id"]))
        self.assertEqual(accepted["reasons"][0]["kind"], "accepted")
        self.assertIn("root accepts what install", accepted["reasons"][0]["text"])
        self.assertEqual(self.app.check()["exit"], SAFE)
        # Once.
        code, _, err = self.app.run("installs", "--accept", str(record["id"]))
        self.assertEqual(code, 1)
        self.assertIn("has left nothing that could be accepted", err)

    def restart(self):
        self.assertEqual(self.app.stop(), 0)
        self.app.start()

    def test_a_misfit(self):
        self.put("dsamain.exe")
        record = self.assert_agreed("mixed", 1)
        self.assertIn("dsamain.exe needs EcPerfOpenEx", record["reasons"][0]["text"])
        self.restart()
        self.assert_agreed("mixed", 1)
        self.put("mdbperf.dll")
        self.assert_agreed("clean")

    def test_a_misfit_is_accepted(self):
        self.put("dsamain.exe")
        self.accept(self.assert_agreed("mixed", 1))
        # Verify still finds it, and it is no fault: also after a restart.
        for _ in range(2):
            record = self.assert_agreed("clean")
            self.assertEqual(self.accepted(), ["missing-export"])
            self.restart()
        self.assertIn("but for 1 finding that is accepted", self.app.run("verify")[1])
        # Another misfit is one, and that one is still none.
        self.module("other.exe", self.pack, "2.0.0.0", ["mdbperf.dll:Other"])
        self.put("other.exe")
        self.assertEqual(len(self.assert_agreed("mixed", record["id"] + 1)["reasons"]), 1)
        self.assertEqual(self.accepted(), ["missing-export"])
        self.put("mdbperf.dll")
        self.assertEqual(len(self.assert_agreed("mixed", record["id"] + 2)["reasons"]), 1)
        self.assertEqual(self.accepted(), [])

    def accepted(self):
        """Of what kinds the findings are that verify lists as accepted."""
        return [finding["kind"] for finding in
                self.app.json("verify")[1]["products"][0]["accepted"]]

    def test_what_never_fitted(self):
        """Nobody has looked before verify does; then all know."""
        self.restart()
        self.module("third.exe", tables=["nowhere.dll:Entry"])
        self.installed()
        self.restart()
        code, answer = self.app.json("verify")
        self.assertEqual((code, answer["verdict"]), (2, "mixed"))
        self.assert_agreed("mixed", self.installed()["id"])
        self.accept(self.installed())
        self.assert_agreed("clean")

    def test_what_is_gone_and_accepted(self):
        """"Gone" is what it was before, and what it is called when it is accepted."""
        os.unlink(os.path.join(self.bin, "mdbperf.dll"))
        self.accept(self.assert_agreed("mixed", 1))
        self.assert_agreed("clean")
        self.assertEqual(self.accepted(), ["missing-module"])
        self.restart()
        self.assert_agreed("clean")

    def test_more_than_an_acceptance_keeps(self):
        """It keeps a thousand findings; what else there is, and what comes, is accepted by
        nobody."""
        first = self.module("user0.dll", tables=["mdbperf.dll:Missing"])
        for i in range(1, 1100):
            os.link(first, os.path.join(self.bin, f"user{i}.dll"))
        self.assertEqual(self.app.json("verify")[0], 2)
        record = self.installed()
        self.assertEqual(self.app.run("installs", "--accept", str(record["id"]))[0], 0)
        code, answer = self.app.json("verify")
        self.assertEqual((code, len(answer["products"][0]["accepted"]),
                          len(answer["products"][0]["findings"])), (2, 1000, 100))
        with open(os.path.join(self.bin, "dsamain.exe"), "r+b") as f:
            f.truncate(300)
        self.installed()
        self.assertIn("damaged", [finding["kind"] for finding in
                                  self.app.json("verify")[1]["products"][0]["findings"]])
        self.assertEqual(self.app.check()["exit"], ATTENTION)

    def test_what_is_left_out_and_accepted(self):
        """As long as it is the same file; also for who compares with that service pack."""
        self.put("dsamain.exe", "mdbperf.dll")
        self.installed()
        self.module("mdbperf.dll", self.pack, "3.0.0.0", NEW_DLL)
        self.app.json("verify", "--payload", self.pack)
        self.accept(self.installed())
        for _ in range(2):
            record = self.installed()
            code, answer = self.app.json("verify", "--payload", self.pack)
            self.assertEqual((code, answer["verdict"]), (0, "fits"), answer)
            self.assertEqual([finding["kind"] for finding in
                              answer["products"][0]["accepted"]], ["older"])
            self.assertEqual(self.installed()["id"], record["id"])
            self.restart()
        # What is installed last is the service pack's, also where that is an install by itself.
        self.module("mdbperf.dll", self.bin, "2.5.0.0", NEW_DLL)
        self.put("dsamain.exe")
        self.assert_agreed("clean")
        self.assertEqual(self.app.json("verify", "--payload", self.pack)[0], 2)
        self.assert_agreed("mixed", self.installed()["id"], 1)

    def test_what_verify_finds(self):
        """Left out by an install of which nobody knew the service pack."""
        self.put("dsamain.exe", "mdbperf.dll")
        found = self.assert_agreed("clean")["id"] + 1
        self.module("mdbperf.dll", self.pack, "3.0.0.0", NEW_DLL)
        code, answer = self.app.json("verify", "--payload", self.pack)
        self.assertEqual((code, answer["verdict"]), (2, "mixed"))
        record = self.assert_agreed("mixed", found, 1)
        self.assertEqual(record["reasons"][0]["kind"], "misfit")
        self.assertEqual(record["skipped"], 1)
        self.app.json("verify", "--payload", self.pack)  # no news
        self.assertEqual(self.installed()["id"], found)
        self.restart()
        self.assert_agreed("mixed", found, 1)
        self.put("mdbperf.dll")
        record = self.assert_agreed("clean")
        self.assertEqual(record["follows"], found)

    def test_what_verify_finds_is_mended_by_verify(self):
        """It was the wrong service pack."""
        self.put("dsamain.exe", "mdbperf.dll")
        found = self.installed()["id"] + 1
        right = shutil.copytree(self.pack, self.path("right"))
        self.module("mdbperf.dll", self.pack, "3.0.0.0", NEW_DLL)
        self.app.json("verify", "--payload", self.pack)
        self.assert_agreed("mixed", found, 1)
        self.file("setup.exe", right)  # which is not installed
        self.assertEqual(self.app.json("verify", "--payload", right)[0], 0)
        self.assert_agreed("clean")

    def test_another_service_pack(self):
        """Nothing of it is installed: to compare it says nothing of the product."""
        self.put("dsamain.exe", "mdbperf.dll")
        self.installed()
        for name in "dsamain.exe", "mdbperf.dll":
            self.module(name, self.pack, "3.0.0.0", NEW_EXE if name[0] == "d" else NEW_DLL)
        code, answer = self.app.json("verify", "--payload", self.pack)
        self.assertEqual((code, answer["verdict"]), (2, "mixed"))
        self.assert_agreed("clean")

    def test_a_run_that_ends_mixed(self):
        """The setup leaves out what nobody needs a new version of."""
        self.module("mdbperf.dll", self.pack, "2.0.0.0", NEW_DLL)
        self.module("other.dll", version="1.0.0.0")
        self.module("other.dll", self.pack, "2.0.0.0")
        self.installed()
        code, _, err = self.app.run(
            "run", "--yes", "--payload", self.pack, "--", "cp",
            self.pack + "/dsamain.exe", self.pack + "/mdbperf.dll", self.bin)
        self.assertEqual(code, 2, err)
        record = self.installed()
        self.assertIn("other.dll", " ".join(self.texts(record["reasons"])))
        self.accept(self.assert_agreed("mixed", record["id"], 1))

    def test_all_gone(self):
        for name in "dsamain.exe", "mdbperf.dll":
            os.unlink(os.path.join(self.bin, name))
        record = self.installed()
        self.assertEqual((record["outcome"], record["reasons"][0]["kind"]),
                         ("mixed", "all-gone"))
        self.assertNotEqual(self.app.check()["exit"], SAFE)
        self.put("dsamain.exe", "mdbperf.dll")
        self.assert_agreed("clean")

    def test_nothing_to_check(self):
        self.file("one.exe")
        for name in "dsamain.exe", "mdbperf.dll":
            os.unlink(os.path.join(self.bin, name))
        self.assertIn("entry points of 0 modules checked",
                      self.installed()["reasons"][-1]["text"])
        code, answer = self.app.json("verify")
        self.assertEqual((code, answer["verdict"]), (3, "not-checked"))
        self.assertEqual((answer["products"][0]["files"], answer["products"][0]["modules"]),
                         (1, 0))


if __name__ == "__main__":
    main()
