/* SPDX-License-Identifier: MIT */
#include "daemon/install/transaction.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"

/* Which packages are concerned; a set of bits for each. */
enum { OF_PRODUCT = 1, CHANGED = 2 };

struct side {
	const struct spg_packages *packages; /* NULL: not known */
	unsigned char *marks;
};

static int make_side(struct side *ret, const struct spg_packages *packages,
	const struct spg_product *product)
{
	ret->packages = packages;
	ret->marks = calloc((packages ? packages->n : 0) + 1, 1);
	if (!ret->marks)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; packages && i < packages->n_files; i++)
		if (spg_product_has_path(product, packages->files[i].path))
			ret->marks[packages->files[i].package] |= OF_PRODUCT;
	return 0;
}

static void mark_changed(struct side *side, const struct spg_package *package)
{
	side->marks[package - side->packages->items] |= CHANGED;
}

/* ---- files ---- */

static int note_file(
	struct spg_install_file *file, struct side *before, struct side *after)
{
	const struct spg_package *then =
		spg_packages_owner(before->packages, file->path);
	const struct spg_package *now = spg_packages_owner(after->packages, file->path);
	const struct spg_package *package =
		file->change == SPG_CHANGE_DELETED && !now ? then : now;

	/* Where no event told of it, it may have been another install. */
	if (file->change != SPG_CHANGE_SKIPPED && file->kinds && then)
		mark_changed(before, then);
	if (file->change != SPG_CHANGE_SKIPPED && file->kinds && now)
		mark_changed(after, now);
	if (!package)
		return 0;
	file->package = strdup(package->name);
	file->package_version = package->version ? strdup(package->version) : NULL;
	return file->package && (!package->version || file->package_version)
	               ? 0
	               : SPG_ERR_NOMEM;
}

/* ---- packages ---- */

static bool is_same(const struct spg_package *a, const struct spg_package *b)
{
	return a->version && b->version && strcmp(a->version, b->version) == 0;
}

/* The package called @name in @packages with the version of @other (@same), or one with a
 * version that @others do not have; NULL: there is none. */
static const struct spg_package *find(const struct spg_packages *packages,
	const struct spg_package *other, const struct spg_packages *others, bool same)
{
	size_t at = spg_packages_find(packages, other->name);

	for (; at < packages->n && strcmp(packages->items[at].name, other->name) == 0;
		at++) {
		const struct spg_package *package = &packages->items[at];

		if (same ? is_same(package, other)
			 : !find(others, package, packages, true))
			return package;
	}
	return NULL;
}

static int add(struct spg_install *install, const char *name, const char *from,
	const char *to, bool from_known)
{
	return spg_install_add_package(
		install, &(struct spg_install_package){
				 (char *)name, (char *)from, (char *)to, from_known});
}

/* What is installed now. */
static int note_now(struct spg_install *install, const struct side *before,
	const struct side *after, size_t at)
{
	const struct spg_package *now = &after->packages->items[at], *then;
	bool changed = after->marks[at] & CHANGED;

	if (!now->version)
		return 0;
	if (!before->packages)
		return changed ? add(install, now->name, NULL, now->version, false) : 0;
	if (find(before->packages, now, after->packages, true))
		return changed ? add(install, now->name, now->version, now->version,
					 true)
		               : 0;
	then = find(before->packages, now, after->packages, false);
	/* It may be as it was. */
	if (then && !then->version && !changed)
		return 0;
	return add(install, now->name, then ? then->version : NULL, now->version,
		!then || then->version);
}

/* What was installed, and has no file of the product any more. */
static int note_then(struct spg_install *install, const struct side *before,
	const struct side *after, size_t at)
{
	const struct spg_package *then = &before->packages->items[at], *now;

	if (!then->version || find(after->packages, then, before->packages, true))
		return 0;
	now = find(after->packages, then, before->packages, false);
	if (!now)
		return add(install, then->name, then->version, NULL, true);
	if (!now->version || after->marks[now - after->packages->items])
		return 0;
	return add(install, then->name, then->version, now->version, true);
}

static int compare(const void *a, const void *b)
{
	const struct spg_install_package *one = a, *other = b;

	return strcmp(one->name, other->name);
}

static int note_packages(struct spg_install *install, const struct side *before,
	const struct side *after)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < after->packages->n; i++)
		if (after->marks[i])
			r = note_now(install, before, after, i);
	for (size_t i = 0; r == 0 && before->packages && i < before->packages->n; i++)
		if (before->marks[i])
			r = note_then(install, before, after, i);
	if (install->n_packages)
		qsort(install->packages, install->n_packages,
			sizeof(*install->packages), compare);
	return r;
}

int spg_transaction_note(struct spg_install *install, const struct spg_product *product,
	const struct spg_packages *before, const struct spg_packages *after)
{
	struct side then = {NULL, NULL}, now = {NULL, NULL};
	int r = make_side(&then, before, product);

	if (r == 0)
		r = make_side(&now, after, product);
	for (size_t i = 0; r == 0 && i < install->n_files; i++)
		r = note_file(&install->files[i], &then, &now);
	if (r == 0)
		r = note_packages(install, &then, &now);
	free(then.marks);
	free(now.marks);
	return r;
}
