/* SPDX-License-Identifier: MIT */
#include "daemon/install/lasting.h"

bool spg_lasting_is_in(const struct spg_note *finding, const struct spg_module_set *set)
{
	const struct spg_module *module;

	if (finding->kind != SPG_REASON_MISFIT || !finding->file)
		return false;
	module = spg_module_set_find(set, finding->file);
	/* What lay there for it may be gone too. */
	if (finding->finding == SPG_FINDING_NOT_INSTALLED)
		return !module &&
		       !(finding->place && set->beside &&
			       !spg_module_set_find(set->beside, finding->place));
	if (finding->finding == SPG_FINDING_NOT_EXECUTABLE)
		return module && !module->executable && !module->err;
	/* A damaged one is found by itself. */
	return finding->finding == SPG_FINDING_NO_MODULE && module &&
	       !spg_module_is_loaded(module) && !module->err;
}

int spg_lasting_take(struct spg_notes *to, const struct spg_notes *from,
	const struct spg_module_set *set)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->n; i++)
		if (spg_lasting_is_in(&from->items[i], set))
			r = spg_notes_add_copy(to, &from->items[i]);
	return r;
}
