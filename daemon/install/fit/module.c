/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/module.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/install/fit/surroundings.h"

struct spg_module *spg_module_create(const char *path)
{
	struct spg_module *module = calloc(1, sizeof(*module));

	if (!module)
		return NULL;
	atomic_init(&module->refs, 1);
	module->path = strdup(path);
	if (module->path)
		return module;
	free(module);
	return NULL;
}

struct spg_module *spg_module_at(struct spg_module *of, const char *path)
{
	struct spg_module *module = spg_module_create(path);

	if (!module)
		return NULL;
	module->of = spg_module_ref(of);
	module->id = of->id;
	module->size = of->size;
	module->binary = of->binary;
	module->binding = of->binding;
	module->err = of->err;
	module->why = of->why;
	memcpy(module->sha256, of->sha256, sizeof(module->sha256));
	memcpy(module->version, of->version, sizeof(module->version));
	return module;
}

struct spg_module *spg_module_ref(struct spg_module *module)
{
	atomic_fetch_add_explicit(&module->refs, 1, memory_order_relaxed);
	return module;
}

void spg_module_unref(struct spg_module *module)
{
	if (!module ||
		atomic_fetch_sub_explicit(&module->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(module->path);
	free(module->real);
	if (module->of) {
		spg_module_unref(module->of);
		free(module);
		return;
	}
	spg_binary_destroy(module->binary);
	if (module->binding)
		spg_binding_finish(module->binding);
	free(module->binding);
	free(module->why);
	free(module);
}

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

bool spg_module_set_is_whole(const struct spg_module_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (!set->modules[i]->sha256[0])
			return false;
	return true;
}
