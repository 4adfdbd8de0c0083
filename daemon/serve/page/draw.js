/* SPDX-License-Identifier: MIT */
"use strict";
/*
 * Draws the timeline on a canvas: what is in sight, however much there is. Knows
 * pixels and colours; which rows, which time and which bar is chosen it is told.
 */

const COLOURS = ["panel", "ink", "muted", "line", "faint", "accent", "open", "write", "mapped",
	"executing", "lock", "waiting", "gap", "safe", "blocked", "attention", "unknown", "hold",
	"on-bar", "future", "used"];

class Painter extends HeadPainter {
	constructor(canvas)
	{
		super();
		this.canvas = canvas;
		this.context = canvas.getContext("2d");
		this.heights = {axis: 24, marks: 20, sum: 30};
		this.colour = {};
		this.patterns = {};
	}

	get head()
	{
		return this.heights.axis + this.heights.marks + this.heights.sum;
	}

	/* After a change of theme. */
	readColours()
	{
		const style = getComputedStyle(document.documentElement);

		for (const name of COLOURS)
			this.colour[name] = style.getPropertyValue(`--${name}`).trim();
		this.font = style.getPropertyValue("--font").trim();
		this.patterns = {};
	}

	size(width, height)
	{
		const ratio = Math.min(devicePixelRatio || 1, 3);

		this.ratio = ratio;
		this.width = width;
		this.height = height;
		this.canvas.width = Math.round(width * ratio);
		this.canvas.height = Math.round(height * ratio);
		this.canvas.style.width = `${width}px`;
		this.canvas.style.height = `${height}px`;
		this.patterns = {};
	}

	/* Diagonal lines: nobody looked. */
	hatch()
	{
		if (this.patterns.hatch)
			return this.patterns.hatch;
		const tile = document.createElement("canvas"), size = Math.round(8 * this.ratio);
		const context = tile.getContext("2d");

		tile.width = tile.height = size;
		context.strokeStyle = this.colour.gap;
		context.lineWidth = this.ratio * 1.2;
		for (const shift of [-size, 0, size]) {
			context.beginPath();
			context.moveTo(shift, size);
			context.lineTo(shift + size, 0);
			context.stroke();
		}
		const pattern = this.context.createPattern(tile, "repeat");
		pattern.setTransform(new DOMMatrix().scale(1 / this.ratio));
		return this.patterns.hatch = pattern;
	}

	x(ms)
	{
		const {from, to} = this.scene.view;

		return this.scene.left + (ms - from) / (to - from) * (this.width - this.scene.left);
	}

	/* [left, right] in pixels of what is in sight of a span. */
	across(span, least = 1)
	{
		const {view, history, now} = this.scene;
		const last = span.how ? history.known(now) : now;
		const from = span.from === null ? view.from : Math.max(span.from, view.from);
		const to = span.to === null ? Math.min(Math.max(last, from), view.to)
			: Math.min(span.to, view.to);
		const left = this.x(from);

		return [left, Math.max(this.x(to), left + least)];
	}

	draw(scene)
	{
		const c = this.context;

		this.scene = scene;
		c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
		c.fillStyle = this.colour.panel;
		c.fillRect(0, 0, this.width, this.height);
		this.step = STEPS.find((step) => this.x(scene.view.from + step) - scene.left >=
			(scene.compact ? 64 : 84)) || 7 * DAY;
		this.drawRowGrounds();
		c.save();
		c.beginPath();
		c.rect(scene.left, 0, this.width - scene.left, this.height);
		c.clip();
		this.drawTime();
		this.drawRows();
		this.drawHead();
		c.restore();
	}

	eachRow(act)
	{
		const {rows, scrollTop} = this.scene;
		const first = rows.at(scrollTop);

		for (let i = first; i < rows.rows.length; i++) {
			const y = this.head + rows.tops[i] - scrollTop;

			if (y > this.height)
				break;
			act(rows.rows[i], y, rows.tops[i + 1] - rows.tops[i]);
		}
	}

