/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The locks among what is tracked; for tracked.c and lock_ledger.c only. Loop
 * thread.
 */
#include "daemon/model/intervals.h"

/* Orders of files, processes and locks: a total one each, as for qsort(3). */
int spg_tracked_order_file(const struct spg_file *a, const struct spg_file *b);
int spg_tracked_order_process(const struct spg_process *a, const struct spg_process *b);
int spg_tracked_order_locks(const void *a, const void *b);

/** Append a copy, with references of its own. Returns 0 or SPG_ERR_NOMEM. */
int spg_tracked_add_lock(struct spg_tracked *to, const struct spg_tracked_lock *lock);

/** Exchange the locks of both. */
void spg_tracked_swap_locks(struct spg_tracked *a, struct spg_tracked *b);

/** Append @event, whose reference it takes over, to the changes (NULL: out of
 * memory). Returns 0 or SPG_ERR_NOMEM. */
int spg_tracked_emit(const struct spg_tracking *t, struct spg_event *event);

/** The beginning of @lock at its since_ns, under a new interval; and any event
 * about it at @at_ns. */
int spg_tracked_begin_lock(const struct spg_tracking *t, struct spg_tracked_lock *lock);
int spg_tracked_emit_lock(const struct spg_tracking *t, enum spg_event_kind kind,
	const struct spg_tracked_lock *lock, int64_t at_ns);

/** The lock that is @key, or the one that is most like it: several processes may
 * show one lock. NULL when none is. */
const struct spg_tracked_lock *spg_tracked_find_lock(
	const struct spg_tracked *tracked, const struct spg_tracked_lock *key);

/** True when @obs looked at @file, so that silence about it means "no use". */
bool spg_tracked_in_scope(
	const struct spg_observation *obs, const struct spg_file *file);

/** The locks that @obs found, sorted. */
int spg_tracked_collect_locks(
	const struct spg_observation *obs, struct spg_tracked *found);

/** Compare @found with @old: what began and ended is told, and @found becomes what
 * is known now, in any order. */
int spg_tracked_merge_locks(struct spg_tracked *old, const struct spg_observation *obs,
	const struct spg_tracking *t, struct spg_tracked *found);
