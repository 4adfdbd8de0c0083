# SPDX-License-Identifier: MIT
"""Made-up daemons for the page: products, who holds what now, and a history. All of
it follows from the seed and from the moment that the world takes for now."""
import datetime
import random

import checks

HOUR, DAY = 3600, 86400

# A Saturday's early morning, of a maintenance window.
FIXED = datetime.datetime(2026, 11, 28, 2, 14, 36, 512000,
                          tzinfo=datetime.timezone.utc).timestamp()

EXCHANGE = """Mdbperf.dll Edbbcli.dll Dsamain.exe Store.exe Mad.exe Emsmta.exe Ecperf.dll
Mtaperf.dll Dsperf.dll Imcperf.dll Esebcli2.dll Ese97.dll Exchmem.dll Mdbtask.dll Gapi32.dll
Dsaccess.dll Msexcimc.exe Events.exe Exosal.dll Perfctrs.dll""".split()


class Refused(Exception):
    def __init__(self, message, status=503, code=-32004, hint=""):
        super().__init__(message)
        self.status, self.code, self.hint = status, code, hint


def rfc3339(at):
    if at is None:
        return None
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).isoformat(
        timespec="microseconds").replace("+00:00", "Z")


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Bar:
    def __init__(self, path, start, end, how, name, pid, unit=None, stops=False, cut=False,
                 user="root"):
        # To the millisecond, as finely as a browser knows time.
        self.path, self.start, self.how = path, round(start, 3), how
        self.end = None if end is None else round(end, 3)
        self.name, self.pid, self.unit, self.user = name, pid, unit, user
        self.stops, self.cut = stops, cut


def note(kind, text, **more):
    """A reason or a step; with "command", a step that is one."""
    return {"kind": kind, **more, "text": text}


RUN_AGAIN = note("install", "run the service pack again, until it finishes clean: spguard "
                            "installs")
NOT_REPLACED = note("not-replaced",
                    "mdbperf.dll was not replaced: perfmon (pid 19419) had it mapped")
MISFIT = note("misfit", "dsamain.exe needs EcPerfOpenEx, which mdbperf.dll 5.5.2448.0 does not "
                        "export")


class Product:
    def __init__(self, name, title, files):
        self.name, self.title, self.files = name, title, files
        self.bars, self.gaps, self.installs, self.holds = [], [], [], []
        self.recorded_since = None
        self.forced = None       # (verdict, reasons, next)
        self.coverage, self.advice, self.complete = [], {}, True
        self.remarks = []
        self.old = []            # (bar, when its file was replaced) of old versions
        self.since = None

    def use(self, path, start, how, name, pid, **more):
        """Somebody holds a file from now on."""
        bar = Bar(path, start, None, how, name, pid, **more)
        self.bars.append(bar)
        return bar

    def now(self, path=None):
        return [b for b in self.bars if b.end is None and path in (None, b.path)]

    def blocked(self):
        return sorted({b.path for b in self.now() if not b.stops})

    def verdict(self):
        return self.forced[0] if self.forced else "blocked" if self.blocked() else "safe"


