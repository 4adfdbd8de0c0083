/* SPDX-License-Identifier: MIT */
"use strict";
/*
 * The timeline: which time is in view, what has to be asked for it, which rows are in
 * sight. pointer.js moves it, draw.js draws it, table.js tells it as a table.
 */

const RANGES = {hour: HOUR, day: DAY, week: 7 * DAY};
const SPAN_LEAST = 2 * SECOND, SPAN_MOST = 15 * DAY;
const AHEAD = 0.03;         /* of the span: the future that is shown when following */
const CATCH_UP = 2 * SECOND;  /* at most so often after events */
const OVERLAP = 10 * SECOND;  /* asked again when catching up: what was in flight */
const PAPER_WIDTH = "640px"; /* within the panel, on A4 and Letter */
const PAPER_MOST = 3000;      /* px, of rows: three sheets */
const SETTLE = 180;           /* ms without a movement before something is asked */

/* What changes what is drawn. */
const DRAWN_KINDS = new Set(["use-begin", "use-end", "lock", "unlock", "lock-wait", "lock-fail",
	"gap", "install-begin", "install-end", "hold-begin", "hold-end"]);
const FILE_KINDS = new Set(["create", "delete", "rename"]);

class Timeline {
	/* @on: changed(), of the view, the rows or the choice */
	constructor(nodes, on)
	{
		Object.assign(this, nodes);
		this.on = on;
		this.painter = new Painter(this.canvas);
		this.history = new History();
		this.rows = new Rows();
		this.states = new Map();
		this.product = null;
		this.range = "day";
		this.group = "none";
		this.filter = "";
		this.following = true;
		this.isPaper = false; /* it is being printed */
		this.view = {from: 0, to: 1};
		this.chosen = {row: null, bar: null};
		this.hover = null;
		this.number = 0;      /* of the latest question: an older answer is dropped */
		this.failed = null;
		this.labels = new Map();
		this.observe();
	}

