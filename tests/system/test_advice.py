#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `spguard check` advises, followed to the letter by a shell: whoever was in the way
is gone then. Programs that are not here (docker, systemctl) have stand-ins on PATH, which
write down how they were called and end the processes of the test."""
import contextlib
import ctypes
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time

from support import (FAIL_AFTER, HOLDER, LIBRARY, SPGUARD, SPGUARDD, SystemTest, await_end,
                     contract, main, only_in, private_mounts)

# linux/ptrace.h, sys/wait.h
PTRACE_ATTACH, PTRACE_CONT, PTRACE_SEIZE = 16, 7, 0x4206
WALL = 0x40000000
# What ends a process that is stopped.
END = "kill {0} && kill -CONT {0}"

GROUPS = "/sys/fs/cgroup"
NUMBER = "3f2a9c" + "0123456789" * 5 + "abcdef01"
SESSION = "user.slice/user-61234.slice/session-3.scope"
MANAGER = "user.slice/user-61234.slice/user@61234.service"


class AdviceTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")

    def group(self, hierarchy, path):
        """A control group, gone after the test."""
        directory = os.path.join(GROUPS, hierarchy)
        if not os.path.isdir(directory):
            self.skipTest(f"no hierarchy {hierarchy} here")
        for name in path.split("/"):
            directory = os.path.join(directory, name)
            if not os.path.isdir(directory):
                os.mkdir(directory)
                self.addCleanup(os.rmdir, directory)
        return directory

    def move(self, pid, directory):
        self.put(pid, directory)
        root = "/".join(directory.split("/")[:5])
        self.addCleanup(self.put, pid, root)

    @staticmethod
    def put(pid, directory):
        with contextlib.suppress(ProcessLookupError), \
                open(os.path.join(directory, "cgroup.procs"), "w", encoding="ascii") as f:
            f.write(str(pid))

    def stand_in(self, name, *pids):
        """A program @name on PATH that ends @pids."""
        path = os.path.join(self.directory("stand-ins"), name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"#!/bin/sh\necho \"${{0##*/}} $*\" >>{self.path('calls')}\n"
                    f"kill -9 {' '.join(map(str, pids))}\n")
        os.chmod(path, 0o755)

    def calls(self):
        try:
            with open(self.path("calls"), encoding="utf-8") as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def step_of(self, answer, kind):
        steps = [step for step in answer["next"] if step["kind"] == kind]
        self.assertEqual(len(steps), 1, self.show(answer))
        return steps[0]

    def follow(self, step, *pids):
        """Do as @step says; every one of @pids ends by it."""
        path = f"{self.directory('stand-ins')}:{os.environ['PATH']}"
        subprocess.run(["sh", "-c", step["command"]], env={**os.environ, "PATH": path},
                       stdin=subprocess.DEVNULL, timeout=FAIL_AFTER, check=False)
        for pid in pids:
            await_end(pid)


class ContainerTest(AdviceTest):
    """A process in a container, whatever its own manager calls it."""

    def check_in(self, path, kind, command, tool=None, hierarchy="systemd", called=None):
        holder = self.hold("read", self.dll)
        self.move(holder.pid, self.group(hierarchy, path))
        daemon = self.daemon()
        answer = self.assert_blocked_by(daemon, self.dll, [holder.pid], ["open"])
        step = self.step_of(answer, kind)
        self.assertEqual(step["command"], command.format(pid=holder.pid), self.show(answer))
        if tool:
            self.stand_in(tool, holder.pid)
        self.follow(step, holder.pid)
        if tool:
            self.assertEqual(self.calls(), [called or command])
        self.assert_safe(daemon)
        return step


def in_container(path, command, **options):
    def test(self):
        step = self.check_in(path, "stop-container", command, tool=command.split()[0],
                             **options)
        self.assertNotIn("unit", step)
    return test


def in_unit(path, command):
    def test(self):
        self.check_in(path, "stop-unit", command, tool="systemctl")
    return test


def in_neither(path):
    def test(self):
        self.check_in(path, "stop-process", "kill {pid}")
    return test


for _name, _test in {
        "docker": in_container(f"docker/{NUMBER}/system.slice/nginx.service",
                               f"docker stop {NUMBER[:12]}"),
        "docker_scope": in_container("system.slice/docker-3f2a9c11.scope/system.slice/ssh.service",
                                     "docker stop 3f2a9c11"),
        "docker_freezer_alone": in_container("docker/3f2a9c12", "docker stop 3f2a9c12",
                                             hierarchy="freezer"),
        "podman": in_container("machine.slice/libpod-77aa.scope/container/system.slice/db.service",
                               "podman stop 77aa"),
        "kubernetes": in_container("kubepods.slice/kubepods-pod1.slice/cri-containerd-88.scope",
                                   "crictl stop 88"),
        "containerd": in_container(f"k8s.io/{NUMBER}",
                                   "ctr --namespace k8s.io tasks kill --all --signal SIGKILL "
                                   + NUMBER),
        "lxc": in_container("lxc.payload.web1/system.slice/nginx.service", "lxc-stop -n web1"),
        "nspawn": in_container("machine.slice/machine-db\\x2d1.scope/payload/system.slice/"
                               "ssh.service", "machinectl poweroff db-1"),
        "libvirt": in_container("machine.slice/machine-qemu\\x2d3\\x2dwin.scope/emulator",
                                "virsh shutdown win"),
        "unit": in_unit("system.slice/shop.service", "systemctl stop shop.service"),
        "unit_with_groups_below": in_unit("system.slice/shop.service/system.slice/ssh.service",
                                          "systemctl stop shop.service"),
        "session": in_neither(SESSION),
        "name_that_a_user_chose": in_neither(f"{SESSION}/system.slice/ssh.service"),
        "name_in_a_strange_group": in_neither("tenant/system.slice/ssh.service"),
        "name_below_a_false_slice": in_neither("tenant.slice/ssh.slice/ssh.service"),
}.items():
    setattr(ContainerTest, f"test_{_name}", _test)


class UserTest(AdviceTest):
    """What a user's own managers run is stopped through them."""

    def advice(self, path):
        holder = self.hold("read", self.dll)
        self.move(holder.pid, self.group("systemd", path))
        answer = self.daemon().check()
        self.assert_verdict(answer, "blocked")
        return answer["next"][0]

    def test_unit_that_is_named_as_one_of_the_machine(self):
        step = self.advice(f"{MANAGER}/x.slice/ssh.service")
        self.assertEqual((step["kind"], step["command"]),
                         ("stop-unit", "systemctl --user --machine=61234@ stop ssh.service"))

    def test_unit_with_groups_below(self):
        step = self.advice(f"{MANAGER}/app.slice/a.service/ssh.service")
        self.assertEqual(step["command"], "systemctl --user --machine=61234@ stop a.service")

    def test_container(self):
        step = self.advice(f"{MANAGER}/user.slice/libpod-9.scope/container/system.slice/a.service")
        self.assertEqual((step["kind"], step["engine"], step["container"], step["command"]),
                         ("stop-container", "podman", "9",
                          "cd / && runuser -u 61234 -- podman stop 9"))

    def test_container_in_a_session(self):
        step = self.advice(f"{SESSION}/lxc.payload.c/a.service")
        self.assertEqual(step["command"], "cd / && runuser -u 61234 -- lxc-stop -n c")


