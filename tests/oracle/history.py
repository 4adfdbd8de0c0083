# SPDX-License-Identifier: MIT
"""The database against what was true: as of each moment at which everything stood
still, and, where locks have events, for each lock however brief."""
import bisect
import sqlite3
from collections import defaultdict

from compare import LOCK_WORDS
from truth import END

# Clocks are converted: kernel events are dated by the clock since boot.
SLACK_NS = 40_000_000
# What is closed last by a death is let go of by the kernel when it finds the time; also
# when the one that has it last is the daemon, which just counts everybody's files.
LATE_NS = 250_000_000
# That a lease is over no event tells: a look does, four times a second. Nor is every
# event told of an old version on an overlay, whose merged inode has no name.
LEASE_SLACK_NS = 400_000_000


class Snapshot:
    def __init__(self, at, step, wanted):
        self.at, self.step = at, step
        self.uses, self.must, self.may = defaultdict(int), set(), set()
        self.shared = {}  # a lock of several processes: by whom one of them
        self.mappers = set()
        for want in wanted:
            for pid, how in want.uses.items():
                self.uses[want.path, pid, frozenset(how - LOCK_WORDS)] += 1
            self.must |= {(want.path, *lock) for lock in want.must}
            if want.exact:
                self.share(want)
            self.may |= {(want.path, *what) for what in want.may | want.noise}
            self.mappers |= {(want.path, pid) for pid in want.mappers}


    def share(self, want):
        """Who inherited or took the description of a lock makes no event: one of
        those who have it is enough."""
        holders = defaultdict(set)
        for lock in want.must:
            if lock[0] != "posix" and lock[4] == "held":
                holders[want.path, *lock[:-1]].add(lock[-1])
        for what, pids in holders.items():
            if len(pids) > 1:
                self.shared.setdefault(what, set()).update(pids)
                self.must -= {(*what, pid) for pid in pids}


