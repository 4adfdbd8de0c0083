/* SPDX-License-Identifier: MIT */
"use strict";
/*
 * Of one product: who is in the way, by service, with the command that ends it; the
 * other reasons; what else is to be done; what could not be looked at.
 */

const FILES_SHOWN = 6, FILES_LISTED = 500;

/* By service; without one, by program. */
const groupKey = (use) => use.unit ? `unit ${use.unit}`
	: use.container ? `container ${use.engine} ${use.container}` : use.name ? `name ${use.name}`
	: use.pid ? `pid ${use.pid}` : isWithheld(use) ? "withheld" : "hidden";

/* One path is two files while an old version runs on. */
const fileLabel = (file) => !file.replaced || file.state === "sidestepped" ? file.path
	: `${file.path} (old${file.replaced_at ? ", replaced " +
		clockText(parseTime(file.replaced_at)) : ""})`;

function groupUses(files, wanted)
{
	const groups = new Map();

	for (const file of list(files)) {
		for (const use of list(file.uses)) {
			if (!wanted(file, use))
				continue;
			const key = groupKey(use);

			if (!groups.has(key))
				groups.set(key, {key, unit: use.unit, uses: [], files: new Map()});
			const group = groups.get(key);
			group.uses.push(use);
			const label = fileLabel(file);

			group.files.set(label, {path: file.path,
				uses: [...(group.files.get(label) || {uses: []}).uses, use]});
		}
	}
	return [...groups.values()].sort((a, b) => b.files.size - a.files.size);
}

/* A blocked file that nobody's row stands for: a lock without a use, say. */
function lockOnly(file)
{
	return list(file.locks).filter((lock) => lock.pid || lock.name).map((lock) => ({
		...lock, how: [lock.state === "waiting" ? "waiting" : "locked"]}));
}

const withLocks = (files) => list(files).map((file) => list(file.uses).length ? file
	: {...file, uses: lockOnly(file)});

/* The steps that name this group's service or process. */
function takeSteps(steps, group)
{
	const mine = steps.filter((one) => group.unit
		? isOf(one, STEP.STOP_UNIT) && one.unit === group.unit
		: one.pid && !one.unit && group.uses.some((use) => use.pid === one.pid));

	return [mine, steps.filter((one) => !mine.includes(one))];
}

function processes(group)
{
	const seen = new Map();

	for (const use of group.uses)
		seen.set(`${use.pid} ${use.name}`, use);
	return [...seen.values()];
}

function earliest(uses)
{
	const times = uses.map((use) => parseTime(use.since)).filter((at) => at !== null);

	return times.length ? Math.min(...times) : null;
}

function groupHead(group, now, tellsWhy)
{
	const all = processes(group), first = all[0], since = earliest(group.uses);
	const users = [...new Set(all.map((use) => use.user).filter((user) => user))];
	const title = group.unit || (first.container ? `${first.engine} ${first.container}` : "") ||
		(group.key === "withheld" ? "Not named here"
		: group.key === "hidden" ? "Something that no process shows" : first.name ||
			`process ${first.pid}`);
	const facts = [];

	if (group.key !== "withheld" && group.key !== "hidden") {
		facts.push((group.unit ? all.slice(0, 3).map(whoText).join(", ")
			: `pid ${all.slice(0, 3).map((use) => use.pid).join(", ")}`) +
			(all.length > 3 ? ` and ${countText(all.length - 3)} more` : ""));
		if (users.length)
			facts.push(`user ${users.join(", ")}`);
	}
	if (since !== null)
		facts.push(`since ${whenText(since, now)}`);
	return el("div", {class: "who"}, el("h3", {class: "name", text: title}),
		el("p", {class: "muted name", text: facts.join(" · ")}),
		group.key === "withheld" && tellsWhy ? el("p", {class: "muted", text:
			"Processes are named on the server only (show-processes = no)."}) : null);
}

