/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Inside of fit.c: files by their names, and those of one name by their folders, as a
 * sorted array: hostile names cannot make it slow, as they could a hash table. Thousands
 * of one name are no more work than as many names: which of them a module finds in
 * another folder than its own depends on its kind alone, and is remembered.
 */
#include <stdbool.h>
#include <stddef.h>

#include "common/binary.h"
#include "daemon/install/fit/names.h"

#define SPG_FIT_NONE SIZE_MAX

struct spg_fit_file {
	const char *path; /* borrowed */
	size_t index;     /* of whose they are */
};

/* What all modules for one machine are answered, programs apart from libraries. */
struct spg_fit_answer {
	struct spg_fit_answer *next;
	const struct spg_binary *importer; /* the first who asked */
	size_t found, elsewhere;           /* as the asker means it */
};

struct spg_fit_namesakes {
	struct spg_fit_file *files;
	size_t n;
	bool fold; /* letters of folders; those of names always are */
	struct spg_fit_answer **answers; /* at the place of the first of a name */
};

/** Room for @n files: the caller fills in each one's path; index is its number. Returns 0
 * or SPG_ERR_NOMEM; finish in either case. */
int spg_fit_namesakes_init(struct spg_fit_namesakes *namesakes, size_t n, bool fold);

/** Once all paths are there. */
void spg_fit_namesakes_sort(struct spg_fit_namesakes *namesakes);

/** Idempotent; takes zeroes. */
void spg_fit_namesakes_finish(struct spg_fit_namesakes *namesakes);

/** How many are called @name; *@ret is the place of the first. */
size_t spg_fit_namesakes_find(const struct spg_fit_namesakes *namesakes,
	struct spg_fit_text name, size_t *ret);

/** Of the @n at @first, the one in the folder of @path, of several that with the least
 * index, as its place; SPG_FIT_NONE: none is there. */
size_t spg_fit_namesakes_beside(const struct spg_fit_namesakes *namesakes, size_t first,
	size_t n, const char *path);

/** What a module like @importer was answered about those at @first; NULL: none asked. */
const struct spg_fit_answer *spg_fit_namesakes_recall(
	const struct spg_fit_namesakes *namesakes, size_t first,
	const struct spg_binary *importer);

/** Keep @answer for the next that asks; while memory is short it is found out again. */
void spg_fit_namesakes_remember(struct spg_fit_namesakes *namesakes, size_t first,
	const struct spg_fit_answer *answer);
