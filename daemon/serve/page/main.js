/* SPDX-License-Identifier: MIT */
"use strict";
/*
 * Puts the parts together: what was heard goes to whom it concerns, what the user
 * chooses is kept in the address, so that a wall screen can be set up by a link.
 */

const STATUS_EVERY = 60 * SECOND, SLOW_EVERY = 15 * MINUTE;

const products = new Map();
let chosen = null; /* the name of the product whose particulars are shown */
let daemonStatus = null;
let wasCurrent = true;

/* The server names itself; by which name the browser came to it is less (localhost). */
const hostName = () => String(daemonStatus && daemonStatus.host || location.host);

const sorted = () => [...products.values()].sort((a, b) =>
	VERDICTS.indexOf(b.verdict) - VERDICTS.indexOf(a.verdict) ||
	(a.title < b.title ? -1 : a.title > b.title ? 1 : 0));

const timeline = new Timeline({box: byId("tl"), scroll: byId("tl-scroll"),
	canvas: byId("tl-canvas"), rowsNode: byId("tl-rows")}, {changed: drawTools});
const table = new Table(timeline, byId("table-fold"), byId("table-body"));
const pointer = new Pointer(timeline, byId("tip"), byId("tl-says"));
const week = new Week(byId("windows-body"), byId("windows-for"), byId("windows-days"));
const installs = new Installs(byId("installs-body"));
const cards = new Cards(byId("products"), choose);
const holders = new Holders(byId("holders"), byId("holders-title"), byId("holders-body"));
const live = new Live({answers: onAnswers, verdict: onVerdict, event: onEvent,
	missed: onMissed, state: drawAll});

/* ---- what the daemon tells ---- */

function onAnswers(all, asked)
{
	const names = new Set(all.map((answer) => String(answer.product)));
	let changed = false;

	for (const name of products.keys())
		if (!names.has(name))
			products.delete(name);
	for (const answer of all) {
		const name = String(answer.product);
		const product = products.get(name) || new Product(name), before = product.verdict;

		products.set(name, product);
		product.learn(answer, asked);
		changed = changed || before !== product.verdict || product.since === null;
	}
	if (!products.size)
		return;
	if (!products.has(chosen))
		choose(wanted() || sorted()[0].name, false);
	const shown = products.get(chosen);
	if (shown.answer)
		timeline.learn(shown.answer);
	if (changed)
		loadStatus();
	if (!live.streaming || timeline.isBehind())
		timeline.wantCatchUp();
}

function wanted()
{
	const name = new URLSearchParams(location.hash.slice(1)).get("product");

	return products.has(name) ? name : null;
}

function onVerdict(event)
{
	const product = products.get(String(event.product));

	if (product)
		product.hear(event);
	drawAll();
}

function onEvent(happened)
{
	timeline.hear(happened);
	if (["install-begin", "install-end"].includes(happened.kind))
		installs.load();
}

/* Events were lost: everything anew. */
function onMissed()
{
	timeline.refresh();
	installs.load();
}

/* It was not heard for a while. */
function onBack()
{
	onMissed();
	week.load();
	loadStatus();
}

async function loadStatus()
{
	try {
		daemonStatus = await ask("status");
	} catch (error) {
		if (!(error instanceof ApiError))
			throw error;
		return;
	}
	for (const row of list(daemonStatus.products)) {
		const product = products.get(String(row.name));

		if (product && product.verdict === row.verdict)
			product.since = parseTime(row.verdict_since);
	}
	drawFoot();
	drawAll();
}

/* ---- what the user chooses ---- */

function choose(name, keep = true)
{
	chosen = name;
	timeline.show(name);
	week.show(name);
	installs.show(name);
	if (keep)
		keepChoice();
	drawAll();
}

function keepChoice()
{
	const params = new URLSearchParams();

	if (products.size > 1)
		params.set("product", chosen);
	if (timeline.following && timeline.range)
		params.set("range", timeline.range);
	if (timeline.group !== "none")
		params.set("group", timeline.group);
	const hash = `#${params}`;
	if ((location.hash || "#") !== hash)
		history.replaceState(null, "", hash === "#" ? location.pathname : hash);
}

function readChoice()
{
	const params = new URLSearchParams(location.hash.slice(1));

	if (Object.hasOwn(RANGES, params.get("range") || ""))
		timeline.range = params.get("range");
	if (["directory", "process"].includes(params.get("group"))) {
		timeline.group = params.get("group");
		byId("group").value = timeline.group;
	}
}

/* ---- what is drawn ---- */

const STATES = {
	asking: "Asking the daemon", live: "Live", polling: `Asking every ${ASK_POLLING / SECOND} s`,
	refused: "The daemon refuses", gone: "Not reachable",
};

function drawAll()
{
	const current = live.isCurrent(), all = sorted();

	if (current && !wasCurrent)
		onBack();
	wasCurrent = current || live.answeredAt === null;
	drawConnection();
	cards.draw(all, chosen, current);
	holders.draw(products.get(chosen), current);
	timeline.setLost(current || live.answeredAt === null ? null
		: live.answeredAt + serverClock.ahead);
	document.body.dataset.current = current ? "yes" : "no";
	if (current) {
		const worst = worstOf(all);

		document.title = `${VERDICT_WORDS[worst]} · ${hostName()} · spguard`;
		setIcon(worst);
		announceVerdicts(all);
	} else {
		document.title = `Not known · ${hostName()} · spguard`;
		setIcon("stale");
		for (const product of all)
			product.said = null;
	}
}

