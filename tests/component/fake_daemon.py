# SPDX-License-Identifier: MIT
"""A daemon that says what a test tells it to say: the other end of the client's
socket, with answers that keep the contract (test_contract.py), and with garbage.

    FakeDaemon(answers)      answers: {method: result | Error | Act | callable(params)}

Runs in threads of its own; every request is kept in .requests. Also a program:
    python3 fake_daemon.py SOCKET SCENARIO
"""
import copy
import json
import os
import socket
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import contract  # noqa: E402
import checks  # noqa: E402

AT = "2026-11-22T13:00:00.123456Z"


class Error:
    """A JSON-RPC error answer."""

    def __init__(self, code, message, hint=None):
        self.code, self.message, self.hint = code, message, hint


class Act:
    """Something else than an answer: raw bytes, then close or stay silent."""

    def __init__(self, raw=b"", close=False):
        self.raw, self.close = raw, close


class Telling:
    """A result, and before it notifications, each sent as @notifications yields it."""

    def __init__(self, notifications, result):
        self.notifications_before, self.result = notifications, result


class Then:
    """A result, then notifications, then perhaps the end."""

    def __init__(self, result, notifications, close=False):
        self.result, self.notifications, self.close = result, notifications, close


HELLO = {"name": "spguardd", "version": "0.1.0", "protocol": 1, "pid": 1,
         "tier": "procfs", "admin": True, "products": ["exchange55"]}


def use(name="perfmon", pid=2113, how=("mapped",), unit="perfmon.service", user="root",
        cls="blocker", since="2026-11-22T12:58:02.5Z"):
    return {"how": list(how), "pid": pid, "started": "2026-11-22T12:58:01Z", "name": name,
            "exe": "/usr/bin/" + name if name else None, "user": user, "unit": unit,
            "since": since, "class": cls}


NOBODY = {"how": [], "pid": None, "started": None, "name": None, "exe": None, "user": None,
          "unit": None, "since": None, "class": "blocker"}
ADVICE = ("Stop Performance Monitor, local and remote copies, and services that read "
          "Exchange counters.")


def file(path, state="blocked", uses=(), locks=(), advice=None, obstacles=()):
    return {"path": path, "state": state, "replaced": state == "sidestepped",
            "uses": list(uses), "locks": list(locks), "obstacles": list(obstacles),
            "advice": advice}


def lock(name="store.exe", pid=811, state="held", start=0, end=None, kind="posix"):
    return {"kind": kind, "mode": "write", "start": start, "end": end, "state": state,
            "pid": pid, "name": name, "since": "2026-11-22T12:58:02Z"}


def note(kind, text, **more):
    """A reason or a step."""
    return {"kind": kind, **more, "text": text}


def command(kind, text, **more):
    """A step that is a command, and perhaps a comment."""
    return note(kind, text, command=text.split("   #")[0], **more)


def notes(given):
    """Where the kind does not matter a text will do."""
    return [note("other", n) if isinstance(n, str) else n for n in given]


def answer(verdict="safe", files=(), reasons=(), next=(), coverage=(), n=19,
           product="exchange55", title="Microsoft Exchange Server 5.5", without_blocked=None):
    """@without_blocked: what it is but for the blocked files, of which "safe" is the rule."""
    files = list(files)
    if not without_blocked:
        n_blocked = sum(f["state"] == "blocked" for f in files)
        without_blocked = "safe" if verdict == "blocked" and n_blocked else verdict
    return {"verdict": verdict, "without_blocked": without_blocked, "product": product, "title": title, "at": AT,
            "generation": 4711,
            "proof": {"tier": "procfs", "files": n, "took_us": 212, "tries": 1,
                      "complete": verdict != "unknown", "coverage": list(coverage)},
            "counts": {"files": n,
                       "blocked": sum(f["state"] == "blocked" for f in files),
                       "open": 0, "mapped": 1, "executing": 0, "locked": 0, "waiting": 0,
                       "unattributed": 0,
                       "obstructed": sum(bool(f["obstacles"]) and not f["uses"]
                                         for f in files)},
            "files": files, "reasons": notes(reasons), "next": notes(next), "remarks": []}