class World:
    def __init__(self, products, now=None, seed=1):
        self.products, self.random = products, random.Random(seed)
        self.fixed, self.tier, self.generation = now, "bpf", 4711
        self.host = "mail1"
        self.show = True          # show-processes
        self.refuse = None        # a Refused for every question
        self.more = False

    def clock(self):
        import time
        return self.fixed if self.fixed is not None else time.time()

    def product(self, name):
        for product in self.products:
            if name in (None, product.name):
                return product
        raise Refused(f"there is no product '{name}'", 404, -32002)

    def answer(self, method, params):
        if self.refuse:
            raise self.refuse
        act = getattr(self, f"answer_{method}", None)
        if not act:
            raise Refused(f"there is nothing at /api/{method}", 404)
        return act(params)

    # ---- check ----

    def answer_check(self, params):
        asked = [self.product(params["product"])] if "product" in params else self.products
        return checks.join([self.check(p, "all" in params) for p in asked])

    def check(self, product, everything):
        blocked, held = product.blocked(), {}
        for bar in product.now():
            held.setdefault(bar.path, []).append(bar)
        files = []
        for path in product.files:
            uses = held.get(path, [])
            state = ("blocked" if any(not b.stops for b in uses)
                     else "held-by-setup-stopped" if uses else "free")
            if uses or everything:
                files.append({"path": path, "state": state, "replaced": False,
                              "uses": [self.render_use(b) for b in uses], "locks": [],
                              "obstacles": [],
                              "advice": product.advice.get(path)})
        for bar, at in product.old:
            files.append({"path": bar.path, "state": "blocked", "replaced": True,
                          "replaced_at": at and rfc3339(at), "uses": [self.render_use(bar)],
                          "locks": [], "obstacles": [], "advice": None})
        verdict, reasons, steps = product.forced or (product.verdict(), *self.explain(product))
        return {
            "verdict": verdict,
            "without_blocked": "safe" if verdict == "blocked" else verdict,
            "product": product.name, "title": product.title,
            "at": rfc3339(self.clock()), "generation": self.generation,
            "proof": {"tier": self.tier, "files": len(product.files), "took_us": 1874,
                      "tries": 1, "complete": product.complete,
                      "coverage": product.coverage},
            "counts": {"files": len(product.files), "blocked": len(blocked), "open": 0,
                       "mapped": 0, "executing": 0, "locked": 0, "waiting": 0,
                       "unattributed": 0, "obstructed": 0},
            "files": files, "reasons": reasons, "next": steps,
            "remarks": product.remarks if self.show else []}

    def render_use(self, bar):
        shown = self.show
        return {"how": bar.how, "pid": bar.pid if shown else None,
                "started": rfc3339(bar.start - 60) if shown else None,
                "name": bar.name if shown else None,
                "exe": f"/usr/bin/{bar.name}" if shown else None,
                "user": bar.user if shown else None, "unit": bar.unit if shown else None,
                "since": rfc3339(bar.start), "class": "setup-stops" if bar.stops else "blocker"}

    def explain(self, product):
        bars = [b for b in product.now() if not b.stops]
        if not bars:
            return [], []
        if not self.show:
            n = len({b.path for b in bars})
            return ([note("files-in-use", "one file is in use" if n == 1
                          else f"{n} files are in use", count=n)],
                    [note("ask-server", "on the server: spguard check")])
        reasons = [note("in-use", f"{b.path.rsplit('/', 1)[1]} is {' and '.join(b.how)} by "
                        f"{b.name} (pid {b.pid})", file=b.path, pid=b.pid, name=b.name,
                        how=b.how) for b in bars]
        steps = []
        for bar in bars:
            stop, kill = f"systemctl stop {bar.unit}", f"kill {bar.pid}"
            step = note("stop-unit", stop, command=stop, unit=bar.unit) if bar.unit else \
                note("stop-process", f"{kill}   # {bar.name}", command=kill, pid=bar.pid)
            if step not in steps:
                steps.append(step)
        if len(reasons) > 20:
            more = len(reasons) - 20
            reasons[20:] = [note("more", f"and {more} more reasons", count=more)]
        return reasons, steps[:20]

    def verdict_event(self, product):
        return {"product": product.name, "verdict": product.verdict(),
                "at": rfc3339(self.clock()), "reasons": self.explain(product)[0]}

    # ---- history ----

    def answer_timeline(self, params):
        product = self.product(params.get("product"))
        since, until = seconds(params["since"]), seconds(params["until"])
        inside = lambda start, end: start < until and (end is None or end >= since)  # noqa: E731
        files = {}
        for bar in product.bars:
            if inside(bar.start, bar.end):
                files.setdefault(bar.path, []).append({
                    "from": rfc3339(bar.start), "to": rfc3339(bar.end), "how": bar.how,
                    "name": bar.name if self.show else None,
                    "pid": bar.pid if self.show else None,
                    "unit": bar.unit if self.show else None,
                    "setup_stops": bar.stops, "cut": bar.cut})
        spans = lambda rows: [  # noqa: E731
            {**row, "from": rfc3339(row["from"]), "to": rfc3339(row["to"])}
            for row in rows if inside(row["from"], row["to"])]
        return {"product": product.name, "title": product.title, "since": params["since"],
                "until": params["until"], "recorded_since": rfc3339(product.recorded_since),
                "files": [{"path": path, "bars": bars} for path, bars in sorted(files.items())],
                "gaps": spans(product.gaps), "installs": spans(product.installs),
                "holds": spans(product.holds), "more": self.more}

    def answer_installs(self, params):
        product = self.product(params.get("product"))
        rows = []
        for install in sorted(product.installs, key=lambda i: -i["from"]):
            by = {"pid": 6120, "name": "setup.exe", "user": "root", "cmdline": "setup.exe /q"}
            rows.append({"id": install["id"], "product": product.name,
                         "began": rfc3339(install["from"]), "ended": rfc3339(install["to"]),
                         "outcome": install["outcome"], "follows": None,
                         "by": by if self.show else None,
                         "command": by["cmdline"] if self.show else None,
                         "packages": install.get("packages", []),
                         "changed": install.get("changed", 17),
                         "skipped": install.get("skipped", 0),
                         "reasons": install.get("reasons", []),
                         "next": install.get("next", [])})
        return {"installs": rows[:int(params.get("limit", 20))]}

    def answer_maintenance(self, params):
        """Counted as the daemon does it, hour by hour."""
        product, length = self.product(params.get("product")), float(params.get("for", 1800))
        days, now = int(params.get("days", 14)), self.clock()
        slots = [{"day": i // 24, "hour": i % 24, "free": 0, "of": 0, "unseen": 0,
                  "breakers": []} for i in range(168)]
        start = (now - days * DAY) // HOUR * HOUR + HOUR
        bars = [b for b in product.bars if not b.stops]
        while start + length <= now:
            at = datetime.datetime.fromtimestamp(start, datetime.timezone.utc)
            slot = slots[at.weekday() * 24 + at.hour]
            slot["of"] += 1
            broken = {b.name for b in bars if b.start < start + length and
                      (b.end is None or b.end > start)}
            if broken:
                for name in sorted(broken):
                    self.count_breaker(slot, name)
            elif (product.recorded_since or 0) > start or any(
                    g["from"] < start + length and (g["to"] is None or g["to"] > start)
                    for g in product.gaps):
                slot["unseen"] += 1
            else:
                slot["free"] += 1
            start += HOUR
        return {"product": product.name, "title": product.title, "for": length, "days": days,
                "since": rfc3339(now - days * DAY), "until": rfc3339(now), "zone": "UTC",
                "slots": slots, "best": self.best(slots, length), "unseen_s":
                sum((g["to"] or now) - g["from"] for g in product.gaps)}

    def count_breaker(self, slot, name):
        for row in slot["breakers"]:
            if row["name"] == name:
                row["times"] += 1
                return
        slot["breakers"].append({"name": name if self.show else None, "unit": None, "times": 1})

    @staticmethod
    def best(slots, length):
        out, i = [], 0
        while i < 168:
            j = i
            while j < 168 and slots[j]["of"] and slots[j]["free"] == slots[j]["of"]:
                j += 1
            if j > i:
                end = (j - 1) * HOUR + int(length)
                clock = lambda s: f"{s // HOUR % 24:02}:{s // 60 % 60:02}"  # noqa: E731
                out.append({"day": i // 24, "from": clock(i * HOUR), "to_day": end // DAY % 7,
                            "to": clock(end), "length": end - i * HOUR,
                            "free": slots[i]["free"], "of": slots[i]["of"], "unseen": 0,
                            "breakers": []})
            i = max(j, i + 1)
        return sorted(out, key=lambda r: -r["length"])[:10]

    def answer_status(self, _params):
        now = self.clock()
        return {"version": "0.1.0", "host": self.host, "tier": self.tier, "uptime": 9 * DAY + 4 * HOUR,
                "started": rfc3339(now - 9 * DAY - 4 * HOUR),
                "products": [{"name": p.name, "title": p.title, "verdict": p.verdict(),
                              "verdict_at": rfc3339(now),
                              "verdict_since": rfc3339(p.since or now - 3 * HOUR - 420)}
                             for p in self.products],
                "store": {"rows": 81234, "bytes": 14 << 20, "stopped": False, "why": None,
                          "oldest": rfc3339(self.products[0].recorded_since)},
                "coverage": []}


