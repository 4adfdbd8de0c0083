/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The names of one product's files over time: an old version that runs on is called by the
 * name that its successor has now, whatever temporary name it lost last, with the time
 * when that took its place. Part of the model; loop thread.
 *
 * What a daemon did not see it does not know: then an old version keeps the name by which
 * the survey found it, and no time.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/model/hints.h"
#include "daemon/model/observation.h"

#define SPG_OLD_NAMES 3

struct spg_old_version {
	struct spg_file_id id;
	char *names[SPG_OLD_NAMES]; /* the latest of those that it had; NULL: none */
	size_t n_names;
	int64_t replaced_ns; /* UTC; 0: not, or not known when */
	bool replaced;
};

struct spg_old_versions {
	struct spg_old_version *items; /* sorted by @id */
	size_t n;
};

/**
 * Take note of a full survey, before what it found takes the place of the @n_known files
 * @known. @looked_ns: when the survey before it looked, UTC, 0: there was none. Returns 0
 * or SPG_ERR_NOMEM.
 */
int spg_old_versions_note(struct spg_old_versions *versions,
	struct spg_file *const *known, size_t n_known,
	const struct spg_observation *obs, const struct spg_hints *hints,
	int64_t looked_ns);

/** Give the old versions in @obs their name and time. Returns 0 or SPG_ERR_NOMEM. */
int spg_old_versions_name(
	const struct spg_old_versions *versions, struct spg_observation *obs);

/** Idempotent; takes one that is all zero. */
void spg_old_versions_finish(struct spg_old_versions *versions);
