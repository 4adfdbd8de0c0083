/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Who uses which file, as a sorted list of pairs, and what differs between two of them.
 * Thread-safe per object.
 */
#include <stdbool.h>
#include <stddef.h>

#include "daemon/watch/windows/uses.h"

struct spg_pair {
	struct spg_file *file;
	struct spg_process *process;
};

struct spg_pairs {
	struct spg_pair *items; /* by process and path; references of its own */
	size_t n;
	struct spg_file **files; /* all that were looked at, by path */
	size_t n_files;
};

#define SPG_PAIRS_NULL                                                                 \
	{                                                                              \
		NULL, 0, NULL, 0                                                       \
	}

/** Those of @users, who use files of @obs. Records of processes are taken over from @before
 * where they are the same. Returns 0 or SPG_ERR_NOMEM. */
int spg_pairs_make(struct spg_pairs *pairs, const struct spg_observation *obs,
	const struct spg_win_users *users, const struct spg_pairs *before);

/** Those that a survey has found. The same. */
int spg_pairs_of_survey(struct spg_pairs *pairs, const struct spg_observation *obs);

/** Add to @pairs the files that are in @more only, and who uses them. Returns 0, or
 * SPG_ERR_NOMEM: @pairs stays as it was. */
int spg_pairs_merge(struct spg_pairs *pairs, const struct spg_pairs *more);

/** Idempotent. */
void spg_pairs_finish(struct spg_pairs *pairs);

/** Call @each for each pair that is in @after only (@began), or in @before only. A file that
 * was looked at only once tells nothing. */
void spg_pairs_compare(const struct spg_pairs *before, const struct spg_pairs *after,
	void (*each)(void *user, const struct spg_pair *pair, bool began), void *user);
