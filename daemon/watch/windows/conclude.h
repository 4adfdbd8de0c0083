/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * From who was found to what is said: in use or not, by whom, which locks, and what could
 * not be looked at. For survey.c; worker thread. All return 0 or SPG_ERR_NOMEM.
 */
#include "daemon/watch/windows/state.h"

/** Say of each file whether it is in use. */
int spg_win_conclude(struct spg_win_survey *s);

/** Add the uses with records of their processes; @all: not only for locks. */
int spg_win_add_uses(struct spg_win_survey *s, bool all);

/** Add the ranges that are locked of files that are open, and written to by nobody. */
int spg_win_add_locks(struct spg_win_survey *s);

/** Say what could not be looked at. */
int spg_win_add_lacks(struct spg_win_survey *s);