MDBPERF = "/srv/exchsrvr/bin/Mdbperf.dll"
LACK = {"kind": "users-elsewhere", "path": "/srv/exchsrvr/bin", "what": "/srv/exchsrvr/bin",
        "command": None, "why": "the directory is on NFS, whose other clients "
        "nobody here can see", "remedy": "Ask on the file server, or move the directory to a "
        "local filesystem.", "blinds": True, "product": "exchange55"}

HELD = note("in-use", "Mdbperf.dll is mapped by perfmon (pid 2113)", file=MDBPERF, pid=2113,
            name="perfmon", unit="perfmon.service", how=["mapped"])
STOP = command("stop-unit", "systemctl stop perfmon.service", unit="perfmon.service", pid=2113)

BLOCKED = answer(
    "blocked",
    [file(MDBPERF, uses=[use()], advice=ADVICE)],
    [HELD], [STOP])
BUSY = answer(
    "blocked",
    [file(MDBPERF, uses=[use(), use("winlogon-with-a-long-name", 99, ("open", "mapped"), None,
                                    "administrator")], advice=ADVICE),
     file("/srv/exchsrvr/bin/Gwperf.dll", uses=[use()], advice=ADVICE),
     file("/srv/winnt/system32/Edbbcli.dll",
          uses=[use("backup", 4100, ("open", "write", "locked"), "backup.service")],
          locks=[lock("backup", 4100), lock("store.exe", 811, "waiting", 100, 199)],
          advice="Stop every program that backs Exchange up."),
     file("/srv/winnt/system32/Eseperf.dll", uses=[NOBODY]),
     file("/srv/exchsrvr/bin/store.exe", "held-by-setup-stopped",
          [use("store.exe", 811, ("executing",), "msexchangeis.service", "exchange",
               "setup-stops", "2026-11-20T08:00:00Z")]),
     file("dapi.dll", "missing"), file("newfile.dll", "new")],
    [HELD],
    [STOP, command("stop-process", "kill 99   # winlogon-with-a-long-name", pid=99),
     command("stop-unit", "systemctl stop backup.service", unit="backup.service"),
     "stop what may have handed on Eseperf.dll (a loop device, a swap file, a service that "
     "passes descriptors on), or restart the machine; then check again"])
UNKNOWN = answer("unknown", [file(MDBPERF, "unknown")],
                 [note("not-looked-at", "could not look at %s: %s" % (LACK["what"], LACK["why"])),
                  "something else is odd"], [note("remedy", LACK["remedy"])], [LACK])
ATTENTION = answer("attention", [], [note("misfit", "the installed set is mixed: Netif.dll")],
                   [command("verify", "spguard verify")])
SAFE = answer("safe")


def event(id, at, kind, **more):
    base = {"id": id, "at": at, "kind": kind, "path": MDBPERF, "pid": 2113,
            "started": "2026-11-22T12:58:01Z", "name": "perfmon", "exe": "/usr/bin/perfmon",
            "user": "root", "unit": "perfmon.service", "product": "exchange55",
            "coalesced": None}
    base.update(more)
    return base


GAP = event(12, "2026-11-22T12:59:30Z", "gap", path=None, pid=None, name=None,
            gap={"reason": "overflow", "since": "2026-11-22T12:59:00Z",
                 "until": "2026-11-22T12:59:30Z", "count": 0},
            detail="the kernel's queue was full")
LOG = {"events": [
    event(10, "2026-11-21T23:59:59.5Z", "open", coalesced=["open", "close"]),
    event(11, "2026-11-22T12:58:02.5Z", "use-begin", how=["mapped"]),
    GAP,
    event(13, "2026-11-22T13:00:00Z", "lock",
          lock={"kind": "posix", "mode": "write", "start": 0, "end": 99}),
    event(14, "2026-11-22T13:01:00Z", "use-end", how=["mapped"],
          since="2026-11-22T12:58:00Z"),
    event(15, "2026-11-22T13:01:01Z", "rename", detail="/srv/exchsrvr/bin/Mdbperf.old"),
    event(16, "2026-11-22T13:01:02Z", "verdict", path=None, pid=None, name=None,
          verdict="safe", detail="nobody uses any file")],
    "more": True}

