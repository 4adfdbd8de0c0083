# SPDX-License-Identifier: MIT
"""The two programs of this folder under Wine: one that holds files, and one that runs the
watch backend of Windows without a daemon. SPGUARD_WINDOWS_PROGRAMS names where they are.
"""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from harness import Failure, LineReader  # noqa: E402
from wine import WINE, Wine  # noqa: E402

PROGRAMS = os.environ.get(
    "SPGUARD_WINDOWS_PROGRAMS",
    os.path.join(os.path.dirname(os.path.abspath(__file__)),
                 "../../build-windows/tests/windows"))


TRIES = 3


def program(name):
    return os.path.join(PROGRAMS, name)


def can_run():
    return bool(WINE) and all(os.path.exists(program(name))
                              for name in ("survey.exe", "holder.exe", "bounded.exe"))


class World:
    """A prefix with its server, a directory of a product, and one for scratch files. The
    product is on drive C:, as Windows has it."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="spguard-wine-")
        self.wine = Wine(os.path.join(self.dir, "prefix"))
        self.drive = os.path.join(self.dir, "prefix", "drive_c")
        self.product = os.path.join(self.drive, "product")
        for path in (self.product, os.path.join(self.drive, "scratch")):
            os.mkdir(path)

    def close(self):
        self.wine.close()
        subprocess.run(["rm", "-rf", self.dir], check=False)

    def path(self, name):
        return "C:/product/" + name

    def make(self, name, content=b"spguard" * 600):
        path = os.path.join(self.product, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)

    def make_library(self, name):
        """One that can be mapped as an image."""
        with open(program("holder.exe"), "rb") as file:
            self.make(name, file.read())

    def empty(self):
        subprocess.run(f"rm -rf '{self.product}'/*", shell=True, check=True)


class Program:
    def __init__(self, world, *command):
        self.process = subprocess.Popen(
            [WINE, *command], env=world.wine.env, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1)
        self.lines = LineReader(self.process.stdout)

    def close(self):
        try:
            self.process.communicate("", timeout=30)
        except (subprocess.TimeoutExpired, ValueError):
            self.process.kill()
        return self.process.wait(30)


class Holder(Program):
    """Holds what it is asked to; @pid is that of Windows."""

    def __init__(self, world, *held, exe=None):
        for left in reversed(range(TRIES)):
            super().__init__(world, exe or program("holder.exe"), *held)
            try:
                line = self.lines.wait_for(lambda text: text.startswith("ready"),
                                           f"holder {held}")
                break
            except Failure:
                # What Wine does not begin ends with any code, or never: see daemon.py. One
                # that cannot hold the file cannot at another try.
                code = self.close()
                if left == 0:
                    raise
                print(f"# holder {held} ended with {code} and is begun again", flush=True)
        self.pid = int(line.split()[1])
        self.world = world

    def kill(self):
        """Its end, as taskkill has it."""
        self.world.wine.run("taskkill", "/f", "/pid", str(self.pid))
        self.close()  # it may have been a child that held it


class Watch(Program):
    """The backend on the product's directory."""

    def __init__(self, world):
        super().__init__(world, program("survey.exe"), "C:/product", "C:/scratch")
        self.said = []
        self.mechanisms = {}
        while True:
            line = self._next()
            if line["say"] == "ready":
                break
            self.mechanisms[line["name"]] = line

    def _next(self):
        line = json.loads(self.lines.wait_for(lambda text: text.startswith("{"), "a line"))
        self.said.append(line)
        return line

    def ask(self, command, until):
        """Its answer, and what it said before that."""
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        before = []
        while True:
            line = self._next()
            if line["say"] == "error":
                raise Failure(f"{command}: {line}")
            if line["say"] == until:
                return line, before
            before.append(line)

    def survey(self):
        return Survey(self.ask("survey", "survey")[0])

    def events(self):
        """Drained: everything that happened before."""
        return self.ask("drain", "drained")[1]


class Survey:
    def __init__(self, answer):
        self.answer = answer
        self.files = answer["files"]
        self.complete = answer["complete"]
        self.blind = [lack for lack in answer["lacks"] if lack["blinds"]]

    def all(self, name):
        return [file for file in self.files
                if file["path"].lower() == ("C:/product/" + name).lower()]

    def file(self, name):
        found = [file for file in self.all(name) if file["presence"] == "present"]
        if len(found) != 1:
            raise Failure(f"{name} is there {len(found)} times: {self.files}")
        return found[0]

    def users(self, name):
        """Who uses it, whatever became of its name: {pid: ways}."""
        users = {}
        for file in self.all(name):
            for use in file["uses"]:
                users.setdefault(use["pid"], set()).update(use["how"])
        return users
