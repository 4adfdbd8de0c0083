/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/placement_names.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"

bool spg_place_is_installed(const struct spg_place_names *names, size_t file)
{
	return file >= names->n_offered;
}

struct spg_place_text spg_place_path(const struct spg_place_names *names, size_t file)
{
	const char *path = file < names->n_offered
	                           ? names->offered[file]
	                           : names->installed[file - names->n_offered];

	return (struct spg_place_text){path, strlen(path)};
}

static int compare_files(const void *a, const void *b, void *user)
{
	const struct spg_place_names *names = user;
	size_t one = *(const size_t *)a, two = *(const size_t *)b;
	int order = spg_place_compare_endings(spg_place_path(names, one),
		spg_place_path(names, two), names->fold, NULL);

	return order ? order : (one > two) - (one < two);
}

/* Number the names. */
static void number(struct spg_place_names *names)
{
	size_t name = 0;

	for (size_t i = 0; i < names->n; i++) {
		size_t common = 1;

		if (i > 0)
			spg_place_compare_endings(
				spg_place_path(names, names->order[i - 1]),
				spg_place_path(names, names->order[i]), names->fold,
				&common);
		name += common == 0;
		names->of[names->order[i]] = name;
	}
}

int spg_place_names_init(struct spg_place_names *names)
{
	names->order = calloc(names->n + 1, sizeof(*names->order));
	names->of = calloc(names->n + 1, sizeof(*names->of));
	if (!names->order || !names->of)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < names->n; i++)
		names->order[i] = i;
	qsort_r(names->order, names->n, sizeof(*names->order), compare_files, names);
	number(names);
	return 0;
}

void spg_place_names_finish(struct spg_place_names *names)
{
	free(names->order);
	free(names->of);
	names->order = names->of = NULL;
}

size_t spg_place_names_next(
	const struct spg_place_names *names, size_t from, struct spg_place_same *ret)
{
	size_t at, n_offered = 0, n_installed = 0;

	for (at = from; at < names->n &&
			names->of[names->order[at]] == names->of[names->order[from]];
		at++) {
		if (spg_place_is_installed(names, names->order[at])) {
			if (n_installed < SPG_PLACE_SAME_MAX)
				ret->installed[n_installed] =
					names->order[at] - names->n_offered;
			n_installed++;
		} else {
			if (n_offered < SPG_PLACE_SAME_MAX)
				ret->offered[n_offered] = names->order[at];
			n_offered++;
		}
	}
	if (n_offered > SPG_PLACE_SAME_MAX || n_installed > SPG_PLACE_SAME_MAX ||
		n_offered * n_installed > SPG_PLACE_SAME_MAX)
		n_offered = n_installed = 0;
	ret->n_offered = n_offered;
	ret->n_installed = n_installed;
	return at;
}
