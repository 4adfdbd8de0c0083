#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A product made of .NET assemblies: which versions each refers to, what is there, and
what the configuration makes of it. The assemblies are made by mono's compiler; mono itself
is no judge, it takes any version. Nothing is said of all that Debian's mono brings."""
import hashlib
import os
import shutil
import struct
import subprocess

from support import FAIL_AFTER, Product, SystemTest, main

CONFIG = """<?xml version="1.0"?>
<configuration><runtime>
<assemblyBinding xmlns="urn:schemas-microsoft-com:asm.v1"><dependentAssembly>
<assemblyIdentity name="Exchange.Net" publicKeyToken="{token}" culture="neutral"/>
<bindingRedirect oldVersion="0.0.0.0-15.1.9999.0" newVersion="{version}"/>
</dependentAssembly></assemblyBinding></runtime></configuration>
"""
MONO = "/usr/lib/mono"
# Of a signature what stands before the digest: SPC_PE_IMAGE_DATA, a DigestInfo of SHA-256.
SIGNED_BEFORE = bytes.fromhex("060a2b06010401823702010f"
                              "3031300d060960864801650304020105000420")


class AssembliesTest(SystemTest):
    def setUp(self):
        super().setUp()
        if not shutil.which("mcs") or not shutil.which("sn"):
            self.skipTest("no compiler of .NET here (mono-mcs, mono-devel)")
        self.made = self.directory("made")
        self.command("sn", "-q", "-k", "key.snk")
        for version in ("15.1.2375.7", "15.1.2507.39"):
            self.compile("Exchange.Net", version, "public class Net { "
                         f'public static string V() {{ return "{version}"; }} }}')
        self.compile("Exchange.Data", "15.1.2507.39", "public class Data { "
                     "public static string V() { return Net.V(); } }", "Exchange.Net")
        self.compile("dsamain", "15.1.2507.39", "class Start { static void Main() { "
                     "System.Console.WriteLine(Data.V()); } }", "Exchange.Data", exe=True)
        for name in ("Exchange.Net.dll", "Exchange.Data.dll", "dsamain.exe"):
            self.install(name)

    def command(self, *args):
        return subprocess.run(args, cwd=self.made, check=True, capture_output=True,
                              text=True, timeout=FAIL_AFTER).stdout

    def compile(self, name, version, code, *needs, exe=False):
        folder = self.directory("made", version)
        with open(os.path.join(self.made, "code.cs"), "w", encoding="ascii") as f:
            f.write(f'[assembly: System.Reflection.AssemblyVersion("{version}")]\n{code}\n')
        self.command("mcs", "-keyfile:key.snk", f"-target:{'exe' if exe else 'library'}",
                     f"-out:{folder}/{name}.{'exe' if exe else 'dll'}",
                     *(f"-r:{folder}/{needed}.dll" for needed in needs), "code.cs")

    def install(self, name, version="15.1.2507.39"):
        shutil.copy(os.path.join(self.made, version, name), self.bin)

    def configure(self, version):
        token = self.command("sn", "-q", "-T", os.path.join(self.bin, "Exchange.Net.dll"))
        with open(os.path.join(self.bin, "dsamain.exe.config"), "w", encoding="ascii") as f:
            f.write(CONFIG.format(token=token.split()[-1], version=version))

    def expect(self, daemon, *texts):
        answer = self.rpc(daemon).call("verify")
        product, = answer["products"]
        self.assertEqual([f["text"] for f in product["findings"]], list(texts))
        self.assertEqual(product["verdict"], "mixed" if texts else "fits", product)
        self.assertEqual({f["kind"] for f in product["findings"]},
                         {"assembly-version"} if texts else set())

    def test_versions_and_configurations(self):
        daemon = self.daemon(Product("exchange", self.bin))
        self.expect(daemon)
        older = ("Exchange.Data.dll needs Exchange.Net 15.1.2507.39, which is not here: "
                 "Exchange.Net.dll is 15.1.2375.7")
        self.install("Exchange.Net.dll", "15.1.2375.7")
        self.expect(daemon, older)
        # The configuration is no file of the product, and is noticed all the same.
        self.configure("15.1.2375.7")
        self.expect(daemon)
        self.configure("15.1.2375.8")
        self.expect(daemon, "Exchange.Data.dll needs Exchange.Net 15.1.2375.8, by the "
                            "configuration, which is not here: Exchange.Net.dll is "
                            "15.1.2375.7")
        os.unlink(os.path.join(self.bin, "dsamain.exe.config"))
        self.expect(daemon, older)
        os.unlink(os.path.join(self.bin, "Exchange.Net.dll"))
        self.install("Exchange.Net.dll")
        self.expect(daemon)

    def test_one_that_was_there_is_gone(self):
        daemon = self.daemon(Product("exchange", self.bin), daemon_keys={"install-quiet": "1ms"})
        rpc = self.rpc(daemon)
        rpc.call("verify")
        os.unlink(os.path.join(self.bin, "Exchange.Net.dll"))
        newest = rpc.call("installs", wait=FAIL_AFTER)["installs"][0]
        texts = ["Exchange.Data.dll needs Exchange.Net.dll, which is gone: it was in " + self.bin]
        self.assertEqual((newest["outcome"], self.texts(newest["reasons"])), ("mixed", texts))
        product, = rpc.call("verify")["products"]
        self.assertEqual([(f["kind"], f["text"]) for f in product["findings"]],
                         [("missing-module", texts[0])])
        self.install("Exchange.Net.dll")
        newest = rpc.call("installs", wait=FAIL_AFTER)["installs"][0]
        self.assertEqual(newest["outcome"], "clean", newest)

    def test_a_later_one_is_right_for_core(self):
        daemon = self.daemon(Product("exchange", self.bin))
        self.install("Exchange.Net.dll", "15.1.2375.7")
        with open(os.path.join(self.bin, "Exchange.Data.deps.json"), "w", encoding="ascii") as f:
            f.write("{}")
        self.expect(daemon, "Exchange.Data.dll needs Exchange.Net 15.1.2507.39 or later, which "
                            "is not here: Exchange.Net.dll is 15.1.2375.7")

    def test_a_page_of_a_signed_one_is_lost(self):
        daemon = self.daemon(Product("exchange", self.bin))
        path = os.path.join(self.bin, "Exchange.Net.dll")
        with open(path, "rb") as f:
            data = bytearray(f.read())
        header, = struct.unpack_from("<I", data, 60)
        checksum, entry = header + 24 + 64, header + 24 + 96 + 32
        struct.pack_into("<II", data, entry, len(data), 128)
        digest = hashlib.sha256(data[:checksum] + data[checksum + 4:entry] + data[entry + 8:])
        content = SIGNED_BEFORE + digest.digest()
        data += struct.pack("<IHH", 128, 0x200, 2) + b"\x30\x76" + content.ljust(118, b"\0")
        for at, byte in ((len(data), b""), (0x260, b"?")):
            data[at:at + len(byte)] = byte
            with open(path, "wb") as f:
                f.write(data)
            product, = self.rpc(daemon).call("verify")["products"]
            self.assertEqual([f["text"] for f in product["findings"]],
                             ["Exchange.Net.dll is damaged: its content is not what was "
                              "signed"] if byte else [])

    def test_all_of_mono(self):
        daemon = self.daemon(Product("mono", MONO, recursive=True))
        answer = self.rpc(daemon).call("verify")
        product, = answer["products"]
        self.assertEqual(product["findings"], [])
        self.assertGreater(product["checked"], 10)
        self.assertEqual(product["verdict"], "fits", product["coverage"])


if __name__ == "__main__":
    main()
