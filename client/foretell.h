/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a service pack would do to the modules of a product, worked out by the daemon
 * before anything is touched: for check --payload and run.
 */
#include <stdbool.h>

#include <jansson.h>

#include "client/client.h"

/** Whether the daemon can read the service pack at @payload itself: a folder. */
bool spg_foretell_is_possible(const char *payload);

/** What to say where it is not. */
extern const char spg_foretell_impossible[];

/**
 * Ask about each product that @checked, an answer of check, is about.
 *
 * @params  of that check, with its "payload"; borrowed
 * @folder  the service pack's
 *
 * Returns a new array of what the daemon answered, empty where there is nothing to
 * foretell: the caller may change nothing, or the daemon does not see the folder. NULL:
 * out of memory.
 */
json_t *spg_foretell_ask(struct spg_client *client, const json_t *params,
	const char *folder, const json_t *checked);

/** Call @each with the sentences about @foretold, an array of spg_foretell_ask(). */
void spg_foretell_each(const json_t *foretold,
	void (*each)(void *user, const char *sentence), void *user);
