/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The steps aside that are not over, as the journal in the database has them. Part of
 * sidestep.c, which is its only user. Loop thread.
 */
#include <stddef.h>

#include "daemon/model/sidestep.h"

struct spg_sidestep_journal {
	struct spg_sidestep *rows;
	size_t n, size;
};

/** Take in a copy of @record, or what it says now of one that is there; one that is
 * over goes. Returns 0 or SPG_ERR_NOMEM. */
int spg_sidestep_journal_note(
	struct spg_sidestep_journal *journal, const struct spg_sidestep *record);

void spg_sidestep_journal_finish(struct spg_sidestep_journal *journal);
