/* SPDX-License-Identifier: MIT */
"use strict";
/*
 * What stays above the timeline's rows: the axis, installs and holds, and how many
 * files were in use at once. The part of the painter (draw.js) that draws it.
 */

const STEPS = [SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 15 * SECOND, 30 * SECOND, MINUTE,
	2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR,
	6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY];
const OUTCOME_COLOURS = {clean: "safe", mixed: "blocked", unknown: "unknown",
	running: "accent"};
const OUTCOME_MARKS = {clean: "✓", mixed: "✗", unknown: "?", running: "▸"};

const offsetOf = (ms) => new Date(ms).getTimezoneOffset() * MINUTE;

/* Full steps of local time in [from, to]. */
function ticks(from, to, step)
{
	const out = [];

	if (step >= DAY) {
		const date = new Date(from);

		for (date.setHours(0, 0, 0, 0); date.getTime() <= to; date.setDate(date.getDate() + 1))
			if (date.getTime() >= from && (step === DAY || step < 7 * DAY
				? date.getDate() % (step / DAY) === 0 : date.getDay() === 1))
				out.push(date.getTime());
		return out;
	}
	const shift = offsetOf(from);
	for (let at = Math.ceil((from - shift) / step) * step + shift; at <= to; at += step)
		out.push(at);
	return out;
}

const isMidnight = (ms) => clockText(ms) === "00:00:00";

function tickText(ms, step)
{
	const date = new Date(ms);

	if (step >= DAY || isMidnight(ms))
		return `${weekday(date).slice(0, 3)} ${date.getDate()} ${MONTHS[date.getMonth()]}`;
	return clockText(ms, step < MINUTE);
}

class HeadPainter {
	/* The axis, the marks and the sum stay when rows scroll. */
	drawHead()
	{
		const c = this.context, {left, view} = this.scene, {axis, marks} = this.heights;

		c.fillStyle = this.colour.panel;
		c.fillRect(left, 0, this.width, axis - 5);
		c.save();
		c.beginPath();
		c.rect(left, 0, this.width, this.head);
		c.fill();
		c.clip();
		this.drawTime();
		this.drawAxis();
		this.drawMarks(axis, marks);
		this.drawSum(axis + marks, this.heights.sum);
		c.restore();
		c.fillStyle = this.colour.muted;
		c.fillRect(left, this.head - 1, this.width, 1);
		if (this.scene.now <= view.to && this.scene.now >= view.from) {
			c.fillStyle = this.colour.accent;
			c.fillRect(Math.round(this.x(this.scene.now)) - 1, axis - 6, 2, this.height);
		}
	}

	drawAxis()
	{
		const c = this.context, {view} = this.scene;

		for (const at of ticks(view.from, view.to, this.step)) {
			const strong = isMidnight(at), x = this.x(at);
			const text = tickText(at, this.step);

			c.font = `${strong ? "600 " : ""}11.5px ${this.font}`;
			c.fillStyle = strong ? this.colour.ink : this.colour.muted;
			if (x + c.measureText(text).width < this.width)
				c.fillText(text, x + 4, 14);
		}
	}

	drawMarks(y, height)
	{
		const c = this.context, {history, view} = this.scene;
		const mark = (span, colour, text, inset) => {
			if (!overlaps(span, view.from, view.to))
				return;
			const [from, to] = this.across(span, 3);

			c.fillStyle = this.colour[colour];
			c.beginPath();
			c.roundRect(from, y + inset, to - from, height - 2 * inset, 3);
			c.fill();
			c.font = `600 11px ${this.font}`;
			if (c.measureText(text).width + 8 < to - from) {
				c.fillStyle = this.colour["on-bar"];
				c.fillText(text, from + 4, y + height / 2 + 4);
			}
		};

		for (const hold of history.holds)
			mark(hold, "hold", "hold", 2);
		for (const install of history.installs) {
			const outcome = OUTCOME_MARKS[install.outcome] ? install.outcome : "unknown";

			mark(install, OUTCOME_COLOURS[outcome],
				`${OUTCOME_MARKS[outcome]} install ${install.id}`, 4);
			this.drawPin(install, outcome, y, height);
		}
	}

	/* An install that is too short to be named has a sign all the same. */
	drawPin(install, outcome, y, height)
	{
		const c = this.context, {view} = this.scene;
		const at = install.from === null ? view.from : install.from;

		if (at < view.from || at > view.to)
			return;
		const [from, to] = this.across(install, 3);
		c.font = `600 11px ${this.font}`;
		if (c.measureText(`${OUTCOME_MARKS[outcome]} install ${install.id}`).width + 8 < to - from)
			return;
		c.fillStyle = this.colour[OUTCOME_COLOURS[outcome]];
		c.beginPath();
		c.arc(from + 1, y + height / 2, 8, 0, 2 * Math.PI);
		c.fill();
		c.fillStyle = this.colour["on-bar"];
		c.textAlign = "center";
		c.fillText(OUTCOME_MARKS[outcome], from + 1, y + height / 2 + 4);
		c.textAlign = "left";
	}

	/* For each pixel the most files that were in use at once. */
	columns()
	{
		const {view, history, left} = this.scene, now = history.known(this.scene.now);
		const n = Math.max(Math.ceil(this.width - left), 1), most = new Float64Array(n);
		const steps = history.usedFiles(), scale = n / (view.to - view.from);
		const known = (ms) => Math.min(Math.max(Math.floor((ms - view.from) * scale), 0), n - 1);

		for (let i = 0; i < steps.length; i++) {
			const end = i + 1 < steps.length ? steps[i + 1].at : Math.max(now, steps[i].at);

			if (!steps[i].n || end < view.from || steps[i].at > view.to)
				continue;
			for (let x = known(steps[i].at); x <= known(end); x++)
				most[x] = Math.max(most[x], steps[i].n);
		}
		return most;
	}

	/* Free is told by where the line lies, and by being green. */
	drawSum(y, height)
	{
		const c = this.context, {left, view, history} = this.scene;
		const now = history.known(this.scene.now);
		const most = this.columns(), bottom = y + height - 3;
		const top = Math.max(...most, 1);
		const from = this.x(Math.max(history.since === null ? now : history.since, view.from));
		const to = this.x(Math.min(now, view.to));
		const hidden = history.unseen(view.from, view.to).map((gap) => this.across(gap, 2));

		for (let i = 0; i < most.length; i++) {
			const x = left + i;

			if (most[i]) {
				const part = Math.max(Math.sqrt(most[i] / top) * (height - 8), 4);

				c.fillStyle = this.colour.used;
				c.fillRect(x, bottom - part, 1, part + 3);
			} else if (x + 1 > from && x < to && !hidden.some(([a, b]) => x + 1 > a && x < b)) {
				c.fillStyle = this.colour.safe;
				c.fillRect(x, bottom, 1, 3);
			}
		}
	}
}
