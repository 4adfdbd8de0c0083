/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the database of the system's package manager says: which packages are installed,
 * and which of them files are of. It is read as it lies on the disk; no program is
 * started. Linux: dpkg's, and rpm's where it is SQLite. Windows: none.
 *
 * A database is read step by step, one reading at a time, by one thread that may wait for
 * a disk, for seconds at most: a disk that does not answer ends the reading. Between two
 * steps nothing is open.
 */
#include <stddef.h>
#include <stdint.h>

#include "daemon/model/package.h"

/* Where a database is. Absolute paths. */
struct spg_package_place {
	char *root;  /* what its paths are below; "": they are as they are */
	char *admin; /* dpkg's directory; NULL: var/lib/dpkg below @root */
	char *rpm;   /* rpm's, below @root; NULL: where it usually is */
};

#define SPG_PACKAGE_PLACE_NULL                                                         \
	{                                                                              \
		NULL, NULL, NULL                                                       \
	}

void spg_package_place_finish(struct spg_package_place *place); /* idempotent */

/** Returns 0 and *ret, the caller's; or SPG_ERR_NOMEM. */
int spg_package_place_copy(
	struct spg_package_place *ret, const struct spg_package_place *place);

bool spg_package_place_equal(
	const struct spg_package_place *a, const struct spg_package_place *b);

/**
 * Where a package manager that was started with @cmdline, words with blanks between them,
 * keeps its database: dpkg's --root, --instdir and --admindir, rpm's --root, -r and
 * --dbpath, --installroot of dnf and yum. Pure.
 *
 * Returns 1: @ret, which is the caller's, is another one than the system's; 0: it is the
 * system's; or SPG_ERR_NOMEM.
 */
int spg_package_place_parse(const char *cmdline, struct spg_package_place *ret);

struct spg_package_database;

/** @place is copied; NULL: the system's. NULL: out of memory. */
struct spg_package_database *spg_package_database_create(
	const struct spg_package_place *place);

/** Takes NULL. */
void spg_package_database_destroy(struct spg_package_database *database);

/**
 * Begin to read what the @n files at @paths, absolute, sorted and copied, are of. What was
 * begun before is given up. @known: of packages that have a version in it, the version is
 * read although no file is of them; NULL: of none.
 *
 * Returns 0 or SPG_ERR_NOMEM.
 */
int spg_package_database_begin(struct spg_package_database *database,
	const char *const *paths, size_t n, struct spg_packages *known);

/** Go on until @until_ns (monotonic) has come, and a moment. Returns 1: there is more; 0:
 * it is read; or a negative spg_err: it cannot be, and @ret_why, a literal, says why. */
int spg_package_database_step(
	struct spg_package_database *database, int64_t until_ns, const char **ret_why);

/** After a step that returned 0: what was read, sorted, a reference for the caller. What is
 * as it was last time may be the same. NULL: out of memory. */
struct spg_packages *spg_package_database_take(struct spg_package_database *database);
