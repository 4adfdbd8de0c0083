/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What is known to be installed of a product, or what has changed in that, as the database
 * keeps it for the next start. Plain data with one owner.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"

struct spg_installed_file {
	char *path, *version;               /* version NULL: it has none */
	char sha256[SPG_SHA256_TEXT_BYTES]; /* "": it could not be read */
	bool is_module; /* its headers are those of a Windows module */
	bool gone;      /* it is not there any more */
};

struct spg_installed {
	char *product;
	char *scope; /* which files are meant; not to be compared with those of another */
	int64_t at_ns; /* UTC, when it was so */
	bool whole;    /* these are all; else those that have changed */
	struct spg_installed_file *files; /* in the order of their paths */
	size_t n, size;
};

/** Texts are copied. NULL: out of memory. */
struct spg_installed *spg_installed_create(
	const char *product, const char *scope, int64_t at_ns);

/** Takes NULL. */
void spg_installed_destroy(struct spg_installed *installed);

/** A new one at the end, with copies of @path and @version (may be NULL) and else zero.
 * Borrowed, until the next is added. NULL: out of memory. */
struct spg_installed_file *spg_installed_add(
	struct spg_installed *installed, const char *path, const char *version);
