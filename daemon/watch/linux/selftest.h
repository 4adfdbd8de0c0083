/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Proof, at start, that what the tier relies on works on this machine: a child
 * process uses a scratch file in each way, and must be found; the daemon itself
 * must not. What fails is told with its remedy, and blinds the verdict.
 */
#include "daemon/watch/linux/survey.h"

/* What was proved; in the order of struct spg_mechanism rows. */
enum spg_proof_of {
	SPG_PROOF_CENSUS,      /* the lease probe finds a holder, and no ghost */
	SPG_PROOF_DESCRIPTORS, /* /proc shows who has a file open */
	SPG_PROOF_MAPPINGS,    /* ... and mapped, with its descriptor closed */
	SPG_PROOF_LOCKS,       /* ... and locked */
	SPG_PROOF_INNOCENCE,   /* the daemon is not among the holders */
	SPG_PROOF_EVERYBODY,   /* it may look into everybody's processes */
	SPG_PROOFS
};

/**
 * Run it in @scratch_dir, which must exist. Blocks for some milliseconds; starts
 * and reaps one child: before there are threads. Fills in @ret, one row each.
 */
void spg_selftest_run(struct spg_surveyor *surveyor, const char *scratch_dir,
	struct spg_mechanism ret[SPG_PROOFS]);
