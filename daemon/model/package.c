/* SPDX-License-Identifier: MIT */
#include "daemon/model/package.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"

struct spg_packages *spg_packages_create(void)
{
	struct spg_packages *packages = calloc(1, sizeof(*packages));

	if (packages)
		atomic_init(&packages->refs, 1);
	return packages;
}

struct spg_packages *spg_packages_ref(struct spg_packages *packages)
{
	if (packages)
		atomic_fetch_add_explicit(&packages->refs, 1, memory_order_relaxed);
	return packages;
}

void spg_packages_unref(struct spg_packages *packages)
{
	if (!packages || atomic_fetch_sub_explicit(
				 &packages->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < packages->n; i++) {
		free(packages->items[i].name);
		free(packages->items[i].version);
	}
	for (size_t i = 0; i < packages->n_files; i++)
		free(packages->files[i].path);
	free(packages->items);
	free(packages->files);
	free(packages);
}

size_t spg_packages_add(
	struct spg_packages *packages, const char *name, const char *version)
{
	struct spg_package package = {.name = NULL};

	if (spg_array_reserve(&packages->items, packages->n, &packages->size,
		    sizeof(*packages->items)) < 0)
		return SPG_PACKAGE_NONE;
	package.name = strdup(name);
	package.version = version ? strdup(version) : NULL;
	if (!package.name || (version && !package.version)) {
		free(package.name);
		free(package.version);
		return SPG_PACKAGE_NONE;
	}
	packages->items[packages->n] = package;
	return packages->n++;
}

int spg_packages_own(struct spg_packages *packages, const char *path, size_t package)
{
	struct spg_packaged_file file = {NULL, package};

	if (spg_array_reserve(&packages->files, packages->n_files,
		    &packages->size_files, sizeof(*packages->files)) < 0)
		return SPG_ERR_NOMEM;
	file.path = strdup(path);
	if (!file.path)
		return SPG_ERR_NOMEM;
	packages->files[packages->n_files++] = file;
	return 0;
}

/* ---- sorting ---- */

struct place {
	struct spg_package package;
	size_t was;
};

static int compare_places(const void *a, const void *b)
{
	const struct place *one = a, *other = b;
	int order = strcmp(one->package.name, other->package.name);

	if (order == 0)
		order = (one->was > other->was) - (one->was < other->was);
	return order;
}

static int compare_files(const void *a, const void *b)
{
	const struct spg_packaged_file *one = a, *other = b;
	int order = strcmp(one->path, other->path);

	if (order == 0)
		order = (one->package > other->package) -
		        (one->package < other->package);
	return order;
}

static void sort_files(struct spg_packages *packages, const size_t *now)
{
	size_t kept = 0;

	qsort(packages->files, packages->n_files, sizeof(*packages->files),
		compare_files);
	for (size_t i = 0; i < packages->n_files; i++) {
		struct spg_packaged_file file = packages->files[i];

		if (kept && strcmp(packages->files[kept - 1].path, file.path) == 0) {
			free(file.path);
			continue;
		}
		file.package = now[file.package];
		packages->files[kept++] = file;
	}
	packages->n_files = kept;
}

int spg_packages_sort(struct spg_packages *packages)
{
	size_t n = packages->n;
	struct place *places = calloc(n + 1, sizeof(*places));
	size_t *now = calloc(n + 1, sizeof(*now));

	if (!places || !now) {
		free(places);
		free(now);
		return SPG_ERR_NOMEM;
	}
	for (size_t i = 0; i < n; i++)
		places[i] = (struct place){packages->items[i], i};
	qsort(places, n, sizeof(*places), compare_places);
	for (size_t i = 0; i < n; i++) {
		packages->items[i] = places[i].package;
		now[places[i].was] = i;
	}
	if (packages->n_files)
		sort_files(packages, now);
	free(places);
	free(now);
	return 0;
}

/* ---- finding ---- */

const struct spg_package *spg_packages_owner(
	const struct spg_packages *packages, const char *path)
{
	size_t low = 0, high = packages ? packages->n_files : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(packages->files[middle].path, path);

		if (order == 0)
			return &packages->items[packages->files[middle].package];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

size_t spg_packages_find(const struct spg_packages *packages, const char *name)
{
	size_t low = 0, high = packages->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(packages->items[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < packages->n && strcmp(packages->items[low].name, name) == 0
	               ? low
	               : SPG_PACKAGE_NONE;
}
