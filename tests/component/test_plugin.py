#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_spguard against a scripted daemon: states, ranges, the form of its line, and
daemons that hang, hang up, or talk nonsense.

By hand: SPGUARD_BUILD=build python3 tests/component/test_plugin.py
"""
import copy
import datetime
import os
import re
import socket
import subprocess
import tempfile
import unittest

import fake_daemon as fake
from client_run import BUILD, Done, ENV, HANG
from fake_daemon import Act, Error, FakeDaemon, Telling, answer, file, use

PLUGIN = os.path.join(BUILD, "plugin", "check_spguard")
OK, WARNING, CRITICAL, UNKNOWN = range(4)
STATES = ["OK", "WARNING", "CRITICAL", "UNKNOWN"]
# 'label'=value[UOM];[warn];[crit];[min];[max], as the guidelines have it.
VALUE = re.compile(r"'((?:[^'=]|'')+)'=(-?[0-9.]+)(s|)"
                   r";([-0-9.:@~]*);([-0-9.:@~]*);([0-9.]*);([0-9.]*)")


def plugin(*args, env=None):
    done = subprocess.run([PLUGIN, *args], env=dict(ENV, **(env or {})),
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=HANG)
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def now(seconds=0):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def fresh(template, at=0, **more):
    """@template, proved @at seconds from now."""
    said = dict(copy.deepcopy(template), at=now(at))
    said.update(more)
    return said


def blocked_files(n, of=20):
    return answer("blocked" if n else "safe",
                  [file(f"/srv/bin/{i}.dll", uses=[use()]) for i in range(n)],
                  [f"{i}.dll is mapped by perfmon (pid 2113)" for i in range(n)], n=of)


class PluginTest(unittest.TestCase):
    def ask(self, said, *args, env=None):
        """Run the plugin against a daemon that answers "check" with @said; what it
        prints always has the form that monitoring systems read."""
        with FakeDaemon({"check": said}) as daemon:
            done = plugin("-s", daemon.path, *args, env=env)
            done.daemon = daemon
        return self.well_formed(done)

    def well_formed(self, done, lines=None):
        self.assertEqual(done.err, "")
        self.assertIn(done.code, range(4), done.out)
        self.assertTrue(done.out.endswith("\n"))
        first, *done.more = done.out[:-1].split("\n")
        self.assertTrue(first.startswith(f"SPGUARD {STATES[done.code]}: "), done.out)
        text, bar, values = first.partition("|")
        self.assertGreater(len(text), len("SPGUARD UNKNOWN: ") + 10, done.out)
        self.assertLess(len(first.encode()), 4096)
        self.assertNotIn("|", values + "".join(done.more))
        self.assertTrue(all(c >= " " for c in first + "".join(done.more)), repr(done.out))
        self.assertNotIn("<", done.out)
        done.text, done.values, rest = text, {}, values
        while rest:
            value = VALUE.match(rest, 1)
            self.assertTrue(rest[0] == " " and value, values)
            done.values[value[1]] = value.groups()[1:]
            rest = rest[value.end():]
        if bar:
            self.assertTrue(done.values, done.out)
        return done


class States(PluginTest):
    def test_each_verdict(self):
        for template, state in ((fake.SAFE, OK), (fake.ATTENTION, WARNING),
                                (fake.BLOCKED, CRITICAL), (fake.UNKNOWN, UNKNOWN)):
            with self.subTest(template["verdict"]):
                done = self.ask(fresh(template))
                self.assertEqual(done.code, state, done.out)
                self.assertIn("Microsoft Exchange Server 5.5", done.text)
                self.assertEqual(done.more, [])
                if template["reasons"]:
                    self.assertIn(template["reasons"][0]["text"], done.text)

    def test_several_products_the_worst_comes_first(self):
        templates = {"safe": fake.SAFE, "attention": fake.ATTENTION,
                     "unknown": fake.UNKNOWN, "blocked": fake.BLOCKED}
        state = {"safe": OK, "attention": WARNING, "unknown": UNKNOWN, "blocked": CRITICAL}
        rank = list(templates)
        for a in rank:
            for b in rank:
                worst = max(a, b, key=rank.index)
                done = self.ask({"verdict": worst, "products": [
                    fresh(templates[a], title="First", product="one"),
                    fresh(templates[b], title="Second", product="two")]})
                self.assertEqual(done.code, state[worst], (a, b, done.out))
                first = "First" if rank.index(a) >= rank.index(b) else "Second"
                self.assertTrue(done.text.partition(": ")[2].startswith(first), done.out)
                self.assertEqual(set(done.values), {"one_blocked", "one_proof_age",
                                                    "two_blocked", "two_proof_age"})

    def test_product_is_asked_for_by_name(self):
        done = self.ask(fresh(fake.SAFE), "-p", "exchange55")
        self.assertEqual(done.daemon.params("check"), {"product": "exchange55"})
        self.assertEqual(set(done.values), {"blocked", "proof_age"})
        self.assertEqual(done.values["blocked"], ("0", "", "", "", "0", "19"))
        done = self.ask(fresh(fake.SAFE), "--product=exchange55")
        self.assertEqual(done.code, OK)
        done = self.ask(Error(-32002, "there is no product 'shop'", "there are: exchange55"),
                        "-p", "shop")
        self.assertEqual(done.code, UNKNOWN)
        self.assertIn("there is no product 'shop'. there are: exchange55", done.text)

    def test_without_a_product_labels_name_it(self):
        self.assertEqual(set(self.ask(fresh(fake.SAFE)).values),
                         {"exchange55_blocked", "exchange55_proof_age"})

    def test_socket_from_the_environment(self):
        with FakeDaemon({"check": fresh(fake.SAFE)}) as daemon:
            self.assertEqual(plugin(env={"SPGUARD_SOCKET": daemon.path}).code, OK)

    def test_ok_is_never_empty_nor_unproved(self):
        proof = dict(fake.SAFE["proof"])
        none = dict(fake.SAFE["counts"], files=0)
        for change in ({"proof": dict(proof, complete=False)}, {"proof": None},
                       {"counts": none}, {"counts": None}, {"at": None}, {"at": "noon"},
                       {"counts": dict(fake.SAFE["counts"], blocked=1)},
                       {"counts": dict(fake.SAFE["counts"], files=-3)},
                       {"verdict": "fine"}, {"verdict": None}, {"product": "other"}):
            with self.subTest(change):
                done = self.ask({**fresh(fake.SAFE), **change}, "-p", "exchange55")
                self.assertEqual(done.code, UNKNOWN, done.out)
        for said in ({"verdict": "safe", "products": []}, {}, [], "safe", None,
                     {"products": {}}, {"verdict": "safe", "products": [{}]},
                     {"verdict": "blocked", "products": [fresh(fake.SAFE)]},
                     {"verdict": "unknown", "products": [fresh(fake.SAFE)]}):
            with self.subTest(said):
                self.assertEqual(self.ask(said).code, UNKNOWN)
        several = {"verdict": "safe", "products": [fresh(fake.SAFE)] * 2}
        self.assertEqual(self.ask(several, "-p", "exchange55").code, UNKNOWN)

    def test_a_total_is_not_better_than_a_product(self):
        done = self.ask({"verdict": "safe", "products": [fresh(fake.SAFE),
                                                         fresh(fake.BLOCKED)]})
        self.assertEqual(done.code, CRITICAL)


class Ranges(PluginTest):
    # range -> numbers of blocked files that alert, and that do not
    FORMS = {
        "10": ([11, 12], [0, 1, 10]), "0": ([1, 2], [0]), "10:": ([0, 9], [10, 11]),
        "~:10": ([11], [0, 10]), "10:12": ([9, 13], [10, 11, 12]), "0:0": ([1], [0]),
        "@10:12": ([10, 12], [9, 13]), "@0": ([0], [1]), "@2:": ([2, 3], [0, 1]),
        "@~:1": ([0, 1], [2]), "~:": ([], [0, 19]), "0.5": ([1], [0]), "1.5:": ([1], [2]),
        "-5:3": ([4], [0, 3]), "-5:-1": ([0], []), "@-1.5:-0.5": ([], [0, 1]),
    }

    def test_every_form_on_blocked_files(self):
        for text, (alerting, quiet) in self.FORMS.items():
            for n in alerting + quiet:
                with self.subTest(text, n=n):
                    said = fresh(blocked_files(n))
                    alerts = n in alerting
                    done = self.ask(said, "-p", "exchange55", "-w", text)
                    self.assertEqual(done.code, WARNING if alerts else OK, done.out)
                    self.assertEqual(done.values["blocked"],
                                     (str(n), "", text, "", "0", "20"))
                    done = self.ask(said, "-p", "exchange55", "--critical", text)
                    self.assertEqual(done.code, CRITICAL if alerts else OK, done.out)
                    self.assertEqual(done.values["blocked"][3], text)

    def test_every_form_on_the_age_of_the_proof(self):
        for text, (alerting, quiet) in self.FORMS.items():
            if "." in text or text in ("0", "0:0", "@0"):
                continue  # an age is no whole number of seconds
            for n in alerting + quiet:
                if n in (1, 2, 3, 9, 10, 12):
                    continue  # the ends belong to the range, and time goes on
                with self.subTest(text, n=n):
                    alerts = n in alerting
                    said = fresh(fake.SAFE, -n)
                    done = self.ask(said, "-p", "exchange55", "--proof-age-warning", text)
                    self.assertEqual(done.code, WARNING if alerts else OK, done.out)
                    self.assertEqual(done.values["proof_age"][1:3], ("s", text))
                    done = self.ask(said, "--proof-age-critical", text)
                    self.assertEqual(done.code, CRITICAL if alerts else OK, done.out)

    def test_a_proof_of_the_future_is_outside(self):
        done = self.ask(fresh(fake.SAFE, 3600), "--proof-age-critical", "60")
        self.assertEqual(done.code, CRITICAL)
        self.assertIn("from now by this clock", done.text)
        self.assertEqual(done.values["exchange55_proof_age"][0], "0.000")

    def test_an_old_proof_is_told(self):
        done = self.ask(fresh(fake.SAFE, -7200), "--proof-age-warning", "60")
        self.assertEqual(done.code, WARNING)
        self.assertRegex(done.text, "proved 720[0-9] s ago, outside of the range")

    def test_both_ranges(self):
        for n, state in ((0, OK), (1, WARNING), (5, WARNING), (6, CRITICAL)):
            done = self.ask(fresh(blocked_files(n)), "-w", "0", "-c", "5")
            self.assertEqual(done.code, state, done.out)
        done = self.ask(fresh(blocked_files(3)), "-w", "5", "-c", "10")
        self.assertEqual(done.code, OK)
        self.assertIn("3 of 20 files are in the way, which the ranges accept", done.text)

    def test_ranges_excuse_nothing_but_blocked_files(self):
        wide = ("-w", "~:", "-c", "~:")
        installing = fresh(answer("blocked", [], ["an install is running: number 3"]))
        for said, state in ((fresh(fake.ATTENTION), WARNING), (fresh(fake.UNKNOWN), UNKNOWN),
                            (installing, CRITICAL)):
            self.assertEqual(self.ask(said, *wide).code, state)

    def test_ranges_excuse_nothing_beside_blocked_files(self):
        """One blocked file is accepted; that others were not looked at is not."""
        for without_blocked, state in (("safe", OK), ("attention", WARNING), ("unknown", UNKNOWN),
                                 ("blocked", CRITICAL), ("fine", UNKNOWN), (None, UNKNOWN),
                                 (7, UNKNOWN)):
            with self.subTest(without_blocked):
                done = self.ask(fresh(blocked_files(1), without_blocked=without_blocked), "-w", "5")
                self.assertEqual(done.code, state, done.out)
                self.assertEqual("which the ranges accept" in done.text, state == OK)
                # Without ranges, and outside of them, it is not asked for.
                self.assertEqual(self.ask(fresh(blocked_files(1), without_blocked=without_blocked)).code,
                                 CRITICAL)
                done = self.ask(fresh(blocked_files(6), without_blocked=without_blocked), "-c", "5")
                self.assertEqual(done.code, CRITICAL, done.out)
        old = fresh(blocked_files(1))
        del old["without_blocked"]
        self.assertEqual(self.ask(old, "-w", "5").code, UNKNOWN)

    def test_ranges_hold_for_each_product(self):
        said = {"verdict": "blocked", "products": [
            fresh(blocked_files(2), product="one"), fresh(blocked_files(7), product="two")]}
        self.assertEqual(self.ask(said, "-w", "7").code, OK)
        self.assertEqual(self.ask(said, "-w", "6").code, WARNING)
        self.assertEqual(self.ask(said, "-w", "1", "-c", "6").code, CRITICAL)

    def test_what_is_no_range(self):
        for text in ("", "@", ":", "~", "abc", "10:5", "1:2:3", "10 ", " 10", "1e3", "inf",
                     "nan", "0x10", "10:~", ":10", "@@1", "--5", "1.", ".", "5,5", "9" * 40):
            for option in "-w", "-c", "--proof-age-warning", "--proof-age-critical":
                with self.subTest(text, option=option):
                    done = self.well_formed(plugin(f"{option}={text}" if option[1] == "-"
                                                   else option + text if text else option,
                                                   *([] if text or option[1] == "-" else [""])))
                    self.assertEqual(done.code, UNKNOWN)
                    self.assertIn("takes a range", done.text)


class CommandLine(PluginTest):
    def test_help_and_version_exit_3(self):
        for option in "-h", "--help":
            done = plugin(option)
            self.assertEqual((done.code, done.err), (UNKNOWN, ""))
            for name in ("-s, --socket", "-p, --product", "-t, --timeout", "-w, --warning",
                         "-c, --critical", "--proof-age-warning", "--proof-age-critical",
                         "--timeout-state", "--down-state", "-v, --verbose",
                         "-V, --version", "-h, --help", "@10:20", "~:10"):
                self.assertIn(name, done.out)
            self.assertLessEqual(max(map(len, done.out.splitlines())), 80)
        for option in "-V", "--version":
            done = plugin(option)
            self.assertEqual(done.code, UNKNOWN)
            self.assertRegex(done.out, r"^check_spguard \d+\.\d+\.\d+\n$")

    def test_mistakes_are_unknown(self):
        for args in (["exchange55"], ["-x"], ["--what"], ["-p"], ["--socket"], ["-t", "0"],
                     ["-t", "-1"], ["-t", "1.5"], ["-t", "ten"], ["-t", ""], ["-t", "99999"],
                     ["--timeout-state", "maybe"], ["--down-state", "4"],
                     ["--timeout-state", "ok"], ["--down-state", "0"], ["--verbose=2"],
                     ["-p", "a", "b"], ["-"], ["--", "x"], ["x|y\n'z'<b>"]):
            with self.subTest(args):
                done = self.well_formed(plugin(*args))
                self.assertEqual(done.code, UNKNOWN)
                self.assertIn("--help", done.text)
        with FakeDaemon() as daemon:
            done = subprocess.run([PLUGIN, "-s", daemon.path, "-p", b"\xff"], env=ENV,
                                  capture_output=True, timeout=HANG)
        self.assertEqual(done.returncode, UNKNOWN)
        self.assertIn(b"UTF-8", done.stdout)


class Details(PluginTest):
    def test_v_tells_why_and_what_to_do(self):
        done = self.ask(fresh(fake.BUSY), "-v")
        self.assertIn("  do: systemctl stop perfmon.service", done.more)
        self.assertIn("  why: Mdbperf.dll is mapped by perfmon (pid 2113)", done.more)
        self.assertNotIn("file:", done.out)

    def test_vv_tells_files_and_users(self):
        for args in (["-vv"], ["-v", "-v"], ["--verbose", "--verbose"]):
            done = self.ask(fresh(fake.BUSY), *args)
            self.assertIn("  file: /srv/exchsrvr/bin/Gwperf.dll: blocked, mapped by perfmon "
                          "(2113), perfmon.service", done.more)
            self.assertIn("  file: /srv/winnt/system32/Eseperf.dll: blocked, no process shows "
                          "it, -", done.more)
            self.assertNotIn("asked:", done.out)
        done = self.ask(fresh(fake.UNKNOWN), "-vv")
        self.assertIn("  not looked at: " + fake.LACK["what"], done.out)
        self.assertIn(fake.LACK["remedy"], done.out)

    def test_vvv_tells_the_proof_and_the_daemon(self):
        done = self.ask(fresh(fake.SAFE), "-vvv")
        self.assertRegex(done.out, r"\n  proof: 20.*, 212 us, tier procfs, complete, "
                                   r"generation 4711\n")
        self.assertIn(f"asked: {done.daemon.path}, spguardd 0.1.0, process 1;", done.more[-1])

    def test_values_are_on_the_first_line_only(self):
        for option in "-v", "-vv", "-vvv":
            done = self.ask({"verdict": "blocked", "products": [
                fresh(fake.BUSY), fresh(fake.SAFE, product="shop")]}, option)
            self.assertEqual(len(done.values), 4)
            self.assertGreater(len(done.more), 2)

    def test_a_thousand_files(self):
        done = self.ask(fresh(blocked_files(1000, 1000)), "-vvv")
        self.assertEqual(done.code, CRITICAL)
        self.assertIn("1,000 of 1,000 files are in the way", done.text)
        self.assertIn("(and 999 more)", done.text)
        self.assertIn("  why: and 950 more", done.more)
        self.assertIn("  file: and 950 more", done.more)


NASTY = "a|b\nc\r\t<b>'x'=1;2 | 'y'=3\x1b[31m\u202e\x00"


class Hostile(PluginTest):
    def test_names(self):
        nasty = NASTY.replace("\x00", "")
        said = answer("blocked", [file("/srv/" + nasty, nasty,
                                       [use(nasty, how=(nasty,), unit=nasty, user=nasty)])],
                      [nasty, nasty], [nasty], [{"what": nasty, "why": nasty,
                                                 "remedy": nasty}],
                      product=nasty, title=nasty)
        said["counts"]["blocked"] = 1
        said["proof"]["tier"] = nasty
        hello = dict(fake.HELLO, version=nasty)
        with FakeDaemon({"check": fresh(said), "hello": hello}) as daemon:
            done = self.well_formed(plugin("-s", daemon.path, "-vvv"))
        self.assertEqual(done.code, CRITICAL)
        self.assertEqual(len(done.values), 2)
        self.assertIn("\\x7c", done.text)
        done = self.ask(Error(-32000, nasty, nasty))
        self.assertEqual(done.code, UNKNOWN)

    def test_long_texts_leave_room_for_the_values(self):
        for piece in "é", "x", "|", "\x01":
            done = self.ask(fresh(fake.BLOCKED, reasons=fake.notes([piece * 5000]), title=piece * 3000))
            self.assertEqual(done.code, CRITICAL)
            self.assertEqual(len(done.values), 2)

    def test_every_type_wrong(self):
        wrongs = [None, True, 7, 1e300, "x", [], {}, [None], [[]], {"a": 1}, -1]
        for key in fake.BUSY:
            for wrong in wrongs:
                self.ask({**fresh(fake.BUSY), key: wrong}, "-vvv")
        for key in fake.BUSY["files"][0]:
            for wrong in wrongs:
                self.ask(fresh(fake.BUSY, files=[{**fake.BUSY["files"][0], key: wrong}]),
                         "-vvv")

    def test_what_is_no_answer(self):
        for raw in (b"garbage\n", b"\n", b"{}\n", b"[]\n", b"null\n", b'{"id": 2}\n',
                    b"\xff\xfe\n", b'{"jsonrpc": "2.0", "id": 99, "result": {}}\n',
                    b"[" * 5000 + b"\n", b'{"a": "\\ud800"}\n', b"\0\n"):
            for method in "hello", "check":
                with self.subTest(raw[:40], method=method):
                    with FakeDaemon({method: Act(raw, close=True)}) as daemon:
                        done = self.well_formed(plugin("-s", daemon.path))
                    self.assertEqual(done.code, UNKNOWN)

    def test_a_flood_of_notifications(self):
        flood = (("event", {"n": n}) for n in range(100000))
        done = self.ask(Telling(flood, fresh(fake.SAFE)))
        self.assertEqual(done.code, UNKNOWN)


class Gone(PluginTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="spguard-plugin-")
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "s")

    def test_no_daemon_is_unknown_and_says_what_to_do(self):
        done = self.well_formed(plugin("-s", self.path))
        self.assertEqual(done.code, UNKNOWN)
        self.assertIn(self.path, done.text)
        self.assertIn("systemctl start spguardd", done.text)

    def test_no_daemon_can_be_another_state(self):
        for state, code in (("critical", CRITICAL), ("WARNING", WARNING),
                            ("2", CRITICAL), ("unknown", UNKNOWN)):
            done = self.well_formed(plugin("-s", self.path, "--down-state", state))
            self.assertEqual(done.code, code)
            self.assertIn("no daemon", done.text)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.close()
        done = self.well_formed(plugin("-s", self.path, "--down-state", "critical"))
        self.assertEqual(done.code, CRITICAL)
        self.assertIn("nobody listens", done.text)

    def test_who_hangs_up_is_gone(self):
        for method in "hello", "check":
            with FakeDaemon({method: Act(b'{"jsonrpc"', close=True)}) as daemon:
                done = self.well_formed(
                    plugin("-s", daemon.path, "--down-state=critical"))
            self.assertEqual(done.code, CRITICAL)
            self.assertIn("closed the connection", done.text)

    def test_what_is_no_socket_of_ours_is_unknown(self):
        for path in ("/dev/null", "/" + "x" * 200, "", os.path.dirname(self.path)):
            done = self.well_formed(plugin("-s", path, "--down-state=warning",
                                           "--timeout-state=warning"))
            self.assertEqual(done.code, UNKNOWN, done.out)
        with FakeDaemon({"hello": dict(fake.HELLO, protocol=2)}) as daemon:
            done = self.well_formed(plugin("-s", daemon.path))
        self.assertEqual(done.code, UNKNOWN)
        self.assertIn("too old", done.text)


class Hanging(PluginTest):
    def assert_times_out(self, path):
        done = self.well_formed(plugin("-s", path, "-t", "1"))
        self.assertEqual(done.code, UNKNOWN)
        done = self.well_formed(
            plugin("-s", path, "--timeout=1", "--timeout-state=critical",
                   "--down-state=warning"))
        self.assertEqual(done.code, CRITICAL)
        return done

    def test_no_answer(self):
        for method in "hello", "check":
            with FakeDaemon({method: Act()}) as daemon:
                done = self.assert_times_out(daemon.path)
                self.assertIn("did not answer in time", done.text)

    def test_half_an_answer(self):
        with FakeDaemon({"check": Act(b'{"jsonrpc": "2.0", "id": 2')}) as daemon:
            self.assert_times_out(daemon.path)

    def test_nobody_takes_the_connection(self):
        with tempfile.TemporaryDirectory(prefix="spguard-plugin-") as folder:
            path = os.path.join(folder, "s")
            listener, waiting = socket.socket(socket.AF_UNIX), []
            listener.bind(path)
            listener.listen(0)
            try:
                while True:  # until the backlog is full
                    waiting.append(socket.socket(socket.AF_UNIX))
                    waiting[-1].setblocking(False)
                    waiting[-1].connect(path)
            except BlockingIOError:
                pass
            done = self.assert_times_out(path)
            self.assertIn("does not take connections", done.text)
            for s in [listener, *waiting]:
                s.close()

    def test_nobody_reads_the_output(self):
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        try:
            while True:
                os.write(writer, b"x" * 4096)
        except BlockingIOError:
            pass
        os.set_blocking(writer, True)
        with FakeDaemon({"check": fresh(fake.SAFE)}) as daemon:
            child = subprocess.Popen([PLUGIN, "-s", daemon.path, "-t", "1",
                                      "--timeout-state=warning"], env=ENV, stdout=writer)
            self.assertEqual(child.wait(HANG), WARNING)
        os.close(reader)
        os.close(writer)

    def test_an_output_that_cannot_be_written(self):
        with FakeDaemon({"check": fresh(fake.SAFE)}) as daemon, \
                open("/dev/full", "w", encoding="ascii") as full:
            child = subprocess.run([PLUGIN, "-s", daemon.path], env=ENV, stdout=full,
                                   timeout=HANG)
        self.assertEqual(child.returncode, UNKNOWN)


if __name__ == "__main__":
    unittest.main()