class StateTest(AdviceTest):
    """A process that a plain SIGTERM does not end."""

    def advised(self, pid, kind, command, how=("open",)):
        """Follow the one step, which is of @kind and does @command; then all is safe."""
        daemon = self.daemon()
        answer = self.assert_blocked_by(daemon, self.dll, [pid], how)
        step = answer["next"][0]
        self.assertEqual((step["kind"], step.get("command"), step["pid"]),
                         (kind, command, pid), self.show(answer))
        self.follow(step, pid)
        self.assert_safe(daemon)
        return step

    def wrapped(self, *lines):
        """The holder, run by a script that does @lines first."""
        path = os.path.join(self.directory("programs"), "wrapper")
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(["#!/bin/sh", *lines, f'exec {HOLDER} "$@"']) + "\n")
        os.chmod(path, 0o755)
        return path

    def python(self, text):
        """A program that does @text and writes a line then; its pid."""
        process = subprocess.Popen([sys.executable, "-c", text, self.dll], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertTrue(process.stdout.readline())
        return process.pid

    # Stopped

    def stop(self, pid, number=signal.SIGSTOP):
        os.kill(pid, number)
        self.assertTrue(os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1]))

    def stopped(self, state, number, how):
        holder = self.hold(state, self.dll, own_group=True)
        self.stop(holder.pid, number)
        self.advised(holder.pid, "resume-process",
                     f"kill {holder.pid} && kill -CONT {holder.pid}", how)

    def test_stopped(self):
        self.stopped("read", signal.SIGSTOP, ["open"])

    def test_stopped_by_a_terminal(self):
        self.stopped("mapped", signal.SIGTSTP, ["mapped"])

    def test_stopped_in_the_background(self):
        self.stopped("posix", signal.SIGTTIN, ["open", "locked"])

    def test_stopped_and_deaf(self):
        holder = self.hold("read", self.dll, program=self.wrapped("trap '' TERM"))
        self.stop(holder.pid)
        self.advised(holder.pid, "kill-process", f"kill -9 {holder.pid}")

    # Frozen

    def await_line(self, path, text):
        """Until the kernel says @text in @path, which has no event for it."""
        until = time.monotonic() + FAIL_AFTER
        while time.monotonic() < until:
            with open(path, encoding="ascii") as f:
                if text in f.read():
                    return
            os.sched_yield()
        self.fail(f"{path} does not say {text!r}")

    def freeze(self, directory, v1):
        control, value, thaw = ("freezer.state", "FROZEN", "THAWED") if v1 else \
            ("cgroup.freeze", "1", "0")
        self.addCleanup(self.write, os.path.join(directory, control), thaw)
        self.write(os.path.join(directory, control), value)

    @staticmethod
    def write(path, text):
        with open(path, "w", encoding="ascii") as f:
            f.write(text)

    def frozen(self, hierarchy, path, where=None, state="read"):
        v1 = hierarchy == "freezer"
        holder = self.hold(state, self.dll)
        group = self.group(hierarchy, path)
        self.move(holder.pid, group)
        where = where or group
        self.freeze(where, v1)
        if v1:
            self.await_line(os.path.join(group, "freezer.state"), "FROZEN")
        else:
            self.await_line(os.path.join(group, "cgroup.events"), "frozen 1")
        return holder, where

    def test_frozen(self):
        holder, group = self.frozen("unified", "advice")
        step = self.advised(holder.pid, "thaw-process",
                            f"echo 0 >{group}/cgroup.freeze && {END.format(holder.pid)}")
        self.assertEqual(step["place"], group)

    def test_frozen_by_the_old_controller(self):
        holder, group = self.frozen("freezer", "advice", state="mapped")
        self.advised(holder.pid, "thaw-process",
                     f"echo THAWED >{group}/freezer.state && {END.format(holder.pid)}", ["mapped"])

    def test_frozen_from_above(self):
        above = self.group("unified", "it's")
        holder, _ = self.frozen("unified", "it's/a/b", where=above)
        quoted = above.replace("'", "'\\''")
        self.advised(holder.pid, "thaw-process",
                     f"echo 0 >'{quoted}/cgroup.freeze' && {END.format(holder.pid)}")

    def test_frozen_and_stopped(self):
        holder = self.hold("read", self.dll)
        self.stop(holder.pid)
        group = self.group("freezer", "advice")
        self.move(holder.pid, group)
        self.freeze(group, True)
        self.await_line(os.path.join(group, "freezer.state"), "FROZEN")
        self.advised(holder.pid, "thaw-process", f"echo THAWED >{group}/freezer.state && "
                     + END.format(holder.pid))

    def test_frozen_unit(self):
        holder, _ = self.frozen("unified", "system.slice/shop.service")
        self.move(holder.pid, self.group("systemd", "system.slice/shop.service"))
        daemon = self.daemon()
        step = daemon.check()["next"][0]
        self.assertEqual(
            (step["kind"], step["command"]),
            ("stop-unit", "systemctl thaw shop.service && systemctl stop shop.service"))
        self.stand_in("systemctl", holder.pid)
        self.follow(step, holder.pid)
        self.assert_safe(daemon)

    def test_paused_container(self):
        holder, _ = self.frozen("freezer", "docker/3f2a9c13")
        daemon = self.daemon()
        step = daemon.check()["next"][0]
        self.assertEqual((step["kind"], step["command"]), (
            "stop-container", "docker unpause 3f2a9c13; docker stop 3f2a9c13"))

    # Traced

    def ptrace(self, request, pid, data=0):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.ptrace(request, pid, None, ctypes.c_void_p(data)) != 0:
            self.skipTest(f"ptrace: {os.strerror(ctypes.get_errno())}")

    def traced(self, holder):
        step = self.advised(holder.pid, "kill-traced", f"kill -9 {holder.pid}")
        self.assertEqual(step["tracer"], os.getpid())

    def test_traced_and_stopped_for_it(self):
        holder = self.hold("read", self.dll)
        self.ptrace(PTRACE_ATTACH, holder.pid)
        os.waitpid(holder.pid, WALL)
        self.traced(holder)

    def test_traced_while_it_runs(self):
        holder = self.hold("read", self.dll)
        self.ptrace(PTRACE_SEIZE, holder.pid)
        self.traced(holder)

    def test_traced_and_going_on(self):
        holder = self.hold("read-write", self.dll)
        self.ptrace(PTRACE_ATTACH, holder.pid)
        os.waitpid(holder.pid, WALL)
        self.ptrace(PTRACE_CONT, holder.pid)
        self.traced(holder)

    # Deaf

    def deaf(self, pid):
        self.advised(pid, "kill-process", f"kill -9 {pid}")

    def test_ignores_sigterm(self):
        self.deaf(self.hold("read", self.dll, program=self.wrapped("trap '' TERM")).pid)

    def test_blocks_sigterm(self):
        self.deaf(self.python(
            "import signal, sys; f = open(sys.argv[1])\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
            "print(flush=True); signal.pause()"))

    def test_shell_on_a_terminal(self):
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        shell = subprocess.Popen(["bash", "--norc", "-i"], stdin=slave, stdout=slave,
                                 stderr=slave, start_new_session=True)
        os.close(slave)
        self.addCleanup(shell.wait)
        self.addCleanup(shell.kill)
        os.write(master, f"exec 7<{self.dll}; echo rea''dy\n".encode())
        text = b""
        while b"ready\r" not in text:
            text += os.read(master, 4096)
        self.deaf(shell.pid)

    def test_first_of_a_namespace(self):
        process = subprocess.Popen(
            ["unshare", "--pid", "--fork", "sh", "-c",
             f"exec 7<{self.dll}; echo; read x"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertTrue(process.stdout.readline())
        with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as f:
            self.deaf(int(f.read().split()[0]))

    # Those who only look like it

    def test_a_thread_takes_sigterm(self):
        pid = self.python(
            "import os, signal, sys, threading; f = open(sys.argv[1])\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
            "threading.Thread(target=lambda: (signal.pthread_sigmask(\n"
            "    signal.SIG_UNBLOCK, [signal.SIGTERM]), print(flush=True),\n"
            "    threading.Event().wait())).start()\n"
            "threading.Event().wait()")
        self.advised(pid, "stop-process", f"kill {pid}")

    def test_waits_for_sigterm(self):
        pid = self.python(
            "import signal, sys; f = open(sys.argv[1])\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
            "print(flush=True); signal.sigwait([signal.SIGTERM])")
        # Inside of sigwait(3) it is not blocked any more.
        self.await_line(f"/proc/{pid}/status", "SigBlk:\t0000000000000000\n")
        self.advised(pid, "stop-process", f"kill {pid}")

    def test_takes_sigterm_by_a_descriptor(self):
        pid = self.python(
            "import ctypes, os, signal, sys; f = open(sys.argv[1])\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
            "mask = (ctypes.c_ulong * 16)(1 << (signal.SIGTERM - 1))\n"
            "fd = ctypes.CDLL(None).signalfd(-1, mask, 0)\n"
            "print(flush=True); os.read(fd, 128)")
        self.advised(pid, "stop-process", f"kill {pid}")

    # In the kernel

    def test_waits_for_its_child(self):
        """Of vfork(2): SIGTERM is looked at afterwards, SIGKILL ends it at once."""
        holder = self.hold("vfork", self.dll)
        answer = self.daemon().check()
        steps = {step["pid"]: step for step in answer["next"]}
        for step in steps.values():
            self.assertIn(step["kind"], ("kill-stuck", "stop-process"), self.show(answer))
        self.assertTrue(any(step["kind"] == "kill-stuck" for step in steps.values()) or
                        set(steps) == {holder.pid}, self.show(answer))


class SupervisedTest(AdviceTest):
    """A process that a supervisor starts again when it ends."""

    def setUp(self):
        super().setUp()
        self.told = self.path("told")
        os.mkfifo(self.told)
        self.fifo = os.open(self.told, os.O_RDWR)
        self.addCleanup(os.close, self.fifo)
        # Holds the file, then says its pid.
        self.hold_it = f"exec 7<{self.dll}; echo $$ >{self.told}; exec sleep 3600"

    def script(self, path, *lines):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(["#!/bin/sh", *lines]) + "\n")
        os.chmod(path, 0o755)
        return path

    def told_pid(self):
        return int(os.read(self.fifo, 32))

    def start(self, *command, end=None):
        if not shutil.which(command[0]):
            self.skipTest(f"no {command[0]} here")
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait, FAIL_AFTER)
        self.addCleanup(subprocess.run, end, check=False, stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL) if end else \
            self.addCleanup(process.terminate)
        return process

    def advised(self, command, place, pid=None):
        """Followed, it stays away: nobody writes its pid again."""
        pid = pid or self.told_pid()
        daemon = self.daemon()
        answer = self.assert_blocked_by(daemon, self.dll, [pid], ["open"])
        step = answer["next"][0]
        self.assertEqual((step["kind"], step["command"], step["pid"], step.get("place")),
                         ("stop-supervised", command.format(pid=pid), pid, place),
                         self.show(answer))
        self.follow(step, pid)
        self.assert_safe(daemon)
        self.assertEqual(select.select([self.fifo], [], [], 0)[0], [])

    def test_runit(self):
        service = self.directory("shop")
        self.script(f"{service}/run", self.hold_it)
        self.start("runsv", service)
        self.advised(f"sv down {service}", service)

    def test_runit_in_a_unit_of_its_own(self):
        """Its unit runs other services, too; a unit below it is another matter."""
        group = self.group("systemd", "system.slice/runit.service")
        service = self.directory("shop")
        self.script(f"{service}/run", f"echo $$ >{group}/cgroup.procs", self.hold_it)
        self.move(self.start("runsv", service).pid, group)
        self.advised(f"sv down {service}", service)

    def test_runit_with_blanks_and_deaf(self):
        service = self.directory("my shop")
        self.script(f"{service}/run", "trap '' TERM", self.hold_it)
        self.start("runsv", service)
        self.advised(f"sv down '{service}' && kill -9 {{pid}}", service)

    def test_logger_of_runit(self):
        service = self.directory("shop")
        self.script(f"{service}/run", "exec sleep 3600")
        self.script(f"{service}/log/run", self.hold_it)
        self.start("runsv", service)
        self.advised(f"sv down {service}/log", f"{service}/log")

    def test_child_of_a_service(self):
        service = self.directory("shop")
        self.script(f"{service}/run", f"( trap - TERM; exec 7<{self.dll}; "
                    f"echo 1 >{self.told}; exec sleep 3600 ) & wait")
        self.start("runsv", service)
        self.told_pid()
        answer = self.daemon().check()
        [use] = self.file_of(answer, self.dll)["uses"]
        self.assertEqual(answer["next"][0]["command"],
                         f"sv down {service} && kill {use['pid']}", self.show(answer))
        self.follow(answer["next"][0], use["pid"])

    def test_daemontools(self):
        service = self.directory("shop")
        self.script(f"{service}/run", self.hold_it)
        self.start("supervise", service, end=["svc", "-dx", service])
        self.advised(f"svc -d {service}", service)

    def supervisord(self, environment):
        """A stand-in: a script of that name, which Python runs, with one child."""
        path = self.path("supervisord")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"#!{sys.executable}\nimport os, subprocess\n"
                    f"subprocess.run(['sh', '-c', {self.hold_it!r}],\n"
                    f"               env={{**os.environ, **{environment!r}}})\n")
        os.chmod(path, 0o755)
        self.start(path)
        return self.told_pid()

    def test_supervisord(self):
        pid = self.supervisord({"SUPERVISOR_GROUP_NAME": "web",
                                "SUPERVISOR_PROCESS_NAME": "shop"})
        self.stand_in("supervisorctl", pid)
        self.advised("supervisorctl stop web:shop", "web:shop", pid)
        self.assertEqual(self.calls(), ["supervisorctl stop web:shop"])

    def test_supervisord_that_gives_no_name(self):
        pid = self.supervisord({})
        step = self.daemon().check()["next"][0]
        self.assertEqual((step["kind"], step["command"]),
                         ("stop-supervised", "supervisorctl status"))
        os.kill(pid, signal.SIGKILL)

    def test_name_that_anybody_can_have(self):
        """Neither the program nor the directory is a supervisor's."""
        shutil.copy("/bin/sh", self.path("runsv"))
        self.start(self.path("runsv"), "-c", f"cd /etc; sh -c '{self.hold_it}'; true")
        pid = self.told_pid()
        step = self.daemon().check()["next"][0]
        self.assertEqual((step["kind"], step["command"]), ("stop-process", f"kill {pid}"))
        self.follow(step, pid)


