#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Being told as it happens: the socket's notifications, and `watch --json`."""
import json

from support import FAIL_AFTER, LineReader, RpcError, SystemTest, main


class SubscribeTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.dll = self.file("Mdbperf.dll")

    def test_events_and_verdicts(self):
        daemon = self.daemon()
        self.assert_safe(daemon)
        rpc = self.rpc(daemon)
        self.assertGreater(rpc.call("subscribe", product="app")["subscription"], 0)
        holder = self.hold("mapped", self.dll)

        def event(kind):
            return rpc.wait_notification(
                lambda method, params: method == "event" and params.get("path") == self.dll
                and params.get("pid") == holder.pid
                and (params.get("kind") == kind or kind in (params.get("coalesced") or [])))
        opened = event("open")
        self.assertEqual(opened["name"], "holder", opened)
        begun = event("use-begin")
        self.assertEqual(begun["how"], ["mapped"], begun)
        # Nobody asked: what is dirty is reconciled by itself.
        verdict = rpc.wait_notification(lambda method, params: method == "verdict")
        self.assertEqual((verdict["product"], verdict["verdict"]), ("app", "blocked"), verdict)
        self.assertTrue(verdict["reasons"], verdict)
        holder.release()
        ended = event("use-end")
        self.assertEqual(ended["interval"], begun["interval"], ended)
        verdict = rpc.wait_notification(lambda method, params: method == "verdict")
        self.assertEqual(verdict["verdict"], "safe", verdict)

    def test_end_of_a_killed_holder(self):
        daemon = self.daemon()
        rpc = self.rpc(daemon)
        rpc.call("subscribe", kinds=["use-end"])
        holder = self.hold("mapped", self.dll)
        daemon.check()
        holder.kill()
        ended = rpc.wait_notification(lambda method, params: params.get("kind") == "use-end")
        self.assertEqual(ended["pid"], holder.pid, ended)

    def test_kinds(self):
        daemon = self.daemon()
        rpc = self.rpc(daemon)
        rpc.call("subscribe", kinds=["close"])
        with open(self.dll, "rb"):
            pass
        event = rpc.wait_notification(lambda method, params: method == "event")
        self.assertIn("close", event["coalesced"] or [event["kind"]], event)

    def test_locks_without_a_question(self):
        """A lock makes no event: they are read again while a file is open."""
        daemon = self.daemon()
        rpc = self.rpc(daemon)
        rpc.call("subscribe", kinds=["lock", "unlock"])
        holder = self.hold("flock-exclusive", self.dll)
        event = rpc.wait_notification(lambda method, params: params.get("kind") == "lock")
        self.assertEqual(event["pid"], holder.pid, event)
        holder.release()
        event = rpc.wait_notification(lambda method, params: params.get("kind") == "unlock")
        self.assertEqual(event["pid"], holder.pid, event)

    def test_unsubscribe(self):
        daemon = self.daemon()
        rpc = self.rpc(daemon)
        number = rpc.call("subscribe", kinds=["open"])["subscription"]
        rpc.call("unsubscribe", subscription=number)
        with open(self.dll, "rb"):
            pass
        rpc.call("flush")
        self.assertEqual([m for m in rpc.notifications if m.get("method") == "event"], [])
        with self.assertRaises(RpcError):
            rpc.call("unsubscribe", subscription=number)

    def test_watch(self):
        daemon = self.daemon()
        client = daemon.spawn_client("--json", "watch")
        self.addCleanup(client.stderr.close)
        self.addCleanup(client.stdout.close)
        self.addCleanup(client.wait, FAIL_AFTER)
        self.addCleanup(client.terminate)
        lines = LineReader(client.stdout)
        rpc = self.rpc(daemon)
        while rpc.call("status")["subscribers"] == 0:
            self.assertIsNone(client.poll(), "watch ended")
        holder = self.hold("read", self.dll)

        def is_open(line):
            event = json.loads(line)
            event = event.get("params", event)
            return event.get("pid") == holder.pid and (
                event.get("kind") == "open" or "open" in (event.get("coalesced") or []))
        lines.wait_for(is_open, "an open event from watch")

    def test_slow_subscriber(self):
        """Who does not read loses events and is told how many; nobody waits."""
        many = self.files(400)
        daemon = self.daemon()
        slow, other = self.rpc(daemon), self.rpc(daemon)
        slow.call("subscribe")
        for _ in range(100):
            for path in many:
                with open(path, "rb"):
                    pass
            other.call("flush")
            if other.call("status")["subscriber_drops"]:
                break
        else:
            self.fail("40,000 events and nothing dropped")
        dropped = slow.wait_notification(
            lambda method, params: method == "event" and "dropped" in params)
        self.assertGreater(dropped["dropped"], 0)
        # And it hears what comes after.
        with open(self.dll, "rb"):
            pass
        slow.wait_notification(
            lambda method, params: params.get("path") == self.dll)


if __name__ == "__main__":
    main()
