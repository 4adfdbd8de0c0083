/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/expected.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"

void spg_expected_finish(struct spg_expected *expected)
{
	for (size_t i = 0; i < expected->n; i++) {
		free(expected->files[i].name);
		free(expected->files[i].version);
	}
	free(expected->files);
	*expected = (struct spg_expected)SPG_EXPECTED_NULL;
}

int spg_expected_add(struct spg_expected *expected, const char *name,
	const char *version, const char *sha256)
{
	struct spg_expected_file file = {.name = strdup(spg_path_base(name)),
		.version = version ? strdup(version) : NULL};

	if (sha256 && strlen(sha256) == SPG_SHA256_TEXT_BYTES - 1)
		memcpy(file.sha256, sha256, SPG_SHA256_TEXT_BYTES);
	if (!file.name || !file.version != !version ||
		spg_array_reserve(&expected->files, expected->n, &expected->size,
			sizeof(*expected->files)) < 0) {
		free(file.name);
		free(file.version);
		return SPG_ERR_NOMEM;
	}
	expected->files[expected->n++] = file;
	return 0;
}

static int compare_exact(const void *a, const void *b)
{
	return strcmp(((const struct spg_expected_file *)a)->name,
		((const struct spg_expected_file *)b)->name);
}

static int compare_folded(const void *a, const void *b)
{
	return strcasecmp(((const struct spg_expected_file *)a)->name,
		((const struct spg_expected_file *)b)->name);
}

void spg_expected_sort(struct spg_expected *expected, bool ignore_case)
{
	expected->ignore_case = ignore_case;
	if (expected->n > 0)
		qsort(expected->files, expected->n, sizeof(*expected->files),
			ignore_case ? compare_folded : compare_exact);
}

const struct spg_expected_file *spg_expected_find(
	const struct spg_expected *expected, const char *name, size_t *ret_n)
{
	const struct spg_expected_file wanted = {.name = (char *)spg_path_base(name)};
	int (*compare)(const void *, const void *) =
		expected->ignore_case ? compare_folded : compare_exact;
	size_t low = 0, high = expected->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&expected->files[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (*ret_n = 0; low + *ret_n < expected->n &&
			 compare(&expected->files[low + *ret_n], &wanted) == 0;
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

enum spg_expectation spg_expected_compare(const struct spg_expected *expected,
	const struct spg_module *module, const struct spg_expected_file **ret_file)
{
	size_t n;
	const struct spg_expected_file *files =
		spg_expected_find(expected, module->path, &n);
	enum spg_expectation found = SPG_NOT_EXPECTED;

	for (size_t i = 0; i < n; i++) {
		enum spg_expectation one = compare_one(&files[i], module);

		if (i == 0 || one == SPG_AS_EXPECTED) {
			found = one;
			if (ret_file)
				*ret_file = &files[i];
		}
		if (one == SPG_AS_EXPECTED)
			break;
	}
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
