#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random states on real files, and a record of the truth to hold spguard against.

  tests/oracle/oracle.py [--seed N] [--states N] [--tier bpf|procfs] [--files N]
                         [--actors N] [--changes N] [--tap] [--verbose]

Each step makes a few random changes: processes come, open, map, execute, lock,
hand on, wait and go; files are replaced and deleted. Then everything stands still,
and what spguard says about every file has to be the truth. From time to time the
database is held against it as well.

A state is one use or lock of one file, put in place. The same seed gives the same
orders. On a difference it prints the seed, the step, the last orders and what
differs, and exits 1. SPGUARD_BUILD names the build directory.
"""
import argparse
import os
import re
import signal
import sys
import time
import unittest
from collections import Counter

from actors import Surprise
from compare import Comparer, Expectation
from doctor import doctor
from history import History
from moves import Moves
from support import FAIL_AFTER, Failure, private_mounts
from truth import Keeper
from world import TierMissing, World

import checks

WEIGHTS = {"start": 8, "fork": 6, "kill": 5, "exec": 6, "thread": 5, "join": 2, "open": 22,
           "path": 3, "dup": 5, "close": 9, "take": 4, "map": 12, "unmap": 5, "dlopen": 6,
           "dlclose": 3, "send": 5, "receive": 2, "ring": 4, "loop": 3, "drop": 6,
           "replace": 3, "unlink": 2, "away": 2, "create": 5, "touch": 2, "clear": 1, "link": 3,
           "flock": 10, "range": 24, "unlock": 4, "brief": 6, "brief_process": 2, "lease": 6,
           "unlease": 2, "break": 1, "wait": 12, "cancel": 3, "probe": 5, "event": 2,
           "bind": 8, "merge": 2, "unkeep": 5}
ENDING = ("kill", "join", "close", "unmap", "dlclose", "drop", "unlock", "unlease", "cancel",
          "unkeep")
HISTORY_EVERY = 25  # steps
AROUND_NS = 50_000_000
CROWD = 130         # more descriptors and mappings than that are given back


class Difference(Exception):
    pass


class Oracle(Moves):
    def __init__(self, world, arguments):
        super().__init__(world, arguments.seed, arguments.actors, arguments.verbose)
        self.arguments = arguments
        self.n_places = len(self.current())
        self.n_steps = self.n_barriers = 0
        self.comparer = Comparer(arguments.tier)
        self.doctored = Counter()
        self.heat, self.known = [], []
        self.n_ended = Keeper.n_ended

    # Which changes

    def hot(self):
        """Files that several meet at."""
        found = [v for v in self.current() if v.path in self.heat]
        return found if found and self.rng.random() < 0.7 else self.current()

    def crowd(self):
        return sum(len(t.slots) for p in self.processes.values() for t in p.tables()) + \
            sum(len(p.maps) + len(p.libraries) for p in self.processes.values())

    def find_lacks(self):
        """What this machine refuses, so that nobody tries it in the middle."""
        scratch = os.path.join(self.world.scratch, "probe")
        with open(scratch, "wb") as f:
            f.write(b"x" * 65536)
        process = self.start("plain")
        self.order(process, f"open 0 rw {scratch}")
        for kind in ("ring", "loop"):
            word, rest = self.stage.ask(process.name, f"{kind} 1 0")
            if word == "ok":
                self.order(process, "close 1")
            else:
                self.lacks[kind] = rest
        self.order(process, "close 0")
        self.find_probe_lacks(process)
        for kind in ("users", "pids", "mounts"):
            try:
                self.end(self.start(kind), "kill")
            except Failure as error:
                self.lacks[kind] = str(error)

    def make_changes(self):
        for owed in self.pending:
            owed()
        self.pending.clear()
        if self.n_steps % 10 == 0:
            self.heat = [v.path for v in self.rng.sample(self.current(), 5)]
        names = list(WEIGHTS)
        for _ in range(self.rng.randint(1, self.arguments.changes)):
            full = self.crowd() > CROWD
            for _ in range(30):
                name = (self.rng.choice(ENDING) if full else
                        self.rng.choices(names, list(WEIGHTS.values()))[0])
                if getattr(self, "move_" + name)() is not False:
                    break
            if self.pending:
                return

    # Held against the truth

    def expectations(self, areas=None):
        return [Expectation(v, self.arguments.tier, self.world.twins(v),
                            () if self.arguments.tier == "bpf" else self.loose_keepers(v))
                for v in self.versions if (v.current or ((v.held() or v.shown()) and
                                                         not v.foreign)) and
                (areas is None or v.area.product == areas)]

    def fail(self, differences):
        if self.arguments.known:
            new = [text for text in differences if not re.search(self.arguments.known, text)]
            self.known += [f"step {self.n_steps}: {text}" for text in differences
                           if text not in new]
            differences = new
        if differences:
            raise Difference("\n".join([*differences, *self.who(differences)]))

    def who(self, differences):
        """The processes that the differences name, and all that they have."""
        numbers = set(re.findall(r"\bpid (\d+)|(\d+)[],)]", " ".join(differences)))
        numbers = {int(n) for pair in numbers for n in pair if n}
        for process in self.processes.values():
            if process.pid in numbers:
                yield f"{process}: " + ("; ".join(
                    f"{sorted(how)} {v.path}{'' if v.current else ' (old version)'}"
                    for v in self.versions
                    for p, how in [*v.uses().items(),
                                   *((p, {k.word}) for k in v.keepers for p in k.processes())]
                    if p is process) or "nothing")

    def orders_around(self, differences):
        """What was ordered at the moments, in ns, that the differences tell of."""
        moments = [int(n) for n in re.findall(r"\b1\d{18}\b", differences)]
        for at, text in self.told:
            near = min(moments, key=lambda moment: abs(moment - at), default=0)
            if abs(near - at) < AROUND_NS:
                yield f"{at}: {text}"

    def check(self, **params):
        """The answers, one for each product, when no install is running. What an
        install has left is not what is asked here: with attention nobody holds anything,
        as with safe."""
        connection = self.world.connection
        answer = connection.call("check", **params)
        while any(reason["kind"] == "installing" for reason in answer["reasons"]):
            connection.call("installs", wait=FAIL_AFTER, limit=1)
            answer = connection.call("check", **params)
        parts = checks.split(answer)
        for part in parts:
            if part["verdict"] == "attention":
                part["verdict"] = "safe"
        return parts

    def answers(self):
        """(expectations, answer, differences) for each product. What keeps a file ends when
        the kernel finds the time: until then it may be told."""
        fading = Keeper.n_ended != self.n_ended
        self.n_ended = Keeper.n_ended
        deadline = time.monotonic() + FAIL_AFTER
        while True:
            found = []
            for part in self.check(all=True):
                expected = self.expectations(part["product"])
                found.append((expected, part, self.comparer.product(expected, part)))
            texts = [text for _, _, differences in found for text in differences]
            if not texts or not fading or time.monotonic() > deadline or \
                    any("MISSING" in text or "FALSE SAFE" in text for text in texts):
                return found

    def ask_again(self, expected, part):
        """Did it take the daemon time, or does it not know at all?"""
        again, = (other for other in self.check(all=True)
                  if other["product"] == part["product"])
        differences = self.comparer.product(expected, again)
        yield f"{part['product']} as asked again: {differences or 'as expected'}; " \
              f"proofs: {part['proof']}, {again['proof']}"

    def barrier(self):
        self.n_barriers += 1
        wanted = []
        for expected, part, differences in self.answers():
            wanted += expected
            if differences:
                self.fail([*differences, *self.ask_again(expected, part)])
            else:
                self.self_check(expected, part)
        for want in wanted:
            want.version.area.n_looked += 1
            want.version.area.n_held += want.held
        self.history.add(time.time_ns(), self.n_steps, wanted)
        for version in self.versions:
            version.followed = version.followed and version.away and (
                version.held() or version.shown())
        self.log.seen |= {v.serial for v in self.versions if not v.foreign}
        self.ask_about_some()
        if self.n_steps % 7 == 0:
            self.compare_locks(wanted)
        if self.n_steps % HISTORY_EVERY == 0:
            self.compare_history()

    def self_check(self, expected, part):
        """Would a wrong answer be noticed? One doctored answer of each kind."""
        for kind in doctor.KINDS:
            if self.doctored[kind] < 20:
                wrong = doctor(kind, expected, part)
                if wrong is None:
                    continue
                if not Comparer(self.arguments.tier).product(expected, wrong):
                    self.fail([f"the oracle does not notice: {kind}"])
                self.doctored[kind] += 1

    def ask_about_some(self):
        """Some files by name, as the payload of a service pack names them."""
        product = self.pick(self.world.products).name
        files = [v for v in self.current() if v.area.product == product]
        some = self.rng.sample(files, min(len(files), self.rng.randint(1, 3)))
        some_free = [v for v in files if not v.held()]
        if some_free and self.rng.random() < 0.5:
            some = self.rng.sample(some_free, min(len(some_free), 2))
        paths = {v.path for v in some}
        answer, = self.check(product=product, names=sorted(paths))
        wanted = [w for w in self.expectations(product) if w.path in paths]
        differences = list(self.comparer.selection(wanted, answer))
        if differences:
            self.fail(differences)

    def compare_locks(self, wanted):
        answer = self.world.connection.call("locks")
        by_path = {}
        for lock in answer["locks"]:
            by_path.setdefault(lock["path"], []).append(lock)
        differences = []
        for path in sorted({w.path for w in wanted} | by_path.keys()):
            versions = [w for w in wanted if w.path == path]
            if len(versions) == 1:
                differences += [f"locks: {path}: {text}" for text in
                                self.comparer.locks(versions[0], by_path.get(path, []))]
        if differences:
            self.fail(differences)

    def compare_history(self, whole=False):
        if self.arguments.without_history:
            return
        self.world.connection.call("flush")
        differences = self.history.compare(self.log, whole)
        if differences:
            self.fail(differences)

    # The run

    def run(self):
        self.find_lacks()
        self.world.watch()
        self.history = History(self.world.watcher.database, self.arguments.tier)
        self.barrier()
        while self.n_states < self.arguments.states:
            self.n_steps += 1
            if self.verbose:
                print(f"# step {self.n_steps}", flush=True)
            self.make_changes()
            self.barrier()
        for process in list(self.processes.values()):
            self.end(process, "kill")
        self.n_steps += 1
        self.barrier()
        if self.crowd() or any(v.held() for v in self.versions):
            self.fail(["the model is not empty at the end"])
        self.compare_history(whole=True)


class Report:
    def __init__(self, tap):
        self.tap, self.number, self.failed = tap, 0, False

    def line(self, ok, text, skip=None):
        self.number += 1
        self.failed |= not ok
        if self.tap:
            text = text.replace("#", "").replace("\n", " ")
            print(f"{'ok' if ok else 'not ok'} {self.number} - {text}"
                  f"{f' # SKIP {skip}' if skip else ''}", flush=True)
        else:
            print(f"{'ok' if ok else 'FAILED'}: {text}{f' (skipped: {skip})' if skip else ''}")

    def note(self, text):
        for line in text.splitlines():
            print(f"# {line}", flush=True)

    def end(self):
        if self.tap:
            print(f"1..{self.number}")
        return 0 if self.tap or not self.failed else 1


# What has to have been there in a run worth its name: kind, least share of states.
NEEDED = ("open", "write", "o-path", "dup", "fork", "exec", "mapped", "dlopen", "take",
          "socket", "ring", "loop", "flock", "posix", "ofd", "lease", "waiting", "replaced",
          "link moved", "probed", "event", "mounted", "layer")


def tell_results(report, oracle, seed):
    n, kinds = oracle.comparer.n, oracle.kinds
    for area in oracle.world.areas:
        report.line(area.n_looked > 0 and area.n_held > 0,
                    f"{area.name}: {area.n_looked} files compared, {area.n_held} of them in use")
    for name, reason in oracle.world.skipped.items():
        report.line(True, name, reason)
    for kind in NEEDED:
        lack = oracle.lacks.get(kind)
        report.line(bool(lack) or kinds[kind] > 0, f"{kind}: {kinds[kind]} states", lack)
    for verdict in ("safe", "blocked"):
        count = n[f"verdict {verdict}"] + n[f"selection {verdict}"]
        report.line(count > 0, f"verdict {verdict}: {count} times")
    for kind in doctor.KINDS:
        report.line(oracle.doctored[kind] > 0,
                    f"notices a wrong answer: {kind}, {oracle.doctored[kind]} times")
    history = oracle.history
    report.line(len(history.snapshots) > 1,
                f"history: {len(history.snapshots)} moments compared, {history.n_brief} "
                "lock intervals")
    report.note(f"kinds: {dict(sorted(kinds.items()))}")
    report.note(f"answers: {dict(sorted(n.items()))}")
    report.note(f"allowed: {dict(oracle.comparer.allowed)}")
    if oracle.known:
        report.note("\n".join(oracle.known))
        report.line(False, f"{len(oracle.known)} differences are known, and still differences")
    if oracle.lacks:
        report.note(f"refused by this machine: {oracle.lacks}")
    unknown = oracle.comparer.unknown
    report.note(f"{oracle.n_states} states, {oracle.n_barriers} barriers, "
                f"{sum(unknown.values())} unknown ({dict(unknown)}), seed {seed}")


def run(arguments, report):
    private_mounts()
    world, oracle = World(), None
    try:
        world.build(arguments.tier, arguments.files)
        oracle = Oracle(world, arguments)
        oracle.run()
    except (Difference, Surprise, Failure) as error:
        what = "the answers" if isinstance(error, Difference) else "the orders"
        report.line(False, f"{what} are as expected, seed {arguments.seed}")
        if oracle:
            report.note(f"seed {arguments.seed}, step {oracle.n_steps}, "
                        f"after {oracle.n_states} states, tier {arguments.tier}; last orders:")
            report.note("\n".join(text for _, text in oracle.told[-40:]))
            report.note("\n".join(oracle.orders_around(str(error))))
        report.note(f"{type(error).__name__}:\n{error}")
    else:
        report.line(True, f"seed {arguments.seed}: {oracle.n_states} states, "
                          f"{oracle.n_barriers} barriers")
        tell_results(report, oracle, arguments.seed)
    finally:
        if oracle:
            oracle.close()
        world.doCleanups()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--states", type=int, default=1500)
    parser.add_argument("--tier", default=os.environ.get("SPGUARD_TIER") or "procfs",
                        choices=("bpf", "procfs"))
    parser.add_argument("--files", type=int, default=28)
    parser.add_argument("--actors", type=int, default=12)
    parser.add_argument("--changes", type=int, default=8, help="the most in one step")
    parser.add_argument("--without-history", action="store_true",
                        help="leave the database alone")
    parser.add_argument("--known", metavar="REGEX",
                        help="count differences that match, and go on")
    parser.add_argument("--tap", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    report = Report(arguments.tap)
    try:
        run(arguments, report)
    except (unittest.SkipTest, TierMissing) as reason:
        report.line(True, f"tier {arguments.tier}", str(reason))
        if not arguments.tap:
            return 77
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
