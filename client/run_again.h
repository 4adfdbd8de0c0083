/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The article's loop after a mixed install: name who held the files that were left
 * out, wait until they let go or step the files aside, and run the service pack
 * again. Part of the command run.
 */
#include <stdbool.h>

#include <jansson.h>

#include "client/client.h"

enum spg_retry {
	SPG_RETRY_NEVER,
	SPG_RETRY_ASK,      /* the person at the terminal */
	SPG_RETRY_WAIT,     /* until the files are free */
	SPG_RETRY_SIDESTEP, /* rename those that are held */
};

/** "ask", "wait" or "sidestep"; false: another word. */
bool spg_retry_parse(const char *text, enum spg_retry *ret);

/**
 * After a mixed install of @product: prepare another run in the way of @how, within
 * @wait_ns. @payload_params: what describes the service pack, or NULL; borrowed.
 * Returns true when the service pack may be run again; false: not to be, and it was
 * said why.
 */
bool spg_retry_prepare(struct spg_client *client, enum spg_retry how,
	const char *product, const json_t *payload_params, int64_t wait_ns);
