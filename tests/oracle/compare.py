# SPDX-License-Identifier: MIT
"""What spguard says about each file against what is true.

Exact, but for what a tier cannot know. Each such allowance is named here, and
counted when it is made use of:
  procfs  a file that only setup's own program has is "unknown" while other holders
          cannot be ruled out; a holder without a process shows only where no
          process does; the mode of a lease changes by being asked about; an OFD
          lock's waiter is guessed at; locks of a btrfs file may be those of its
          twin in another subvolume, and so may mappings of a process whose first
          thread has exited, which has no map_files; which files an overlay has
          looked up in a layer; which of a name's versions a probe is in, of which
          only that name is told
  both    who has a lock whose description no process has open; a probe in an old
          version, which matters to nobody; what keeps a file of an overlay while
          something hidden has the real one
Nothing of this may make a file free that is held."""
from collections import Counter
from itertools import permutations

from truth import END

LOCK_WORDS = {"locked", "waiting"}
KEEPER_WORDS = {"probed", "mounted", "layer"}


def named(keeper):
    return keeper.word, frozenset(p.pid for p in keeper.processes()) or frozenset((None,))


class Expectation:
    """All that must, and may, be said about one version."""

    def __init__(self, version, tier, twins=(), loose_keepers=()):
        self.version, self.exact = version, tier == "bpf"
        self.path, self.replaced = version.path, not version.current
        uses, locks, hidden = version.uses(), version.locks(), version.hidden()
        self.uses = {p.pid: set(how) for p, how in uses.items()}
        self.setup = {p.pid for p in uses if p.setup}
        self.blockers = self.uses.keys() - self.setup
        self.hidden, self.shared = bool(hidden), version.shared()
        self.carriers = {t.process.pid for c in hidden for t in c.tables}
        self.held = version.held()
        # (word, pids: one of them is named); None: nobody is.
        self.keepers, self.may_keep = [], [named(k) for k in loose_keepers]
        # What is hidden and of the layer's file counts like one of the overlay's own.
        below = version.real and any(not o.tables and not o.maps for o in version.real.ofds)
        for keeper in version.keepers:
            sure = (version.current or keeper.shows) and not below
            (self.keepers if sure else self.may_keep).append(named(keeper))
        self.any_mode = not self.exact or version.breaking
        self.must, self.once, self.may = set(), set(), set()
        self.noise = set()
        for lock in locks:
            self.add(lock)
        self.mappers = set()
        # Of a file that nobody has open the kernel says so: it has no locks.
        if not self.exact and self.held:
            self.noise = {self.what(lock) for twin in twins for lock in twin.locks()}
            self.mappers = {p.pid for twin in twins for p, how in twin.uses().items()
                            if p.kind == "leader" and "mapped" in how}
        self.ofd_waiters = {p.pid for lock in locks for p in lock.holders
                            if lock.kind == "ofd" and lock.state == "waiting"}

    def what(self, lock):
        mode = "*" if lock.kind == "lease" and self.any_mode else lock.mode
        return lock.kind, mode, lock.start, lock.end, lock.state

    def add(self, lock):
        what = self.what(lock)
        if lock.soft or (lock.kind == "ofd" and lock.state == "waiting" and not self.exact):
            self.once.add(what)
            self.may.add(what)
        else:
            self.must |= {(*what, p.pid) for p in lock.holders}

    def states(self):
        if self.blockers or self.keepers:
            return {"blocked"}
        if self.hidden:
            # A mapping of an overlay's file shares the real one with what opened it.
            unsure = self.setup and (not self.exact or self.version.area.overlay)
            return {"blocked", "unknown"} if unsure else {"blocked"}
        if self.setup:
            states = {"held-by-setup-stopped"} | (set() if self.exact else {"unknown"})
            # It would be left when setup has stopped its program.
            if self.shared and self.exact:
                states = {"unknown"}
        else:
            states = {"free"}
        return states | ({"blocked"} if self.may or self.noise or self.mappers or
                         self.may_keep else set())