# ---- worlds ----

def exchange(now, seed=1, weeks=True):
    """Twenty files, and two weeks of a normal life."""
    rng = random.Random(seed)
    folder = "/srv/exchsrvr/bin"
    files = sorted(f"{'/srv/winnt/system32' if n in ('Edbbcli.dll', 'Perfctrs.dll') else folder}"
                   f"/{n}" for n in EXCHANGE)
    product = Product("exchange55", "Microsoft Exchange Server 5.5", files)
    product.recorded_since = now - 13.6 * DAY
    product.since = now - 0.7 * HOUR
    if weeks:
        live_in(product, now, rng)
    return product


def live_in(product, now, rng):
    midnight = now // DAY * DAY
    perf = [f for f in product.files if "perf" in f.lower()]
    exes = [f for f in product.files if f.endswith(".exe")]
    for back in range(14):
        day = midnight - back * DAY
        weekday = datetime.datetime.fromtimestamp(day, datetime.timezone.utc).weekday()
        if weekday < 5:
            for i, path in enumerate(perf[:4]):
                start = day + 7.6 * HOUR + rng.random() * HOUR + i * 240
                add(product, now, path, start, start + (8 + 2 * rng.random()) * HOUR,
                    ["mapped"], "perfmon", 2100 + back, unit="perfmon.service")
        start = day + 1 * HOUR + 120 * rng.random()
        for path in product.files:  # the nightly backup goes through all of them
            length = 25 + 160 * rng.random()
            add(product, now, path, start, start + length,
                ["open", "locked"] if rng.random() < 0.3 else ["open"], "backup-agent",
                900 + back, unit="backup.service")
            start += length
        for _ in range(5):
            start = day + 24 * HOUR * rng.random()
            add(product, now, rng.choice(product.files), start,
                start + 60 + 1500 * rng.random(), ["open"], "av-scan", 400 + back)
        if weekday == 2:
            add(product, now, perf[-1], day + 15 * HOUR, day + 16.4 * HOUR, ["write"],
                "notepad.exe", 3300 + back, user="amy")
    for path in exes[:3]:
        restart = midnight - 4 * DAY + 3.2 * HOUR
        name = path.rsplit("/", 1)[1].lower()
        add(product, now, path, now - 13.6 * DAY, restart, ["executing"], name, 700,
            unit="exchange.service", stops=True, cut=path == exes[0])
        product.use(path, restart + 90, ["executing"], name, 1700 + len(path),
                    unit="exchange.service", stops=True)
    product.gaps += [
        {"from": midnight - 3 * DAY + 3.1 * HOUR, "to": midnight - 3 * DAY + 4.4 * HOUR,
         "reason": "downtime"},
        {"from": midnight - 9 * DAY + 11 * HOUR, "to": midnight - 9 * DAY + 11.2 * HOUR,
         "reason": "overflow"}]
    product.installs += [
        {"id": 7, "from": midnight - 6 * DAY + 22.1 * HOUR, "to": midnight - 6 * DAY + 22.4 * HOUR,
         "outcome": "mixed", "changed": 17, "skipped": 3,
         "reasons": [NOT_REPLACED, MISFIT], "next": [RUN_AGAIN]},
        {"id": 8, "from": midnight - 6 * DAY + 22.9 * HOUR,
         "to": midnight - 6 * DAY + 23.15 * HOUR, "outcome": "clean", "changed": 20},
        {"id": 9, "from": midnight - 1 * DAY + 21.5 * HOUR,
         "to": midnight - 1 * DAY + 21.62 * HOUR, "outcome": "clean", "changed": 4,
         "packages": [{"name": name, "from": old, "to": new, "from_known": True}
                      for name, old, new in (
                          ("liba", "1", "2"), ("libb", None, "2"), ("libc", "1", None),
                          ("libd", "1", "1"), ("libe", "1", "2"))]}]
    product.holds += [{"from": midnight - 6 * DAY + 22.8 * HOUR,
                       "to": midnight - 6 * DAY + 23.2 * HOUR},
                      {"from": midnight - 1 * DAY + 21.45 * HOUR,
                       "to": midnight - 1 * DAY + 21.66 * HOUR}]


