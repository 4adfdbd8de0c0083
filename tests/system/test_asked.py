#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Questions about some files, by name or by path: what could not be looked at is
never left out of the answer."""
import os
import shutil

from support import Product, SystemTest, main


class AskedAboutTest(SystemTest):
    def payload(self, *names):
        directory = self.directory("payload")
        for name in names:
            self.file(name, directory, content=b"a newer one\n")
        return directory

    def test_a_product_that_cannot_be_listed(self):
        """Whether a pack concerns it nobody knows: it is not left out."""
        self.file("Mdbperf.dll")
        other = self.directory("other")
        deep = self.directory("other", *["d"] * 70)
        daemon = self.daemon(Product("app", self.bin), Product("other", other, recursive=True))
        payload = self.payload("Mdbperf.dll", "Gwperf.dll")
        holder = self.hold("read", self.file("Gwperf.dll", deep))
        answer = daemon.check("--payload", payload)
        self.assert_verdict(answer, "unknown")
        self.assertEqual([(p["product"], p["verdict"]) for p in answer["products"]],
                         [("app", "safe"), ("other", "unknown")], self.show(answer))
        self.assertIn("nested too deep", " ".join(self.texts(answer["reasons"])))
        holder.kill()
        shutil.rmtree(os.path.join(other, "d"))
        self.file("Else.dll", other)
        answer = daemon.check("--payload", payload)
        self.assert_verdict(answer, "safe")
        self.assertEqual([p["product"] for p in answer["products"]], ["app"],
                         self.show(answer))

    def test_a_product_whose_directory_is_missing(self):
        dll = self.file("Mdbperf.dll")
        other = self.directory("other")
        daemon = self.daemon(Product("app", self.bin), Product("other", other))
        payload = self.payload("Mdbperf.dll", "Gwperf.dll")
        answer = daemon.check("--payload", payload)
        self.assert_verdict(answer, "safe")
        os.rmdir(other)
        self.assert_verdict(daemon.check("--payload", payload), "unknown")
        self.assert_safe(daemon, "--payload", payload, "--product", "app")
        # Nor does a path say where it leads to.
        self.assert_verdict(self.asked(daemon, dll), "unknown")
        self.assert_verdict(self.asked(daemon, dll, os.path.join(other, "Gwperf.dll")),
                            "unknown")

    def asked(self, daemon, *paths):
        text = "".join(f"{path}\n" for path in paths).encode()
        return daemon.check("--files", self.file("list", self.scratch, text))

    def test_a_directory_by_each_of_its_names(self):
        """Files and old versions are found by a path that the listing does not use."""
        lib = self.directory("bin", "lib")
        for link in ("A", "Z"):
            os.symlink("lib", self.path("bin", link))
        free, data = self.file("Free.dll"), self.file("Data.dat", lib)
        library = self.file("Mdbperf.dll", lib)
        daemon = self.daemon(Product("app", self.bin, recursive=True))
        for path in (data, library):
            holder = self.hold("mapped", path)
            name = os.path.basename(path)
            for place in ("lib", "A", "Z", "z", "lib/", "./A//"):
                with self.subTest(name=name, place=place):
                    one = f"{self.bin}/{place}/{name}"
                    self.assert_verdict(self.asked(daemon, free, one), "blocked")
            # One that lies beside them is another one.
            self.assert_verdict(self.asked(daemon, free, f"{self.bin}/{name}"), "safe")
            if path == library:
                os.rename(self.file("new", self.scratch), path)
                for place in ("lib", "A", "Z"):
                    with self.subTest(name=name, place=place, old=True):
                        one = f"{self.bin}/{place}/{name}"
                        self.assert_verdict(self.asked(daemon, free, one), "blocked")
            holder.release()
            self.assert_verdict(self.asked(daemon, free, f"{self.bin}/A/{name}"), "safe")

    def test_an_old_version_of_another_directory(self):
        """Of the same name as one that is asked about by its path, and not in the way."""
        lib, other = self.directory("bin", "lib"), self.directory("bin", "other")
        asked, replaced = self.file("Mdbperf.dll", lib), self.file("Mdbperf.dll", other)
        daemon = self.daemon(Product("app", self.bin, recursive=True))
        holder = self.hold("mapped", replaced)
        self.assert_verdict(daemon.check(), "blocked")
        os.unlink(replaced)
        self.assert_verdict(self.asked(daemon, asked, asked), "safe")
        self.assert_verdict(self.asked(daemon, replaced), "blocked")
        self.assert_verdict(daemon.check(), "blocked")
        holder.release()
        self.assert_safe(daemon)

    def test_a_path_that_goes_up(self):
        """It leads where its text does not say: no answer rather than a wrong one."""
        lib = self.directory("bin", "lib")
        free, path = self.file("Free.dll"), self.file("Mdbperf.dll", lib)
        daemon = self.daemon(Product("app", self.bin, recursive=True))
        self.hold("read", path)
        for place in ("lib/../lib/Mdbperf.dll", "lib/.."):
            text = f"{free}\n{self.bin}/{place}\n".encode()
            code, out, err = daemon.run("check", "--files",
                                        self.file("list", self.scratch, text))
            self.assertEqual((code, out), (3, ""), err)
            self.assertIn("goes up", err)


if __name__ == "__main__":
    main()
