/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Locks as they are taken and released, in a tier whose events tell every step:
 * the intervals are exact then, and surveys only confirm them.
 *
 * The rules are the kernel's (fs/locks.c): POSIX and OFD locks are ranges that
 * one owner's later calls merge, split and convert; flock and leases are whole.
 * Whenever a range changes, its interval ends and another begins, so that the
 * open intervals are at every quiet moment what /proc/locks lists. Loop thread.
 */
#include <stdint.h>

#include "daemon/model/event.h"

struct spg_tracked;
struct spg_tracking;

enum spg_lock_step {
	SPG_STEP_TAKEN,
	SPG_STEP_RELEASED, /* also by closing, or by the end of the process */
	SPG_STEP_WAITS,
	SPG_STEP_REFUSED, /* somebody else has it, or it would deadlock */
};

/* One call of somebody. */
struct spg_lock_note {
	enum spg_lock_step step;
	/* Whom the lock belongs to, as a name and nothing else: the kernel's
	 * descriptor table (POSIX) or open file (all others). */
	uint64_t owner;
	int64_t at_ns;               /* UTC */
	struct spg_event_lock lock;  /* RELEASED: the mode says nothing */
	struct spg_file *file;       /* as a survey found it; borrowed */
	struct spg_process *process; /* who called; borrowed, or NULL */
};

/**
 * Follow one step: locks of @tracked begin and end, at note->at_ns. Returns 0;
 * SPG_LEDGER_LOOK when a survey has to confirm it (that a lease was given is told
 * before it is sure); or SPG_ERR_NOMEM:
 * then what is known may be wrong until the next survey.
 */
#define SPG_LEDGER_LOOK 1
int spg_ledger_note(struct spg_tracked *tracked, const struct spg_lock_note *note,
	const struct spg_tracking *tracking);