def add(product, now, path, start, end, how, name, pid, **more):
    if now - 13.6 * DAY < start and end < now - 600:
        product.bars.append(Bar(path, start, end, how, name, pid, **more))
    elif start <= now - 13.6 * DAY < end < now:
        product.bars.append(Bar(path, now - 13.6 * DAY, end, how, name, pid, **more))


def idle(now=FIXED):
    return World([exchange(now)], now)


def block(product, now):
    """perfmon and a backup are in the way."""
    perf = [f for f in product.files if "perf" in f.lower()]
    for i, path in enumerate(perf[:3]):
        product.use(path, now - 2520 + 31 * i, ["mapped"], "perfmon", 2113,
                    unit="perfmon.service")
    product.use(product.files[-1], now - 2512, ["open", "write", "locked"], "backup-agent", 13604,
                user="backup")
    product.advice[perf[0]] = ("Close Performance Monitor, here and on every machine that "
                               "watches this server.")


def blocked(now=FIXED):
    world = idle(now)
    block(world.products[0], now)
    return world


def withheld(now=FIXED):
    world = blocked(now)
    world.show = False
    return world


def attention(now=FIXED):
    world = idle(now)
    world.products[0].forced = ("attention", [MISFIT, NOT_REPLACED], [RUN_AGAIN])
    return world