STATUS = {
    "host": "mail1", "version": "0.1.0", "pid": 812, "started": "2026-11-19T09:00:00Z", "uptime": 273600,
    "tier": "procfs", "socket": "/run/spguard/spguard.sock",
    "config": "/etc/spguard/spguard.conf",
    "reload_refused": None,
    "products": [{
        "name": "exchange55", "title": "Microsoft Exchange Server 5.5", "verdict": "blocked",
        "verdict_at": AT, "verdict_since": "2026-11-22T12:58:02Z", "generation": 4711,
        "files": 19, "uses": 1, "locks": 0, "blocked": 1,
        "installs": {"running": None, "unresolved": None,
                     "ended": {"clean": 2, "mixed": 1, "unknown": 0}},
        "directories": [{"path": "/srv/exchsrvr/bin", "state": "watched", "why": None,
                         "marks": 1},
                        {"path": "/srv/winnt/system32", "state": "watched", "why": None,
                         "marks": 1}]}],
    "mechanisms": [
        {"kind": "file-events", "name": "file events", "works": True, "command": None, "detail": "fanotify with file ids and pidfds",
         "remedy": None},
        {"kind": "in-use-probe", "name": "lease probe", "works": True, "command": None, "detail": "found a holder of a scratch file",
         "remedy": None}],
    "store": {"path": "/var/lib/spguard/spguard.db", "rows": 1234567, "bytes": 59258880,
              "queue_rows": 0, "dropped": 0, "dropped_since": None, "dropped_until": None,
              "stopped": False, "fault": None, "why": None,
              "oldest": "2026-09-01T10:00:00Z"},
    "sessions": 1, "subscribers": 0, "subscriber_drops": 0,
    "events": dict.fromkeys(contract.names("EventKind"), 0) | {"open": 4000, "close": 3999},
    "gaps": dict.fromkeys(contract.names("GapReason"), 0), "coverage": []}

SICK = copy.deepcopy(STATUS)
SICK["products"][0]["directories"][1].update(state="missing", marks=0)
SICK["mechanisms"][1].update(works=False, detail="fcntl: Operation not permitted",
                             remedy="Give spguardd the capability CAP_LEASE.",
                             command="systemctl edit spguardd && systemctl restart spguardd")
SICK["store"].update(stopped=True, fault="full", why="no space left on the device", dropped=17,
                     dropped_since="2026-11-22T12:00:00Z", dropped_until="2026-11-22T12:01:00Z")
SICK["coverage"] = [LACK]
SICK["gaps"].update(overflow=2, store=1)



def install(id=3, outcome="mixed", changed=11, skipped=1, reasons=(), next=(), **more):
    return dict({"id": id, "product": "exchange55", "began": "2026-11-22T13:00:00Z",
                 "ended": None if outcome == "running" else "2026-11-22T13:02:11Z",
                 "outcome": outcome, "follows": None,
                 "by": {"pid": 4711, "name": "setup.exe", "user": "root",
                        "cmdline": "/mnt/sp4/setup.exe /q"},
                 "command": "setup.exe /q", "packages": [],
                 "changed": changed, "skipped": skipped, "reasons": notes(reasons),
                 "next": notes(next)}, **more)


def install_file(path, change, from_version=None, to_version=None, from_sha256=None,
                 to_sha256=None, holders=(), package=None):
    return {"path": path, "package": package, "change": change, "guessed": False, "from_version": from_version,
            "to_version": to_version, "from_sha256": from_sha256, "to_sha256": to_sha256,
            "holders": list(holders)}


WHY_MIXED = note("not-replaced", "Mdbperf.dll was not replaced: perfmon (pid 2113) had it mapped",
                 file=MDBPERF)
MIXED_INSTALL = install(
    reasons=[WHY_MIXED], next=[command("sidestep", "spguard sidestep " + MDBPERF +
                                       "   # or stop who holds it", file=MDBPERF),
                               "run the service pack again, until it finishes clean: spguard "
                               "installs"],
    files=[install_file("/srv/exchsrvr/bin/store.exe", "replaced", "5.5.2448.0",
                        "5.5.2650.24", "a" * 64, "b" * 64),
           install_file(MDBPERF, "skipped", "5.5.2448.0", "5.5.2448.0", "c" * 64, "c" * 64,
                        [{"pid": 2113, "name": "perfmon", "how": ["mapped"],
                          "unit": "perfmon.service"}]),
           install_file("/srv/exchsrvr/bin/readme.exe", "created", None, None, None, "d" * 64),
           install_file("/srv/winnt/system32/Edbbcli.dll", "modified", "5.5", "5.5",
                        "e" * 64, "f" * 64)],
    findings=[])


