# SPDX-License-Identifier: MIT
"""What the system tests share: a daemon on a scratch directory, its client, its
socket, processes that hold files (holder.h), and mounts of a test's own.

Nothing here sleeps to let something happen. Every step has a barrier: a line of
output, a reply, a notification, the end of a process. FAIL_AFTER only bounds how
long a test that will fail anyway keeps us waiting.

SPGUARD_BUILD          the build directory, ./build unless set
SPGUARD_TIER           how the daemons look: bpf, procfs, or as they choose
SPGUARD_EVENTS=inotify  the kernel refuses the daemons fanotify's marks
SPGUARD_REQUIRE_BPF=1  where the tier bpf does not work, fail instead of skipping
"""
import contextlib
import ctypes
import functools
import json
import os
import queue
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

import contract
import mounts
from mounts import private_mounts  # noqa: F401
from tap import main  # noqa: F401

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("SPGUARD_BUILD", os.path.join(ROOT, "build")))
FAIL_AFTER = float(os.environ.get("SPGUARD_TEST_TIMEOUT", "60"))
TIER = os.environ.get("SPGUARD_TIER", "")
EVENTS = os.environ.get("SPGUARD_EVENTS", "")
REQUIRE_BPF = os.environ.get("SPGUARD_REQUIRE_BPF", "0") not in ("", "0")

# linux/fanotify.h, linux/fcntl.h
FAN_REPORT_DFID_NAME, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD = 0xC00, 1, 0x20, -100

LACKING = 77  # the exit code of a holder whose state this kernel does not allow
SAFE, ATTENTION, BLOCKED, UNKNOWN = range(4)
EXIT_CODE = {"safe": 0, "attention": 1, "blocked": 2, "unknown": 3}
# What may stand under a module's name and is not looked into: a program for DOS. A text
# would be a damaged module.
FOR_DOS = b"MZ" + bytes(62)

SPGUARDD = os.path.join(BUILD, "daemon", "spguardd")
SPGUARD = os.path.join(BUILD, "client", "spguard")
HOLDER = os.path.join(BUILD, "tests", "system", "holder")
FUSE_DEAD = os.path.join(BUILD, "tests", "system", "fuse-dead")
REFUSE = os.path.join(BUILD, "tests", "system", "refuse")
PE_FILE = os.path.join(BUILD, "tests", "system", "pe-file")
LIBRARY = os.path.join(BUILD, "tests", "system", "library.so")
END_AT_RENAME = os.path.join(BUILD, "tests", "system", "end_at_rename.so")

# Commands that print with --json what the method of the same name answers.
PASSED_ON = {"check", "who", "locks", "status", "installs", "verify", "maintenance"}


# Control groups that container engines make, whatever the names below them.
CONTAINER = re.compile(
    r":/(\S*/)?((docker|lxc|garden|actions_job|kubepods)/|lxc\.|kubepods"
    r"|(docker|libpod|cri-containerd|crio|nerdctl|machine)-\S+\.scope|systemd-nspawn@"
    r"|[0-9a-f]{64}(/|$))", re.MULTILINE)


class Failure(Exception):
    """The set-up of a test failed: no verdict about what it tests."""


class RpcError(Exception):
    def __init__(self, error):
        super().__init__(f"{error.get('code')}: {error.get('message')} {error.get('data')}")
        self.code = error.get("code")
        self.message = error.get("message", "")
        self.hint = (error.get("data") or {}).get("hint", "")


