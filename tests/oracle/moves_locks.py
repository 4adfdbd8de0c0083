# SPDX-License-Identifier: MIT
"""Random moves with locks, leases and waiting for them."""
from truth import END, Ofd

EAGAIN = 11
LETTER = {"read": "r", "write": "w"}


class LockMoves:
    def some_open(self):
        """(table, slot, description), half the time of a file that several meet at."""
        process = self.some_process()
        if not process:
            return None
        if self.rng.random() < 0.5:
            return self.pick([(table, slot, ofd) for p in self.processes.values()
                              for table in p.tables() for slot, ofd in table.of(Ofd)
                              if ofd.space.version.path in self.heat])
        table = self.pick(process.tables())
        found = self.pick(table.of(Ofd))
        return (table, *found) if found else None

    def some_range(self):
        """Small numbers, so that ranges meet: they split, touch and cover."""
        start = self.rng.randrange(0, 40)
        if self.rng.random() < 0.15:
            return start, END
        return start, start + self.rng.randrange(0, 20)

    # flock

    def flock(self, table, slot, ofd, mode):
        conflicts = mode and ofd.flock != mode and ofd.space.flock_conflicts(ofd, mode)

        def model():
            # A conversion that fails has given up what there was.
            ofd.flock = None if conflicts else mode

        self.change(model, lambda: self.order(
            table.process, f"flock {slot} {LETTER.get(mode, 'u')}",
            EAGAIN if conflicts else "ok", table))
        self.count("flock" if mode and not conflicts else "flock ended", not conflicts)

    def may_flock(self, ofd):
        """Who waits for another flock of the same description, and is woken to find the
        way blocked again, gives up what that has by now (fs/locks.c, flock_lock_inode());
        and who waits behind whom, to be woken when he leaves, is the kernel's affair."""
        return not any(w.kind == "flock" and w.ofd is ofd for w in self.waiters)

    def move_flock(self):
        found = self.some_open()
        if not found or not self.may_flock(found[2]):
            return False
        self.flock(*found, self.rng.choice(("read", "read", "write", "write", None)))

    # Byte ranges

    def range(self, table, slot, ofd, kind, mode, start, end):
        owner = table if kind == "posix" else ofd
        conflicts = mode and ofd.space.range_conflicts(owner, start, end, mode)
        length = 0 if end == END else end - start + 1

        def model():
            if not conflicts:
                ofd.space.set_range(owner, start, end, mode)

        self.change(model, lambda: self.order(
            table.process, f"range {slot} {kind} {LETTER.get(mode, 'u')} {start} {length}",
            EAGAIN if conflicts else "ok", table))
        self.count(kind if mode and not conflicts else f"{kind} ended or refused",
                   not conflicts)

    def some_mode(self, ofd):
        return self.rng.choice([mode for mode in ("read", "write") if mode[0] in ofd.mode])

    def move_range(self):
        found = self.some_open()
        if not found:
            return False
        kind = self.rng.choice(("posix", "ofd"))
        mode = self.some_mode(found[2]) if self.rng.random() < 0.75 else None
        self.range(*found, kind, mode, *self.some_range())

    def move_unlock(self):
        """All of what an owner has."""
        found = self.some_open()
        if not found:
            return False
        self.range(*found, self.rng.choice(("posix", "ofd")), None, 0, END)

    def move_brief(self):
        """Locks that are gone before anybody could look."""
        found = self.some_open()
        if not found:
            return False
        start, end = self.some_range()
        kind = self.rng.choice(("posix", "ofd", "flock"))
        if kind == "flock" and not self.may_flock(found[2]):
            return False
        mode = self.some_mode(found[2])
        for _ in range(self.rng.randrange(1, 4)):
            if kind == "flock":
                self.flock(*found, mode)
                self.flock(*found, None)
            else:
                self.range(*found, kind, mode, start, end)
                self.range(*found, kind, None, start, end)

    def move_brief_process(self):
        """A process that is gone before anybody could look."""
        process = self.start("plain")
        slot = self.open_in(process.table)
        if type(slot) is int:
            ofd = process.table.slots[slot]
            self.range(process.table, slot, ofd, "posix", self.some_mode(ofd), 0, END)
        self.end(process, self.rng.choice(("kill", "leave")))

    # Leases

    def lease(self, table, slot, ofd, mode):
        self.change(lambda: setattr(ofd, "lease", mode), lambda: self.order(
            table.process, f"lease {slot} {LETTER.get(mode, 'u')}", table=table))
        if mode:
            self.count("lease")

    def may_lease(self, ofd, mode):
        """The kernel's conditions: a lease is for those who are in nobody's way."""
        version = ofd.space.version
        if version.area.overlay or version.breaking:
            return False
        if mode == "read":
            return not version.writers() and all(o.lease != "write" or o is ofd
                                                 for o in version.leases())
        return version.ofds() == [ofd] and not version.exes

    def move_lease(self):
        process = self.some_process()
        if not process:
            return False
        table = self.pick(process.tables())
        choices = [(slot, ofd, mode) for slot, ofd in table.of(Ofd)
                   for mode in ("read", "write") if ofd.lease != mode and
                   self.may_lease(ofd, mode)]
        choice = self.pick(choices)
        if not choice:
            return False
        self.lease(table, *choice)

    def move_unlease(self):
        choice = self.pick([(table, slot, ofd) for process in self.processes.values()
                            for table in process.tables() for slot, ofd in table.of(Ofd)
                            if ofd.lease])
        if not choice:
            return False
        self.lease(*choice, None)

    def move_break(self):
        """Somebody wants to write: the lease has to go, and goes in the next step."""
        version = self.pick([v for v in self.current() if not v.exes and not v.breaking and
                             v.leases() and all(o.lease == "read" and o.tables
                                                for o in v.leases())])
        process = self.some_process()
        if not version or not process:
            return False
        slot = process.table.free_slot()
        path = self.route(process, version.path)
        self.change(lambda: setattr(version, "breaking", True), lambda: self.order(
            process, f"open {slot} wn {path}", EAGAIN))
        self.count("lease broken")
        self.pending.append(lambda: self.give_way(version))

    def give_way(self, version):
        for ofd in version.leases():
            table = next(iter(ofd.tables))
            slot = next(s for s, what in table.slots.items() if what is ofd)
            self.lease(table, slot, ofd, None)
        version.breaking = False

    # Waiting

    def obstacles(self, table, ofd, kind, mode, start, end):
        if kind == "flock":
            return ofd.flock != mode and ofd.space.flock_conflicts(ofd, mode)
        return ofd.space.range_conflicts(table if kind == "posix" else ofd, start, end, mode)

    def waits(self):
        """Everything that somebody could wait for, with a range drawn for each."""
        # An owner in the way that waits itself may be refused as a deadlock.
        waiting = {w.owner for w in self.waiters}
        for process in self.processes.values():
            for slot, ofd in process.table.of(Ofd) if len(process.waiters) < 3 else ():
                for kind in ("flock", "posix", "ofd"):
                    start, end = (0, END) if kind == "flock" else self.some_range()
                    mode = (self.rng.choice(("read", "write")) if kind == "flock" else
                            self.some_mode(ofd))
                    obstacles = self.obstacles(process.table, ofd, kind, mode, start, end)
                    if obstacles and not any(owner in waiting for owner, _ in obstacles) and \
                            not any(w.ofd is ofd and w.kind == kind for w in self.waiters):
                        yield process, kind, slot, mode, start, end

    def move_wait(self):
        choice = self.pick(list(self.waits())) if len(self.waiters) < 8 else None
        if not choice:
            return False
        self.wait(*choice)
        self.count("waiting")

    def move_cancel(self):
        waiter = self.pick(list(self.waiters))
        if not waiter:
            return False
        self.cancel(waiter)