def read_lock(lock, any_mode):
    end = END if lock["end"] is None else lock["end"]
    mode = "*" if lock["kind"] == "lease" and any_mode else lock["mode"]
    return (lock["kind"], mode, lock["start"], end, lock["state"]), lock["pid"]


class Comparer:
    def __init__(self, tier):
        self.tier = tier
        self.unknown, self.allowed, self.n = Counter(), Counter(), Counter()

    # One file

    def uses(self, want, entry):
        uses = [use for use in entry["uses"] if set(use["how"]) - KEEPER_WORDS or
                not use["how"]]
        pids = [use["pid"] for use in uses]
        got = {use["pid"]: use for use in uses}
        if len(pids) != len(set(pids)):
            yield f"a process twice: {pids}"
        for pid in want.uses.keys() - got.keys():
            yield f"MISSING HOLDER: pid {pid} has it {sorted(want.uses[pid])}"
        for pid in got.keys() - want.uses.keys() - {None}:
            if pid in want.mappers and set(got[pid]["how"]) <= {"mapped"} | (
                    LOCK_WORDS if want.noise else set()):
                self.allowed["a twin's mapping"] += 1
            elif not want.hidden or pid not in want.carriers:
                yield f"STALE HOLDER: pid {pid} {got[pid]['how']}"
        nobody = None in got
        named = want.hidden and want.carriers & got.keys() - want.uses.keys()
        if want.hidden and not nobody and not named:
            if want.uses and want.replaced and "overlay" in want.path:
                self.allowed["a hidden holder of an old version on an overlay"] += 1
            elif want.exact or not want.uses:
                yield "MISSING HOLDER: the one that no process shows"
            else:
                self.allowed["a hidden holder behind a visible one"] += 1
        if nobody and not (want.hidden or want.may or want.noise):
            yield "STALE HOLDER: one that no process shows"
        loose = LOCK_WORDS if want.noise else {"locked"} if want.may else set()
        for pid in want.uses.keys() & got.keys():
            slack = loose | ({"waiting"} if pid in want.ofd_waiters and not want.exact
                             else set()) | ({"mapped"} if pid in want.mappers else set())
            if (want.uses[pid] ^ set(got[pid]["how"])) - slack - KEEPER_WORDS:
                yield f"pid {pid} is said to have it {got[pid]['how']}, " \
                      f"has it {sorted(want.uses[pid])}"
            told = got[pid].get("class")
            if told is not None and told != ("setup-stops" if pid in want.setup else "blocker"):
                yield f"pid {pid} is told as {told}"

    def keepers(self, want, entry):
        told = {(word, use["pid"]) for use in entry["uses"]
                for word in KEEPER_WORDS & set(use["how"])}
        for word, pids in want.keepers:
            if not any((word, pid) in told for pid in pids):
                yield f"MISSING KEEPER: {word} by {sorted(pids, key=str)}"
        for word, pid in sorted(told, key=str):
            if any(word == w and pid in pids for w, pids in want.keepers):
                continue
            if any(word == w and pid in pids for w, pids in want.may_keep):
                self.allowed["a keeper that may be one"] += 1
            else:
                yield f"STALE KEEPER: {word} by {pid}"

    def locks(self, want, locks):
        got = [read_lock(lock, want.any_mode) for lock in locks]
        whole = {(*what, pid) for what, pid in got}
        for lock in sorted(want.must - whole, key=str):
            yield f"MISSING LOCK: {lock}"
        kinds = {what for what, _ in got}
        for what in sorted(want.once - kinds, key=str):
            # The merged inode has the lock, and neither path nor process leads there.
            if want.replaced and want.hidden and "overlay" in want.path:
                self.allowed["a lock in flight, of an old version on an overlay"] += 1
            else:
                yield f"MISSING LOCK: {what}"
        for what, pid in got:
            if (*what, pid) in want.must:
                continue
            if what in want.may or (what in want.noise and pid is None):
                self.allowed["whose lock it is"] += 1
            elif what in want.noise:
                self.allowed["a twin's lock"] += 1
            else:
                yield f"STALE LOCK: {what} of pid {pid}"

    def file(self, want, entry):
        """The differences between a version and an entry of an answer."""
        found = [*self.uses(want, entry), *self.keepers(want, entry),
                 *self.locks(want, entry["locks"])]
        state, states = entry["state"], want.states()
        if state == "unknown" and state in states:
            self.unknown["only setup's program shows, others cannot be ruled out"
                         if not want.hidden else "setup's program and something hidden"] += 1
        if state in ("free", "held-by-setup-stopped") and state not in states:
            found.append(f"FALSE SAFE: state {state}, but it is {'/'.join(sorted(states))}")
        elif state not in states:
            found.append(f"state {state}, expected {'/'.join(sorted(states))}")
        return found

    # One product

    def missing(self, wanted):
        return f"{wanted.path}{' (old version)' if wanted.replaced else ''}: " \
               f"not in the answer, used by {sorted(wanted.uses)}" \
               f"{' and by something hidden' if wanted.hidden else ''}: FALSE SAFE"

    def match(self, wanted, entries):
        """Versions and entries of one path: old ones are told apart by their users."""
        if len(wanted) > len(entries):
            found = [[self.missing(want)] for want in wanted]
            best = min(permutations(wanted, len(entries)), key=lambda some: sum(
                len(self.file(w, e)) for w, e in zip(some, entries)))
            return [text for want, texts in zip(wanted, found) if want not in best
                    for text in texts]
        best = None
        for some in permutations(entries, len(wanted)):
            found = [f"{want.path}{' (old version)' if want.replaced else ''}: {text}"
                     for want, entry in zip(wanted, some) for text in self.file(want, entry)]
            for entry in entries:
                if any(entry is one for one in some):
                    continue
                if self.tier == "procfs" and entry["replaced"] and \
                        all(use["how"] == ["layer"] for use in entry["uses"]):
                    self.allowed["an old version that an overlay may have looked up"] += 1
                else:
                    found.append(f"STALE FILE: {entry['path']} replaced={entry['replaced']} "
                                 f"{entry['state']} {entry['uses']}")
            if best is None or len(found) < len(best):
                best = found
            if not found:
                break
        return best or []

    def product(self, wanted, answer):
        """@wanted: the expectations of the product's files."""
        groups = {}
        for want in wanted:
            groups.setdefault((want.path, want.replaced), ([], []))[0].append(want)
        for entry in answer["files"]:
            groups.setdefault((entry["path"], entry["replaced"]), ([], []))[1].append(entry)
        found = []
        for key in sorted(groups):
            found += self.match(*groups[key])
        states = Counter(entry["state"] for entry in answer["files"])
        found += self.verdict(answer, states)
        if not answer["files"] and wanted:
            found.append(f"no files at all: {answer['verdict']}, {answer['reasons']}")
        self.n["files"] += len(wanted)
        self.n["held"] += sum(want.held for want in wanted)
        for state, n in states.items():
            self.n[state] += n
        return found

    def verdict(self, answer, states):
        """It follows from the states, which are compared one by one. Of a product that
        has no file left nobody knows whether it is the right directory."""
        want = ("blocked" if states["blocked"] else
                "unknown" if states["unknown"] or not states else "safe")
        self.n[f"verdict {answer['verdict']}"] += 1
        if answer["verdict"] != want:
            word = "FALSE SAFE: " if answer["verdict"] in ("safe", "attention") else ""
            yield f"{word}verdict {answer['verdict']}, expected {want}: {answer['reasons']}"

    def selection(self, wanted, answer):
        """The answer to a question about some current files only."""
        states = [want.states() for want in wanted]
        verdict = answer["verdict"]
        self.n[f"selection {verdict}"] += 1
        free = {"free", "held-by-setup-stopped"}
        if verdict == "safe" and any(not s & free for s in states):
            yield f"FALSE SAFE: of {[want.path for want in wanted]}"
        if verdict == "blocked" and not any("blocked" in s for s in states):
            yield f"blocked, but nobody has any of {[want.path for want in wanted]}"
        if not states and verdict != "unknown":
            yield f"{verdict}, of no file at all"
        if verdict == "unknown" and states and not any("unknown" in s for s in states):
            yield f"unknown without need: {answer['reasons']}"

