# SPDX-License-Identifier: MIT
"""Random moves with what keeps a file that nobody has open: probes in it, mounts of it,
overlays that have it in a layer."""
import os
import platform
import re
import struct

from support import LIBRARY
from truth import Keeper, Mount, Probe
from world import LinkedArea

PROBERS = ("plain", "leader", "mounts", "pids")  # the others see no sysfs, or may not
MOST = 6  # of each kind at a time: all of them are looked at in every answer
PT_LOAD, PF_X = 1, 1


def text_offset(path):
    """Where the text of an ELF file begins: there is an instruction."""
    with open(path, "rb") as f:
        data = f.read(4096)
    at, = struct.unpack_from("<Q", data, 32)
    size, n = struct.unpack_from("<HH", data, 54)
    for i in range(n):
        kind, flags, offset = struct.unpack_from("<IIQ", data, at + i * size)
        if kind == PT_LOAD and flags & PF_X:
            return offset
    raise ValueError(f"{path} has no text")


def linux():
    return tuple(map(int, re.match(r"(\d+)\.(\d+)", platform.release()).groups()))


class KeeperMoves:
    def find_probe_lacks(self, process):
        """Which of the ways to make a probe this machine, or this tier, lacks."""
        # The files themselves nobody opens who is not one of the actors.
        self.offsets = {"exe": text_offset(self.world.actor), "lib": text_offset(LIBRARY)}
        path = self.world.actor
        self.probe_ways = []
        for way in ("multi", "link", "perf"):
            # What shows nowhere, or not of which file it is: spguardd(8), LIMITS.
            if (way == "perf" and self.world.tier != "bpf") or \
                    (way == "link" and linux() < (6, 6)):
                continue
            word, rest = self.stage.ask(process.name, f"probe 0 {way} {path} {self.offsets['exe']}")
            if word == "ok":
                self.order(process, "close 0")
                self.probe_ways.append(way)
            else:
                self.lacks["probed"] = rest
        if self.probe_ways:
            self.lacks.pop("probed", None)
        if not self.world.tracefs:
            self.lacks["event"] = "no tracefs"
        if not any(area.overlay for area in self.world.areas):
            self.lacks["layer"] = "no overlays"

    def keepers(self, kind):
        return list(dict.fromkeys(k for v in self.versions for k in v.keepers
                                  if isinstance(k, kind)))

    def loose_keepers(self, version):
        """What tells only a file's name, or only the directory that it is in."""
        for keeper in self.keepers(Keeper):
            if version in keeper.versions:
                continue
            if getattr(keeper, "area", None) is version.area or \
                    (getattr(keeper, "by_name", False) and
                     keeper.versions[0].path == version.path):
                yield keeper

    def names(self, process, version):
        """The paths by which @process reaches @version."""
        return [path for way, path, _ in self.ways(process, version) if way == "open"]

    # Probes

    def move_probe(self):
        table = self.some_table()
        version = self.pick(self.hot())
        if not table or not version or not self.probe_ways or \
                table.process.kind not in PROBERS or table.process.setup or \
                len(self.keepers(Probe)) >= MOST:
            return False
        slot, path = table.free_slot(), self.pick(self.names(table.process, version))
        way, offset = self.pick(self.probe_ways), self.offsets[version.kind]
        self.change(lambda: table.put(slot, Probe(version, by_name=way == "link")),
                    lambda: self.order(table.process, f"probe {slot} {way} {path} {offset}",
                                       table=table))
        self.count("probed")

    def move_event(self):
        """One of tracefs, which belongs to nobody."""
        version = self.pick(self.hot())
        if not version or "event" in self.lacks or len(self.events()) >= MOST:
            return False
        self.n_kept += 1
        name = f"{self.world.event_group}/e{self.n_kept}"
        path = self.pick([version.path, version.soft, *filter(None, [version.hard])])
        self.tell(f"event {name} in {path}")
        Probe(version, name, by_name=True)
        self.world.define_event(f"{self.rng.choice('pr')}:{name} "
                                f"{path}:{self.offsets[version.kind]:#x}")
        self.count("event")

    def events(self, product=None):
        return [k for k in self.keepers(Probe) if k.event and
                (product is None or k.versions[0].area.product == product)]

    def end_event(self, event):
        self.tell(f"no event {event.event}")
        event.end()
        self.world.define_event(f"-:{event.event}")

    # Mounts, in the namespaces that there are

    def some_place(self):
        """A process that may mount, and a place of its own for that."""
        if len(self.keepers(Mount)) >= MOST or "mounts" in self.lacks:
            return None, None
        process = self.pick([p for p in self.processes.values() if p.mounts]) or \
            self.start("mounts")
        self.n_kept += 1
        return process, os.path.join(self.world.directory("places"), str(self.n_kept))

    def move_bind(self):
        version = self.pick(self.hot())
        process, place = self.some_place() if version else (None, None)
        if not process:
            return False
        with open(place, "wb"):
            pass
        path = self.pick(self.names(process, version))
        self.change(lambda: Mount("mounted", [version], process, place),
                    lambda: self.order(process, f"bind {path} {place}"))
        self.count("mounted")

    def move_merge(self):
        """An overlay that has looked up all of a product's files."""
        area = self.pick([a for a in self.world.areas if not isinstance(a, LinkedArea) and
                          not a.overlay])
        process, place = self.some_place() if "layer" not in self.lacks else (None, None)
        if not process:
            return False
        shown = [v for v in self.current() if v.area is area]
        parts = [os.path.join(self.world.merges, f"{part}{self.n_kept}")
                 for part in ("upper", "work")]
        for path in (place, *parts):
            os.mkdir(path)
        lower = self.route(process, area.app)
        self.change(lambda: Mount("layer", shown, process, place, area), lambda: [
            self.order(process, f"merge {lower} {' '.join(parts)} {place}"),
            *(self.order(process, f"glance {place}/{os.path.basename(v.path)}")
              for v in shown)])
        self.count("layer", len(shown))

    def move_unkeep(self):
        keeper = self.pick(self.events() + self.keepers(Mount))
        if not keeper:
            return False
        if isinstance(keeper, Probe):
            self.end_event(keeper)
            return None
        # Who has looked into an overlay holds what it found there.
        process = keeper.maker if keeper.maker in keeper.processes() else \
            self.pick(list(keeper.processes()))
        self.change(keeper.end, lambda: self.order(process, f"unmount {keeper.place}"))
        return None
