# SPDX-License-Identifier: MIT
"""Puts a made-up past (page_worlds.py) into the database of a daemon that is not
running, in the format of daemon/store/schema.c: for pictures and benchmarks."""
import sqlite3

BLOCK = 512        # event ids in a block
NO_FILE = 1 << 40  # in a block's kinds: an event in it has no file


def ns(seconds):
    return None if seconds is None else int(seconds * 1000) * 1000000


class MadeHistory:
    """@path: a database that a daemon with the same product has begun."""

    def __init__(self, path, product):
        self.db = sqlite3.connect(path)
        self.numbers = {(v, name): n for v, n, name in self.db.execute("SELECT * FROM names")}
        self.product, self.texts, self.files, self.processes = product, {}, {}, {}
        self.events, self.last_interval = [], 0

    def text(self, text):
        if text is None:
            return None
        if text not in self.texts:
            row = self.db.execute("SELECT id FROM texts WHERE text = ?", (text,)).fetchone()
            # Who looks for it by its hash does not find it, and adds it again.
            self.texts[text] = row[0] if row else self.db.execute(
                "INSERT INTO texts(hash, text) VALUES(0, ?)", (text,)).lastrowid
        return self.texts[text]

    def file(self, path):
        if path not in self.files:
            self.files[path] = self.db.execute(
                "INSERT INTO files(path, base, dev, ino) VALUES(?, ?, 0, ?)",
                (self.text(path), path.rsplit("/", 1)[1], len(self.files) + 1)).lastrowid
        return self.files[path]

    def process(self, bar):
        key = (bar.pid, bar.name)
        if key not in self.processes:
            self.processes[key] = self.db.execute(
                "INSERT INTO processes(pid, start, started, name, fold, exe, user, unit,"
                " refuses_stop) VALUES(?, ?, ?, ?, ?, ?, ?, ?, 0)",
                (bar.pid, len(self.processes) + 1, ns(bar.start - 60), bar.name,
                 self.text(bar.name.lower()), self.text(f"/usr/bin/{bar.name}"),
                 self.text(bar.user), self.text(bar.unit))).lastrowid
        return self.processes[key]

    def event(self, kind, at, **more):
        self.events.append((at, kind, more))

    def add_uses(self):
        for bar in self.product.bars:
            # What lasts: the daemon ended, and nobody saw more of it.
            end, cut = (self.now, True) if bar.end is None else (bar.end, bar.cut)
            how = sum(1 << self.numbers["how", name] for name in bar.how if name != "locked")
            self.last_interval += 1
            self.db.execute("INSERT INTO uses VALUES(?, ?, ?, ?, ?, ?, ?)", (
                self.last_interval, self.file(bar.path), self.process(bar), how,
                ns(bar.start), ns(end), cut))
            if "locked" in bar.how:
                self.last_interval += 1
                self.db.execute("INSERT INTO locks VALUES(?, ?, ?, ?, ?, 0, NULL, ?, ?, ?, 0)", (
                    self.last_interval, self.file(bar.path), self.process(bar),
                    self.numbers["lock", "posix"], self.numbers["mode", "write"],
                    self.numbers["state", "held"], ns(bar.start), ns(end)))

    def add_installs(self):
        for install in self.product.installs:
            self.db.execute(
                "INSERT INTO installs(id, product, began, ended, outcome, last, pid, start,"
                " process, exe, cmdline, user) VALUES(?, ?, ?, ?, ?, ?, 6120, 1, 'setup.exe',"
                " '/mnt/sp4/setup.exe', 'setup.exe /q', 'root')",
                (install["id"], self.product.name, ns(install["from"]), ns(install["to"]),
                 self.numbers["outcome", install["outcome"]], ns(install["to"])))
            skipped = install.get("skipped", 0)
            n = install.get("changed", 0) + skipped
            for i, path in enumerate(self.product.files[:n]):
                change = "skipped" if i < skipped else "replaced"
                self.db.execute("INSERT INTO install_files VALUES(?, ?, ?, '5.5.2448.0',"
                                " '5.5.2650.24', NULL, NULL)",
                                (install["id"], path, self.numbers["change", change]))
            for role, notes in ((0, install.get("reasons", [])), (1, install.get("next", []))):
                for i, note in enumerate(notes):
                    self.db.execute("INSERT INTO install_notes(install, role, n, text, kind)"
                                    " VALUES(?, ?, ?, ?, ?)",
                                    (install["id"], role, i, note["text"], note["kind"]))

    def add_events(self):
        product = self.text(self.product.name)
        for gap in self.product.gaps:
            self.event("gap", gap["to"], gap=gap)
        for hold in self.product.holds:
            self.event("hold-begin", hold["from"])
            self.event("hold-end", hold["to"])
        self.event("verdict", self.product.recorded_since, verdict="safe")
        self.event("verdict", self.product.since, verdict="safe")
        for number, (at, kind, more) in enumerate(sorted(self.events, key=lambda e: e[0]), 1):
            self.db.execute("INSERT INTO events VALUES(?, ?, ?, NULL, NULL, NULL, ?)",
                            (number, ns(at), self.numbers["kind", kind], product))
            if kind == "gap":
                gap = more["gap"]
                self.db.execute("INSERT INTO gaps VALUES(?, ?, ?, ?, 0)", (
                    number, self.numbers["gap", gap["reason"]], ns(gap["from"]), ns(gap["to"])))
            elif kind == "verdict":
                self.db.execute("INSERT INTO verdicts VALUES(?, ?)",
                                (number, self.numbers["verdict", more["verdict"]]))
            block = number // BLOCK
            self.db.execute("INSERT INTO blocks VALUES(?1, ?2, ?2, 0) ON CONFLICT DO NOTHING",
                            (block, ns(at)))
            self.db.execute(
                "UPDATE blocks SET min_at = min(min_at, ?2), max_at = max(max_at, ?2),"
                " kinds = kinds | ?3 WHERE id = ?1",
                (block, ns(at), 1 << self.numbers["kind", kind] | NO_FILE))
            self.db.execute("INSERT OR IGNORE INTO event_blocks VALUES(?, ?)",
                            (product * 4 + 2, block))

    def write(self, now):
        """All of it; what was there goes. @now: when the daemon was last seen."""
        self.now = now
        for table in ("events", "details", "gaps", "verdicts", "uses", "locks", "blocks",
                      "event_blocks", "installs", "install_files", "install_notes"):
            self.db.execute(f"DELETE FROM {table}")
        self.add_uses()
        self.add_installs()
        self.add_events()
        self.db.executemany("INSERT OR REPLACE INTO meta VALUES(?, ?)", (
            ("last_id", len(self.events)), ("last_interval", self.last_interval),
            ("rows", len(self.events)), ("last_alive", ns(now)), ("clean_stop", 1)))
        self.db.commit()
        self.db.close()
