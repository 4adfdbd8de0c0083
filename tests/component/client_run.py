# SPDX-License-Identifier: MIT
"""How the component tests run the client: in a pipe, or on a terminal of a width.

SPGUARD_BUILD names the build directory, ./build unless set.
"""
import fcntl
import os
import pty
import struct
import subprocess
import termios
import unicodedata

from fake_daemon import FakeDaemon

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("SPGUARD_BUILD", os.path.join(ROOT, "build")))
CLIENT = os.path.join(BUILD, "client", "spguard")
COMMANDS = ["check", "who", "locks", "watch", "log", "maintenance", "installs", "verify", "sidestep",
            "status", "doctor", "flush", "profile", "reload"]
# Those that ask once when they are called without anything.
ASKING = [c for c in COMMANDS if c not in ("watch", "sidestep", "profile")]
# Their exit code is a verdict, so that every failure is 3.
JUDGING = ["check", "verify"]
HANG = 60  # seconds after which a client is taken to hang; no test waits for it

ENV = {"LC_ALL": "C.UTF-8", "TZ": "CET-1", "PATH": os.environ.get("PATH", "")}
for name, value in os.environ.items():
    if name.startswith(("ASAN_", "UBSAN_", "LSAN_", "TSAN_")):
        ENV[name] = value


class Done:
    def __init__(self, code, out, err=""):
        # A sanitizer may report and go on.
        assert "runtime error" not in err and "Sanitizer" not in err, err
        self.code, self.out, self.err = code, out, err


def run(*args, env=None, input=None, cwd=None, user=None):
    done = subprocess.run([CLIENT, *args], env=dict(ENV, **(env or {})), input=input,
                          cwd=cwd, user=user, extra_groups=[] if user else None,
                          group=user, capture_output=True, timeout=HANG)
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def ask(answers, *args, **more):
    """Run the client against a daemon with @answers; also returns the daemon."""
    with FakeDaemon(answers) as daemon:
        done = run("--socket", daemon.path, *args, **more)
        done.daemon = daemon
        return done


def on_terminal(path, *args, columns=80, env=None, input=None):
    """Run the client with a terminal of @columns as its standard output; with @input,
    typed in advance, as its standard input too."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    if input is not None:
        os.write(master, input)
    child = subprocess.Popen([CLIENT, "--socket", path, *args], stdout=slave,
                             stdin=subprocess.DEVNULL if input is None else slave,
                             stderr=subprocess.PIPE,
                             env={**ENV, "TERM": "xterm", **(env or {})})
    os.close(slave)
    out = read_to_the_end(master)
    err = child.stderr.read().decode()
    child.stderr.close()
    return Done(child.wait(HANG), out.decode().replace("\r\n", "\n"), err)


def read_to_the_end(master):
    """What is written to the other end of a pty until nobody has that any more;
    closes @master."""
    out = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:
            break
        if not chunk:
            break
        out += chunk
    os.close(master)
    return out


def columns_of(line):
    return sum(0 if unicodedata.combining(c) else
               2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)
