/* SPDX-License-Identifier: MIT */
"use strict";
/*
 * The timeline as tables, for who cannot or does not want to see it: what is in view,
 * file by file; and what concerns all files. Made only while it is open.
 */

const TABLE_PAGE = 200;

function head(...names)
{
	return el("thead", null, el("tr", null,
		names.map((name) => el("th", {scope: "col", text: name}))));
}

const timeCell = (ms, now, none) => el("td", null, ms === null ? none
	: el("time", {datetime: new Date(ms).toISOString(), text: whenText(ms, now)}));

function useRow({path, bar}, now)
{
	const length = (bar.to === null ? now : bar.to) - bar.from;

	return el("tr", {data: {path, from: bar.from, to: bar.to === null ? "" : bar.to,
		how: bar.how.join(" "), who: bar.name || "", pid: bar.pid || "",
		stops: bar.stops ? "yes" : "no"}},
	el("th", {scope: "row"}, pathText(path)),
	el("td", {class: "name", text: whoText(bar) + (bar.unit ? `, ${bar.unit}` : "")}),
	el("td", {text: howText(bar.how) + (bar.stops ? " (setup ends it)" : "")}),
	timeCell(bar.from, now, "?"),
	timeCell(bar.to, now, "it lasts"),
	el("td", {text: lengthText(length) + (bar.cut ? " at least" : "")}));
}

function otherRow(kind, span, text, now)
{
	return el("tr", {data: {kind, from: span.from === null ? "" : span.from,
		to: span.to === null ? "" : span.to}},
	el("th", {scope: "row", text: capital(kind)}), el("td", {class: "name", text}),
	timeCell(span.from, now, "always"), timeCell(span.to, now, kind === "gap" ? "now" : "it lasts"));
}

class Table {
	constructor(timeline, fold, body)
	{
		Object.assign(this, {timeline, fold, body, pages: 1});
		fold.addEventListener("toggle", () => this.draw(true));
	}

	/* The rows that the timeline has, with their bars in view. */
	uses()
	{
		const {rows, view} = this.timeline, out = [], seen = new Set();

		for (const row of rows.rows) {
			for (const file of row.kind === "group" ? row.files || [] : [row]) {
				for (const bar of file.bars) {
					if (!overlaps(bar, view.from, view.to) || seen.has(bar))
						continue;
					seen.add(bar);
					out.push({path: file.path, bar});
				}
			}
		}
		return out;
	}

	others(now)
	{
		const {history, view} = this.timeline;
		const inView = (spans) => spans.filter((span) => overlaps(span, view.from, view.to));

		return [
			...inView(history.installs).map((span) => otherRow("install", span,
				`number ${span.id}: ${span.outcome}`, now)),
			...inView(history.holds).map((span) => otherRow("hold", span,
				"new opens were refused", now)),
			...history.unseen(view.from, view.to).map((span) => otherRow("gap", span,
				`nobody looked: ${gapText(span.reason)}`, now))];
	}

	draw(now = false)
	{
		clearTimeout(this.timer);
		if (!this.fold.open)
			return;
		if (now)
			this.fill();
		else
			this.timer = setTimeout(() => this.fill(), 300);
	}

	fill()
	{
		const now = serverClock.now(), uses = this.uses(), others = this.others(now);
		const shown = uses.slice(0, this.pages * TABLE_PAGE);
		const {from, to} = this.timeline.view;

		this.body.dataset.uses = uses.length;
		redraw(this.body,
			el("div", {class: "wide", tabindex: "0", role: "region", "aria-label": "Uses of files"},
				el("table", {class: "uses"}, el("caption", {text:
					`${plural(uses.length, "use")} from ${whenText(from, now)} to ` +
					whenText(Math.min(to, now), now)}),
				head("File", "Who", "How", "From", "Until", "Lasted"),
				el("tbody", null, shown.map((use) => useRow(use, now))))),
			uses.length > shown.length ? el("button", {type: "button", data: {key: "more uses"},
				text: `Show ${TABLE_PAGE} more of ${countText(uses.length)}`,
				click: () => {
					this.pages++;
					this.fill();
				}}) : null,
			others.length ? el("div", {class: "wide", tabindex: "0", role: "region",
				"aria-label": "Installs, holds and gaps"},
			el("table", {class: "others"}, el("caption", {text:
				"What concerned all files then"}), head("What", "Particulars", "From", "Until"),
			el("tbody", null, others))) : null);
	}
}