	observe()
	{
		this.scroll.addEventListener("scroll", () => this.draw(), {passive: true});
		new ResizeObserver(() => this.resize()).observe(this.scroll);
		matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
			this.painter.readColours();
			this.draw();
		});
		addEventListener("beforeprint", () => this.toPaper(true));
		addEventListener("afterprint", () => this.toPaper(false));
		this.painter.readColours();
	}

	/* Paper is light, and as wide as it is. At once: no frame is drawn before it is
	 * printed, and what observes sizes is not asked. */
	toPaper(isPaper)
	{
		this.isPaper = isPaper;
		document.documentElement.toggleAttribute("data-paper", isPaper);
		this.scroll.style.width = isPaper ? PAPER_WIDTH : "";
		this.painter.readColours();
		this.resize();
		this.drawNow();
	}

	/* ---- what is shown ---- */

	show(product)
	{
		if (this.product === product)
			return;
		this.product = product;
		this.history.clear();
		this.states = new Map();
		this.chosen = {row: null, bar: null};
		this.scroll.scrollTop = 0;
		this.setRange(this.range || "day");
		this.loadFiles();
	}

	setRange(range)
	{
		const now = serverClock.now(), span = RANGES[range];

		this.range = range;
		this.following = true;
		this.isPaper = false; /* it is being printed */
		this.setView(now - span, now + span * AHEAD / (1 - AHEAD));
	}

	get span()
	{
		return this.view.to - this.view.from;
	}

	setView(from, to)
	{
		const now = serverClock.now();
		const span = Math.min(Math.max(to - from, SPAN_LEAST), SPAN_MOST);
		const last = now + span * AHEAD;

		if (to > last) {
			to = last;
			from = to - span;
		}
		this.view = {from: to - span, to};
		this.range = Object.keys(RANGES).find((name) =>
			Math.abs(RANGES[name] - span * (1 - AHEAD)) < span / 1000) || null;
		this.wantLoad();
		this.draw();
		this.on.changed();
	}

	/* Zoom so that the moment at @part of the width stays where it is; while
	 * following, the present stays. */
	zoom(factor, part = 0.5)
	{
		const at = this.following ? serverClock.now() : this.view.from + part * this.span;
		const where = this.following ? 1 - AHEAD : part;
		const span = Math.min(Math.max(this.span * factor, SPAN_LEAST), SPAN_MOST);

		this.setView(at - where * span, at + (1 - where) * span);
	}

	pan(part)
	{
		const by = part * this.span;

		this.following = this.view.to + by >= serverClock.now() + this.span * AHEAD * 0.9;
		this.setView(this.view.from + by, this.view.to + by);
	}

	follow()
	{
		this.following = true;
		this.isPaper = false; /* it is being printed */
		this.tick();
		this.on.changed();
	}

	/* The daemon is not heard since @lostAt; null: it is. */
	setLost(lostAt)
	{
		this.history.lostAt = lostAt;
	}

	/* Every second. */
	tick()
	{
		const to = serverClock.now() + this.span * AHEAD;

		if (this.following)
			this.view = {from: to - this.span, to};
		if (!document.hidden)
			this.draw();
	}

	/* ---- what is asked ---- */

	wantLoad()
	{
		clearTimeout(this.loadTimer);
		this.loadTimer = setTimeout(() => {
			/* Other files may be the ones that were used in what is in view now. */
			this.rebuild();
			this.load();
		}, SETTLE);
	}

	isLoaded()
	{
		const {since, until, more} = this.history;

		if (since === null || this.view.from < since)
			return false;
		if (more && this.span < (until - since) * 0.6)
			return false;
		return Math.min(this.view.to, serverClock.now()) <= until + 30 * SECOND;
	}

	async load(again = false)
	{
		if (!this.product || (!again && this.isLoaded()))
			return;
		const now = serverClock.now(), number = ++this.number;
		const since = this.view.from - this.span / 4;
		/* To the present, so that events only have to be added. */
		const until = this.view.to + this.span * 4 < now ? this.view.to + this.span : now;
		this.scroll.setAttribute("aria-busy", "true");
		try {
			const answer = await this.askTime(since, until);

			if (number !== this.number)
				return;
			this.failed = null;
			this.history.replace(answer, since, until);
		} catch (error) {
			if (number !== this.number)
				return;
			this.failed = error;
			this.loadTimer = setTimeout(() => this.load(), 5 * SECOND);
		}
		this.scroll.removeAttribute("aria-busy");
		this.rebuild();
	}

	askTime(since, until)
	{
		return ask("timeline", {product: this.product,
			since: new Date(since).toISOString(), until: new Date(until).toISOString()});
	}

	/* Something happened. */
	hear(event)
	{
		const kinds = [event.kind, ...list(event.coalesced)];

		if (event.product && event.product !== this.product)
			return;
		if (kinds.some((kind) => FILE_KINDS.has(kind)))
			this.filesChanged = true;
		if (kinds.some((kind) => DRAWN_KINDS.has(kind) || FILE_KINDS.has(kind)))
			this.wantCatchUp();
	}

	/* Nothing happened for a while, as it seems: what is known ends in the past. */
	isBehind()
	{
		return this.history.until !== null &&
			serverClock.now() - this.history.until > MINUTE;
	}

	wantCatchUp()
	{
		if (this.catching)
			return;
		const wait = Math.max((this.caughtUpAt || 0) + CATCH_UP - performance.now(), 50);

		this.catching = setTimeout(() => this.catchUp(), wait);
	}

	async catchUp()
	{
		const number = this.number, {since: begin, until: known} = this.history;

		if (known === null) {
			this.catching = null;
			return;
		}
		const now = serverClock.now(), since = Math.max(known - OVERLAP, begin);
		try {
			/* In the past nothing happens. */
			if (now - known < SPAN_MOST && this.view.to > known - MINUTE) {
				const answer = await this.askTime(since, now);

				if (number === this.number &&
					!this.history.extend(answer, since, now))
					this.load(true);
			}
		} catch (error) {
			if (!(error instanceof ApiError))
				throw error;
		} finally {
			this.catching = null;
			this.caughtUpAt = performance.now();
		}
		if (this.filesChanged)
			this.loadFiles();
		this.rebuild();
	}

	/* After a loss of events, and when they do not stream. */
	refresh()
	{
		this.loadFiles();
		if (this.history.since !== null)
			this.load(true);
	}

	/* Every file of the product, used or not, with its state. */
	async loadFiles()
	{
		const product = this.product;

		this.filesChanged = false;
		try {
			const answer = await ask("check", {product, all: 1});

			if (product === this.product)
				this.learnAll(answer);
		} catch (error) {
			if (!(error instanceof ApiError))
				throw error;
			this.filesChanged = true;
		}
	}

	learnAll(answer)
	{
		this.states = new Map(list(answer.files).map((file) => [String(file.path),
			file.state]));
		this.rebuild();
	}

	/* An answer that has only the files that are not free. */
	learn(answer)
	{
		const busy = new Map(list(answer.files).map((file) => [String(file.path), file.state]));
		let changed = false;

		for (const [path, state] of this.states) {
			const is = busy.get(path) || "free";

			changed = changed || is !== state;
			this.states.set(path, is);
		}
		for (const [path, state] of busy) {
			changed = changed || !this.states.has(path);
			this.states.set(path, state);
		}
		if (changed)
			this.rebuild();
	}

	/* ---- rows ---- */

	get withheld()
	{
		return this.history.withheld;
	}

	rebuild()
	{
		const group = this.group === "process" && this.withheld ? "none" : this.group;

		this.rows.build(this.history, this.states, group, this.filter, this.view);
		if (this.rows.find(this.chosen.row) < 0)
			this.chosen = {row: null, bar: null};
		else
			this.chosen.bar = this.sameBar(this.chosen.bar);
		this.layout();
		this.on.changed();
	}

	/* After an answer a bar is another object. */
	sameBar(bar)
	{
		const row = this.rows.rows[this.rows.find(this.chosen.row)];

		return (bar && row && row.bars && row.bars.find((other) => other.from === bar.from &&
			other.pid === bar.pid && other.name === bar.name &&
			String(other.how) === String(bar.how))) || null;
	}

	setGroup(group)
	{
		this.group = group;
		this.rebuild();
	}

	setFilter(filter)
	{
		this.filter = filter;
		this.rebuild();
	}

	toggle(row)
	{
		this.rows.toggle(row);
		this.rebuild();
	}

	resize()
	{
		this.compact = this.scroll.clientWidth < 620;
		this.rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
		const unit = this.rem / 14;
		this.labelWidth = this.compact ? 0
			: Math.round(Math.min(Math.max(this.scroll.clientWidth * 0.24, 190), 380));
		this.rows.sizes = this.compact
			? {head: 20, pad: 3, one: 16, lane: 13, group: 30}
			: {head: 0, pad: 4, one: Math.round(18 * unit), lane: 13,
				group: Math.round(28 * unit)};
		this.box.classList.toggle("compact", this.compact);
		this.box.style.setProperty("--labels", `${this.labelWidth}px`);
		this.rows.measure();
		this.layout();
	}

	layout()
	{
		const total = this.painter.head + this.rows.total;
		const most = this.isPaper ? PAPER_MOST
			: Math.max(Math.round(innerHeight * (this.compact ? 0.7 : 0.6)), 260);
		const height = Math.min(Math.max(total, this.painter.head + 60), most);

		this.rowsNode.style.height = `${Math.max(total, height)}px`;
		this.scroll.style.height = `${height}px`;
		this.painter.size(this.scroll.clientWidth, height);
		this.draw();
	}

	draw()
	{
		if (this.frame)
			return;
		this.frame = requestAnimationFrame(() => {
			this.frame = null;
			if (this.painter.width)
				this.drawNow();
		});
	}

	drawNow()
	{
		this.painter.draw({
			view: this.view, rows: this.rows, history: this.history,
			scrollTop: this.scroll.scrollTop, left: this.labelWidth, compact: this.compact,
			now: serverClock.now(), failed: this.failed, slack: 90 * SECOND,
			chosenRow: this.chosen.row, chosenBar: this.chosen.bar,
			hoverBar: this.hover && this.hover.bar,
		});
		this.drawLabels();
	}

	/* Elements for the rows in sight. One that says the same stays the same element:
	 * a click that began on it before new rows came ends on it as well. */
	drawLabels()
	{
		const top = this.scroll.scrollTop, end = top + this.painter.height - this.painter.head;
		const keep = new Map();

		for (let i = this.rows.at(top); i < this.rows.rows.length && this.rows.tops[i] < end; i++) {
			const row = this.rows.rows[i];
			const old = this.labels.get(row.key), says = this.labelSays(row);
			const node = old && old.says === says ? old.node : this.label(row);

			node.style.height = `${this.rows.height(row)}px`;
			node.classList.toggle("chosen", row.key === this.chosen.row);
			node.style.transform = `translateY(${this.painter.head + this.rows.tops[i]}px)`;
			keep.set(row.key, {says, node});
		}
		for (const [key, {node}] of this.labels)
			if (!keep.has(key) || keep.get(key).node !== node)
				node.remove();
		for (const {node} of keep.values())
			if (!node.isConnected)
				this.rowsNode.append(node);
		this.labels = keep;
	}

	/* All that a label shows. */
	labelSays(row)
	{
		return JSON.stringify(row.kind === "group" ? [row.name, row.n, row.open]
			: [row.path, row.state, this.group === "directory"]);
	}

	label(row)
	{
		return row.kind === "group" ? this.groupLabel(row) : this.fileLabel(row);
	}

	groupLabel(row)
	{
		return el("div", {class: "row group"}, el("button", {type: "button", tabindex: "-1",
			"aria-expanded": String(row.open), data: {key: row.key},
			click: () => this.toggle(row)},
		el("span", {class: "arrow", text: row.open ? "▾" : "▸"}),
		el("span", {class: "name", text: row.name}),
		row.key === NOT_USED ? null : el("span", {class: "muted", text: ` ${countText(row.n)}`})));
	}

	fileLabel(row)
	{
		const folder = folderOf(row.path);
		const sign = {blocked: "■", unknown: "◆", "held-by-setup-stopped": "▫",
			missing: "∅", sidestepped: "~"}[row.state];

		return el("div", {class: "row", title: row.path, data: {path: row.path,
			state: row.state || ""}},
		el("span", {class: "state", text: sign || ""}),
		el("span", {class: "name base", text: baseName(row.path)}),
		this.group === "directory" ? null : el("span", {class: "folder"},
			el("bdi", {text: folder})));
	}

	/* ---- the choice ---- */

	choose(row, bar)
	{
		this.chosen = {row: row ? row.key : null, bar: bar || null};
		if (row)
			this.scrollTo(this.rows.find(row.key));
		this.draw();
		this.on.changed();
	}

	scrollTo(i)
	{
		const top = this.rows.tops[i], bottom = this.rows.tops[i + 1];
		const room = this.painter.height - this.painter.head;

		if (top < this.scroll.scrollTop)
			this.scroll.scrollTop = top;
		else if (bottom > this.scroll.scrollTop + room)
			this.scroll.scrollTop = bottom - room;
	}

	/* What is at a point of the canvas: {row, bar, gap, install, hold, ms}. */
	at(x, y)
	{
		if (x < this.labelWidth)
			return null;
		const scale = this.span / (this.painter.width - this.labelWidth);
		const ms = this.view.from + (x - this.labelWidth) * scale, near = 3 * scale;
		const within = (span) => overlaps(span, ms - near, ms + near);
		const found = {ms, row: null, bar: null,
			gap: this.history.unseen(this.view.from, this.view.to).find(within) || null,
			install: this.history.installs.find(within) || null,
			hold: this.history.holds.find(within) || null};

		if (y < this.painter.head)
			return found;
		const at = y - this.painter.head + this.scroll.scrollTop, i = this.rows.at(at);
		const row = this.rows.rows[i];
		if (!row)
			return found;
		found.row = row;
		if (row.kind === "file") {
			const lane = Math.floor((at - this.rows.tops[i] - this.rows.laneTop(row, 0)) /
				(this.rows.laneHeight(row) + 2));
			const bars = row.lanes[Math.min(Math.max(lane, 0), row.lanes.length - 1)] || [];

			found.bar = bars.find((bar) => overlaps(bar, ms, ms)) || bars.find(within) || null;
		}
		return found;
	}
}
