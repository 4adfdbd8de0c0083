#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A service pack is compared by path: each of its files with its own counterpart."""
import os
import shutil

from support import ATTENTION, FAIL_AFTER, SAFE, Product, RpcError, SystemTest, main
from pe_library import library  # (support knows where it is)

OLD, NEW, NEWER = (library(version) for version in ("1.0.0.0", "2.0.0.0", "3.0.0.0"))
FITS, MIXED = 0, 2


def variant(content, name):
    """Another content with the same version, for a folder or a machine."""
    return content[:900] + name.encode().ljust(100, b"\0") + content[1000:]


class ByPathTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.pack = self.directory("sp")
        self.app = self.directory("srv", "app")

    def put(self, root, files):
        """@files: path -> content."""
        for path, content in files.items():
            target = os.path.join(root, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as f:
                f.write(content)

    def remember(self, daemon, folder):
        """As `run` does before it starts setup."""
        self.installs(daemon)
        daemon.run("check", "--payload", folder)

    def installs(self, daemon, **params):
        return self.rpc(daemon).call("installs", wait=FAIL_AFTER, **params)["installs"]

    def serve(self, *directories, **options):
        return self.daemon(
            Product("app", *(directories or [self.app]), recursive=True, files="*",
                    **options), daemon_keys={"install-quiet": "1s"})

    def verify(self, daemon, code=FITS):
        """Of the answer the payload, and the findings' texts."""
        got, answer = daemon.json("verify", "--payload", self.pack)
        product, = answer["products"]
        self.assertEqual(got, code, self.show(answer))
        return product["payload"], [f["text"] for f in product["findings"]]

    def counts(self, files, same, different=0, missing=0, variant=0, by_name=0):
        return {"files": files, "same": same, "different": different, "missing": missing,
                "variant": variant, "by_name": by_name}

    def by_folder(self, content, *folders, names=("foo.dll", "bar.dll")):
        return {f"{folder}/{name}" if folder else name: variant(content, folder)
                for folder in folders for name in names}

    def test_machines(self):
        """x86 in the place of x64 is wrong, although the service pack has it."""
        self.put(self.pack, self.by_folder(NEW, "x64", "x86"))
        self.put(self.app, self.by_folder(NEW, "x64", "x86"))
        daemon = self.serve()
        self.assertEqual(self.verify(daemon), (self.counts(4, 4), []))
        shutil.copy(os.path.join(self.app, "x86/foo.dll"), os.path.join(self.app, "x64/foo.dll"))
        self.installs(daemon)
        self.assertEqual(self.verify(daemon, MIXED), (self.counts(4, 3, different=1), [
            "foo.dll is 2.0.0.0 as in the service pack, but its content is another"]))
        _, text, _ = daemon.run("verify", "--payload", self.pack)
        self.assertIn("Service pack: 4 files: 3 installed, 1 installed but different\n", text)
        # Gone there, it is missing, whoever else has one.
        os.remove(os.path.join(self.app, "x64/foo.dll"))
        self.installs(daemon)
        self.assertEqual(self.verify(daemon)[0], self.counts(4, 3, missing=1))
        answer = daemon.check("--payload", self.pack, "--all")
        self.assertEqual((answer["payload"]["same"], answer["payload"]["new"]), (3, 1))

    def test_what_the_pack_does_not_touch(self):
        self.put(self.pack, self.by_folder(NEW, "sp4/server/bin"))
        self.put(self.app, self.by_folder(OLD, "bin", "compat"))
        daemon = self.serve()
        self.rpc(daemon).call("verify")  # what is installed has been read
        answer = daemon.check("--payload", self.pack, "--all")
        self.assertEqual({os.path.relpath(f["path"], self.app): f["offer"]
                          for f in answer["files"]},
                         {"bin/foo.dll": "update", "bin/bar.dll": "update",
                          "compat/foo.dll": "untouched", "compat/bar.dll": "untouched"})
        self.assertEqual(answer["payload"]["update"], 2)
        self.put(self.app, {f"bin/{name}": variant(NEW, "sp4/server/bin")
                            for name in ("foo.dll", "bar.dll")})
        self.assertEqual(self.newest(daemon)["outcome"], "clean")
        self.assertEqual(self.verify(daemon), (self.counts(2, 2), []))

    def newest(self, daemon):
        return self.installs(daemon, id=self.installs(daemon, limit=1)[0]["id"])[0]

    def test_an_install_is_judged_by_path(self):
        """Setup writes the file for another machine."""
        self.put(self.pack, self.by_folder(NEW, "x64", "x86"))
        self.put(self.app, self.by_folder(OLD, "x64", "x86"))
        daemon = self.serve()
        self.rpc(daemon).call("verify")
        self.remember(daemon, self.pack)
        files = self.by_folder(NEW, "x64", "x86")
        files["x64/foo.dll"] = files["x86/foo.dll"]
        self.put(self.app, files)
        install = self.newest(daemon)
        self.assertEqual(install["outcome"], "mixed", self.show(install))
        self.assertEqual([os.path.relpath(f["path"], self.app) for f in install["files"]
                          if f["change"] == "skipped"], ["x64/foo.dll"])
        self.assertEqual(daemon.check()["exit"], ATTENTION)
        # It is mended when it has its own.
        self.put(self.app, {"x64/foo.dll": self.by_folder(NEW, "x64")["x64/foo.dll"]})
        self.assertEqual(self.newest(daemon)["outcome"], "clean")
        self.assertEqual(self.verify(daemon), (self.counts(4, 4), []))
        self.assertEqual(daemon.check()["exit"], SAFE)

    def test_languages(self):
        names = ("app.resources.dll",)
        self.put(self.pack, self.by_folder(NEW, "DE", "fr", "it", names=names))
        self.put(self.app, self.by_folder(NEW, "de", "fr", names=names))
        self.put(self.app, {"de/app.resources.dll": variant(NEW, "DE"),
                            "App.exe": library("2.0.0.0")})
        daemon = self.serve()
        self.assertEqual(self.verify(daemon), (self.counts(3, 2, variant=1), []))
        shutil.copy(os.path.join(self.app, "de", names[0]), os.path.join(self.app, "fr"))
        self.installs(daemon)
        payload, findings = self.verify(daemon, MIXED)
        self.assertEqual(payload, self.counts(3, 1, different=1, variant=1))
        self.assertIn("but its content is another", findings[0])

    def test_case_matters_where_it_does(self):
        names = ("a.dll",)
        self.put(self.pack, self.by_folder(NEW, "DE", "de", names=names))
        self.put(self.app, self.by_folder(NEW, "DE", "de", names=names))
        daemon = self.serve(ignore_case=False)
        self.assertEqual(self.verify(daemon), (self.counts(2, 2), []))

    def test_no_folder_tells(self):
        """A pack for two machines, and a product without folders."""
        self.put(self.pack, self.by_folder(NEW, "i386"))
        self.put(self.pack, self.by_folder(NEWER, "alpha"))
        self.put(self.app, {name: variant(NEW, "i386") for name in ("foo.dll", "bar.dll")})
        daemon = self.serve()
        self.assertEqual(self.verify(daemon), (self.counts(4, 2, variant=2, by_name=2), []))
        _, text, _ = daemon.run("verify", "--payload", self.pack)
        self.assertIn("Service pack: 4 files: 2 installed, 2 other variants; 2 installed files "
                      "were compared by name, with each of several: no folder tells which is "
                      "meant", " ".join(text.split()))
        self.put(self.app, {"foo.dll": OLD})
        self.installs(daemon)
        payload, findings = self.verify(daemon, MIXED)
        self.assertEqual(payload, self.counts(4, 1, different=1, variant=2, by_name=2))
        self.assertRegex(findings[0], r"^foo.dll is 1.0.0.0, the service pack has "
                                      r"[23].0.0.0 or [23].0.0.0 \(one of 2: no folder tells "
                                      r"which\)$")
        foo = self.file_of(daemon.check("--payload", self.pack, "--all"),
                           os.path.join(self.app, "foo.dll"))
        self.assertEqual((foo["offer"], foo["of"]), ("update", 2))
        # Another file of the folder tells.
        self.put(self.pack, {"i386/own.dll": NEW})
        self.put(self.app, {"own.dll": NEW, "foo.dll": variant(NEWER, "alpha")})
        self.installs(daemon)
        payload, findings = self.verify(daemon, MIXED)
        self.assertEqual(payload, self.counts(5, 2, different=1, variant=2))
        self.assertEqual(findings, ["foo.dll is 3.0.0.0, the service pack has 2.0.0.0"])

    def test_a_flat_pack(self):
        """It tells no folder: all of a name are compared."""
        names = ("a.dll", "b.dll", "c.dll")
        self.put(self.pack, {name: variant(NEW, name) for name in names})
        self.put(self.app, {f"{folder}/{name}": variant(NEW, name) for folder, name in
                            zip(("bin", "lib/deep", "lib"), names)})
        self.put(self.app, {"tools/c.dll": OLD})
        daemon = self.serve()
        payload, findings = self.verify(daemon, MIXED)
        self.assertEqual(payload, self.counts(3, 2, different=1))
        self.assertEqual(findings, ["c.dll is 1.0.0.0, the service pack has 2.0.0.0"])
        os.remove(os.path.join(self.app, "tools/c.dll"))
        self.installs(daemon)
        self.assertEqual(self.verify(daemon), (self.counts(3, 3), []))

    def test_not_installed(self):
        """The rest of its folder is; setup programs and the like are not meant."""
        names = [f"part{i}.dll" for i in range(6)]
        self.put(self.pack, self.by_folder(NEW, "sp/bin", names=names))
        self.put(self.pack, {"sp/bin/new.dll": NEW, "sp/setup.exe": NEW, "sp/data1.cab": b"MSCF",
                             "sp/bin/vcredist_x64.exe": NEW, "sp/bin/readme.htm": b"<p>"})
        self.put(self.app, self.by_folder(OLD, "bin", names=names))
        self.put(self.app, {"bin/server.exe": OLD})
        daemon = self.serve()
        self.rpc(daemon).call("verify")
        self.remember(daemon, self.pack)
        self.put(self.app, {f"bin/{name}": variant(NEW, "sp/bin") for name in names})
        install = self.newest(daemon)
        says = ("new.dll of the service pack is not installed, although 6 of the 7 files of "
                "its folder are")
        self.assertEqual((install["outcome"], self.texts(install["reasons"])), ("mixed", [says]))
        self.assertEqual(daemon.check()["exit"], ATTENTION)
        payload, findings = self.verify(daemon, MIXED)
        self.assertEqual((payload, findings), (self.counts(11, 6, missing=5), [says]))
        _, text, _ = daemon.run("verify", "--payload", self.pack)
        self.assertIn(says, " ".join(text.split()))
        self.put(self.app, {"bin/new.dll": NEW})
        self.assertEqual(self.newest(daemon)["outcome"], "clean")
        self.assertEqual(self.verify(daemon), (self.counts(11, 7, missing=4), []))
        self.assertEqual(daemon.check()["exit"], SAFE)

    def test_a_pack_for_two_products(self):
        """What one of them has is not missing in the other."""
        other = self.directory("srv", "other")
        names = [f"part{i}.dll" for i in range(15)]
        self.put(self.pack, {name: NEW for name in names + ["other.dll", "new.dll"]})
        self.put(self.app, {name: NEW for name in names})
        self.put(other, {"other.dll": NEW})
        daemon = self.daemon(Product("app", self.app), Product("other", other))
        code, answer = daemon.json("verify", "--payload", self.pack)
        self.assertEqual(code, MIXED, self.show(answer))
        self.assertEqual([[f["path"] for f in product["findings"]]
                          for product in answer["products"]],
                         [[os.path.join(self.app, "new.dll")], []])
        os.remove(os.path.join(self.pack, "new.dll"))
        code, answer = daemon.json("verify", "--payload", self.pack)
        self.assertEqual(code, FITS, self.show(answer))

    def test_a_step_aside(self):
        """What the pack brings for another folder would leave this one without."""
        self.put(self.app, self.by_folder(OLD, "bin", "compat", names=["foo.dll"]))
        daemon = self.serve()
        paths = [os.path.join(self.app, folder, "foo.dll") for folder in ("bin", "compat")]
        for path in paths:
            self.hold("mapped", path)
        steps = self.rpc(daemon).call(
            "sidestep.apply", product="app", paths=paths, dry_run=True,
            payload=[{"name": "foo.dll", "path": "sp/bin/foo.dll"}])["sidesteps"]
        self.assertEqual([(step["path"], step["state"]) for step in steps],
                         [(paths[0], "planned"), (paths[1], "refused")])
        self.assertIn("the service pack brings no new one", steps[1]["text"])

    def test_several_directories(self):
        web = self.directory("srv", "web", "bin")
        self.put(self.pack, self.by_folder(NEW, "sp/app/bin", "sp/web/bin"))
        self.put(os.path.join(self.app, "bin"), {
            name: variant(NEW, "sp/app/bin") for name in ("foo.dll", "bar.dll")})
        self.put(web, {name: variant(NEW, "sp/web/bin") for name in ("foo.dll", "bar.dll")})
        daemon = self.serve(os.path.join(self.app, "bin"), web)
        self.assertEqual(self.verify(daemon), (self.counts(4, 4), []))
        self.put(web, {"foo.dll": variant(NEW, "sp/app/bin")})
        self.installs(daemon)
        self.assertEqual(self.verify(daemon, MIXED)[0], self.counts(4, 3, different=1))

    def test_doubles_are_files_too(self):
        """The same content in two folders of the pack."""
        self.put(self.pack, {"de/a.dll": NEW, "fr/a.dll": NEW, "b.dll": NEW})
        self.put(self.app, {"de/a.dll": NEW, "fr/a.dll": NEW, "b.dll": NEW})
        daemon = self.serve()
        self.assertEqual(self.verify(daemon), (self.counts(3, 3), []))

    def test_bad_paths(self):
        rpc = self.rpc(self.serve())
        for path in ("//a.dll", "/", "/../a.dll", "/x//a.dll", "../a.dll", "x/../a.dll", "x//a.dll", "./a.dll", "a.dll/",
                     "x/b.dll", "x/" * 3000 + "a.dll"):
            for method in "check", "verify":
                with self.assertRaises(RpcError) as caught:
                    rpc.call(method, payload=[{"name": "a.dll", "path": path}])
                self.assertEqual(caught.exception.code, -32602)
        self.put(self.app, {"a.dll": OLD})
        for path in "x/a.dll", "/x/a.dll":
            rpc.call("verify", product="app", payload=[{"name": "a.dll", "path": path}])


if __name__ == "__main__":
    main()
