/* SPDX-License-Identifier: MIT */
"use strict";
/*
 * Whether the daemon is there, and what it last said. Verdicts come in two ways: the
 * stream of events tells a change at once, and every few seconds each product is
 * proved anew. The second is also what notices a daemon or a network that went
 * without a word: nothing that is older than STALE counts as current.
 */

const ASK_STREAMING = 10 * SECOND, ASK_POLLING = 3 * SECOND;
const STALE = 20 * SECOND;
const STALE_HIDDEN = 100 * SECOND; /* browsers let hidden pages run once a minute */
const REOPEN = 15 * SECOND;

/* The answer about each product, as if only that had been asked about. */
function answersOf(answer)
{
	const about = (rows, row) => list(rows).filter((one) => one.product === row.product);

	return list(answer.products).map((row) => ({
		files: about(answer.files, row),
		reasons: about(answer.reasons, row),
		next: about(answer.next, row),
		remarks: about(answer.remarks, row),
		...row,
		proof: row.proof && {coverage: about((answer.proof || {}).coverage, row), ...row.proof}
	}));
}

const KINDS = ["event", "verdict", "dropped"];

class Live {
	/* @on: answers(list, asked), verdict(event), event(event), missed(), state() */
	constructor(on)
	{
		this.on = on;
		this.streaming = false;
		this.answeredAt = null; /* by this machine's clock */
		this.askedAt = null;
		this.asking = false;
		this.again = false;
		this.failure = null;    /* ApiError of the last question; null: it was answered */
		this.source = null;
		this.closedAt = 0;
	}

	start()
	{
		this.open();
		this.prove();
		setInterval(() => this.tick(), SECOND);
		document.addEventListener("visibilitychange", () => {
			if (!document.hidden)
				this.wake();
		});
		addEventListener("pageshow", (event) => event.persisted && this.wake());
		addEventListener("online", () => this.wake());
		addEventListener("offline", () => this.prove());
	}

	/* After sleep: what is shown is old until it is proved again. */
	wake()
	{
		this.on.state();
		this.prove();
	}

	isCurrent()
	{
		const age = this.answeredAt === null ? Infinity : Date.now() - this.answeredAt;
		const most = document.hidden && this.streaming ? STALE_HIDDEN : STALE;

		return this.failure === null && age > -5 * SECOND && age < most;
	}

	/* "asking", "live", "polling", "refused" (it answers with an error), "gone" */
	state()
	{
		if (this.failure)
			return this.failure.reached ? "refused" : "gone";
		if (this.answeredAt === null)
			return "asking";
		if (!this.isCurrent())
			return "gone";
		return this.streaming ? "live" : "polling";
	}

	tick()
	{
		const every = this.streaming && !this.failure ? ASK_STREAMING : ASK_POLLING;

		if (!this.source && Date.now() - this.closedAt > REOPEN)
			this.open();
		if (this.askedAt === null || Math.abs(Date.now() - this.askedAt) >= every)
			this.prove();
		this.on.state();
	}

	open()
	{
		const source = this.source = new EventSource("api/events");

		source.onopen = () => {
			const first = !this.opened;

			this.streaming = this.opened = true;
			if (!first)
				this.on.missed();
			this.prove();
			this.on.state();
		};
		source.onerror = () => {
			this.streaming = false;
			if (source.readyState === EventSource.CLOSED) {
				this.source = null;
				this.closedAt = Date.now();
			}
			this.prove();
			this.on.state();
		};
		for (const kind of KINDS)
			source.addEventListener(kind, (message) => this.hear(kind, message.data));
	}

	hear(kind, data)
	{
		let event;

		try {
			event = JSON.parse(data);
		} catch (error) {
			return;
		}
		if (!event || typeof event !== "object")
			return;
		if (kind === "dropped") {
			this.on.missed();
			this.prove();
		} else if (kind === "verdict") {
			this.on.verdict(event);
			this.prove();
		} else {
			this.on.event(event);
		}
	}

	/* Ask each product's verdict; once more when somebody wanted it meanwhile. A
	 * verdict that was heard after the question is newer than the answer: who gets
	 * the answers can tell by the time of the question. */
	async prove()
	{
		if (this.asking) {
			this.again = true;
			return;
		}
		this.asking = true;
		this.askedAt = Date.now();
		do {
			const asked = performance.now();

			this.again = false;
			try {
				const answer = await ask("check");

				this.failure = null;
				this.answeredAt = Date.now();
				this.on.answers(answersOf(answer), asked);
			} catch (error) {
				if (!(error instanceof ApiError))
					console.error(error);
				this.failure = error instanceof ApiError ? error
					: new ApiError("the answer was not understood", true);
			}
		} while (this.again && !this.failure);
		this.asking = false;
		this.on.state();
	}
}
