/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/expected.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"

#define CONTENTS_MAX 256 /* of one name, compared */

static int compare_texts(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) : (a != NULL) - (b != NULL);
}

static int compare_names(
	const struct spg_expected *expected, const char *a, const char *b)
{
	return spg_name_compare(a, b, expected->ignore_case);
}

static int compare_files(const void *a, const void *b, void *user)
{
	const struct spg_expected_file *one = a, *two = b;
	int order = compare_names(user, one->name, two->name);

	if (order == 0)
		order = strcmp(one->sha256, two->sha256);
	if (order == 0)
		order = compare_texts(one->version, two->version);
	return order ? order : strcmp(one->path, two->path);
}

void spg_expected_sort(struct spg_expected *expected, bool ignore_case)
{
	expected->ignore_case = ignore_case;
	if (expected->n > 0)
		qsort_r(expected->files, expected->n, sizeof(*expected->files),
			compare_files, expected);
}

const struct spg_expected_file *spg_expected_find(
	const struct spg_expected *expected, const char *name, size_t *ret_n)
{
	const char *wanted = spg_path_base(name);
	size_t low = 0, high = expected->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_names(expected, expected->files[middle].name, wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (*ret_n = 0; low + *ret_n < expected->n &&
			 compare_names(expected, expected->files[low + *ret_n].name,
				 wanted) == 0;
		++*ret_n)
		;
	return *ret_n > 0 ? &expected->files[low] : NULL;
}

int spg_version_compare(const char *a, const char *b)
{
	while (a && b && *a && *b) {
		char *end_a, *end_b;
		unsigned long number_a = strtoul(a, &end_a, 10);
		unsigned long number_b = strtoul(b, &end_b, 10);

		if (number_a != number_b)
			return number_a < number_b ? -1 : 1;
		if (end_a == a || end_b == b)
			return 0;
		a = end_a + (*end_a == '.');
		b = end_b + (*end_b == '.');
	}
	return 0;
}

static enum spg_expectation compare_one(
	const struct spg_expected_file *file, const struct spg_module *module)
{
	int order;

	if (file->sha256[0] && module->sha256[0] &&
		strcmp(file->sha256, module->sha256) == 0)
		return SPG_AS_EXPECTED;
	if (!file->version || !module->version[0])
		return file->sha256[0] && module->sha256[0] ? SPG_DIFFERENT
		                                            : SPG_NOT_KNOWN;
	order = spg_version_compare(module->version, file->version);
	if (order != 0)
		return order < 0 ? SPG_OLDER : SPG_NEWER;
	/* The same version, built twice, is not the payload's file. */
	return file->sha256[0] && module->sha256[0] ? SPG_DIFFERENT : SPG_AS_EXPECTED;
}

bool spg_expected_is_one_content(
	const struct spg_expected_file *a, const struct spg_expected_file *b)
{
	if (a->sha256[0] || b->sha256[0])
		return strcmp(a->sha256, b->sha256) == 0;
	return compare_texts(a->version, b->version) == 0;
}

/* --- where they are --------------------------------------------------------------- */

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int place(
	struct spg_expected_places *places, const struct spg_expected_scope *scope)
{
	const struct spg_expected *expected = places->expected;
	const char **offered = calloc(expected->n + 1, sizeof(*offered));
	int r;

	if (!offered)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < expected->n; i++)
		offered[i] = expected->files[i].path;
	r = spg_placement_make(&places->placement,
		&(struct spg_placement_question){offered, expected->n, places->paths,
			places->n, scope->directories, scope->n_directories,
			expected->ignore_case, scope->flat});
	free(offered);
	return r;
}

int spg_expected_place(struct spg_expected_places *ret,
	const struct spg_expected *expected, const char *const *paths, size_t n,
	const struct spg_expected_scope *scope)
{
	int r;

	*ret = (struct spg_expected_places){.expected = expected,
		.paths = calloc(n + 1, sizeof(*ret->paths)),
		.n = n};
	if (!ret->paths)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < n; i++)
		ret->paths[i] = paths[i];
	qsort(ret->paths, n, sizeof(*ret->paths), compare_paths);
	r = place(ret, scope);
	if (r < 0)
		spg_expected_places_finish(ret);
	return r;
}

