#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A name of the product leads elsewhere than before, and nothing in the directories that
were listed has changed: a link above a directory, in the middle of a tree, or with the
name of a product's file. The files that it leads to now are the ones that count.

Each state: the daemon answers safe often enough to know the product by heart, the link
moves to files that are in use, and from then on nothing is safe until the user ends."""
import os

from support import Product, SystemTest, main, private_mounts


def setUpModule():
    private_mounts()


class MovedLinksTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.rel1 = self.release("rel1")
        self.rel2 = self.release("rel2")

    def release(self, name):
        """A directory with a folder "lib", that has two libraries."""
        for library in ("one.dll", "two.dll"):
            self.file(library, self.directory(name, "lib"))
        return self.path(name)

    def link(self, target, *parts):
        """Put the symbolic link at its place, over one that is there."""
        path = self.path(*parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(target, path + ".new")
        os.rename(path + ".new", path)
        return path

    def asked_often(self, *directories, **product):
        daemon = self.daemon(Product("app", *directories, **product))
        for _ in range(3):
            self.assert_safe(daemon)
        return daemon

    def assert_follows(self, daemon, move, used, name=None):
        """Somebody has @used open; then the product's name leads there. @name: as the
        product calls it."""
        holder = self.hold("read", used)
        self.assert_safe(daemon)
        move()
        for _ in range(2):
            self.assert_blocked_by(daemon, name or used, [holder.pid], ["open"])
        holder.kill()
        self.assert_safe(daemon)

    # A link above the directory

    def test_the_directory_s_parent(self):
        current = self.link("rel1", "current")
        daemon = self.asked_often(current + "/lib")
        self.assert_follows(daemon, lambda: self.link("rel2", "current"),
                            self.rel2 + "/lib/one.dll", current + "/lib/one.dll")

    def test_the_directory_itself(self):
        current = self.link("rel1/lib", "lib")
        daemon = self.asked_often(current)
        self.assert_follows(daemon, lambda: self.link("rel2/lib", "lib"),
                            self.rel2 + "/lib/two.dll", current + "/two.dll")

    def test_a_link_behind_a_link(self):
        """The one that moves is neither above the name nor above what it leads to."""
        self.link(self.rel1, "elsewhere", "active")
        app = self.link("elsewhere/active", "app")
        daemon = self.asked_often(app + "/lib")
        self.assert_follows(daemon, lambda: self.link(self.rel2, "elsewhere", "active"),
                            self.rel2 + "/lib/one.dll", app + "/lib/one.dll")

    def test_the_second_directory_of_two(self):
        current = self.link("rel1", "current")
        daemon = self.asked_often(self.rel1 + "/lib", current + "/lib")
        self.assert_follows(daemon, lambda: self.link("rel2", "current"),
                            self.rel2 + "/lib/one.dll", current + "/lib/one.dll")

    def test_a_directory_is_exchanged(self):
        """No link at all: the tree above the directory is another one."""
        top, new = self.directory("top"), self.directory("new")
        os.rename(self.rel1, top + "/rel")
        os.rename(self.rel2, new + "/rel")
        daemon = self.asked_often(top + "/rel/lib")

        def move():
            os.rename(top, self.path("old"))
            os.rename(new, top)
        self.assert_follows(daemon, move, new + "/rel/lib/one.dll", top + "/rel/lib/one.dll")

    # Events: a new place is surveyed without being asked about, and its files watched

    def assert_watches(self, daemon, move, used):
        """After @move somebody's use of @used is history."""
        rpc = self.rpc(daemon)
        rpc.call("subscribe")
        move()
        holder = self.hold("read", used)
        rpc.wait_notification(lambda method, event: method == "event" and event["kind"] == "use-begin" and
                              event["pid"] == holder.pid)
        holder.kill()

    def test_the_events_behind_a_link(self):
        current = self.link("rel1", "current")
        daemon = self.asked_often(current + "/lib")
        self.assert_watches(daemon, lambda: self.link("rel2", "current"),
                            self.rel2 + "/lib/one.dll")

    def test_the_events_behind_a_link_behind_a_link(self):
        self.link(self.rel1, "elsewhere", "active")
        app = self.link("elsewhere/active", "app")
        daemon = self.asked_often(app + "/lib")
        self.assert_watches(daemon, lambda: self.link(self.rel2, "elsewhere", "active"),
                            self.rel2 + "/lib/one.dll")

    def test_the_events_of_a_directory_that_takes_the_place_of_another(self):
        current = self.link("rel1", "current")
        daemon = self.asked_often(current + "/lib")

        def move():
            os.rename(self.rel1, self.path("gone"))
            os.rename(self.rel2, self.rel1)
        self.assert_watches(daemon, move, self.rel1 + "/lib/one.dll")

    def test_a_directory_comes_where_a_link_leads(self):
        """Nothing was there: a link to a release that is not here yet, and one whose
        directory went between two surveys."""
        current = self.link("later", "current")
        daemon = self.daemon(Product("app", current + "/lib"))
        self.assert_verdict(daemon.check(), "unknown")
        self.assert_watches(daemon, lambda: os.rename(self.rel2, self.path("later")),
                            self.path("later", "lib", "one.dll"))
        os.rename(self.path("later"), self.path("gone"))
        self.assert_verdict(daemon.check(), "unknown")
        self.assert_watches(daemon, lambda: os.rename(self.rel1, self.path("later")),
                            self.path("later", "lib", "one.dll"))

    # Links within a recursive product

    def recursive(self, target):
        """A recursive product that has @target behind the link "plugins/current"."""
        self.file("main.dll", self.directory("app"))
        self.link(target, "app", "plugins", "current")
        return self.asked_often(self.path("app"), recursive=True)

    def test_a_link_in_the_middle_of_a_tree(self):
        daemon = self.recursive(self.rel1)
        self.assert_follows(
            daemon, lambda: self.link(self.rel2, "app", "plugins", "current"),
            self.rel2 + "/lib/one.dll", self.path("app", "plugins", "current", "lib",
                                                  "one.dll"))

    def test_a_link_behind_a_link_in_a_tree(self):
        self.link(self.rel1, "elsewhere", "active")
        daemon = self.recursive(self.path("elsewhere", "active"))
        self.assert_follows(
            daemon, lambda: self.link(self.rel2, "elsewhere", "active"),
            self.rel2 + "/lib/one.dll", self.path("app", "plugins", "current", "lib",
                                                  "one.dll"))

    def test_a_dangling_link_in_a_tree_leads_somewhere_now(self):
        daemon = self.recursive(self.path("later"))
        self.assert_follows(
            daemon, lambda: os.rename(self.rel2, self.path("later")),
            self.rel2 + "/lib/one.dll",
            self.path("app", "plugins", "current", "lib", "one.dll"))

    def test_what_a_link_in_a_tree_leads_to_becomes_a_directory(self):
        """Before, it is a regular file of no interest."""
        self.file("target", self.directory("elsewhere"))
        daemon = self.recursive(self.path("elsewhere", "target"))

        def move():
            os.unlink(self.path("elsewhere", "target"))
            os.rename(self.rel2, self.path("elsewhere", "target"))
        self.assert_follows(
            daemon, move, self.rel2 + "/lib/two.dll",
            self.path("app", "plugins", "current", "lib", "two.dll"))

    # Links with the name of a product's file

    def linked_file(self, target):
        self.file("main.dll", self.directory("app"))
        self.link(target, "app", "extra.dll")
        return self.asked_often(self.path("app"))

    def test_a_dangling_link_with_a_product_s_name(self):
        daemon = self.linked_file(self.path("later", "one.dll"))
        self.assert_follows(daemon, lambda: self.link(self.rel2 + "/lib", "later"),
                            self.rel2 + "/lib/one.dll", self.path("app", "extra.dll"))

    def test_a_link_with_a_product_s_name_that_led_to_a_directory(self):
        self.link(self.rel1, "elsewhere", "target")
        daemon = self.linked_file(self.path("elsewhere", "target"))
        self.assert_follows(
            daemon, lambda: self.link(self.rel2 + "/lib/one.dll", "elsewhere", "target"),
            self.rel2 + "/lib/one.dll", self.path("app", "extra.dll"))

    def test_a_link_with_a_product_s_name_that_led_to_a_fifo(self):
        os.makedirs(self.path("elsewhere"))
        os.mkfifo(self.path("elsewhere", "target"))
        daemon = self.linked_file(self.path("elsewhere", "target"))
        self.assert_follows(
            daemon, lambda: self.link(self.rel2 + "/lib/one.dll", "elsewhere", "target"),
            self.rel2 + "/lib/one.dll", self.path("app", "extra.dll"))

    # Mounts

    def test_a_mount_over_a_parent(self):
        daemon = self.asked_often(self.rel1 + "/lib")
        self.assert_follows(daemon, lambda: self.bind(self.rel2, self.rel1),
                            self.rel2 + "/lib/one.dll", self.rel1 + "/lib/one.dll")

    def test_a_mount_over_a_file(self):
        used, name = self.rel2 + "/lib/one.dll", self.rel1 + "/lib/one.dll"
        daemon = self.asked_often(self.rel1 + "/lib", replaced="in-place")
        holder = self.hold("read", used)
        self.assert_safe(daemon)
        self.bind(used, name)
        for _ in range(2):
            self.assert_blocked_by(daemon, name, [holder.pid], ["open"])
        holder.kill()
        # What setup writes there would not reach the file of the product.
        answer = daemon.check()
        self.assertEqual(self.file_of(answer, name)["obstacles"], ["mount-point"])
        self.assertEqual(answer["counts"]["obstructed"], 1, self.show(answer))


if __name__ == "__main__":
    main()
