# SPDX-License-Identifier: MIT
"""A real systemd and a real journald of a test's own, beside whatever runs here.

systemd runs as a user manager of root: with mounts of its own below /run, in a
control group of its own, and in the pid namespace of everybody, so that a service
sees all processes, as it must. System calls, capabilities and address families are
restricted by it as by a system manager.
"""
import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import unittest

from harness import BUILD, FAIL_AFTER, ROOT, Failure, LineReader, private_mounts
from mounts import MS_BIND, mount

SYSTEMD = "/lib/systemd/systemd"
JOURNALD = "/lib/systemd/systemd-journald"
UNITS = "/run/units"
CATALOG = "/usr/lib/systemd/catalog"
STATE = "/var/lib/systemd/catalog"
GROUPS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd")

# audit and the kernel's messages belong to the machine's own journald.
JOURNALD_CONF = "[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=\nRateLimitBurst=0\n"
WITHOUT_AUDIT = ["setpriv", "--bounding-set", "-audit_control,-audit_read,-audit_write",
                 "--inh-caps", "-all"]


def require(*programs):
    """Skip unless all are there."""
    for program in programs:
        if not shutil.which(program, path="/usr/bin:/usr/sbin:/bin:/sbin"):
            raise unittest.SkipTest(f"{program} is not installed")


def unit_text(name):
    """A unit as installed, but for the programs of the build."""
    built = os.path.join(BUILD, "conf", name)
    with open(built if os.path.exists(built) else os.path.join(ROOT, "conf", name),
              encoding="utf-8") as f:
        text = f.read()
    lines = []
    for line in text.splitlines():
        program = line.partition("=")[2].split(" ")[0]
        if line.startswith("Exec") and os.path.basename(program) == "spguardd":
            line = line.replace(program, os.path.join(BUILD, "daemon", "spguardd"), 1)
        lines.append(line)
    return "\n".join(lines) + "\n"


