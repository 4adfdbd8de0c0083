# SPDX-License-Identifier: MIT
"""One change at a time, to the model and to the machine, so that both agree.

A change is first made in the model. What the kernel does by itself in consequence
(a waiting thread gets its lock) is foreseen; where that would be a race between
two threads, all but one give up first. Then the orders are given, and their
answers have to be those that the model foresaw."""
import random
import time
from collections import Counter

from actors import Stage, Surprise
from truth import LockLog, Process, Waiter


class Scene:
    def __init__(self, world, seed, n_actors, verbose=False):
        self.world, self.rng, self.n_actors = world, random.Random(seed), n_actors
        self.verbose = verbose
        self.stage = Stage(world.actor)
        self.processes, self.waiters = {}, {}
        self.n_processes = self.n_waiters = self.n_states = 0
        self.kinds = Counter()
        self.told, self.log = [], LockLog()  # told: (time, order)
        self.n_kept = 0
        self.pending = []  # moves that are owed before anything else
        self.lacks = {}

    def close(self):
        self.stage.close()

    # What there is

    @property
    def versions(self):
        return self.world.versions

    def current(self):
        return [v for v in self.versions if v.current]

    def pick(self, candidates):
        return self.rng.choice(candidates) if candidates else None

    def some_process(self, *kinds, without=()):
        return self.pick([p for p in self.processes.values()
                          if (not kinds or p.kind in kinds) and p.kind not in without])

    def route(self, process, path):
        """The name by which @process reaches @path."""
        if process.kind == "chroot":
            return path[len(self.world.scratch):]
        if process.kind == "mounts":
            return self.world.elsewhere + path[len(self.world.scratch):]
        return path

    def count(self, kind, n=1):
        """@n conditions have been put in place."""
        self.n_states += n
        self.kinds[kind] += n

    # Doing

    def tell(self, text):
        self.told.append((time.time_ns(), text))
        if self.verbose:
            print(f"# {text}", flush=True)

    def order(self, process, text, expect="ok", table=None):
        """Give an order; @expect: "ok", or the number of an error."""
        if table is not None and table.thread is not None:
            text = f"in {table.thread} {text}"
        self.tell(f"{process.name}: {text}" + ("" if expect == "ok" else f" (error {expect})"))
        word, rest = self.stage.ask(process.name, text)
        got = "ok" if word == "ok" else int(rest.split()[0])
        if got != expect:
            raise Surprise(f"{process} answered {word} {rest} to '{text}', expected {expect}")
        return rest

    def keys(self):
        return self.log.keys([v for v in self.versions if v.held() and not v.foreign])

    def change(self, model, *orders):
        """@model changes the model; @orders are called to make it so."""
        before = {w: w.conflicts() for w in self.waiters}
        model()
        quit_, granted = self.foresee(before)
        begun = time.time_ns()
        for waiter in quit_:
            self.order(waiter.process, f"endwait {waiter.number} cancel")
        for order in orders:
            order()
        for waiter in granted:
            self.stage.granted(waiter.process.name, waiter.number)
            self.order(waiter.process, f"endwait {waiter.number} granted")
        if any(waiter not in self.waiters for waiter in before):
            self.await_waiters()
        self.log.update(self.keys(), (begun, time.time_ns()))

    def await_waiters(self):
        """Who waits behind somebody that waits no more is woken, to wait again."""
        for process in dict.fromkeys(waiter.process for waiter in self.waiters):
            self.stage.await_asleep(process.name, len(process.waiters))

    def foresee(self, before):
        """Whom the kernel lets go on, and who has to give up before that."""
        quit_, granted, busy = [], [], set()
        for waiter, conflicts in before.items():
            if waiter.process.waiters.get(waiter) is None:
                self.waiters.pop(waiter)
                continue
            now = waiter.conflicts()
            place = (waiter.space, waiter.kind == "flock")
            if not now and place not in busy:
                busy.add(place)
                granted.append(waiter)
            elif not now or any(conflict not in now for conflict in conflicts):
                # Woken to find the way blocked again: for a moment it does not wait.
                quit_.append(waiter)
        for waiter in self.waiters:
            if (waiter.space, waiter.kind == "flock") in busy and waiter not in granted and \
                    waiter not in quit_:
                quit_.append(waiter)
        for waiter in quit_ + granted:
            del self.waiters[waiter]
            del waiter.process.waiters[waiter]
        for waiter in quit_:
            waiter.space.waiters.pop(waiter)
        for waiter in granted:
            waiter.grant()
        return quit_, granted

    # Processes

    KINDS = ("plain", "plain", "leader", "chroot", "mounts", "pids", "users", "setup")

    def start(self, kind=None):
        kind = kind or self.pick([k for k in self.KINDS if k not in self.lacks])
        self.n_processes += 1
        name = f"{kind}{self.n_processes}"
        process = Process(name, "plain" if kind == "setup" else kind, kind == "setup")
        where = {"chroot": [self.world.scratch],
                 "mounts": [self.world.scratch, self.world.elsewhere]}.get(kind, [])
        self.tell(f"start {name}")
        process.pid = self.stage.start(name, process.kind, *where,
                                       program=self.world.setup_program if process.setup
                                       else None)
        self.processes[name] = process
        return process

    def fork(self, process):
        self.n_processes += 1
        name = f"child{self.n_processes}"
        made = []

        def order():
            self.order(process, f"fork {name}")
            made[0].pid = self.stage.meet(name)

        self.change(lambda: made.append(process.fork(name)), order)
        self.processes[name] = made[0]
        return made[0]

    def empty_rings(self, process, spare=()):
        """A ring that just goes gives back its files later, from a kernel thread."""
        for slot, carrier in process.table.of(self.carrier_type):
            if carrier.kind == "ring" and carrier.ofd and carrier not in spare:
                self.change(carrier.end, lambda slot=slot: self.order(process, f"empty {slot}"))

    def stop_own_waits(self, process):
        """Threads die one after the other: who waits for what another of them has
        may get it on the way, and leave it to whoever shares the description."""
        for waiter in list(process.waiters):
            if any(owner in process.threads.values() or owner is process.table
                   or any(t.process is process for t in getattr(owner, "tables", ())) for owner, _ in waiter.conflicts()):
                self.cancel(waiter)

    def cancel(self, waiter):
        self.change(lambda: waiter.process.stop_waiting(waiter),
                    lambda: self.order(waiter.process, f"endwait {waiter.number} cancel"))

    def end(self, process, how):
        """@how: kill, leave"""
        self.empty_rings(process)
        self.stop_own_waits(process)

        def order():
            self.tell(f"{how} {process.name}")
            getattr(self.stage, how)(process.name)

        del self.processes[process.name]
        self.change(process.end, order)

    def wait(self, process, kind, slot, mode, start, end):
        """A thread of @process waits for a lock that somebody else has."""
        ofd = process.table.slots[slot]
        self.n_waiters += 1
        waiter = Waiter(self.n_waiters, process, kind, ofd, mode, start, end)

        def model():
            if kind == "flock":
                ofd.flock = None  # asking for another one gives up the first
            process.waiters[waiter] = True
            ofd.space.waiters[waiter] = True

        def order():
            length = 0 if end == (1 << 63) - 1 else end - start + 1
            self.order(process, f"wait {waiter.number} {kind} {slot} {mode[0]} {start} {length}")
            self.stage.await_asleep(process.name, len(process.waiters))

        self.change(model, order)
        self.waiters[waiter] = True