	drawRowGrounds()
	{
		const c = this.context;

		this.eachRow((row, y, height) => {
			if (row.kind === "group" || row.key === this.scene.chosenRow) {
				c.fillStyle = this.colour.faint;
				c.fillRect(0, y, this.width, height);
			}
			c.fillStyle = this.colour.line;
			c.fillRect(0, y + height - 1, this.width, 1);
		});
	}

	/* What goes through all rows: gaps, holds and installs, full hours, the present. */
	drawTime()
	{
		const c = this.context, {view, history, now, left} = this.scene;
		const top = this.heights.axis, height = this.height - top;

		if (now < view.to) {
			c.fillStyle = this.colour.future;
			c.fillRect(this.x(now), top, this.width, height);
		}
		for (const gap of history.unseen(view.from, view.to)) {
			const [from, to] = this.across(gap, 2);

			c.fillStyle = this.hatch();
			c.fillRect(from, top, to - from, height);
		}
		for (const [spans, colourOf] of [[history.holds, () => "hold"],
			[history.installs, (install) => OUTCOME_COLOURS[install.outcome] || "unknown"]]) {
			for (const span of spans) {
				if (!overlaps(span, view.from, view.to))
					continue;
				const [from, to] = this.across(span, 2);

				c.globalAlpha = 0.1;
				c.fillStyle = this.colour[colourOf(span)];
				c.fillRect(from, top, to - from, height);
				c.globalAlpha = 1;
			}
		}
		for (const at of ticks(view.from, view.to, this.step)) {
			c.fillStyle = isMidnight(at) && this.step < DAY ? this.colour.muted
				: this.colour.line;
			c.fillRect(Math.round(this.x(at)), top - 5, 1, height + 5);
		}
		this.drawUnloaded(left, top, height);
	}

	/* Where nothing is known yet, nothing is said. */
	drawUnloaded(left, top, height)
	{
		const c = this.context, {view, history, now} = this.scene;
		const blank = (from, to) => {
			c.fillStyle = this.colour.faint;
			c.fillRect(from, top, to - from, height);
			if (to - from < 80)
				return;
			c.fillStyle = this.colour.muted;
			c.font = `12px ${this.font}`;
			c.textAlign = "center";
			c.fillText(this.scene.failed ? "could not be loaded" : "loading",
				(from + to) / 2, this.head + 30);
			c.textAlign = "left";
		};

		if (history.since === null)
			return blank(left, this.x(Math.min(now, view.to)));
		if (history.since > view.from)
			blank(left, this.x(Math.min(history.since, view.to)));
		if (history.until < Math.min(view.to, now) - this.scene.slack)
			blank(this.x(Math.max(history.until, view.from)), this.x(Math.min(now, view.to)));
	}

	drawRows()
	{
		const {rows, view} = this.scene;

		this.eachRow((row, y, height) => {
			if (row.kind === "group") {
				if (row.files)
					this.drawClosed(row.files, y, height);
				return;
			}
			row.lanes.forEach((bars, lane) => {
				const shared = lane === LANES_MAX - 1;
				let last = -1;

				for (let i = shared ? 0 : firstEndingAfter(bars, view.from); i < bars.length;
					i++) {
					if (bars[i].from > view.to)
						break;
					if (shared && !overlaps(bars[i], view.from, view.to))
						continue;
					last = this.drawBar(bars[i], y + rows.laneTop(row, lane),
						rows.laneHeight(row), last);
				}
			});
		});
	}

	/* A closed group: one thin line for all of its files. */
	drawClosed(files, y, height)
	{
		const c = this.context, {view} = this.scene;

		for (const file of files.slice(0, 500)) {
			for (const bar of file.bars) {
				if (!overlaps(bar, view.from, view.to))
					continue;
				const [from, to] = this.across(bar, 1);

				c.globalAlpha = bar.stops ? 0.25 : 0.8;
				c.fillStyle = this.colour[bar.kind] || this.colour.open;
				c.fillRect(from, y + height / 2 - 3, to - from, 6);
			}
		}
		c.globalAlpha = 1;
	}

