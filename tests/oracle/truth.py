# SPDX-License-Identifier: MIT
"""What is true: a small model of the kernel's files, descriptor tables, mappings
and locks, which knows nothing of spguard. Everything is kept in the order in
which it came about, so that the same commands give the same model.

  Version   one inode that lies, or lay, at a product's path
  Space     where its locks are: an overlay's file and the real one below it have
            one each, everything else has one
  Ofd       an open file description, and what refers to it
  Table     a descriptor table: of a process, or of a thread that has its own
  Carrier   what keeps descriptions without being a process: a socket, a ring, a
            loop device
  Keeper    what keeps a version without any description: a probe in it, a mount of it,
            an overlay that has it in a layer
  Mounts    a mount namespace, and the keepers in it
"""
from collections import namedtuple

END = (1 << 63) - 1

# kind, mode, start, end, state; holders: processes; soft: no descriptor of any
# process refers to it, so that who has it can be found out by luck only.
Lock = namedtuple("Lock", "kind mode start end state holders soft")


class Space:
    def __init__(self, version):
        self.version = version
        self.ofds, self.ranges, self.waiters = {}, {}, {}

    def set_range(self, owner, start, end, mode):
        """POSIX arithmetic: what overlaps gives way, what touches grows together."""
        pieces = []
        for s, e, m in self.ranges.pop(owner, ()):
            if e < start or s > end:
                pieces.append((s, e, m))
                continue
            if s < start:
                pieces.append((s, start - 1, m))
            if e > end:
                pieces.append((end + 1, e, m))
        if mode:
            pieces.append((start, end, mode))
        pieces.sort()
        merged = []
        for piece in pieces:
            if merged and merged[-1][2] == piece[2] and merged[-1][1] + 1 == piece[0]:
                merged[-1] = (merged[-1][0], piece[1], piece[2])
            else:
                merged.append(piece)
        if merged:
            self.ranges[owner] = merged

    def range_conflicts(self, owner, start, end, mode):
        return [(other, piece) for other, pieces in self.ranges.items() if other is not owner
                for piece in pieces if piece[0] <= end and piece[1] >= start and
                "write" in (mode, piece[2])]

    def flock_conflicts(self, ofd, mode):
        return [(other, other.flock) for other in self.ofds
                if other is not ofd and other.flock and "write" in (mode, other.flock)]

    def locks(self):
        for ofd in self.ofds:
            soft = not ofd.tables
            holders = tuple(ofd.processes())
            if ofd.flock:
                yield Lock("flock", ofd.flock, 0, END, "held", holders, soft)
            if ofd.lease:
                yield Lock("lease", ofd.lease, 0, END, "held", holders, soft)
            for s, e, m in self.ranges.get(ofd, ()):
                yield Lock("ofd", m, s, e, "held", holders, soft)
        for owner, pieces in self.ranges.items():
            if isinstance(owner, Table):
                for s, e, m in pieces:
                    yield Lock("posix", m, s, e, "held", (owner.process,), False)
        for w in self.waiters:
            yield Lock(w.kind, w.mode, w.start, w.end, "waiting", (w.process,), False)


class Version:
    def __init__(self, area, path, kind, serial, lower=False):
        self.area, self.path, self.kind, self.serial = area, path, kind, serial
        self.lower = lower  # of an overlay, not copied up yet
        self.copied_up = False
        self.current = True
        self.exes = {}
        self.main = Space(self)
        self.real = Space(self) if area.overlay else None
        self.spaces = [s for s in (self.main, self.real) if s]
        self.breaking = False
        self.keepers = {}
        # By a link that moves between releases: which one has it, and whether it is
        # an old version for spguard, which follows what was in use when the link moved.
        self.home, self.followed = None, False

    @property
    def away(self):
        """It has its place, to which no name of the product leads."""
        return self.home is not None and not self.current

    @property
    def foreign(self):
        """Whoever has it is nobody's business, until the link leads there."""
        return self.away and not self.followed

    def ofds(self):
        return [ofd for space in self.spaces for ofd in space.ofds]

    def uses(self):
        """{process: set of words}"""
        found = {}
        for ofd in self.ofds():
            for table in ofd.tables:
                how = found.setdefault(table.process, set())
                how |= {{"r": "open", "w": "write"}[c] for c in ofd.mode if c in "rw"}
            for process in ofd.maps:
                found.setdefault(process, set()).add("mapped")
        for process in self.exes:
            found.setdefault(process, set()).update(("executing", "mapped"))
        for lock in self.locks():
            if not lock.soft:
                for process in lock.holders:
                    found.setdefault(process, set()).add(
                        "locked" if lock.state == "held" else "waiting")
        return found

    def hidden(self):
        """The carriers of descriptions that no process has."""
        return [c for ofd in self.ofds() if not ofd.tables and not ofd.maps
                for c in ofd.carriers]

    def shared(self):
        """Does something that is no process share a description with one?"""
        return any(ofd.carriers and (ofd.tables or ofd.maps) for ofd in self.ofds())

    def locks(self):
        return [lock for space in self.spaces for lock in space.locks()]

    def held(self):
        return bool(self.exes or any(space.ofds for space in self.spaces))

    def shown(self):
        """Would somebody see it when it was replaced, without having it open?"""
        return any(keeper.shows for keeper in self.keepers)

    def writers(self):
        return any("w" in ofd.mode for ofd in self.ofds())

    def leases(self):
        return [ofd for ofd in self.ofds() if ofd.lease]


