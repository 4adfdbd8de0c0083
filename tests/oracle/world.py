# SPDX-License-Identifier: MIT
"""Where it all happens: a directory on each kind of filesystem, products that
span them, and the daemon that watches. Made once a run."""
import os
import shutil
import subprocess
import tempfile
import unittest

from support import BUILD, FAIL_AFTER, LIBRARY, Daemon, Product, SystemTest
from truth import Version

ACTOR = os.path.join(BUILD, "tests", "oracle", "actor")
SETUP = "setupstop"  # the program that a setup would stop by itself


class Area:
    """A product's directory @app and an unwatched one beside it, @side."""

    def __init__(self, name, root, overlay=None, lower=None, filesystem=None):
        self.name, self.root = name, root
        self.overlay = overlay  # the upper directory below @app
        self.lower = lower      # the lower one
        self.filesystem = filesystem or name
        self.app, self.side = os.path.join(root, "app"), os.path.join(root, "side")
        self.top = self.app  # what the product names
        self.product = None
        self.n_looked = self.n_held = 0

    def place(self, path):
        """Where what lies at @path really lies."""
        return path


class LinkedArea(Area):
    """A link "current" leads to one of two releases, and is moved between them.
    @how: where it stands
      above  above the product's directory
      tree   in the middle of a tree that the product has as a whole
      named  behind links that have the names of the product's files"""
    RELEASES = ("rel1", "rel2")

    def __init__(self, name, root, how):
        super().__init__(name, root)
        self.how, self.release = how, self.RELEASES[0]
        self.moved_at = 0  # the step
        home = {"above": "current", "tree": "tree/plugins/current"}.get(how)
        if home:
            self.app = self.top = os.path.join(root, home, "lib")
        if how == "tree":
            self.top = os.path.join(root, "tree")
        self.link = os.path.join(root, home or "current")

    def real(self, release):
        return os.path.join(self.root, release, "lib")

    def place(self, path):
        return os.path.join(self.real(self.release), os.path.basename(path))

    def lead_to(self, release):
        target = os.path.relpath(os.path.join(self.root, release), os.path.dirname(self.link))
        os.symlink(target, self.link + ".new")
        os.rename(self.link + ".new", self.link)
        self.release = release

    def make(self, names):
        for release in self.RELEASES:
            os.makedirs(self.real(release))
        os.makedirs(os.path.dirname(self.link), exist_ok=True)
        self.lead_to(self.release)
        if self.how == "named":
            os.mkdir(self.app)
            for name in names:
                os.symlink(os.path.join("..", "current", "lib", name),
                           os.path.join(self.app, name))


class TierMissing(Exception):
    pass


