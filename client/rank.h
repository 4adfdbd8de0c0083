/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Verdicts in their order, and the worst of an answer about several products.
 */
#include <stddef.h>

#include <jansson.h>

struct spg_rank {
	const char *name; /* the verdict */
	int code;         /* to exit with */
};

/* Those of check, from best to worst, with what it exits with. */
#define SPG_N_CHECK_RANKS 4
extern const struct spg_rank spg_check_ranks[SPG_N_CHECK_RANKS];

/** Index in @ranks, which are from best to worst, of the worst verdict of @result: of
 * all its products and what it says itself. -1: one of them is not known, or there is
 * none. */
int spg_rank_worst(const struct spg_rank *ranks, size_t n, const json_t *result);
