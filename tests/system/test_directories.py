#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Directories come, go and change while the daemon watches."""
import os
import shutil

from support import Product, SystemTest, main, private_mounts


def setUpModule():
    private_mounts()


class DirectoriesTest(SystemTest):
    def assert_watched(self, daemon, path):
        """Uses of @path are seen when asked about, and as events."""
        subscriber = self.rpc(daemon)
        subscriber.call("subscribe", kinds=["open"])
        holder = self.hold("read", path)
        event = subscriber.wait_notification(
            lambda method, params: method == "event" and params.get("path") == path)
        self.assertEqual(event["pid"], holder.pid, event)
        self.assert_blocked_by(daemon, path, [holder.pid], {"open"})
        holder.release()
        self.assert_safe(daemon)

    def test_new_file(self):
        self.file("Old.dll")
        daemon = self.daemon()
        self.assertEqual(self.assert_safe(daemon)["counts"]["files"], 1)
        path = self.file("New.dll")
        self.assertEqual(self.assert_safe(daemon)["counts"]["files"], 2)
        self.assert_watched(daemon, path)
        os.unlink(path)
        self.assertEqual(self.assert_safe(daemon)["counts"]["files"], 1)

    def test_new_subdirectories(self):
        self.file("Old.dll")
        daemon = self.daemon(Product("app", self.bin, recursive=True))
        path = self.file("New.dll", self.directory("bin", "a", "b", "c"))
        self.assertEqual(self.assert_safe(daemon)["counts"]["files"], 2)
        self.assert_watched(daemon, path)

    def test_subdirectory_moved_in(self):
        self.file("Old.dll")
        daemon = self.daemon(Product("app", self.bin, recursive=True))
        self.file("New.dll", self.directory("outside", "deep"))
        os.rename(self.path("outside"), os.path.join(self.bin, "inside"))
        self.assertEqual(self.assert_safe(daemon)["counts"]["files"], 2)
        self.assert_watched(daemon, os.path.join(self.bin, "inside", "deep", "New.dll"))

    def test_subdirectories_do_not_count_unless_recursive(self):
        self.file("Old.dll")
        daemon = self.daemon()
        self.hold("read", self.file("New.dll", self.directory("bin", "sub")))
        self.assertEqual(self.assert_safe(daemon)["counts"]["files"], 1)

    def test_directory_appears_later(self):
        later = self.path("a", "b", "later")
        daemon = self.daemon(Product("app", later))
        answer = daemon.check()
        self.assert_verdict(answer, "unknown")
        self.assertIn(later, self.show(answer))
        self.assertTrue(all(lack["remedy"] for lack in answer["proof"]["coverage"]),
                        self.show(answer))
        path = self.file("New.dll", self.directory("a", "b", "later"))
        self.assert_safe(daemon)
        self.assert_watched(daemon, path)

    def test_one_of_two_is_missing(self):
        self.file("Old.dll")
        daemon = self.daemon(Product("app", self.bin, self.path("missing")))
        answer = daemon.check()
        self.assert_verdict(answer, "unknown")
        self.assertIn(self.path("missing"), self.show(answer))

    def test_directory_vanishes(self):
        self.file("Old.dll")
        daemon = self.daemon()
        self.assert_safe(daemon)
        shutil.rmtree(self.bin)
        self.assert_verdict(daemon.check(), "unknown")
        path = self.file("New.dll", self.directory("bin"))
        self.look(daemon)
        self.assert_safe(daemon)
        self.assert_watched(daemon, path)

    def look(self, daemon):
        """That files are there again is an install, found by what is there."""
        daemon.check()
        daemon.run("verify")  # reads behind it

    def test_directory_renamed_away(self):
        self.file("Old.dll")
        daemon = self.daemon()
        self.assert_safe(daemon)
        os.rename(self.bin, self.path("away"))
        self.assert_verdict(daemon.check(), "unknown")
        os.rename(self.path("away"), self.bin)
        self.assert_safe(daemon)
        self.assert_watched(daemon, os.path.join(self.bin, "Old.dll"))

    def test_parent_renamed_away(self):
        deep = self.directory("parent", "deep")
        self.file("Old.dll", deep)
        daemon = self.daemon(Product("app", deep))
        self.assert_safe(daemon)
        os.rename(self.path("parent"), self.path("away"))
        self.assert_verdict(daemon.check(), "unknown")
        path = self.file("New.dll", self.directory("parent", "deep"))
        self.look(daemon)
        self.assert_safe(daemon)
        self.assert_watched(daemon, path)

    def test_directory_replaced(self):
        self.file("Same.dll")
        daemon = self.daemon()
        self.assert_safe(daemon)
        path = self.file("Same.dll", self.directory("next"))
        os.rename(self.bin, self.path("away"))
        os.rename(self.path("next"), self.bin)
        self.assert_safe(daemon)
        self.assert_watched(daemon, path.replace("/next/", "/bin/"))

    def test_replaced_while_in_use(self):
        """The old directory's file still runs: never safe."""
        path = self.file("Same.dll")
        daemon = self.daemon()
        holder = self.hold("mapped", path)
        self.directory("next")
        self.file("Same.dll", self.path("next"))
        os.rename(self.bin, self.path("away"))
        os.rename(self.path("next"), self.bin)
        self.assert_never_safe(daemon.check())
        holder.kill()
        self.assert_safe(daemon)

    def test_symbolic_link_to_the_directory(self):
        path = self.file("Old.dll")
        os.symlink(self.bin, self.path("link"))
        daemon = self.daemon(Product("app", self.path("link")))
        holder = self.hold("read", path)
        answer = daemon.check()
        self.assert_verdict(answer, "blocked")
        self.assertIn(holder.pid, [use["pid"] for entry in answer["files"]
                                   for use in entry["uses"]], self.show(answer))

    def test_a_directory_has_two_names_and_a_mount_below_one(self):
        """The same directory, and yet not the same files: each of them counts,
        whichever name is listed first."""
        lib, names = self.directory("bin", "lib"), ("A", "Z")
        for name in names:
            self.bind(lib, self.directory("bin", name))
        self.directory("bin", "lib", "plugins")
        paths = [self.file("Plain.dll", lib), self.file("Plugin.dll", self.path("bin/lib/plugins"))]
        for name in names:
            mounted = self.mount("tmpfs", self.path("bin", name, "plugins"), options="size=1m")
            paths.append(self.file("Plugin.dll", mounted))
        self.directory("bin", "loop")
        os.symlink("..", self.path("bin", "loop", "up"))
        daemon = self.daemon(Product("app", self.bin, recursive=True))
        self.assert_safe(daemon)
        for path in paths:
            holder = self.hold("mapped", path)
            answer = daemon.check()
            self.assert_verdict(answer, "blocked")
            self.assertEqual({use["pid"] for entry in answer["files"]
                              for use in entry["uses"]}, {holder.pid}, self.show(answer))
            holder.release()
            self.assert_safe(daemon)


if __name__ == "__main__":
    main()
