/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The files of a payload as a client described them: what should be installed.
 * Plain data.
 */
#include <stdbool.h>
#include <stddef.h>

#include "daemon/install/fit/module.h"

/* One variant of a file; the same name may come with several. */
struct spg_expected_file {
	char *name;                         /* bare */
	char *version;                      /* NULL: has none, or is not known */
	char sha256[SPG_SHA256_TEXT_BYTES]; /* "": not known */
};

struct spg_expected {
	struct spg_expected_file *files; /* by name, see spg_expected_sort() */
	size_t n, size;
	bool ignore_case;
};

#define SPG_EXPECTED_NULL                                                              \
	{                                                                              \
		NULL, 0, 0, false                                                      \
	}

/** Idempotent; takes SPG_EXPECTED_NULL. */
void spg_expected_finish(struct spg_expected *expected);

/** Append a copy; @version and @sha256 may be NULL. Returns 0 or SPG_ERR_NOMEM. */
int spg_expected_add(struct spg_expected *expected, const char *name,
	const char *version, const char *sha256);

/** Once all are there, before anything is asked. */
void spg_expected_sort(struct spg_expected *expected, bool ignore_case);

/** The variants of @name (a path will do): the first and how many; NULL: none. */
const struct spg_expected_file *spg_expected_find(
	const struct spg_expected *expected, const char *name, size_t *ret_n);

enum spg_expectation {
	SPG_NOT_EXPECTED, /* the payload has no such file */
	SPG_AS_EXPECTED,  /* it is the payload's */
	SPG_OLDER,        /* than the payload's */
	SPG_NEWER,
	SPG_DIFFERENT, /* no versions tell which */
	SPG_NOT_KNOWN, /* nothing to compare */
};

/** What @module is, compared with the payload's file of its name. Equal digests
 * decide; without them equal versions do. @ret_file (may be NULL) gets the variant
 * compared with. */
enum spg_expectation spg_expected_compare(const struct spg_expected *expected,
	const struct spg_module *module, const struct spg_expected_file **ret_file);

/** "not expected", "same", "older", "newer", "different", "unknown". */
const char *spg_expectation_name(enum spg_expectation expectation);

/** Order of two versions such as "5.5.2448.0"; 0 also when either is none. */
int spg_version_compare(const char *a, const char *b);
