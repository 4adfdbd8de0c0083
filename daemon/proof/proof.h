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
 *
 * A question may wait for "safe", and then for the files to stay free: for a settle
 * time every look finds them free, and no event tells of a user who came and went.
 */
#include <stdbool.h>
#include <stdint.h>

#include "daemon/model/observation.h"
#include "daemon/model/verdict.h"

#define SPG_PROOF_TRIES 5

/* How long a question that waits for "safe" may wait, in nanoseconds. */
struct spg_wait {
	int64_t wait_ns; /* until the files are free; then the last answer counts */
	/* So long they have to stay free before that is the answer: whoever ended may
	 * be started again at once. It may end later than @wait_ns, by so much. */
	int64_t settle_ns;
	bool learns; /* or longer, for somebody who keeps coming back */
};

/* What such a question has seen. */
struct spg_waited {
	int64_t settle_ns;
	int64_t free_ns;    /* the files have been free for so long; 0: they are not */
	unsigned n_returns; /* so often they were in the way again after being free */
};

/* A proved answer; everything in it is borrowed for the callback. */
struct spg_proof {
	const struct spg_observation *observation;
	const struct spg_verdict *verdict;
	int64_t at_ns;   /* UTC: the moment it holds for */
	int64_t took_ns; /* from question to answer */
	uint64_t generation;
	unsigned tries;
	bool complete;                   /* nothing was left unlooked at */
	const struct spg_waited *waited; /* NULL: the question did not wait */
};

/* @err 0 and a proof; or negative: SPG_ERR_NOT_FOUND (the product went away in
 * a reload), SPG_ERR_BUSY (shutting down), SPG_ERR_NOMEM. */
typedef void spg_proof_done(void *user, int err, const struct spg_proof *proof);
