/* SPDX-License-Identifier: MIT */
"use strict";
/*
 * The rows of the timeline: which files, in which order, in which groups, how high.
 * Thousands of rows are only numbers here; elements are made for those in sight.
 */

const REST_SHOWN = 24; /* files without bars that need no group */
const NOT_USED = "\u0000rest"; /* the key of the group of files without bars */

const holderOf = (bar) => bar.unit || bar.name || (bar.pid ? `process ${bar.pid}`
	: isWithheld(bar) ? "not told here" : "no process shows it");

/* What the filter looks at: any of its words somewhere in path, process, service. */
function matches(words, path, bars)
{
	if (!words.length)
		return true;
	const low = path.toLowerCase();

	return words.every((word) => low.includes(word) || bars.some((bar) =>
		(bar.name && bar.name.toLowerCase().includes(word)) ||
		(bar.unit && bar.unit.toLowerCase().includes(word)) || String(bar.pid) === word));
}

const byPath = (a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
const rank = (row) => row.state === "blocked" ? 0 : row.state === "unknown" ? 1 : 2;

class Rows {
	constructor()
	{
		this.closed = new Set([NOT_USED]); /* keys of groups */
		this.rows = [];
		this.tops = [0];
		/* px; head: of a name above the bars */
		this.sizes = {head: 0, pad: 4, one: 18, lane: 13, group: 28};
		this.lanes = new WeakMap(); /* of bars that were laid out before */
	}

	/* @history, @states: path -> state for every file that is known, @how: "none",
	 * "directory" or "process", @filter: text, @view: the time that is looked at */
	build(history, states, how, filter, view)
	{
		const isUsed = (bars) => bars.some((bar) => overlaps(bar, view.from, view.to));
		const words = filter.toLowerCase().split(/\s+/).filter((word) => word);
		const used = [], unused = [];

		for (const [path, bars] of history.files)
			if (bars.length && matches(words, path, bars))
				(isUsed(bars) ? used : unused).push(this.file(path, bars, states));
		for (const path of states.keys())
			if (!history.files.has(path) && matches(words, path, []))
				unused.push(this.file(path, [], states));
		used.sort((a, b) => rank(a) - rank(b) || byPath(a, b));
		unused.sort(byPath);
		this.nUsed = used.length;
		this.nUnused = unused.length;
		this.rows = [];
		if (how === "directory")
			this.addGroups(this.byFolder(used), false);
		else if (how === "process")
			this.addGroups(this.byHolder(used, states, isUsed), true);
		else
			this.rows.push(...used);
		if (unused.length)
			this.addRest(unused, used.length);
		this.measure();
	}

	file(path, bars, states)
	{
		if (!this.lanes.has(bars))
			this.lanes.set(bars, inLanes(bars));
		return {kind: "file", key: path, path, bars, lanes: this.lanes.get(bars),
			state: states.get(path) || null};
	}

	byFolder(files)
	{
		const groups = new Map();

		for (const file of files) {
			const folder = folderOf(file.path);

			if (!groups.has(folder))
				groups.set(folder, []);
			groups.get(folder).push(file);
		}
		return groups;
	}

	byHolder(files, states, isUsed)
	{
		const groups = new Map();

		for (const file of files) {
			const holders = new Map();

			for (const bar of file.bars) {
				const who = holderOf(bar);

				if (!holders.has(who))
					holders.set(who, []);
				holders.get(who).push(bar);
			}
			for (const [who, bars] of holders) {
				if (!isUsed(bars))
					continue;
				if (!groups.has(who))
					groups.set(who, []);
				const row = this.file(file.path, bars, states);
				row.key = `${who}\n${file.path}`;
				groups.get(who).push(row);
			}
		}
		return groups;
	}

	addGroups(groups, bySize)
	{
		const sorted = [...groups].sort((a, b) => bySize
			? b[1].length - a[1].length || (a[0] < b[0] ? -1 : 1) : (a[0] < b[0] ? -1 : 1));

		for (const [name, files] of sorted)
			this.addGroup(`group ${name}`, name, files);
	}

	addGroup(key, name, files)
	{
		const open = !this.closed.has(key);

		this.rows.push({kind: "group", key, name, n: files.length, open,
			files: open ? null : files});
		if (open)
			this.rows.push(...files);
	}

	addRest(files, nUsed)
	{
		if (files.length <= REST_SHOWN)
			this.rows.push(...files);
		else
			this.addGroup(NOT_USED, `${plural(files.length, nUsed ? "more file" : "file")} ` +
				"that nobody used in this time", files);
	}

	toggle(row)
	{
		if (this.closed.has(row.key))
			this.closed.delete(row.key);
		else
			this.closed.add(row.key);
	}

	height(row)
	{
		const {head, pad, group} = this.sizes;

		return row.kind === "group" ? group : head + 2 * pad +
			(row.lanes.length > 1 ? row.lanes.length * (this.laneHeight(row) + 2) - 2
				: this.laneHeight(row));
	}

	laneHeight(row)
	{
		return row.lanes.length > 1 ? this.sizes.lane : this.sizes.one;
	}

	/* Where a lane begins, from the top of its row. */
	laneTop(row, lane)
	{
		return this.sizes.head + this.sizes.pad + lane * (this.laneHeight(row) + 2);
	}

	measure()
	{
		let at = 0;

		this.tops = [0];
		for (const row of this.rows)
			this.tops.push(at += this.height(row));
	}

	get total()
	{
		return this.tops[this.tops.length - 1];
	}

	/* The row at @y from the top of the first; the number of rows when below all. */
	at(y)
	{
		let low = 0, high = this.rows.length;

		while (low < high) {
			const middle = (low + high) >> 1;

			if (this.tops[middle + 1] <= y)
				low = middle + 1;
			else
				high = middle;
		}
		return low;
	}

	find(key)
	{
		return this.rows.findIndex((row) => row.key === key);
	}
}
