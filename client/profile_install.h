/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Puts a profile where the daemon reads it, and takes it back when the daemon refuses.
 */
#include <stdbool.h>

#include "client/error.h"

/* One that was written, until it is kept or taken back. */
struct spg_installed {
	char *path; /* of the profile */
	char *kept; /* the earlier one, under a hidden name; NULL: there was none */
	bool same;  /* it was there already, word for word */
};

#define SPG_INSTALLED_NULL                                                             \
	{                                                                              \
		NULL, NULL, false                                                      \
	}

/**
 * Write @text as @directory/@name.conf: readers see the old file or the new one.
 *
 * @force  over another profile of that name
 *
 * Returns false after it complained.
 */
bool spg_profile_install(struct spg_installed *ret, const char *directory,
	const char *name, const char *text, bool force, struct spg_complaint *why);

/** Be done: @keep it, or put back what was there. Idempotent. */
void spg_installed_finish(struct spg_installed *installed, bool keep);