class Ofd:
    """@mode: letters of r and w. @backing: what an overlay's mapping holds."""

    def __init__(self, space, mode, backing=False):
        self.space, self.mode, self.backing = space, mode, backing
        self.tables, self.maps, self.carriers = {}, {}, {}
        self.flock = self.lease = None
        space.ofds[self] = True

    def processes(self):
        return dict.fromkeys(table.process for table in self.tables)

    def refer(self, kind, who):
        kind[who] = kind.get(who, 0) + 1

    def drop(self, kind, who):
        kind[who] -= 1
        if not kind[who]:
            del kind[who]
        if not (self.tables or self.maps or self.carriers):
            self.space.ofds.pop(self)
            self.space.ranges.pop(self, None)
            self.flock = self.lease = None


class Path:
    """A descriptor opened with O_PATH, which holds nothing."""


class Carrier:
    """@kind: socket, ring, loop"""

    def __init__(self, kind, ofd, maker):
        self.kind, self.ofd, self.maker = kind, ofd, maker
        self.tables = {}
        if ofd:
            ofd.refer(ofd.carriers, self)

    def end(self):
        if self.ofd:
            self.ofd.drop(self.ofd.carriers, self)
            self.ofd = None


class Keeper:
    """Keeps @versions without having them open. @word: how that is told; @shows: are
    they seen by it when they have been replaced?"""
    n_ended = 0  # ever

    def __init__(self, word, versions):
        self.word, self.shows, self.versions = word, word != "probed", list(versions)
        for version in self.versions:
            version.keepers[self] = True

    def end(self):
        Keeper.n_ended += 1
        for version in self.versions:
            version.keepers.pop(self, None)

    def processes(self):
        """Any of them is named; none: there is none."""
        return ()


class Probe(Keeper):
    """One that a descriptor keeps; or, without any, an event of tracefs, @event. @by_name:
    does nothing but the kernel's own tables say more than what the file was called?"""

    def __init__(self, version, event=None, by_name=False):
        super().__init__("probed", [version])
        self.event, self.by_name, self.tables = event, by_name, {}

    def processes(self):
        return dict.fromkeys(table.process for table in self.tables)


class Mount(Keeper):
    """In the namespace of @maker, at @place. @area: an overlay's layer, of which it may
    show what comes later too."""

    def __init__(self, word, versions, maker, place, area=None):
        super().__init__(word, versions)
        self.maker, self.mounts, self.place, self.area = maker, maker.mounts, place, area
        self.mounts.keepers[self] = True

    def end(self):
        super().end()
        self.mounts.keepers.pop(self, None)

    def processes(self):
        return self.mounts.processes


class Mounts:
    def __init__(self):
        self.processes, self.keepers = {}, {}

    def leave(self, process):
        del self.processes[process]
        if not self.processes:
            for keeper in list(self.keepers):
                keeper.end()


