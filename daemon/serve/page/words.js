/* SPDX-License-Identifier: MIT */
"use strict";
/*
 * Times, lengths, counts and the words for what the daemon tells. The words are
 * those of the client: who reads both should find the same.
 */

const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov",
	"Dec"];

const two = (n) => String(n).padStart(2, "0");

/* RFC 3339 to ms since 1970; null stays null. */
function parseTime(text)
{
	const ms = typeof text === "string" ? Date.parse(text) : NaN;

	return Number.isNaN(ms) ? null : ms;
}

const weekday = (date) => DAYS[(date.getDay() + 6) % 7];

function clockText(ms, withSeconds = true)
{
	const date = new Date(ms);
	const text = `${two(date.getHours())}:${two(date.getMinutes())}`;

	return withSeconds ? `${text}:${two(date.getSeconds())}` : text;
}

function dayText(ms)
{
	const date = new Date(ms);

	return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

const sameDay = (a, b) => dayText(a) === dayText(b);

/* As short as it stays clear: today without a day, this week with its name. */
function whenText(ms, now, withSeconds = true)
{
	const clock = clockText(ms, withSeconds);

	if (sameDay(ms, now))
		return clock;
	if (Math.abs(now - ms) < 6 * DAY)
		return `${weekday(new Date(ms)).slice(0, 3)} ${clock}`;
	return `${dayText(ms)} ${clock}`;
}

/* "3 s", "12 min", "2 h 5 min", "3 d 4 h" */
function lengthText(ms)
{
	const units = [[DAY, "d"], [HOUR, "h"], [MINUTE, "min"], [SECOND, "s"]];
	const at = units.findIndex(([size]) => ms >= size);

	if (ms < 0)
		return "0 s";
	if (at < 0)
		return `${Math.round(ms)} ms`;
	const [size, name] = units[at];
	const whole = Math.floor(ms / size);
	if (at === 3 && ms < 10 * SECOND && ms % SECOND)
		return `${(ms / SECOND).toFixed(1)} s`;
	if (at > 1 || whole >= 10)
		return `${whole} ${name}`;
	const rest = Math.floor(ms % size / units[at + 1][0]);
	return rest ? `${whole} ${name} ${rest} ${units[at + 1][1]}` : `${whole} ${name}`;
}

/* In whole seconds: a clock that shows it should not flicker. */
const ageText = (ms) => lengthText(Math.max(Math.floor(ms / SECOND), 0) * SECOND)
	.replace(/^0 ms$/, "0 s");

function tookText(us)
{
	return us < 1000 ? `${us}\u00a0µs` : us < 1e6
		? `${(us / 1000).toFixed(us < 1e4 ? 1 : 0)}\u00a0ms` : `${(us / 1e6).toFixed(1)}\u00a0s`;
}

const countText = (n) => Number(n || 0).toLocaleString("en");

function bytesText(n)
{
	return n >= 1 << 30 ? `${(n / (1 << 30)).toFixed(1)} GiB`
		: n >= 1 << 20 ? `${(n / (1 << 20)).toFixed(1)} MiB` : `${Math.ceil(n / 1024)} KiB`;
}

const plural = (n, one, many = `${one}s`) => `${countText(n)} ${n === 1 ? one : many}`;

const baseName = (path) => path.slice(path.lastIndexOf("/") + 1) || path;
const folderOf = (path) => path.slice(0, Math.max(path.lastIndexOf("/"), 0)) || "/";

const VERDICTS = ["safe", "attention", "unknown", "blocked"];
const VERDICT_WORDS = {safe: "Safe", attention: "Attention", blocked: "Blocked",
	unknown: "Unknown"};

/* A verdict that this page has no word for is none it may show as good. */
const verdictOf = (answer) => VERDICTS.includes(answer.verdict) ? answer.verdict : "unknown";

const HOWS = {open: "open", write: "open for writing", mapped: "mapped",
	executing: "executing", locked: "locked", waiting: "waits for a lock"};

const howText = (how) => how && how.length ? how.map((h) => HOWS[h] || h).join(", ") : "in use";

const GAPS = {downtime: "spguardd was not running",
	overflow: "there were more events than the kernel keeps, and some were lost",
	merged: "the kernel merged events, so their number and order are not known",
	dropped: "there were more events than could be stored, and some were dropped",
	store: "the history could not be written",
	damaged: "the database was damaged and begun anew",
	watch: "the directory could not be watched"};

const gapText = (reason) => Object.hasOwn(GAPS, reason) ? GAPS[reason]
	: String(reason || "no reason is on record");

/* Reasons or steps: what is none is left out. */
const notes = (value) => list(value).filter((note) => note && typeof note.text === "string");

const isOf = (note, ...kinds) => kinds.includes(note.kind);
const hasReason = (answer, ...kinds) => notes(answer.reasons).some((note) => isOf(note, ...kinds));

/* As the client tells them apart. */
function attentionText(answer)
{
	const missing = hasReason(answer, REASON.NOT_WRITTEN_YET, REASON.SIDESTEP_UNSURE);
	const aside = missing || list(answer.files).some((file) => file.state === "sidestepped");
	const first = hasReason(answer, REASON.NOT_REPLACED, REASON.NOT_PAYLOAD, REASON.MISFIT,
		REASON.ALL_GONE, REASON.KEPT, REASON.OTHER) ? "the last install left a mixed set"
		: hasReason(answer, REASON.UNREADABLE, REASON.HOLDERS_LOST, REASON.PAST_LOST,
			REASON.PRODUCT_GONE, REASON.UNVERIFIED)
			? "the last install could not be verified" : "";
	const second = missing ? "a step aside is not finished"
		: aside ? "an old version that was stepped aside still runs" : "";

	if (!first && hasReason(answer, REASON.WITHHELD))
		return "nobody holds a file, but spguard check on the server has something to say";
	return [first, second].filter((text) => text).join(", and ") ||
		"nobody holds a file, but read this first";
}

/* "2 of 10 files are in the way" */
function summaryText(answer)
{
	const counts = answer.counts || {}, files = counts.files || 0;
	const blocked = counts.blocked || 0;

	switch (verdictOf(answer)) {
	case "safe":
		return files === 1 ? "its file is not in use"
			: `none of the ${countText(files)} files is in the way`;
	case "blocked":
		if (hasReason(answer, REASON.INSTALLING))
			return "an install is running";
		if (!blocked && counts.files)
			return "not by a file in use: spguard check on the server says why";
		return `${countText(blocked)} of ${plural(files, "file")} ` +
			`${blocked === 1 ? "is" : "are"} in the way`;
	case "attention":
		return attentionText(answer);
	default:
		return "its files could not be proved free";
	}
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/* What should be a list and is none is an empty one. */
function list(value)
{
	return Array.isArray(value) ? value : [];
}

const titleOf = (product) => product.title || product.product || product.name || "?";

/* "perfmon (13592)". A use of nobody is one that no process shows, and has no how;
 * where the daemon keeps processes to itself (show-processes), how is told, who is not. */
function whoText(use)
{
	if (use.name)
		return use.pid ? `${use.name} (${use.pid})` : use.name;
	if (use.pid)
		return `process ${use.pid}`;
	return isWithheld(use) ? "not told here" : "no process shows it";
}

const isWithheld = (use) => !use.name && !use.pid && list(use.how).length > 0;
