#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The watch backend of Windows, under Wine: every way to hold a file is found, with the
right process; free after release and after a kill."""
import contextlib
import os
import time
import unittest

import watching
from watching import Holder, Watch, World, can_run, program

from tap import main

# How it is held, and how that shows.
WAYS = {
    "share-all": {"open"},
    "share-read": {"open"},
    "share-none": {"open"},
    "write": {"write"},
    "attributes": {"open"},
    "view": {"mapped"},
    "writable-view": {"mapped"},
    "section": {"mapped"},
    "image": {"mapped"},
    "lock:10:5": {"open"},
    "inherited": {"open"},
    "duplicated": {"open"},
}


@unittest.skipUnless(can_run(), "no Wine, or the programs of tests/windows are not built")
class WatchTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.watch = Watch(cls.world)

    @classmethod
    def tearDownClass(cls):
        code = cls.watch.close()
        cls.world.close()
        assert code == 0, f"survey.exe ended with {code}"

    def setUp(self):
        self.world.empty()
        self.world.make("free.dll")

    def hold(self, *held):
        holder = Holder(self.world, *held)
        self.addCleanup(holder.close)
        return holder

    def assert_free(self, name):
        survey = self.watch.survey()
        self.assertEqual(survey.file(name)["in_use"], "no", survey.answer)
        self.assertEqual(survey.blind, [])
        self.assertTrue(survey.complete)

    def assert_held(self, name, pid, how):
        survey = self.watch.survey()
        file = survey.file(name)
        self.assertEqual(file["in_use"], "yes", survey.answer)
        self.assertFalse(file["unattributed"])
        self.assertEqual(survey.users(name), {pid: how})
        self.assertEqual(survey.file("free.dll")["in_use"], "no", survey.answer)
        return file

    def test_mechanisms(self):
        """What Wine has proves itself; what it has not is said so, and spared."""
        for name, row in self.watch.mechanisms.items():
            self.assertTrue(row["works"] or row["spared"], name)
        self.assertFalse(self.watch.mechanisms["file's list of users"]["works"])

    def test_steps_that_hang(self):
        code, said = self.world.wine.run(program("bounded.exe"))
        self.assertEqual((code, said.split()[-1:]), (0, ["ok"]), said)

    def test_a_survey_of_one_file(self):
        self.world.make("held.dll")
        self.world.make("other.dll")
        self.watch.survey()
        holder = self.hold("share-all=C:/product/held.dll")
        for name, in_use in (("held.dll", "yes"), ("other.dll", "no")):
            answer, _ = self.watch.ask(f"files C:/product/{name}", "survey")
            self.assertEqual([(f["path"], f["in_use"]) for f in answer["files"]],
                             [(f"C:/product/{name}", in_use)])
        holder.close()

    def test_every_way_to_hold(self):
        for way, how in WAYS.items():
            with self.subTest(way=way):
                self.world.make_library("held.dll")
                self.assert_free("held.dll")
                holder = self.hold(f"{way}=C:/product/held.dll")
                file = self.assert_held("held.dll", holder.pid, how)
                use = file["uses"][0]
                self.assertEqual(use["name"], "holder.exe")
                self.assertTrue(use["exe"].lower().endswith("/holder.exe"), use)
                self.assertIn("=C:/product" if way not in ("inherited", "duplicated")
                              else " child ", use["cmdline"])
                holder.close()
                self.assert_free("held.dll")

    def test_killed(self):
        self.world.make_library("held.dll")
        for way in ("view", "image", "share-none"):
            with self.subTest(way=way):
                holder = self.hold(f"{way}=C:/product/held.dll")
                self.assert_held("held.dll", holder.pid, WAYS[way])
                holder.kill()
                self.assert_free("held.dll")

    def test_handed_from_one_to_the_next(self):
        """Held without a gap, by processes that come and go: never free."""
        self.world.make_library("held.dll")
        for way in ("view", "image", "share-all"):
            with self.subTest(way=way):
                self.assert_free("held.dll")
                holder = self.hold(f"relay:{way}=C:/product/held.dll")
                for n in range(4):
                    survey = self.watch.survey()
                    # Wine may refuse to start the next: then nobody has the file.
                    if not self.relay_runs():
                        self.assertGreater(n, 0, "the relay did not run at all")
                        print(f"# the relay ended after {n} surveys", flush=True)
                        break
                    self.assertIn(survey.file("held.dll")["in_use"], ("yes", "unknown"),
                                  survey.answer)
                    if survey.file("held.dll")["in_use"] == "unknown":
                        self.assertNotEqual(survey.blind, [], survey.answer)
                holder.close()
                self.await_free("held.dll")

    def relay_runs(self):
        """One of the relay's processes, in this test's own prefix, is there."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    args = f.read()
                with open(f"/proc/{pid}/environ", "rb") as f:
                    ours = self.world.wine.prefix.encode() in f.read()
                if ours and b"holder.exe" in args and b"relay\0" in args:
                    return True
        return False

    def await_free(self, name):
        deadline = time.monotonic() + 20
        while (self.watch.survey().file(name)["in_use"] != "no" and
               time.monotonic() < deadline):
            pass
        self.assert_free(name)

    def test_by_another_path(self):
        """The same file by another drive letter, whose volume claims to be another one."""
        self.world.make("held.dll")
        way = "Z:" + os.path.join(self.world.product, "held.dll")
        holder = self.hold(f"share-all={way}")
        self.assert_held("held.dll", holder.pid, {"open"})

    def test_several_holders(self):
        self.world.make("held.dll")
        holders = [self.hold("share-all=C:/product/held.dll") for _ in range(3)]
        holders.append(self.hold("write=C:/product/held.dll", "view=C:/product/held.dll"))
        survey = self.watch.survey()
        wanted = {holders[0].pid: {"open"}, holders[1].pid: {"open"},
                  holders[2].pid: {"open"}, holders[3].pid: {"write", "mapped"}}
        found = survey.users("held.dll")
        self.assertEqual(found, wanted, survey.answer)

    def test_running_program(self):
        self.world.make_library("tool.exe")
        self.world.make("held.dll")
        programs, watching.PROGRAMS = watching.PROGRAMS, self.world.product
        os.rename(os.path.join(self.world.product, "tool.exe"),
                  os.path.join(self.world.product, "holder.exe"))
        try:
            holder = self.hold("share-all=C:/product/held.dll")
        finally:
            watching.PROGRAMS = programs
        self.assert_held("holder.exe", holder.pid, {"executing"})
        holder.close()
        self.assert_free("holder.exe")

    def test_locks(self):
        """Ranges, to the byte, beyond the end of the file too; not where somebody writes."""
        self.world.make("held.dll")
        for start, length in ((0, 1), (10, 5), (1 << 30, 512), (0, (1 << 63) - 1)):
            with self.subTest(start=start, length=length):
                holder = self.hold(f"lock:{start}:{length}=C:/product/held.dll")
                locks = self.watch.survey().file("held.dll")["locks"]
                end = start + length - 1
                self.assertEqual(len(locks), 1)
                self.assertEqual((locks[0]["start"], locks[0]["pid"]), (start, holder.pid))
                self.assertIn(locks[0]["end"], (end, (1 << 63) - 1) if end >= (1 << 63) - 2
                              else (end,))
                holder.close()
        holder = self.hold("lock:0:9=C:/product/held.dll", "write=C:/product/held.dll")
        file = self.watch.survey().file("held.dll")
        self.assertEqual((file["locks"], file["locks_unread"]), ([], True))

    def test_deleted_and_open(self):
        """The name is there until the last one has closed it."""
        self.world.make("held.dll")
        self.assert_free("held.dll")
        holder = self.hold("deleted=C:/product/held.dll")
        survey = self.watch.survey()
        states = [(file["presence"], file["in_use"]) for file in survey.all("held.dll")]
        self.assertIn(states, ([("present", "yes")], [("replaced", "yes")]), survey.answer)
        self.assertIn(holder.pid, survey.users("held.dll"), survey.answer)
        holder.close()
        survey = self.watch.survey()
        self.assertTrue(all(file["presence"] == "gone" for file in survey.all("held.dll")),
                        survey.answer)

    def test_old_version_of_a_library(self):
        """Renamed aside while it is loaded, and a new one put in its place; whoever loads it
        writes its directory as he likes."""
        for ways, directory in (("image", "product"), ("share-all", "product"),
                                ("image", "PRODUCT")):
            with self.subTest(ways=ways, directory=directory):
                self.world.make_library("held.dll")
                self.assert_free("held.dll")
                holder = self.hold(f"{ways}=C:/{directory}/held.dll")
                os.rename(os.path.join(self.world.product, "held.dll"),
                          os.path.join(self.world.product, "held.dll.old"))
                survey = self.watch.survey()
                self.assertEqual([(f["presence"], f["in_use"]) for f in survey.all("held.dll")],
                                 [("replaced", "yes")], survey.answer)
                self.world.make_library("held.dll")
                survey = self.watch.survey()
                self.assertEqual(survey.file("held.dll")["in_use"], "no", survey.answer)
                old = [f for f in survey.all("held.dll") if f["presence"] == "replaced"]
                self.assertEqual([f["in_use"] for f in old], ["yes"], survey.answer)
                self.assertEqual(survey.users("held.dll"), {holder.pid: WAYS[ways]})
                holder.close()
                self.assert_free("held.dll")
                os.unlink(os.path.join(self.world.product, "held.dll.old"))

    def swap(self, folder, name):
        path = os.path.join(folder, name)
        os.rename(path, path + ".old")
        with open(program("holder.exe"), "rb") as source, open(path, "wb") as file:
            file.write(source.read())

    def assert_old_held(self, name, pid):
        survey = self.watch.survey()
        old = [f for f in survey.all(name) if f["presence"] == "replaced"]
        self.assertEqual({f["in_use"] for f in old}, {"yes"}, survey.answer)
        self.assertIn(pid, survey.users(name), survey.answer)

    def test_old_version_of_data(self):
        """A section, without a view too, whose file was renamed aside and replaced."""
        for way in ("section", "view"):
            with self.subTest(way=way):
                self.world.make_library("held.dll")
                self.assert_free("held.dll")
                holder = self.hold(f"{way}=C:/product/held.dll")
                self.swap(self.world.product, "held.dll")
                self.assert_old_held("held.dll", holder.pid)
                os.unlink(os.path.join(self.world.product, "held.dll"))
                self.assert_old_held("held.dll", holder.pid)
                self.world.make_library("held.dll")
                self.assert_old_held("held.dll", holder.pid)
                holder.close()
                self.await_free("held.dll")
                os.unlink(os.path.join(self.world.product, "held.dll.old"))

    def test_old_version_behind_a_link(self):
        """The product has the directory by another path than who loaded the file."""
        real = os.path.join(self.world.drive, "real")
        os.makedirs(real)
        os.symlink(real, os.path.join(self.world.product, "link"))
        for way in ("image", "section"):
            with self.subTest(way=way):
                self.world.make_library("link/held.dll")
                self.assert_free("link/held.dll")
                holder = self.hold(f"{way}=C:/real/held.dll")
                os.rename(os.path.join(real, "held.dll"), os.path.join(real, "held.dll.old"))
                self.assert_old_held("link/held.dll", holder.pid)
                os.rename(os.path.join(real, "held.dll.old"), os.path.join(real, "held.dll"))
                self.swap(real, "held.dll")
                self.assert_old_held("link/held.dll", holder.pid)
                holder.close()
                self.await_free("link/held.dll")
                os.unlink(os.path.join(real, "held.dll.old"))

    def test_subdirectories(self):
        """The name of a view's file, too, has more than 260 characters."""
        name = "a/" + "/".join(["long" * 20] * 4) + "/held.dll"
        for way in ("share-all", "view", "section", "image"):
            with self.subTest(way=way):
                self.world.make_library(name)
                holder = self.hold(f"{way}=C:/product/" + name)
                self.assert_held(name, holder.pid, WAYS[way])
                holder.close()
                self.assert_free(name)

    def test_names_of_all_kinds(self):
        for name in ("ünïcode ☃.dll", "a b.DLL", "𝄞.dll"):
            with self.subTest(name=name):
                self.world.make(name)
                holder = self.hold("view=C:/product/" + name)
                self.assert_held(name, holder.pid, {"mapped"})
                holder.close()

    def test_events(self):
        self.watch.survey()
        self.watch.events()
        path = os.path.join(self.world.product, "new.dll")
        self.world.make("new.dll", b"1")
        os.rename(path, path.replace("new", "other"))
        os.unlink(path.replace("new", "other"))
        # Wine hears of what happens outside of it by inotify.
        said, deadline = [], time.monotonic() + 20
        while time.monotonic() < deadline and not any(
                line.get("kind") == "delete" for line in said):
            said += self.watch.events()
        kinds = [(line.get("kind"), os.path.basename(line.get("path", "")),
                  os.path.basename(line.get("detail") or "")) for line in said]
        self.assertIn(("create", "new.dll", ""), kinds)
        self.assertIn(("rename", "new.dll", "other.dll"), kinds)
        self.assertIn(("delete", "other.dll", ""), kinds)

    def await_event(self, kind, name, pid):
        said = []
        for _ in range(200):
            said += self.watch.ask("wait 100", "waited")[1]
            if any(line.get("kind") == kind and line["path"].endswith(name) and
                   line["pid"] == pid for line in said):
                return
        self.fail(f"no {kind} of {name} by {pid}: {said}")

    def test_opens_and_closes(self):
        """By readings: a file that is held for some seconds is told of."""
        self.world.make_library("held.dll")
        for way in ("share-all", "view", "image"):
            with self.subTest(way=way):
                self.watch.survey()
                holder = self.hold(f"{way}=C:/product/held.dll", "attributes=C:/product/free.dll")
                self.await_event("open", "held.dll", holder.pid)
                holder.close()
                self.await_event("close", "held.dll", holder.pid)

    def test_drain_is_a_barrier(self):
        """What a program did before drain() is delivered by it."""
        self.watch.survey()
        for i in range(20):
            self.watch.events()
            holder = Holder(self.world, "share-all=C:/product/free.dll")
            self.world.make(f"n{i}.dll", b"1")
            said = self.watch.events()
            holder.close()
            self.assertIn(f"C:/product/n{i}.dll", [line.get("path") for line in said])

    def test_a_directory_that_comes(self):
        self.watch.survey()
        self.watch.events()
        self.world.make("later/x.dll")
        deadline, said = time.monotonic() + 20, []
        while time.monotonic() < deadline and not said:
            said = [line for line in self.watch.events() if line["say"] == "layout"]
        self.assertTrue(said)
        self.assertEqual(self.watch.survey().file("later/x.dll")["in_use"], "no")

    def test_exits(self):
        holder = self.hold("share-all=C:/product/free.dll")
        answer, _ = self.watch.ask(f"exit {holder.pid}", "watching")
        self.assertEqual((answer["code"], answer["name"]), (0, "holder.exe"))
        holder.close()
        said, ended = [], {"say": "exit", "pid": holder.pid}
        for _ in range(50):
            said += self.watch.ask("wait 100", "waited")[1]
            if ended in said:
                break
        self.assertEqual(said.count(ended), 1)
        answer, _ = self.watch.ask(f"exit {holder.pid}", "watching")
        self.assertEqual(answer["code"], 1)


if __name__ == "__main__":
    main()
