#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Steps aside: a held file gets another name so that setup can write a new one.
Never over a file, never where it would harm, and put right after a crash."""
import hashlib
import os
import signal
import sqlite3
import subprocess

from support import (ATTENTION, BLOCKED, FOR_DOS, SAFE, Product, RpcError, SystemTest, main,
                     private_mounts)

PLANNED, RENAMED = 0, 1  # common/kind.h, enum spg_sidestep_state

OLD, NEW = FOR_DOS + b"old\n", FOR_DOS + b"new\n"


def setUpModule():
    private_mounts()


class SidestepTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll", content=OLD)
        self.old = os.path.join(self.bin, "Mdbperf.old")
        self.file("Other.dll")

    def held(self, state="mapped"):
        daemon = self.daemon()
        self.rpc(daemon).call("verify")
        return daemon, self.hold(state, self.dll), self.rpc(daemon)

    def apply(self, rpc, *paths, **params):
        return rpc.call("sidestep.apply", paths=list(paths or (self.dll,)),
                        **params)["sidesteps"]

    def write_new(self, daemon):
        """As setup does; returns when the daemon has judged it."""
        self.file("Mdbperf.dll", content=NEW)
        daemon.run("flush")
        self.rpc(daemon).call("installs", wait=60)

    def read(self, path):
        with open(path, "rb") as f:
            return f.read()

    def test_from_beginning_to_end(self):
        daemon, holder, rpc = self.held()
        os.chmod(self.dll, 0o640)
        os.chown(self.dll, 1234, 4321)
        before = os.stat(self.dll)
        step, = self.apply(rpc, dry_run=True)
        self.assertEqual((step["state"], step["old_path"], step["id"]),
                         ("planned", self.old, None), step)
        self.assertEqual(self.read(self.dll), OLD)
        step, = self.apply(rpc, "Mdbperf.dll")
        self.assertEqual((step["state"], step["path"], step["id"]), ("renamed", self.dll, 1))
        after = os.stat(self.old)
        for field in "st_ino", "st_mode", "st_uid", "st_gid", "st_mtime_ns":
            self.assertEqual(getattr(after, field), getattr(before, field))
        self.assertFalse(os.path.exists(self.dll))
        answer = daemon.check()
        self.assertEqual(answer["exit"], ATTENTION, answer)
        self.assertIn("Mdbperf.dll is renamed to Mdbperf.old, and setup has not written a "
                      "new one yet", self.texts(answer["reasons"]))
        self.assertEqual([f["state"] for f in answer["files"]], ["sidestepped"])
        offered = rpc.call("check", product="app", payload=[
            {"name": "Mdbperf.dll", "sha256": hashlib.sha256(NEW).hexdigest()}])["payload"]
        self.assertEqual((offered["new"], sum(offered.values())), (1, 1), offered)
        # Setup writes a new one: the old one runs on, and does not block.
        self.write_new(daemon)
        answer = daemon.check()
        self.assertEqual(answer["exit"], ATTENTION, answer)
        self.assertEqual(self.texts(answer["reasons"]), [
            f"an old version of Mdbperf.dll is mapped by holder (pid {holder.pid})"])
        step, = rpc.call("sidestep.list")["sidesteps"]
        self.assertEqual(step["state"], "finished")
        # Nothing is taken back, or removed, that is in use.
        step, = rpc.call("sidestep.undo", id=1)["sidesteps"]
        self.assertEqual(step["state"], "finished")
        self.assertIn("would bring the old version again", step["text"])
        step, = rpc.call("sidestep.clean")["sidesteps"]
        self.assertIn(f"still used by holder (pid {holder.pid})", step["text"])
        self.assertTrue(os.path.exists(self.old))
        holder.kill()
        self.assertEqual(daemon.check()["exit"], SAFE)
        step, = rpc.call("sidestep.clean")["sidesteps"]
        self.assertEqual(step["state"], "cleaned", step)
        self.assertFalse(os.path.exists(self.old))
        self.assertEqual(self.read(self.dll), NEW)
        self.assertEqual(rpc.call("sidestep.list"), {"sidesteps": [], "next": []})
        steps = [e["sidestep"] for e in daemon.log_events("--kind", "sidestep")]
        self.assertEqual(steps, [{"id": 1, "state": state}
                                 for state in ("renamed", "finished", "cleaned")])

    def test_undo(self):
        daemon, holder, rpc = self.held()
        self.apply(rpc)
        step, = rpc.call("sidestep.undo", id=1)["sidesteps"]
        self.assertEqual(step["state"], "undone", step)
        self.assertEqual(self.read(self.dll), OLD)
        self.assertFalse(os.path.exists(self.old))
        self.assertEqual(daemon.check()["exit"], BLOCKED)
        holder.kill()
        self.assertEqual(daemon.check()["exit"], SAFE)
        with self.assertRaises(RpcError):
            rpc.call("sidestep.undo", id=1)

    def test_two_files_that_want_one_name(self):
        exe = self.file("Mdbperf.exe")
        _daemon, _holder, rpc = self.held()
        self.hold("mapped", exe)
        steps = self.apply(rpc, self.dll, exe)
        self.assertEqual([(s["state"], os.path.basename(s["old_path"])) for s in steps],
                         [("renamed", "Mdbperf.old"), ("renamed", "Mdbperf.exe.old")])

    def test_the_product_goes_in_a_reload(self):
        daemon, _holder, rpc = self.held()
        self.apply(rpc)
        daemon.products = [Product("other", self.scratch)]
        daemon.write_config()
        self.assertEqual(daemon.run("reload")[0], 0)
        step, = rpc.call("sidestep.undo", id=1)["sidesteps"]
        self.assertEqual(step["state"], "renamed", step)
        self.assertIn("has gone in a reload", step["text"])

    def test_never_over_a_file(self):
        daemon, _holder, rpc = self.held()
        for name in "Mdbperf.old", "Mdbperf.old2":
            self.file(name, content=b"precious\n")
        step, = self.apply(rpc)
        self.assertEqual((step["state"], step["old_path"]), ("renamed", self.old + "3"))
        self.assertEqual(self.read(self.old), b"precious\n")
        # Nor back over one, even one that the daemon has not seen come.
        self.file("Mdbperf.dll", content=NEW)
        step, = rpc.call("sidestep.undo", id=1)["sidesteps"]
        self.assertNotEqual(step["state"], "undone", step)
        self.assertEqual(self.read(self.dll), NEW)

    def assert_refused(self, steps, why):
        for step in steps:
            self.assertEqual(step["state"], "refused", step)
            self.assertIn(why, step["text"])
        self.assertFalse(os.path.exists(self.old))

    def test_refused_when_nobody_holds_it(self):
        rpc = self.rpc(self.daemon())
        self.assert_refused(self.apply(rpc), "nobody holds it")

    def test_refused_for_what_is_in_setup_s_way_as_well(self):
        """Nothing is tried that the kernel would refuse; check and the dry run say the
        same of it."""
        disk = self.tmpfs("disk")
        mounted = self.file("mounted", self.scratch)

        def read_only(directory, _path):
            subprocess.run(["mount", "-o", "remount,bind,ro", directory], check=True)

        def chattr(flag, of_directory):
            def act(directory, path):
                name = directory if of_directory else path
                self.addCleanup(subprocess.run, ["chattr", flag.replace("+", "-"), name],
                                stderr=subprocess.DEVNULL)
                subprocess.run(["chattr", flag, name], check=True)
            return act
        cases = {"mount-point": lambda _, path: self.bind(mounted, path),
                 "immutable": chattr("+i", False),
                 "append-only": chattr("+a", False),
                 "directory-immutable": chattr("+i", True),
                 "directory-append-only": chattr("+a", True),
                 "read-only-mount": read_only}
        for kind, act in cases.items():
            with self.subTest(kind=kind):
                directory = os.path.join(disk if kind == "read-only-mount" else self.scratch,
                                         kind)
                os.mkdir(directory)
                if kind == "read-only-mount":
                    self.bind(directory, directory)
                path = self.file("Held.dll", directory)
                daemon = self.daemon(Product("app", directory), home=f"home-{kind}")
                holder = self.hold("mapped", mounted if kind == "mount-point" else path)
                act(directory, path)
                answer = daemon.check()
                self.assertEqual(self.file_of(answer, path)["obstacles"], [kind])
                said, = (note["text"] for note in answer["reasons"]
                         if note["kind"] == "obstacle")
                todo, = (note["command"] for note in answer["next"]
                         if note["kind"] == "clear-obstacle")
                rpc = self.rpc(daemon)
                for dry_run in (True, False):
                    step, = rpc.call("sidestep.apply", paths=[path],
                                     dry_run=dry_run)["sidesteps"]
                    self.assertEqual((step["state"], step["obstacles"]), ("refused", [kind]))
                    self.assertEqual(step["text"], f"{said}: {todo}")
                self.assertEqual(os.listdir(directory), ["Held.dll"])
                # Also where nobody holds it, setup cannot replace it as it is.
                holder.kill()
                step, = rpc.call("sidestep.apply", paths=[path], dry_run=True)["sidesteps"]
                self.assertEqual(step["obstacles"], [kind])

    def test_refused_when_the_payload_has_none(self):
        _daemon, _holder, rpc = self.held()
        self.assert_refused(self.apply(rpc, payload=[{"name": "other.dll"}]),
                            "the service pack brings no new one")
        step, = self.apply(rpc, payload=[{"name": "MDBPERF.DLL"}])
        self.assertEqual(step["state"], "renamed", step)

    def test_what_is_no_file_of_a_product(self):
        rpc = self.rpc(self.daemon())
        for paths in (["none.dll"], ["/etc/passwd"], []):
            with self.assertRaises(RpcError) as caught:
                rpc.call("sidestep.apply", paths=paths)
            self.assertEqual(caught.exception.code, -32602)

    def test_a_symbolic_link(self):
        target = self.file("target", self.scratch)
        link = os.path.join(self.bin, "Link.dll")
        os.symlink(target, link)
        daemon = self.daemon()
        self.hold("mapped", target)
        answer = daemon.check()
        steps = self.apply(self.rpc(daemon), link)
        self.assertIn(steps[0]["state"], ("failed", "refused"), (steps, answer))
        self.assertTrue(os.path.islink(link))

    def crash(self, state, prepare):
        """The journal as a daemon left it that died at a step."""
        daemon = self.daemon()
        identity = os.stat(self.dll)
        self.assertEqual(daemon.stop(), 0)
        prepare()
        with sqlite3.connect(daemon.database) as database:
            database.execute(
                "INSERT INTO sidesteps VALUES(1, 'app', ?, ?, ?, ?, ?, 1, 1, 0, NULL)",
                (self.dll, self.old, identity.st_dev, identity.st_ino, state))
        database.close()
        daemon.start()
        daemon.run("flush")
        return daemon

    def list(self, daemon):
        return self.rpc(daemon).call("sidestep.list")["sidesteps"]

    def journal(self, daemon):
        daemon.stop()
        with sqlite3.connect(daemon.database) as database:
            rows = database.execute("SELECT state FROM sidestep_journal").fetchall()
        database.close()
        return rows

    def test_crash_before_the_rename(self):
        daemon = self.crash(PLANNED, lambda: None)
        self.assertEqual(daemon.check()["exit"], SAFE)
        self.assertEqual(self.list(daemon), [])
        self.assertEqual(self.journal(daemon), [("failed",)])

    def test_crash_after_the_rename(self):
        daemon = self.crash(PLANNED, lambda: os.rename(self.dll, self.old))
        self.assertEqual(daemon.check()["exit"], ATTENTION)
        self.assertEqual([s["state"] for s in self.list(daemon)], ["renamed"])
        step, = self.rpc(daemon).call("sidestep.undo", id=1)["sidesteps"]
        self.assertEqual(step["state"], "undone")
        self.assertEqual(self.read(self.dll), OLD)

    def test_crash_between_link_and_unlink(self):
        daemon = self.crash(PLANNED, lambda: os.link(self.dll, self.old))
        self.assertEqual(daemon.check()["exit"], SAFE)
        self.assertEqual(self.read(self.dll), OLD)
        self.assertFalse(os.path.exists(self.old))
        self.assertEqual(self.journal(daemon), [("failed",)])

    def test_crash_when_it_was_done(self):
        daemon = self.crash(RENAMED, lambda: os.rename(self.dll, self.old))
        self.assertEqual(daemon.check()["exit"], ATTENTION)
        self.assertEqual([s["state"] for s in self.list(daemon)], ["renamed"])

    def test_killed_while_it_works(self):
        """At whatever step the daemon dies, the file has one of its two names, and
        the next daemon knows which."""
        daemon = self.daemon()
        for _ in range(6):
            holder = self.hold("mapped", self.dll)
            rpc = self.rpc(daemon)
            rpc.send_raw(b'{"jsonrpc":"2.0","id":1,"method":"sidestep.apply",'
                         b'"params":{"paths":["Mdbperf.dll"]}}\n')
            daemon.signal(signal.SIGKILL)
            daemon.process.wait(60)
            daemon.start()
            daemon.run("flush")
            steps = self.list(daemon)
            names = sorted(n for n in os.listdir(self.bin) if n.startswith("Mdbperf"))
            self.assertEqual(len(names), 1, names)
            self.assertEqual(self.read(os.path.join(self.bin, names[0])), OLD)
            if names == ["Mdbperf.dll"]:
                self.assertEqual(steps, [])
            else:
                self.assertEqual([s["state"] for s in steps], ["renamed"])
                done = self.rpc(daemon).call("sidestep.undo", id=steps[0]["id"])
                self.assertEqual(done["sidesteps"][0]["state"], "undone")
            holder.kill()
            self.assertEqual(daemon.check()["exit"], SAFE)


if __name__ == "__main__":
    main()