class Table:
    """@thread: its number, None for the table of the process."""

    def __init__(self, process, thread=None):
        self.process, self.thread = process, thread
        self.slots = {}

    def free_slot(self):
        n = 0
        while n in self.slots:
            n += 1
        return n

    def put(self, slot, what):
        self.slots[slot] = what
        if isinstance(what, Ofd):
            what.refer(what.tables, self)
        elif isinstance(what, (Carrier, Probe)):
            what.tables[self] = what.tables.get(self, 0) + 1

    def close(self, slot):
        what = self.slots.pop(slot)
        if isinstance(what, Ofd):
            # Any descriptor of the file takes all POSIX locks along.
            what.space.ranges.pop(self, None)
            what.drop(what.tables, self)
        elif isinstance(what, (Carrier, Probe)):
            what.tables[self] -= 1
            if not what.tables[self]:
                del what.tables[self]
            if not what.tables:
                what.end()

    def close_all(self):
        for slot in list(self.slots):
            self.close(slot)

    def of(self, kind):
        return [(slot, what) for slot, what in self.slots.items() if isinstance(what, kind)]


class Waiter:
    def __init__(self, number, process, kind, ofd, mode, start, end):
        self.number, self.process, self.kind, self.ofd = number, process, kind, ofd
        self.mode, self.start, self.end = mode, start, end

    @property
    def space(self):
        return self.ofd.space

    @property
    def owner(self):
        return self.process.table if self.kind == "posix" else self.ofd

    def conflicts(self):
        if self.kind == "flock":
            return self.space.flock_conflicts(self.ofd, self.mode)
        return self.space.range_conflicts(self.owner, self.start, self.end, self.mode)

    def grant(self):
        self.space.waiters.pop(self)
        if self.kind == "flock":
            self.ofd.flock = self.mode
        else:
            self.space.set_range(self.owner, self.start, self.end, self.mode)


class Process:
    def __init__(self, name, kind, setup=False):
        self.name, self.kind, self.setup = name, kind, setup
        self.pid = 0
        self.table, self.threads = Table(self), {}
        self.maps, self.libraries, self.waiters = {}, {}, {}
        self.exe = None
        self.mounts = None  # its own namespace of them
        if kind == "mounts":
            self.enter(Mounts())

    def __repr__(self):
        return f"{self.name}({self.pid})"

    def enter(self, mounts):
        self.mounts = mounts
        if mounts:
            mounts.processes[self] = True

    def tables(self):
        return [self.table, *self.threads.values()]

    def map(self, number, ofd, where=None):
        """@where: self.maps or self.libraries"""
        (self.maps if where is None else where)[number] = ofd
        ofd.refer(ofd.maps, self)

    def unmap(self, number, where=None):
        ofd = (self.maps if where is None else where).pop(number)
        ofd.drop(ofd.maps, self)

    def unmap_all(self):
        for where in (self.maps, self.libraries):
            for number in list(where):
                self.unmap(number, where)

    def stop_waiting(self, waiter):
        del self.waiters[waiter]
        waiter.space.waiters.pop(waiter, None)

    def execute(self, version):
        if self.exe:
            del self.exe.exes[self]
        self.exe = version
        if version:
            version.exes[self] = True

    def lose_threads(self):
        for waiter in list(self.waiters):
            self.stop_waiting(waiter)
        for table in self.threads.values():
            table.close_all()
        self.threads.clear()

    def end(self):
        self.lose_threads()
        self.table.close_all()
        self.unmap_all()
        self.execute(None)
        if self.mounts:
            self.mounts.leave(self)

    def fork(self, name):
        child = Process(name, "plain", self.setup)
        child.kind = "plain" if self.kind == "leader" else self.kind
        child.enter(self.mounts)
        for slot, what in self.table.slots.items():
            child.table.put(slot, what)
        for number, ofd in self.maps.items():
            child.map(number, ofd)
        for number, ofd in self.libraries.items():
            child.map(number, ofd, child.libraries)
        child.execute(self.exe)
        return child


class LockLog:
    """Each lock's time: between which moments it began, and ended. Locks are
    listed by path, kind, mode, range, state and process."""

    Entry = namedtuple("Entry", "key begun ended")

    def __init__(self):
        self.present, self.past = {}, []
        # Locks of a file's version that no barrier had seen: it may be too new for
        # its locks to be told of.
        self.seen, self.fresh = set(), set()

    @staticmethod
    def keys(versions):
        """Pid 0: nobody's descriptor."""
        return {(v.path, v.serial, lock.kind, lock.mode, lock.start, lock.end, lock.state, pid)
                for v in versions for lock in v.locks()
                for pid in ([p.pid for p in lock.holders] or [0])}

    def update(self, keys, window):
        for key in sorted(self.present.keys() - keys):
            self.past.append(self.Entry(key, self.present.pop(key), window))
        for key in sorted(keys - self.present.keys()):
            self.present[key] = window
            if key[1] not in self.seen:
                self.fresh.add((key, window))
