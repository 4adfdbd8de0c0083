/* SPDX-License-Identifier: MIT */
"use strict";
/*
 * Recent installs, newest first: when, by whom, how many files, the outcome in a word
 * with its sign, and why it is not clean.
 */

const OUTCOMES = {clean: ["safe", "clean"], mixed: ["blocked", "mixed"],
	unknown: ["unknown", "unknown"], running: ["running", "running"]};
const INSTALLS_SHOWN = 8;

function installWhen(install, now)
{
	const began = parseTime(install.began), ended = parseTime(install.ended);

	if (began === null)
		return "at an unknown time";
	return whenText(began, now, false) +
		(ended === null ? "" : `, took ${lengthText(Math.max(ended - began, 0))}`);
}

function installBy(install)
{
	const by = install.by;

	if (!by || !(by.name || by.pid))
		return null;
	if (install.command)
		return `by ${install.command}${by.user ? ` (${by.user})` : ""}`;
	return `by ${whoText(by)}${by.user ? `, user ${by.user}` : ""}`;
}

const PACKAGES_SHOWN = 3;

/* As "spguard installs" has it: "libfoo1 1.2-1 to 1.2-2". */
function packageText({name, from, to, from_known: known})
{
	if (to === null)
		return `${name} ${from} removed`;
	if (from === null)
		return `${name} ${to}${known ? " new" : ""}`;
	return `${name} ${from === to ? "" : `${from} to `}${to}`;
}

function installPackages(install)
{
	const packages = install.packages || [];
	const shown = packages.length === PACKAGES_SHOWN + 1 ? packages.length : PACKAGES_SHOWN;

	return packages.slice(0, shown).map(packageText).join(", ") +
		(packages.length > shown ? ` and ${packages.length - shown} more` : "");
}

function installItem(install, now)
{
	const [kind, word] = OUTCOMES[install.outcome] || OUTCOMES.unknown;
	const counts = `${plural(install.changed || 0, "file")} changed` +
		(install.skipped ? `, ${countText(install.skipped)} left out` : "");
	const packages = installPackages(install);
	const reasons = install.outcome === "clean" ? [] : notes(install.reasons);
	const next = install.outcome === "clean" ? [] : notes(install.next);

	return el("li", {class: "install", data: {verdict: kind, id: install.id,
		outcome: install.outcome}},
	sign(SIGNS[kind]),
	el("div", null,
		el("p", null, el("strong", {text: capital(word)}),
			el("span", {class: "muted name", text: ` · install ${install.id} · ` +
				installWhen(install, now)})),
		el("p", {class: "name", text: [counts, installBy(install)].filter((t) => t).join(", ")}),
		packages ? el("p", {class: "name", text: packages}) : null,
		reasons.length ? el("details", {class: "fold", data: {key: `install ${install.id}`}},
			el("summary", {text: "Why, and what to do"}),
			el("ul", {class: "plain"}, reasons.map(({text}) => el("li", {class: "name", text}))),
			next.map(step)) : null));
}

class Installs {
	constructor(body)
	{
		Object.assign(this, {body, product: null, shown: ""});
	}

	show(product)
	{
		if (product !== this.product)
			this.shown = "";
		this.product = product;
		this.load();
	}

	async load()
	{
		const product = this.product;

		if (!product)
			return;
		try {
			const answer = await ask("installs", {product, limit: INSTALLS_SHOWN});

			if (product === this.product)
				this.draw(list(answer.installs));
		} catch (error) {
			if (!(error instanceof ApiError))
				throw error;
			if (!this.shown)
				this.body.replaceChildren(el("p", {class: "muted name", text:
					`Could not be asked: ${error.message}. ${error.hint}`}));
		}
	}

	draw(installs)
	{
		const now = serverClock.now(), key = JSON.stringify([installs, dayText(now)]);

		if (key === this.shown)
			return;
		this.shown = key;
		redraw(this.body, installs.length
			? el("ul", {class: "plain installs"}, installs.map((install) =>
				installItem(install, now)))
			: el("p", {class: "muted", text: "No install was seen."}));
	}
}
