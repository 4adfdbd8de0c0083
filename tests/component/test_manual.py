#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The manual against the programs: nothing is missing in it, and nothing is in it that
does not exist.

By hand: SPGUARD_BUILD=build python3 tests/component/test_manual.py
"""
import glob
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

from client_run import BUILD, CLIENT, ROOT, run

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import harness  # noqa: E402

DAEMON = harness.SPGUARDD
PLUGIN = os.path.join(BUILD, "plugin", "check_spguard")
PAGES = ("spguard.1", "check_spguard.1", "spguard.conf.5", "spguard-db.5",
         "spguard-json.5", "spguardd.8")
# "-p, --product P", "--wait[=TIME]", "--clean [ID]", "--kind K,...", "--list", "-q"
OPTION = re.compile(r"(?:-[A-Za-z], )?--[a-z][a-z-]*"
                    r"(?:\[=[A-Z]+\]| \[[A-Z]+\]| [A-Z]+(?:,\.\.\.)?)?(?= |,|$)")
NAME = re.compile(r"--[a-z][a-z-]*")


def source(page):
    with open(os.path.join(ROOT, "man", page + ".scd"), encoding="utf-8") as f:
        return f.read()


def plain(text):
    """scdoc's text without its marks."""
    text = re.sub(r"(?<!\\)\*|(?<![\w\\])_(?=[^\s_])|(?<=[^\s\\])(?<!_)_(?!\w)", "", text)
    return re.sub(r"\\(.)", r"\1", text).replace("++", "")


class Page:
    """A page's parts by their headings: "COMMANDS", "COMMANDS/check"."""

    def __init__(self, name):
        self.text, self.parts = source(name), {}
        top = path = None
        literal = False
        for line in self.text.split("\n"):
            literal ^= line.startswith("```")
            heading = None if literal else re.match(r"(#+) (.*)", line)
            if heading and heading[1] == "#":
                top = path = heading[2]
            elif heading:
                path = f"{top}/{heading[2]}"
            elif path:
                self.parts.setdefault(path, []).append(line)

    def under(self, top):
        return [path.split("/", 1)[1] for path in self.parts if path.startswith(top + "/")]

    def terms(self, path):
        """The terms that are explained: lines above an indented one."""
        lines = self.parts[path]
        return [plain(line) for line, below in zip(lines, lines[1:])
                if line and not line.startswith("\t") and below.startswith("\t")]

    def meaning(self, path, term):
        """What is said about @term."""
        lines = self.parts[path]
        at = [plain(line) for line in lines].index(term) + 1
        said = []
        while at < len(lines) and lines[at].startswith("\t"):
            said.append(plain(lines[at].strip()))
            at += 1
        return said

    def words(self, path):
        return [word for term in self.terms(path) for word in term.split(", ")]

    def literals(self):
        return re.findall(r"```\n(.*?)\n```", self.text, re.S)


def options_of_help(text):
    """The options that a help explains, spelled as there; not those of a line which
    only lists those of every command."""
    found = []
    for line in text.split("\n"):
        match = re.match(r" {2,6}(-[^ ].*)", line)
        if not match or len(NAME.findall(match[1].split("  ")[0])) > 2:
            continue
        at = 0
        while True:  # several on a line, joined by commas
            option = OPTION.match(match[1], at)
            if not option:
                break
            found.append(option.group())
            at = option.end() + 2
            if match[1][option.end():at] != ", ":
                break
    return found


def usage_of_help(text):
    """The lines of "Usage:", whole."""
    block = re.search(r"^Usage: (.*?)\n\n", text, re.S | re.M)[1]
    return [re.sub(r"\s+", " ", form) for form in re.split(r"\n +(?=spguard )", block)]


def help_of(program, *args):
    done = subprocess.run([program, *args, "--help"], capture_output=True, text=True)
    return done.stdout


def commands_of_help():
    out = run("--help").out
    names = []
    for line in out.split("\n"):
        match = re.match(r"  ([a-z]+) {2,}\S", line)
        if match:
            names.append(match[1])
    return names