void spg_expected_places_finish(struct spg_expected_places *places)
{
	spg_placement_finish(&places->placement);
	free(places->paths);
	*places = (struct spg_expected_places)SPG_EXPECTED_PLACES_NULL;
}

const struct spg_place_choice *spg_expected_choice(
	const struct spg_expected_places *places, const char *path, size_t *ret_index)
{
	const char *const *found = bsearch(
		&path, places->paths, places->n, sizeof(*places->paths), compare_paths);

	if (!found)
		return NULL;
	*ret_index = (size_t)(found - places->paths);
	return &places->placement.installed[*ret_index];
}

/* --- what they are ---------------------------------------------------------------- */

/* What @module is that is neither @file nor what was compared before it. */
static enum spg_expectation join(enum spg_expectation before, enum spg_expectation now)
{
	if (before == SPG_NOT_EXPECTED || before == now)
		return now;
	return before == SPG_NOT_KNOWN || now == SPG_NOT_KNOWN ? SPG_NOT_KNOWN
	                                                       : SPG_DIFFERENT;
}

/* The files that are compared, one after the other. */
struct choice {
	const struct spg_expected_file *files;
	const size_t *candidates; /* NULL: the files themselves */
	size_t first, n;
};

static struct choice choose(const struct spg_expected_places *places, const char *path)
{
	struct choice choice = {NULL, NULL, 0, 0};
	const struct spg_place_choice *placed;
	size_t index;

	placed = spg_expected_choice(places, path, &index);
	if (!placed) {
		choice.files = spg_expected_find(places->expected, path, &choice.n);
		return choice;
	}
	choice.files = places->expected->files;
	choice.candidates = &places->placement.candidates[placed->first];
	choice.first = placed->first;
	choice.n = placed->n;
	return choice;
}

static const struct spg_expected_file *file_at(const struct choice *choice, size_t at)
{
	return &choice->files[choice->candidates ? choice->candidates[at] : at];
}

static enum spg_expectation compare_all(const struct choice *choice,
	const struct spg_module *module, struct spg_expected_match *match)
{
	enum spg_expectation found = SPG_NOT_EXPECTED;
	const struct spg_expected_file *last = NULL;

	for (size_t i = 0; i < choice->n; i++) {
		const struct spg_expected_file *file = file_at(choice, i);
		enum spg_expectation one;

		if (last && spg_expected_is_one_content(last, file)) {
			match->n += match->n > 0 &&
			            choice->first + i == match->first + match->n;
			continue;
		}
		last = file;
		/* Nobody makes so many: whoever does learns nothing about the others. */
		if (++match->of > CONTENTS_MAX)
			return found == SPG_AS_EXPECTED ? found : SPG_NOT_KNOWN;
		one = compare_one(file, module);
		if (i == 0 || (one == SPG_AS_EXPECTED && found != one)) {
			match->file = file;
			match->first = choice->first + i;
			match->n = one == SPG_AS_EXPECTED || i == 0;
		}
		found = found == SPG_AS_EXPECTED || one == SPG_AS_EXPECTED
		                ? SPG_AS_EXPECTED
		                : join(found, one);
	}
	return found;
}

enum spg_expectation spg_expected_compare(const struct spg_expected_places *places,
	const struct spg_module *module, struct spg_expected_match *ret)
{
	struct choice choice = choose(places, module->path);
	struct spg_expected_match match = {NULL, 0, 0, 0};
	enum spg_expectation found = compare_all(&choice, module, &match);

	/* Of several it stands for the one that it is, and else for any. */
	if (match.of > 1 && found != SPG_AS_EXPECTED)
		match.n = 0;
	if (ret)
		*ret = match;
	return found;
}

const char *spg_expectation_name(enum spg_expectation expectation)
{
	switch (expectation) {
	case SPG_NOT_EXPECTED:
		return "not expected";
	case SPG_AS_EXPECTED:
		return "same";
	case SPG_OLDER:
		return "older";
	case SPG_NEWER:
		return "newer";
	case SPG_DIFFERENT:
		return "different";
	case SPG_NOT_KNOWN:
		break;
	}
	return "unknown";
}
