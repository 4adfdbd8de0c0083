/* SPDX-License-Identifier: MIT */
#include "daemon/install/aside.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"

static bool has_any(
	const struct spg_module_set *set, const struct spg_standing *standing)
{
	for (size_t i = 0; i < set->n; i++)
		if (spg_standing_find(standing, set->modules[i]->id))
			return true;
	return false;
}

/* Returns false when memory is short. */
static bool insert(struct spg_module_set *set, struct spg_module *module, size_t at)
{
	if (spg_array_reserve(
		    &set->modules, set->n, &set->size, sizeof(struct spg_module *)) < 0)
		return false;
	memmove(set->modules + at + 1, set->modules + at,
		(set->n - at) * sizeof(struct spg_module *));
	set->modules[at] = spg_module_ref(module);
	set->n++;
	return true;
}

static struct spg_module_set *copy_without(
	const struct spg_module_set *read, const struct spg_standing *standing)
{
	struct spg_module_set *set = spg_module_set_create();

	if (set) {
		set->n_read = read->n_read;
		set->around = spg_surroundings_ref(read->around);
		set->beside = spg_module_set_ref(read->beside);
	}
	for (size_t i = 0; set && i < read->n; i++) {
		if (spg_standing_find(standing, read->modules[i]->id) ||
			insert(set, read->modules[i], set->n))
			continue;
		spg_module_set_unref(set);
		set = NULL;
	}
	return set;
}

struct spg_module_set *spg_aside_leave_out(
	struct spg_module_set *read, const struct spg_standing *standing)
{
	return standing && has_any(read, standing) ? copy_without(read, standing)
	                                           : spg_module_set_ref(read);
}

struct spg_module_set *spg_aside_put_back(struct spg_module_set *read,
	const struct spg_standing *standing, const struct spg_module_set *known)
{
	struct spg_module_set *set;

	if (!standing || standing->n_aside == 0)
		return spg_module_set_ref(read);
	set = copy_without(read, standing);
	for (size_t i = 0; set && known && i < standing->n_aside; i++) {
		const char *path = standing->aside[i].path;
		struct spg_module *then =
			spg_module_find(known->modules, known->n, path, NULL);
		size_t at;

		if (!then || spg_module_find(set->modules, set->n, path, &at) ||
			insert(set, then, at))
			continue;
		spg_module_set_unref(set);
		set = NULL;
	}
	return set;
}
