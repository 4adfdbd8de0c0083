/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The tiers, best first, and what each is proved to do on this machine:
 *
 *   bpf     the kernel counts and tells: survey/ask_bpf.c, events/lock_events.c
 *   procfs  leases and /proc: survey/ask_lease.c
 *
 * A tier is taken when its self-test finds a child of ours in each way it can use
 * a file; otherwise the next lower one, and a row says why.
 */
#include "daemon/watch/linux/bpf/look.h"
#include "daemon/watch/linux/bpf/trace.h"
#include "daemon/watch/linux/tier/selftest.h"
#include "daemon/watch/watch.h"

#define SPG_TIERS_ROWS (1 + SPG_PROOFS + SPG_PROOFS_TRACE)

struct spg_tiers {
	const char *tier;        /* static */
	struct spg_look *look;   /* NULL: tier procfs */
	struct spg_trace *trace; /* NULL: no lock events, no process table */
	struct spg_mechanism rows[SPG_TIERS_ROWS];
	size_t n_rows;
};

#define SPG_TIERS_NULL                                                                 \
	{                                                                              \
		NULL                                                                   \
	}

/**
 * Take the tier @wanted, or the best that proves itself for SPG_TIER_AUTO, and
 * have @tools look that way. Blocks for some milliseconds and starts a child:
 * before there are threads. @scratch_dir: see spg_selftest_run().
 *
 * Returns 0; SPG_ERR_NOMEM; or SPG_ERR_UNSUPPORTED or SPG_ERR_DENIED, logged,
 * when SPG_TIER_BPF is not possible.
 */
int spg_tiers_select(struct spg_tiers *tiers, enum spg_tier wanted,
	struct spg_survey_tools *tools, const char *scratch_dir);

/** Idempotent; takes SPG_TIERS_NULL. Nothing may use look or trace any more. */
void spg_tiers_finish(struct spg_tiers *tiers);
