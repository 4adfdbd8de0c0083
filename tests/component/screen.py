# SPDX-License-Identifier: MIT
"""A terminal for tests: a small emulator, and a program that runs on it.

    with Terminal([CLIENT, ...], rows=24, columns=80) as terminal:
        terminal.wait(lambda screen: "SAFE" in screen.text())
        terminal.type("q")

Knows the sequences that the client may use, and no others: what a hostile name could
smuggle in is an error.
"""
import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import unicodedata

HANG = float(os.environ.get("SPGUARD_TEST_TIMEOUT", "60"))
SEQUENCE = re.compile(r"\x1b(?:\[(\??)([0-9;]*)([A-Za-z])|(.?))", re.S)


def width_of(char):
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


class Screen:
    """The two screens of a terminal, as lists of rows of cells."""

    def __init__(self, rows, columns):
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.pending, self.modes = "", {1049: False, 25: True, 7: True}
        self.styles = set()
        self.resize(rows, columns)

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.cells = [[" "] * columns for _ in range(rows)]
        self.looks = [[""] * columns for _ in range(rows)]  # SGR parameters
        self.look, self.row, self.column = "", 0, 0

    def text(self):
        return "\n".join(self.lines())

    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]

    def feed(self, data):
        text = self.pending + self.decoder.decode(data)
        self.pending = ""
        while text:
            if text[0] != "\x1b":
                self.put(text[0])
                text = text[1:]
                continue
            match = SEQUENCE.match(text)
            if not match or not (match[3] or match[4]):
                if len(text) > 30:
                    raise AssertionError(f"an endless sequence: {text[:60]!r}")
                self.pending = text
                return
            if match[4]:
                raise AssertionError(f"not a sequence of ours: {match[0]!r}")
            self.control(match[1], match[2], match[3])
            text = text[match.end():]

    def put(self, char):
        if char == "\n":
            self.row = min(self.row + 1, self.rows - 1)
        elif char == "\r":
            self.column = 0
        elif char < " " or "\x7f" <= char < "\xa0":
            raise AssertionError(f"a control character on the screen: {char!r}")
        else:
            n = width_of(char)
            if n == 0:
                return
            if self.column + n > self.columns:
                if self.modes[7]:
                    self.column = 0
                    self.put("\n")
                else:
                    raise AssertionError(f"{char!r} goes over the edge: {self.lines()[self.row]}")
            self.cells[self.row][self.column] = char
            self.looks[self.row][self.column] = self.look
            for extra in range(1, n):
                self.cells[self.row][self.column + extra] = ""
            self.column = min(self.column + n, self.columns - 1 if not self.modes[7]
                              else self.columns)

    def control(self, private, numbers, letter):
        values = [int(n) if n else 0 for n in numbers.split(";")]
        if private and letter in "hl" and values[0] in self.modes:
            self.modes[values[0]] = letter == "h"
            if values[0] == 1049:
                self.resize(self.rows, self.columns)
        elif letter == "H":
            row, column = (values + [1, 1])[:2] if numbers else (1, 1)
            if not (1 <= row <= self.rows and 1 <= column <= self.columns):
                raise AssertionError(f"to row {row}, column {column} of {self.rows}, "
                                     f"{self.columns}")
            self.row, self.column = row - 1, column - 1
        elif letter == "J" and values == [2]:
            self.cells = [[" "] * self.columns for _ in range(self.rows)]
            self.looks = [[""] * self.columns for _ in range(self.rows)]
        elif letter == "K" and not numbers:
            self.cells[self.row][self.column:] = [" "] * (self.columns - self.column)
        elif letter == "m":
            self.styles.add(numbers)
            self.look = "" if numbers == "0" else numbers
        else:
            raise AssertionError(f"not a sequence of ours: {private}{numbers}{letter}")


class Terminal:
    """A program whose standard input and output are a terminal of its own."""

    def __init__(self, command, env, rows=24, columns=80, stdin=True):
        self.screen, self.raw = Screen(rows, columns), b""
        self.until_clear = None  # what comes while it is not for this size
        self.master, self.slave = pty.openpty()
        self.set_size(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.child = subprocess.Popen(
            command, stdin=self.slave if stdin else subprocess.DEVNULL, stdout=self.slave,
            stderr=subprocess.PIPE, env=dict(env), start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(1, termios.TIOCSCTTY, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait(HANG)
        self.child.stderr.close()
        os.close(self.slave)
        os.close(self.master)

    def set_size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, rows, columns):
        """What comes up to the next clearing of the screen was drawn for the old size."""
        self.until_clear = b""
        self.screen.resize(rows, columns)
        self.set_size(rows, columns)

    CLEAR = b"\x1b[2J"

    def take(self, data):
        self.raw += data
        if self.until_clear is not None:
            self.until_clear += data
            if self.CLEAR not in self.until_clear:
                return
            data = self.until_clear[self.until_clear.index(self.CLEAR):]
            self.until_clear = None
        self.screen.feed(data)

    def type(self, keys):
        os.write(self.master, keys.encode())

    def wait(self, predicate):
        """Read until @predicate(screen)."""
        while not predicate(self.screen):
            if not select.select([self.master], [], [], HANG)[0]:
                raise AssertionError("this never came; the screen is:\n" +
                                     self.screen.text())
            try:
                chunk = os.read(self.master, 65536)
            except OSError:
                chunk = b""
            if not chunk:
                raise AssertionError("the program ended; the screen was:\n" +
                                     self.screen.text())
            self.take(chunk)
        return self.screen

    def see(self, *texts, never=()):
        """Wait until all of @texts are on the screen, and none of @never."""
        return self.wait(lambda screen: all(t in screen.text() for t in texts) and
                         not any(t in screen.text() for t in never))

    def end(self):
        """Exit code and standard error, when the program has ended; the rest of its
        output is taken."""
        code = self.child.wait(HANG)
        os.set_blocking(self.master, False)
        try:
            while True:
                self.take(os.read(self.master, 65536))
        except OSError:
            pass
        os.set_blocking(self.master, True)
        return code, self.child.stderr.read().decode()

    def is_as_before(self):
        return (termios.tcgetattr(self.slave) == self.before and
                self.screen.modes == {1049: False, 25: True, 7: True})
