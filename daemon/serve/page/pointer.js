/* SPDX-License-Identifier: MIT */
"use strict";
/*
 * Moves the timeline: wheel, mouse, fingers and keys; and tells what is under the
 * pointer, or chosen.
 */

const WHEEL_ZOOM = 1.0016; /* a pixel of a wheel's turn */
const DRAG_BEGINS = 4;     /* px */

function spanText(span, now)
{
	const from = span.from === null ? "?" : whenText(span.from, now);

	if (span.to === null)
		return span.from === null ? "always" : `since ${from}, for ${lengthText(now - span.from)}`;
	if (span.from === null)
		return `until ${whenText(span.to, now)}`;
	const to = sameDay(span.from, span.to) ? clockText(span.to) : whenText(span.to, now);
	return `${from} to ${to}, ${lengthText(span.to - span.from)}`;
}

/* The lines about a bar: what it is, who, when. */
function barLines(row, bar, now)
{
	const who = [whoText(bar)];

	if (bar.unit)
		who.push(bar.unit);
	return [[baseName(row.path), "strong"], [`${capital(howText(bar.how))} by ${who.join(", ")}`],
		[spanText(bar, now) + (bar.cut ? "; its end was not seen" : "")],
		...bar.locks.slice(-2).map((lock) =>
			[`${capital(howText(lock.how))} ${spanText(lock, now)}`]),
		bar.stops ? ["Setup ends this by itself: not in the way", "muted"] : null,
		[folderOf(row.path), "muted"]].filter((line) => line);
}

function markLines(found, now)
{
	const lines = [];

	if (found.install)
		lines.push([`Install ${found.install.id}: ${found.install.outcome}`, "strong"],
			[spanText(found.install, now)]);
	if (found.hold)
		lines.push(["Hold: new opens were refused", "strong"], [spanText(found.hold, now)]);
	if (found.gap)
		lines.push(["Nobody looked", "strong"], [capital(gapText(found.gap.reason))],
			[spanText(found.gap, now)]);
	return lines;
}

class Pointer {
	constructor(timeline, tip, says)
	{
		this.timeline = timeline;
		this.node = timeline.scroll;
		this.tip = tip;
		this.says = says;
		this.fingers = new Map();
		const listen = (name, act, options) => this.node.addEventListener(name,
			(event) => act.call(this, event), options);

		listen("wheel", this.onWheel, {passive: false});
		listen("pointerdown", this.onDown);
		listen("pointermove", this.onMove);
		listen("pointerup", this.onUp);
		listen("pointercancel", this.onUp);
		listen("pointerleave", this.onLeave);
		listen("dblclick", this.onDouble);
		listen("keydown", this.onKey);
		listen("blur", () => this.hide());
	}

	place(event)
	{
		const box = this.timeline.canvas.getBoundingClientRect();
		const x = event.clientX - box.left, y = event.clientY - box.top;
		const left = this.timeline.labelWidth;

		return {x, y, part: Math.min(Math.max((x - left) / (box.width - left), 0), 1),
			width: box.width - left};
	}

