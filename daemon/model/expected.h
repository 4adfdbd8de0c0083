/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The files of a payload as a client described them: what should be installed. Plain data
 * with one owner; fit/expected.h compares it with what is.
 */
#include <stdbool.h>
#include <stddef.h>

#include "common/digest.h"

/* The same name may come with several, in several folders. */
struct spg_expected_file {
	/* Below the payload's folder, or of a package absolute; the name where it is not
	 * known. */
	char *path;
	const char *name;                   /* the end of it */
	char *version;                      /* NULL: has none, or is not known */
	char sha256[SPG_SHA256_TEXT_BYTES]; /* "": not known */
	bool elsewhere;                     /* another product has a file of its name */
};

struct spg_expected {
	struct spg_expected_file
		*files; /* by name where spg_expected_sort() has sorted them */
	size_t n, size;
	bool ignore_case;
};

#define SPG_EXPECTED_NULL                                                              \
	{                                                                              \
		NULL, 0, 0, false                                                      \
	}

/** Idempotent; takes SPG_EXPECTED_NULL. */
void spg_expected_finish(struct spg_expected *expected);

/** Append a copy; @path may be a bare name, @version and @sha256 NULL. Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_expected_add(struct spg_expected *expected, const char *path,
	const char *version, const char *sha256);

/** Replace @ret, which must be empty, by a copy of @expected. Returns 0 or
 * SPG_ERR_NOMEM, and then @ret is empty. */
int spg_expected_copy(const struct spg_expected *expected, struct spg_expected *ret);

/** True when both have the same files in the same order. */
bool spg_expected_equal(const struct spg_expected *a, const struct spg_expected *b);
