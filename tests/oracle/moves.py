# SPDX-License-Identifier: MIT
"""What may happen to files: random moves, each legal in the state it meets. A move
returns False when there is nothing it could be done to."""
import os

from moves_keepers import KeeperMoves
from moves_locks import LockMoves
from scene import Scene
from truth import Carrier, Ofd, Path, Table
from world import LinkedArea

ETXTBSY = 26
# Who may do what: the others lack a privilege, or a view.
BY_HANDLE = ("plain", "leader", "chroot", "mounts", "pids")
TAKERS = ("plain", "leader", "mounts", "chroot")


def free_number(of, limit=250):
    return next(n for n in range(limit) if n not in of)


class Moves(KeeperMoves, LockMoves, Scene):
    carrier_type = Carrier

    # Processes

    def move_start(self):
        if len(self.processes) >= self.n_actors:
            return False
        self.start()

    def move_fork(self):
        process = self.some_process(without=("pids",))
        if not process or len(self.processes) >= self.n_actors + 6:
            return False
        child = self.fork(process)
        self.count("fork", len(child.table.of(Ofd)) + len(child.maps) + len(child.libraries) +
                   (child.exe is not None))

    def move_kill(self):
        process = self.some_process()
        if not process or len(self.processes) < 3:
            return False
        self.end(process, self.rng.choice(("kill", "kill", "leave")))

    def move_exec(self):
        version = self.pick([v for v in self.current() if v.kind == "exe" and
                             not v.writers() and not v.leases()])
        process = self.some_process(without=("chroot",))
        if not version or not process:
            return False
        if self.rng.random() < 0.5 and process.kind != "pids" and \
                len(self.processes) < self.n_actors + 6:
            process = self.fork(process)
        keep = self.rng.random() < 0.3
        self.stop_own_waits(process)
        if not keep:
            self.empty_rings(process)

        def model():
            process.lose_threads()
            process.unmap_all()
            if not keep:
                process.table.close_all()
            process.execute(version)

        def order():
            path = self.route(process, version.path)
            self.tell(f"{process.name}: exec {path}")
            self.stage.become(process.name, f"exec {'keep' if keep else 'drop'} {path}")

        self.change(model, order)
        process.kind = "plain" if process.kind == "leader" else process.kind
        process.setup = False
        self.count("exec")

    def move_thread(self):
        process = self.some_process()
        if not process or len(process.threads) >= 2:
            return False
        number = free_number(process.threads)
        self.change(lambda: process.threads.update({number: Table(process, number)}),
                    lambda: self.order(process, f"thread {number}"))
        self.open_in(process.threads[number])

    def move_join(self):
        process = self.pick([p for p in self.processes.values() if p.threads])
        if not process:
            return False
        number, table = self.pick(list(process.threads.items()))

        def model():
            table.close_all()
            del process.threads[number]

        self.change(model, lambda: self.order(process, f"join {number}"))

    # Open files

    def ways(self, process, version):
        """(command, path, space): the names a file is reached by."""
        if version.away:
            yield "open", self.route(process, version.hard), version.main
            return
        yield "open", self.route(process, version.path), version.main
        if process.kind != "chroot":
            yield "open", self.route(process, version.soft), version.main
        if version.hard:
            yield "open", self.route(process, version.hard), version.main
            if process.kind in BY_HANDLE:
                yield ("handle", self.route(process, version.area.place(version.path)),
                       version.main)

    def distant(self):
        """Of the release to which no link leads now, and did not a moment ago: then
        they would be taken for what somebody goes on to use."""
        return [v for v in self.versions if v.foreign and v.area.moved_at < self.n_steps]

    def some_table(self):
        process = self.some_process()
        return self.pick(process.tables()) if process else None

    def open_in(self, table, version=None):
        process = table.process
        version = version or self.pick(
            self.distant() if self.rng.random() < 0.1 else self.hot())
        if not version or any(ofd.lease == "write" for ofd in version.leases()):
            return False
        mode = self.rng.choice(("r", "r", "r", "rw", "w"))
        way, path, space = self.pick(list(self.ways(process, version)))
        real = version.area.overlay and not version.lower and self.world.real_path(version)
        if real and self.rng.random() < 0.2:
            mode, path, space = "r", self.route(process, real), version.real
        if "w" in mode and version.leases():
            mode = "r"
        slot = table.free_slot()
        if "w" in mode and version.exes:
            self.change(lambda: None, lambda: self.order(
                process, f"{way} {slot} {mode} {path}", ETXTBSY, table))
            return True

        def model():
            table.put(slot, Ofd(space, mode))
            if "w" in mode and version.lower:
                version.lower, version.copied_up = False, True

        self.change(model, lambda: self.order(process, f"{way} {slot} {mode} {path}",
                                              table=table))
        self.count("write" if "w" in mode else "open")
        self.count(f"by {way}" if space is version.main else "by overlay's upper", 0)
        return slot

    def move_open(self):
        table = self.some_table()
        return self.open_in(table) if table else False

    def move_path(self):
        table, version = self.some_table(), self.pick(self.current())
        if not table or not version:
            return False
        slot, path = table.free_slot(), self.route(table.process, version.path)
        self.change(lambda: table.put(slot, Path()), lambda: self.order(
            table.process, f"open {slot} p {path}", table=table))
        self.count("o-path")

    def move_dup(self):
        table = self.some_table()
        found = self.pick(table.of(Ofd)) if table else None
        if not found:
            return False
        slot = table.free_slot()
        self.change(lambda: table.put(slot, found[1]), lambda: self.order(
            table.process, f"dup {slot} {found[0]}", table=table))
        self.count("dup")

    def close_slot(self, table, slot):
        what, process = table.slots[slot], table.process
        if any(w.ofd is what for w in process.waiters):
            return False  # the waiting call keeps it
        if isinstance(what, Carrier) and what.kind == "ring" and what.ofd:
            self.change(what.end, lambda: self.order(process, f"empty {slot}"))
        self.change(lambda: table.close(slot),
                    lambda: self.order(process, f"close {slot}", table=table))

    def move_close(self):
        table = self.some_table()
        if not table or not table.slots:
            return False
        return self.close_slot(table, self.pick(list(table.slots)))

    def move_take(self):
        """A copy of another process's descriptor: the kernel makes no event."""
        giver = self.some_process(without=("leader",))
        taker = self.some_process(*TAKERS)
        found = self.pick(giver.table.of(Ofd)) if giver else None
        if not found or not taker or taker is giver:
            return False
        slot = taker.table.free_slot()
        number = self.order(giver, f"number {found[0]}")
        self.change(lambda: taker.table.put(slot, found[1]), lambda: self.order(
            taker, f"take {slot} {giver.pid} {number.strip()}"))
        self.count("take")

    # Mappings

    def map_of(self, ofd):
        """What a mapping keeps: on an overlay, the real file instead."""
        if ofd.space.version.area.overlay and ofd.space is ofd.space.version.main:
            return Ofd(ofd.space, ofd.mode, backing=True)
        return ofd

    def move_map(self):
        table = self.some_table()
        found = self.pick([(slot, ofd) for slot, ofd in table.of(Ofd)
                           if "r" in ofd.mode]) if table else None
        if not found or len(table.process.maps) > 40:
            return False
        slot, ofd = found
        process, number = table.process, free_number(table.process.maps)
        how = self.rng.choice(("shared", "shared", "private", "none") +
                              (("write",) if ofd.mode == "rw" else ()))
        self.change(lambda: process.map(number, self.map_of(ofd)), lambda: self.order(
            process, f"map {number} {how} {slot}", table=table))
        self.count("mapped")
        if self.rng.random() < 0.6:
            self.close_slot(table, slot)

    def move_unmap(self):
        process = self.pick([p for p in self.processes.values() if p.maps])
        if not process:
            return False
        number = self.pick(list(process.maps))
        self.change(lambda: process.unmap(number),
                    lambda: self.order(process, f"unmap {number}"))

    def move_dlopen(self):
        process = self.some_process()
        version = self.pick([v for v in self.current() if v.kind == "lib" and
                             not any(ofd.lease == "write" for ofd in v.leases())])
        # The loader compares names before it looks at files.
        if not process or not version or any(
                ofd.space.version.path == version.path for ofd in process.libraries.values()):
            return False
        number = free_number(process.libraries)

        def model():
            process.map(number, Ofd(version.main, "r", backing=bool(version.area.overlay)),
                        process.libraries)
            # The loader opens the file and closes it.
            version.main.ranges.pop(process.table, None)

        self.change(model, lambda: self.order(
            process, f"dlopen {number} {self.route(process, version.path)}"))
        self.count("dlopen")

    def move_dlclose(self):
        process = self.pick([p for p in self.processes.values() if p.libraries])
        if not process:
            return False
        number = self.pick(list(process.libraries))
        self.change(lambda: process.unmap(number, process.libraries),
                    lambda: self.order(process, f"dlclose {number}"))

    # What holds a file and is no process

    def carry(self, kind, command, processes=(), not_on=()):
        process = self.some_process(*processes)
        found = self.pick([(slot, ofd) for slot, ofd in process.table.of(Ofd)
                           if ofd.space.version.area.filesystem not in not_on and
                           "r" in ofd.mode]) if process else None
        if not found or kind in self.lacks:
            return False
        slot, ofd = found
        new = process.table.free_slot()
        self.change(lambda: process.table.put(new, Carrier(kind, ofd, process)),
                    lambda: self.order(process, f"{command} {new} {slot}"))
        self.count(kind)
        if self.rng.random() < 0.7:
            self.close_slot(process.table, slot)

    def move_send(self):
        return self.carry("socket", "send")

    def move_ring(self):
        return self.carry("ring", "ring")

    def move_loop(self):
        if sum(c.kind == "loop" for p in self.processes.values()
               for _, c in p.table.of(Carrier)) >= 2:
            return False
        return self.carry("loop", "loop", ("plain", "leader", "mounts"),
                          ("overlay", "overlay-mixed"))

    def move_receive(self):
        choice = self.pick([(p, (slot, c)) for p in self.processes.values()
                            for slot, c in p.table.of(Carrier)
                            if c.kind == "socket" and c.ofd])
        if not choice:
            return False
        process, found = choice
        new = process.table.free_slot()

        def model():
            process.table.put(new, found[1].ofd)
            found[1].end()

        self.change(model, lambda: self.order(process, f"receive {new} {found[0]}"))
        self.count("receive")

    def move_drop(self):
        process = self.pick([p for p in self.processes.values() if p.table.of(Carrier)])
        if not process:
            return False
        self.close_slot(process.table, self.pick(process.table.of(Carrier))[0])

    # The files themselves

    def move_replace(self):
        version = self.pick(self.held_first())
        if not version:
            return False
        keep = self.rng.random() < 0.3
        self.tell(f"replace {version.path}")
        self.world.put(version.area, version.path)
        self.world.leave_place(version, keep)
        self.count("replaced", bool(version.held()))

    def held_first(self):
        """Files in use, most of the time: there it matters. Not of a release to which a
        link leads since the last question: nobody has looked there yet, so that one which
        goes is as one that went before the daemon came (README, limits)."""
        current = [v for v in self.current() if not isinstance(v.area, LinkedArea) or
                   v.area.moved_at < self.n_steps]
        held = [v for v in current if v.held()]
        return held if held and self.rng.random() < 0.7 else current

    def may_go(self):
        return self.pick(self.held_first()) if len(self.current()) > 0.7 * self.n_places \
            else None

    def move_unlink(self):
        version = self.may_go()
        if not version:
            return False
        self.tell(f"unlink {version.path}")
        os.unlink(version.area.place(version.path))
        self.world.leave_place(version, self.rng.random() < 0.3)
        self.count("deleted", bool(version.held()))

    def move_away(self):
        """The sidestep: its users go on with it under another name."""
        version = self.may_go()
        if not version:
            return False
        self.tell(f"rename {version.path}")
        place = version.area.place(version.path)
        os.rename(place, f"{place}.old{version.serial}")
        self.world.leave_place(version, self.rng.random() < 0.3)
        if version.lower:
            version.lower, version.copied_up = False, True
        self.count("renamed", bool(version.held()))

    def move_create(self):
        taken = {v.path for v in self.current()}
        vacant = self.pick(sorted({(v.path, v.area.name) for v in self.versions
                                   if v.path not in taken}))
        if not vacant:
            return False
        self.tell(f"create {vacant[0]}")
        area = next(a for a in self.world.areas if a.name == vacant[1])
        self.world.put(area, vacant[0])

    def move_link(self):
        """The product's names lead to another release from now on."""
        area = self.pick([a for a in self.world.areas if isinstance(a, LinkedArea) and
                          a.moved_at < self.n_steps])
        if not area:
            return False
        self.tell(f"move {area.link}")

        def model():
            for version in self.world.move_link(area):
                version.followed = version.held() or version.shown()
                self.log.seen.discard(version.serial)
            self.log.seen -= {v.serial for v in self.versions if v.area is area and v.current}

        area.moved_at = self.n_steps
        self.change(model)
        self.count("link moved", sum(v.held() for v in self.versions if v.area is area))

    def move_touch(self):
        """Changes nothing but an overlay's layer."""
        version = self.pick([v for v in self.current() if v.lower])
        if not version:
            return False
        self.tell(f"touch {version.path}")
        os.utime(version.path)
        version.lower, version.copied_up = False, True
        self.count("copied up", bool(version.held()))

    def move_clear(self):
        """Everybody who has anything of one product ends: it must be safe."""
        product = self.pick([p.name for p in self.world.products])
        for process in list(self.processes.values()):
            if any(process in v.uses() or any(process in k.processes() for k in v.keepers) or any(c.tables and process.table in c.tables
                                              for c in v.hidden())
                   for v in self.versions if v.area.product == product):
                self.end(process, "kill")
        for event in self.events(product):
            self.end_event(event)
        # What a process that has not been named keeps alive is a hidden thing.
        for process in list(self.processes.values()):
            for slot, carrier in process.table.of(Carrier):
                if carrier.ofd and carrier.ofd.space.version.area.product == product:
                    self.close_slot(process.table, slot)
