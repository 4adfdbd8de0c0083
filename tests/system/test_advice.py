#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `spguard check` advises, followed to the letter by a shell: whoever was in the way
is gone then. Programs that are not here (docker, systemctl) have stand-ins on PATH, which
write down how they were called and end the processes of the test."""
import contextlib
import os
import subprocess

from support import FAIL_AFTER, SystemTest, await_end, main

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


if __name__ == "__main__":
    main()
