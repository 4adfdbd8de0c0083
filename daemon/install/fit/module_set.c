/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/module_set.h"

#include <stdlib.h>
#include <string.h>

struct spg_module_set *spg_module_set_create(void)
{
	struct spg_module_set *set = calloc(1, sizeof(*set));

	if (set)
		atomic_init(&set->refs, 1);
	return set;
}

struct spg_module_set *spg_module_set_ref(struct spg_module_set *set)
{
	if (set)
		atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
	return set;
}

void spg_module_set_unref(struct spg_module_set *set)
{
	if (!set || atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < set->n; i++)
		spg_module_unref(set->modules[i]);
	spg_surroundings_unref(set->around);
	spg_module_set_unref(set->beside);
	free(set->modules);
	free(set);
}

struct spg_module *spg_module_find(
	struct spg_module *const *modules, size_t n, const char *path, size_t *ret_at)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(modules[middle]->path, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (ret_at)
		*ret_at = low;
	return low < n && strcmp(modules[low]->path, path) == 0 ? modules[low] : NULL;
}

const struct spg_module *spg_module_set_find(
	const struct spg_module_set *set, const char *path)
{
	return set ? spg_module_find(set->modules, set->n, path, NULL) : NULL;
}

bool spg_module_set_differs(
	const struct spg_module_set *before, const struct spg_module_set *after)
{
	if (before->n != after->n)
		return true;
	for (size_t i = 0; i < after->n; i++) {
		const struct spg_module *then = before->modules[i];
		const struct spg_module *now = after->modules[i];

		if (strcmp(then->path, now->path) != 0 ||
			(then->sha256[0] && now->sha256[0] &&
				strcmp(then->sha256, now->sha256) != 0))
			return true;
	}
	return false;
}

bool spg_module_set_is_link(
	const struct spg_module_set *set, const struct spg_module *module)
{
	return module->real && spg_module_set_find(set, module->real) &&
	       (!module->binary || module->binary->format != SPG_BINARY_PE);
}

bool spg_module_set_is_whole(const struct spg_module_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (!set->modules[i]->sha256[0])
			return false;
	return true;
}
