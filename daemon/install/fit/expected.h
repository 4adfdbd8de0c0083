/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Which installed file is meant by which file of a payload, and whether it is that one.
 */
#include <stdbool.h>
#include <stddef.h>

#include "daemon/install/fit/module_set.h"
#include "daemon/install/fit/placement.h"
#include "daemon/model/expected.h"

/** Once all are there, before anything is asked: those of one name stand together, and
 * among them those of one content. */
void spg_expected_sort(struct spg_expected *expected, bool ignore_case);

/** Those called like @name (a path will do): the first and how many; NULL: none. */
const struct spg_expected_file *spg_expected_find(
	const struct spg_expected *expected, const char *name, size_t *ret_n);

/** True when no answer can tell @a from @b, of one name. */
bool spg_expected_is_one_content(
	const struct spg_expected_file *a, const struct spg_expected_file *b);

/* A payload placed among installed files. */
struct spg_expected_places {
	const struct spg_expected *expected; /* borrowed */
	struct spg_placement placement;      /* indices of ->expected and ->paths */
	const char **paths;                  /* installed, borrowed, in byte order */
	size_t n;
};

#define SPG_EXPECTED_PLACES_NULL                                                       \
	{                                                                              \
		NULL, SPG_PLACEMENT_NULL, NULL, 0                                      \
	}

/* Where the product's files are. */
struct spg_expected_scope {
	const char *const *directories;
	size_t n_directories;
	bool flat; /* what lies below them is not the product's */
};

/**
 * Place @expected among the @n files at @paths, in any order.
 *
 * @paths  like @expected borrowed until the places are finished
 * @scope  borrowed for the call
 *
 * Returns 0 or SPG_ERR_NOMEM, and then @ret is empty.
 */
int spg_expected_place(struct spg_expected_places *ret,
	const struct spg_expected *expected, const char *const *paths, size_t n,
	const struct spg_expected_scope *scope);

/** Idempotent; takes SPG_EXPECTED_PLACES_NULL. */
void spg_expected_places_finish(struct spg_expected_places *places);

/** What the installed file at @path may be, as indices of files; NULL: it was not among
 * those placed. */
const struct spg_place_choice *spg_expected_choice(
	const struct spg_expected_places *places, const char *path, size_t *ret_index);

enum spg_expectation {
	SPG_NOT_EXPECTED, /* the payload has no such file for its place */
	SPG_AS_EXPECTED,  /* it is the payload's */
	SPG_OLDER,        /* than the payload's */
	SPG_NEWER,
	SPG_DIFFERENT, /* no versions tell which */
	SPG_NOT_KNOWN, /* nothing to compare */
};

/* What an installed file was compared with. */
struct spg_expected_match {
	const struct spg_expected_file *file; /* that it is, or the first; NULL: none */
	size_t of; /* contents that it may be: more than one, and no folder tells */
	size_t first, n; /* of the placement's candidates those that it stands for; n 0:
	                    one of them */
};

/** What @module is, compared with its counterparts, or where it was not placed with all
 * of its name. Equal digests decide; without them equal versions do. @ret may be NULL. */
enum spg_expectation spg_expected_compare(const struct spg_expected_places *places,
	const struct spg_module *module, struct spg_expected_match *ret);

/** "not expected", "same", "older", "newer", "different", "unknown". */
const char *spg_expectation_name(enum spg_expectation expectation);

/** Order of two versions such as "5.5.2448.0"; 0 also when either is none. */
int spg_version_compare(const char *a, const char *b);
