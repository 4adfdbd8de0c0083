/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Libraries that are no product's, as they were read last: products share those of the
 * system, and one that is as it was is not read again. Background thread only.
 */
#include <sys/stat.h>

#include "daemon/install/fit/module.h"

/* Bytes that are kept beyond what sets refer to; what does not fit is read again. */
#define SPG_OUTSIDE_BYTES_MAX (32U << 20)

struct spg_outside {
	struct spg_module **known; /* by path */
	size_t n, size;
	size_t bytes;
};

/** The one at @path, when @st says that it is as it was; NULL. Borrowed. */
struct spg_module *spg_outside_find(
	const struct spg_outside *outside, const char *path, const struct stat *st);

/** Keep a reference of @module, which has been read while it was as @st says, unless there
 * is no room, or no memory. */
void spg_outside_keep(
	struct spg_outside *outside, struct spg_module *module, const struct stat *st);

/** Idempotent; takes zeroes. */
void spg_outside_finish(struct spg_outside *outside);
