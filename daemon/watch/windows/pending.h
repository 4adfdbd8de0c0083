/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What Windows is to rename, replace or delete when it starts the next time, as an earlier
 * setup asked (MoveFileEx with MOVEFILE_DELAY_UNTIL_REBOOT). Any thread.
 */
#include <stdbool.h>

/** Call @each with the path of each file that goes then (@deletes), or is replaced. Returns
 * 0; what @each returned, when that is negative; or SPG_ERR_NOMEM. */
int spg_pending_renames_each(
	int (*each)(void *user, const char *path, bool deletes), void *user);
