#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is written without an event: no answer rests on what was read before that."""
import os
import shutil
import subprocess
import sys
import time

from support import FAIL_AFTER, Product, SystemTest, main, private_mounts

NAMES = [f"m{i}.so" for i in range(4)]
# Maps a file and stores into it, once at first and once for each line.
MAPPER = """
import mmap, sys
with open(sys.argv[1], "r+b") as f:
    mapped = mmap.mmap(f.fileno(), 0)
for content in sys.argv[2:]:
    mapped[0:4] = content.encode()
    print(content, flush=True)
    if "flush" in sys.stdin.readline():
        mapped.flush()  # the next store has another time
"""


def setUpModule():
    private_mounts()


class UnseenTest(SystemTest):
    app = None

    def put(self, folder, version="0"):
        os.makedirs(folder, exist_ok=True)
        for name in NAMES:
            self.file(name, folder, f"{version} of {name}\n".encode() + b"x" * 8000)
        return folder

    def begin(self, quiet="1s"):
        self.served = self.daemon(
            Product("shop", self.app, files="*", recursive=True, ignore_case=False),
            daemon_keys={"install-quiet": quiet})
        self.rpc(self.served).call("verify")  # what is installed has been read
        self.assert_safe(self.served)

    def mapper(self, path, *contents):
        process = subprocess.Popen([sys.executable, "-c", MAPPER, path, *contents],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.wait, FAIL_AFTER)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline().strip(), contents[0])
        return process

    def go_on(self, process, how=""):
        process.stdin.write(how + "\n")
        process.stdin.flush()
        return process.stdout.readline().strip()

    def payload(self, name):
        """What is installed now."""
        return shutil.copytree(self.app, self.path(name))

    def verified(self, payload):
        code, out, _ = self.served.run("verify", "--payload", payload)
        return code, out.split()[0]


class MappingTest(UnseenTest):
    """Of stores through a mapping only the first into a page changes the times."""

    def setUp(self):
        super().setUp()
        self.app = self.put(self.path("srv", "app"))

    def look_through(self):
        path = os.path.join(self.app, NAMES[1])
        self.begin()
        process = self.mapper(path, "AAAA", "BBBB")
        first = self.payload("first")
        self.assertEqual(self.verified(first), (0, "FITS"))
        before = os.stat(path)
        self.assertEqual(self.go_on(process), "BBBB")
        second = self.payload("second")
        self.assertEqual(os.stat(path).st_ctime_ns, before.st_ctime_ns)
        self.assertEqual(self.verified(first), (2, "MIXED"))
        self.assertEqual(self.verified(second), (0, "FITS"))
        answer = self.served.check("--payload", first)
        self.assertEqual(self.file_of(answer, path)["offer"], "unknown", self.show(answer))
        self.go_on(process)
        process.wait(FAIL_AFTER)
        self.assertEqual(self.verified(first), (2, "MIXED"))
        self.assertEqual(self.verified(second), (0, "FITS"))

    def test_on_disk(self):
        self.look_through()

    def test_in_memory(self):
        self.app = self.put(os.path.join(self.tmpfs(), "app"))
        self.look_through()

    def test_on_an_overlay(self):
        upper, work = self.directory("upper"), self.directory("work")
        merged = self.mount("overlay", self.directory("merged"), options=(
            f"lowerdir={os.path.dirname(self.app)},upperdir={upper},workdir={work}"))
        self.app = os.path.join(merged, "app")
        self.look_through()


