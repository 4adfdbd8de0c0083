#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The Debian package, from the tree to nothing left: built by dpkg-buildpackage, read by
lintian, installed by apt into a fresh system with nothing else in it, run there by hand
and by a systemd that is process 1, upgraded, removed, purged.

The fresh system comes from the mirrors that apt is configured with; where they cannot be
reached, or a tool is missing, this skips and says so.
"""
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))

from harness import FAIL_AFTER, ROOT, SAFE, UNKNOWN, await_end, main, private_mounts  # noqa: E402
from manager import ControlGroup, Notified, require  # noqa: E402
from mounts import MS_BIND, mount  # noqa: E402

MINUTES = 600  # for what builds or fetches
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
APP = "[product app]\ndirectory = /opt/app\nfiles = *.so\n"

# Process 1 of a container: its own processes and mounts; what is the machine's can only
# be read. systemd's own units would set up a machine: only ours are left to it.
BOOT = r"""
set -e
root=$1
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount --rbind /sys "$root/sys"
mount -o remount,bind,ro "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
rm -rf "$root"/lib/systemd/system/*.wants
exec chroot "$root" /usr/bin/env -i PATH="$PATH" container=test NOTIFY_SOCKET=/notify \
	/lib/systemd/systemd --unit=multi-user.target --log-target=null
"""


def run(*command, check=True, timeout=FAIL_AFTER, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=timeout, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout[-6000:]}")
    return done


def tracked_files():
    """The files of the tree, without what was built in it."""
    done = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "-c", "-o", "--exclude-standard"],
                          capture_output=True, text=True)
    if done.returncode == 0:
        return [name for name in done.stdout.split("\0") if name]
    found = []
    for directory, names, files in os.walk(ROOT):
        names[:] = [n for n in names if not n.startswith((".git", "build", "__pycache__"))]
        found += [os.path.relpath(os.path.join(directory, f), ROOT) for f in files]
    return found


def mirrors():
    """Lines for sources.list: those of this Debian that apt itself uses."""
    with open("/etc/os-release", encoding="utf-8") as f:
        release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', f.read(), re.M))
    name = release.get("VERSION_CODENAME")
    if release.get("ID") != "debian" or not name:
        raise unittest.SkipTest("this is no Debian")
    done = run("apt-get", "indextargets", "--format",
               "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)", "Created-By: Packages")
    lines = set()
    for line in done.stdout.splitlines():
        uri, suite, component, key = line.split("|")
        if component == "main" and re.fullmatch(name + r"(-updates|-security)?", suite):
            signed = f"[signed-by={key}] " if key.startswith("/") else ""
            lines.add(f"deb {signed}{uri} {suite} main")
    if not any(f" {name} " in line for line in lines):
        raise unittest.SkipTest(f"apt has no mirror of {name}")
    return sorted(lines)


def apt_options():
    """How apt reaches its mirrors."""
    done = run("apt-config", "dump")
    return [f"--aptopt={line}" for line in done.stdout.splitlines()
            if re.match(r"Acquire::https?::Proxy", line)]


class PackageTest(unittest.TestCase):
    """In the order of a package's life; each step needs the one before."""

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root")
        require("dpkg-buildpackage", "dh", "fakeroot", "apt-get")
        private_mounts()
        cls.scratch = tempfile.mkdtemp(prefix="spguard-package-")
        cls.addClassCleanup(shutil.rmtree, cls.scratch, ignore_errors=True)
        cls.root = os.path.join(cls.scratch, "root")
        cls.deb = cls.build()

    @classmethod
    def build(cls):
        """The package, in a copy of the tree."""
        tree = os.path.join(cls.scratch, "tree")
        for name in tracked_files():
            if os.path.isfile(os.path.join(ROOT, name)):
                os.makedirs(os.path.dirname(os.path.join(tree, name)), exist_ok=True)
                shutil.copy2(os.path.join(ROOT, name), os.path.join(tree, name))
        lacks = run("dpkg-checkbuilddeps", cwd=tree, check=False)
        if lacks.returncode != 0:
            raise unittest.SkipTest(lacks.stdout.strip())
        environment = {"PATH": PATH, "HOME": cls.scratch, "LC_ALL": "C.UTF-8",
                       "DEB_BUILD_OPTIONS": f"parallel={os.cpu_count()} noautodbgsym"}
        run("dpkg-buildpackage", "-us", "-uc", "-b", cwd=tree, timeout=MINUTES, env=environment)
        built = [n for n in os.listdir(cls.scratch) if n.endswith(".deb")]
        if len(built) != 1:
            raise AssertionError(built)
        return os.path.join(cls.scratch, built[0])

    def changes(self):
        name, = [n for n in os.listdir(self.scratch) if n.endswith(".changes")]
        return os.path.join(self.scratch, name)

    def inside(self, *command, **options):
        """@command in the fresh system, by the processes of this one."""
        return run("chroot", self.root, "/usr/bin/env", "-i", f"PATH={PATH}", "LC_ALL=C.UTF-8",
                   "DEBIAN_FRONTEND=noninteractive", *command, **options)

    def write(self, path, text, mode="w"):
        path = self.root + path
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, mode, encoding="utf-8") as f:
            f.write(text)

    def test_1_lintian_has_nothing_to_say(self):
        require("lintian")
        done = run("lintian", "--allow-root", "--fail-on", "error,warning",
                   self.changes(), check=False, timeout=MINUTES)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_2_contents(self):
        """Where they belong, and belonging to root."""
        listing = run("dpkg-deb", "--contents", self.deb).stdout.splitlines()
        paths = {line.split()[5].removeprefix(".") for line in listing}
        self.assertLessEqual({
            "/usr/bin/spguard", "/usr/sbin/spguardd", "/etc/spguard/spguard.conf",
            "/lib/systemd/system/spguardd.service", "/lib/systemd/system/spguardd.socket",
            "/usr/lib/sysusers.d/spguard.conf", "/usr/lib/tmpfiles.d/spguard.conf",
            "/usr/lib/systemd/catalog/spguard.catalog"}, paths)
        self.assertEqual({line.split()[1] for line in listing}, {"root/root"})
        conffiles = run("dpkg-deb", "--info", self.deb, "conffiles").stdout.split()
        self.assertEqual(set(conffiles), {path for path in paths
                                          if path.startswith("/etc/") and path[-1] != "/"})

    def test_3_fresh_system(self):
        """apt finds everything that it needs; then it is checked, run and asked."""
        require("mmdebstrap", "unshare", "nsenter")
        sources = os.path.join(self.scratch, "sources.list")
        with open(sources, "w", encoding="utf-8") as f:
            f.write("\n".join(mirrors()) + "\n")
        done = run("mmdebstrap", "--variant=minbase", "--mode=root", "--format=directory",
                   *apt_options(), "--dpkgopt=force-unsafe-io",
                   f"--customize-hook=upload {self.deb} /spguard.deb",
                   '--customize-hook=chroot "$1" apt-get install --yes '
                   "--no-install-recommends /spguard.deb",
                   "", self.root, sources, check=False, timeout=MINUTES)
        if done.returncode != 0 and not os.path.exists(self.root + "/usr/bin/dpkg"):
            self.skipTest(f"no fresh system: {done.stdout[-400:]}")
        self.assertEqual(done.returncode, 0, done.stdout[-4000:])
        mount(self.root, self.root, None, MS_BIND)
        self.addClassCleanup(run, "umount", "--recursive", "--lazy", self.root)
        group = self.inside("getent", "group", "spguard").stdout
        state = os.stat(self.root + "/var/lib/spguard")
        self.assertEqual((oct(state.st_mode & 0o7777), state.st_gid),
                         ("0o2750", int(group.split(":")[2])))
        self.assertIn("no fault found", self.inside("spguardd", "--check-config").stdout)
        self.write("/etc/spguard/products/app.conf", APP)
        self.write("/opt/app/library.so", "a library\n")
        os.unlink(self.root + "/etc/spguard/products/exchange55.conf")
        self.run_by_hand()

    def run_by_hand(self):
        """In the namespaces of everybody, so that it sees them all."""
        for name, kind in (("proc", "proc"), ("sys", "sysfs"), ("run", "tmpfs")):
            mount("none", f"{self.root}/{name}", kind, 0)
        daemon = subprocess.Popen(["chroot", self.root, "/usr/sbin/spguardd"],
                                  stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            lines = []
            while not lines or "ready" not in lines[-1]:
                lines.append(daemon.stderr.readline())
                self.assertNotEqual(lines[-1], "", lines)
            done = self.inside("spguard", "check", "--json", check=False)
            self.assertEqual(done.returncode, SAFE, done.stdout)
            self.assertEqual(json.loads(done.stdout)["verdict"], "safe")
        finally:
            daemon.terminate()
            self.assertEqual(daemon.wait(FAIL_AFTER), 0)
            daemon.stderr.close()
            for name in ("run", "sys", "proc"):
                run("umount", f"{self.root}/{name}")

    @contextlib.contextmanager
    def booted(self):
        """The fresh system with systemd as process 1."""
        group = ControlGroup()
        self.addCleanup(group.close)
        with Notified(self.root + "/notify") as notified:
            container = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child", "sh", "-c",
                 BOOT, "sh", self.root], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, env={"PATH": PATH}, preexec_fn=group.enter)
            first = None
            try:
                if not notified.wait_for("READY=1", or_end_of=container):
                    self.skipTest(f"systemd does not run here: {container.stdout.read()}")
                with open(f"/proc/{container.pid}/task/{container.pid}/children",
                          encoding="ascii") as f:
                    first = int(f.read())
                yield lambda *command, **options: run(
                    "nsenter", f"--target={first}", "--mount", "--pid", "--uts", "--root", "--wd",
                    "/usr/bin/env", "-i", f"PATH={PATH}", "LC_ALL=C.UTF-8",
                    "DEBIAN_FRONTEND=noninteractive", *command, **options)
            finally:
                container.kill()
                container.wait()
                if first:
                    await_end(first)
                container.stdout.close()

    def newer(self):
        """The same package with a higher version."""
        tree = os.path.join(self.scratch, "newer")
        run("dpkg-deb", "--raw-extract", self.deb, tree)
        control = os.path.join(tree, "DEBIAN", "control")
        with open(control, encoding="utf-8") as f:
            text = re.sub(r"^(Version: .*)$", r"\1+newer", f.read(), flags=re.M)
        with open(control, "w", encoding="utf-8") as f:
            f.write(text)
        run("dpkg-deb", "--root-owner-group", "--build", tree, self.root + "/newer.deb")

    def check(self, do):
        """It answers. In a container it cannot see everybody, and says so."""
        done = do("spguard", "check", "--json", check=False)
        self.assertEqual(done.returncode, UNKNOWN, done.stdout)
        self.assertIn("namespace", " ".join(
            reason["text"] for reason in json.loads(done.stdout)["reasons"]))

    def is_active(self, do, unit="spguardd.service"):
        return do("systemctl", "is-active", unit, check=False).stdout.strip()

    def first_event(self, do):
        do("spguard", "flush")
        done = do("spguard", "log", "--json")
        documents = [json.loads(line) for line in done.stdout.splitlines()]
        events = documents[0].get("events", documents)
        return min((event["id"], event["at"]) for event in events)

    def test_4_upgrade_remove_purge(self):
        if not os.path.exists(self.root + "/usr/sbin/spguardd"):
            self.skipTest("no fresh system to do it in")
        self.newer()
        with self.booted() as do:
            # It was enabled when it was installed.
            self.assertEqual(self.is_active(do), "active")
            self.assertEqual(self.is_active(do, "spguardd.socket"), "inactive")
            self.check(do)
            first = self.first_event(do)
            self.write("/etc/spguard/spguard.conf", "\n[daemon]\nretain = 30d\n", "a")
            pid = do("systemctl", "show", "--value", "-p", "MainPID", "spguardd").stdout
            do("dpkg", "--install", "/newer.deb")
            self.assertIn("+newer", do("dpkg-query", "-W", "spguard").stdout)
            self.assertEqual(self.is_active(do), "active")
            self.assertNotEqual(do("systemctl", "show", "--value", "-p", "MainPID",
                                   "spguardd").stdout, pid)
            self.check(do)
            self.assertEqual(self.first_event(do), first)
            self.assertIn("retain = 2592000s", do("spguardd", "--print-config").stdout)
            do("systemctl", "enable", "spguardd.socket")
            self.removed(do)
            self.purged(do)
            # Again from the beginning, in a system that runs: it is started at once.
            do("dpkg", "--install", "/spguard.deb")
            self.assertEqual(self.is_active(do), "active")
            do("dpkg", "--purge", "spguard")

    def removed(self, do):
        files = [path for path in do("dpkg", "--listfiles", "spguard").stdout.split()
                 if path.startswith("/") and not os.path.isdir(self.root + path)]
        self.assertIn("/usr/bin/spguard", files)
        do("dpkg", "--remove", "spguard")
        self.assertEqual(self.is_active(do), "inactive")
        left = [path for path in files if os.path.lexists(self.root + path)]
        # The hook of apt is a configuration file too, and silent without the program.
        self.assertEqual(left, ["/etc/apt/apt.conf.d/80spguard",
                                "/etc/spguard/spguard.conf"])
        # What is the administrator's stays.
        self.assertTrue(os.path.exists(self.root + "/var/lib/spguard/spguard.db"))
        self.assertTrue(os.path.exists(self.root + "/etc/spguard/products/app.conf"))

    def purged(self, do):
        os.unlink(self.root + "/etc/spguard/products/app.conf")
        do("dpkg", "--purge", "spguard")
        left = do("find", "/", "-xdev", "(", "-name", "*spguard*", "-o", "-name",
                  "exchange55*", ")").stdout.split()
        left += do("find", "/run", "-name", "*spguard*").stdout.split()
        self.assertEqual(left, ["/spguard.deb"])
        self.assertNotEqual(do("dpkg-query", "-W", "spguard", check=False).returncode, 0)
        # As Debian has it, the group stays: its number may own something elsewhere.
        self.assertEqual(do("getent", "group", "spguard").returncode, 0)


if __name__ == "__main__":
    main()
