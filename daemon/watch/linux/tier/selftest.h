/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Proof, at start, that what a tier relies on works on this machine: a child
 * process uses a file in each way, and must be found; the daemon itself must
 * not. What fails is told with its remedy.
 */
#include "daemon/watch/linux/bpf/trace.h"
#include "daemon/watch/linux/survey/survey.h"

/* What is proved; in the order of struct spg_mechanism rows. */
enum spg_proof_of {
	SPG_PROOF_IN_USE,    /* finds a holder, and no ghost */
	SPG_PROOF_OPEN,      /* who has a file open is found */
	SPG_PROOF_MAPPED,    /* ... and mapped, with its descriptor closed */
	SPG_PROOF_EXECUTING, /* ... and runs it */
	SPG_PROOF_LOCKED,    /* ... and has it locked */
	SPG_PROOF_INNOCENCE, /* the daemon is not among the holders */
	SPG_PROOF_EVERYBODY, /* it may look into everybody's processes */
	SPG_PROOFS
};

/* What was proved of spg_trace, if there is one. */
enum spg_proof_of_trace {
	SPG_PROOF_LOCK_EVENTS,   /* the child's lock is told */
	SPG_PROOF_PROCESS_TABLE, /* the child is known by name */
	SPG_PROOFS_TRACE
};

/**
 * Run it in @scratch_dir, which must exist, the way @tools would survey. Blocks
 * for some milliseconds; starts and reaps one child: before there are threads.
 * Fills in @ret, one row each; and @ret_trace if @trace is not NULL.
 */
void spg_selftest_run(struct spg_survey_tools *tools, struct spg_trace *trace,
	const char *scratch_dir, struct spg_mechanism ret[SPG_PROOFS],
	struct spg_mechanism ret_trace[SPG_PROOFS_TRACE]);