function drawConnection()
{
	const state = live.state(), before = byId("connection").dataset.state;
	const age = live.answeredAt === null ? null : Date.now() - live.answeredAt;
	const lost = state === "gone" || state === "refused";

	byId("connection").dataset.state = state;
	if (byId("connection-text").textContent !== STATES[state])
		byId("connection-text").textContent = STATES[state];
	byId("gone").hidden = !lost;
	if (!lost)
		return;
	const title = state === "gone" ? "The daemon cannot be reached."
		: `The daemon answers with an error: ${live.failure.message}.`;
	byId("gone-title").textContent = title;
	byId("gone-text").textContent = [
		live.failure && live.failure.hint ? `${capital(live.failure.hint)}.` : "",
		age === null ? "It has not answered yet."
			: `Its last answer is ${ageText(age)} old; what is greyed may ` +
				"be wrong by now.",
		"On the server: spguard status, or systemctl status spguardd."].join(" ").trim();
	if (before !== state)
		announce(`${title} No verdict is known.`);
}

function drawTools()
{
	const now = serverClock.now(), {from, to} = timeline.view;

	for (const button of document.querySelectorAll("[data-range]"))
		button.setAttribute("aria-pressed", String(button.dataset.range === timeline.range));
	byId("now").setAttribute("aria-pressed", String(timeline.following));
	byId("span-text").textContent = timeline.following
		? `The last ${timeline.range || lengthText(now - from)}, since ${whenText(from, now)}`
		: `${whenText(from, now)} to ${whenText(to, now)} (${lengthText(to - from)})`;
	byId("rows-text").textContent = rowsText();
	byId("group").options[2].disabled = timeline.withheld;
	if (timeline.product)
		keepChoice();
	table.draw();
}

function rowsText()
{
	const {nUsed, nUnused} = timeline.rows;

	if (timeline.history.since === null)
		return timeline.failed ? `could not be loaded: ${timeline.failed.message}` : "loading";
	return [`${plural(nUsed || 0, "file")} in use`,
		nUnused ? `${countText(nUnused)} that nobody used` : "",
		timeline.filter ? "as filtered" : "",
		timeline.history.more ? "too much to show all: zoom in" : "",
		timeline.withheld ? "who, the page does not tell here" : ""]
		.filter((text) => text).join(" · ");
}

function drawFoot()
{
	const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "this browser's zone";
	const store = daemonStatus.store || {};

	byId("host").textContent = hostName();
	byId("host").title = location.host;
	byId("tier").textContent = `tier ${daemonStatus.tier || "?"}`;
	redraw(byId("foot"), el("p", {class: "name", text: [
		`spguard ${daemonStatus.version || "?"}`, `up ${lengthText((daemonStatus.uptime || 0) * SECOND)}`,
		`tier ${daemonStatus.tier || "?"}`,
		store.stopped ? `history stopped: ${store.why || "?"}`
			: `history ${bytesText(store.bytes || 0)}` + (store.oldest
				? ` since ${whenText(parseTime(store.oldest), serverClock.now(), false)}` : ""),
		`times: ${zone}`].join(" · ")}));
}

function tick()
{
	const now = serverClock.now();

	byId("clock").textContent = clockText(now);
	byId("clock").setAttribute("datetime", new Date(now).toISOString());
	timeline.tick();
}

const LEGEND = [["mapped", "mapped"], ["executing", "executing"], ["write", "open for writing"],
	["open", "open"], ["lock", "locked"], ["waiting", "waits"], ["stops", "setup ends it"],
	["gap", "nobody looked"], ["free", "nobody in the way"], ["hold", "hold"]];

function drawLegend()
{
	const items = () => LEGEND.map(([kind, text]) =>
		el("span", {class: "key", data: {kind}}, el("span", {class: "swatch"}), text));

	redraw(byId("legend"), items());
	redraw(byId("signs"), el("p", {class: "legend"}, VERDICTS.map((kind) =>
		el("span", {class: "key", data: {verdict: kind}}, sign(SIGNS[kind]),
			VERDICT_WORDS[kind]))));
}

function listen()
{
	const click = (id, act) => byId(id).addEventListener("click", act);

	for (const button of document.querySelectorAll("[data-range]"))
		button.addEventListener("click", () => timeline.setRange(button.dataset.range));
	click("back", () => timeline.pan(-0.5));
	click("forth", () => timeline.pan(0.5));
	click("zoom-in", () => timeline.zoom(0.5));
	click("zoom-out", () => timeline.zoom(2));
	click("now", () => timeline.follow());
	click("keys-button", () => byId("keys").showModal());
	click("keys-close", () => byId("keys").close());
	byId("group").addEventListener("change", (e) => timeline.setGroup(e.target.value));
	byId("filter").addEventListener("input", (e) => timeline.setFilter(e.target.value));
	document.addEventListener("keydown", onKey);
}

function onKey(event)
{
	const typing = event.target.closest("input, select, textarea, dialog");
	const keys = {
		1: () => timeline.setRange("hour"), 2: () => timeline.setRange("day"),
		3: () => timeline.setRange("week"), "+": () => timeline.zoom(0.5),
		"=": () => timeline.zoom(0.5), "-": () => timeline.zoom(2),
		"/": () => byId("filter").focus(), "?": () => byId("keys").showModal(),
	};

	if (typing || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key])
		return;
	event.preventDefault();
	keys[event.key]();
}

byId("host").textContent = hostName();
readChoice();
drawLegend();
listen();
drawAll();
tick();
setInterval(tick, SECOND);
setInterval(loadStatus, STATUS_EVERY);
setInterval(() => {
	week.load();
	installs.load();
	timeline.refresh(); /* and what has left the view is forgotten */
}, SLOW_EVERY);
live.start();
