/* SPDX-License-Identifier: MIT */
#include "daemon/model/expected.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"

void spg_expected_finish(struct spg_expected *expected)
{
	for (size_t i = 0; i < expected->n; i++) {
		free(expected->files[i].path);
		free(expected->files[i].version);
	}
	free(expected->files);
	*expected = (struct spg_expected)SPG_EXPECTED_NULL;
}

int spg_expected_add(struct spg_expected *expected, const char *path,
	const char *version, const char *sha256)
{
	struct spg_expected_file file = {
		.path = strdup(path), .version = version ? strdup(version) : NULL};

	if (sha256 && strlen(sha256) == SPG_SHA256_TEXT_BYTES - 1)
		memcpy(file.sha256, sha256, SPG_SHA256_TEXT_BYTES);
	if (!file.path || !file.version != !version ||
		spg_array_reserve(&expected->files, expected->n, &expected->size,
			sizeof(*expected->files)) < 0) {
		free(file.path);
		free(file.version);
		return SPG_ERR_NOMEM;
	}
	file.name = spg_path_base(file.path);
	expected->files[expected->n++] = file;
	return 0;
}

int spg_expected_copy(const struct spg_expected *expected, struct spg_expected *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < expected->n; i++) {
		const struct spg_expected_file *file = &expected->files[i];

		r = spg_expected_add(ret, file->path, file->version, file->sha256);
		if (r == 0)
			ret->files[i].elsewhere = file->elsewhere;
	}
	ret->ignore_case = expected->ignore_case;
	if (r < 0)
		spg_expected_finish(ret);
	return r;
}

static bool is_same(
	const struct spg_expected_file *a, const struct spg_expected_file *b)
{
	return strcmp(a->path, b->path) == 0 && strcmp(a->sha256, b->sha256) == 0 &&
	       !a->version == !b->version &&
	       (!a->version || strcmp(a->version, b->version) == 0) &&
	       a->elsewhere == b->elsewhere;
}

bool spg_expected_equal(const struct spg_expected *a, const struct spg_expected *b)
{
	if (a->n != b->n || a->ignore_case != b->ignore_case)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!is_same(&a->files[i], &b->files[i]))
			return false;
	return true;
}
