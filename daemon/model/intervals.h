/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The uses and locks of one product as intervals: what tracked.c, tracked_locks.c and
 * lock_ledger.c work on. Plain data; loop thread.
 */
#include "daemon/model/event.h"
#include "daemon/model/hints.h"
#include "daemon/model/observation.h"

struct spg_tracked_use {
	struct spg_file *file;
	struct spg_process *process;
	unsigned how;     /* without locks: those have intervals of their own */
	int64_t since_ns; /* the process has used the file since then, UTC */
	int64_t began_ns; /* this interval's beginning: how changed then */
	int64_t interval;
};

struct spg_tracked_lock {
	struct spg_file *file;
	struct spg_process *process; /* NULL: no process shows it */
	struct spg_event_lock lock;
	enum spg_lock_state state;
	uint64_t owner; /* see struct spg_lock_note; 0 unknown */
	int64_t since_ns;
	int64_t interval;
};

struct spg_tracked {
	struct spg_tracked_use *uses;
	size_t n_uses, size_uses;
	struct spg_tracked_lock *locks;
	size_t n_locks, size_locks;
};

/* What an update needs besides the observation. */
struct spg_tracking {
	const char *product;
	const struct spg_hints *hints;
	int64_t *last_interval; /* counted up for each interval that begins */
	int64_t now_ns;
	/* When a survey last looked at everything: what it saw was so, and an older
	 * hint dates nothing that it did not see. 0: never. */
	int64_t looked_ns;
	struct spg_event_list *changes;
	bool lock_events; /* the ledger follows locks, see lock_ledger.h */
	bool keep_locks;  /* locks were taken or released since the survey looked */
};

/** Idempotent. */
void spg_tracked_finish(struct spg_tracked *tracked);
