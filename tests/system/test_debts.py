#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What an install has left is not forgotten: by a restart, a reload, another install, a
step aside that is undone, or a fault of the same words in another folder."""
import os
import shutil

from support import FOR_DOS, ATTENTION, SAFE, Product, SystemTest, main


class DebtsTest(SystemTest):
    def serve(self, *products, **options):
        self.app = self.daemon(*(products or [Product("app", self.bin)]), **options,
                               daemon_keys={"install-quiet": "1ms"})
        self.app.run("verify")

    def newest(self):
        return self.rpc(self.app).call("installs", wait=60)["installs"][0]

    def assert_left(self, text=None):
        """Mixed for everybody; @text: one of the reasons."""
        record = self.newest()
        self.assertEqual(record["outcome"], "mixed", record)
        if text:
            self.assertIn(text, self.texts(record["reasons"]))
        self.assertEqual(self.app.check()["exit"], ATTENTION)
        self.assertEqual(self.app.json("verify")[1]["verdict"], "mixed")
        self.assertEqual(self.newest()["id"], record["id"])

    def assert_over(self):
        self.assertEqual(self.newest()["outcome"], "clean")
        self.assertEqual(self.app.check()["exit"], SAFE)

    def make_pack(self, *names):
        pack = self.directory("pack")
        for name in names:
            self.module(name, version="1.0.0.0")
            self.module(name, pack, "2.0.0.0")
        return pack

    def copy(self, folder, *names):
        for name in names:
            shutil.copy(os.path.join(folder, name), self.path("new"))
            os.rename(self.path("new"), os.path.join(self.bin, name))

    def test_removed_and_not_written(self):
        """Files of the service pack that setup removes first."""
        names = [f"part{i}.dll" for i in range(6)]
        pack = self.make_pack(*names)
        self.serve()
        code, _, err = self.app.run("run", "--yes", "--payload", pack, "--", "sh", "-c",
                                    f"rm {self.bin}/*; cp {pack}/part[0-3].dll {self.bin}")
        self.assertEqual(code, 2, err)
        gone = "part5.dll of the service pack is not installed: the one that was there is gone"
        self.assert_left(gone)
        self.module("other.dll")
        self.assert_left(gone)
        self.copy(pack, *names)
        self.assert_over()

    def test_a_setup_that_does_nothing(self):
        pack = self.make_pack("a.dll", "b.dll")
        self.serve()
        self.assertEqual(self.app.run("run", "--yes", "--payload", pack, "--", "true")[0], 2)
        self.assert_left("a.dll is 1.0.0.0, the service pack has 2.0.0.0")

    def test_a_restart_within_an_install(self):
        self.module("app.exe", tables=["core.dll:x"])
        core = self.module("core.dll", tables=["+x"])
        self.serve()
        os.unlink(core)
        gone = "app.exe needs core.dll, which is gone: it was in " + self.bin
        self.assert_left(gone)
        self.app.keys["install-quiet"] = "1h"
        self.app.write_config()
        self.app.run("reload")
        self.module("other.dll")
        self.app.run("flush")
        self.assertEqual(self.app.stop(), 0)
        self.app.keys["install-quiet"] = "1ms"
        self.app.write_config()
        self.app.start()
        self.assert_left(gone)
        self.module("other.dll", version="3.0.0.0")
        self.assert_left(gone)
        self.module("core.dll", tables=["+x"])
        self.assert_over()

    def test_the_product_goes_and_comes_back(self):
        self.module("app.exe", tables=["core.dll:x"])
        core = self.module("core.dll", tables=["+x"])
        self.serve(Product("app", self.bin), Product("other", self.scratch, files="none"))
        os.unlink(core)
        self.assertEqual(self.newest()["outcome"], "mixed")
        products = self.app.products
        for self.app.products in products[1:], products:
            self.app.write_config()
            self.assertEqual(self.app.run("reload")[0], 0)
        self.assertEqual(self.app.check("--product", "app")["exit"], ATTENTION)

    def test_the_same_words_in_another_folder(self):
        for folder in "ab":
            self.module("foo.dll", self.directory("bin", folder))
        self.file("foo.dll", self.path("bin", "a"), b"")
        self.serve(Product("app", self.bin, recursive=True))
        self.file("foo.dll", self.path("bin", "b"), b"")
        self.assert_left("foo.dll is damaged: it is empty")

    def test_more_faults_than_are_told(self):
        self.module("core.dll", tables=["+one", "+two"])
        names = [f"part{i:02}.exe" for i in range(60)]
        for name in names:
            self.module(name, tables=["core.dll:one"])
        self.serve()
        self.module("core.dll", tables=["+two"])
        self.assert_left()
        for name in names[:55]:
            self.module(name, tables=["core.dll:two"])
        self.assert_left("part59.exe needs one, which core.dll does not export")
        self.app.run("installs", "--accept", str(self.newest()["id"]))
        self.app.json("verify")  # no news
        self.assert_over()

    def test_a_step_that_is_undone(self):
        plug = self.module("plug.dll", version="1.0.0.0")
        self.module("other.dll", version="1.0.0.0")
        self.serve()
        holder = self.hold("mapped", plug)
        self.assertEqual(self.app.run("sidestep", "--yes", plug)[0], 0)
        self.module("other.dll", version="2.0.0.0")
        aside = "plug.dll was not replaced: it has stepped aside, and nobody has written a new one"
        self.assertIn(aside, self.texts(self.newest()["reasons"]))
        self.assertEqual(self.app.run("sidestep", "--undo", "1")[0], 0)
        holder.kill()
        self.assert_left(aside)

    def test_two_acceptances(self):
        self.module("core.dll", tables=["+x"])
        for name in "a.exe", "b.exe":
            self.module(name)
        self.serve()
        for name in "a.exe", "b.exe":
            self.module(name, tables=["core.dll:gone"])
            self.assertEqual(
                self.app.run("installs", "--accept", str(self.newest()["id"]))[0], 0)
        self.module("core.dll", tables=["+x", "+y"])  # a clean install
        self.newest()
        self.assertEqual(self.app.stop(), 0)
        self.app.start()
        self.app.json("verify")
        self.assert_over()

    def test_a_module_that_is_none_any_more(self):
        self.module("plugin.dll")
        self.serve()
        self.file("plugin.dll", content=FOR_DOS)
        none = "plugin.dll was a program or a library, and is none any more"
        self.assert_left(none)
        self.module("other.dll")
        self.assert_left(none)
        self.module("plugin.dll")
        self.assert_over()

    def test_another_configuration_sees_other_files(self):
        """That is nobody's install."""
        self.module("app.exe", tables=["core.dll:x"])
        self.module("core.dll", tables=["+x"])
        self.serve()
        self.app.products = [Product("app", self.bin, files="*.exe")]
        self.app.write_config()
        self.assertEqual(self.app.run("reload")[0], 0)
        self.app.json("verify")
        self.assertEqual(self.rpc(self.app).call("installs", wait=60), {"installs": []})
        self.assertEqual(self.app.check()["exit"], SAFE)


if __name__ == "__main__":
    main()