def await_end(pid):
    """Return when process @pid has ended; from then on it holds nothing."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if not select.select([fd], [], [], FAIL_AFTER)[0]:
            raise Failure(f"process {pid} does not end")
    finally:
        os.close(fd)


def hold_advice(answer):
    """No step stops a unit of this machine for a process of a container."""
    for step in answer.get("next", ()):
        if step["kind"] != "stop-unit":
            continue
        try:
            with open(f"/proc/{step['pid']}/cgroup", encoding="utf-8") as f:
                groups = f.read()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if CONTAINER.search(groups):
            raise AssertionError(f"{step} is about a container:\n{groups}")


class LineReader(threading.Thread):
    """The lines of a stream, as a queue and as a list."""

    def __init__(self, stream):
        super().__init__(daemon=True)
        self.stream, self.lines, self.queue = stream, [], queue.Queue()
        self.start()

    def run(self):
        for line in self.stream:
            line = line.rstrip("\n")
            self.lines.append(line)
            self.queue.put(line)
        self.queue.put(None)

    def wait_for(self, predicate, what):
        """The first line not yet taken for which @predicate holds."""
        while True:
            try:
                line = self.queue.get(timeout=FAIL_AFTER)
            except queue.Empty:
                raise Failure(f"no {what} within {FAIL_AFTER:g} s; got: {self.lines[-20:]}")
            if line is None:
                raise Failure(f"output ended before {what}; got: {self.lines[-20:]}")
            if predicate(line):
                return line


class Holder:
    """A process in one state on one file; see holder.h for the states."""

    # own_group: a process group of its own, as a shell's job has. A signal of job control
    # stops nobody in a group without a parent in its session (setpgid(2)).
    def __init__(self, state, path, *args, program=HOLDER, own_group=False):
        self.what = f"{state} {path}"
        self.process = subprocess.Popen(
            [program, state, path, *map(str, args)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, bufsize=1,
            process_group=0 if own_group else None)
        self.lines, self.pids = LineReader(self.process.stdout), []
        try:
            ready = self.lines.wait_for(lambda line: line.startswith("ready"),
                                        f"'ready' of holder {self.what}")
        except Failure:
            self.close()
            if self.process.returncode == LACKING:
                raise unittest.SkipTest(f"no '{state}' here")
            raise
        self.pids = [int(word) for word in ready.split()[1:]]
        self.pid = self.pids[0]

    def release(self):
        """Let go of the file; the process lives on, unless it executes it."""
        self.process.stdin.write("release\n")
        self.process.stdin.flush()
        while True:
            line = self.lines.queue.get(timeout=FAIL_AFTER)
            if line == "released":
                return
            if line is None:
                self.process.wait(FAIL_AFTER)
                return

    def kill(self):
        """SIGKILL everyone who holds the file, and wait for their end. Once: their
        numbers may be somebody else's afterwards."""
        pids, self.pids = self.pids, []
        for pid in pids:
            if pid != self.process.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.kill()
        for pid in pids:
            await_end(pid)
        self.process.wait(FAIL_AFTER)

    def close(self):
        self.kill()
        self.process.stdin.close()
        self.lines.join(FAIL_AFTER)
        self.process.stdout.close()


class Product:
    """A section of the configuration."""

    def __init__(self, name, *directories, files="*.dll *.exe", recursive=False,
                 ignore_case=True, replaced=None, setup_stops="", title=None,
                 advice=None, install_as=None, library_path=None, loaded_by=None,
                 libraries_outside=None):
        self.name, self.directories, self.files = name, list(directories), files
        self.recursive, self.ignore_case = recursive, ignore_case
        self.replaced, self.install_as = replaced, install_as
        self.library_path, self.loaded_by = library_path, loaded_by
        self.libraries_outside = libraries_outside
        self.setup_stops, self.title, self.advice = setup_stops, title, advice or {}

    def text(self):
        yield f"[product {self.name}]"
        if self.title:
            yield f"title = {self.title}"
        for directory in self.directories:
            yield f"directory = {directory}"
        yield f"recursive = {'yes' if self.recursive else 'no'}"
        yield f"ignore-case = {'yes' if self.ignore_case else 'no'}"
        if self.replaced:
            yield f"replaced = {self.replaced}"
        if self.install_as:
            yield f"install-as = {self.install_as}"
        if self.library_path:
            yield f"library-path = {self.library_path}"
        if self.loaded_by:
            yield f"loaded-by = {self.loaded_by}"
        if self.libraries_outside:
            yield f"libraries-outside = {self.libraries_outside}"
        yield f"files = {self.files}"
        if self.setup_stops:
            yield f"setup-stops = {self.setup_stops}"
        for pattern, say in self.advice.items():
            yield f"[advice {pattern}]"
            yield f"product = {self.name}"
            yield f"say = {say}"


def notified(message):
    if "method" in message:
        contract.hold("!" + message["method"], message["params"])
    return message


