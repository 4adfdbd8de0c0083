#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What was replaced while spguardd was not running is an install all the same: the next
start compares what there is with what the last daemon knew."""
import os
import shutil
import signal

from support import ATTENTION, FOR_DOS, SAFE, Product, SystemTest, main

EXE = ["mdbperf.dll:EcPerfOpen"]
NEW_EXE = EXE + ["mdbperf.dll:EcPerfOpenEx"]
DLL, NEW_DLL = ["+EcPerfOpen"], ["+EcPerfOpen", "+EcPerfOpenEx"]


class WhileAwayTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.module("dsamain.exe", version="1.0.0.0", tables=EXE)
        self.module("mdbperf.dll", version="1.0.0.0", tables=DLL)
        self.pack = self.directory("pack")
        self.module("dsamain.exe", self.pack, "2.0.0.0", NEW_EXE)
        self.module("mdbperf.dll", self.pack, "2.0.0.0", NEW_DLL)
        self.app = self.begin(Product("app", self.bin))

    def begin(self, *products):
        daemon = self.daemon(*products, daemon_keys={"install-quiet": "1ms"})
        self.assertEqual(daemon.json("verify")[0], 0)
        return daemon

    def put(self, *names):
        for name in names:
            new = os.path.join(self.scratch, name)
            shutil.copy(os.path.join(self.pack, name), new)
            os.rename(new, os.path.join(self.bin, name))

    def away(self, work):
        """Do @work while the daemon is not running; the installs that it knows of then,
        newest first."""
        self.assertEqual(self.app.stop(), 0)
        work()
        self.app.start()
        return self.installs()

    def installs(self):
        # What is installed has been read when this is answered, and was compared.
        self.app.json("verify")
        return self.rpc(self.app).call("installs", wait=60)["installs"]

    def assert_found(self, installs, outcome, changed, of=1):
        self.assertEqual(len(installs), of, installs)
        install = installs[0]
        self.assertEqual((install["outcome"], install["changed"], install["by"]),
                         (outcome, changed, None), install)
        self.assertEqual(install["reasons"][0]["kind"], "events-lost")
        self.assertIn("while spguardd was not running", install["reasons"][0]["text"])

    def test_nothing(self):
        self.assertEqual(self.away(lambda: None), [])

    def test_a_service_pack(self):
        installs = self.away(lambda: self.put("dsamain.exe", "mdbperf.dll"))
        self.assert_found(installs, "clean", 2)
        self.assertEqual(self.app.check()["exit"], SAFE)
        whole = self.rpc(self.app).call("installs", id=installs[0]["id"])["installs"][0]
        self.assertEqual([(f["change"], f["from_version"], f["to_version"])
                          for f in whole["files"]], [("replaced", "1.0.0.0", "2.0.0.0")] * 2)
        self.assertEqual(len(self.away(lambda: None)), 1)

    def test_half_a_service_pack(self):
        installs = self.away(lambda: self.put("dsamain.exe"))
        self.assert_found(installs, "mixed", 1)
        self.assertEqual(self.app.check()["exit"], ATTENTION)
        # And the other half, while it is away again.
        installs = self.away(lambda: self.put("mdbperf.dll"))
        self.assert_found(installs, "clean", 1, 2)
        self.assertEqual(installs[0]["follows"], installs[1]["id"])
        self.assertEqual(self.app.check()["exit"], SAFE)

    def test_a_damaged_one(self):
        def damage():
            with open(os.path.join(self.bin, "mdbperf.dll"), "r+b") as f:
                f.truncate(300)

        installs = self.away(damage)
        self.assert_found(installs, "mixed", 1)
        self.assertIn("damaged", [r.get("finding") for r in installs[0]["reasons"]])

    def test_one_that_is_no_module_any_more(self):
        installs = self.away(lambda: self.file("dsamain.exe", content=FOR_DOS))
        self.assert_found(installs, "mixed", 1)
        self.assertIn("no-module", [r.get("finding") for r in installs[0]["reasons"]])

    def test_one_that_is_gone(self):
        installs = self.away(lambda: os.unlink(os.path.join(self.bin, "mdbperf.dll")))
        self.assert_found(installs, "mixed", 1)
        self.assertIn("which is gone: it was in", " ".join(self.texts(installs[0]["reasons"])))

    def test_one_of_twelve_is_left_out(self):
        """Nobody knows whether it was held: it is told as a guess."""
        names = [f"part{i}.dll" for i in range(12)]
        for name in names:
            self.module(name, version="1.0.0.0")
            self.module(name, self.pack, "2.0.0.0")
        self.installs()
        installs = self.away(lambda: self.put(*names[:-1]))
        self.assertEqual((installs[0]["outcome"], installs[0]["changed"],
                          installs[0]["skipped"]), ("mixed", 11, 3), installs[0])
        self.assertIn("part11.dll was not replaced, and perhaps should have been",
                      " ".join(self.texts(installs[0]["reasons"])))
        code, answer = self.app.json("verify", "--payload", self.pack)
        self.assertEqual((code, answer["verdict"]), (2, "mixed"))
        self.put("dsamain.exe", "mdbperf.dll", names[-1])
        self.assertEqual(self.installs()[0]["outcome"], "clean")
        self.assertEqual(self.app.check()["exit"], SAFE)

    def test_files_without_a_version(self):
        """Most of them are otherwise, and that says nothing of the others."""
        names = [f"table{i}.dll" for i in range(12)]
        for name in names:
            self.file(name)
        before = self.installs()

        def change():
            for name in names[:-1]:
                self.file(name, content=FOR_DOS + name.encode())

        self.assert_found(self.away(change), "clean", 11, len(before) + 1)

    def test_killed(self):
        """What an install has left last is known, however the daemon ended."""
        self.put("dsamain.exe", "mdbperf.dll")
        before = self.installs()
        self.app.process.send_signal(signal.SIGKILL)
        self.app.process.wait()
        self.app.start()
        self.assertEqual(self.installs(), before)
        self.app.process.send_signal(signal.SIGKILL)
        self.app.process.wait()
        self.module("mdbperf.dll", version="3.0.0.0", tables=DLL)
        self.app.start()
        self.assert_found(self.installs(), "mixed", 1, len(before) + 1)

    def test_in_the_middle_of_an_install(self):
        """It began with what was there before, and the last daemon knew that. What was held
        meanwhile, and left out, nobody knows."""
        self.app.keys["install-quiet"] = "1h"
        self.app.write_config()
        self.assertEqual(self.app.run("reload")[0], 0)
        begun = len(self.app.log.lines)
        self.put("dsamain.exe")
        self.assertEqual(self.app.run("flush")[0], 0)
        self.app.keys["install-quiet"] = "1ms"
        self.app.write_config()
        self.assertEqual([line for line in self.app.log.lines[begun:]
                          if "install 1 of app" in line], [])
        installs = self.away(lambda: self.put("mdbperf.dll"))
        self.assertEqual([(i["outcome"], i["changed"]) for i in installs], [("unknown", 2)])
        self.assertIn("what was left out is not known", installs[0]["reasons"][0]["text"])
        whole = self.rpc(self.app).call("installs", id=installs[0]["id"])["installs"][0]
        self.assertEqual([(f["change"], f["from_version"], f["to_version"])
                          for f in whole["files"]], [("replaced", "1.0.0.0", "2.0.0.0")] * 2)

    def test_a_disk_that_is_mounted_later(self):
        """Neither what is missing nor what comes is news."""
        elsewhere = self.path("elsewhere")

        def take_away():
            os.rename(self.bin, elsewhere)
            os.mkdir(self.bin)

        self.assertEqual(self.away(take_away), [])
        os.rename(elsewhere, self.bin)
        self.assertEqual(self.installs(), [])
        # Put down again with other files in it: those are.
        def update():
            self.put("dsamain.exe", "mdbperf.dll")
            take_away()

        self.assertEqual(self.away(update), [])
        os.rename(elsewhere, self.bin)
        self.assertEqual(self.rpc(self.app).call("check")["verdict"], "safe")
        self.app.log.wait_for(lambda line: "install 1 of app: clean" in line, "the install")

    def test_other_files(self):
        """Another configuration means other files, and so does one that left out the
        product for a while: nobody has installed anything."""
        self.file("third.dat", content=b"a table\n")
        app, = self.app.products

        def configure(*products):
            self.app.products = products
            self.app.write_config()

        for files in "*.exe", "*":
            app.files = files
            self.assertEqual(self.away(lambda: configure(app)), [])
        self.assertEqual(self.away(lambda: configure(Product("other", self.pack))), [])
        self.put("dsamain.exe", "mdbperf.dll")
        self.assertEqual(self.away(lambda: configure(app)), [])


if __name__ == "__main__":
    main()
