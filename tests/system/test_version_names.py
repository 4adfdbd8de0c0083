#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An old version that runs on has the name of its successor, however an installer replaced
it, and every table tells the two apart."""
import datetime
import os
import re

from support import Product, SystemTest, main


def rename_over(path, look):
    """As rpm and install(1) do."""
    os.rename(path + ".new", path)


def link_aside(path, look):
    """As dpkg: the old one keeps another name until the end."""
    os.link(path, path + ".dpkg-tmp")
    look()
    os.rename(path + ".new", path)
    look()
    os.unlink(path + ".dpkg-tmp")


def move_aside(path, look):
    """As many a setup: away with the old one, then the new one, then delete."""
    os.rename(path, path + "~")
    look()
    os.rename(path + ".new", path)
    look()
    os.unlink(path + "~")


def delete_first(path, look):
    os.unlink(path)
    look()
    os.rename(path + ".new", path)


WAYS = rename_over, link_aside, move_aside, delete_first


class VersionNamesTest(SystemTest):
    def replace(self, way, looks):
        """Replace a file that is used, look at it meanwhile or not, and use the new one:
        daemon, path, the old holder, the new one."""
        directory = self.directory(f"{way.__name__}-{looks}")
        path = self.file("app.dll", directory)
        daemon = self.daemon(Product("app", directory, files="*"),
                             home=f"home-{way.__name__}-{looks}")
        old = self.hold("mapped", path)
        daemon.check()
        self.file("app.dll.new", directory)
        way(path, daemon.check if looks else lambda: None)
        return daemon, path, old, self.hold("read", path)

    def test_names(self):
        for way in WAYS:
            for looks in (False, True):
                with self.subTest(way.__name__, looks=looks):
                    began = datetime.datetime.now(datetime.timezone.utc)
                    daemon, path, old, new = self.replace(way, looks)
                    answer = daemon.check()
                    rows = {file["replaced"]: file for file in answer["files"]}
                    self.assertEqual([f["path"] for f in answer["files"]], [path, path],
                                     self.show(answer))
                    self.assertEqual([rows[old_one]["uses"][0]["pid"]
                                      for old_one in (False, True)], [new.pid, old.pid],
                                     self.show(answer))
                    self.assertIsNone(rows[False]["replaced_at"], self.show(answer))
                    at = datetime.datetime.fromisoformat(
                        rows[True]["replaced_at"][:26].rstrip("Z") + "+00:00")
                    self.assertLess(began - datetime.timedelta(milliseconds=1), at)
                    self.assertLess(at, datetime.datetime.now(datetime.timezone.utc))
                    self.assertEqual({reason["file"] for reason in answer["reasons"]
                                      if reason["kind"] == "in-use"}, {path},
                                     self.show(answer))
                    # It stays so while nothing changes.
                    self.assertEqual(
                        {f["replaced"]: (f["path"], f["replaced_at"])
                         for f in daemon.check()["files"]},
                        {old_one: (path, f["replaced_at"]) for old_one, f in rows.items()})
                    daemon.stop()

    def test_tables(self):
        daemon, path, old, new = self.replace(move_aside, True)
        for command in (["check"], ["check", "--all"], ["who"], ["who", "--by", "file"],
                        ["who", path]):
            with self.subTest(command=command):
                out = re.split(r"\n(?:Why|Good to know)", daemon.run(*command)[1])[0]
                rows = [line for line in out.splitlines() if "app.dll" in line]
                marked = [re.search(r"\(old, replaced \d\d:\d\d:\d\d\)", line) is not None
                          for line in rows]
                self.assertEqual(sorted(marked), [False, True], out)
        self.hold("flock-shared", path)
        self.assertNotIn("(old", daemon.run("locks")[1])

    def test_a_path_is_not_busy_and_free(self):
        daemon, path, old, new = self.replace(rename_over, False)
        new.release()
        self.assertEqual({file["state"] for file in daemon.json("who", path)[1]["files"]},
                         {"free", "blocked"})
        out = daemon.run("who", path)[1]
        self.assertNotIn("free", out)
        self.assertEqual(out.count("app.dll"), 1, out)

    def test_a_lock_of_an_old_version(self):
        path = self.file("app.dll")
        daemon = self.daemon()
        self.hold("flock-shared", path)
        daemon.check()
        os.rename(self.file("new", self.scratch), path)
        locks = daemon.json("locks")[1]["locks"]
        self.assertEqual([lock["replaced"] for lock in locks], [True])
        self.assertRegex(daemon.run("locks")[1], r"app\.dll \(old, replaced ")

    def test_a_daemon_that_was_not_there(self):
        """It does not know when."""
        daemon, path, old, new = self.replace(rename_over, False)
        daemon.stop()
        later = self.daemon(Product("app", os.path.dirname(path), files="*"), home="later")
        rows = {file["replaced"]: file for file in later.check()["files"]}
        self.assertEqual((rows[True]["path"], rows[True]["replaced_at"]), (path, None))
        self.assertRegex(later.run("check")[1], r"app\.dll \(old\) ")


if __name__ == "__main__":
    main()
