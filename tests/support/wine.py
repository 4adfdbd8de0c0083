# SPDX-License-Identifier: MIT
"""Windows programs under Wine, in a prefix of a test's own.

Debian's wrapper of wineserver lets the server end with the last program and takes the
services along; so the server is started first, and ended by its own -k, which ends
everything in this prefix and nothing else.
"""
import os
import shutil
import subprocess

from harness import FAIL_AFTER, Failure, LineReader

FOLDERS = ("/usr/lib/wine", "/usr/lib/x86_64-linux-gnu/wine", "/usr/local/bin", "/usr/bin")


def find(*names):
    for name in names:
        for folder in FOLDERS:
            path = os.path.join(folder, name)
            if os.access(path, os.X_OK):
                return path
    return None


WINE = find("wine64")
SERVER = find("wineserver64", "wineserver")


class Wine:
    def __init__(self, prefix):
        os.makedirs(prefix)
        self.env = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
        # No dialogs, no debugger: a program that fails just ends.
        self.env.update(WINEPREFIX=prefix, WINEDEBUG="-all",
                        WINEDLLOVERRIDES="mscoree,mshtml,winedbg.exe=")
        self.prefix = prefix
        self.start_server()
        self.run("wineboot", "-i")

    def start_server(self):
        self.server = subprocess.Popen([SERVER, "-f", "-p"], env=self.env,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)

    def restart(self):
        """End everything and begin anew: a prefix that is being made starts two service
        managers, and each knows half of the services."""
        self.stop_server()
        self.start_server()

    def run(self, *command):
        """Run to the end: exit code, and all that it said."""
        # Wine's own services inherit the descriptors: a pipe would not end with it.
        with open(os.path.join(self.prefix, "output"), "w+b") as out:
            done = subprocess.run([WINE, *command], env=self.env, stdin=subprocess.DEVNULL,
                                  stdout=out, stderr=out, timeout=FAIL_AFTER)
            out.seek(0)
            return done.returncode, out.read().decode(errors="replace")

    def spawn(self, *command):
        return Program(subprocess.Popen([WINE, *command], env=self.env, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True))

    def stop_server(self):
        subprocess.run([SERVER, "-k"], env=self.env, check=False)
        try:
            self.server.wait(FAIL_AFTER)
        except subprocess.TimeoutExpired:
            self.server.kill()  # it waits for its programs at times, which end with it
            self.server.wait(FAIL_AFTER)

    def close(self):
        self.stop_server()
        shutil.rmtree(self.prefix, ignore_errors=True)


class Program:
    """One that says "ready" and ends with a line on its standard input."""

    def __init__(self, process):
        self.process, self.pid = process, process.pid
        self.lines = LineReader(process.stdout)
        try:
            self.lines.wait_for(lambda line: line.strip() == "ready", "'ready' of a program")
        except Failure:
            self.close()
            raise

    def close(self):
        if self.process.poll() is None:
            try:
                self.process.communicate("\n", timeout=FAIL_AFTER)
            except (subprocess.TimeoutExpired, ValueError):
                self.process.kill()
        self.process.wait(FAIL_AFTER)