class TriggeredTest(AdviceTest):
    """A service that something of systemd starts when it has been stopped: that is stopped
    with it."""

    @classmethod
    def setUpClass(cls):
        private_mounts()

    def advised(self, command, unit="shop.service", says=None, links=(), **files):
        directory = "/etc/systemd/system"
        if not os.path.isdir(directory):
            self.skipTest(f"no {directory} here")
        self.mount("tmpfs", directory)
        for name, text in files.items():
            with open(os.path.join(directory, name.replace("_", ".")), "w",
                      encoding="utf-8") as f:
                f.write(text)
        for name in links:
            os.symlink(links[name], os.path.join(directory, name))
        holder = self.hold("read", self.dll)
        self.move(holder.pid, self.group("systemd", f"system.slice/{unit}"))
        daemon = self.daemon()
        step = self.step_of(daemon.check(), "stop-unit")
        self.assertEqual((step["command"], step["unit"]), (command, unit))
        if says:
            self.assertIn(says, step["text"])
        else:
            self.assertNotIn(self.BUS, step["text"])
        self.stand_in("systemctl", holder.pid)
        self.follow(step, holder.pid)
        self.assertEqual(self.calls(), [command])
        self.assert_safe(daemon)

    def test_socket(self):
        self.advised("systemctl stop shop.socket shop.service", shop_socket="[Socket]\n")

    def test_timer_of_another_name(self):
        self.advised("systemctl stop nightly.timer shop.service",
                     nightly_timer="[Timer]\nUnit=shop.service\n")

    def test_path(self):
        self.advised("systemctl stop spool.path shop.service",
                     spool_path="[Path]\nUnit = shop.service\n",
                     shop_timer="[Timer]\nUnit=other.service\n")

    # D-Bus

    def on_bus(self, name, unit):
        directory = "/usr/share/dbus-1/system-services"
        if not os.path.isdir(directory):
            self.skipTest(f"no {directory} here")
        self.mount("tmpfs", directory)
        with open(os.path.join(directory, "org.shop.service"), "w", encoding="utf-8") as f:
            f.write(f"[D-BUS Service]\nName=org.shop\nExec=/bin/false\n{name}={unit}\n")

    BUS = "D-Bus starts it again"

    def test_bus(self):
        self.on_bus("SystemdService", "shop.service")
        self.advised("systemctl stop shop.service", says=self.BUS)

    def test_bus_by_another_name(self):
        """And with a socket of its own."""
        self.on_bus("SystemdService", "dbus-org.shop.service")
        self.advised("systemctl stop shop.socket shop.service", says=self.BUS,
                     links={"dbus-org.shop.service": "/lib/systemd/system/shop.service"},
                     shop_socket="[Socket]\n")

    def test_bus_and_a_mask(self):
        self.on_bus("SystemdService", "shop.service")
        self.advised("systemctl stop shop.service", links={"shop.service": "/dev/null"})

    def test_bus_of_others(self):
        self.on_bus("SystemdService", "other.service")
        self.advised("systemctl stop shop.service")

    def test_instance(self):
        self.advised("systemctl stop shop.socket shop@7.service", unit="shop@7.service",
                     shop_socket="[Socket]\nAccept=yes\n")