class Client(unittest.TestCase):
    page = Page("spguard.1")

    def test_commands(self):
        commands = commands_of_help()
        self.assertGreater(len(commands), 10)
        self.assertEqual(sorted(commands), sorted(self.page.under("COMMANDS")))
        for command in commands:
            self.assertNotIn("there is no command", run(command, "--help").err)

    def test_options_of_all_commands(self):
        wanted = options_of_help(run("--help").out)
        self.assertEqual(sorted(wanted), sorted(self.page.terms("OPTIONS")))
        self.assertIn("--socket PATH", wanted)

    def test_options_of_each_command(self):
        for command in commands_of_help():
            with self.subTest(command):
                wanted = [o for o in options_of_help(help_of(CLIENT, command))
                          if o != "--json"]
                terms = [t for t in self.page.terms("COMMANDS/" + command)
                         if t.startswith("-")]
                self.assertEqual(sorted(wanted), sorted(terms))

    def test_usage_of_each_command(self):
        for command in commands_of_help():
            with self.subTest(command):
                lines = self.page.parts["COMMANDS/" + command]
                first = lines[1:lines.index("", 1)]
                forms = re.split(r" (?=spguard )", plain(" ".join(first)))
                self.assertEqual([f.strip() for f in forms],
                                 usage_of_help(help_of(CLIENT, command)))

    def test_options_are_taken(self):
        folder = tempfile.mkdtemp(prefix="spguard-manual-")  # one of them writes a file
        self.addCleanup(shutil.rmtree, folder)
        for command in commands_of_help():
            for option in options_of_help(help_of(CLIENT, command)):
                with self.subTest(command=command, option=option):
                    word = NAME.search(option).group()
                    value = ["1"] if re.search(r" [A-Z]", option) else []
                    done = run("--socket", "/nowhere/s", command, word, *value,
                               cwd=folder)
                    for fault in "there is no option", "needs a value", "takes no value":
                        self.assertNotIn(fault, done.err)

    def test_no_option_is_secret(self):
        known = set(NAME.findall(plain(self.page.text)))
        found = set()
        for path in glob.glob(os.path.join(ROOT, "client", "*.c")):
            with open(path, encoding="utf-8") as f:
                found.update("--" + name for name in re.findall(
                    r'\{"([a-z-]+)",\s*(?:no|required|optional)_argument', f.read()))
        self.assertIn("--payload", found)
        self.assertEqual(found - known, set())

    def test_examples_use_what_there_is(self):
        n = 0
        for block in Page("spguard.1").literals() + Page("spguardd.8").literals():
            for command, rest in re.findall(r"\bspguard ([a-z]+)([^|&\n]*)", block):
                n += 1
                known = set(NAME.findall(help_of(CLIENT, command)))
                self.assertTrue(known, command)
                self.assertLessEqual(set(NAME.findall(rest.split(" -- ")[0])), known)
        self.assertGreater(n, 5)


def variables_of(*folders):
    found = set()
    for folder in folders:
        for path in glob.glob(os.path.join(ROOT, folder, "*.c")):
            with open(path, encoding="utf-8") as f:
                found.update(re.findall(r'\b(?:getenv|number_of)\("([A-Z_]+)"\)', f.read()))
    return found


class Environment(unittest.TestCase):
    def test_client(self):
        known = set(Page("spguard.1").words("ENVIRONMENT"))
        known |= set(re.findall(r"\*([A-Z]+)\*", "\n".join(
            Page("spguard.1").parts["ENVIRONMENT"])))
        self.assertLessEqual(variables_of("client"), known)
        # Those that the C library reads.
        libc = {"LC_ALL", "LC_CTYPE", "LANG", "TZ"}
        self.assertLessEqual(set(Page("spguard.1").words("ENVIRONMENT")),
                             variables_of("client") | libc)

    def test_daemon(self):
        self.assertEqual(variables_of("daemon", "daemon/*", "daemon/*/linux", "common"),
                         set(Page("spguardd.8").words("ENVIRONMENT")))


class Daemon(unittest.TestCase):
    def test_options(self):
        wanted = options_of_help(help_of(DAEMON))
        self.assertIn("--config FILE", wanted)
        self.assertEqual(sorted(wanted), sorted(Page("spguardd.8").terms("OPTIONS")))


