/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a service pack would do to the modules of a product, worked out by the daemon
 * before anything is touched: for check --payload and run.
 */
#include <stdbool.h>

#include <jansson.h>

#include "client/client.h"

/**
 * Ask about each product that @checked, an answer of check, is about.
 *
 * @params  of that check, with its "payload"; borrowed
 * @pack    the service pack: its folder; or an archive, which is unpacked for as long as
 *          that takes, if the caller may ask at all
 * @why     why nothing can be foretold of the archive, with advice
 *
 * Returns a new array of what the daemon answered, empty where there is nothing to
 * foretell: the caller may change nothing, or the daemon does not see the folder. NULL
 * with @why: it cannot be unpacked, or out of memory.
 */
json_t *spg_foretell_ask(struct spg_client *client, const json_t *params,
	const char *pack, const json_t *checked, struct spg_complaint *why);

/** Append the sentence that says @why of spg_foretell_ask(). False: out of memory. */
bool spg_foretell_fault(struct spg_buf *out, const struct spg_complaint *why);

/** Call @each with the sentences about @foretold, an array of spg_foretell_ask(). */
void spg_foretell_each(const json_t *foretold,
	void (*each)(void *user, const char *sentence), void *user);
