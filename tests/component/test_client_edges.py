#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The client at its edges, against a scripted daemon: the live view, no daemon and
wrong ones, ends in mid-message, terminals, hostile names.

By hand: SPGUARD_BUILD=build python3 tests/component/test_client_edges.py
"""
import grp
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unicodedata
import unittest

import fake_daemon as fake
from client_run import (ASKING, CLIENT, ENV, HANG, JUDGING, Done, ask, columns_of, on_terminal,
                        read_to_the_end, run)
from fake_daemon import Act, Error, FakeDaemon, Then, answer, event, file, lock, use


class Watch(unittest.TestCase):
    def start(self, daemon, *args):
        return subprocess.Popen([CLIENT, "--socket", daemon.path, "watch", *args], env=ENV,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self, child, sig=None):
        if sig:
            child.send_signal(sig)
        out, err = child.communicate(timeout=HANG)
        return Done(child.returncode, out, err)

    def test_lines(self):
        with FakeDaemon() as daemon:
            child = self.start(daemon, "--utc", "--kind", "open,gap", "--product", "p")
            lines = [child.stdout.readline() for _ in range(4)]
            self.assertEqual(daemon.params("subscribe"),
                             {"kinds": ["open", "gap"], "product": "p"})
            done = self.end(child, signal.SIGINT)
        self.assertEqual((done.code, done.out, done.err), (0, "", ""))
        self.assertRegex(lines[0], r"13:00:00\.000Z  open +perfmon \(2113\) +" + fake.MDBPERF)
        self.assertIn("BLOCKED  exchange55: Mdbperf.dll is mapped by perfmon (pid 2113) "
                      "(and 1 more)", lines[1])
        self.assertIn("-- gap (overflow)", lines[2])
        self.assertIn("1,234 events dropped", lines[3])

    def test_json_lines(self):
        with FakeDaemon() as daemon:
            child = self.start(daemon, "--json")
            got = [json.loads(child.stdout.readline()) for _ in range(4)]
            done = self.end(child, signal.SIGTERM)
        self.assertEqual(done.code, 0)
        self.assertEqual([g.get("kind") for g in got], ["open", "verdict", "gap", None])
        self.assertEqual(got[3], {"dropped": 1234})
        self.assertEqual(got[0], event(20, "2026-11-22T13:00:00Z", "open"))

    def test_end_of_the_daemon(self):
        with FakeDaemon({"subscribe": Then({"subscription": 1}, [
                ("event", event(1, fake.AT, "open"))], close=True)}) as daemon:
            done = self.end(self.start(daemon))
        self.assertEqual(done.code, 1)
        self.assertIn("Mdbperf.dll", done.out)
        self.assertIn("the daemon closed the connection", done.err)

    def test_notifications_before_the_answer(self):
        early = json.dumps({"jsonrpc": "2.0", "method": "event",
                            "params": event(1, fake.AT, "open")})
        reply = json.dumps({"jsonrpc": "2.0", "id": 2, "result": {"subscription": 1}})
        with FakeDaemon({"subscribe": Act((early + "\n" + reply + "\n").encode(),
                                          close=True)}) as daemon:
            done = self.end(self.start(daemon, "--json"))
            first, last = map(json.loads, done.out.splitlines())
            self.assertEqual(first["id"], 1)
            self.assertEqual(last["error"]["code"], -32000)

    def test_on_a_terminal_it_begins_with_the_verdicts(self):
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        # Of today the time of day is told, of another day the date as well.
        for at in now, "2020-02-29T13:00:00.123456Z":
            with FakeDaemon({"subscribe": {"subscription": 1},
                             "status": Then(fake.STATUS, [("event", event(1, at, "open"))],
                                            close=True)}) as daemon:
                done = on_terminal(daemon.path, "watch", "--plain", "--no-color",
                                   columns=60)
            lines = done.out.splitlines()
            self.assertEqual(lines[0], "BLOCKED  Microsoft Exchange Server 5.5")
            self.assertIn("perf.dll", lines[2])
            self.assertLessEqual(columns_of(lines[2]), 60, lines[2])


class Connection(unittest.TestCase):
    """No daemon, a wrong one, one that breaks off."""

    def assert_no_answer(self, done, says, command):
        self.assertEqual(done.code, 3 if command in JUDGING else 1, done.err)
        if command != "doctor":
            self.assertEqual(done.out, "")
            self.assertIn(says, done.err)

    def test_no_socket(self):
        for command in [*ASKING, "watch"]:
            done = run("--socket", "/nowhere/s", command)
            self.assert_no_answer(done, "no daemon: there is no socket /nowhere/s", command)
            if command != "doctor":
                self.assertIn("systemctl start spguardd", done.err)
                self.assertIn("SPGUARD_SOCKET", done.err)

    def test_stale_socket_and_no_socket_at_all(self):
        folder = tempfile.mkdtemp(prefix="spguard-client-")
        self.addCleanup(shutil.rmtree, folder)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(folder + "/s")
        listener.close()
        done = run("--socket", folder + "/s", "check")
        self.assert_no_answer(done, "nobody listens on", "check")
        open(folder + "/file", "w").close()
        self.assert_no_answer(run("--socket", folder + "/file", "check"), "is not a socket",
                              "check")
        self.assert_no_answer(run("--socket", folder + "/" + "x" * 200, "check"),
                              "longer than 107 bytes", "check")
        self.assert_no_answer(run("--socket", "", "check"), "is empty", "check")
        datagram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        datagram.bind(folder + "/d")
        self.assert_no_answer(run("--socket", folder + "/d", "check"), "of another kind",
                              "check")
        datagram.close()

    def test_environment_names_the_socket(self):
        with FakeDaemon({"check": fake.SAFE}) as daemon:
            self.assertEqual(run("check", env={"SPGUARD_SOCKET": daemon.path}).code, 0)
            self.assertEqual(run("check", "--socket", daemon.path,
                                 env={"SPGUARD_SOCKET": "/nowhere"}).code, 0)

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to become somebody else")
    def test_no_permission(self):
        group = grp.getgrgid(1)
        folder = tempfile.mkdtemp(prefix="spguard-client-")
        self.addCleanup(shutil.rmtree, folder)
        # The client itself may lie where nobody else may look.
        program = shutil.copy(CLIENT, folder)
        os.chmod(folder, 0o755)
        with FakeDaemon(path=folder + "/s"):
            os.chown(folder + "/s", 0, group.gr_gid)
            os.chmod(folder + "/s", 0o660)
            done = self.run_as_nobody(program, folder + "/s")
            self.assertEqual(done.returncode, 3)
            self.assertIn(b"you may not use the socket", done.stderr)
            self.assertIn(b"usermod -aG %s " % group.gr_name.encode(), done.stderr)
            os.mkdir(folder + "/closed", 0o700)
            done = self.run_as_nobody(program, folder + "/closed/s")
            self.assertEqual(done.returncode, 3)
            self.assertIn(b"you may not look into", done.stderr)

    @staticmethod
    def run_as_nobody(program, path):
        return subprocess.run([program, "--socket", path, "check"], env=ENV, user=65534,
                              group=65534, extra_groups=[], capture_output=True, timeout=HANG)

    def test_garbage(self):
        deep = b"[" * 100000
        for raw, says in ((b"hello\n", "no JSON"), (b"\x00\xff\xfe\n", "no JSON"),
                          (b"\x1b[31m{\n", "no JSON"), (b"[]\n", "no message"),
                          (b"7\n", "no JSON"), (b"\n", "no JSON"), (deep + b"\n", "no JSON"),
                          (b"{}\n", "no answer to the question"),
                          (b'{"id":1}\n', "no answer to the question"),
                          (b'{"id":99,"result":{}}\n', "no answer to the question"),
                          (b'{"id":"1","result":{}}\n', "no answer to the question"),
                          (b'{"id":1,"result":1,"id":1}\n', "no JSON"),
                          (b'{"id":1,"error":{}}\n', "unknown form"),
                          (b'{"id":1,"result":{}}\n', "is not spguardd"),
                          (b'{"id":1,"result":{"name":"sshd","protocol":1}}\n',
                           "is not spguardd"),
                          (b'{"id":1,"error":{"code":-32601,"message":"what?"}}\n',
                           'does not know "hello"')):
            for command in "check", "status":
                with self.subTest(raw[:40]):
                    done = ask({"hello": Act(raw)}, command)
                    self.assert_no_answer(done, says, command)
                    self.assertNotIn("\x1b", done.err)
                    self.assertIn("hint: " if b"error\":{}" not in raw else "", done.err)

    def test_endless_notifications(self):
        line = b'{"jsonrpc":"2.0","method":"event","params":{}}\n'
        done = ask({"check": Act(line * 5000)}, "check")
        self.assert_no_answer(done, "notifications instead of an answer", "check")

    def test_end(self):
        self.assert_no_answer(ask({"hello": Act(close=True)}, "check"),
                              "the daemon closed the connection", "check")
        done = ask({"check": Act(b'{"jsonrpc":"2.0","id":2,"resu', close=True)}, "check")
        self.assert_no_answer(done, "in the middle of a message, after 29 bytes", "check")

    def test_huge_answer(self):
        done = ask({"check": Act(b"x" * (65 << 20))}, "check")
        self.assert_no_answer(done, "longer than 64 MiB", "check")

    def test_silence(self):
        for method in "hello", "check":
            done = ask({method: Act()}, "check", "--timeout", "100ms")
            self.assert_no_answer(done, "did not answer in time", "check")
            self.assertIn("--timeout", done.err)
        done = ask({"check": Act(b'{"jsonrpc"')}, "--timeout=100ms", "check")
        self.assert_no_answer(done, "did not answer in time", "check")

    def test_full_backlog(self):
        folder = tempfile.mkdtemp(prefix="spguard-client-")
        self.addCleanup(shutil.rmtree, folder)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(folder + "/s")
        listener.listen(0)
        first = socket.socket(socket.AF_UNIX)
        first.connect(folder + "/s")
        done = run("--socket", folder + "/s", "--timeout", "100ms", "check")
        self.assert_no_answer(done, "does not take connections", "check")
        first.close()
        listener.close()

    def test_other_protocols(self):
        for protocol, says in (2, "The client is too old"), (0, "The daemon is too old"):
            done = ask({"hello": dict(fake.HELLO, protocol=protocol, version="9\x1b")}, "check")
            self.assert_no_answer(done, "speaks protocol %d" % protocol, "check")
            self.assertIn(says, done.err)
            self.assertIn("9\\x1b", done.err)

    def test_refusals(self):
        for code, hint, says in ((-32601, None, "upgrade it"), (-32602, None, "upgrade it"),
                                 (-32002, "products: a, b", "products: a, b"),
                                 (-32004, "later", "later")):
            for command in "check", "who":
                done = ask({command: Error(code, "not so", hint)}, command)
                self.assert_no_answer(done, "spguard: not so\nhint: ", command)
                self.assertIn(says, done.err)

    def test_output_that_cannot_be_written(self):
        with FakeDaemon({"check": fake.SAFE}) as daemon, open("/dev/full", "w") as full:
            done = subprocess.run([CLIENT, "--socket", daemon.path, "check"], env=ENV,
                                  stdout=full, stderr=subprocess.PIPE, timeout=HANG)
            self.assertEqual(done.returncode, 3)  # "safe" did not arrive
            self.assertIn(b"No space left", done.stderr)


class Patience(unittest.TestCase):
    """What a person sees of an answer that takes long; the daemon answers when it has
    been seen."""

    def on_stderr(self, *args, until):
        """What comes to a terminal as standard error; the answer comes behind @until."""
        seen = threading.Event()

        def late(params):
            self.assertTrue(seen.wait(HANG))
            return fake.SAFE

        master, slave = pty.openpty()
        with FakeDaemon({"check": late}) as daemon:
            child = subprocess.Popen([CLIENT, "--socket", daemon.path, *args], env=ENV,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=slave)
            os.close(slave)
            said = b""
            while until and until not in said:
                said += os.read(master, 4096)
            seen.set()
            out, _ = child.communicate(timeout=HANG)
            said += read_to_the_end(master)
            return Done(child.returncode, out.decode(), said.decode())

    def test_said_and_erased(self):
        done = self.on_stderr("check", until=b"waiting for the answer, ")
        self.assertEqual(done.code, 0)
        self.assertTrue(done.out.startswith("SAFE"), done.out)
        self.assertRegex(done.err, r"\rspguard check: waiting for the answer, [\d.]+ s")
        self.assertTrue(done.err.endswith(" \r"), repr(done.err))

    def test_not_when_it_is_quick(self):
        self.assertEqual(self.on_stderr("check", until=b"").err, "")

    def test_the_time_limit_stays(self):
        master, slave = pty.openpty()
        with FakeDaemon({"check": Act()}) as daemon:
            child = subprocess.Popen([CLIENT, "--socket", daemon.path, "check",
                                      "--timeout=1100ms"], env=ENV, stdout=slave,
                                     stdin=subprocess.DEVNULL, stderr=slave)
            os.close(slave)
            said = read_to_the_end(master).decode()
            self.assertEqual(child.wait(HANG), 3)
        self.assertIn("the daemon did not answer in time", said)


class Pager(unittest.TestCase):
    """What is longer than the terminal, which has 24 lines."""

    @staticmethod
    def log_of(n):
        return {"log": {"events": [event(i + 1, fake.AT, "open") for i in range(n)],
                        "more": False}}

    def show(self, n, *args, **env):
        with FakeDaemon(self.log_of(n)) as daemon:
            return on_terminal(daemon.path, "log", *args, input=b"", env=env)

    MARK = "sed s/^/paged:/"

    def test_only_what_is_long(self):
        done = self.show(40, SPGUARD_PAGER=self.MARK)
        self.assertEqual((done.code, done.err), (0, ""))
        lines = done.out.splitlines()
        self.assertGreater(len(lines), 40)
        self.assertTrue(all(line.startswith("paged:") for line in lines), done.out)
        self.assertIn("\x1b[", done.out)
        for done in (self.show(5, SPGUARD_PAGER=self.MARK),
                     self.show(40, "--no-pager", SPGUARD_PAGER=self.MARK),
                     self.show(40, "--json", SPGUARD_PAGER=self.MARK)):
            self.assertEqual((done.code, done.err), (0, ""))
            self.assertNotIn("paged:", done.out)
            self.assertIn("perfmon", done.out)

    def test_which_one(self):
        for env, paged in (({"SPGUARD_PAGER": self.MARK, "PAGER": "false"}, True),
                           ({"PAGER": self.MARK}, True),
                           ({"SPGUARD_PAGER": "", "PAGER": self.MARK}, False),
                           ({"SPGUARD_PAGER": "cat", "PAGER": self.MARK}, False)):
            done = self.show(40, **env)
            self.assertEqual((done.code, done.err), (0, ""), env)
            self.assertEqual("paged:" in done.out, paged, env)
            self.assertEqual(done.out.count("perfmon (2113)"), 40)

    def test_options_of_less(self):
        tell = 'cat >/dev/null; echo "[$LESS] [$LESSCHARSET]"'
        self.assertIn("[FRX+G] [utf-8]", self.show(40, PAGER=tell).out)
        self.assertIn("[i] [utf-8]", self.show(40, PAGER=tell, LESS="i").out)

    def test_a_pager_that_is_not_there(self):
        done = self.show(40, PAGER="/nowhere/pager 2>/dev/null")
        self.assertEqual(done.code, 0)
        self.assertEqual(done.out.count("perfmon (2113)"), 40)

    def test_a_pager_that_ends_early(self):
        done = self.show(9999, PAGER="true")
        self.assertEqual((done.code, done.out, done.err), (0, "", ""))

    def test_no_pager_in_a_pipe(self):
        done = ask(self.log_of(40), "log", env={"PAGER": self.MARK})
        self.assertNotIn("paged:", done.out)
        self.assertEqual(done.out.count("perfmon (2113)"), 40)


HOSTILE = "x\x1b]0;owned\x07\x1b[2J\r\n\u009b31m\u202edll.\x7f\u200b\u00ad\u2028\u2029\ufeff"

# Letters and symbols that show as nothing (Default_Ignorable_Code_Point).
INVISIBLE = "\u115f\u1160\u17b4\u17b5\u3164\uffa0"


class Terminal(unittest.TestCase):
    def test_colour_only_on_a_terminal_that_wants_it(self):
        with FakeDaemon() as daemon:
            self.assertIn("\x1b[1;31mBLOCKED", on_terminal(daemon.path, "check").out)
            for args, env in ((["--no-color"], {}), ([], {"NO_COLOR": "1"}),
                              ([], {"TERM": "dumb"})):
                done = on_terminal(daemon.path, "check", *args, env=env)
                self.assertNotIn("\x1b", done.out)
            self.assertIn("\x1b", on_terminal(daemon.path, "check", env={"NO_COLOR": ""}).out)
            self.assertNotIn("\x1b", run("--socket", daemon.path, "check").out)

    def test_tables_fit(self):
        copied = ("kill ", "systemctl ", "spguard ", "spguardd ")  # commands are never broken
        answers = dict(fake.DEFAULT, check=fake.BUSY, status=fake.SICK)
        del answers["subscribe"]
        # On another day times have their day, too.
        past = json.loads(json.dumps(answers).replace("2026-11-22", "2025-01-02"))
        for said in answers, past:
            with FakeDaemon(said) as daemon:
                for command in ASKING:
                    for columns in 60, 80, 120:
                        done = on_terminal(daemon.path, command, "--no-color", "--utc",
                                           columns=columns)
                        for line in done.out.splitlines():
                            if not line.lstrip().startswith(copied):
                                self.assertLessEqual(columns_of(line), columns, done.out)
                done = on_terminal(daemon.path, "check", "--no-color", columns=60)
                self.assertIn("Mdbperf.dll", done.out)  # names stay whole
                self.assertIn("…", done.out)

    def test_a_pipe_gets_everything(self):
        long = "/srv/" + "very-long-folder/" * 10 + "Mdbperf.dll"
        done = ask({"who": {"files": [file(long, uses=[use("n" * 200)])]}}, "who")
        self.assertIn(os.path.dirname(long), done.out)
        self.assertIn("n" * 200, done.out)

    def test_plain_locale(self):
        done = ask({"check": fake.SAFE}, "check", env={"LC_ALL": "C"})
        self.assertIn("212 us", done.out)
        self.assertTrue(done.out.isascii())

    def test_wide_names_stay_in_line(self):
        with FakeDaemon({"check": answer("blocked", [
                file("/srv/漢字漢字.dll", uses=[use("büro")]),
                file("/srv/plain.dll", uses=[use("x")])])}) as daemon:
            done = on_terminal(daemon.path, "check", "--no-color")
        rows = [l for l in done.out.splitlines() if "mapped" in l]
        self.assertEqual(len({columns_of(r[:r.index("mapped")]) for r in rows}), 1, done.out)

    def test_hostile_names_are_escaped(self):
        bad_use = use(HOSTILE, unit=HOSTILE, user=HOSTILE, how=[HOSTILE], since=HOSTILE)
        bad_file = file("/srv/" + HOSTILE, uses=[bad_use],
                        locks=[dict(lock(HOSTILE, state=HOSTILE, kind=HOSTILE), mode=HOSTILE,
                                    path="/srv/" + HOSTILE)], advice=HOSTILE)
        lack = {"what": HOSTILE, "why": HOSTILE, "remedy": HOSTILE, "product": HOSTILE}
        bad_event = event(1, fake.AT, HOSTILE, path=HOSTILE, name=HOSTILE, detail=HOSTILE,
                          product=HOSTILE, how=[HOSTILE], coalesced=[HOSTILE, HOSTILE],
                          lock={"kind": HOSTILE, "mode": HOSTILE, "start": 0, "end": None})
        bad_gap = dict(fake.GAP, detail=HOSTILE, gap={"reason": HOSTILE})
        status = json.loads(json.dumps(fake.SICK))
        status.update(version=HOSTILE, tier=HOSTILE, socket=HOSTILE, config=HOSTILE,
                      gaps={HOSTILE: 1}, coverage=[lack])
        status["products"][0].update(name=HOSTILE, title=HOSTILE, verdict=HOSTILE)
        status["products"][0]["directories"][0].update(path=HOSTILE, state=HOSTILE, why=HOSTILE)
        status["mechanisms"][0].update(name=HOSTILE, works=False, detail=HOSTILE,
                                       remedy=HOSTILE)
        status["store"].update(path=HOSTILE, why=HOSTILE)
        unknown = answer("unknown", [bad_file], [HOSTILE], [HOSTILE], [lack], product=HOSTILE,
                         title=HOSTILE)
        unknown["proof"]["tier"] = HOSTILE
        answers = {
            "check": unknown, "status": status, "reload": {"products": [HOSTILE]},
            "who": {"files": [bad_file], "coverage": [lack]},
            "locks": {"locks": bad_file["locks"], "coverage": [lack]},
            "log": {"events": [bad_event, bad_gap], "more": True},
            "maintenance": fake.windows(
                lambda day, hour: fake.count(0, 2, 0, (HOSTILE, 1)),
                [dict(fake.count(1, 2, 0, (HOSTILE, 1)), day=1, **{"from": HOSTILE}, to=HOSTILE,
                      to_day=2)], title=HOSTILE, zone=HOSTILE),
            "flush": Error(-32603, HOSTILE, HOSTILE),
            "installs": Error(-32603, HOSTILE, HOSTILE),  # their answers: test_client_installs
            "verify": Error(-32603, HOSTILE, HOSTILE),
            "subscribe": Then({}, []),
        }
        with FakeDaemon(answers) as daemon:
            for command in ASKING:
                done = on_terminal(daemon.path, command, "--no-color")
                self.assert_harmless(done.out, command)
                self.assert_harmless(done.err, command)
                self.assertIn("owned", done.out + done.err)
                piped = run("--socket", daemon.path, command)
                self.assert_harmless(piped.out + piped.err, command)
                shown = on_terminal(daemon.path, command, "--json")
                self.assert_harmless(shown.out, command)
        answers["subscribe"] = Then({}, [
            ("event", bad_event), ("event", bad_gap),
            ("verdict", {"product": HOSTILE, "verdict": HOSTILE, "at": HOSTILE,
                         "reasons": fake.notes([HOSTILE])})], close=True)
        with FakeDaemon(answers) as daemon:
            done = run("--socket", daemon.path, "watch")
            self.assertEqual(len(done.out.splitlines()), 3)
            self.assert_harmless(done.out, "watch")

    def assert_harmless(self, text, command):
        for c in text:
            self.assertFalse(unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") and c != "\n",
                             "%s wrote %r in %r" % (command, c, text[:2000]))

    def test_nothing_unseen_is_written(self):
        """Whatever has those categories, by a table that is not ours."""
        unseen = [chr(c) for c in range(1, 0x110000)
                  if unicodedata.category(chr(c)) in ("Cc", "Cf", "Zl", "Zp")]
        self.assertGreater(len(unseen), 200)
        seen = "".join(chr(c) for c in range(0x21, 0x3000)
                       if unicodedata.category(chr(c))[0] in "LNPS" and chr(c) not in INVISIBLE
                       and chr(c) != "/")
        names = ["/srv/" + c + ".dll" for c in unseen]
        answers = {"who": {"files": [file(name, uses=[use("x")]) for name in names]},
                   "locks": {"locks": [dict(lock(), path=name) for name in names]},
                   "check": answer("blocked", [file("/srv/" + seen, uses=[use("x")])])}
        with FakeDaemon(answers) as daemon:
            for command in ("who", "locks"):
                for done in (run("--socket", daemon.path, command),
                             on_terminal(daemon.path, command, "--no-color"),
                             on_terminal(daemon.path, command, "--json")):
                    self.assert_harmless(done.out, command)
            self.assertTrue(seen in run("--socket", daemon.path, "check").out, "not all is seen")

    def test_json_is_indented_on_a_terminal(self):
        with FakeDaemon() as daemon:
            done = on_terminal(daemon.path, "check", "--json")
            self.assertGreater(len(done.out.splitlines()), 20)
            self.assertEqual(json.loads(done.out), fake.DEFAULT["check"])


if __name__ == "__main__":
    unittest.main()
