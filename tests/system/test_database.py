#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Trouble with the database: history suffers and says so, answers do not."""
import errno
import glob
import grp
import os
import sqlite3
import subprocess

from support import Daemon, Product, RpcError, SystemTest, main, private_mounts


def setUpModule():
    private_mounts()


class DatabaseTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")

    def gaps(self, daemon):
        return [e["gap"]["reason"] for e in daemon.log_events("--kind", "gap")]

    def right(self, daemon):
        holder = self.hold("mapped", self.dll)
        self.assert_blocked_by(daemon, self.dll, [holder.pid], {"mapped"})
        holder.release()
        self.assert_safe(daemon)

    def fill(self, directory):
        """Leave no byte free where @directory is."""
        path = os.path.join(directory, "filler")
        with open(path, "wb", buffering=0) as f:
            for size in (1 << 16, 1 << 12, 1):
                try:
                    while f.write(b"x" * size) == size:
                        pass
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
        return path

    def test_full_disk(self):
        home = self.tmpfs("full", "4m")
        daemon = Daemon(home, [Product("app", self.bin)])
        self.addCleanup(daemon.close)
        many = self.files(400)
        daemon.start()
        rpc = self.rpc(daemon)
        self.right(daemon)
        filler = self.fill(home)
        for _ in range(500):
            for path in many:
                with open(path, "rb"):
                    pass
            if rpc.call("status")["store"]["stopped"]:
                break
        else:
            self.fail("200,000 events, and the full disk was not noticed")
        with self.assertRaises(RpcError) as caught:
            rpc.call("flush")
        self.assertEqual(caught.exception.code, -32603)
        status = rpc.call("status")["store"]
        self.assertTrue(status["why"], self.show(status))
        self.right(daemon)
        subscriber = self.rpc(daemon)
        subscriber.call("subscribe", kinds=["gap"])
        os.unlink(filler)
        # Writing is tried again by itself; the loss is then on record.
        event = subscriber.wait_notification(
            lambda method, params: method == "event"
            and params["gap"]["reason"] in ("store", "dropped"))
        self.assertGreater(event["gap"]["count"], 0, event)
        rpc.call("flush")
        self.assertFalse(rpc.call("status")["store"]["stopped"])
        self.assertTrue({"store", "dropped"} & set(self.gaps(daemon)))
        self.right(daemon)
        # What is over is a note, and all is well.
        code, out, _ = daemon.run("doctor")
        self.assertEqual(code, 0, out)
        self.assertIn("events were not stored", out)

    def test_locked_by_another_program(self):
        """For seconds: nothing is lost, and the cause is named; then all is well."""
        daemon = self.daemon()
        many = self.files(50)
        rpc = self.rpc(daemon)
        rpc.call("flush")
        other = sqlite3.connect(daemon.database, isolation_level=None, timeout=30)
        self.addCleanup(other.close)
        other.execute("BEGIN EXCLUSIVE")
        for path in many:
            with open(path, "rb"):
                pass
        with self.assertRaises(RpcError) as caught:
            rpc.call("flush")
        self.assertIn("another program has the database locked", caught.exception.message)
        store = rpc.call("status")["store"]
        self.assertEqual((store["fault"], store["stopped"], store["dropped"]),
                         ("locked", False, 0), self.show(store))
        self.assertGreaterEqual(store["queue_rows"], len(many))
        self.right(daemon)
        code, out, _ = daemon.run("doctor")
        self.assertEqual(code, 1)
        self.assertIn(f"fuser -v {daemon.database}", out)
        self.assertNotIn("df -h", out)
        other.execute("COMMIT")
        rpc.call("flush")
        store = rpc.call("status")["store"]
        self.assertEqual((store["fault"], store["dropped"]), (None, 0), self.show(store))
        self.assertNotIn("store", self.gaps(daemon))
        opened = {event["path"] for event in daemon.log_events("--kind", "open")}
        self.assertLessEqual(set(many), opened)
        self.assertEqual(daemon.run("doctor")[0], 0, daemon.run("doctor"))

    def test_read_by_the_group(self):
        """While it runs and after it has stopped, by who may not write there."""
        group = grp.getgrnam("nogroup")
        home = self.directory("home")
        for path, mode in ((self.scratch, 0o755), (home, 0o2750)):
            os.chown(path, 0, group.gr_gid)
            os.chmod(path, mode)
        self.files(5)
        daemon = self.daemon()
        daemon.run("flush")
        ask = ["setpriv", "--reuid=12345", f"--regid={group.gr_gid}", "--clear-groups",
               "python3", "-c", "import sqlite3, sys; print(sqlite3.connect(f'file:{sys.argv[1]}"
               "?mode=ro', uri=True).execute('SELECT count(*) FROM events').fetchone()[0])",
               daemon.database]
        for ending in (None, daemon.stop, daemon.kill):
            with self.subTest(ending=ending and ending.__name__):
                if ending and daemon.process.poll() is not None:
                    daemon.close()
                    daemon.start()
                    daemon.run("flush")
                if ending:
                    ending()
                # Of the system, so that another user finds it.
                done = subprocess.run(ask, capture_output=True, text=True,
                                      env={"PATH": "/usr/bin:/bin"})
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertGreater(int(done.stdout), 0)
        daemon.close()
        daemon.start()
        self.right(daemon)

    def opened(self, daemon):
        return {event["path"] for event in daemon.log_events("--kind", "open")}

    def test_removed_before_the_stop(self):
        """What came since is in a new one, behind a gap that says what happened."""
        daemon = self.daemon()
        self.right(daemon)
        rpc = self.rpc(daemon)
        rpc.call("flush")
        for suffix in ("", "-wal", "-shm"):
            os.unlink(daemon.database + suffix)
        many = self.files(50)
        for path in many:
            with open(path, "rb"):
                pass
        self.assert_safe(daemon)
        self.assertEqual(daemon.stop(), 0)
        self.assertIn("removed or replaced", daemon.log_text())
        daemon.close()
        daemon.start()
        self.assertLessEqual(set(many), self.opened(daemon))
        gap, = [e for e in daemon.log_events("--kind", "gap") if e["gap"]["reason"] == "damaged"]
        self.assertIn("removed or replaced", gap["detail"])
        self.right(daemon)

    def test_directory_renamed(self):
        """History goes on in it, and says where it is not."""
        home = self.directory("history")
        daemon = self.daemon(daemon_keys={"database": os.path.join(home, "spguard.db")})
        self.right(daemon)
        os.rename(home, home + ".old")
        rpc = self.rpc(daemon)
        rpc.call("flush")
        many = self.files(50)
        for path in many:
            with open(path, "rb"):
                pass
        self.right(daemon)
        rpc.call("flush")
        self.assertIn("was renamed", daemon.log_text())
        self.assertLessEqual(set(many), self.opened(daemon))
        self.assertEqual(daemon.stop(), 0)
        os.rename(home + ".old", home)
        daemon.close()
        daemon.start()
        self.assertLessEqual(set(many), self.opened(daemon))
        self.assertFalse({"damaged", "store", "dropped"} & set(self.gaps(daemon)))

    def test_full_disk_at_the_start(self):
        """No room for a database: a clear message, whatever it decides."""
        home = self.tmpfs("full", "1m")
        daemon = Daemon(home, [Product("app", self.bin)])
        self.addCleanup(daemon.close)
        self.fill(home)
        daemon.spawn()
        line = daemon.log.wait_for(
            lambda line: "space" in line or "full" in line or "ready" in line,
            "a message about the disk")
        self.assertTrue(line)

    def damaged(self, damage):
        daemon = self.daemon()
        self.right(daemon)
        self.assertEqual(daemon.stop(), 0)
        damage(daemon.database)
        daemon = self.daemon()
        self.right(daemon)
        self.assertIn("damaged", self.gaps(daemon))
        self.assertEqual(len([p for p in glob.glob(daemon.database + ".damaged-*")
                              if not p.endswith(("-wal", "-shm"))]), 1)
        self.assertIn("damaged", daemon.log_text())
        database = sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True)
        self.addCleanup(database.close)
        self.assertEqual(database.execute("PRAGMA integrity_check").fetchone(), ("ok",))

    def test_not_a_database(self):
        def damage(path):
            with open(path, "r+b") as f:
                f.write(b"no database at all " * 100)
        self.damaged(damage)

    def test_damaged_pages(self):
        def damage(path):
            with open(path, "r+b") as f:
                f.seek(4096)
                f.write(b"\xa5" * (os.path.getsize(path) - 4096))
        self.damaged(damage)

    def test_cut_short(self):
        def damage(path):
            os.truncate(path, os.path.getsize(path) // 2)
        self.damaged(damage)

    def test_database_of_another_program(self):
        daemon = self.daemon(start=False)
        database = sqlite3.connect(daemon.database)
        database.execute("CREATE TABLE precious(x)")
        database.commit()
        database.close()
        daemon.spawn()
        self.assertNotEqual(daemon.process.wait(60), 0)
        daemon.log.join(60)
        self.assertIn(daemon.database, daemon.log_text())
        database = sqlite3.connect(daemon.database)
        self.addCleanup(database.close)
        self.assertEqual(database.execute("SELECT count(*) FROM precious").fetchone(), (0,))

    def test_downtime(self):
        """A stop, even a clean one, is a stretch without history."""
        daemon = self.daemon()
        self.assertNotIn("downtime", self.gaps(daemon))
        daemon.stop()
        daemon = self.daemon()
        self.assertEqual(self.gaps(daemon).count("downtime"), 1)

    def test_use_across_a_restart(self):
        daemon = self.daemon()
        holder = self.hold("mapped", self.dll)
        self.assert_blocked_by(daemon, self.dll, [holder.pid], {"mapped"})
        daemon.stop()
        daemon = self.daemon()
        self.assert_blocked_by(daemon, self.dll, [holder.pid], {"mapped"})
        holder.kill()
        self.assert_safe(daemon)


if __name__ == "__main__":
    main()