def finding(text, path=MDBPERF, kind="missing-export"):
    return {"kind": kind, "path": path, "name": os.path.basename(path), "version": None,
            "needs": None, "from": None, "from_version": None, "text": text}


def verification(verdict="fits", findings=(), modules=19, product="exchange55",
                 title="Microsoft Exchange Server 5.5", **more):
    return dict({"product": product, "title": title, "verdict": verdict, "at": AT,
                 "took_us": 31000, "files": modules, "modules": modules, "checked": modules,
                 "read": 2, "findings": list(findings), "more_findings": 0, "accepted": [], "hints": [], "versions": [],
                 "payload": None, "coverage": [], "install": None, "reasons": [],
                 "next": []}, **more)


VERIFIED_MIXED = verification(
    "mixed", [finding("dsamain.exe needs EcPerfOpenEx, which mdbperf.dll 5.5.2448.0 does not "
                      "export", "/srv/exchsrvr/bin/dsamain.exe"),
              finding("Edbbcli.dll is 5.5.2448.0, the service pack has 5.5.2650.24",
                      "/srv/winnt/system32/Edbbcli.dll", "older")],
    versions=[{"company": "Microsoft Corporation", "product": "Exchange", "versions": [
        {"version": "5.5.2448.0", "modules": 2}, {"version": "5.5.2650.24", "modules": 16},
        {"version": None, "modules": 1}]},
        {"company": None, "product": None, "versions": [{"version": None, "modules": 1}]}],
    next=[command("check-again", "spguard check   # free the files that are in the way"),
          note("install", "run the service pack again, then: spguard verify")])


def sidestep(path=MDBPERF, state="planned", id=None, text=None):
    return {"id": id, "product": "exchange55", "path": path,
            "old_path": os.path.splitext(path)[0] + ".old", "obstacles": [],
            "state": state, "at": AT,
            "changed": AT, "text": text}


SCENARIOS = {
    **{name: {"check": checks.join([said])} for name, said in (
        ("blocked", BLOCKED), ("busy", BUSY), ("unknown", UNKNOWN),
        ("attention", ATTENTION), ("safe", SAFE))},
    "many": {"check": checks.join([SAFE, BLOCKED])},
    "sick": {"status": SICK},
}



def count(n, of=2, unseen=0, *breakers):
    return {"free": n, "of": of, "unseen": unseen,
            "breakers": [{"name": name, "unit": None, "times": times}
                         for name, times in breakers]}


def windows(slot=lambda day, hour: count(0), best=(), **more):
    """@slot(day, hour) tells of each hour of the week."""
    return {"product": "exchange55", "title": "Microsoft Exchange Server 5.5", "for": 1800.0,
            "days": 14, "since": "2026-11-08T12:30:00Z", "until": "2026-11-22T13:00:00Z",
            "zone": "CET", "unseen_s": 0.0, "best": list(best),
            "slots": [dict(slot(day, hour), day=day, hour=hour)
                      for day in range(7) for hour in range(24)], **more}


WINDOWS = windows(
    lambda day, hour: count(2) if day == 6 and 2 <= hour < 5 else
    count(1, 2, 1) if day == 5 else count(0, 2, 2) if day == 0 else
    count(0, 2, 0, ("perfmon", 2), (None, 1)),
    [dict(count(2), day=6, **{"from": "02:00"}, to_day=6, to="04:30", length=9000),
     dict(count(1, 2, 1, ("backup", 1)), day=5, **{"from": "22:00"}, to_day=6, to="02:00",
          length=14400)],
    unseen_s=86400.0)

