#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The page in a real browser: headless Chromium, against a stand-in for the daemon
whose answers are known (page_worlds.py), with the policy that the daemon sends."""
import json
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import page_server  # noqa: E402
import page_worlds  # noqa: E402
from browser import Browser, find_chromium  # noqa: E402
from page_worlds import DAY, FIXED, HOUR  # noqa: E402
from tap import main  # noqa: E402

BUILD = os.environ.get("SPGUARD_BUILD", "")

# A second, on a machine that has the time.

SHOWN = ("document.querySelector('.card') && timeline.history.since !== null && "
         "!timeline.frame && document.querySelector('.week') && daemonStatus && "
         "(timeline.states.size || !products.get(chosen).answer)")
VERDICT = "document.querySelector('.card')?.dataset.verdict"


def setUpModule():
    if not find_chromium():
        raise unittest.SkipTest("chromium is not installed")
    PageTest.browser = Browser()


def tearDownModule():
    if getattr(PageTest, "browser", None):
        PageTest.browser.close()


class PageTest(unittest.TestCase):
    browser = None
    maxDiff = None

    def serve(self, world, **options):
        server = page_server.StandIn(world, **options)
        self.addCleanup(lambda: server.server.socket.fileno() == -1 or server.stop())
        return server

    def open(self, server, shown=SHOWN, hash="", **options):
        page = self.browser.page(**options)
        self.addCleanup(page.close)
        page.open(server.address + hash)
        page.wait(shown)
        return page

    def visit(self, name, now=FIXED, **options):
        """A page that shows a world: both."""
        server = self.serve(page_worlds.worlds[name](now))
        return server, self.open(server, **options)

    def is_quiet(self, server, page):
        self.assertEqual(page.problems, [])
        elsewhere = [a for a in page.requests
                     if not a.startswith((server.address, "data:", "about:"))]
        self.assertEqual(elsewhere, [])

    def rows(self, page, kind="uses"):
        """The timeline's table: the data of its rows."""
        page.eval("byId('table-fold').open = true")
        page.wait("byId('table-body').dataset.uses !== undefined")
        page.eval("""(() => {
            table.pages = 1e6;
            table.fill();
        })()""")
        return page.eval(f"""[...document.querySelectorAll('#table-body .{kind} tbody tr')]
            .map((row) => ({{...row.dataset}}))""")


