/* SPDX-License-Identifier: MIT */
#include "daemon/model/name_set.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"

static int order_exact(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int order_folded(const void *a, const void *b)
{
	return spg_name_compare(*(const char *const *)a, *(const char *const *)b, true);
}

int spg_name_set_init(
	struct spg_name_set *set, char *const *names, size_t n, bool ignore_case)
{
	const char **sorted = calloc(n + 1, sizeof(*sorted));

	if (!sorted)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < n; i++)
		sorted[i] = names[i];
	qsort(sorted, n, sizeof(*sorted), ignore_case ? order_folded : order_exact);
	*set = (struct spg_name_set){sorted, n, ignore_case};
	return 0;
}

void spg_name_set_finish(struct spg_name_set *set)
{
	free(set->sorted);
	*set = (struct spg_name_set)SPG_NAME_SET_NULL;
}

bool spg_name_set_has(const struct spg_name_set *set, const char *name)
{
	return set->n > 0 && bsearch(&name, set->sorted, set->n, sizeof(*set->sorted),
				     set->ignore_case ? order_folded : order_exact);
}

bool spg_name_set_has_path(const struct spg_name_set *set, const char *path)
{
	return spg_name_set_has(set, path) ||
	       spg_name_set_has(set, spg_path_base(path));
}

bool spg_name_set_any_below(const struct spg_name_set *set, const char *dir)
{
	size_t n_dir = strlen(dir);

	for (size_t i = 0; i < set->n; i++) {
		const char *name = set->sorted[i];
		size_t n = spg_name_begin(
			name, strlen(name), dir, n_dir, set->ignore_case);

		if (n != SIZE_MAX && name[n] == '/')
			return true;
	}
	return false;
}
