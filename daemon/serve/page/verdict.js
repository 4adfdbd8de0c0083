/* SPDX-License-Identifier: MIT */
"use strict";
/*
 * The verdict of each product, as a card: a word and a shape before any colour, when
 * it was proved and how. What is not current is never shown as a verdict.
 */

/* One product: its last answer, and a verdict event that is newer than that. */
class Product {
	constructor(name)
	{
		this.name = name;
		this.answer = null;
		this.heard = null;
		this.heardAt = -1;  /* performance.now() */
		this.since = null;  /* ms: as long as it has this verdict */
		this.said = null;   /* what was announced last */
	}

	hear(event)
	{
		this.heard = event;
		this.heardAt = performance.now();
		this.since = parseTime(event.at) || serverClock.now();
	}

	/* @asked: when this was asked, performance.now() */
	learn(answer, asked)
	{
		if (asked < this.heardAt)
			return false;
		if (this.answer && verdictOf(this.answer) !== verdictOf(answer) && !this.heard)
			this.since = null;
		this.answer = answer;
		this.heard = null;
		serverClock.learn(parseTime(answer.at));
		return true;
	}

	/* What counts now: the event until it is proved again. */
	get now()
	{
		if (!this.heard)
			return this.answer;
		return {...this.heard, title: this.title, proof: null, counts: null, files: [],
			next: list(this.heard.next), reasons: list(this.heard.reasons)};
	}

	get title()
	{
		return (this.answer && this.answer.title) || (this.heard && this.heard.title) ||
			this.name;
	}

	get verdict()
	{
		return this.now ? verdictOf(this.now) : "unknown";
	}
}

function proofText(answer, now)
{
	const at = parseTime(answer.at), proof = answer.proof;
	const ago = ` ${ageText(now - at)} ago`;
	const words = [];

	if (at !== null)
		words.push(`proved ${whenText(at, now)},${now - at < 1500 ? " just now" : ago}`);
	if (proof) {
		words.push(`${plural(proof.files, "file")} in ${tookText(proof.took_us)}`);
		words.push(`tier ${proof.tier || "?"}`);
		if (proof.complete === false)
			words.push("not complete");
	}
	return words.join(" · ");
}

const cardSummary = (product) => product.heard
	? capital((notes(product.now.reasons)[0] || {text: "looking again"}).text) : capital(summaryText(product.now));

/* "It was blocked at 18:17:27", for what is not current */
function formerText(product, now)
{
	const at = parseTime(product.now.at);
	const when = at === null ? "" : ` at ${whenText(at, now)}, ${ageText(now - at)} ago`;

	return `It was ${product.verdict}${when}. That may have changed.`;
}

class Cards {
	/* @choose(name): the user wants to see this product. */
	constructor(parent, choose)
	{
		this.parent = parent;
		this.choose = choose;
		this.shown = "";
	}

	/* Worst first; with one product, a banner. */
	draw(products, chosen, current)
	{
		const now = serverClock.now();
		const key = JSON.stringify([chosen, current, products.map((product) => [product.name,
			product.title, product.verdict, current && product.now && cardSummary(product),
			product.since, !product.now])]);

		if (key !== this.shown) {
			this.shown = key;
			this.parent.classList.toggle("one", products.length === 1);
			redraw(this.parent, products.map((product) => this.card(product,
				products.length > 1, product.name === chosen, current)));
		}
		for (const card of this.parent.children)
			this.refresh(card, products.find((p) => p.name === card.dataset.product),
				current, now);
	}

	card(product, many, chosen, current)
	{
		const known = current && product.now;
		const kind = known ? product.verdict : "stale";
		const title = el(many ? "h3" : "h2", {class: "title name"});

		if (many)
			title.append(el("button", {type: "button", "aria-pressed": String(chosen),
				text: product.title, data: {key: `choose ${product.name}`},
				click: () => this.choose(product.name)}));
		else
			title.textContent = product.title;
		return el("article", {class: "card", data: {verdict: kind, product: product.name,
			current: known ? "yes" : "no", chosen: many && chosen ? "yes" : "no"}},
		sign(SIGNS[kind], {class: "sign big"}),
		el("div", {class: "what"},
			el("p", {class: "word", text: known ? VERDICT_WORDS[kind] : "Not known now"}),
			title,
			el("p", {class: "summary name"})),
		el("div", {class: "facts"}, el("p", {class: "lasts"}), el("p", {class: "proof"})));
	}

	/* What changes with every answer and every second. */
	refresh(card, product, current, now)
	{
		const set = (name, text) => {
			const node = card.querySelector(name);

			if (node.textContent !== text)
				node.textContent = text;
		};
		const known = current && product.now;

		set(".summary", known ? `${cardSummary(product)}.`
			: product.now ? formerText(product, now) : "No answer yet.");
		set(".proof", known ? capital(proofText(product.now, now)) : "");
		set(".lasts", known && product.since !== null
			? `${VERDICT_WORDS[product.verdict]} since ${whenText(product.since, now)}` +
				(now - product.since > SECOND ? `, for ${ageText(now - product.since)}` : "") : "");
	}
}

/* A change is said once; that the daemon went away is said by the page itself. */
function announceVerdicts(products)
{
	const changes = [];

	for (const product of products) {
		if (!product.now || product.said === product.verdict)
			continue;
		if (product.said !== null || products.length === 1)
			changes.push(`${product.title}: ${product.verdict}, ${cardSummary(product)}.`);
		product.said = product.verdict;
	}
	if (changes.length)
		announce(changes.join(" "));
}

function worstOf(products)
{
	return products.reduce((worst, product) =>
		VERDICTS.indexOf(product.verdict) > VERDICTS.indexOf(worst) ? product.verdict : worst,
	"safe");
}
