#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A product of programs and libraries of Linux, as gcc makes them: what verify, an install
and a service pack that is yet to come are said to lack, the loader fails for."""
import os
import shutil
import subprocess
import unittest

from support import ATTENTION, FAIL_AFTER, SAFE, Product, SystemTest, main

ENGINE = {1: "int engine_open(void) { return 1; }",
          2: "int engine_open(void) { return 1; } int engine_reopen(void) { return 2; }"}
SERVER = {1: "int engine_open(void); int main(void) { return engine_open() - 1; } "
             "int api_log(void) { return 0; }",
          2: "int engine_reopen(void); int main(void) { return engine_reopen() - 2; } "
             "int api_log(void) { return 0; } int api_trace(void) { return 0; }"}
PLUGIN = {1: "int api_log(void); int plugin(void) { return api_log(); }",
          2: "int api_log(void), api_trace(void); "
             "int plugin(void) { return api_log() + api_trace(); }"}


@unittest.skipUnless(shutil.which("gcc"), "needs gcc")
class LinuxModulesTest(SystemTest):
    def setUp(self):
        super().setUp()
        for version in (1, 2):
            self.make(self.directory(f"v{version}"), version)
        self.install(1, "lib/libengine.so.1.0", "bin/server", "plugins/trace.so")
        os.symlink("libengine.so.1.0", os.path.join(self.bin, "lib", "libengine.so.1"))

    def gcc(self, out, code, *args):
        os.makedirs(os.path.dirname(out), exist_ok=True)
        subprocess.run(["gcc", "-w", "-fPIC", "-o", out, "-x", "c", "-", "-x", "none", *args],
                       input=code.encode(), check=True, timeout=FAIL_AFTER)

    def make(self, folder, version):
        engine = os.path.join(folder, "lib", "libengine.so.1.0")
        self.gcc(engine, ENGINE[version], "-shared", "-Wl,-soname,libengine.so.1")
        self.gcc(os.path.join(folder, "bin", "server"), SERVER[version], engine, "-rdynamic",
                 "-Wl,-rpath,$ORIGIN/../lib")
        self.gcc(os.path.join(folder, "plugins", "trace.so"), PLUGIN[version], "-shared")

    def install(self, version, *names):
        """As a package manager does it: each file in one step."""
        for name in names:
            target = os.path.join(self.bin, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(self.path(f"v{version}", name), self.path("new"))
            os.rename(self.path("new"), target)

    def start(self, **keys):
        self.app = self.daemon(Product("app", self.bin, files="*", recursive=True,
                                       ignore_case=False, **keys),
                               daemon_keys={"install-quiet": "1ms"})

    def verify(self, code):
        self.rpc(self.app).call("installs", wait=FAIL_AFTER, limit=1)
        got, answer = self.app.json("verify")
        self.assertEqual(got, code, self.show(answer))
        return answer["products"][0]

    def findings(self, code=2):
        return self.texts(self.verify(code)["findings"])

    def server(self):
        """What the loader says of it; None: it starts."""
        done = subprocess.run([os.path.join(self.bin, "bin", "server")], check=False,
                              env={"LD_BIND_NOW": "1"}, capture_output=True, text=True,
                              timeout=FAIL_AFTER)
        return done.stderr if done.returncode else None

    def test_half_an_update(self):
        self.start()
        answer = self.verify(0)
        self.assertEqual((answer["verdict"], answer["checked"]), ("fits", 3))
        self.install(2, "bin/server")
        needs = "server needs engine_reopen, which libengine.so.1 (1.0) does not define"
        self.assertEqual(len(self.findings()), 1)
        self.assertIn(needs, self.findings()[0])
        self.assertIn("undefined symbol: engine_reopen", self.server())
        newest = self.rpc(self.app).call("installs", wait=FAIL_AFTER)["installs"][0]
        self.assertEqual(newest["outcome"], "mixed")
        self.assertTrue(any(needs in text for text in self.texts(newest["reasons"])))
        self.assertEqual(self.app.json("check")[0], ATTENTION)
        self.install(2, "lib/libengine.so.1.0")
        self.verify(0)
        self.assertIsNone(self.server())
        self.assertEqual(self.app.json("check")[0], SAFE)
        newest = self.rpc(self.app).call("installs", wait=FAIL_AFTER)["installs"][0]
        self.assertEqual(newest["outcome"], "clean")

    def test_a_library_that_is_gone_or_cut_off(self):
        self.start()
        self.verify(0)
        path = os.path.join(self.bin, "lib", "libengine.so.1.0")
        with open(path, "rb+") as file:
            file.truncate(3000)
        self.assertEqual(self.findings(), [
            "libengine.so.1.0 is damaged: it was cut off inside of what is loaded"])
        self.assertIsNotNone(self.server())
        os.unlink(path)
        findings = self.findings()
        self.assertEqual(len(findings), 1)
        self.assertIn("server needs libengine.so.1, which is gone: it was in "
                      + os.path.join(self.bin, "lib"), findings[0])
        self.assertIn("libengine.so.1: cannot open shared object file", self.server())

    def test_a_plugin_of_another_version(self):
        self.start()
        self.verify(0)
        self.install(2, "plugins/trace.so")
        findings = self.findings()
        self.assertEqual(len(findings), 1)
        self.assertIn("trace.so needs api_trace, which server does not define", findings[0])
        self.install(2, "bin/server", "lib/libengine.so.1.0")
        self.verify(0)

    def test_an_older_program_is_no_host(self):
        """What the new one has lost, the one that is kept beside it or in another release
        does not bring back."""
        self.install(2, "bin/server", "lib/libengine.so.1.0", "plugins/trace.so")
        server = os.path.join(self.bin, "bin", "server")
        shutil.copy(server, server + ".old")
        shutil.copytree(self.path("v2"), os.path.join(self.bin, "2"))
        self.gcc(server, SERVER[1] + "int api_none(void) { return 0; }",
                 os.path.join(self.bin, "lib", "libengine.so.1.0"), "-rdynamic",
                 "-Wl,-rpath,$ORIGIN/../lib")
        os.symlink("libengine.so.1.0", os.path.join(self.bin, "2", "lib", "libengine.so.1"))
        self.start()
        findings = self.findings()
        self.assertEqual(len(findings), 1)
        self.assertIn("trace.so needs api_trace", findings[0])

    def test_another_program_is_no_help(self):
        """A plugin is loaded by one program: what that has lost, one of another name that
        defines it does not bring back; another plugin does."""
        self.install(2, "bin/server", "lib/libengine.so.1.0", "plugins/trace.so")
        trace = os.path.join(self.bin, "plugins", "trace.so")
        tool = os.path.join(self.bin, "bin", "a-tool")
        # The symbol that only the tool has comes first, and the tool has two of three.
        self.gcc(trace, "int a_first(void), api_log(void), api_trace(void); "
                 "int plugin(void) { return a_first() + api_log() + api_trace(); }", "-shared")
        self.gcc(tool, "int a_first(void) { return 0; } int main(void) { return 0; }",
                 "-rdynamic")
        self.start()
        findings = self.findings()
        self.assertEqual(len(findings), 1)
        self.assertIn("trace.so needs a_first, which server", findings[0])
        self.gcc(os.path.join(self.bin, "plugins", "first.so"),
                 "int a_first(void) { return 1; }", "-shared")
        self.verify(0)
        os.unlink(os.path.join(self.bin, "plugins", "first.so"))
        self.gcc(tool, "int a_first(void) { return 0; } int api_log(void) { return 0; } "
                 "int api_trace(void) { return 0; } int main(void) { return 0; }", "-rdynamic")
        self.verify(0)

    def test_a_library_that_its_program_has(self):
        """Where the plugin does not look; the program has loaded it before."""
        hidden = os.path.join(self.bin, "private", "libhidden.so.1")
        self.gcc(hidden, "int hidden(void) { return 0; }", "-shared",
                 "-Wl,-soname,libhidden.so.1")
        plugin = os.path.join(self.bin, "plugins", "hides.so")
        self.gcc(plugin, "int hidden(void); int plugin(void) { return hidden(); }", "-shared",
                 hidden)
        daemon = os.path.join(self.bin, "bin", "hiding")
        self.gcc(daemon, "int hidden(void); int main(void) { return hidden(); }", hidden,
                 "-Wl,-rpath,$ORIGIN/../private")
        self.start()
        self.assertNotIn("hides.so", self.show(self.verify(0)["findings"]))
        # What it needs of the program, or of the library, is looked for all the same.
        for missing in "api_none", "hidden_none":
            self.gcc(plugin, f"int hidden(void), {missing}(void); "
                     f"int plugin(void) {{ return hidden() + {missing}(); }}", "-shared",
                     "-Wl,--unresolved-symbols=ignore-all", hidden)
            self.assertEqual([f for f in self.findings() if f"hides.so needs {missing}" not in f],
                             [])
        self.gcc(plugin, "int hidden(void); int plugin(void) { return hidden(); }", "-shared",
                 hidden)
        os.unlink(daemon)
        answer = self.verify(0)
        self.assertIn("libhidden.so.1", self.show(answer["hints"]))
        os.unlink(hidden)
        self.assertIn("hides.so needs libhidden.so.1", self.findings()[0])

    def test_a_library_that_its_program_has_of_another_version(self):
        """The loader takes the one of that name that is there already."""
        code = {1: "int shared_a(void) { return 0; }",
                2: "int shared_a(void) { return 0; } int shared_b(void) { return 0; }"}
        self.file("map1", self.scratch, b"S_1 { global: shared_a; };")
        self.file("map2", self.scratch, b"S_1 { global: shared_a; }; S_2 { global: shared_b; };")
        script = "-Wl,--version-script=" + self.path("map")
        own, other = (os.path.join(self.bin, folder, "libshared.so.1")
                      for folder in ("private", "lib"))
        host = os.path.join(self.bin, "bin", "sharing")
        plugin = os.path.join(self.bin, "plugins", "shares.so")
        for versions in (), (script,):
            for path, version in (own, 1), (other, 2):
                self.gcc(path, code[version], "-shared", "-Wl,-soname,libshared.so.1",
                         *(option + str(version) for option in versions))
            self.gcc(host, '#include <dlfcn.h>\n#include <stdio.h>\n'
                     "int shared_a(void); int api_shared(void) { return 0; } "
                     "int main(int n, char **v) { if (!dlopen(v[1], RTLD_NOW)) "
                     "return puts(dlerror()); return shared_a(); }", own, "-rdynamic",
                     "-Wl,-rpath,$ORIGIN/../private")
            self.gcc(plugin, "int shared_b(void), api_shared(void); "
                     "int plugin(void) { return shared_b() + api_shared(); }", "-shared", other,
                     "-Wl,-rpath,$ORIGIN/../lib")
            said = subprocess.run([host, plugin], check=False, capture_output=True, text=True,
                                  timeout=FAIL_AFTER).stdout
            symbol = "shared_b@S_2" if versions else "shared_b"
            if versions:
                self.assertIn("version `S_2' not found", said)
            else:
                self.assertIn("undefined symbol: shared_b", said)
                self.start()
            findings = self.findings()
            self.assertEqual(len(findings), 1)
            self.assertIn(
                f"shares.so needs {symbol}, which libshared.so.1 in {os.path.dirname(own)} does "
                "not define, and sharing loads that first", findings[0])
            # Where the program takes the newer one, it fits.
            shutil.copy(other, own)
            self.verify(0)
            said = subprocess.run([host, plugin], check=False, capture_output=True, text=True,
                                  timeout=FAIL_AFTER)
            self.assertEqual((said.returncode, said.stdout), (0, ""))

    def test_a_library_of_java(self):
        """Every JVM has loaded libjvm.so before it loads a library for Java."""
        jvm = self.path("jvm", "libjvm.so")
        self.gcc(jvm, "int JNI_GetCreatedJavaVMs(void) { return 0; }", "-shared",
                 "-Wl,-soname,libjvm.so")
        native = os.path.join(self.bin, "lib", "libnative.so")
        code = "int JNI_GetCreatedJavaVMs(void); int %s(void) { return JNI_GetCreatedJavaVMs(); }"
        self.gcc(native, code % "Java_org_example_Native_go", "-shared", jvm)
        self.start()
        self.verify(0)
        self.gcc(native, code % "other", "-shared", jvm)
        self.assertIn("libnative.so needs libjvm.so", self.findings()[0])
        self.gcc(native, "int lost(void); " + code % "Java_org_example_Native_go" +
                 " int more(void) { return lost(); }", "-shared",
                 "-Wl,--unresolved-symbols=ignore-all", jvm)
        self.assertIn("libnative.so needs lost", self.findings()[0])

    def test_a_program_elsewhere_that_loads_it(self):
        host = self.path("v2", "bin", "server")
        shutil.rmtree(os.path.join(self.bin, "bin"))
        os.unlink(os.path.join(self.bin, "lib", "libengine.so.1"))
        self.gcc(os.path.join(self.bin, "plugins", "trace.so"),
                 PLUGIN[2] + "int PyInit_trace(void) { return api_trace(); }", "-shared")
        os.symlink("libengine.so.1.0", self.path("v2", "lib", "libengine.so.1"))
        self.start()
        answer = self.verify(3)
        self.assertEqual(answer["verdict"], "unknown")
        self.assertIn("it is a plugin of Python and needs api_", self.show(answer))
        self.app.stop()
        self.start(loaded_by=host)
        self.verify(0)

    def test_a_library_outside(self):
        """One that the product did not bring is looked at as well."""
        outside = self.path("outside", "lib", "libother.so.1")
        self.gcc(outside, "int other(void) { return 0; }", "-shared",
                 "-Wl,-soname,libother.so.1")
        self.gcc(os.path.join(self.bin, "bin", "user"),
                 "int other(void); int main(void) { return other(); }", outside)
        self.start(library_path=os.path.dirname(outside))
        self.verify(0)
        os.unlink(outside)
        self.gcc(outside, "int none(void) { return 0; }", "-shared",
                 "-Wl,-soname,libother.so.1")
        findings = self.findings()
        self.assertEqual(len(findings), 1)
        self.assertIn("user needs other, which nothing that is loaded with it defines",
                      findings[0])
        os.unlink(outside)
        self.assertIn("user needs libother.so.1, which is nowhere", self.findings()[0])

    def outside(self, code="int ora_open(void) { return 0; }"):
        """A library of elsewhere, which whoever starts the programs finds; and a program that
        needs it and one of the product, which needs one more."""
        path = self.path("outside", "libora.so.1")
        self.gcc(path, code, "-shared", "-Wl,-soname,libora.so.1")
        lib = os.path.join(self.bin, "lib")
        self.gcc(os.path.join(lib, "libbase.so.1"), "int base(void) { return 0; }", "-shared",
                 "-Wl,-soname,libbase.so.1")
        self.gcc(os.path.join(lib, "libmid.so.1"), "int base(void); "
                 "int mid(void) { return base(); }", "-shared", "-Wl,-soname,libmid.so.1",
                 os.path.join(lib, "libbase.so.1"), "-Wl,-rpath,$ORIGIN")
        self.gcc(os.path.join(self.bin, "bin", "dual"), "int ora_open(void), mid(void); "
                 "int main(void) { return ora_open() + mid(); }", path,
                 os.path.join(lib, "libmid.so.1"), "-Wl,-rpath,$ORIGIN/../lib")
        return path

    def fails_for(self, name, symbol):
        done = subprocess.run(
            [os.path.join(self.bin, "bin", name)], check=False, capture_output=True, text=True,
            env={"LD_BIND_NOW": "1", "LD_LIBRARY_PATH": self.path("outside")},
            timeout=FAIL_AFTER)
        if symbol is None:
            self.assertEqual((done.returncode, done.stderr), (0, ""))
        else:
            self.assertIn(symbol, done.stderr)

    def replace_library(self, name, code, *args):
        self.gcc(self.path("new"), code, "-shared", "-Wl,-soname," + name, *args)
        os.rename(self.path("new"), os.path.join(self.bin, "lib", name))

    def test_what_a_library_elsewhere_does_not_define(self):
        """Who does without it lacks a symbol all the same."""
        self.outside()
        self.start(libraries_outside="libora.so*")
        self.verify(0)
        self.fails_for("dual", None)
        self.replace_library("libbase.so.1", "int other(void) { return 0; }")
        self.assertEqual(self.findings(), [
            "libmid.so.1 needs base, which libbase.so.1 does not define, when it is first "
            "called"])
        self.fails_for("dual", "undefined symbol: base")

    def test_what_the_product_defined_before(self):
        """It is none of a library elsewhere, as long as it lacks."""
        self.outside()
        self.start(libraries_outside="libora.so*")
        self.verify(0)
        self.replace_library("libmid.so.1", "int mid_new(void) { return 0; }")
        self.fails_for("dual", "undefined symbol: mid")
        newest = self.rpc(self.app).call("installs", wait=FAIL_AFTER)["installs"][0]
        needs = "dual needs mid, which libmid.so.1 does not define"
        self.assertEqual(newest["outcome"], "mixed", self.show(newest))
        self.assertIn(needs, self.show(newest["reasons"]))
        self.assertIn(needs, self.findings()[0])
        self.app.stop()
        self.start(libraries_outside="libora.so*")
        self.assertIn(needs, self.findings()[0])
        # The library of elsewhere may have it now: that somebody has to say.
        code, said, err = self.app.run("installs", "--accept", newest["id"])
        self.assertEqual(code, 0, said + err)
        self.verify(0)

    def test_a_library_elsewhere_that_the_product_had(self):
        path = self.outside()
        own = os.path.join(self.bin, "lib", "libora.so.1")
        shutil.copy(path, own)
        self.start(libraries_outside="lib*.so*")
        self.verify(0)
        os.unlink(own)
        self.assertIn("dual needs libora.so.1, which is gone", self.findings()[0])

    def test_one_that_relies_on_a_library_elsewhere(self):
        """It names none, and its program has it."""
        path = self.outside()
        self.replace_library("libmid.so.1", "int ora_open(void), own(void); "
                             "int mid(void) { return ora_open() + own(); }")
        self.gcc(os.path.join(self.bin, "bin", "dual"), "int ora_open(void), mid(void); "
                 "int own(void) { return 0; } int main(void) { return ora_open() + mid(); }",
                 path, os.path.join(self.bin, "lib", "libmid.so.1"), "-rdynamic",
                 "-Wl,-rpath,$ORIGIN/../lib")
        self.start(libraries_outside="libora.so*")
        self.fails_for("dual", None)
        self.verify(0)

    def test_a_plugin_whose_program_has_a_library_elsewhere(self):
        path = self.outside("int ora_open(void) { return 0; } int ora_log(void) { return 0; }")
        self.gcc(os.path.join(self.bin, "bin", "dual"), "int ora_open(void); "
                 "int dual(void) { return 0; } int main(void) { return ora_open(); }", path,
                 "-rdynamic")
        self.gcc(os.path.join(self.bin, "plugins", "dual.so"), "int dual(void), ora_log(void); "
                 "int plugin(void) { return dual() + ora_log(); }", "-shared")
        self.start(libraries_outside="libora.so*")
        self.verify(0)

    def test_a_service_pack_beside_a_library_elsewhere(self):
        self.outside()
        self.start(libraries_outside="libora.so*")
        self.verify(0)
        pack = self.path("pack", "lib", "libmid.so.1")
        self.gcc(pack, "int mid_new(void) { return 0; }", "-shared", "-Wl,-soname,libmid.so.1")
        foretold, = self.app.json("check", "--payload", self.path("pack"))[1]["foretold"]
        self.assertIn("dual needs mid, which libmid.so.1 does not define",
                      self.show(foretold["findings"]))

    def as_nobody(self):
        folder = self.bin
        while folder != "/":
            os.chmod(folder, os.stat(folder).st_mode | 0o055)
            folder = os.path.dirname(folder)
        done = subprocess.run([os.path.join(self.bin, "bin", "server")], check=False, user=65534,
                              group=65534, extra_groups=[], capture_output=True, text=True,
                              timeout=FAIL_AFTER)
        return done.stderr if done.returncode else None

    def test_a_program_with_more_rights(self):
        """Its loader does not follow $ORIGIN, nor LD_LIBRARY_PATH."""
        server = os.path.join(self.bin, "bin", "server")
        self.start(library_path=os.path.join(self.bin, "lib"))
        self.verify(0)
        self.assertIsNone(self.as_nobody())
        says = ("server needs libengine.so.1, which is in no directory that the loader trusts: "
                "server is setuid")
        for mode in 0o4755, 0o2755:
            os.chown(server, 0, 0)
            os.chmod(server, mode)
            self.assertIn("libengine.so.1: cannot open shared object file", self.as_nobody())
            self.assertIn(says, self.findings()[0])
            os.chmod(server, 0o755)
            self.verify(0)
        os.chmod(server, 0o2745)
        self.verify(0)
        os.chmod(server, 0o755)
        if shutil.which("setcap"):
            subprocess.run(["setcap", "cap_net_bind_service=ep", server], check=True)
            self.assertIn("libengine.so.1: cannot open shared object file", self.as_nobody())
            self.assertIn(says, self.findings()[0])
            subprocess.run(["setcap", "-r", server], check=True)
            self.verify(0)
        # A path of its own letters counts.
        self.gcc(self.path("new"), SERVER[1], self.path("v1", "lib", "libengine.so.1.0"),
                 "-rdynamic", "-Wl,-rpath," + os.path.join(self.bin, "lib"))
        os.rename(self.path("new"), server)
        os.chmod(server, 0o4755)
        self.assertIsNone(self.as_nobody())
        self.verify(0)

    def test_scripts(self):
        script = os.path.join(self.bin, "bin", "tool")
        self.file("tool", os.path.join(self.bin, "bin"), b"#!/no/such/perl\n")
        self.start()
        self.assertEqual(self.findings(), [
            "tool needs /no/such/perl, its interpreter, which is not there"])
        self.file("tool", os.path.join(self.bin, "bin"), b"#!/bin/sh\n")
        self.verify(0)
        self.assertTrue(os.path.exists(script))
        env, more = shutil.which("env").encode(), [b"sh", b"-S sh -e", b"A=1 sh", b"server"]
        for words in more:
            self.file("tool", os.path.join(self.bin, "bin"), b"#!%s %s\n" % (env, words))
            self.verify(0)
        for words, name in (b"no-such-perl", "no-such-perl"), (b"sh\r", "sh\\x0d"):
            self.file("tool", os.path.join(self.bin, "bin"), b"#!%s %s\n" % (env, words))
            self.assertEqual(self.findings(), [
                f"tool needs {name}, its interpreter, which is in no directory of PATH"])
        # A file of its name is no program.
        self.file("tool", os.path.join(self.bin, "bin"), b"#!%s no-such-perl\n" % env)
        self.file("no-such-perl", self.directory("bin", "completions"), b"complete x\n")
        self.assertEqual(len(self.findings()), 1)
        self.file("no-such-perl", self.directory("bin", "completions"), b"#!/bin/sh\n")
        self.verify(0)
        self.file("tool", os.path.join(self.bin, "bin"), b"#!/bin/sh\n")
        self.file("tool.ps1", os.path.join(self.bin, "bin"), b"#!%s no-such-pwsh\n" % env)
        self.assertIn("no-such-pwsh", self.show(self.verify(0)["hints"]))
        self.file("tool", os.path.join(self.bin, "bin"), b"#!%s /no/such/perl\n" % env)
        self.assertEqual(self.findings(), [
            "tool needs /no/such/perl, its interpreter, which is not there"])

    def test_a_library_that_has_stepped_aside(self):
        """It is none of the product's any more; the program lacks it until setup has run."""
        self.start()
        self.verify(0)
        library = os.path.join(self.bin, "lib", "libengine.so.1.0")
        holder = self.hold("mapped", library)
        code, said, err = self.app.run("sidestep", "--yes", library)
        self.assertEqual(code, 0, said + err)
        self.assertIn("server needs libengine.so.1, which ", self.findings()[0])
        self.install(2, "bin/server", "lib/libengine.so.1.0")
        self.verify(0)
        holder.kill()

    def test_libraries_that_move(self):
        """Whoever starts the program may tell the loader; else it does not start."""
        self.start()
        self.verify(0)
        os.rename(os.path.join(self.bin, "lib"), os.path.join(self.bin, "lib64"))
        answer = self.verify(3)
        self.assertIn("server needs libengine.so.1 in " + os.path.join(self.bin, "lib64")
                      + ", where the loader does not look by itself", self.show(answer))
        self.assertIn("libengine.so.1: cannot open shared object file", self.server())
        newest = self.rpc(self.app).call("installs", wait=FAIL_AFTER)["installs"][0]
        self.assertEqual(newest["outcome"], "unknown", self.show(newest))
        self.app.stop()
        self.start(library_path=os.path.join(self.bin, "lib64"))
        self.assertEqual(self.verify(3)["findings"], [])
        self.assertEqual(self.app.run("installs", "--accept", newest["id"])[0], 0)
        self.verify(0)

    def test_a_program_for_another_machine(self):
        self.start()
        self.verify(0)
        path = os.path.join(self.bin, "bin", "server")
        with open(path, "rb") as file:
            code = bytearray(file.read())
        code[18] = 0xB7  # EM_AARCH64
        self.file("new", self.scratch, bytes(code))
        os.rename(self.path("new"), path)
        newest = self.rpc(self.app).call("installs", wait=FAIL_AFTER)["installs"][0]
        self.assertEqual(newest["outcome"], "mixed", self.show(newest))
        self.assertIn("server is for another system or machine than before",
                      self.texts(newest["reasons"]))

    def test_who_still_runs_the_old(self):
        self.start()
        library = os.path.join(self.bin, "lib", "libengine.so.1.0")
        holder = self.hold("mapped", library)
        self.install(2, "bin/server", "lib/libengine.so.1.0")
        newest = self.rpc(self.app).call("installs", wait=FAIL_AFTER)["installs"][0]
        remarks = [r for r in self.app.json("check")[1]["remarks"]
                   if r["kind"] == "outdated"]
        self.assertEqual([r["pid"] for r in remarks], [holder.pid], self.show(remarks))
        self.assertIn("still runs what was replaced (libengine.so.1",
                      remarks[0]["text"])
        said = " ".join(self.app.run("installs", newest["id"])[1].split())
        self.assertIn("Still running what was replaced: - " + remarks[0]["text"], said)
        self.assertEqual(self.app.json("installs", newest["id"])[1]["outdated"], remarks)
        holder.kill()
        self.assertEqual(self.app.json("installs", newest["id"])[1]["outdated"], [])
        self.assertNotIn("outdated", self.app.json("installs")[1])
        self.assertNotIn("outdated", [r["kind"] for r in
                                      self.app.json("check")[1]["remarks"]])

    def test_a_service_pack_that_is_yet_to_come(self):
        self.start()
        self.verify(0)
        pack = self.path("v2")
        holder = self.hold("mapped", os.path.join(self.bin, "lib", "libengine.so.1.0"))
        foretold, = self.app.json("check", "--payload", pack)[1]["foretold"]
        self.assertEqual(foretold["findings"], [])
        breaks = {os.path.basename(h["path"]): self.texts(h["breaks"])
                  for h in foretold["held"]}
        self.assertEqual(len(breaks["libengine.so.1.0"]), 1)
        self.assertIn("if libengine.so.1.0 is skipped", breaks["libengine.so.1.0"][0])
        self.assertIn("engine_reopen", breaks["libengine.so.1.0"][0])
        holder.kill()
        os.unlink(self.path("v2", "lib", "libengine.so.1.0"))
        foretold, = self.app.json("check", "--payload", pack)[1]["foretold"]
        self.assertIn("server needs engine_reopen", self.show(foretold["findings"]))

    @unittest.skipUnless(shutil.which("dpkg-deb"), "dpkg-deb is not installed")
    def test_a_package_that_is_yet_to_come(self):
        """Its paths are absolute, and the link to its library is one of its files."""
        self.start()
        self.verify(0)
        tree = self.directory("tree")
        there = tree + self.bin
        for name in "bin/server", "lib/libengine.so.1.1":
            os.makedirs(os.path.dirname(os.path.join(there, name)), exist_ok=True)
            shutil.copy(self.path("v2", name.replace("1.1", "1.0")), os.path.join(there, name))
        os.symlink("libengine.so.1.1", os.path.join(there, "lib", "libengine.so.1"))
        self.assertEqual(self.foretold_of_package(tree), [])
        # The link stays as it was without it.
        os.unlink(os.path.join(there, "lib", "libengine.so.1"))
        findings = self.foretold_of_package(tree)
        self.assertIn("server needs engine_reopen", findings[0])
        self.assertEqual(len(findings), 1)

    def foretold_of_package(self, tree):
        self.file("control", self.directory("tree", "DEBIAN"),
                  b"Package: app\nVersion: 2\nArchitecture: all\nMaintainer: A <a@b.c>\n"
                  b"Description: d\n")
        package = os.path.join(self.directory("packages"), "app.deb")
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, package], check=True,
                       capture_output=True, timeout=FAIL_AFTER)
        foretold, = self.app.json("check", "--payload", package)[1]["foretold"]
        return self.texts(foretold["findings"])


if __name__ == "__main__":
    main()
