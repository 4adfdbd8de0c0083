/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a proof is, and how it is handed over. Plain data; loop thread.
 *
 * A proof is: drain the event queue, survey the product (who uses its files, their
 * locks), drain again; if an event came in between that could have made a
 * holder, again, at most SPG_PROOF_TRIES times, then unknown. A survey that
 * does not end in time is answered as unknown with the place it hangs at, and
 * so is every question until it returns. Questions that come while a survey
 * runs are answered by the next one, together.
 */
#include <stdbool.h>
#include <stdint.h>

#include "daemon/model/observation.h"
#include "daemon/model/verdict.h"

#define SPG_PROOF_TRIES 5

/* A proved answer; everything in it is borrowed for the callback. */
struct spg_proof {
	const struct spg_observation *observation;
	const struct spg_verdict *verdict;
	int64_t at_ns;   /* UTC: the moment it holds for */
	int64_t took_ns; /* from question to answer */
	uint64_t generation;
	unsigned tries;
	bool complete; /* nothing was left unlooked at */
};

/* @err 0 and a proof; or negative: SPG_ERR_NOT_FOUND (the product went away in
 * a reload), SPG_ERR_BUSY (shutting down), SPG_ERR_NOMEM. */
typedef void spg_proof_done(void *user, int err, const struct spg_proof *proof);