DEFAULT = {
    "hello": HELLO, "check": checks.join([BLOCKED]), "status": STATUS, "log": LOG,
    "who": {"at": AT, "files": [dict(f, product="exchange55") for f in BUSY["files"]
                                if f["uses"]], "coverage": []},
    "locks": {"at": AT, "coverage": [], "locks": [
        dict(lock(), path=MDBPERF, product="exchange55", user="exchange",
             unit="msexchangeis.service", started="2026-11-20T08:00:00Z"),
        dict(lock("backup", 4100, "waiting", 100, 199), path=MDBPERF, product="exchange55",
             user="root", unit=None, started="2026-11-22T12:58:01Z")]},
    "installs": {"installs": [install(4, "running", 3, 0), install(),
                              install(2, "clean", 12, 0, follows=1, by=None, command=None)]},
    "installs.accept": {"accepted": 3},
    "verify": {"verdict": "mixed", "products": [VERIFIED_MIXED]},
    "maintenance": WINDOWS,
    "flush": {"flushed": True, "last_id": 4711},
    "reload": {"reloaded": True, "products": ["exchange55", "other"], "notes": []},
    "subscribe": Then({"subscription": 1}, [
        ("event", event(20, "2026-11-22T13:00:00Z", "open")),
        ("event", event(21, "2026-11-22T13:00:01Z", "verdict", path=None, pid=None, name=None,
                        verdict="blocked", detail="Mdbperf.dll is mapped by perfmon")),
        ("verdict", {"product": "exchange55", "verdict": "blocked", "at": AT,
                     "reasons": [HELD, note("other", "x")]}),
        ("event", dict(GAP, id=22)),
        ("event", {"dropped": 1234})]),
}


class FakeDaemon:
    def __init__(self, answers=None, path=None):
        self.answers = dict(DEFAULT, **(answers or {}))
        self.requests = []
        self.folder = None if path else tempfile.mkdtemp(prefix="spguard-fake-")
        self.path = path or os.path.join(self.folder, "s")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(8)
        self.sessions = []
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for session in self.sessions:
            try:
                session.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            session.close()
        if os.path.exists(self.path):
            os.unlink(self.path)
        if self.folder:
            os.rmdir(self.folder)

    def tell(self, method, params):
        """A notification, to everybody who is connected."""
        line = json.dumps({"jsonrpc": "2.0", "method": method, "params": params})
        for session in self.sessions:
            try:
                session.sendall(line.encode() + b"\n")
            except OSError:
                pass

    def params(self, method):
        """The parameters of the last request for @method."""
        return [r.get("params") for r in self.requests if r["method"] == method][-1]

    def _accept(self):
        while True:
            try:
                session, _ = self.listener.accept()
            except OSError:
                return
            self.sessions.append(session)
            threading.Thread(target=self._serve, args=(session,), daemon=True).start()

    def _serve(self, session):
        try:
            for line in session.makefile("rb"):
                request = json.loads(line)
                self.requests.append(request)
                if not self._answer(session, request):
                    session.shutdown(socket.SHUT_RDWR)
                    return
        except (OSError, ValueError):
            pass

    def _answer(self, session, request):
        said = self.answers.get(request["method"],
                                Error(-32601, "no such method", "rpc.discover lists them"))
        if callable(said):
            said = said(request.get("params") or {})
        for method, params in getattr(said, "notifications_before", []):
            session.sendall(json.dumps(
                {"jsonrpc": "2.0", "method": method, "params": params}).encode() + b"\n")
        reply = {"jsonrpc": "2.0", "id": request["id"]}
        if isinstance(said, Act):
            session.sendall(said.raw)
            return not said.close
        if isinstance(said, Error):
            reply["error"] = {"code": said.code, "message": said.message}
            if said.hint:
                reply["error"]["data"] = {"hint": said.hint}
        else:
            reply["result"] = said.result if isinstance(said, (Then, Telling)) else said
        session.sendall(json.dumps(reply).encode() + b"\n")
        for method, params in getattr(said, "notifications", []):
            session.sendall(json.dumps(
                {"jsonrpc": "2.0", "method": method, "params": params}).encode() + b"\n")
        return not getattr(said, "close", False)


if __name__ == "__main__":
    daemon = FakeDaemon(SCENARIOS.get(sys.argv[2], {}) if len(sys.argv) > 2 else {},
                        sys.argv[1])
    daemon.thread.join()