class World(SystemTest):
    """Not a test, but made like one: what is mounted is cleaned up."""

    def runTest(self):
        pass

    def build(self, tier, n_files):
        self.setUp()
        self.tier = tier
        self.actor = os.environ.get("SPGUARD_ACTOR", ACTOR)
        self.elsewhere = tempfile.mkdtemp(prefix="spguard-oracle-")
        self.addCleanup(shutil.rmtree, self.elsewhere, ignore_errors=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.elsewhere],
                        stderr=subprocess.DEVNULL)
        self.setup_program = os.path.join(self.directory("programs"), SETUP)
        shutil.copy(self.actor, self.setup_program)
        self.areas, self.skipped, self.n_versions = [], {}, 0
        self.versions, self.each = [], max(3, n_files // 8)
        for name, make in (("plain", self.make_plain), ("tmpfs", self.make_tmpfs),
                           ("ext4", self.make_ext4), ("xfs", self.make_xfs),
                           ("btrfs", self.make_btrfs), ("overlay", self.make_overlay),
                           ("overlay-mixed", self.make_overlay_mixed),
                           ("link", self.make_link), ("link-tree", self.make_link_tree),
                           ("link-named", self.make_link_named)):
            try:
                made = make(name)
            except unittest.SkipTest as reason:
                self.skipped[name] = str(reason)
                continue
            self.areas += made
        for area in self.areas:
            self.fill(area)
        self.name_products()
        self.merges = self.tmpfs("merges", "16m")
        self.open_tracefs()

    # Filesystems

    def make_plain(self, name):
        return [Area(name, self.directory(name))]

    def make_tmpfs(self, name):
        return [Area(name, self.tmpfs(name, "64m"))]

    def make_ext4(self, name):
        return [Area(name, self.loop_image(name, 64))]

    def make_xfs(self, name):
        return [Area(name, self.loop_image(name, 320))]

    def make_btrfs(self, name):
        """Two subvolumes, in which inode numbers repeat."""
        root = self.loop_image(name, 160)
        if not shutil.which("btrfs"):
            self.skipTest("no btrfs program here")
        areas = []
        for volume in ("one", "two"):
            path = os.path.join(root, volume)
            subprocess.run(["btrfs", "subvolume", "create", path], check=True,
                           stdout=subprocess.DEVNULL)
            areas.append(Area(f"{name}-{volume}", path, filesystem=name))
        return areas

    def layers(self, name, lower=None):
        base = self.tmpfs(name + "-layers", "64m")
        paths = [os.path.join(base, part) for part in ("lower", "upper", "work")]
        for path in paths:
            os.mkdir(path)
        if lower:
            os.makedirs(lower)
            paths[0] = lower
        for part in ("app", "side"):
            os.mkdir(os.path.join(paths[0], part))
        for i in range(0, self.each, 2):
            base, source = self.part(i)
            shutil.copy(source, os.path.join(paths[0], "app", base))
        return paths

    def make_overlay(self, name):
        lower, upper, work = self.layers(name)
        return [Area(name, self.overlay(lower, upper, work, name), upper, lower)]

    def make_overlay_mixed(self, name):
        """Its lower files are on another filesystem than its upper ones."""
        lower, upper, work = self.layers(name, self.path(name + "-lower"))
        return [Area(name, self.overlay(lower, upper, work, name), upper, lower)]

    def linked(self, name, root, how):
        area = LinkedArea(name, root, how)
        area.make([self.part(i)[0] for i in range(self.each)])
        return [area]

    def make_link(self, name):
        return self.linked(name, self.directory(name), "above")

    def make_link_tree(self, name):
        return self.linked(name, self.tmpfs(name, "64m"), "tree")

    def make_link_named(self, name):
        return self.linked(name, self.directory(name), "named")

    # Files

    def part(self, i):
        """Every third is a program, the others are libraries."""
        return ((f"Part{i}.exe", self.actor) if i % 3 == 1 else
                (f"Part{i}.dll", LIBRARY))

    def fill(self, area):
        """Half of an overlay's files lie below it already."""
        for directory in (area.app, area.side):
            os.makedirs(directory, exist_ok=True)
        names = [self.part(i)[0] for i in range(self.each)]
        for name in names:
            path = os.path.join(area.app, name)
            if os.path.exists(path):
                self.know(area, path, lower=True)
            else:
                self.put(area, path)
        if isinstance(area, LinkedArea):
            self.move_link(area)
            for name in names:
                self.put(area, os.path.join(area.app, name))
            self.move_link(area)

    def move_link(self, area):
        """To the other release; the versions that the product has lost by that."""
        area.lead_to(next(r for r in area.RELEASES if r != area.release))
        lost = [v for v in self.versions if v.area is area and v.current]
        for version in self.versions:
            if version.area is area and version.home:
                version.current = version.home == area.release
        return lost

    def put(self, area, path):
        """A new version at @path, moved there from the side."""
        fresh = os.path.join(area.side, "fresh")
        shutil.copy(self.actor if path.endswith(".exe") else LIBRARY, fresh)
        os.rename(fresh, area.place(path))
        return self.know(area, path)

    def know(self, area, path, lower=False):
        """The version at @path, with a hard link and a symbolic one beside it.
        (A hard link would copy an overlay's lower file up.)"""
        self.n_versions += 1
        base = os.path.basename(path)
        version = Version(area, path, "exe" if base.endswith(".exe") else "lib",
                          self.n_versions, lower)
        version.inode = os.stat(path).st_ino
        version.home = getattr(area, "release", None)
        version.hard, version.soft = None, os.path.join(area.side, base + ".link")
        if not area.overlay:
            version.hard = os.path.join(area.side, f"{base}.{version.serial}")
            os.link(area.place(path), version.hard)
        if not os.path.islink(version.soft):
            os.symlink(path, version.soft)
        self.versions.append(version)
        return version

    def leave_place(self, version, keep_link):
        """Its path is, or will be, somebody else's: an old version from now on,
        which nobody opens any more."""
        version.current, version.home = False, None
        if version.hard and not keep_link:
            os.unlink(version.hard)

    def twins(self, version):
        """Files of other subvolumes that have the same inode number."""
        return [other for other in self.versions
                if other.area is not version.area and
                other.area.filesystem == version.area.filesystem and
                other.inode == version.inode]

    def real_path(self, version):
        """Its path below an overlay."""
        upper = os.path.join(version.area.overlay, "app", os.path.basename(version.path))
        return upper if os.path.exists(upper) else None

    def name_products(self):
        groups = {"alpha": ("plain", "ext4", "overlay-mixed"), "beta": ("tmpfs", "xfs"),
                  "gamma": ("btrfs-one", "btrfs-two", "overlay"),
                  "delta": ("link", "link-named"), "epsilon": ("link-tree",)}
        self.products = []
        for name, members in groups.items():
            areas = [area for area in self.areas if area.name in members]
            for area in areas:
                area.product = name
            if areas:
                self.products.append(Product(name, *(area.top for area in areas),
                                             recursive=name == "epsilon",
                                             setup_stops=SETUP))

    # Events of tracefs

    def open_tracefs(self):
        """self.tracefs: its list of uprobes, or None."""
        there = self.directory("tracefs")
        self.event_group = f"spgoracle{os.getpid()}"
        self.tracefs, self.events = None, set()
        if subprocess.run(["mount", "-t", "tracefs", "tracefs", there],
                          stderr=subprocess.DEVNULL, check=False).returncode == 0:
            self.addCleanup(subprocess.run, ["umount", "-l", there])
            self.tracefs = os.path.join(there, "uprobe_events")
            self.addCleanup(self.end_events)

    def define_event(self, line):
        """p:GROUP/NAME PATH:OFFSET, or -:GROUP/NAME"""
        # (It cannot be seeked in, which Python does to append.)
        fd = os.open(self.tracefs, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(fd, line.encode() + b"\n")
        finally:
            os.close(fd)
        name = line.split()[0].partition(":")[2]
        (self.events.discard if line[0] == "-" else self.events.add)(name)

    def end_events(self):
        for name in sorted(self.events):
            self.define_event(f"-:{name}")

    # The daemon

    def watch(self):
        """The daemon, looking as told, and a connection to it."""
        self.watcher = Daemon(self.path("home"), self.products)
        self.addCleanup(self.watcher.close)
        self.watcher.spawn("--tier", self.tier)
        line = self.watcher.log.queue.get(timeout=FAIL_AFTER)
        while line is not None and "spguardd: ready" not in line:
            line = self.watcher.log.queue.get(timeout=FAIL_AFTER)
        if line is None:
            raise TierMissing((self.watcher.log.lines or ["no message"])[-1])
        self.connection = self.rpc(self.watcher)
        hello = self.connection.call("hello")
        if hello["tier"] != self.tier:
            raise TierMissing(f"spguardd took tier {hello['tier']}")
        return self.connection