function fileLine(label, {path, uses})
{
	const how = new Set(uses.flatMap((use) => list(use.how)));

	return el("li", {data: {path}, title: label}, el("span", {class: "name file",
		text: baseName(path) + label.slice(path.length)}), el("span", {class: "how", text: howText([...how])}));
}

function groupFiles(group)
{
	const lines = [...group.files], first = lines.slice(0, FILES_SHOWN);
	const rest = lines.slice(FILES_SHOWN, FILES_LISTED), more = lines.length - FILES_LISTED;
	const fold = el("details", {class: "fold", data: {key: `files ${group.key}`}},
		el("summary", {text: `and ${plural(lines.length - FILES_SHOWN, "more file")}`}));

	/* Thousands of lines are made when somebody wants to see them. */
	fold.addEventListener("toggle", () => {
		if (!fold.open || fold.children.length > 1)
			return;
		fold.append(el("ul", {class: "files"}, rest.map((line) => fileLine(...line))));
		if (more > 0)
			fold.append(el("p", {class: "muted", text: `${countText(more)} more are ` +
				"not listed; all of them: spguard check --json"}));
	});
	return el("div", {class: "held"},
		el("ul", {class: "files"}, first.map((line) => fileLine(...line))),
		lines.length > FILES_SHOWN ? fold : null);
}

function groupRow(group, steps, now)
{
	return el("li", {class: steps.length ? "group" : "group idle", data: {group: group.key}},
		groupHead(group, now, steps.length), groupFiles(group),
		steps.length ? el("div", {class: "do"}, steps.map(step)) : null);
}

/* Why it is not safe, as far as the groups and the coverage do not tell it. */
function otherReasons(answer, coverage, grouped)
{
	return notes(answer.reasons).filter((reason) => !isOf(reason, REASON.WITHHELD) &&
		!(coverage.length && isOf(reason, REASON.NOT_LOOKED_AT)) &&
		!(grouped && isOf(reason, REASON.IN_USE, REASON.FILES_IN_USE, REASON.MORE)));
}

function adviceOf(answer, next)
{
	const names = new Map();

	for (const file of list(answer.files))
		if (file.advice && !next.some((one) => isOf(one, STEP.ADVICE) &&
			one.text === file.advice) && (list(file.uses).length ||
			file.state === "blocked" || file.state === "unknown"))
			names.set(file.advice, [...(names.get(file.advice) || []), baseName(file.path)]);
	return [...names].map(([advice, of]) => el("p", {class: "advice"},
		el("span", {class: "name of", text: of.slice(0, 4).join(", ") +
			(of.length > 4 ? ` and ${plural(of.length - 4, "more file")}` : "") + ": "}),
		el("span", {class: "name", text: advice})));
}

function lacksList(coverage)
{
	const seen = new Set(), rows = [];

	for (const lack of [...coverage].sort((a, b) => (b.blinds !== false) - (a.blinds !== false))) {
		const key = `${lack.what} ${lack.why}`;

		if (seen.has(key))
			continue;
		seen.add(key);
		const blinds = lack.blinds !== false;
		rows.push(el("li", {class: blinds ? "blind" : "note", data: {what: lack.what}},
			el("p", null, el("strong", {class: "name", text: lack.what || "something"}),
				el("span", {class: "name", text: lack.why ? `: ${lack.why}` : ""})),
			lack.remedy && blinds && lack.command !== lack.remedy ? step({text: lack.remedy}) : null,
			lack.command && blinds ? step(commandStep(lack.command)) : null,
			lack.remedy && !blinds ? el("p", {class: "muted name", text: lack.remedy}) : null));
	}
	return rows;
}

const block = (title, name, ...children) => el("div", {class: `block ${name}`},
	el("h3", {text: title}), ...children);

function section(title, name, items)
{
	return items.length ? block(title, name, el("ul", {class: "plain"}, items)) : null;
}

const PANEL_TITLES = {blocked: "Who is in the way", attention: "What to see to first",
	unknown: "Why it is not known", safe: "Before you begin"};

class Holders {
	constructor(panel, title, body)
	{
		Object.assign(this, {panel, title, body, shown: ""});
	}