class History:
    def __init__(self, path, tier):
        self.path, self.tier = path, tier
        self.snapshots, self.n_compared, self.n_brief = [], 0, 0

    def add(self, at, step, wanted):
        self.snapshots.append(Snapshot(at, step, wanted))

    def read(self):
        database = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        try:
            uses = database.execute("SELECT path, pid, how, since_ns, until_ns"
                                    " FROM file_uses").fetchall()
            locks = database.execute("SELECT path, pid, kind, mode, start, end, state,"
                                     " since_ns, until_ns FROM file_locks").fetchall()
        finally:
            database.close()
        return uses, locks

    def moments(self, since, until):
        """Which snapshots an interval covers."""
        first = bisect.bisect_left(self.times, since)
        last = len(self.times) if until is None else bisect.bisect_left(self.times, until)
        return range(max(first, self.first), last)

    def compare(self, log, whole=False):
        """The differences, for the snapshots since the last call or for all."""
        uses, locks = self.read()
        self.times = [snapshot.at for snapshot in self.snapshots]
        self.first = 0 if whole else self.n_compared
        told = [(defaultdict(int), set(), set()) for _ in self.snapshots]
        self.rows = defaultdict(list)
        self.lock_rows = defaultdict(list)
        for path, pid, how, since, until in uses:
            self.rows[path, pid].append((how, since, until))
            key = path, pid, frozenset(how.split(",")) - LOCK_WORDS
            for i in self.moments(since, until):
                told[i][0][key] += 1
        for path, pid, kind, mode, start, end, state, since, until in locks:
            end = END if end is None else end
            slack = LEASE_SLACK_NS if kind == "lease" or "overlay" in path else LATE_NS
            self.lock_rows[path, kind, mode, start, end, state, pid].append((since, until))
            for i in self.moments(since, until):
                newest = kind == "lease" and i == len(self.snapshots) - 1
                told[i][1].add((path, kind, mode, start, end, state, pid))
                if not newest and (until is None or until - self.times[i] > slack):
                    told[i][2].add((path, kind, mode, start, end, state, pid))
        found = []
        for i in range(self.first, len(self.snapshots)):
            found += self.moment(self.snapshots[i], *told[i])
        self.n_compared = len(self.snapshots)
        if self.tier == "bpf":
            found += self.brief(log, locks)
        return found

    def moment(self, want, uses, locks, lasting):
        at = f"history as of step {want.step}: "
        for key in sorted(want.uses.keys() | uses.keys(), key=str):
            if want.uses.get(key, 0) != uses.get(key, 0) and key[:2] not in want.mappers:
                yield f"{at}use {key[0]} pid {key[1]} {sorted(key[2])}: " \
                      f"{uses.get(key, 0)} intervals, {want.uses.get(key, 0)} true at " \
                      f"{want.at}; told: {self.rows[key[:2]]}"
        any_mode = {lock for lock in want.must if lock[2] == "*"}
        loose = {(*lock[:2], "*", *lock[3:]) if lock[1] == "lease" else lock for lock in locks}
        for lock in sorted(want.must - (loose if any_mode else locks) - locks, key=str):
            yield f"{at}MISSING LOCK {lock}"
        for what, pids in sorted(want.shared.items(), key=str):
            if not any((*what, pid) in loose or (*what, pid) in locks for pid in pids):
                yield f"{at}MISSING LOCK {what} of {sorted(pids)}"
        for lock in sorted(lasting, key=str):
            what, starred = lock[:-1], (*lock[:2], "*", *lock[3:])
            if lock in want.must or what in want.may or what in want.shared:
                continue
            if lock[1] == "lease" and (starred in want.must or starred[:-1] in want.may or
                                       starred[:-1] in want.shared):
                continue
            yield f"{at}STALE LOCK {lock} at {want.at}; told: {self.lock_rows[lock]}"

    # Where locks have events

    def brief(self, log, rows):
        """Each lock that was, for each byte: when, by the orders given."""
        true, told = defaultdict(list), defaultdict(list)
        ends = [(entry.key, entry.begun, entry.ended) for entry in log.past]
        ends += [(key, begun, None) for key, begun in log.present.items()]
        for key, begun, ended in ends:
            path, _, kind, mode, start, end, state, pid = key
            if state == "held" and kind != "lease":
                who = pid if kind == "posix" else None
                true[path, kind, mode, who].append(
                    (start, end, begun, ended, (key, begun) in log.fresh))
        for path, pid, kind, mode, start, end, state, since, until in rows:
            if state == "held" and kind != "lease":
                who = pid if kind == "posix" else None
                told[path, kind, mode, who].append(
                    (start, END if end is None else end, since, until))
        found = []
        for key in sorted(true.keys() | told.keys(), key=str):
            found += self.regions(key, true[key], told[key])
        return found

    def regions(self, key, true, told):
        cuts = sorted({r[0] for r in true + told} | {r[1] + 1 for r in true + told})
        for start, after in zip(cuts, cuts[1:]):
            here = [r for r in true if r[0] <= start and r[1] >= start]
            fresh = {r[2] for r in here if r[4]}
            episodes = join_true(set(r[2:4] for r in here))
            spans = join_told([r[2:] for r in told if r[0] <= start and r[1] >= start])
            self.n_brief += len(episodes)
            yield from self.region(f"{key} bytes {start}..{after - 1}", episodes, spans, fresh)

    @staticmethod
    def region(what, episodes, spans, fresh):
        left = list(spans)
        slack = LEASE_SLACK_NS if "overlay" in what else SLACK_NS
        shared = []  # episodes of several owners: which, and how many of them are untold
        # Who may be told late, or not at all, gets what those have left that may not.
        for begun, ended, n_owners in sorted(episodes, key=lambda e: e[0] in fresh):
            chain = next((chain for span in left if is_at(begun, span[0], slack)
                          for chain in [chain_to(ended, span, left, slack)] if chain), None)
            if not chain and begun in fresh:
                # Told from when it was first looked at, or not at all.
                chain = [span for span in left if begun[0] <= span[0] and
                         (ended is None or span[0] <= ended[1] + SLACK_NS)]
            elif not chain:
                yield f"lock {what}: no interval from {begun} to {ended}; there are {left}"
                continue
            left = [span for span in left if span not in chain]
            shared.append([begun, ended, n_owners - len(chain)])
        for span in left:
            # The same: what was handed on may show as two for a moment.
            if "overlay" in what and span[1] is not None and span[1] - span[0] < slack:
                continue
            # One owner's end is as much like the episode's as the last one's, when
            # they are closer together than can be told apart.
            part = next((one for one in shared if one[2] > 0 and
                         is_part(span, one[0], one[1], slack)), None)
            if part:
                part[2] -= 1
                continue
            yield f"lock {what}: interval {span} of a lock that was not"


def is_part(span, begun, ended, slack):
    """True when @span is within the episode."""
    return begun[0] - slack <= span[0] and (
        ended is None or (span[1] is not None and
                          span[1] <= ended[1] + max(slack, LATE_NS)))


def is_at(window, time, slack, late=None):
    """True when @time is within @window (before, after); both None: not yet."""
    if window is None or time is None:
        return window is None and time is None
    return window[0] - slack <= time <= window[1] + (late or slack)


def chain_to(ended, span, spans, slack):
    """@span and those that follow it without a pause, from one holder to the next, up
    to one that ends at @ended; None: there is no such chain."""
    chain = [span]
    while not is_at(ended, chain[-1][1], slack, max(slack, LATE_NS)):
        end = chain[-1][1]
        span = next((s for s in spans if s not in chain and end is not None
                     and 0 <= s[0] - end <= slack), None)
        if not span:
            return None
        chain.append(span)
    return chain


def join_true(episodes):
    """One after the other by the same order, or at the same time: one episode.
    @episodes: (begun, ended), each a window (before, after) or None. Returns
    (begun, ended, how many owners followed one another)."""
    joined = []
    for begun, ended in sorted(episodes, key=lambda e: e[0]):
        if joined and (joined[-1][1] is None or joined[-1][1] >= begun):
            first, last, n = joined[-1]
            joined[-1] = (first, None if last is None or ended is None
                          else max(last, ended), n + (last == begun))
        else:
            joined.append((begun, ended, 1))
    return joined


def join_told(spans):
    joined = []
    for since, until in sorted(spans, key=lambda s: s[0]):
        if joined and (joined[-1][1] is None or joined[-1][1] >= since):
            last = joined[-1][1]
            joined[-1] = (joined[-1][0], None if last is None or until is None
                          else max(last, until))
        else:
            joined.append((since, until))
    return joined