def unknown(now=FIXED):
    world = idle(now)
    product = world.products[0]
    product.forced = ("unknown", [note(
        "not-looked-at", "could not look at /srv/share: it is a network filesystem; users on "
        "other machines are invisible")], [])
    product.complete = False
    product.coverage = [
        {"kind": "users-elsewhere", "what": "/srv/share", "why": "it is a network filesystem; users on other machines are "
         "invisible", "remedy": "ask on the file server as well", "blinds": True},
        {"kind": "mechanism", "what": "processes of a container", "why": "pid namespace of its own",
         "remedy": "spguardd has to run on the host", "blinds": True},
        {"kind": "file", "what": "/srv/exchsrvr/bin/old", "why": "it was made a moment ago",
         "remedy": None, "blinds": False}]
    return world


def many(now=FIXED, n=2000, used=160, seed=3):
    """Thousands of files in a few folders; some of them busy all week."""
    rng = random.Random(seed)
    folders = [f"/opt/shop/{part}" for part in
               ("bin", "lib", "lib/plugins/payment", "lib/plugins/search", "lib64", "share/i18n")]
    files = sorted(f"{rng.choice(folders)}/lib{rng.choice(['shop', 'pay', 'idx', 'ui'])}"
                   f"-{i:04}.so" for i in range(n))
    product = Product("shop", "The shop", files)
    product.recorded_since = now - 30 * DAY
    for path in rng.sample(files, used):
        name, unit = rng.choice([("shopd", "shop.service"), ("indexer", "indexer.service"),
                                 ("reportd", "report.service"), ("java", None)])
        start = now - 13 * DAY + rng.random() * DAY
        while start < now - HOUR:
            end = start + (0.2 + 5 * rng.random()) * HOUR
            add(product, now, path, start, min(end, now - 700), [rng.choice(
                ["mapped", "open", "executing"])], name, rng.randrange(300, 30000), unit=unit,
                stops=name == "shopd")
            start = end + (0.5 + 20 * rng.random()) * HOUR
    for path in rng.sample(files, 90):
        product.use(path, now - 5 * HOUR * rng.random(), ["mapped"], "reportd", 8121,
                    unit="report.service", user="shop")
    return World([product], now)


def several(now=FIXED):
    """A wall of products, one of each kind."""
    products = [exchange(now)]
    block(products[0], now)
    names = (("shop", "The shop", "safe"), ("crm", "Customer relations 8.2", "attention"),
             ("print", "Print server", "unknown"), ("portal", "Employee portal", "safe"),
             ("erp", "Enterprise planning", "safe"))
    for i, (name, title, verdict) in enumerate(names):
        product = Product(name, title, [f"/opt/{name}/bin/{name}{k}.so" for k in range(30 + i)])
        product.recorded_since, product.since = now - 9 * DAY, now - (i + 1) * 9000
        if verdict == "attention":
            product.forced = (verdict, [
                note("unreadable", "could not read crm3.so: permission denied")],
                [note("verify", "spguard verify --product crm",
                      command="spguard verify --product crm")])
        elif verdict == "unknown":
            product.forced = (verdict, [note(
                "not-looked-at", "could not look at /mnt/q: the server does not answer")], [])
            product.coverage = [{"kind": "directory-silent", "what": "/mnt/q", "why": "the server does not answer",
                                 "remedy": "mount it again", "blinds": True}]
        products.append(product)
    return World(products, now)


def hostile(now=FIXED):
    """Names that would like to be markup."""
    bad = '<img src=x onerror="window.hacked=1">'
    product = Product("app", f"{bad}</script><script>window.hacked=2</script>",
                      [f"/srv/{bad}/{bad}.dll", "/srv/app/\u202egnp.exe.dll",
                       "/srv/app/" + "very-long-name-" * 30 + ".dll"])
    product.recorded_since = now - 2 * DAY
    for i, path in enumerate(product.files):
        product.use(path, now - 900 - i, ["mapped"], bad, 66 + i, unit=f"{bad}.service" if i
                    else None, user=bad)
    product.advice[product.files[0]] = f"{bad} javascript:alert(1)"
    product.coverage = [{"kind": bad, "what": bad, "why": bad, "remedy": f"mount {bad}",
                         "command": f"mount {bad}", "blinds": True}]
    product.gaps = [{"from": now - 7200, "to": now - 3600, "reason": bad}]
    product.installs = [{"id": 1, "from": now - 9000, "to": now - 8000, "outcome": bad,
                         "reasons": [note(bad, bad)],
                         "next": [note(bad, bad, command=bad)]}]
    world = World([product], now)
    world.host = bad
    return world


def empty(now=FIXED):
    """A product with its files, and no history at all."""
    product = exchange(now, weeks=False)
    product.recorded_since = None
    return World([product], now)


worlds = {f.__name__: f for f in (idle, blocked, withheld, attention, unknown, many, several,
                                  hostile, empty)}
