/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/surroundings.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"

struct spg_surroundings *spg_surroundings_create(void)
{
	struct spg_surroundings *around = calloc(1, sizeof(*around));

	if (around)
		atomic_init(&around->refs, 1);
	return around;
}

void spg_elf_loading_finish(struct spg_elf_loading *loading)
{
	free(loading->objects);
	free(loading->lacks);
	*loading = (struct spg_elf_loading)SPG_ELF_LOADING_NULL;
}

struct spg_surroundings *spg_surroundings_ref(struct spg_surroundings *around)
{
	if (around)
		atomic_fetch_add_explicit(&around->refs, 1, memory_order_relaxed);
	return around;
}

void spg_surroundings_unref(struct spg_surroundings *around)
{
	if (!around ||
		atomic_fetch_sub_explicit(&around->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < around->n_modules; i++)
		spg_module_unref(around->modules[i]);
	for (size_t i = 0; i < around->n_places; i++) {
		free(around->places[i].path);
		free(around->places[i].inside);
	}
	for (size_t i = 0; i < around->n_loadings; i++)
		spg_elf_loading_finish(&around->loadings[i]);
	free(around->loadings);
	free(around->secure);
	free(around->modules);
	free(around->places);
	free(around->cached);
	free(around->cache_text);
	spg_binary_destroy(around->self);
	free(around);
}

/* ---- places ---- */

/* Where @path is or would be. */
static size_t position(const struct spg_surroundings *around, const char *path)
{
	size_t low = 0, high = around->n_places;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(around->places[middle].path, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct spg_place_looked_at *spg_surroundings_find(
	const struct spg_surroundings *around, const char *path)
{
	size_t at = position(around, path);

	return at < around->n_places && strcmp(around->places[at].path, path) == 0
	               ? &around->places[at]
	               : NULL;
}

int spg_surroundings_note(struct spg_surroundings *around, const char *path,
	const char *inside, size_t outside)
{
	struct spg_place_looked_at place = {
		strdup(path), inside ? strdup(inside) : NULL, outside};
	size_t at = position(around, path);

	if (!place.path || (inside && !place.inside) ||
		spg_array_reserve(&around->places, around->n_places,
			&around->places_size, sizeof(place)) < 0) {
		free(place.path);
		free(place.inside);
		return SPG_ERR_NOMEM;
	}
	memmove(around->places + at + 1, around->places + at,
		(around->n_places - at) * sizeof(place));
	around->places[at] = place;
	around->n_places++;
	return 0;
}

/* ---- the loader's cache ---- */

static int compare_cached(const void *a, const void *b)
{
	const struct spg_cached_library *one = a, *two = b;
	int order = strcmp(one->name, two->name);

	if (order != 0)
		return order;
	/* As unsigned numbers -1 is the last. */
	order = ((unsigned)one->level > (unsigned)two->level) -
	        ((unsigned)one->level < (unsigned)two->level);
	return order ? order : (one->order > two->order) - (one->order < two->order);
}

void spg_surroundings_sort_cache(struct spg_surroundings *around)
{
	if (around->n_cached)
		qsort(around->cached, around->n_cached, sizeof(around->cached[0]),
			compare_cached);
}

const struct spg_cached_library *spg_surroundings_cached(
	const struct spg_surroundings *around, const char *name, size_t *ret_n)
{
	size_t low = 0, high = around->n_cached;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(around->cached[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_n = 0;
	while (low + *ret_n < around->n_cached &&
		strcmp(around->cached[low + *ret_n].name, name) == 0)
		++*ret_n;
	return &around->cached[low];
}
