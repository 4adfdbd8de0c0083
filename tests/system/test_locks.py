#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Locks: kind, mode, range and the true holder."""
from support import SystemTest, main, tier_in_force

# state, arguments, the locks expected as (kind, modes, start, end)
LOCKS = (
    ("posix", [], [("posix", "write", 0, None)]),
    ("posix", ["read:5:10"], [("posix", "read", 5, 14)]),
    ("posix", ["read:0:4", "write:100:0"],
     [("posix", "read", 0, 3), ("posix", "write", 100, None)]),
    ("ofd", ["read:3:1"], [("ofd", "read", 3, 3)]),
    ("ofd", ["write:0:0"], [("ofd", "write", 0, None)]),
    ("ofd", ["write:0:1", "read:10:5"], [("ofd", "write", 0, 0), ("ofd", "read", 10, 14)]),
    ("flock-shared", [], [("flock", "read", 0, None)]),
    ("flock-exclusive", [], [("flock", "write", 0, None)]),
    ("flock-heir", [], [("flock", "write", 0, None)]),
    ("lease-read", [], [("lease", "read", 0, None)]),
    # Asking after it with a lease may begin to break a write lease; the kernel
    # then shows what it is being broken to.
    ("lease-write", [], [("lease", None, 0, None)]),
)


class LocksTest(SystemTest):
    def locked(self, daemon, path, holder, expected):
        answer = self.assert_blocked_by(daemon, path, [holder.pid], {"locked"})
        self.assertEqual(len(self.file_of(answer, path)["locks"]), len(expected),
                         self.show(answer))
        for kind, mode, start, end in expected:
            if kind == "lease" and tier_in_force() == "bpf":
                mode = mode or "write"  # asking breaks nothing
            wanted = {"kind": kind, "start": start, "end": end}
            if mode:
                wanted["mode"] = mode
            lock = self.lock_of(answer, path, **wanted)
            self.assertEqual((lock["pid"], lock["name"], lock["state"]),
                             (holder.pid, "holder", "held"), self.show(answer))
        self.assertEqual(answer["counts"]["locked"], 1, self.show(answer))
        self.assertEqual(answer["counts"]["waiting"], 0, self.show(answer))

    def run_row(self, state, args, expected, end):
        path = self.file("Edbbcli.dll")
        daemon = self.daemon()
        # What is installed has been read: nobody gets a lease on an open file.
        self.rpc(daemon).call("verify")
        holder = self.hold(state, path, *args)
        self.locked(daemon, path, holder, expected)
        if end == "released":
            holder.release()
        else:
            holder.kill()
        self.assert_safe(daemon)

    def test_lock_lost_by_another_close(self):
        path = self.file("Edbbcli.dll")
        daemon = self.daemon()
        holder = self.hold("lost-lock", path)
        answer = self.assert_blocked_by(daemon, path, [holder.pid], {"open"}, {"locked"})
        self.assertEqual(self.file_of(answer, path)["locks"], [], self.show(answer))

    def test_locks_command(self):
        path = self.file("Edbbcli.dll")
        daemon = self.daemon()
        holder = self.hold("posix", path, "write:5:10")
        code, answer = daemon.json("locks")
        self.assertEqual(code, 0)
        self.assertEqual(len(answer["locks"]), 1, self.show(answer))
        lock = answer["locks"][0]
        self.assertEqual(
            [lock[key] for key in ("path", "product", "kind", "mode", "start", "end",
                                   "state", "pid", "name")],
            [path, "app", "posix", "write", 5, 14, "held", holder.pid, "holder"])
        code, answer = daemon.json("locks", "Edbbcli.dll")
        self.assertEqual(len(answer["locks"]), 1, self.show(answer))
        code, answer = daemon.json("locks", "Other.dll")
        self.assertEqual(answer["locks"], [], self.show(answer))


def add(number, row, end):
    def test(self):
        self.run_row(*row, end)
    setattr(LocksTest, f"test_{number:02}_{row[0].replace('-', '_')}_{end}", test)


for _number, _row in enumerate(LOCKS):
    add(_number, _row, "released")
    add(_number, _row, "killed")


if __name__ == "__main__":
    main()
