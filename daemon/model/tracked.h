/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The uses and locks of one product over time: what the last survey found,
 * compared with what the next one finds, becomes intervals with a beginning
 * and an end. Part of the model; loop thread.
 */
#include "daemon/model/event.h"
#include "daemon/model/hints.h"
#include "daemon/model/lock_ledger.h"
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

/**
 * Bring @tracked up to what @obs found and append an event per change; fills
 * in since_ns of the uses and locks of @obs. Only what @obs looked at is
 * compared: everything (SPG_SURVEY_FULL), its files, or only locks.
 * Returns 0 or SPG_ERR_NOMEM: then @tracked is as before, and @changes may
 * have events of an update that did not happen, which the caller drops.
 */
int spg_tracked_update(struct spg_tracked *tracked, struct spg_observation *obs,
	const struct spg_tracking *tracking);

/** End every interval at tracking->now_ns. Returns 0 or SPG_ERR_NOMEM. */
int spg_tracked_end_all(
	struct spg_tracked *tracked, const struct spg_tracking *tracking);

/** Idempotent. */
void spg_tracked_finish(struct spg_tracked *tracked);
