/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The database of dpkg (dpkg-query(1), deb-control(5)), as it lies in its directory:
 *
 *   status, updates/NNNN  paragraphs with Package, Version, Architecture, Status; what
 *                         updates has is newer
 *   info/NAME.list, info/NAME:ARCH.list   the paths of a package's files, a line each
 *   diversions            three lines each: a path, where it is instead, and of which
 *                         package the file at the first is (":": of none)
 *   arch                  the architectures, the system's own first
 *
 * Everything is bounded, and what is not understood is left out. Background thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "daemon/host/linux/asked.h"
#include "daemon/model/package.h"

#define SPG_DPKG_FILE_MAX  (64U << 20) /* bytes of one of its files */
#define SPG_DPKG_LISTS_MAX 200000

/* A package, or what is left of one. */
struct spg_dpkg_package {
	char *name, *arch, *version;
	bool installed; /* has files */
	bool half;      /* and dpkg was at it: half-installed */
	size_t order;   /* as it was read: of two equal ones the later counts */
	size_t index;   /* in what is read; SPG_PACKAGE_NONE */
};

struct spg_dpkg_status {
	struct spg_dpkg_package *items;
	size_t n, size;
	char *arch; /* the system's own; NULL: not known */
};

/** Add what the @n bytes at @text have, a file like status. Pure. Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_dpkg_status_parse(struct spg_dpkg_status *status, const char *text, size_t n);

/** Sort by name and architecture, the latest of each. */
void spg_dpkg_status_sort(struct spg_dpkg_status *status);

/** What the list called @file ("NAME.list", "NAME:ARCH.list") is of; NULL: nothing that
 * has files. @status: sorted. */
struct spg_dpkg_package *spg_dpkg_status_of(
	const struct spg_dpkg_status *status, const char *file);

void spg_dpkg_status_finish(struct spg_dpkg_status *status); /* idempotent */

struct spg_dpkg_diversion {
	char *from, *to, *package;
};

struct spg_dpkg_diversions {
	struct spg_dpkg_diversion *items; /* by ->from */
	size_t n, size;
};

/** Takes the @n bytes at @text. Pure. Returns 0 or SPG_ERR_NOMEM. */
int spg_dpkg_diversions_parse(
	struct spg_dpkg_diversions *diversions, const char *text, size_t n);

/** Where the file that @package has at the @n bytes of @path is instead; NULL: there. */
const char *spg_dpkg_diverted(const struct spg_dpkg_diversions *diversions,
	const char *package, const char *path, size_t n);

void spg_dpkg_diversions_finish(struct spg_dpkg_diversions *diversions);

/** Call @hit for each of @asked that the list of @package, the @n bytes at @text, has.
 * Returns 0, SPG_ERR_NOMEM, or what @hit returned below 0. */
int spg_dpkg_list_find(const char *text, size_t n, const char *package,
	const struct spg_dpkg_diversions *diversions, struct spg_asked *asked,
	int (*hit)(void *user, size_t file), void *user);

struct spg_dpkg;

/** @admin is copied. NULL: out of memory. */
struct spg_dpkg *spg_dpkg_create(const char *admin);

void spg_dpkg_destroy(struct spg_dpkg *dpkg); /* takes NULL */

/** Begin to read. @asked is borrowed until the last step; lists that are as they were are
 * not read again when it has the same key as last time. */
void spg_dpkg_begin(struct spg_dpkg *dpkg, struct spg_asked *asked);

/** Add to @ret. Returns 1: there is more; 0: that was all, or there is no such database; or
 * a negative spg_err, with a literal in @ret_why. */
int spg_dpkg_step(struct spg_dpkg *dpkg, struct spg_packages *ret, int64_t until_ns,
	const char **ret_why);
