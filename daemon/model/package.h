/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Packages of the system's package manager, and which of them each file is of, at one
 * time. Plain data, made by one thread and not changed any more once others have it. Good
 * for telling, not for deciding.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct spg_package {
	char *name;    /* of another architecture than the system's: "NAME:ARCH" */
	char *version; /* NULL: not read, since no file that was asked about is of it */
	bool unfinished; /* its manager has begun to install or remove it, and not ended */
};

struct spg_packaged_file {
	char *path;
	size_t package; /* index */
};

struct spg_packages {
	atomic_uint refs;
	struct spg_package *items; /* all that are installed; once sorted, by name */
	size_t n, size;
	struct spg_packaged_file *files; /* those asked about; once sorted, by path */
	size_t n_files, size_files;
};

#define SPG_PACKAGE_NONE ((size_t)-1)

/** An empty one with one reference. NULL: out of memory. */
struct spg_packages *spg_packages_create(void);

/** NULL gives NULL. */
struct spg_packages *spg_packages_ref(struct spg_packages *packages);

/** Takes NULL; the last frees. */
void spg_packages_unref(struct spg_packages *packages);

/** One more, whose texts are copied; @version may be NULL. Returns its index, or
 * SPG_PACKAGE_NONE: out of memory. */
size_t spg_packages_add(
	struct spg_packages *packages, const char *name, const char *version);

/** The file at @path is of @package, an index. Returns 0 or SPG_ERR_NOMEM. */
int spg_packages_own(struct spg_packages *packages, const char *path, size_t package);

/** Once all are there. A file that two packages have is of the first that was added.
 * Returns 0 or SPG_ERR_NOMEM. */
int spg_packages_sort(struct spg_packages *packages);

/** What the file at @path is of; NULL: no package, or it was not asked about. @packages:
 * sorted, or NULL. */
const struct spg_package *spg_packages_owner(
	const struct spg_packages *packages, const char *path);

/** Index of the first called @name, sorted; SPG_PACKAGE_NONE: there is none. Others of the
 * name follow. */
size_t spg_packages_find(const struct spg_packages *packages, const char *name);
