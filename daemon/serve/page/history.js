/* SPDX-License-Identifier: MIT */
"use strict";
/*
 * What one product's files did in a stretch of time: bars, gaps, installs, holds.
 * Times are ms since 1970; a bar that lasts has no end.
 */

/* A use is drawn by what keeps setup from writing most. */
const BAR_KINDS = ["executing", "mapped", "write", "open"];

function readBar(bar)
{
	const how = list(bar.how);

	return {
		from: parseTime(bar.from), to: parseTime(bar.to), how,
		name: bar.name || null, pid: bar.pid || null, unit: bar.unit || null,
		stops: bar.setup_stops === true, cut: bar.cut === true,
		locks: [], host: null, /* a lock is drawn on the use that it belongs to */
		kind: BAR_KINDS.find((kind) => how.includes(kind)) ||
			(how.includes("locked") ? "lock" : how.includes("waiting") ? "waiting" : "open"),
	};
}

/* Uses begin before they end; whatever does not is drawn as the moment it began. */
function readBars(bars)
{
	const seen = new Set(), out = [];

	for (const raw of list(bars)) {
		const bar = readBar(raw);
		const key = `${bar.from} ${bar.pid} ${bar.name} ${bar.how}`;

		if (bar.from === null || seen.has(key))
			continue;
		seen.add(key);
		if (bar.to !== null && bar.to < bar.from)
			bar.to = bar.from;
		out.push(bar);
	}
	return withHosts(out.sort((a, b) => a.from - b.from));
}

const isLock = (bar) => bar.kind === "lock" || bar.kind === "waiting";

/* Who locks a file has it open as well, as a rule: one bar, with a mark on it. */
function withHosts(bars)
{
	const uses = new Map();

	for (const bar of bars) {
		const key = `${bar.pid} ${bar.name}`;

		if (isLock(bar))
			continue;
		if (!uses.has(key))
			uses.set(key, []);
		uses.get(key).push(bar);
	}
	for (const bar of bars) {
		if (!isLock(bar))
			continue;
		bar.host = (uses.get(`${bar.pid} ${bar.name}`) || []).find((use) =>
			overlaps(use, bar.from, bar.to === null ? Infinity : bar.to + 1)) || null;
		if (bar.host)
			bar.host.locks.push(bar);
	}
	return bars;
}

function readSpans(spans)
{
	return list(spans).map((span) => ({...span, from: parseTime(span.from),
		to: parseTime(span.to)})).filter((span) => span.from !== null || span.to !== null);
}

const overlaps = (span, from, to) => (span.from === null || span.from < to) &&
	(span.to === null || span.to >= from);

/* Bars of a row in lanes in which none overlaps another; those in excess share the
 * last one. */
const LANES_MAX = 6;

function inLanes(bars)
{
	const lanes = [], ends = [];

	for (const bar of bars) {
		if (bar.host)
			continue;
		let lane = ends.findIndex((end) => end <= bar.from);

		if (lane < 0)
			lane = Math.min(lanes.length, LANES_MAX - 1);
		if (!lanes[lane])
			lanes[lane] = [];
		lanes[lane].push(bar);
		ends[lane] = Math.max(ends[lane] || -Infinity, bar.to === null ? Infinity : bar.to);
	}
	return lanes;
}

class History {
	constructor()
	{
		this.clear();
	}

	clear()
	{
		this.files = new Map(); /* path: bars by their beginning */
		this.gaps = [];
		this.installs = [];
		this.holds = [];
		this.since = this.until = null; /* what was asked about; null: nothing yet */
		this.recordedSince = null;
		this.lostAt = null; /* since then nothing is heard; null: all is well */
		this.more = false;
		this.steps = null;
		this.generation = (this.generation || 0) + 1;
	}