class LookTest(UnseenTest):
    """The next check, or verify, sees what no event told, and answers when it is judged."""

    def setUp(self):
        super().setUp()
        self.app = self.put(self.path("srv", "app"))

    def newest(self):
        """The newest of the installs that there are already, if there is any."""
        rows = self.rpc(self.served).call("installs", limit=1)["installs"]
        return rows and self.rpc(self.served).call("installs", id=rows[0]["id"])["installs"][0]

    def assert_found(self, outcome, change, *names):
        install = self.newest()
        self.assertTrue(install)
        self.assertEqual(install["outcome"], outcome, self.show(install))
        self.assertEqual([(os.path.basename(f["path"]), f["change"])
                          for f in install["files"] if f["change"] != "skipped"],
                         [(name, change) for name in names], self.show(install))
        return install

    def checked(self, *args):
        """The first answer, whatever runs."""
        return self.served.json("check", *args)[1]

    def write(self, path, content=b"another"):
        with open(path, "wb") as f:
            f.write(content)

    def store(self, name):
        """Write to a file without an event that says so."""
        process = self.mapper(os.path.join(self.app, name), "EVIL")
        self.go_on(process)
        process.wait(FAIL_AFTER)

    def farm(self):
        """The files have names elsewhere too, by which new ones are written: at once, or
        the daemon has seen that and events tell of it."""
        other = self.directory("other")
        for name in NAMES:
            os.link(os.path.join(self.app, name), os.path.join(other, name))
        for name in NAMES[:3]:
            self.write(os.path.join(other, name))

    def test_hard_links(self):
        self.begin()
        self.farm()
        self.assert_safe(self.served)
        self.assert_found("clean", "modified", *NAMES[:3])

    def test_hard_links_of_which_one_is_held(self):
        self.begin()
        holder = self.hold("read", os.path.join(self.app, NAMES[3]))
        self.assert_verdict(self.checked(), "blocked")
        self.farm()
        self.assert_verdict(self.served.check(), "blocked")
        self.rpc(self.served).call("verify")
        install = self.assert_found("mixed", "modified", *NAMES[:3])
        self.assertIn(f"{NAMES[3]} was not replaced", " ".join(self.texts(install["reasons"])))
        holder.release()
        holder.close()
        self.assert_verdict(self.checked(), "attention")

    def test_verify_finds_it(self):
        self.begin()
        self.store(NAMES[0])
        self.rpc(self.served).call("verify")
        self.assert_found("clean", "modified", NAMES[0])

    def test_a_payload_asks(self):
        """What it would do is told of what is there, whoever holds it."""
        self.begin()
        path = os.path.join(self.app, NAMES[0])
        before = self.payload("before")
        self.hold("read", path)
        self.store(NAMES[0])
        answer = self.checked("--payload", before)
        self.assertEqual(self.file_of(answer, path)["offer"], "different", self.show(answer))

    def test_a_quick_mapping(self):
        self.begin()
        self.store(NAMES[1])
        self.assert_verdict(self.checked(), "safe")
        self.assert_found("clean", "modified", NAMES[1])

    def test_a_quick_mapping_in_memory(self):
        self.app = self.put(os.path.join(self.tmpfs(), "app"))
        self.test_a_quick_mapping()

    def test_who_goes_on_writing(self):
        """A database that is mapped is no install at each look, but at the end."""
        path = os.path.join(self.app, NAMES[1])
        self.begin()
        process = self.mapper(path, "1111", "2222", "3333")
        for content in "2222", "3333":
            before = os.stat(path)
            self.assert_verdict(self.served.check(), "blocked")
            self.rpc(self.served).call("installs", wait=FAIL_AFTER)
            self.assertEqual(self.go_on(process, "flush"), content)
            self.assertNotEqual(os.stat(path).st_ctime_ns, before.st_ctime_ns)
        self.assert_verdict(self.served.check(), "blocked")
        self.assertLessEqual(self.newest()["id"], 1)
        self.go_on(process)
        process.wait(FAIL_AFTER)
        self.assert_safe(self.served)
        self.assertEqual(self.newest()["id"], 2)

    def test_a_loop_device(self):
        self.begin()
        path = os.path.join(self.app, NAMES[1])
        done = subprocess.run(["losetup", "-f", "--show", path], capture_output=True,
                              text=True, timeout=FAIL_AFTER, check=False)
        if done.returncode != 0:
            self.skipTest(f"no loop device: {done.stderr.strip()}")
        device = done.stdout.strip()
        try:
            with open(device, "r+b", buffering=0) as f:
                f.write(b"EVIL" * 128)
                os.fsync(f.fileno())
        finally:
            subprocess.run(["losetup", "-d", device], check=True, timeout=FAIL_AFTER)
        self.assert_verdict(self.served.check(), "safe")
        self.assert_found("clean", "modified", NAMES[1])

    def test_another_mount(self):
        other = self.put(self.directory("other"), "1")
        self.begin()
        self.bind(other, self.app)
        self.assert_verdict(self.checked(), "safe")
        self.assert_found("clean", "replaced", *NAMES)

    def test_another_filesystem(self):
        self.mount("tmpfs", self.app)
        self.put(self.app)
        self.begin()
        holder = self.hold("mapped", os.path.join(self.app, NAMES[3]))
        self.assert_verdict(self.checked(), "blocked")
        subprocess.run(["umount", "-l", self.app], check=True, timeout=FAIL_AFTER)
        self.mount("tmpfs", self.app)
        self.put(self.app, "1")
        self.assert_blocked_by(self.served, os.path.join(self.app, NAMES[3]), [holder.pid],
                               {"mapped"})
        self.rpc(self.served).call("verify")
        self.assert_found("clean", "replaced", *NAMES)

    def test_what_changes_nothing(self):
        """Another mode, time or number of names is no install; that is found out once."""
        self.begin()
        for change in (lambda path: os.chmod(path, 0o755),
                       lambda path: os.utime(path, (1000, 1000)),
                       lambda path: os.link(path, self.path("other"))):
            change(os.path.join(self.app, NAMES[0]))
            self.assert_verdict(self.checked(), "safe")
            time.sleep(0.1)  # what has just been changed is always read
            self.rpc(self.served).call("verify")
            verified, = self.rpc(self.served).call("verify")["products"]
            self.assertEqual(verified["read"], 0)
        self.assertFalse(self.newest())


if __name__ == "__main__":
    main()
