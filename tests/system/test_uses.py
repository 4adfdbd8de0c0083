#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every way to use a file blocks, names the user, and is over when it is over:
released, or killed; whether it began before the daemon or after."""
import os

from support import HOLDER, LIBRARY, SystemTest, main

# state, what "how" must say, what it must not say
USES = (
    ("read", {"open"}, {"write", "mapped", "executing", "locked"}),
    ("write", {"write"}, {"mapped", "executing", "locked"}),
    ("read-write", {"write"}, {"mapped", "executing", "locked"}),
    ("dup", {"open"}, {"mapped"}),
    ("fork", {"open"}, {"mapped"}),
    ("orphan", {"open"}, {"mapped"}),
    ("thread-table", {"open"}, {"mapped"}),
    ("leader-exited", {"open"}, {"mapped"}),
    ("shared-table", {"open"}, {"mapped"}),
    ("vfork", {"open"}, {"mapped"}),
    ("namespaces", {"open"}, {"mapped"}),
    ("user-namespace", {"open"}, {"mapped"}),
    ("crowd", {"open"}, {"mapped"}),
    ("haystack", {"open"}, {"mapped"}),
    ("mapped", {"mapped"}, {"open", "write", "executing"}),
    ("mapped-private", {"mapped"}, {"open", "write", "executing"}),
    ("mapped-none", {"mapped"}, {"open", "write", "executing"}),
    ("mapped-pieces", {"mapped"}, {"open", "write", "executing"}),
    ("leader-exited-mapped", {"mapped"}, {"open", "write", "executing"}),
    ("shared-memory", {"mapped"}, {"open", "write", "executing"}),
    ("dlopen", {"mapped"}, {"open", "write", "executing"}),
    ("exec", {"executing"}, {"open", "write", "locked"}),
)


class UsesTest(SystemTest):
    def begin(self, state):
        """The file to use, and who begins to use it when called."""
        if state == "exec":
            path = self.program("Admin.exe", self.bin)
        elif state == "dlopen":
            with open(LIBRARY, "rb") as f:
                path = self.file("Mdbperf.dll", content=f.read())
        else:
            path = self.file("Mdbperf.dll", content=b"A library\n\0\0\0\0\0" * 4096)
        args = [self.directory("elsewhere")] if state == "namespaces" else []
        return path, lambda: self.hold(state, path, *args)

    def blocked(self, daemon, path, holder, state, how, never):
        answer = self.assert_blocked_by(daemon, path, holder.pids, how, never)
        use = self.use_of(answer, path, holder.pid)
        program = path if state == "exec" else HOLDER
        self.assertEqual(use["name"].lower(), program.rsplit("/", 1)[1].lower(),
                         self.show(answer))
        # An executable in another mount namespace goes by the same name here.
        self.assertEqual(use["exe"], program, self.show(answer))
        self.assertEqual(use["user"], "root", self.show(answer))
        self.assertTrue(use["started"] and use["since"], self.show(answer))
        for key in ("open", "mapped", "executing"):
            if key in how:
                self.assertEqual(answer["counts"][key], 1, self.show(answer))
        self.assertEqual(answer["counts"]["blocked"], 1, self.show(answer))

    def then_released(self, state, how, never):
        path, begin = self.begin(state)
        daemon = self.daemon()
        self.assert_safe(daemon)
        holder = begin()
        self.blocked(daemon, path, holder, state, how, never)
        holder.release()
        self.assert_safe(daemon)

    def then_killed(self, state, how, never):
        path, begin = self.begin(state)
        daemon = self.daemon()
        holder = begin()
        self.blocked(daemon, path, holder, state, how, never)
        holder.kill()
        self.assert_safe(daemon)

    def from_before(self, state, how, never):
        path, begin = self.begin(state)
        holder = begin()
        daemon = self.daemon()
        self.blocked(daemon, path, holder, state, how, never)
        holder.kill()
        self.assert_safe(daemon)

    def test_reference_without_access_does_not_block(self):
        self.hold("o-path", self.file("Mdbperf.dll"))
        self.assert_safe(self.daemon())

    def test_executed_by_what_its_leader_left(self):
        """Only a thread still runs the program, whose first one has ended."""
        program, other = self.program("Admin.exe", self.bin), self.file("data", self.scratch)
        daemon = self.daemon()
        self.assert_safe(daemon)
        holder = self.hold("leader-exited", other, program=program)
        self.assert_blocked_by(daemon, program, [holder.pid], {"executing"}, {"locked"})
        holder.kill()
        self.assert_safe(daemon)

    def test_executed_and_opened(self):
        """Two open file descriptions of one process."""
        program = self.program("Admin.exe", self.bin)
        daemon = self.daemon()
        holder = self.hold("read", program, program=program)
        self.assert_blocked_by(daemon, program, [holder.pid], {"executing", "open"})
        holder.release()
        self.assert_blocked_by(daemon, program, [holder.pid], {"executing"}, {"open"})
        holder.kill()
        self.assert_safe(daemon)

    def test_two_holders(self):
        path = self.file("Mdbperf.dll")
        daemon = self.daemon()
        mapper, reader = self.hold("mapped", path), self.hold("read", path)
        self.assert_blocked_by(daemon, path, [mapper.pid, reader.pid], set())
        mapper.release()
        self.assert_blocked_by(daemon, path, [reader.pid], {"open"}, {"mapped"})
        reader.release()
        self.assert_safe(daemon)

    def test_a_known_user_shares_what_it_has(self):
        """Found before, it accounts for the open file; who shares it makes no event."""
        path = self.file("Mdbperf.dll")
        daemon = self.daemon()
        holder = self.hold("read", path)
        for _ in range(2):
            self.assert_blocked_by(daemon, path, [holder.pid], {"open"})
        number, = (n for n in os.listdir(f"/proc/{holder.pid}/fd")
                   if os.path.realpath(f"/proc/{holder.pid}/fd/{n}") == path)
        for state, how in (("read", "open"), ("mapped", "mapped")):
            with self.subTest(state=state):
                sharer = self.hold(state, path, "share", holder.pid, number)
                answer = self.assert_blocked_by(daemon, path, [holder.pid, sharer.pid], set())
                self.assertIn(how, self.use_of(answer, path, sharer.pid)["how"])
                sharer.kill()
                self.assert_blocked_by(daemon, path, [holder.pid], {"open"})


def add(name, method, row):
    def test(self):
        getattr(self, method)(*row)
    setattr(UsesTest, name, test)


for _row in USES:
    for _method in ("then_released", "then_killed", "from_before"):
        add(f"test_{_row[0].replace('-', '_')}_{_method}", _method, _row)


if __name__ == "__main__":
    main()
