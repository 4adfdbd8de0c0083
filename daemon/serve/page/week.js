/* SPDX-License-Identifier: MIT */
"use strict";
/*
 * The best maintenance windows: a list in words, and the week as a table of 7 by 24
 * in which a square's size tells how often an hour was free, and its colour again.
 */

const WEEK = 7 * 86400;

/* 0: never free, 4: always; "unseen": nobody looked, so nobody knows. */
function slotLevel(slot)
{
	if (!slot || !slot.of)
		return "none";
	if (slot.free)
		return String(1 + Math.floor(3 * slot.free / slot.of));
	return slot.unseen ? "unseen" : "0";
}

const weeksText = (count) => `${countText(count.free)} of ${plural(count.of, "week")}` +
	(count.unseen ? `, ${countText(count.unseen)} not watched` : "");

/* "perfmon (2), backup (1)" */
function breakersText(count)
{
	return list(count.breakers).map((who) => `${who.name || who.unit ||
		"something that no process shows"} (${countText(who.times)})`).join(", ");
}

function slotText(slot)
{
	if (!slot.of)
		return "not watched yet";
	const broken = breakersText(slot);

	return `free in ${weeksText(slot)}` + (broken ? `; broken by ${broken}` : "");
}

function rangeText(range)
{
	const day = (n) => DAYS[n] || "?";

	if (range.length >= WEEK)
		return "at any time of the week";
	return `${day(range.day)} ${range.from} to ` +
		(range.to_day === range.day ? "" : `${day(range.to_day)} `) + range.to;
}

const forText = (s) => lengthText(s * SECOND);

class Week {
	constructor(body, length, days)
	{
		Object.assign(this, {body, length, days, product: null, at: [0, 0], number: 0});
		for (const select of [length, days])
			select.addEventListener("change", () => this.load());
	}

	show(product)
	{
		if (product !== this.product)
			this.body.replaceChildren();
		this.product = product;
		this.load();
	}

	async load()
	{
		const number = ++this.number;

		if (!this.product)
			return;
		this.body.setAttribute("aria-busy", "true");
		try {
			const answer = await ask("maintenance", {product: this.product,
				for: this.length.value, days: this.days.value});

			if (number === this.number)
				this.draw(answer);
		} catch (error) {
			if (!(error instanceof ApiError))
				throw error;
			if (number === this.number)
				this.body.replaceChildren(el("p", {class: "muted name", text:
					`Could not be asked: ${error.message}. ${error.hint}`}));
		}
		this.body.removeAttribute("aria-busy");
	}

	draw(answer)
	{
		const slots = list(answer.slots), best = list(answer.best);
		const details = el("p", {class: "slot name", "aria-live": "polite"});

		this.details = details;
		redraw(this.body,
			best.length ? el("ol", {class: "best"}, best.slice(0, 5).map((range) =>
				el("li", {data: {day: range.day, from: range.from, to: range.to}},
					el("span", {class: "range", text: rangeText(range)}),
					el("span", {class: "muted name", text: `free in ${weeksText(range)}` +
						(breakersText(range) ? `; broken by ${breakersText(range)}` : "")}))))
				: el("p", {text: slots.some((slot) => slot.of - slot.unseen > 0)
					? `No window of ${forText(answer.for)} was free. Try a shorter one.`
					: "Nothing is on record yet. Windows show after some days."}),
			el("div", {class: "map"}, this.table(answer, slots)), details, this.legend(),
			el("p", {class: "muted name", text: "Each hour: was a window of " +
				`${forText(answer.for)} that begins then free? Days and hours are the ` +
				`server's (${answer.zone || "?"}).` + (answer.unseen_s > 0
				? ` Nobody watched for ${forText(answer.unseen_s)} of this time; that ` +
					"counts as not free." : "")}));
	}

	table(answer, slots)
	{
		const find = new Map(slots.map((slot) => [slot.day * 24 + slot.hour, slot]));
		const grid = el("table", {class: "week", role: "grid"},
			el("caption", {class: "sr", text: "How often each hour of the week was free; the " +
				"arrow keys go from hour to hour"}),
			el("thead", null, el("tr", null, el("th", {scope: "col"},
				el("span", {class: "sr", text: "Day"})), [...Array(24).keys()].map((hour) =>
				el("th", {scope: "col", class: hour % 6 ? "" : "six"},
					el("span", {text: two(hour)}))))),
			el("tbody", null, DAYS.map((name, day) => el("tr", null,
				el("th", {scope: "row", "aria-label": name}, el("span", {text: name.slice(0, 2)})),
				[...Array(24).keys()].map((hour) =>
					this.cell(find.get(day * 24 + hour) || {of: 0}, day, hour))))));

		this.grid = grid;
		grid.addEventListener("keydown", (event) => this.onKey(event));
		return grid;
	}

	cell(slot, day, hour)
	{
		const text = `${DAYS[day]} ${two(hour)}:00: ${slotText(slot)}`;
		const chosen = day === this.at[0] && hour === this.at[1];
		const tell = () => {
			this.details.textContent = text;
		};
		const node = el("td", {role: "gridcell", "aria-label": text, tabindex: chosen ? "0" : "-1",
			data: {level: slotLevel(slot), day, hour, free: slot.free || 0, of: slot.of,
				key: `slot ${day} ${hour}`}},
		el("span", {class: "square", "aria-hidden": "true"}));

		node.addEventListener("pointerenter", tell);
		node.addEventListener("focus", tell);
		node.addEventListener("click", () => this.go(day, hour));
		return node;
	}

	go(day, hour)
	{
		const find = () => this.grid.querySelector(
			`td[data-day="${this.at[0]}"][data-hour="${this.at[1]}"]`);

		find().setAttribute("tabindex", "-1");
		this.at = [(day + 7) % 7, (hour + 24) % 24];
		find().setAttribute("tabindex", "0");
		find().focus();
	}

	onKey(event)
	{
		const moves = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0],
			ArrowDown: [1, 0]}[event.key];

		if (!moves || event.ctrlKey || event.metaKey || event.altKey)
			return;
		event.preventDefault();
		this.go(this.at[0] + moves[0], this.at[1] + moves[1]);
	}

	legend()
	{
		const item = (level, text) => el("span", {class: "key", data: {level}},
			el("span", {class: "square"}), text);

		return el("p", {class: "legend", "aria-hidden": "true"}, item("4", "always free"),
			item("2", "sometimes"), item("0", "never"), item("unseen", "not watched"));
	}
}