class VerdictTest(PageTest):
    def test_blocked_is_shown_and_announced(self):
        server = self.serve(page_worlds.idle(time.time()))
        server.world.fixed = None
        page = self.open(server, SHOWN + " && live.streaming")
        self.assertEqual(page.eval(VERDICT), "safe")
        caused = time.time()
        server.change(lambda world: page_worlds.block(world.products[0], caused))
        page.wait(VERDICT + " === 'blocked'")
        page.wait("document.querySelector('#holders .group')")
        self.assertIn("blocked", page.wait("byId('announce').textContent"))
        self.is_quiet(server, page)

    def test_who_and_what_to_do(self):
        server, page = self.visit("blocked")
        self.assertEqual(page.text(".card .word").lower(), "blocked")
        self.assertEqual(page.text(".card .summary"), "4 of 20 files are in the way.")
        self.assertIn("proved", page.text(".card .proof").lower())
        self.assertIn("tier bpf", page.text(".card .proof"))
        groups = page.eval("""[...document.querySelectorAll('#holders .groups')][0] &&
            [...document.querySelectorAll('#holders .groups')[0].children].map((group) => [
                group.querySelector('h3').innerText,
                [...group.querySelectorAll('.files li')].map((li) => li.dataset.path),
                [...group.querySelectorAll('.command')].map((c) => c.dataset.command)])""")
        bin_ = "/srv/exchsrvr/bin/"
        self.assertEqual(groups, [
            ["perfmon.service", [bin_ + "Dsperf.dll", bin_ + "Ecperf.dll", bin_ + "Imcperf.dll"],
             ["systemctl stop perfmon.service"]],
            ["backup-agent", ["/srv/winnt/system32/Perfctrs.dll"], ["kill 13604"]]])
        self.assertIn("Close Performance Monitor", page.text("#holders .next"))
        page.eval("document.querySelector('.stopped').open = true")
        self.assertIn("exchange.service", page.text("#holders .stopped"))
        self.is_quiet(server, page)

    def test_old_versions_and_what_is_good_to_know(self):
        server = self.serve(page_worlds.blocked())
        product = server.world.products[0]
        path = "/srv/winnt/system32/Perfctrs.dll"
        old = page_worlds.Bar(path, FIXED - HOUR, None, ["mapped"], "backup-agent", 13604)
        product.old = [(old, FIXED - 60)]
        product.remarks = [page_worlds.note(
            "came-back", "backup-agent came back to Perfctrs.dll twice, started by cron (pid 7)")]
        page = self.open(server)
        names = page.eval("""[...document.querySelectorAll('#holders .files li')].filter(
            (li) => li.dataset.path.endsWith('Perfctrs.dll')).map(
            (li) => li.querySelector('.name').innerText)""")
        self.assertEqual(len(names), 2)
        self.assertEqual(names[0], "Perfctrs.dll")
        self.assertRegex(names[1], r"^Perfctrs\.dll \(old, replaced \d\d:\d\d:\d\d\)$")
        self.assertIn("came back to Perfctrs.dll twice", page.text("#holders .remarks"))
        self.is_quiet(server, page)

    def test_copy(self):
        server, page = self.visit("blocked")
        self.browser.call("Browser.grantPermissions", origin=server.address.rstrip("/"),
                          permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
        page.call("Page.bringToFront")
        page.click("#holders [data-command='kill 13604'] .copy")
        page.wait("document.querySelector('.copy.done')")
        self.assertEqual(page.eval("navigator.clipboard.readText()"), "kill 13604")
        self.is_quiet(server, page)

    def test_each_verdict_has_its_word_and_shape(self):
        shapes = {}
        for world, verdict in (("idle", "safe"), ("blocked", "blocked"),
                               ("attention", "attention"), ("unknown", "unknown")):
            server, page = self.visit(world)
            self.assertEqual(page.eval(VERDICT), verdict)
            self.assertEqual(page.text(".card .word").lower(), verdict)
            shapes[page.eval("document.querySelector('.card path').getAttribute('d')")] = verdict
            self.assertTrue(page.eval("document.title").lower().startswith(verdict))
            self.is_quiet(server, page)
        self.assertEqual(len(shapes), 4)

    def test_why_it_is_not_known(self):
        _, page = self.visit("unknown")
        lacks = page.eval("""[...document.querySelectorAll('.lacks li')].map((li) =>
            [li.className, li.dataset.what, li.innerText])""")
        self.assertEqual([lack[:2] for lack in lacks], [
            ["blind", "/srv/share"], ["blind", "processes of a container"],
            ["note", "/srv/exchsrvr/bin/old"]])
        self.assertIn("ask on the file server as well", lacks[0][2])

    def test_a_verdict_without_a_word_is_unknown(self):
        server = self.serve(page_worlds.idle())
        server.world.products[0].forced = ("splendid", [], [])
        page = self.open(server)
        self.assertEqual(page.eval(VERDICT), "unknown")

    def test_several_products(self):
        server, page = self.visit("several")
        verdicts = page.eval("[...document.querySelectorAll('.card')].map((c) => "
                             "c.dataset.verdict)")
        self.assertEqual(verdicts, ["blocked", "unknown", "attention", "safe", "safe", "safe"])
        page.click(".card[data-product='print'] button")
        page.wait("document.querySelector('.card[data-chosen=yes]').dataset.product === 'print'")
        self.assertIn("mount it again", page.wait("byId('holders-body').innerText"))
        self.assertIn("product=print", page.eval("location.hash"))
        page.call("Page.reload")
        page.wait("document.querySelector('.card[data-chosen=yes]')?.dataset.product === 'print'")
        self.is_quiet(server, page)

    def test_processes_withheld(self):
        server, page = self.visit("withheld")
        self.assertEqual(page.eval(VERDICT), "blocked")
        text = page.eval("document.body.innerText")
        self.assertNotIn("perfmon", text)
        self.assertIn("show-processes = no", text)
        self.assertIn("spguard who --product exchange55", text)
        self.assertTrue(page.eval("byId('group').options[2].disabled"))
        self.assertEqual({row["who"] for row in self.rows(page)}, {""})
        self.is_quiet(server, page)


class GoneTest(PageTest):
    def is_not_current(self, page):
        """Nothing says that a verdict holds now."""
        page.wait("document.body.dataset.current === 'no'")
        self.assertEqual(page.eval("""[...document.querySelectorAll('.card')].map((card) =>
            [card.dataset.verdict, card.dataset.current])"""), [["stale", "no"]])
        self.assertEqual(page.text(".card .word").lower(), "not known now")
        self.assertTrue(page.eval("document.title").startswith("Not known"))
        self.assertFalse(page.eval("byId('gone').hidden"))
        self.assertTrue(page.eval("byId('holders').hidden || "
                                  "byId('holders').classList.contains('old')"))

    def test_gone_and_back(self):
        server, page = self.visit("idle")
        page.wait("live.streaming")
        server.stop()
        self.is_not_current(page)
        self.assertIn("cannot be reached", page.text("#gone"))
        self.assertIn("cannot be reached", page.eval("byId('announce').textContent"))
        self.assertIn("It was safe at", page.text(".card .summary"))
        # What lasted is not said to last any more, and nobody says that files are free.
        page.eval("byId('table-fold').open = true")
        self.assertTrue([row for row in self.rows(page, "others") if row["kind"] == "gap" and
                         row["to"] == ""])
        server.start()
        page.wait("document.body.dataset.current === 'yes' && live.streaming")
        self.assertEqual(page.eval(VERDICT), "safe")
        self.assertTrue(page.eval("byId('gone').hidden"))
        page.wait("timeline.history.lostAt === null")

    def test_silent(self):
        """It takes the question and never answers."""
        server, page = self.visit("idle")
        page.wait("live.streaming")
        page.eval("TIMEOUTS.check = 300")
        with server.lock:
            page.eval("live.prove()")
            self.is_not_current(page)
        page.wait("document.body.dataset.current === 'yes'")

    def test_refused(self):
        server, page = self.visit("idle")
        server.world.refuse = page_worlds.Refused("the daemon is busy", hint="ask again later")
        page.eval("live.prove()")
        self.is_not_current(page)
        self.assertIn("the daemon is busy", page.text("#gone"))
        self.assertIn("Ask again later", page.text("#gone"))
        server.world.refuse = None
        page.wait("document.body.dataset.current === 'yes'")

    def test_old_answers_are_not_current(self):
        """A page that slept: its answer is old before anything has failed."""
        _, page = self.visit("idle")
        page.eval("live.prove = () => {}")
        page.eval("live.answeredAt -= 3600 * 1000")
        page.eval("live.wake()")
        self.is_not_current(page)

    def test_never_there(self):
        server = self.serve(page_worlds.idle())
        server.world.refuse = page_worlds.Refused("it starts", 503)
        page = self.open(server, "!byId('gone').hidden")
        self.assertIn("it starts", page.text("#gone"))
        self.assertEqual(page.eval("document.querySelectorAll('.card').length"), 0)
        server.world.refuse = None
        page.wait(f"{VERDICT} === 'safe'")

    def test_without_a_stream(self):
        server = self.serve(page_worlds.idle(), streams=False)
        page = self.open(server, SHOWN + " && live.state() === 'polling'")
        server.change(lambda world: page_worlds.block(world.products[0], FIXED))
        page.wait(f"{VERDICT} === 'blocked'")
        self.assertEqual(page.text("#connection-text"), "Asking every 3 s")

    def test_an_older_answer_is_no_news(self):
        """An answer to a question from before the event that was heard."""
        _, page = self.visit("blocked")
        self.assertFalse(page.eval("""(() => {
            const product = products.get("exchange55"), asked = performance.now() - 1;
            product.hear({product: "exchange55", verdict: "unknown", reasons: [{kind: "other", text: "x"}]});
            return product.learn({...product.answer, verdict: "safe"}, asked);
        })()"""))
        self.assertEqual(page.eval("products.get('exchange55').verdict"), "unknown")


class TimelineTest(PageTest):
    def expected(self, world, seconds):
        """The bars of the last @seconds, as the table has to have them."""
        since = world.clock() - seconds
        return sorted((b.path, round(b.start * 1000), round(b.end * 1000) if b.end else "",
                       " ".join(b.how), b.name)
                      for b in world.products[0].bars if b.end is None or b.end >= since)

    def told(self, page):
        return sorted((row["path"], round(float(row["from"])),
                       round(float(row["to"])) if row["to"] else "", row["how"], row["who"])
                      for row in self.rows(page))

    def near(self, told, expected, edge):
        """Equal, but for bars that end within a minute of the beginning of the view:
        that has moved since."""
        def inner(rows):
            return [row for row in rows if not row[2] or row[2] > edge + 60000]
        self.assertEqual(inner(told), inner(expected))
        self.assertTrue(inner(expected))

    def test_bars(self):
        server, page = self.visit("blocked")
        for name, seconds in (("hour", HOUR), ("day", DAY), ("week", 7 * DAY)):
            page.click(f"[data-range={name}]")
            page.wait(f"timeline.range === '{name}' && timeline.isLoaded()")
            page.eval("timeline.rebuild()")
            self.near(self.told(page), self.expected(server.world, seconds),
                      1000 * (FIXED - seconds))
        others = {(row["kind"], row["from"]) for row in self.rows(page, "others")}
        product = server.world.products[0]
        for kind, spans in (("install", product.installs), ("hold", product.holds),
                            ("gap", product.gaps[:1])):
            for span in spans:
                self.assertIn((kind, str(round(span["from"] * 1000))), others)
        self.is_quiet(server, page)

    def test_drawn_where_it_belongs(self):
        """The canvas has the colour of the bar's kind in the middle of each long bar."""
        _, page = self.visit("blocked", hash="#range=hour")
        page.wait("timeline.rows.nUsed && !timeline.frame")
        wrong = page.eval("""(() => {
            const wrong = [], {painter, rows} = timeline;
            const hex = (name) => painter.colour[name].slice(1).match(/../g).map((h) =>
                parseInt(h, 16));
            let seen = 0;
            rows.rows.forEach((row, i) => row.kind === "file" && row.lanes.forEach((bars, lane) => {
                for (const bar of bars) {
                    const [from, to] = painter.across(bar, 2);
                    const y = painter.head + rows.tops[i] + rows.laneTop(row, lane) +
                        rows.laneHeight(row) - 3;
                    if (to - from < 40 || bar.stops || y > painter.height - 4)
                        continue;
                    seen++;
                    const at = [...painter.context.getImageData((to - 8) * painter.ratio,
                        y * painter.ratio, 1, 1).data].slice(0, 3);
                    if (at.some((v, k) => Math.abs(v - hex(bar.kind)[k]) > 6))
                        wrong.push([row.path, bar.kind, at]);
                }
            }));
            return [seen, wrong];
        })()""")
        self.assertGreaterEqual(wrong[0], 4)
        self.assertEqual(wrong[1], [])

    def test_lives(self):
        """What begins and ends shows without being asked for."""
        server = self.serve(page_worlds.idle(time.time()))
        server.world.fixed = None
        page = self.open(server, SHOWN + " && live.streaming", hash="#range=hour")
        product = server.world.products[0]
        path = product.files[0]
        event = {"kind": "use-begin", "path": path, "product": product.name, "pid": 77}
        with server.lock:
            bar = product.use(path, time.time(), ["mapped"], "newcomer", 77)
        server.tell("event", event)
        page.wait(f"timeline.history.files.get({json.dumps(path)})?.some((bar) => "
                  "bar.name === 'newcomer' && bar.to === null)")
        with server.lock:
            bar.end = time.time()
        server.tell("event", {**event, "kind": "use-end"})
        page.wait(f"timeline.history.files.get({json.dumps(path)})?.filter((bar) => "
                  "bar.name === 'newcomer').every((bar) => bar.to !== null)")
        self.assertEqual(len([row for row in self.rows(page) if row["who"] == "newcomer"]), 1)

    def test_keys(self):
        _, page = self.visit("blocked")
        page.eval("byId('tl-scroll').focus()")
        span = page.eval("timeline.span")
        page.key("+")
        self.assertAlmostEqual(page.eval("timeline.span"), span / 2, delta=1)
        self.assertTrue(page.eval("timeline.following"))
        page.key("-")
        before = page.eval("timeline.view.from")
        page.key("ArrowLeft")
        self.assertLess(page.eval("timeline.view.from"), before)
        self.assertFalse(page.eval("timeline.following"))
        page.key("End")
        self.assertTrue(page.eval("timeline.following"))
        page.key("ArrowDown")
        self.assertIn("Dsperf.dll", page.eval("byId('tl-says').textContent"))
        page.key(".")
        said = page.eval("byId('tl-says').textContent")
        self.assertRegex(said, r"^Dsperf.dll\. (Open|Mapped) by .*, \d+ ")
        self.assertFalse(page.eval("byId('tip').hidden"))
        page.key(".")
        self.assertNotEqual(page.eval("byId('tl-says').textContent"), said)
        page.key("Escape")
        self.assertTrue(page.eval("byId('tip').hidden"))
        page.key("3")
        self.assertEqual(page.eval("timeline.range"), "week")

    def test_wheel_drag_and_buttons(self):
        _, page = self.visit("blocked")
        x, y = page.eval("""(() => {
            byId("tl").scrollIntoView();
            const box = byId("tl-canvas").getBoundingClientRect();
            return [box.x + box.width * 0.7, box.y + 150];
        })()""")
        span = page.eval("timeline.span")
        page.mouse("mouseWheel", x, y, deltaX=0, deltaY=-300, modifiers=2)  # Ctrl
        page.wait(f"timeline.span < {span}")
        span, start = page.eval("timeline.span"), page.eval("timeline.view.from")
        page.mouse("mousePressed", x, y, button="left", clickCount=1)
        for step in range(1, 6):
            page.mouse("mouseMoved", x + 20 * step, y, button="left", buttons=1)
        page.mouse("mouseReleased", x + 100, y, button="left", clickCount=1)
        page.wait(f"timeline.view.from < {start}")
        self.assertAlmostEqual(page.eval("timeline.span"), span, delta=1)
        page.click("#zoom-out")
        page.wait(f"timeline.span > {span}")
        page.click("#now")
        page.wait("timeline.following")

    def test_pinch(self):
        _, page = self.visit("blocked", width=360, height=740, mobile=True)
        y = page.eval("byId('tl').scrollIntoView(), "
                      "byId('tl-canvas').getBoundingClientRect().y + 120")
        span = page.eval("timeline.span")

        def touch(kind, *xs):
            page.call("Input.dispatchTouchEvent", type=kind,
                      touchPoints=[{"x": x, "y": y, "id": i} for i, x in enumerate(xs)])

        touch("touchStart", 150, 200)
        for by in range(10, 70, 10):
            touch("touchMove", 150 - by, 200 + by)
        touch("touchEnd")
        page.wait(f"timeline.span < {span} * 0.7")

    def test_hover(self):
        _, page = self.visit("blocked")
        page.eval("byId('tl').scrollIntoView()")
        x, y = page.eval("""(() => {
            const box = byId("tl-canvas").getBoundingClientRect(), {painter, rows} = timeline;
            const row = rows.rows[0], bar = row.bars.find((b) => b.to === null);
            return [box.x + painter.x((bar.from + serverClock.now()) / 2),
                box.y + painter.head + rows.laneTop(row, 0) + 5];
        })()""")
        page.mouse("mouseMoved", x, y)
        tip = page.wait("!byId('tip').hidden && byId('tip').innerText")
        self.assertIn("Dsperf.dll", tip)
        self.assertIn("perfmon (2113), perfmon.service", tip)

    def test_thousands(self):
        server, page = self.visit("many", hash="#range=week")
        page.wait("timeline.rows.nUnused > 1000")
        self.assertEqual(page.eval("timeline.states.size"), 2000)
        labels = "document.querySelectorAll('#tl-rows .row').length"
        self.assertLess(page.eval(labels), 60)
        # Those in use first, the others in a closed group at the end.
        self.assertEqual(page.eval("timeline.rows.rows.at(-1).key"), "\0rest")
        self.assertTrue(page.eval("timeline.rows.rows.slice(0, -1).every((r) => r.bars.length)"))
        page.eval("timeline.toggle(timeline.rows.rows.at(-1))")
        page.eval("byId('tl-scroll').scrollTop = 1e9")
        last = page.eval("timeline.rows.rows.at(-1).path")
        page.wait(f"document.querySelector('#tl-rows [data-path=\"{last}\"]')")
        self.assertLess(page.eval(labels), 60)
        self.assertLess(page.eval("document.querySelectorAll('*').length"), 2000)
        page.eval("""(() => {
            const box = byId("filter");
            box.value = "libpay plugins";
            box.dispatchEvent(new Event("input"));
        })()""")
        self.assertTrue(page.eval("""timeline.rows.rows.every((row) => row.kind === "group" ||
            row.path.includes("libpay") && row.path.includes("plugins"))"""))
        self.assertGreater(page.eval("timeline.rows.rows.length"), 10)
        self.is_quiet(server, page)

    def test_groups(self):
        server, page = self.visit("many", hash="#range=week&group=process")
        groups = page.eval("""timeline.rows.rows.filter((row) => row.kind === "group")
            .map((row) => row.name)""")
        self.assertLessEqual({"report.service", "shop.service", "java"}, set(groups))
        page.eval("timeline.setGroup('directory')")
        groups = page.eval("""timeline.rows.rows.filter((row) => row.kind === "group")
            .map((row) => row.name)""")
        self.assertIn("/opt/shop/lib/plugins/search", groups)
        before = page.eval("timeline.rows.rows.length")
        page.wait("!timeline.frame")  # the rows that are clicked at are drawn
        page.click("#tl-rows .group button")
        page.wait(f"timeline.rows.rows.length < {before}")

    def test_a_click_while_rows_are_made_anew(self):
        """Answers come when they come; what was pressed before is released after."""
        _, page = self.visit("many", hash="#range=week&group=directory")
        before = page.eval("timeline.rows.rows.length")
        x, y = page.eval("""(() => {
            const node = document.querySelector("#tl-rows .group button");
            node.scrollIntoView({block: "center"});
            const box = node.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
        })()""")
        page.mouse("mousePressed", x, y, button="left", clickCount=1)
        page.eval("timeline.rebuild()")
        page.wait("!timeline.frame")
        page.mouse("mouseReleased", x, y, button="left", clickCount=1)
        page.wait(f"timeline.rows.rows.length < {before}")

    def test_quiet_times(self):
        """Where nothing happens for long, the timeline goes on all the same."""
        _, page = self.visit("idle")
        page.eval("timeline.history.until -= 3600 * 1000")
        self.assertTrue(page.eval("timeline.isBehind()"))
        page.eval("live.prove()")
        page.wait("!timeline.isBehind()")
        self.assertTrue(page.eval("timeline.isLoaded()"))

    def test_nothing_on_record(self):
        """No history is a hatched timeline, not one of free files."""
        server, page = self.visit("empty")
        gaps = [row for row in self.rows(page, "others") if row["kind"] == "gap"]
        self.assertEqual([(row["from"], row["to"]) for row in gaps], [("", "")])
        self.is_quiet(server, page)


class WeekTest(PageTest):
    def test_map_and_list(self):
        server, page = self.visit("idle")
        answer = server.world.answer("maintenance", {"for": "1800", "days": "14"})
        cells = page.eval("""[...document.querySelectorAll('.week td[data-level]')].map((td) =>
            [+td.dataset.day, +td.dataset.hour, +td.dataset.free, +td.dataset.of,
             td.getAttribute("aria-label")])""")
        self.assertEqual([cell[:4] for cell in cells],
                         [[s["day"], s["hour"], s["free"], s["of"]] for s in answer["slots"]])
        monday = next(cell[4] for cell in cells if cell[:2] == [0, 10])
        self.assertIn("Monday 10:00: free in 0 of 2 weeks; broken by perfmon (2)", monday)
        best = answer["best"][0]
        self.assertIn(f"{best['from']} to {best['to']}", page.text(".best li"))
        page.eval("document.querySelector('.week td[tabindex=\"0\"]').focus()")
        page.key("ArrowRight")
        page.key("ArrowDown")
        self.assertIn("Tuesday 01:00", page.text(".slot"))
        page.eval("""(() => {
            byId("windows-for").value = "14400";
            byId("windows-for").dispatchEvent(new Event("change"));
        })()""")
        page.wait("byId('windows-body').innerText.includes('4 h')")
        self.is_quiet(server, page)

    def test_installs(self):
        _, page = self.visit("idle")
        rows = page.eval("""[...document.querySelectorAll('.install')].map((li) =>
            [li.dataset.id, li.dataset.outcome, li.innerText])""")
        self.assertEqual([row[:2] for row in rows],
                         [["9", "clean"], ["8", "clean"], ["7", "mixed"]])
        self.assertIn("17 files changed, 3 left out", rows[2][2])
        self.assertIn("liba 1 to 2, libb 2 new, libc 1 removed and 2 more", rows[0][2])
        self.assertNotIn("liba", rows[1][2])


# Text whose contrast is too small for its size (WCAG 2.1, AA).
CONTRAST = """(() => {
    const parse = (text) => {
        const canvas = document.createElement("canvas").getContext("2d");
        canvas.fillStyle = text;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) =>
        v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = (node) => {
        for (; node; node = node.parentElement) {
            const colour = parse(getComputedStyle(node).backgroundColor);
            if (colour[3] > 0.99)
                return colour;
        }
        return [255, 255, 255, 1];
    };
    const bad = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const node = walk.currentNode.parentElement, style = getComputedStyle(node);
        if (!walk.currentNode.data.trim() || !node.checkVisibility() || node.closest(".sr, .old"))
            continue;
        const a = light(parse(style.color)), b = light(ground(node));
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        const size = parseFloat(style.fontSize), bold = style.fontWeight >= 700;
        if (ratio < (size >= 24 || (bold && size >= 18.66) ? 3 : 4.5))
            bad.push([walk.currentNode.data.trim().slice(0, 40), ratio.toFixed(2)]);
    }
    return bad;
})()"""


class LooksTest(PageTest):
    def test_light_and_dark(self):
        grounds = set()
        for world in ("blocked", "idle", "attention", "unknown", "several"):
            server = self.serve(page_worlds.worlds[world]())
            for dark in (False, True):
                page = self.open(server, dark=dark)
                grounds.add(page.eval("getComputedStyle(document.body).backgroundColor"))
                self.assertEqual(page.eval(CONTRAST), [], f"{world}, dark: {dark}")
        self.assertEqual(len(grounds), 2)

    def test_theme_changes_while_it_is_shown(self):
        _, page = self.visit("blocked")
        before = page.eval("timeline.painter.colour.panel")
        page.prefer(dark=True)
        page.wait(f"timeline.painter.colour.panel !== {json.dumps(before)}")

    def test_it_names_its_server(self):
        """By the name that it has itself: many browse to localhost."""
        _, page = self.visit("blocked")
        self.assertEqual(page.text("#host"), "mail1")
        self.assertIn(" · mail1 · ", page.eval("document.title"))

    def test_paper(self):
        """Light, all of it, nothing to press, and from which server."""
        for world in ("blocked", "several", "hostile"):
            server = self.serve(page_worlds.worlds[world]())
            page = self.open(server, dark=True, width=1280)
            page.eval("""window.printed = [];
                addEventListener("beforeprint", () => printed.push({
                    panel: timeline.painter.colour.panel,
                    width: timeline.painter.width,
                    hidden: timeline.scroll.scrollHeight - timeline.scroll.clientHeight}))""")
            dark = page.eval("timeline.painter.colour.panel")
            self.assertTrue(page.pdf().startswith(b"%PDF"))
            printed, = page.eval("printed")
            self.assertNotEqual(printed["panel"], dark)
            self.assertLessEqual(printed["width"], 640)
            self.assertLessEqual(printed["hidden"], 0)
            # Afterwards it is as before.
            page.wait(f"timeline.painter.colour.panel === {json.dumps(dark)}")
            self.assertGreater(page.eval("timeline.painter.width"), 640)
            page.prefer(dark=True, paper=True)
            shown = page.eval("""[...document.querySelectorAll("button, select, input, .tip")]
                .filter((node) => node.checkVisibility() && !node.closest(".title"))
                .map((node) => node.className)""")
            self.assertEqual(shown, [], world)
            self.assertTrue(page.eval("byId('host').checkVisibility()"))
            self.assertEqual(page.eval("getComputedStyle(document.querySelector('.panel'))"
                                       ".backgroundColor"), "rgb(255, 255, 255)")
            self.is_quiet(server, page)

    def test_phone(self):
        for world in sorted(page_worlds.worlds):
            server, page = self.visit(world, width=360, height=740, mobile=True)
            page.eval("for (const d of document.querySelectorAll('details')) d.open = true")
            page.wait("byId('table-body').dataset.uses !== undefined")
            self.assertLessEqual(page.eval("document.documentElement.scrollWidth"), 360, world)
            wide = page.eval("""[...document.querySelectorAll('main *')].filter((node) =>
                node.checkVisibility() && !node.closest(".wide, .sr, .tl, svg") &&
                node.getBoundingClientRect().right > 361).map((node) => node.className)""")
            self.assertEqual(wide, [], world)
            self.is_quiet(server, page)

    def test_reduced_motion(self):
        server = self.serve(page_worlds.blocked())
        moving = "getComputedStyle(document.querySelector('.copy')).transitionDuration"
        self.assertEqual(self.open(server).eval(moving), "0s")
        self.assertNotEqual(self.open(server, reduced_motion=False).eval(moving), "0s")

    def test_everything_has_a_name(self):
        """For a screen reader: no control without a name, headings, live regions."""
        for world in ("blocked", "several", "many"):
            _, page = self.visit(world)
            page.call("Accessibility.enable")
            nodes = page.call("Accessibility.getFullAXTree")["nodes"]
            roles = {}
            for node in nodes:
                if node.get("ignored"):
                    continue
                role = node.get("role", {}).get("value")
                roles.setdefault(role, []).append(node.get("name", {}).get("value", ""))
            for role in ("button", "combobox", "searchbox", "gridcell", "region"):
                self.assertTrue(roles.get(role), role)
                self.assertTrue(all(roles[role]), f"{role}: {roles[role]}")
            self.assertIn("Who held what, when", roles["heading"])
            page.call("Accessibility.disable")

    def test_focus_is_seen(self):
        _, page = self.visit("blocked")
        page.eval("document.querySelector('#holders .copy').focus({focusVisible: true})")
        self.assertNotEqual(page.eval("getComputedStyle(document.activeElement).outlineStyle"),
                            "none")

    def test_focus_stays(self):
        """What is drawn anew keeps the focus."""
        server, page = self.visit("blocked")
        page.eval("document.querySelector('[data-command=\"kill 13604\"] .copy').focus()")
        with server.lock:
            product = server.world.products[0]
            product.use(product.files[0], FIXED - 5, ["open"], "late", 99)
        page.eval("live.prove()")
        page.wait("document.querySelectorAll('#holders .groups .group').length >= 4")
        self.assertEqual(page.eval("document.activeElement.dataset.key"), "copy kill 13604")


class HostileTest(PageTest):
    def test_names_are_inert(self):
        server, page = self.visit("hostile")
        for name in ("hour", "day", "week"):
            page.click(f"[data-range={name}]")
            page.wait(f"timeline.range === '{name}' && timeline.isLoaded()")
        page.eval("for (const d of document.querySelectorAll('details')) d.open = true")
        page.wait("byId('table-body').dataset.uses === '3'")
        page.eval("timeline.setGroup('process')")
        page.eval("byId('tl-scroll').focus()")
        page.key("ArrowDown")
        page.key("ArrowDown")
        page.key(".")
        page.wait("byId('tl-says').textContent.includes('<img src=x')")
        self.assertIsNone(page.eval("window.hacked ?? null"))
        self.assertEqual(page.eval("document.images.length"), 0)
        self.assertEqual(page.eval("document.scripts.length"), 1)
        self.assertIn('<img src=x onerror="window.hacked=1">', page.text("#holders"))
        # Nothing turns the text around.
        self.assertIn("\\u202egnp.exe.dll", page.text("#holders"))
        # Also of the kinds that the world has no name of.
        self.assertEqual(page.eval(
            "visible('a\\u200bb\\u00ad\\ufe0f\\u3164\\u2029\\u{e0041}\\u0085 \\u00e4\\u65e5\\u{1f600}')"),
            "a\\u200bb\\u00ad\\ufe0f\\u3164\\u2029\\u{e0041}\\u0085 \u00e4\u65e5\U0001f600")
        self.assertNotIn("\u202e", page.eval("document.body.innerText"))
        self.is_quiet(server, page)


class PolicyTest(PageTest):
    def test_policy(self):
        _, policy = page_server.assemble()
        parts = dict(part.split(" ", 1) for part in policy.split("; "))
        self.assertEqual(parts["default-src"], "'none'")
        self.assertRegex(parts["script-src"], r"^'sha256-[\w+/=]{44}'$")
        self.assertRegex(parts["style-src"], r"^'sha256-[\w+/=]{44}'$")
        self.assertNotIn("unsafe", policy)

    def test_policy_blocks(self):
        server, page = self.visit("idle")
        page.eval("""(() => {
            window.refused = [];
            document.addEventListener("securitypolicyviolation", (event) =>
                window.refused.push(event.effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "window.hacked = 1";
            document.body.append(script);
            const box = document.createElement("div");
            box.innerHTML = '<img src="data:image/png;base64,x" onerror="window.hacked = 2">' +
                '<p style="position: fixed">x</p>';
            document.body.append(box);
            fetch("http://127.0.0.1:1/").catch(() => {});
        })()""")
        page.wait("""["script-src-elem", "script-src-attr", "style-src-attr", "connect-src"]
            .every((what) => window.refused.includes(what))""")
        self.assertIsNone(page.eval("window.hacked ?? null"))

    def test_built(self):
        """What the build put into the daemon is what these tests looked at."""
        path = os.path.join(BUILD, "daemon", "serve", "page")
        if not BUILD or not os.path.exists(path):
            self.skipTest("there is no build")
        document, policy = page_server.assemble()
        with open(os.path.join(path, "spguard.html"), encoding="utf-8") as f:
            self.assertEqual(f.read(), document)
        with open(os.path.join(path, "page_data.c"), encoding="ascii") as f:
            source = f.read()
        joined = "".join(line.strip().strip('"') for line in
                         source.split("spg_page_policy[] =")[1].split(";\n")[0].splitlines())
        self.assertEqual(joined, policy)
        data = source.split("spg_page[] = {")[1].split("}")[0]
        self.assertEqual(bytes(int(byte) for byte in data.replace("\n", "").split(",")
                               if byte.strip()), document.encode())


if __name__ == "__main__":
    main()
