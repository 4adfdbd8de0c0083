#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Bystanders are remarked on, and change no verdict: who works in a product's directories,
who exports them, what runs one of its files."""
import json
import os
import shutil
import subprocess
import time

from support import FAIL_AFTER, SPGUARD, Product, SystemTest, main, private_mounts
import binfmt

KINDS = "working-directory", "exported", "runs-interpreter"


class BystandersTest(SystemTest):
    def setUp(self):
        super().setUp()
        private_mounts()
        self.dll = self.file("Mdbperf.dll")

    def remarked(self, daemon, *expected):
        """It is safe, and these remarks (kind, place, name or file, count) are all: what
        was found a moment ago is believed for that moment."""
        deadline = time.monotonic() + FAIL_AFTER
        while True:
            answer = self.assert_safe(daemon)
            got = [(r["kind"], r["place"],
                    r.get("name") or os.path.basename(r.get("file") or ""), r.get("count"))
                   for r in answer["remarks"] if r["kind"] in KINDS]
            if sorted(got, key=str) == sorted(expected, key=str):
                return answer
            self.assertLess(time.monotonic(), deadline, self.show(answer))

    def sleep_in(self, directory, *before):
        """A process that works in @directory; @before: a command that starts it."""
        child = subprocess.Popen([*before, "sh", "-c", 'cd "$0" && echo in && read line', directory],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end, child)
        self.assertEqual(child.stdout.readline(), "in\n")
        return child

    def end(self, child):
        if child.poll() is None:
            child.stdin.close()
            child.wait(FAIL_AFTER)
            child.stdout.close()

    # Working directories

    def test_working_directories(self):
        first = self.sleep_in(self.bin)
        daemon = self.daemon()
        here = ("working-directory", self.bin)
        answer = self.remarked(daemon, (*here, "sh", 1))
        self.assertEqual(answer["remarks"][0]["pid"], first.pid)
        others = [self.sleep_in(self.bin) for _ in range(2)]
        answer = self.remarked(daemon, (*here, "sh", 3))
        pid = min(child.pid for child in [first, *others])
        self.assertIn(f"sh (pid {pid}) and 2 others have their working directory in "
                      f"{self.bin}: ", " ".join(daemon.run("check")[1].split()))
        # Whoever blocks is told besides.
        holder = self.hold("read", self.dll)
        answer = daemon.check()
        self.assertEqual((answer["verdict"], len(answer["reasons"]), len(answer["remarks"])),
                         ("blocked", 1, 1), self.show(answer))
        holder.kill()
        self.end(first)
        self.remarked(daemon, (*here, "sh", 2))
        for child in others:
            self.end(child)
        self.remarked(daemon)

    def test_directories_below(self):
        below, deeper = self.directory("bin", "below"), self.directory("bin", "below", "deeper")
        for directory in self.bin, below, deeper:
            self.sleep_in(directory)
        daemon = self.daemon(Product("app", self.bin), home="flat")
        self.remarked(daemon, ("working-directory", self.bin, "sh", 1))
        daemon.stop()
        daemon = self.daemon(Product("app", self.bin, recursive=True), home="deep")
        self.remarked(daemon, *[("working-directory", d, "sh", 1)
                                for d in (self.bin, below, deeper)])

    def test_by_another_name(self):
        """By a symbolic link, and by a bind mount that the product is found through."""
        link, bound = self.path("link"), self.directory("bound")
        os.symlink(self.bin, link)
        self.bind(self.bin, bound)
        self.sleep_in(link)
        daemon = self.daemon(Product("app", link), home="link")
        self.remarked(daemon, ("working-directory", link, "sh", 1))
        daemon.stop()
        # Whoever is where the bind mount comes from does not keep that mounted.
        daemon = self.daemon(Product("app", bound), home="bound")
        self.remarked(daemon)
        daemon.stop()
        self.sleep_in(bound)
        self.remarked(daemon.start(), ("working-directory", bound, "sh", 1))

    def test_the_same_name_elsewhere(self):
        """In another mount namespace that path is another directory; or the same."""
        self.sleep_in(self.bin, "unshare", "-m", "sh", "-c",
                      'mount -t tmpfs none "$0" && exec "$@"', self.bin)
        daemon = self.daemon()
        self.remarked(daemon)
        daemon.stop()
        self.sleep_in(self.bin, "unshare", "-m")
        self.remarked(daemon.start(), ("working-directory", self.bin, "sh", 1))

    def test_who_asks_from_there(self):
        """The client has gone when its answer is read."""
        daemon = self.daemon()
        for n in 1, 2:
            self.sleep_in(self.bin)
            counts = []
            while not counts or counts[-1][0] != n:  # until it has looked meanwhile
                done = subprocess.run([SPGUARD, "--socket", daemon.socket, "--json", "check"],
                                      cwd=self.bin, capture_output=True, text=True)
                counts.append([r["count"] for r in json.loads(done.stdout)["remarks"]] or [0])
            self.assertLessEqual({tuple(c) for c in counts}, {(n - 1,), (n,)})

    def test_a_directory_that_was(self):
        old = self.sleep_in(self.bin)
        os.rename(self.bin, self.path("old"))
        self.file("Mdbperf.dll", self.directory("bin"))
        daemon = self.daemon(home="moved")
        self.remarked(daemon)
        daemon.stop()
        self.end(old)
        gone = self.directory("bin", "gone")
        self.sleep_in(gone)
        os.rmdir(gone)
        self.remarked(self.daemon(Product("app", self.bin, recursive=True), home="removed"))

    # NFS

    def tables(self, nfsd=None, **tables):
        """A machine with these tables: in this test's mount namespace only."""
        for directory in "/etc", "/var/lib":
            layers = self.tmpfs("layers" + directory.replace("/", "-"))
            for name in "upper", "work":
                os.mkdir(os.path.join(layers, name))
            self.mount("overlay", directory, options=f"lowerdir={directory},"
                       f"upperdir={layers}/upper,workdir={layers}/work")
        if nfsd is not None:
            self.mount("tmpfs", "/proc/fs")
            os.mkdir("/proc/fs/nfsd")
            self.file("threads", "/proc/fs/nfsd", b"%d\n" % nfsd)
        for path, text in tables.items():
            path = {"etab": "/var/lib/nfs/etab", "exports": "/etc/exports",
                    "ganesha": "/etc/ganesha/ganesha.conf"}[path]
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="ascii") as f:
                f.write(text)

    def server(self, name):
        """A process of that name, as /proc has it."""
        program = os.path.join(self.directory("sbin"), name)
        shutil.copy(shutil.which("sleep"), program)
        child = subprocess.Popen([program, "1000"])
        self.addCleanup(child.communicate)
        self.addCleanup(child.kill)

    def write_etab(self, text):
        with open("/var/lib/nfs/etab", "w", encoding="ascii") as f:
            f.write(text)

    def test_exports_of_the_kernel(self):
        self.tables(nfsd=8, etab="")
        daemon = self.daemon()
        above = os.path.dirname(self.bin)
        other, link = self.directory("other"), self.path("link")
        os.symlink(above, link)
        for text, expected in (
                (f"{self.bin}\t*(rw,sync,secure)\n", [self.bin]),
                (f"{above}\t10.0.0.0/8(ro,sync)\n", [above]),
                (f"{above}\t*(ro)\n{self.bin}\thost(rw)\n", [above, self.bin]),
                (f"{self.bin}\thost(rw)\n{self.bin}\tother(rw)\n", [self.bin]),
                (f"{link}/bin\thost(rw)\n", [link + "/bin"]),
                (f"{self.bin}/\t*(rw)\n", [self.bin]),
                (f"{other}\t*(rw)\n{self.bin}2\t*(rw)\n", [])):
            with self.subTest(text=text):
                self.write_etab(text)
                self.remarked(daemon, *[("exported", place, "nfsd", None)
                                        for place in expected])
        self.file("threads", "/proc/fs/nfsd", b"0\n")
        self.write_etab(f"{self.bin}\t*(rw)\n")
        daemon.stop()
        self.remarked(daemon.start())

    def test_a_table_that_cannot_be_read(self):
        """It lies on another server, say, and that does not answer: no verdict waits."""
        self.tables(nfsd=8, etab="")
        os.unlink("/var/lib/nfs/etab")
        os.mkfifo("/var/lib/nfs/etab")
        self.sleep_in(self.bin)
        self.remarked(self.daemon(), ("working-directory", self.bin, "sh", 1))

    def test_exports_by_another_mount(self):
        """The root of an NFSv4 server is often made of bind mounts; and what is mounted
        below an export belongs to it only if it says so."""
        root = self.directory("export")
        self.bind(self.bin, self.directory("export", "app"))
        self.tables(nfsd=1, etab=f"{root}\t*(ro)\n{root}/app\t*(ro)\n")
        self.remarked(self.daemon(home="bound"), ("exported", root + "/app", "nfsd", None))
        disk = self.tmpfs("disk")
        self.file("Mdbperf.dll", disk)
        above = os.path.dirname(disk)
        for options, expected in (("ro", []),
                                  ("ro,crossmnt", [("exported", above, "nfsd", None)])):
            with self.subTest(options=options):
                self.write_etab(f"{above}\t*({options})\n")
                daemon = self.daemon(Product("app", disk), home=f"home-{options}")
                self.remarked(daemon, *expected)
                daemon.stop()

    def test_a_name_with_blanks(self):
        directory = self.directory("two words")
        self.file("Mdbperf.dll", directory)
        self.tables(nfsd=1, etab=directory.replace(" ", "\\040") + "\t*(rw)\n")
        self.remarked(self.daemon(Product("app", directory)),
                      ("exported", directory, "nfsd", None))

    def test_servers_in_user_space(self):
        self.tables(exports=f"{self.bin} localhost(rw)\n",
                    ganesha=f"EXPORT {{ Export_Id = 1; Path = {self.bin}; }}\n")
        daemon = self.daemon(home="none")
        self.remarked(daemon)
        daemon.stop()
        self.server("unfsd")
        unfsd = ("exported", self.bin, "unfsd", None)
        daemon = self.daemon(home="unfsd")
        self.remarked(daemon, unfsd)
        self.server("ganesha.nfsd")
        self.remarked(daemon, unfsd, ("exported", self.bin, "ganesha.nfsd", None))

    # Interpreters

    def test_an_interpreter(self):
        """The kernel opens it when such a program starts; with F it has it open for good,
        which blocks (test_kernel_users)."""
        path = self.program("interpreter", self.bin)
        binfmt.register(self, "spguard-test-runs", "M::SPGUARDRUNS:", path)
        binfmt.register(self, "spguard-test-elsewhere", "M::SPGUARDELSE:", "/bin/true")
        daemon = self.daemon(Product("app", self.bin, files="*"))
        self.remarked(daemon, ("runs-interpreter", "spguard-test-runs", "interpreter", None))
        # Not of what was asked about.
        names = self.file("names", self.scratch, b"Mdbperf.dll\n")
        self.assertEqual([r for r in daemon.check("--files", names)["remarks"]
                          if r["kind"] in KINDS], [])
        binfmt.remove("spguard-test-runs")
        self.remarked(daemon)


if __name__ == "__main__":
    main()
