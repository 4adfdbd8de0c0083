/* SPDX-License-Identifier: MIT */
"use strict";
/*
 * Questions to the daemon that this page came from. Addresses are relative: behind a
 * proxy the page may be in a folder.
 */

const TIMEOUTS = {check: 8 * SECOND, maintenance: 120 * SECOND, timeline: 60 * SECOND};

class ApiError extends Error {
	/* @reached: somebody answered, if only with an error. */
	constructor(message, reached, hint)
	{
		super(message);
		this.reached = reached;
		this.hint = hint || "";
	}
}

const query = (params) => {
	const search = new URLSearchParams();

	for (const [key, value] of Object.entries(params || {}))
		if (value !== null && value !== undefined && value !== "")
			search.append(key, value);
	return search.size ? `?${search}` : "";
};

async function decode(response)
{
	let body = null;

	try {
		body = await response.json();
	} catch (error) {
		throw new ApiError(`the answer (${response.status}) is no JSON`, response.ok);
	}
	if (response.ok && body && typeof body === "object")
		return body;
	const error = (body && body.error) || {};
	throw new ApiError(String(error.message || `status ${response.status}`), true,
		error.hint && String(error.hint));
}

/* ask("check", {product}): the answer, or an ApiError. */
async function ask(method, params)
{
	const stop = new AbortController();
	const timer = setTimeout(() => stop.abort(), TIMEOUTS[method] || 20 * SECOND);

	try {
		const response = await fetch(`api/${method}${query(params)}`, {
			signal: stop.signal, cache: "no-store", credentials: "same-origin",
			headers: {Accept: "application/json"}});
		return await decode(response);
	} catch (error) {
		if (error instanceof ApiError)
			throw error;
		throw new ApiError(stop.signal.aborted ? "no answer in time" : "nobody answers",
			false);
	} finally {
		clearTimeout(timer);
	}
}

/* The daemon's clock: from its answers, so that "3 s ago" is true on a machine whose
 * clock is wrong. */
const serverClock = {
	ahead: 0, /* ms */
	now() { return Date.now() + this.ahead; },
	/* @at: when the answer was made; it cannot be from the future. */
	learn(at) {
		const ahead = at === null ? 0 : at - Date.now();

		if (at !== null && Math.abs(ahead - this.ahead) > 100)
			this.ahead = ahead;
	},
};