	draw(product, current)
	{
		const answer = product && !product.heard && product.answer;
		const key = JSON.stringify(answer && [answer.verdict, answer.reasons, answer.next,
			answer.remarks, answer.files, answer.proof && answer.proof.coverage]);

		this.panel.classList.toggle("old", !current);
		/* Old advice how to go on is no advice. */
		this.panel.hidden = (!answer && !this.shown) ||
			(!current && Boolean(product) && product.verdict === "safe");
		if (!answer || key === this.shown)
			return;
		this.shown = key;
		this.fill(answer);
	}

	fill(answer)
	{
		const verdict = verdictOf(answer), now = serverClock.now();
		const coverage = list(answer.proof && answer.proof.coverage);
		const files = withLocks(answer.files);
		const blockers = groupUses(files, (file, use) => file.state !== "sidestepped" &&
			(use.class === "blocker" || (!use.class && file.state === "blocked")));
		const stopped = groupUses(files, (file, use) => use.class === "setup-stops");
		const aside = groupUses(files, (file) => file.state === "sidestepped");
		let steps = notes(answer.next).filter((one) =>
			!(coverage.length && isOf(one, STEP.REMEDY)));
		const rows = (groups) => groups.map((group) => {
			const [mine, rest] = takeSteps(steps, group);

			steps = rest;
			return groupRow(group, group.key !== "withheld" ? mine
				: [commandStep(`spguard who --product ${shellQuote(answer.product || "")}`)], now);
		});
		const groups = rows(blockers), old = rows(aside);
		const why = otherReasons(answer, coverage, groups.length > 0);
		const missing = files.filter((file) => file.state === "missing");

		this.title.textContent = verdict === "blocked" && !groups.length
			? "What is in the way" : PANEL_TITLES[verdict];
		redraw(this.body,
			groups.length ? el("ul", {class: "groups"}, groups) : null,
			section("Why", "why", why.map(({text}) => el("li", {class: "name", text}))),
			section("Good to know", "remarks", notes(answer.remarks).map(({text}) =>
				el("li", {class: "name", text}))),
			section("Could not be looked at", "lacks", lacksList(coverage)),
			old.length ? block("Old versions that still run", "aside",
				el("ul", {class: "groups"}, old)) : null,
			this.next(answer, verdict, steps, groups.length > 0),
			stopped.length ? el("details", {class: "fold stopped", data: {key: "stopped"}},
				el("summary", {text: `${plural(stopped.length, "program")} that setup ends by ` +
					"itself: not in the way"}),
				el("ul", {class: "groups"}, stopped.map((group) => groupRow(group, [], now))))
				: null,
			missing.length ? el("p", {class: "muted name", text:
				`${plural(missing.length, "file")} of the product ` +
				`${missing.length === 1 ? "is" : "are"} not installed: ` +
				missing.slice(0, 5).map((file) => baseName(file.path)).join(", ") +
				(missing.length > 5 ? ", ..." : "")}) : null);
	}

	next(answer, verdict, steps, grouped)
	{
		const again = `spguard check --product ${shellQuote(answer.product || "")}`;

		if (verdict === "safe")
			return el("div", {class: "block next"}, el("p", {class: "muted", text:
				"Safe was true when it was proved. Nothing but a hold keeps a process " +
				"from opening a file a moment later; this checks, holds, runs setup and " +
				"verifies:"}), step(commandStep(`spguard run --product ` +
				`${shellQuote(answer.product || "")} --payload DIR -- COMMAND`)));
		if (!steps.some((one) => isOf(one, STEP.CHECK_AGAIN)))
			steps = [...steps, verdict === "blocked"
				? commandStep(`${again} --wait`, "asks until it is safe")
				: commandStep(again, "asks again")];
		return block(grouped ? "Then" : "What to do", "next", steps.map(step),
			adviceOf(answer, steps));
	}
}

const shellQuote = (text) => /^[\w@%+=:,./-]+$/.test(text) ? text
	: `'${text.replaceAll("'", "'\\''")}'`;
