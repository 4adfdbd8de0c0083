# SPDX-License-Identifier: MIT
"""The real processes behind the model's: starts them, gives them orders, ends them.

Each order has an answer, and the barrier is that answer. Where the kernel goes on
by itself (a lock is granted, a thread falls asleep, a process is gone) the stage
waits for the sign of it."""
import os
import select
import signal
import socket
import struct
import subprocess
import time

from support import FAIL_AFTER, Failure, await_end


class Surprise(Exception):
    """The kernel did not do what the model expected."""


class Actor:
    def __init__(self, name, connection, pid):
        self.name, self.connection, self.pid = name, connection, pid
        self.later = []  # what came while an answer was awaited

    def read(self):
        if not select.select([self.connection], [], [], FAIL_AFTER)[0]:
            raise Failure(f"{self.name} does not answer: {self.where()}")
        message = self.connection.recv(4096).decode()
        if not message:
            raise Failure(f"{self.name} ({self.pid}) has ended")
        return message

    def where(self):
        try:
            with open(f"/proc/{self.pid}/wchan", encoding="ascii") as f:
                return f"waits in {f.read()}"
        except OSError as error:
            return str(error)

    def ask(self, order):
        """("ok", TEXT) or ("error", "ERRNO MESSAGE")"""
        self.connection.sendall(order.encode())
        while True:
            word, _, rest = self.read().partition(" ")
            if word in ("ok", "error"):
                return word, rest
            self.later.append((word, rest))

    def await_later(self, word, number):
        """The message that the thread @number goes on; others may come first."""
        while (word, str(number)) not in self.later:
            if any(first != word for first, _ in self.later):
                raise Surprise(f"{self.name}: {self.later}, expected {word} {number}")
            first, _, rest = self.read().partition(" ")
            self.later.append((first, rest))
        self.later.remove((word, str(number)))


class Stage:
    def __init__(self, program):
        self.program = program
        self.address = f"spguard-oracle-{os.getpid()}-{time.monotonic_ns()}"
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind("\0" + self.address)
        self.listener.listen(64)
        self.actors, self.children = {}, {}

    def close(self):
        for actor in list(self.actors.values()):
            try:
                os.kill(actor.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            actor.connection.close()
        for child in self.children.values():
            if child.poll() is None:
                child.kill()
            child.wait()
        self.listener.close()

    def meet(self, name):
        """The connection of the actor that calls itself @name."""
        if not select.select([self.listener], [], [], FAIL_AFTER)[0]:
            raise Failure(f"{name} does not come")
        connection, _ = self.listener.accept()
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        actor = Actor(name, connection, struct.unpack("iII", credentials)[0])
        hello = actor.read()
        if hello != f"hello {name}":
            raise Surprise(f"{hello!r}, expected {name}")
        self.actors[name] = actor
        return actor.pid

    def start(self, name, kind, *args, program=None):
        child = subprocess.Popen(
            [program or self.program, "start", self.address, name, kind, *args],
            stdin=subprocess.DEVNULL, close_fds=True)
        self.children[name] = child
        pid = self.meet(name)
        if pid != child.pid:
            child.wait(FAIL_AFTER)
            del self.children[name]
        return pid

    def ask(self, name, order):
        return self.actors[name].ask(order)

    def become(self, name, order):
        """It executes another program, which connects anew."""
        actor = self.actors[name]
        actor.connection.sendall(order.encode())
        if not select.select([actor.connection], [], [], FAIL_AFTER)[0]:
            raise Failure(f"{name} does not execute: {actor.where()}")
        answer = actor.connection.recv(4096).decode()
        if answer:
            raise Surprise(f"{name}: {answer} to '{order}'")
        actor.connection.close()
        if self.meet(name) != actor.pid:
            raise Surprise(f"{name} has another pid than before")

    def kill(self, name):
        actor = self.actors.pop(name)
        os.kill(actor.pid, signal.SIGKILL)
        await_end(actor.pid)
        actor.connection.close()
        child = self.children.pop(name, None)
        if child:
            child.wait(FAIL_AFTER)

    def leave(self, name):
        """Let it end by itself."""
        actor = self.actors.pop(name)
        actor.connection.close()
        await_end(actor.pid)
        child = self.children.pop(name, None)
        if child:
            child.wait(FAIL_AFTER)

    def granted(self, name, number):
        self.actors[name].await_later("granted", number)

    def await_asleep(self, name, count):
        """Return when @count threads of the actor sleep in fcntl or flock: the
        kernel has no other sign that somebody waits for a lock."""
        pid, deadline = self.actors[name].pid, time.monotonic() + FAIL_AFTER
        while self.asleep(pid) != count:
            if self.actors[name].later:
                raise Surprise(f"{name} does not wait: {self.actors[name].later}")
            if time.monotonic() > deadline:
                raise Failure(f"{name}: {self.asleep(pid)} of {count} threads wait")
            select.select([], [], [], 0.0005)

    @staticmethod
    def asleep(pid):
        numbers = {"x86_64": ("72", "73"), "aarch64": ("25", "32")}[os.uname().machine]
        count = 0
        for tid in os.listdir(f"/proc/{pid}/task"):
            try:
                with open(f"/proc/{pid}/task/{tid}/syscall", encoding="ascii") as f:
                    count += f.read().split()[0] in numbers
            except OSError:
                pass
        return count
