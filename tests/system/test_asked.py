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
        self.hold("read", self.file("Gwperf.dll", deep))
        answer = daemon.check("--payload", payload)
        self.assert_verdict(answer, "unknown")
        self.assertEqual([(p["product"], p["verdict"]) for p in answer["products"]],
                         [("app", "safe"), ("other", "unknown")], self.show(answer))
        self.assertIn("nested too deep", " ".join(answer["products"][1]["reasons"]))
        shutil.rmtree(os.path.join(other, "d"))
        self.file("Else.dll", other)
        answer = daemon.check("--payload", payload)
        self.assert_verdict(answer, "safe")
        self.assertEqual([p["product"] for p in answer["products"]], ["app"],
                         self.show(answer))

    def test_a_product_whose_directory_is_missing(self):
        self.file("Mdbperf.dll")
        other = self.directory("other")
        daemon = self.daemon(Product("app", self.bin), Product("other", other))
        payload = self.payload("Mdbperf.dll", "Gwperf.dll")
        answer = daemon.check("--payload", payload)
        self.assert_verdict(answer, "safe")
        os.rmdir(other)
        self.assert_verdict(daemon.check("--payload", payload), "unknown")
        self.assert_safe(daemon, "--payload", payload, "--product", "app")


if __name__ == "__main__":
    main()
