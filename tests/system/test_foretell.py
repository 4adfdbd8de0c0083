#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a service pack would break is said before it is applied: of the whole set, and of
each file that somebody holds. And it comes true."""
import glob
import os
import shutil

from support import ATTENTION, BLOCKED, SAFE, Product, SystemTest, main

OLD, NEW = "5.5.2448.0", "5.5.2650.24"
BREAKS = ("if mdbperf.dll is skipped, dsamain.exe will not start: it needs EcPerfOpenEx, "
          "which 5.5.2448.0 does not export")


class ForetellTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.module("dsamain.exe", version=OLD, tables=["mdbperf.dll:EcPerfOpen"])
        self.module("mdbperf.dll", version=OLD, tables=["+EcPerfOpen"])
        self.module("other.dll", version=OLD, tables=["+Other"])
        self.pack = self.directory("pack")
        self.module("dsamain.exe", self.pack, NEW, ["mdbperf.dll:EcPerfOpen",
                                                    "mdbperf.dll:EcPerfOpenEx",
                                                    "new.dll:New"])
        self.module("mdbperf.dll", self.pack, NEW, ["+EcPerfOpen", "+EcPerfOpenEx"])
        self.module("other.dll", self.pack, NEW, ["+Other"])
        self.module("new.dll", self.pack, NEW, ["+New"])
        self.app = self.daemon(Product("app", self.bin), daemon_keys={"install-quiet": "1ms"})

    def foretold(self, code, pack=None):
        self.rpc(self.app).call("installs", wait=60)  # none runs
        got, answer = self.app.json("check", "--payload", pack or self.pack)
        self.assertEqual(got, code, self.show(answer))
        foretold, = answer["foretold"]
        return (self.texts(foretold["findings"]),
                {os.path.basename(h["path"]): self.texts(h["breaks"])
                 for h in foretold["held"]}, foretold)

    def test_the_article(self):
        findings, held, foretold = self.foretold(SAFE)
        self.assertEqual((findings, held), ([], {}))
        self.assertEqual((foretold["replaced"], foretold["added"], foretold["checked"]),
                         (3, 1, 4))
        perfmon = self.hold("mapped", os.path.join(self.bin, "mdbperf.dll"))
        self.hold("mapped", os.path.join(self.bin, "other.dll"))
        self.assertEqual(self.foretold(BLOCKED)[:2],
                         ([], {"mdbperf.dll": [BREAKS], "other.dll": []}))
        _, text, _ = self.app.run("check", "--payload", self.pack)
        text = " ".join(text.split())
        self.assertIn("After the service pack: - the whole service pack would fit together: "
                      "entry points of 4 modules checked", text)
        self.assertIn("- " + BREAKS, text)
        self.assertIn("- nothing breaks if other.dll is skipped", text)
        # run says it before it asks, or refuses.
        code, _, err = self.app.run("run", "--yes", "--payload", self.pack, "--", "true")
        self.assertEqual(code, BLOCKED)
        self.assertIn(BREAKS, err)
        # It comes true.
        for name in "dsamain.exe", "other.dll", "new.dll":
            shutil.copy(os.path.join(self.pack, name), self.path("x"))
            os.rename(self.path("x"), os.path.join(self.bin, name))
        newest = self.rpc(self.app).call("installs", wait=60)["installs"][0]
        self.assertIn("dsamain.exe needs EcPerfOpenEx, which mdbperf.dll 5.5.2448.0 does not "
                      "export", self.texts(newest["reasons"]))
        perfmon.kill()

    def test_a_pack_that_does_not_fit(self):
        self.module("mdbperf.dll", self.pack, NEW, ["+EcPerfOpenEx"])
        findings = self.foretold(SAFE)[0]
        self.assertEqual(findings, ["dsamain.exe needs EcPerfOpen, which mdbperf.dll "
                                    "5.5.2650.24 does not export"])
        _, text, _ = self.app.run("check", "--payload", self.pack)
        self.assertIn("with the whole service pack, this would not fit:", text)

    def test_an_archive(self):
        """It is unpacked for the answer, and gone afterwards."""
        self.module("mdbperf.dll", self.pack, NEW, ["+EcPerfOpenEx"])
        for form in "zip", "gztar":
            pack = shutil.make_archive(self.path("pack-" + form), form, self.pack)
            before = set(glob.glob("/var/tmp/spguard-*"))
            findings, held, foretold = self.foretold(SAFE, pack)
            self.assertEqual((findings, held), self.foretold(SAFE)[:2])
            self.assertEqual(len(findings), 1)
            self.assertEqual((foretold["replaced"], foretold["added"], foretold["unseen"]),
                             (3, 1, 0))
            self.assertLessEqual(set(glob.glob("/var/tmp/spguard-*")), before)

    def test_what_does_not_fit_now(self):
        """The pack mends it; what it does not mend is not foretold."""
        self.module("dsamain.exe", version=OLD, tables=["mdbperf.dll:Gone"])
        self.module("third.exe", version=OLD, tables=["other.dll:Nothing"])
        self.assertEqual(self.foretold(ATTENTION)[:2], ([], {}))

    def test_the_installed_need_what_goes(self):
        """A program that the pack does not bring."""
        self.module("tool.exe", version=OLD, tables=["mdbperf.dll:Old"])
        self.module("mdbperf.dll", version=OLD, tables=["+EcPerfOpen", "+Old"])
        self.assertEqual(self.foretold(SAFE)[0],
                         ["tool.exe needs Old, which mdbperf.dll 5.5.2650.24 does not export"])
        self.hold("mapped", os.path.join(self.bin, "mdbperf.dll"))
        # Skipped, that one goes on to work, and the new program does not.
        self.assertEqual(self.foretold(BLOCKED)[1], {"mdbperf.dll": [BREAKS]})

    def test_a_delayed_import_and_a_library(self):
        self.module("plugin.dll", version=OLD)
        self.module("plugin.dll", self.pack, NEW, ["mdbperf.dll:EcPerfOpenEx"])
        self.module("dsamain.exe", self.pack, NEW, ["mdbperf.dll~EcPerfOpenEx"])
        self.hold("mapped", os.path.join(self.bin, "mdbperf.dll"))
        breaks = self.foretold(BLOCKED)[1]["mdbperf.dll"]
        self.assertEqual(sorted(breaks), [
            "if mdbperf.dll is skipped, dsamain.exe will fail when it needs it: it needs "
            "EcPerfOpenEx, which 5.5.2448.0 does not export",
            "if mdbperf.dll is skipped, plugin.dll cannot be loaded: it needs EcPerfOpenEx, "
            "which 5.5.2448.0 does not export"])

    def test_another_content_than_described(self):
        """What the daemon does not see as the client does is not foretold."""
        code, answer = self.app.json("check", "--payload", self.pack)
        self.assertEqual(code, SAFE, answer)
        payload = [{"name": "mdbperf.dll", "path": "mdbperf.dll", "sha256": "0" * 64},
                   {"name": "gone.dll", "path": "gone.dll", "sha256": "0" * 64}]
        answer = self.rpc(self.app).call("foretell", payload=payload, root=self.pack)
        self.assertEqual((answer["replaced"], answer["unseen"], answer["findings"]),
                         (0, 2, []))


if __name__ == "__main__":
    main()
