/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Those who wait until everything that was dirty has been looked at, and what had
 * happened then was delivered. Part of the prover, which is its only user. Loop thread.
 */
#include <stdbool.h>
#include <stdint.h>

struct spg_barrier;

struct spg_barriers {
	struct spg_barrier *first;
};

/** Append one, which waits for a pass that has not begun yet; @done comes once, from
 * spg_barriers_finish() or spg_barriers_fail(). Returns 0 or SPG_ERR_NOMEM. */
int spg_barriers_add(
	struct spg_barriers *barriers, void (*done)(void *user, int err), void *user);

/** The events before a pass are about to be read: it is for those that are there now. */
void spg_barriers_begin_pass(struct spg_barriers *barriers);

/** The pass over all products begins: count it for each of those. Those whose first it is
 * wait for the events up to number @taken, too (see spg_watch_ops.backlog). */
void spg_barriers_pass(struct spg_barriers *barriers, uint64_t taken);

/** Call back those that have seen at least @min_passes, and one at any rate, and whose
 * events are among the first @delivered. A callback may add again. */
void spg_barriers_finish(
	struct spg_barriers *barriers, unsigned min_passes, uint64_t delivered);

/** Call back all of them, with @err. */
void spg_barriers_fail(struct spg_barriers *barriers, int err);

/** Does one wait for more than the first @delivered events? */
bool spg_barriers_need_events(const struct spg_barriers *barriers, uint64_t delivered);

/** Does one that has its events wait for another pass? */
bool spg_barriers_need_pass(const struct spg_barriers *barriers, uint64_t delivered);