class AskerTest(AdviceTest):
    """Nobody is told to kill the session that he asks from."""

    def assert_leave(self, answer, pid, name):
        step = self.step_of(answer, "leave-session")
        self.assertEqual((step["pid"], step["name"]), (pid, name), self.show(answer))
        self.assertNotIn("command", step)
        self.assertFalse([step for step in answer["next"] if "kill" in step.get("command", "")])

    def ask_from(self, *command):
        """The answer to a client that runs below @command, and the pid of that."""
        daemon = self.daemon()
        ask = f"{SPGUARD} --socket {daemon.socket} --json check"
        process = subprocess.Popen([*command, f"exec 7<{self.dll}; ({ask} 7<&-); exit"],
                                   stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        answer = json.loads(process.communicate(timeout=FAIL_AFTER)[0])
        return daemon, contract.hold("check", answer), process.pid

    def test_shell(self):
        daemon, answer, pid = self.ask_from("sh", "-c")
        self.assert_leave(answer, pid, "sh")
        self.assert_safe(daemon)

    def test_shell_of_another_kind(self):
        daemon, answer, pid = self.ask_from("bash", "--norc", "-c")
        self.assert_leave(answer, pid, "bash")
        self.assert_safe(daemon)

    def test_what_the_session_runs_in(self):
        """This test is an ancestor of the client, and has the file; somebody else, who is
        none, gets its kill as ever."""
        with open(self.dll, "rb"):
            holder = self.hold("read", self.dll)
            daemon = self.daemon()
            answer = daemon.check()
            with open("/proc/self/comm", encoding="utf-8") as f:
                name = f.read().strip()
            [step] = [step for step in answer["next"] if step["pid"] == os.getpid()]
            self.assertEqual((step["kind"], step["name"]), ("leave-session", name))
            [step] = [step for step in answer["next"] if step["pid"] == holder.pid]
            self.assertEqual((step["kind"], step["command"]),
                             ("stop-family", f"kill {holder.pid}"))
            self.follow(step, holder.pid)
        self.assert_safe(daemon)

    def test_unit_around_it(self):
        with open(self.dll, "rb"):
            self.move(os.getpid(), self.group("systemd", "system.slice/shop.service"))
            step = self.step_of(self.daemon().check(), "stop-unit")
            self.assertEqual(step["command"], "systemctl stop shop.service")
            self.assertIn("you ask from", step["text"])


class CrowdTest(AdviceTest):
    """Many who use the same."""

    def crowd(self, n, handles=False, generations=1, group=None):
        """A process that has the file, and @n children that inherit it; each of those has
        @generations - 1 below it. Their pids, the parent's first."""
        text = f"""if True:
            import os, signal, sys
            f = open(sys.argv[1])
            pids = []
            def end(*_):
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
                os._exit(0)
            def begin(generations):
                pid = os.fork()
                if pid == 0:
                    signal.signal(signal.SIGTERM, signal.SIG_DFL)
                    if generations > 1:
                        begin(generations - 1)
                    os.write(1, b"%d\\n" % os.getpid())
                    while True:
                        signal.pause()
                pids.append(pid)
            group = {group!r}
            if group:
                with open(os.path.join(group, "cgroup.procs"), "w") as g:
                    g.write(str(os.getpid()))
            if {handles}:
                signal.signal(signal.SIGTERM, end)
            for _ in range({n}):
                begin({generations})
            while True:
                signal.pause()
            """
        parent = subprocess.Popen([sys.executable, "-c", text, self.dll],
                                  stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        pids = [parent.pid]
        self.addCleanup(parent.communicate)
        self.addCleanup(self.kill_all, pids)
        pids += [int(parent.stdout.readline()) for _ in range(n * generations)]
        return pids

    @staticmethod
    def kill_all(pids):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in pids:
            await_end(pid)

    def advised(self, pids, command):
        daemon = self.daemon()
        answer = self.assert_blocked_by(daemon, self.dll, pids, ["open"])
        step = self.step_of(answer, "stop-family")
        self.assertEqual((step["pid"], step["count"], step["command"]),
                         (pids[0], len(pids), command), self.show(answer))
        self.assertEqual(len(answer["next"]), 1, self.show(answer))
        self.follow(step, *pids)
        self.assert_safe(daemon)

    def test_server_that_ends_its_children(self):
        pids = self.crowd(5, handles=True)
        self.advised(pids, f"kill {pids[0]}")

    def test_parent_that_leaves_them_behind(self):
        pids = self.crowd(4)
        self.advised(pids, "kill " + " ".join(map(str, [pids[0], *sorted(pids[1:])])))

    def test_grandchildren(self):
        pids = self.crowd(2, generations=2)
        self.advised(pids, "kill " + " ".join(map(str, [pids[0], *sorted(pids[1:])])))

    def test_one_that_is_stopped(self):
        """It needs more than the others, and gets a step of its own."""
        pids = self.crowd(3, handles=False)
        os.kill(pids[1], signal.SIGSTOP)
        self.await_state(pids[1], "T")
        daemon = self.daemon()
        answer = daemon.check()
        self.assertEqual({step["kind"] for step in answer["next"]},
                         {"stop-family", "resume-process"}, self.show(answer))
        for step in answer["next"]:
            self.follow(step)
        for pid in pids:
            await_end(pid)
        self.assert_safe(daemon)

    def await_state(self, pid, letter):
        until = time.monotonic() + FAIL_AFTER
        while time.monotonic() < until:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
                if f.read().rpartition(")")[2].split()[0] == letter:
                    return
            os.sched_yield()
        self.fail(f"process {pid} is not in state {letter}")

    def screen(self, daemon, *args):
        """What the client prints, which fits on a screen."""
        _, out, _ = daemon.run(*args)
        self.assertLessEqual(len(out.splitlines()), 24, out[:4000])
        self.assertLessEqual(max(map(len, out.splitlines())), 160, out[:4000])
        return out

    def test_thousands_of_one_service(self):
        n = 2000
        pids = self.crowd(n - 1, group=self.group("systemd", "system.slice/shop.service"))
        daemon = self.daemon()
        answer = daemon.check()
        self.assertEqual(len(self.file_of(answer, self.dll)["uses"]), n)
        [reason] = answer["reasons"]
        self.assertEqual((reason["kind"], reason["unit"], reason["count"]),
                         ("in-use", "shop.service", n))
        self.assertRegex(reason["text"], rf"^Mdbperf.dll is open by {n} processes of "
                         rf"shop.service \(pid \d+, \d+, \d+ and {n - 3} more\)$")
        [step] = answer["next"]
        self.assertEqual(step["command"], "systemctl stop shop.service")
        for args in (["check"], ["who"], ["who", "--by", "file"]):
            self.assertIn("1,999 more", self.screen(daemon, *args))
        self.stand_in("systemctl", *pids)
        self.follow(step, *pids)
        self.assert_safe(daemon)

    def test_several_services_among_each_other(self):
        """Pids of several groups in turn: a row for each all the same."""
        groups = [self.group("systemd", f"system.slice/{name}.service") for name in "abc"]
        for i in range(15):
            holder = self.hold("read", self.dll)
            self.move(holder.pid, groups[i % 3])
        daemon = self.daemon()
        answer = daemon.check()
        self.assertEqual(sorted((reason["unit"], reason["count"])
                                for reason in answer["reasons"]),
                         [("a.service", 5), ("b.service", 5), ("c.service", 5)])
        for args in (["check"], ["who"], ["who", "--by", "file"]):
            self.assertEqual(self.screen(daemon, *args).count("4 more"), 3)


class DaemonTest(AdviceTest):
    """The daemon itself runs from a file of the product: it does not tell to kill it, and
    once it is started again from elsewhere, nobody is in the way."""

    def advised(self, path, daemon, how):
        answer = self.assert_blocked_by(daemon, path, [daemon.process.pid], how)
        step = self.step_of(answer, "restart-daemon")
        self.assertEqual(step["pid"], daemon.process.pid)
        self.assertNotIn("command", step)
        self.assertEqual(len(answer["next"]), 1, self.show(answer))
        daemon.close()
        self.assert_safe(self.daemon())

    def test_program(self):
        path = os.path.join(self.bin, "Spguardd.exe")
        shutil.copy(SPGUARDD, path)
        self.advised(path, self.daemon(program=path), ["executing"])

    def test_library(self):
        path = os.path.join(self.bin, "Library.dll")
        shutil.copy(LIBRARY, path)
        # AddressSanitizer wants to be the first library, and need not be.
        options = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        daemon = self.daemon(prefix=["env", f"LD_PRELOAD={path}",
                                     f"ASAN_OPTIONS={options}"], start=False)
        self.advised(path, daemon.start(), ["mapped"])

    def test_old_version(self):
        """Replaced by renaming, as the step says: the old one runs on until then."""
        path = os.path.join(self.bin, "Spguardd.exe")
        shutil.copy(SPGUARDD, path)
        daemon = self.daemon(program=path)
        shutil.copy(SPGUARDD, path + ".new")
        os.rename(path + ".new", path)
        answer = daemon.check()
        self.assert_verdict(answer, "blocked")
        self.assertEqual(self.step_of(answer, "restart-daemon")["pid"], daemon.process.pid)
        daemon.close()
        self.assert_safe(self.daemon())


class StuckTest(AdviceTest):
    """A process that waits for a disk which does not answer."""

    @classmethod
    def setUpClass(cls):
        private_mounts()

    def stuck(self, state):
        disk = self.loop_image("ext4", 8, name="disk")
        page = self.file("page", disk, content=b"x" * 4096)
        os.sync()
        holder = self.hold(state, self.dll, page)
        self.addCleanup(subprocess.run, ["fsfreeze", "-u", disk], stderr=subprocess.DEVNULL)
        return holder, disk

    def advised(self, state):
        holder, disk = self.stuck(state)
        daemon = self.daemon()
        answer = daemon.check()
        step = self.step_of(answer, "kill-stuck")
        self.assertEqual((step["pid"], step["command"]),
                         (holder.pid, f"kill -9 {holder.pid}"), self.show(answer))
        self.assertIn("no signal ends it", step["text"])
        self.follow(step)
        # It is as the step says: the file is held until the disk answers.
        self.assert_verdict(daemon.check(), "blocked")
        subprocess.run(["fsfreeze", "-u", disk], check=True)
        await_end(holder.pid)
        self.assert_safe(daemon)

    def test_open(self):
        self.advised("stuck-read")

    @only_in("bpf")
    def test_mapped(self):
        self.advised("stuck-mapped")


if __name__ == "__main__":
    main()
