/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Is there room for the files of a service pack? Judged for each filesystem, against what is
 * free there for who installs, by how setup replaces files:
 *   by rename  every new file lies beside the old one for a while: all of them have to fit
 *   in place   files grow: what they grow by has to fit
 *   either     what does not even fit in place is blocked, and what fits in place only is
 *              worth attention
 * Without sizes, a filesystem with next to nothing free is worth attention. Pure; any thread.
 */
#include "daemon/model/observation.h"
#include "daemon/model/verdict.h"

/* Less is as good as nothing; many a filesystem keeps a little for itself. */
#define SPG_SPACE_FULL_BYTES (64 << 10)

/* What is needed on one filesystem, and what lacks; in blocks and inodes of its. */
struct spg_space_need {
	size_t mount; /* of the observation; one that stands for the filesystem */
	uint64_t whole,
		growth; /* blocks for new files, and for what the old ones grow by */
	uint64_t n_new; /* names that are not there yet */
	uint64_t n_replaced;
	uint64_t asked;                      /* blocks that are to be there */
	uint64_t lacks_blocks, lacks_inodes; /* 0: it fits */
	bool surely;                         /* else it may fit */
};

struct spg_space {
	struct spg_space_need *needs; /* those that lack something */
	size_t n;
};

#define SPG_SPACE_NULL                                                                 \
	{                                                                              \
		NULL, 0                                                                \
	}

/** Idempotent; takes SPG_SPACE_NULL. */
void spg_space_finish(struct spg_space *space);

/** Find out what lacks for the files judged, for those of @selection (NULL: none is
 * known) whose sizes it has. Returns 0 or SPG_ERR_NOMEM. */
int spg_space_measure(const struct spg_observation *obs,
	const struct spg_selection *selection, const struct spg_verdict *verdict,
	struct spg_space *ret);

/** What surely lacks where file @index of @obs is: a set of SPG_OBSTACLE_BIT(). */
unsigned spg_space_obstacles(
	const struct spg_space *space, const struct spg_observation *obs, size_t index);

/** Put a reason and a step before the others for each. Returns 0 or SPG_ERR_NOMEM. */
int spg_space_explain(const struct spg_space *space, const struct spg_observation *obs,
	struct spg_verdict *verdict);
