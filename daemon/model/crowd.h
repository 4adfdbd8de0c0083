/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Uses that are told of together: of one file, in the same way, by processes of one
 * service or container, or of one parent and one name. Pure.
 */
#include "daemon/model/observation.h"

/* Fewer are told of one by one. */
#define SPG_CROWD_MIN   4
/* So many of a crowd are named. */
#define SPG_CROWD_NAMED 3

struct spg_crowd {
	const struct spg_seen_use *uses[SPG_CROWD_NAMED]; /* the first; borrowed */
	size_t n;
	bool told; /* for the caller */
};

struct spg_crowds {
	struct spg_crowd *crowds;
	size_t n, size;
	size_t *of_use; /* for each use of the observation: its crowd; SIZE_MAX: left out */
};

/** Sort the uses of @obs for which @wanted holds into crowds. Returns 0 and *ret, to be
 * finished; or SPG_ERR_NOMEM. */
int spg_crowds_init(struct spg_crowds *ret, const struct spg_observation *obs,
	bool (*wanted)(const struct spg_seen_use *use, const void *user),
	const void *user);

void spg_crowds_finish(struct spg_crowds *crowds);