class Rpc:
    """One connection to the daemon's socket. @held: answers are held against the
    contract, which takes longer than many a question."""

    def __init__(self, path, held=True):
        self.held = held
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(FAIL_AFTER)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self.buffer, self.last_id, self.notifications = b"", 0, []

    def close(self):
        self.socket.close()

    def send_raw(self, data):
        self.socket.sendall(data)

    def read_message(self):
        """The next message; None at the end of the connection."""
        while b"\n" not in self.buffer:
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def call(self, method, **params):
        self.last_id += 1
        request = {"jsonrpc": "2.0", "id": self.last_id, "method": method}
        if params:
            request["params"] = params
        self.send_raw(json.dumps(request).encode() + b"\n")
        while True:
            message = self.read_message()
            if message is None:
                raise Failure(f"the daemon closed the connection during '{method}'")
            if "error" in message and message.get("id") in (self.last_id, None):
                raise RpcError(message["error"])
            if message.get("id") != self.last_id:
                self.notifications.append(notified(message))
            else:
                result = message["result"]
                return contract.hold(method, result) if self.held else result

    def wait_notification(self, predicate):
        """The first notification, @predicate(method, params), not taken yet."""
        while True:
            while self.notifications:
                message = self.notifications.pop(0)
                if predicate(message.get("method"), message.get("params", {})):
                    return message["params"]
            message = self.read_message()
            if message is None:
                raise Failure("the daemon closed the connection of a subscriber")
            self.notifications.append(notified(message))


