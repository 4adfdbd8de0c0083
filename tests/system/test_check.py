#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`spguard check`: the shape of its answer, its options and exit codes."""
import json
import os
import subprocess

from support import FAIL_AFTER, SPGUARD, Product, SystemTest, main

ANSWER = {"verdict", "without_blocked", "product", "title", "at", "generation", "proof",
          "counts", "files", "reasons", "next", "products"}
PROOF = {"tier", "files", "took_us", "complete", "coverage"}
COUNTS = {"files", "blocked", "open", "mapped", "executing", "locked", "waiting",
          "unattributed", "obstructed"}
FILE = {"path", "state", "uses", "locks", "obstacles", "advice"}
USE = {"how", "pid", "started", "name", "exe", "user", "unit", "since", "class"}
LOCK = {"kind", "mode", "start", "end", "state", "pid", "name"}


class CheckTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")
        self.file("Other.dll")

    def test_shape(self):
        daemon = self.daemon(Product("app", self.bin, title="An Application",
                                     advice={"mdb*.dll": "Stop the monitor."}))
        self.hold("posix", self.dll)
        answer = daemon.check()
        self.assert_verdict(answer, "blocked")
        self.assertLessEqual(ANSWER, set(answer), self.show(answer))
        self.assertLessEqual(PROOF, set(answer["proof"]), self.show(answer))
        self.assertLessEqual(COUNTS, set(answer["counts"]), self.show(answer))
        entry = self.file_of(answer, self.dll)
        self.assertLessEqual(FILE, set(entry), self.show(answer))
        self.assertLessEqual(USE, set(entry["uses"][0]), self.show(answer))
        self.assertLessEqual(LOCK, set(entry["locks"][0]), self.show(answer))
        self.assertEqual((answer["product"], answer["title"], entry["advice"]),
                         ("app", "An Application", "Stop the monitor."), self.show(answer))
        self.assertEqual(answer["counts"]["files"], 2, self.show(answer))
        self.assertEqual(len(answer["files"]), 1, self.show(answer))
        self.assertRegex(answer["at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
        self.assertIn(str(answer["files"][0]["uses"][0]["pid"]), " ".join(self.texts(answer["next"])),
                      self.show(answer))

    def test_all(self):
        daemon = self.daemon()
        answer = self.rpc(daemon).call("check", product="app", all=True)
        self.assertEqual({os.path.basename(f["path"]): f["state"] for f in answer["files"]},
                         {"Mdbperf.dll": "free", "Other.dll": "free"}, self.show(answer))

    def test_quiet(self):
        daemon = self.daemon()
        self.assertEqual(daemon.run("check", "-q"), (0, "", ""))
        self.hold("read", self.dll)
        self.assertEqual(daemon.run("check", "-q"), (2, "", ""))

    def test_words(self):
        daemon = self.daemon()
        code, out, err = daemon.run("check")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("safe", out.lower())
        holder = self.hold("mapped", self.dll)
        code, out, err = daemon.run("check")
        self.assertEqual((code, err), (2, ""))
        for words in ("Mdbperf.dll", "holder", str(holder.pid), "mapped"):
            self.assertIn(words, out)
        self.assertIn("blocked", out.lower())
        self.assertNotIn("\x1b", out, "colour although this is no terminal")

    def test_payload(self):
        payload = self.directory("payload")
        self.file("other.DLL", payload, content=b"a newer one\n")
        self.file("Brandnew.dll", payload)
        daemon = self.daemon()
        self.hold("read", self.dll)
        self.assert_verdict(daemon.check(), "blocked")
        # Only what the pack replaces counts.
        answer = daemon.check("--payload", payload)
        self.assert_verdict(answer, "safe")
        self.assertEqual([(os.path.basename(f["path"]), f["state"]) for f in answer["files"]],
                         [("Brandnew.dll", "new")], self.show(answer))
        self.file("mdbperf.dll", payload, content=b"a newer one\n")
        self.assert_verdict(daemon.check("--payload", payload), "blocked")

    def test_payload_outside_the_patterns(self):
        """A pack may replace files that the profile's patterns do not name."""
        path = self.file("readme.txt")
        payload = self.directory("payload")
        self.file("readme.txt", payload)
        daemon = self.daemon()
        self.assert_verdict(daemon.check("--payload", payload), "safe")
        holder = self.hold("read", path)
        self.assert_safe(daemon)
        answer = daemon.check("--payload", payload)
        self.assert_verdict(answer, "blocked")
        self.use_of(answer, path, holder.pid)

    def test_files(self):
        daemon = self.daemon()
        self.hold("read", self.dll)
        names = self.file("list", self.scratch, b"# what the pack brings\nOther.dll\n")
        self.assert_verdict(daemon.check("--files", names), "safe")
        names = self.file("list", self.scratch, b"Other.dll\nMdbperf.dll\n")
        self.assert_verdict(daemon.check("--files", names), "blocked")

    def test_missing_payload(self):
        daemon = self.daemon()
        code, out, err = daemon.run("check", "--payload", self.path("nowhere"))
        self.assertEqual((code, out), (3, ""))
        self.assertIn(self.path("nowhere"), err)

    def test_wait_ends_with_the_holder(self):
        daemon = self.daemon()
        holder = self.hold("mapped", self.dll)
        rpc = self.rpc(daemon)
        rpc.send_raw(b'{"jsonrpc":"2.0","id":1,"method":"check","params":'
                     b'{"product":"app","wait":600}}\n'
                     b'{"jsonrpc":"2.0","id":2,"method":"check","params":'
                     b'{"product":"app"}}\n')
        # The second question is answered while the first one waits.
        reply = rpc.read_message()
        self.assertEqual((reply["id"], reply["result"]["verdict"]), (2, "blocked"))
        holder.kill()
        reply = rpc.read_message()
        self.assertEqual((reply["id"], reply["result"]["verdict"]), (1, "safe"))

    def test_wait_ends_with_the_mapping(self):
        """Nobody exits and no event need come: released is enough."""
        daemon = self.daemon()
        holder = self.hold("posix", self.dll)
        client = daemon.spawn_client("--json", "check", "--wait=10m")
        self.addCleanup(client.communicate)
        self.rpc(daemon).call("check", product="app")
        holder.release()
        out, err = client.communicate(timeout=FAIL_AFTER)
        self.assertEqual((client.returncode, err), (0, ""))
        self.assertEqual(json.loads(out)["verdict"], "safe")

    def test_wait_runs_out(self):
        daemon = self.daemon()
        self.hold("mapped", self.dll)
        answer = daemon.check("--wait=1s")
        self.assert_verdict(answer, "blocked")

    def test_several_products(self):
        other = self.directory("other")
        self.file("Gwperf.dll", other)
        daemon = self.daemon(Product("one", self.bin), Product("two", other))
        self.hold("read", self.dll)
        code, answer = daemon.json("check")
        self.assertEqual((code, answer["verdict"]), (2, "blocked"), self.show(answer))
        self.assertEqual([(a["product"], a["verdict"]) for a in answer["products"]],
                         [("one", "blocked"), ("two", "safe")], self.show(answer))
        self.assertEqual({row["product"] for key in ("files", "reasons", "next")
                          for row in answer[key]}, {"one"}, self.show(answer))
        for key, count in answer["counts"].items():
            self.assertEqual(count, sum(a["counts"][key] for a in answer["products"]))
        self.assertEqual(answer["proof"]["files"], answer["counts"]["files"])
        self.assertIsNone(answer["product"])
        one = daemon.check("--product", "two")
        self.assert_verdict(one, "safe")
        self.assertEqual(one.pop("exit"), 0)
        # Whatever the number: a script that takes one answer apart takes any.
        self.assertEqual(one.keys(), answer.keys())
        self.assertEqual([row["product"] for row in one["products"]], ["two"])

    def test_payload_of_one_of_several_products(self):
        """A pack concerns the products that have its files; only those are judged,
        and waited for."""
        other = self.directory("other")
        self.file("Gwperf.dll", other)
        payload = self.directory("payload")
        self.file("mdbperf.dll", payload, content=b"a newer one\n")
        daemon = self.daemon(Product("app", self.bin, ignore_case=True),
                             Product("other", other))
        answer = daemon.check("--payload", payload)
        self.assert_verdict(answer, "safe")
        self.assertEqual([p["product"] for p in answer["products"]], ["app"],
                         self.show(answer))
        holder = self.hold("mapped", self.dll)
        self.assert_verdict(daemon.check("--payload", payload), "blocked")
        waiting = self.rpc(daemon)
        waiting.send_raw(b'{"jsonrpc": "2.0", "id": 1, "method": "check",'
                         b' "params": {"names": ["mdbperf.dll"], "wait": 600}}\n')
        # Once this is answered the other is being waited for, or is still asked.
        self.assert_verdict(daemon.check("--product", "app"), "blocked")
        holder.kill()
        self.assertEqual(waiting.read_message()["result"]["verdict"], "safe")
        # A path of the other product is judged there.
        names = self.file("list", self.scratch, f"{self.dll}\n{other}/Gwperf.dll\n".encode())
        answer = daemon.check("--files", names)
        self.assert_verdict(answer, "safe")
        self.assertEqual(len(answer["products"]), 2, self.show(answer))

    def test_no_such_product(self):
        daemon = self.daemon()
        code, out, err = daemon.run("check", "--product", "nothing")
        self.assertEqual((code, out), (3, ""))
        self.assertIn("nothing", err)
        self.assertIn("app", err)

    def test_no_files_at_all(self):
        daemon = self.daemon(Product("app", self.directory("empty")))
        self.assert_verdict(daemon.check(), "unknown")

    def test_wrong_socket(self):
        done = subprocess.run([SPGUARD, "--socket", self.path("nowhere"), "check"],
                              capture_output=True, text=True, timeout=FAIL_AFTER)
        self.assertEqual((done.returncode, done.stdout), (3, ""))
        self.assertIn(self.path("nowhere"), done.stderr)
        self.assertIn("spguardd", done.stderr)

    def test_bad_usage(self):
        daemon = self.daemon()
        for args in (["check", "--wait=soon"], ["check", "--no-such-option"], ["chekc"],
                     ["log", "--kind", "colour"], []):
            with self.subTest(args=args):
                code, out, err = daemon.run(*args)
                if args[:1] == ["check"]:
                    self.assertEqual(code, 3)
                self.assertNotEqual(code, 0)
                self.assertEqual(out, "")
                self.assertTrue(err)

    def test_proved_again_each_time(self):
        """Many short uses: no answer comes from memory."""
        daemon = self.daemon()
        rpc = self.rpc(daemon)
        for _ in range(50):
            with open(self.dll, "rb"):
                self.assertEqual(rpc.call("check", product="app")["verdict"], "blocked")
            self.assertEqual(rpc.call("check", product="app")["verdict"], "safe")


if __name__ == "__main__":
    main()