class Notified:
    """A notification socket (sd_notify(3)), as a service manager has it."""

    def __init__(self, path):
        self.path, self.told = path, []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def next(self, seconds=FAIL_AFTER):
        """What is told next, as its lines; None: nothing."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return None
        self.told.append(self.socket.recv(65536).decode().split("\n"))
        return self.told[-1]

    def wait_for(self, line, or_end_of=None):
        """The first message with @line (or a line that begins so, if it ends with "=").
        None when process @or_end_of ends before it."""
        end = os.pidfd_open(or_end_of.pid) if or_end_of else None
        try:
            while True:
                ready = select.select([self.socket, *([end] if end else [])], [], [], FAIL_AFTER)
                if not ready[0]:
                    raise Failure(f"{line} was not told; told: {self.told[-9:]}")
                if self.socket not in ready[0]:
                    return None
                message = self.next()
                if any(each == line or line.endswith("=") and each.startswith(line)
                       for each in message):
                    return message
        finally:
            if end:
                os.close(end)


class ControlGroup:
    """Control groups of our own, in each hierarchy that systemd uses."""

    def __init__(self):
        name = f"spguard-test-{os.getpid()}"
        self.paths = [os.path.join(top, name) for top in GROUPS
                      if os.path.exists(os.path.join(top, "cgroup.procs"))]
        if not self.paths:
            raise unittest.SkipTest("no control groups here")
        try:
            for path in self.paths:
                os.makedirs(path, exist_ok=True)
        except OSError as error:
            self.close()
            raise unittest.SkipTest(f"control groups cannot be made: {error}")

    def enter(self):
        """In the child, before it becomes the manager."""
        for path in self.paths:
            with open(os.path.join(path, "cgroup.procs"), "w", encoding="ascii") as f:
                f.write("0")

    def close(self):
        for path in self.paths:
            for directory, _, _ in os.walk(path, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(directory)


class Manager:
    """Both of them. One at a time; skips where they cannot run."""

    def __init__(self):
        require(SYSTEMD, JOURNALD, "systemctl", "journalctl", "setpriv")
        private_mounts()
        self.systemd = self.journald = self.follow = None
        self.group = ControlGroup()
        mount("none", "/run", "tmpfs", 0, "mode=755")
        for directory in ("systemd/system", "systemd/journal", "systemd/journald.conf.d",
                          "log", "units", "home"):
            os.makedirs(os.path.join("/run", directory))
        self.log = open("/run/manager.log", "w+", encoding="utf-8", errors="replace")
        self._write("/run/systemd/journald.conf.d/test.conf", JOURNALD_CONF)
        self._name_machine()
        self._bring_catalog()
        self.unit("default.target", "[Unit]\nDefaultDependencies=no\n")

    def _write(self, path, text):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def _name_machine(self):
        """/etc/machine-id is empty where nothing has booted yet."""
        self._write("/run/machine-id", os.urandom(16).hex() + "\n")
        if os.path.exists("/etc/machine-id"):
            mount("/run/machine-id", "/etc/machine-id", None, MS_BIND)
        else:
            raise unittest.SkipTest("there is no /etc/machine-id")

    def _bring_catalog(self):
        for directory in (CATALOG, STATE):
            os.makedirs(directory, exist_ok=True)
            mount("none", directory, "tmpfs", 0)
        shutil.copy(os.path.join(ROOT, "conf", "spguard.catalog"), CATALOG)
        subprocess.run(["journalctl", "--update-catalog"], check=True,
                       stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def environment(self):
        return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": "/run/home", "XDG_RUNTIME_DIR": "/run",
                "XDG_CONFIG_HOME": "/run/home/config", "SYSTEMD_UNIT_PATH": UNITS + ":",
                "SYSTEMD_LOG_TARGET": "journal", "LC_ALL": "C.UTF-8"}

    def start(self):
        self.journald = self._begin("journald", [*WITHOUT_AUDIT, JOURNALD], {})
        self.systemd = self._begin("systemd", [SYSTEMD, "--user", "--unit=default.target"],
                                   self.environment())
        self.follow = subprocess.Popen(
            ["journalctl", "--follow", "--lines=all", "--output=json", "--all"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.entries = LineReader(self.follow.stdout)
        return self

    def _begin(self, name, command, environment):
        """Begun, and ready by its own words."""
        with Notified(f"/run/{name}.notify") as notified:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                env={**environment, "NOTIFY_SOCKET": notified.path},
                preexec_fn=self.group.enter)
            ready = notified.wait_for("READY=1", or_end_of=process)
        if not ready:
            process.kill()
            process.wait()
            raise unittest.SkipTest(f"{name} does not run here: {self.text()}")
        return process

    def text(self):
        self.log.flush()
        with open("/run/manager.log", encoding="utf-8", errors="replace") as f:
            return f.read()[-2000:]

    def journal(self):
        return self.run("journalctl", "--no-pager", "--lines=40")[1]

    def unit(self, name, text):
        path = os.path.join(UNITS, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self._write(path, text)

    def run(self, *command):
        """Exit code and what it printed."""
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=FAIL_AFTER, env=self.environment())
        return done.returncode, done.stdout + done.stderr

    def ctl(self, *args):
        """systemctl; its output. Fails when it does."""
        code, out = self.run("systemctl", "--user", "--no-pager", *args)
        if code != 0:
            raise Failure(f"systemctl {' '.join(args)}: exit {code}: {out}\n{self.journal()}")
        return out

    def show(self, unit, name):
        return self.ctl("show", unit, "--value", "--property", name).strip()

    def entry(self, predicate, what):
        """The first entry of the journal, not yet taken, with predicate(fields)."""
        line = self.entries.wait_for(lambda line: predicate(json.loads(line)), what)
        return json.loads(line)

    def close(self):
        for process, end in ((self.follow, None), (self.systemd, "exit"), (self.journald, None)):
            if not process or process.poll() is not None:
                continue
            if end:
                with contextlib.suppress(subprocess.SubprocessError):
                    self.run("systemctl", "--user", end)
            else:
                process.terminate()
            try:
                process.wait(FAIL_AFTER)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self.follow:
            self.entries.join(FAIL_AFTER)
            self.follow.stdout.close()
        self.log.close()
        self.group.close()
