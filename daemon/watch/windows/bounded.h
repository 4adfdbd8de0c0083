/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Work whose steps may hang: asking about a handle waits for whoever reads from what it
 * leads to. A thread of its own takes the steps one after the other; a step that does not
 * end in time is given up, and a fresh thread goes on with the next one.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* The thread that takes the steps. */
struct spg_bounded_runner;

/* What the steps work on. It is shared with threads that were given up and may return at
 * any time: hence the count, and results go into it with the lock only. */
struct spg_bounded_work {
	/* Do step @index: on a thread of its own, one step that counts at a time. */
	void (*step)(struct spg_bounded_work *work, size_t index,
		struct spg_bounded_runner *runner);
	/* Step @index was given up. Calling thread, with the lock. */
	void (*on_given_up)(struct spg_bounded_work *work, size_t index);
	void (*destroy)(struct spg_bounded_work *work);
	size_t n_steps;
	atomic_uint refs;
};

/** A long step moves. Returns false when it was given up. Without the lock. */
bool spg_bounded_tick(struct spg_bounded_runner *runner);

/** False when the step was given up: its results count no more. With the lock. */
bool spg_bounded_counts(const struct spg_bounded_runner *runner);

/** Begin with one reference, the caller's. */
void spg_bounded_init(struct spg_bounded_work *work);

/** The last one destroys it. */
void spg_bounded_unref(struct spg_bounded_work *work);

/** One lock for all work: steps hold it for moments only. */
void spg_bounded_lock(void);
void spg_bounded_unlock(void);

/**
 * Take every step. Blocks; any thread but the loop's.
 *
 * @patience_ms  how long one step may take
 * @cancel       or NULL; seen between the steps
 *
 * Returns 0; SPG_ERR_TIMEOUT when it was cancelled; SPG_ERR_LIMIT when so many threads hang
 * that none may be added: *ret_done steps were taken; or SPG_ERR_NOMEM.
 */
int spg_bounded_run(struct spg_bounded_work *work, unsigned patience_ms,
	const atomic_bool *cancel, size_t *ret_done);