class Plugin(unittest.TestCase):
    def test_options(self):
        if not os.access(PLUGIN, os.X_OK):
            self.skipTest("check_spguard is not built")
        wanted = options_of_help(help_of(PLUGIN))
        self.assertIn("-s, --socket SOCKET", wanted)
        self.assertEqual(sorted(wanted), sorted(Page("check_spguard.1").terms("OPTIONS")))


class Configuration(unittest.TestCase):
    page = Page("spguard.conf.5")

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="spguard-manual-")
        self.addCleanup(shutil.rmtree, self.folder)

    def ask(self, option, *lines):
        path = os.path.join(self.folder, "conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
        done = subprocess.run([DAEMON, "--config", path, option], capture_output=True,
                              text=True)
        return done.stdout, done.stderr

    def sections(self):
        return [path for path in self.page.parts if path.startswith("[")]

    def keys(self, section):
        return {re.split(" = ", term)[0]: term for term in self.page.terms(section)}

    def test_sections(self):
        said = self.ask("--check-config", "[nonsense]", "a = b")[1]
        there = re.search(r"there are (.*)", said)[1]
        self.assertEqual(sorted(re.findall(r"\[[^]]+\]", there)), sorted(self.sections()))

    def test_no_key_is_invented(self):
        for section in self.sections():
            for key in self.keys(section):
                said = self.ask("--check-config", section.replace("NAME", "a"),
                                f"{key} = x")[1]
                self.assertNotIn("has no key", said)
            self.assertIn("has no key", self.ask(
                "--check-config", section.replace("NAME", "a"), "nonsense = x")[1])

    def test_no_key_is_missing(self):
        """By the words that the reader compares with."""
        found = set()
        for path in glob.glob(os.path.join(ROOT, "daemon", "config", "*.c")):
            with open(path, encoding="utf-8") as f:
                found.update(re.findall(r'strcmp\((?:line->)?key, "([a-z-]+)"\)', f.read()))
        self.assertIn("retain-size", found)
        known = {key for section in self.sections() for key in self.keys(section)}
        self.assertEqual(found, known)

    MINIMAL = ("[product p]", "directory = /nowhere")

    def test_defaults(self):
        """A key set to the default that the manual names changes nothing."""
        alone = self.ask("--print-config", *self.MINIMAL)[0]
        self.assertIn("lock-poll", alone)
        n = 0
        for section in self.sections():
            for key, term in self.keys(section).items():
                default = re.search(r"Default: (.*)", " ".join(
                    self.page.meaning(section, term)))
                if not default or default[1] == "NAME":
                    continue
                n += 1
                value = "" if default[1] == "(empty)" else default[1]
                line = f"{key} = {value}"
                lines = [section, line, *self.MINIMAL] if "product" not in section \
                    else [*self.MINIMAL, line]
                self.assertEqual(self.ask("--print-config", *lines)[0], alone, line)
        self.assertGreater(n, 12)

    def test_shipped_file(self):
        """spguard.conf names the same keys and defaults."""
        with open(os.path.join(ROOT, "conf", "spguard.conf"), encoding="utf-8") as f:
            text = f.read()
        for section in self.sections():
            for key, term in self.keys(section).items():
                if section.startswith("[") and " " in section:
                    self.assertRegex(text, rf"(?m)^# {key} =")
                    continue
                self.assertRegex(text, rf"(?m)^([;#] )?{key} =")
                default = re.search(r"Default: (.*)", " ".join(
                    self.page.meaning(section, term)))
                if default:
                    value = "" if default[1] == "(empty)" else default[1]
                    self.assertRegex(text, rf"(?m)^; {key} = ?{re.escape(value)}$")

    def test_example(self):
        block = self.page.literals()[0]
        out, err = self.ask("--check-config", "[daemon]", f"socket = {self.folder}/socket",
                            f"database = {self.folder}/db", block)
        self.assertIn("no fault found", out, err)


@unittest.skipIf(os.geteuid() != 0, "needs root, for a daemon that makes a database")
class Database(unittest.TestCase):
    page = Page("spguard-db.5")

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="spguard-manual-")
        daemon = harness.Daemon(os.path.join(cls.folder, "home"),
                                [harness.Product("app", cls.folder)], tier="procfs")
        try:
            daemon.start()
            daemon.stop()
        finally:
            daemon.close()
        cls.database = sqlite3.connect(daemon.database)

    @classmethod
    def tearDownClass(cls):
        cls.database.close()
        shutil.rmtree(cls.folder)

    def ask(self, sql):
        return self.database.execute(sql).fetchall()

    def test_views(self):
        views = [row[0] for row in self.ask("SELECT name FROM sqlite_schema "
                                            "WHERE type = 'view'")]
        self.assertIn("file_uses", views)
        self.assertEqual(sorted(views), sorted(self.page.under("VIEWS")))

    def test_columns(self):
        for view in self.page.under("VIEWS"):
            with self.subTest(view):
                columns = [row[1] for row in self.ask(f"PRAGMA table_info({view})")]
                self.assertEqual(sorted(columns), sorted(self.page.words("VIEWS/" + view)))

    def test_kinds_and_words(self):
        self.assertEqual(
            sorted(row[0] for row in self.ask(
                "SELECT name FROM names WHERE vocabulary = 'kind'")),
            sorted(self.page.words("KINDS OF EVENT")))
        vocabularies = {row[0] for row in self.ask("SELECT DISTINCT vocabulary FROM names")}
        self.assertEqual(vocabularies - {"kind"}, set(self.page.terms("WORDS")))
        for vocabulary in self.page.terms("WORDS"):
            words = [row[0] for row in self.ask(
                f"SELECT name FROM names WHERE vocabulary = '{vocabulary}'")]
            said = " ".join(self.page.meaning("WORDS", vocabulary)).split(": ")[0]
            said = re.sub(r" \([^)]*\)", "", said)
            self.assertEqual(sorted(words), sorted(said.split(", ")), vocabulary)

    def test_kinds_of_the_client(self):
        said = " ".join(Page("spguard.1").meaning("COMMANDS/log", "--kind K,..."))
        kinds = re.search(r"these: ([a-z, -]+)\.", said)[1].split(", ")
        self.assertEqual(sorted(kinds), sorted(self.page.words("KINDS OF EVENT")))

    def test_examples(self):
        statements = [b for b in self.page.literals() if b.startswith("SELECT")]
        self.assertGreater(len(statements), 3)
        for statement in statements:
            self.ask(statement)


