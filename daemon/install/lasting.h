/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Faults of which the set alone tells nothing: they were seen by comparing it with what
 * was there before, and last until the file is there again, or a module again. Pure.
 */
#include "daemon/install/fit/module_set.h"
#include "daemon/model/note.h"

/** True when @finding is such a fault and @set has it still. */
bool spg_lasting_is_in(
	const struct spg_note *finding, const struct spg_module_set *set);

/** Copy those of @from that @set still has to @to. Returns 0 or SPG_ERR_NOMEM. */
int spg_lasting_take(struct spg_notes *to, const struct spg_notes *from,
	const struct spg_module_set *set);