	/* Returns how far to the right it reaches; what lies within @last is not drawn
	 * again. */
	drawBar(bar, y, height, last)
	{
		const c = this.context, [from, to] = this.across(bar, 2);
		const colour = this.colour[bar.kind], chosen = this.scene.chosenBar === bar;

		if (to <= last && !chosen)
			return last;
		if (bar.kind === "waiting") {
			c.setLineDash([4, 3]);
			c.strokeStyle = colour;
			c.strokeRect(from + 0.5, y + 0.5, Math.max(to - from - 1, 1), height - 1);
			c.setLineDash([]);
		} else {
			c.globalAlpha = bar.stops ? 0.28 : 1;
			c.fillStyle = colour;
			c.beginPath();
			c.roundRect(from, y, to - from, height, Math.min(3, (to - from) / 2));
			c.fill();
			c.globalAlpha = 1;
		}
		if (bar.stops && to - from > 4) {
			c.strokeStyle = colour;
			c.lineWidth = 1;
			c.strokeRect(from + 0.5, y + 0.5, to - from - 1, height - 1);
		}
		this.drawLocks(bar, from, to, y);
		if (bar.cut && to - from > 8)
			this.drawTorn(to, y, height);
		if (to - from > 34)
			this.drawBarText(bar, from, to, y, height);
		if (chosen || this.scene.hoverBar === bar) {
			c.strokeStyle = this.colour.ink;
			c.lineWidth = 2;
			c.strokeRect(from - 1.5, y - 1.5, to - from + 3, height + 3);
			c.lineWidth = 1;
		}
		return to;
	}

	drawLocks(bar, from, to, y)
	{
		const c = this.context;

		c.fillStyle = this.colour.lock;
		if (bar.how.includes("locked"))
			c.fillRect(from, y, to - from, 3);
		for (const lock of bar.locks) {
			if (!overlaps(lock, this.scene.view.from, this.scene.view.to))
				continue;
			const [left, right] = this.across(lock, 2);

			c.globalAlpha = lock.kind === "waiting" ? 0.5 : 1;
			c.fillRect(left, y, right - left, 3);
			c.globalAlpha = 1;
		}
	}

	/* Nobody saw its end. */
	drawTorn(x, y, height)
	{
		const c = this.context, n = 4, each = height / n;

		c.fillStyle = this.colour.panel;
		c.beginPath();
		c.moveTo(x + 1, y);
		for (let i = 0; i < n; i++) {
			c.lineTo(x - 4, y + (i + 0.5) * each);
			c.lineTo(x, y + (i + 1) * each);
		}
		c.lineTo(x + 1, y + height);
		c.fill();
	}

	drawBarText(bar, from, to, y, height)
	{
		const c = this.context, size = Math.min(12, height - 2);
		const who = bar.name || bar.unit, how = howText(bar.how);
		const space = to - from - 10;

		c.font = `${size}px ${this.font}`;
		let text = visible(who ? `${who} · ${how}` : how);
		if (c.measureText(text).width > space)
			text = visible(who || how);
		if (c.measureText(text).width > space) {
			let n = Math.floor(text.length * space / c.measureText(text).width) - 1;

			if (n < 3)
				return;
			text = `${text.slice(0, n)}…`;
		}
		c.fillStyle = bar.stops || bar.kind === "waiting" ? this.colour.ink
			: this.colour["on-bar"];
		c.textBaseline = "middle";
		c.fillText(text, from + 5, y + height / 2 + (bar.how.includes("locked") || bar.locks.length ? 1.5 : 0.5));
		c.textBaseline = "alphabetic";
	}
}
