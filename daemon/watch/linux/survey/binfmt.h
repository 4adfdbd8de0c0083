/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The entries of binfmt_misc: which interpreter the kernel starts for which programs
 * (Documentation/admin-guide/binfmt-misc.rst). Worker thread.
 */
#include "daemon/watch/linux/files/mounts.h"

#define SPG_BINFMT "/proc/sys/fs/binfmt_misc"

struct spg_binfmt {
	const char *name;
	const char *interpreter; /* path */
	bool enabled;
	bool keeps_open; /* flag F: it was opened once and for all */
};

/** Call @each for each entry; none where @mounts has it not: an automount is left alone.
 * Returns 0, or what @each returned that was not. */
int spg_binfmt_each(const struct spg_mounts *mounts,
	int (*each)(void *user, const struct spg_binfmt *binfmt), void *user);