	read(answer)
	{
		this.gaps = readSpans(answer.gaps);
		this.installs = readSpans(answer.installs);
		this.holds = readSpans(answer.holds);
		this.recordedSince = parseTime(answer.recorded_since);
		this.more = answer.more === true;
		this.generation++;
		this.steps = null;
	}

	/* An answer about all of [since, until]. */
	replace(answer, since, until)
	{
		this.files = new Map();
		for (const file of list(answer.files))
			this.files.set(String(file.path), readBars(file.bars));
		this.read(answer);
		this.since = since;
		this.until = until;
	}

	/* An answer about the time from @since, the rest being known: what it tells of
	 * takes the place of all that reached into that time. False: it is not whole. */
	extend(answer, since, until)
	{
		if (answer.more === true)
			return false;
		const before = {gaps: this.gaps, installs: this.installs, holds: this.holds};
		const old = (spans) => spans.filter((span) => !overlaps(span, since, Infinity));
		const files = new Map();

		for (const [path, bars] of this.files) {
			const kept = old(bars);

			if (kept.length)
				files.set(path, kept);
		}
		for (const file of list(answer.files)) {
			const path = String(file.path);

			files.set(path, [...(files.get(path) || []), ...readBars(file.bars)]
				.sort((a, b) => a.from - b.from));
		}
		const more = this.more, recordedSince = this.recordedSince;
		this.files = files;
		this.read(answer);
		for (const kind of Object.keys(before))
			this[kind] = [...old(before[kind]), ...this[kind]];
		this.more = more;
		this.recordedSince = recordedSince === null ? this.recordedSince : recordedSince;
		this.until = until;
		return true;
	}

	get withheld()
	{
		let any = false;

		for (const bars of this.files.values())
			for (const bar of bars) {
				if (!isWithheld(bar))
					return false;
				any = true;
			}
		return any;
	}

	/* As far as is known what lasts has lasted. */
	known(now)
	{
		return this.lostAt === null ? now : Math.min(this.lostAt, now);
	}

	/* How many files somebody used that setup does not stop, from when on:
	 * [{at, n}], by time; a file counts once however many use it. */
	usedFiles()
	{
		if (this.steps)
			return this.steps;
		const changes = [];

		for (const bars of this.files.values()) {
			let end = -Infinity;

			for (const bar of bars) {
				const to = bar.to === null ? Infinity : Math.max(bar.to, bar.from + 1);

				if (bar.stops || to <= end)
					continue;
				if (bar.from > end) {
					if (end > -Infinity)
						changes.push([end, -1]);
					changes.push([bar.from, 1]);
				}
				end = to;
			}
			if (end > -Infinity && end < Infinity)
				changes.push([end, -1]);
		}
		changes.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
		this.steps = [];
		let n = 0;
		for (const [at, by] of changes) {
			n += by;
			const last = this.steps[this.steps.length - 1];

			if (last && last.at === at)
				last.n = n;
			else
				this.steps.push({at, n});
		}
		return this.steps;
	}

	/* The stretches of [from, to] that nobody looked at, by time. */
	unseen(from, to)
	{
		const spans = this.gaps.filter((gap) => overlaps(gap, from, to));

		/* As far back as was asked is not where the records begin. */
		if (this.recordedSince !== null && this.recordedSince > from &&
			this.recordedSince > this.since + 1)
			spans.unshift({from: null, to: this.recordedSince,
				reason: "nothing is on record from before that"});
		else if (this.recordedSince === null && this.since !== null)
			spans.unshift({from: null, to: null, reason: "nothing is on record"});
		if (this.lostAt !== null && this.lostAt < to)
			spans.push({from: this.lostAt, to: null,
				reason: "this page hears nothing from the daemon"});
		return spans;
	}
}

/* The first of @bars (in a lane: none overlaps) that ends after @at. */
function firstEndingAfter(bars, at)
{
	let low = 0, high = bars.length;

	while (low < high) {
		const middle = (low + high) >> 1;

		if (bars[middle].to !== null && bars[middle].to < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