	/* The plain wheel scrolls, as everywhere; on the axis and with Ctrl it zooms. */
	onWheel(event)
	{
		const {x, y, part, width} = this.place(event);
		const zooms = event.ctrlKey || event.metaKey || event.altKey ||
			(y < this.timeline.painter.head && x > this.timeline.labelWidth);
		const turn = event.deltaMode ? 16 : 1;

		if (zooms) {
			event.preventDefault();
			this.timeline.zoom(WHEEL_ZOOM ** (event.deltaY * turn), part);
		} else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
			event.preventDefault();
			this.timeline.pan((event.deltaX || event.deltaY) * turn / width);
		}
	}

	onDown(event)
	{
		if (event.button || event.target.closest("button"))
			return;
		this.fingers.set(event.pointerId, this.place(event));
		this.moved = this.fingers.size > 1;
		this.start = {...this.place(event), view: this.timeline.view};
		this.apart = this.distance();
	}

	distance()
	{
		const [a, b] = [...this.fingers.values()];

		return a && b ? Math.max(Math.abs(a.x - b.x), 12) : null;
	}

	onMove(event)
	{
		const place = this.place(event);

		if (!this.fingers.has(event.pointerId)) {
			if (event.pointerType !== "touch")
				this.point(place);
			return;
		}
		const before = this.fingers.get(event.pointerId);
		this.fingers.set(event.pointerId, place);
		if (this.fingers.size > 1)
			return this.pinch();
		if (!this.moved && Math.abs(place.x - this.start.x) < DRAG_BEGINS)
			return;
		if (!this.moved && this.node.setPointerCapture)
			this.node.setPointerCapture(event.pointerId);
		this.moved = true;
		this.hide();
		this.node.classList.add("dragging");
		this.timeline.pan((before.x - place.x) / place.width);
	}

	pinch()
	{
		const apart = this.distance(), [a, b] = [...this.fingers.values()];

		this.hide();
		this.timeline.zoom(this.apart / apart, (a.part + b.part) / 2);
		this.apart = apart;
	}

	onUp(event)
	{
		const was = this.fingers.delete(event.pointerId);

		this.apart = this.distance();
		if (this.fingers.size)
			return;
		this.node.classList.remove("dragging");
		if (!was || this.moved || event.type === "pointercancel")
			return;
		const place = this.place(event), found = this.timeline.at(place.x, place.y);
		if (found && found.row && found.row.kind === "file")
			this.timeline.choose(found.row, found.bar);
		this.point(place);
	}

	onDouble(event)
	{
		this.timeline.following = false;
		this.timeline.zoom(0.4, this.place(event).part);
	}

	onLeave(event)
	{
		if (event.pointerType !== "touch")
			this.hide();
	}

	hide()
	{
		this.tip.hidden = true;
		if (this.timeline.hover) {
			this.timeline.hover = null;
			this.timeline.draw();
		}
	}

	point(place)
	{
		const found = this.timeline.at(place.x, place.y), now = serverClock.now();
		const lines = !found ? [] : found.bar ? barLines(found.row, found.bar, now)
			: markLines(found, now);

		if (!lines.length)
			return this.hide();
		this.timeline.hover = found;
		this.timeline.draw();
		this.showTip(lines, place);
	}

	showTip(lines, place)
	{
		const width = this.timeline.canvas.clientWidth;

		this.tip.replaceChildren(...lines.map(([text, name]) =>
			el("p", {class: `name ${name || ""}`, text})));
		this.tip.hidden = false;
		const left = Math.min(Math.max(place.x + 14, 4), width - this.tip.offsetWidth - 4);
		const below = place.y + 18 + this.tip.offsetHeight < this.timeline.painter.height + 60;
		this.tip.style.transform = `translate(${Math.max(left, 4)}px, ${below ? place.y + 18
			: place.y - this.tip.offsetHeight - 12}px)`;
	}

	/* ---- keys ---- */

	onKey(event)
	{
		const {timeline} = this;
		const keys = {
			ArrowLeft: () => timeline.pan(event.shiftKey ? -0.8 : -0.15),
			ArrowRight: () => timeline.pan(event.shiftKey ? 0.8 : 0.15),
			ArrowUp: () => this.stepRow(-1),
			ArrowDown: () => this.stepRow(1),
			PageUp: () => this.stepRow(-10),
			PageDown: () => this.stepRow(10),
			Home: () => timeline.pan(-5),
			End: () => timeline.follow(),
			",": () => this.stepBar(-1),
			".": () => this.stepBar(1),
			Enter: () => this.enter(),
			Escape: () => {
				timeline.choose(null, null);
				this.hide();
			},
		};

		if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key] ||
			event.target.closest("button"))
			return;
		event.preventDefault();
		keys[event.key]();
	}

	get row()
	{
		return this.timeline.rows.rows[this.timeline.rows.find(this.timeline.chosen.row)];
	}

	stepRow(by)
	{
		const {rows} = this.timeline.rows, at = this.timeline.rows.find(this.timeline.chosen.row);
		const to = at < 0 ? 0 : Math.min(Math.max(at + by, 0), rows.length - 1);

		if (!rows.length)
			return;
		this.timeline.choose(rows[to], null);
		this.tip.hidden = true;
		this.say(rows[to].kind === "group"
			? `${rows[to].name}, ${plural(rows[to].n, "file")}, ${rows[to].open ? "open" : "closed"}`
			: `${baseName(rows[to].path)}, ${this.inView(rows[to]).length || "no"} ` +
				`uses in view${rows[to].state ? `, ${rows[to].state} now` : ""}`);
	}

	inView(row)
	{
		const {from, to} = this.timeline.view;

		return row.bars.filter((bar) => overlaps(bar, from, to));
	}

	/* The next use of the chosen file, wherever in time it is. */
	stepBar(by)
	{
		const row = this.row, {timeline} = this;

		if (!row || row.kind !== "file")
			return this.stepRow(0);
		const bars = row.bars, at = bars.indexOf(timeline.chosen.bar);
		const seen = this.inView(row);
		const bar = at < 0 ? seen[by > 0 ? 0 : seen.length - 1] || bars[bars.length - 1]
			: bars[at + by];
		if (!bar)
			return this.say(by > 0 ? "no later use" : "no earlier use");
		this.bring(bar);
		timeline.choose(row, bar);
		this.tell(row, bar);
	}

	bring(bar)
	{
		const {timeline} = this, {from, to} = timeline.view;

		if (overlaps(bar, from, to))
			return;
		timeline.following = false;
		timeline.setView(bar.from - timeline.span / 2, bar.from + timeline.span / 2);
	}

	tell(row, bar)
	{
		const {timeline} = this, lines = barLines(row, bar, serverClock.now());
		const i = timeline.rows.find(row.key);

		timeline.drawNow();
		this.showTip(lines, {
			x: Math.max(timeline.painter.x(bar.from), timeline.labelWidth),
			y: timeline.painter.head + timeline.rows.tops[i] - timeline.scroll.scrollTop +
				timeline.rows.height(row) - 14});
		this.say(lines.map(([text]) => text).join(". "));
	}

	enter()
	{
		const row = this.row;

		if (row && row.kind === "group")
			this.timeline.toggle(row);
		else if (row)
			this.stepBar(1);
	}

	say(text)
	{
		this.says.textContent = text;
	}
}