class Daemon:
    """spguardd with a configuration of its own in directory @home. @prefix: what
    runs it; @tier: "" leaves the choice to it."""

    def __init__(self, home, products, daemon_keys=None, prefix=(), program=SPGUARDD,
                 tier=TIER):
        self.home, self.products, self.wanted_tier = home, list(products), tier
        if EVENTS == "inotify":
            prefix = [*prefix, REFUSE, "marks"]
        self.command = [*prefix, program]
        os.makedirs(home, exist_ok=True)
        self.socket = os.path.join(home, "socket")
        self.database = os.path.join(home, "spguard.db")
        self.config = os.path.join(home, "spguard.conf")
        # What a test does to its files is an install; it has ended at once.
        self.keys = {"socket": self.socket, "database": self.database, "group": "root",
                     "install-quiet": "1ms"}
        self.keys.update(daemon_keys or {})
        self.process = self.log = None
        self.write_config()

    def write_config(self, *extra_lines):
        lines = ["[daemon]"] + [f"{key} = {value}" for key, value in self.keys.items()]
        for product in self.products:
            lines += product.text()
        with open(self.config, "w", encoding="utf-8") as f:
            f.write("\n".join([*lines, *extra_lines]) + "\n")

    def spawn(self, *args):
        """Start it without waiting for anything."""
        if self.wanted_tier and "--tier" not in args:
            args = ("--tier", self.wanted_tier, *args)
        self.process = subprocess.Popen(
            [*self.command, "--config", self.config, *args],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            errors="replace", start_new_session=True)
        self.log = LineReader(self.process.stderr)
        return self

    def start(self):
        self.spawn()
        self.log.wait_for(lambda line: "spguardd: ready" in line, "'spguardd: ready'")
        return self

    def main_pid(self):
        """The daemon's own process, behind a prefix that forks; IndexError: the
        prefix has not begun it."""
        pid, program = self.process.pid, os.path.basename(self.command[-1])
        while os.path.basename(os.readlink(f"/proc/{pid}/exe")) != program:
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
                pid = int(f.read().split()[0])
        return pid

    def signal(self, number):
        if self.process.poll() is None:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # ended
                os.kill(self.main_pid(), number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait(FAIL_AFTER)

    def stop(self):
        """SIGTERM; returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(FAIL_AFTER)

    def close(self):
        if not self.process:
            return
        if self.process.poll() is None:
            try:
                self.stop()
            except (subprocess.TimeoutExpired, IndexError):
                with contextlib.suppress(IndexError):
                    self.signal(signal.SIGKILL)
                self.process.kill()
                self.process.wait(FAIL_AFTER)
        self.log.join(FAIL_AFTER)
        self.process.stderr.close()

    def log_text(self):
        return "\n".join(self.log.lines)

    def run(self, *args, env=None):
        """The client: exit code, stdout, stderr."""
        done = subprocess.run([SPGUARD, "--socket", self.socket, *map(str, args)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=FAIL_AFTER, env=env)
        return done.returncode, done.stdout, done.stderr

    def spawn_client(self, *args):
        return subprocess.Popen([SPGUARD, "--socket", self.socket, *map(str, args)],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, bufsize=1)

    def json(self, *args):
        """The client with --json: exit code and what it printed, decoded."""
        code, out, err = self.run("--json", *args)
        try:
            answer = json.loads(out)
        except ValueError:
            raise Failure(f"spguard {' '.join(map(str, args))}: exit {code}, no JSON: "
                          f"{out[:500]!r} {err[:500]!r}\nThe daemon {self.state()}.\n"
                          f"{self.log_text()[-2000:]}")
        hold_advice(answer)
        if args[0] in PASSED_ON:
            contract.hold(args[0], answer)
        return code, answer

    def state(self):
        """Whether it runs, for messages; one that is about to end may have begun to."""
        if not self.process:
            return "was not started"
        with contextlib.suppress(subprocess.TimeoutExpired):
            return f"ended with {self.process.wait(1)}"
        return "runs"

    def after_installs(self, ask):
        """What @ask returns when no install is running."""
        while True:
            answer = ask()
            if '"installing"' not in json.dumps(answer):
                return answer
            with contextlib.closing(self.rpc()) as rpc:
                rpc.call("installs", wait=FAIL_AFTER, limit=1)

    def check(self, *args):
        """`spguard check --json`, when no install is running: the answer, its exit
        code as "exit"."""
        code, answer = self.after_installs(lambda: self.json("check", *args))
        answer["exit"] = code
        return answer

    def log_events(self, *args):
        """`spguard log --json`, after a flush: a list of events."""
        self.run("flush")
        code, out, err = self.run("--json", "log", *args)
        if code != 0:
            raise Failure(f"spguard log: exit {code}: {err}")
        return decode_events(out)

    def rpc(self, held=True):
        return Rpc(self.socket, held)

    def status(self):
        return self.json("status")[1]

    def tier(self):
        """The tier that it is in."""
        return self.status()["tier"]

    def opened_files(self):
        """What the descriptors of the daemon point to."""
        targets = []
        directory = f"/proc/{self.main_pid()}/fd"
        for fd in os.listdir(directory):
            try:
                targets.append(os.readlink(f"{directory}/{fd}"))
            except FileNotFoundError:
                pass
        return targets


@functools.lru_cache(maxsize=None)
def why_no_bpf():
    """Why the tier bpf is not to be had here, in the daemon's words; "" if it is."""
    with tempfile.TemporaryDirectory(prefix="spguard-test-") as scratch:
        daemon = Daemon(os.path.join(scratch, "home"), [Product("app", scratch)], tier="bpf")
        daemon.spawn()
        try:
            daemon.log.wait_for(lambda line: "spguardd: ready" in line, "'spguardd: ready'")
            return ""
        except Failure:
            # An end of another kind is a fault, and every test will show it.
            code = daemon.process.wait(FAIL_AFTER)
            return daemon.log_text().replace("\n", "; ") if code in (1, 2, 69, 77) else ""
        finally:
            daemon.close()


def tier_in_force():
    """The tier of daemons whose test does not name one."""
    return TIER if TIER in ("bpf", "procfs") else "procfs" if why_no_bpf() else "bpf"


def has_file_ids(directory):
    """Does the kernel let fanotify mark @directory by file id? Before Linux 6.6 it does
    not on an overlay, before 6.8 not on a subvolume of btrfs."""
    libc = ctypes.CDLL(None, use_errno=True)
    group = libc.fanotify_init(FAN_REPORT_DFID_NAME, os.O_RDONLY | os.O_CLOEXEC)
    if group < 0:
        raise Failure(f"fanotify_init: {os.strerror(ctypes.get_errno())}")
    try:
        return libc.fanotify_mark(group, FAN_MARK_ADD, ctypes.c_uint64(FAN_OPEN), AT_FDCWD,
                                  os.fsencode(directory)) == 0
    finally:
        os.close(group)


def only_in(tier):
    """Decorates a test of what only @tier can, or cannot, do."""
    def decorate(test):
        @functools.wraps(test)
        def run(self):
            if tier_in_force() != tier:
                self.skipTest(f"about the tier {tier}")
            test(self)
        return run
    return decorate


def decode_events(text):
    """Events as one document ({"events": [...]} or [...]) or one a line."""
    try:
        document = json.loads(text)
    except ValueError:
        document = [json.loads(line) for line in text.splitlines() if line.strip()]
    if isinstance(document, dict):
        document = document["events"] if "events" in document else [document]
    for event in document[:contract.ITEMS_MAX]:
        contract.hold("#Event", event)
    return document


class SystemTest(unittest.TestCase):
    """A test with a scratch directory, self.bin in it for a product's files."""

    maxDiff = None

    def setUp(self):
        for program in (SPGUARDD, SPGUARD, HOLDER):
            if not os.access(program, os.X_OK):
                self.fail(f"{program} is not built; SPGUARD_BUILD names the build directory")
        if os.geteuid() != 0:
            self.skipTest("needs root")
        if TIER == "bpf":
            self.need_bpf()
        self.scratch = tempfile.mkdtemp(prefix="spguard-test-")
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        self.bin = self.directory("bin")

    def need_bpf(self):
        """Skip, or fail where it is required, unless the tier bpf works here."""
        if why_no_bpf():
            (self.fail if REQUIRE_BPF else self.skipTest)(why_no_bpf())

    def need_events(self, directory):
        """Skip where the tier has no events of @directory: then no answer is safe."""
        if tier_in_force() == "bpf" or has_file_ids(directory):
            return
        daemon = self.daemon(Product("app", directory), home="home-without-events")
        self.assert_never_safe(daemon.check())
        daemon.close()
        self.skipTest("this kernel has no file ids there: never safe")

    # Files

    def path(self, *parts):
        return os.path.join(self.scratch, *parts)

    def directory(self, *parts):
        path = self.path(*parts)
        os.makedirs(path, exist_ok=True)
        return path

    def file(self, name, directory=None, content=FOR_DOS + b"a library\n" * 500):
        path = os.path.join(directory or self.bin, name)
        with open(path, "wb") as f:
            f.write(content)
        return path

    def module(self, name, directory=None, version="-", tables=()):
        """A Windows module; @tables as tests/support/pe_file.c takes them. Its path."""
        path = os.path.join(directory or self.bin, name)
        subprocess.run([PE_FILE, path + ".new" + name[-4:], version, *tables], check=True)
        os.rename(path + ".new" + name[-4:], path)
        return path

    def files(self, n):
        """@n libraries: events of different files are never merged."""
        return [self.file(f"Many{i}.dll") for i in range(n)]

    def program(self, name, directory=None):
        """A copy of the holder, to be run under another name."""
        path = os.path.join(directory or self.directory("programs"), name)
        shutil.copy(HOLDER, path)
        return path

    # Processes

    def daemon(self, *products, home="home", start=True, **options):
        """A daemon for @products; without any, for "app" in self.bin."""
        products = products or (Product("app", self.bin),)
        daemon = Daemon(self.path(home), products, **options)
        self.addCleanup(daemon.close)
        return daemon.start() if start else daemon

    def hold(self, state, path, *args, **options):
        holder = Holder(state, path, *args, **options)
        self.addCleanup(holder.close)
        return holder

    def rpc(self, daemon):
        connection = daemon.rpc()
        self.addCleanup(connection.close)
        return connection

    # Mounts, in the namespace of private_mounts()

    def mount(self, kind, target, source="none", options=None):
        try:
            mounts.mount(source, target, kind, 0, options)
        except OSError as error:
            self.skipTest(str(error))
        self.addCleanup(subprocess.run, ["umount", "-l", target], stderr=subprocess.DEVNULL)
        return target

    def bind(self, source, target):
        mounts.mount(source, target, None, mounts.MS_BIND)
        self.addCleanup(subprocess.run, ["umount", "-l", target], stderr=subprocess.DEVNULL)
        return target

    def tmpfs(self, name="tmpfs", size="16m"):
        return self.mount("tmpfs", self.directory(name), options=f"size={size}")

    def loop_image(self, kind, megabytes, name=None):
        """A fresh filesystem of @kind in a file, mounted."""
        target = self.directory(name or kind)
        image = self.path(f"{name or kind}.image")
        with open(image, "wb") as f:
            f.truncate(megabytes << 20)
        make = shutil.which(f"mkfs.{kind}", path="/usr/sbin:/sbin:/usr/bin:/bin")
        if not make:
            self.skipTest(f"no mkfs.{kind} here")
        subprocess.run([make, "-q", image], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)
        done = subprocess.run(["mount", "-t", kind, "-o", "loop", image, target],
                              capture_output=True, text=True)
        if done.returncode != 0:
            self.skipTest(f"cannot mount {kind}: {done.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", target], stderr=subprocess.DEVNULL)
        return target

    def overlay(self, lower, upper, work, name="merged"):
        return self.mount("overlay", self.directory(name),
                          options=f"lowerdir={lower},upperdir={upper},workdir={work}")

    # What an answer says

    @staticmethod
    def texts(notes):
        """The sentences of reasons or steps."""
        return [note["text"] for note in notes]

    @staticmethod
    def show(answer):
        return json.dumps(answer, indent=1, ensure_ascii=False)

    def assert_verdict(self, answer, *verdicts):
        self.assertIn(answer["verdict"], verdicts, self.show(answer))
        if "exit" in answer:
            self.assertEqual(answer["exit"], EXIT_CODE[answer["verdict"]], self.show(answer))

    def assert_safe(self, daemon, *args):
        answer = daemon.check(*args)
        self.assert_verdict(answer, "safe")
        self.assertEqual(answer["reasons"], [], self.show(answer))
        return answer

    def assert_never_safe(self, answer):
        """For the sake of who may use the files: an obstacle alone does not count."""
        self.assertIn(answer["verdict"], ("blocked", "unknown"), self.show(answer))
        counts, reasons = answer["counts"], {note["kind"] for note in answer["reasons"]}
        if counts["blocked"] == counts["obstructed"] > 0:
            self.assertNotEqual(reasons, {"obstacle"}, self.show(answer))

    def file_of(self, answer, path):
        for entry in answer["files"]:
            if entry["path"] == path:
                return entry
        self.fail(f"{path} is not in the answer\n{self.show(answer)}")

    def use_of(self, answer, path, pid):
        for use in self.file_of(answer, path)["uses"]:
            if use["pid"] == pid:
                return use
        self.fail(f"pid {pid} does not use {path}\n{self.show(answer)}")

    def assert_blocked_by(self, daemon, path, pids, how, never=()):
        """Blocked at @path by each of @pids, in all the ways of @how and in
        none of @never, and by nobody else; returns the answer."""
        answer = daemon.check()
        self.assert_verdict(answer, "blocked")
        self.assertEqual(self.file_of(answer, path)["state"], "blocked", self.show(answer))
        for pid in pids:
            use = self.use_of(answer, path, pid)
            self.assertLessEqual(set(how), set(use["how"]), self.show(answer))
            self.assertFalse(set(never) & set(use["how"]), self.show(answer))
            self.assertEqual(use["class"], "blocker", self.show(answer))
            self.assertTrue(any(reason.get("pid") == pid for reason in answer["reasons"]) or
                            len(pids) > 1, self.show(answer))
        self.assertEqual({use["pid"] for use in self.file_of(answer, path)["uses"]},
                         set(pids), self.show(answer))
        self.assertTrue(answer["reasons"] and answer["next"], self.show(answer))
        return answer

    def lock_of(self, answer, path, **wanted):
        """The one lock of @path in @answer with the @wanted values."""
        locks = [lock for lock in self.file_of(answer, path)["locks"]
                 if all(lock.get(key) == value for key, value in wanted.items())]
        self.assertEqual(len(locks), 1, f"locks with {wanted}\n{self.show(answer)}")
        return locks[0]