class Pages(unittest.TestCase):
    def test_what_is_referred_to(self):
        known = {page.rsplit(".", 1)[0] + "(" + page[-1] + ")" for page in PAGES}
        for page in PAGES:
            for name, section in re.findall(r"\*([\w.-]*spguard[\w.-]*)\*\((\d)\)", source(page)):
                self.assertIn(f"{name}({section})", known, page)
        self.assertEqual(sorted(page + ".scd" for page in PAGES),
                         sorted(name for name in os.listdir(os.path.join(ROOT, "man"))
                                if name.endswith(".scd")))

    def test_parts(self):
        for page in PAGES:
            parts = Page(page).parts
            for part in "NAME", "SYNOPSIS", "DESCRIPTION", "FILES", "SECURITY", "EXAMPLES", \
                    "SEE ALSO":
                self.assertIn(part, parts, page)
            if page[-1] in "18":
                self.assertIn("EXIT STATUS", parts, page)
                self.assertIn("ENVIRONMENT", parts, page)

    def test_no_warnings(self):
        built = [os.path.join(BUILD, "man", page) for page in PAGES]
        if not os.path.exists(built[0]):
            self.skipTest("built without scdoc")
        if not shutil.which("groff"):
            self.skipTest("no groff here")
        for page in built:
            done = subprocess.run(["groff", "-t", "-man", "-ww", "-Tutf8", page],
                                  capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            if shutil.which("man"):
                done = subprocess.run(["man", "--warnings", "-l", page], capture_output=True,
                                      text=True, env=dict(os.environ, MANWIDTH="80",
                                                          LC_ALL="C.UTF-8"))
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                # Literal lines too fit a terminal.
                self.assertLessEqual(max(map(len, done.stdout.split("\n"))), 80)


if __name__ == "__main__":
    unittest.main()
