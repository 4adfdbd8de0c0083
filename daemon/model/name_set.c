/* SPDX-License-Identifier: MIT */
#include "daemon/model/name_set.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"
#include "common/text.h"

/* spg_name_equal() folds ASCII only; the order has to agree with it. */
static int fold(char c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : (unsigned char)c;
}

static int compare_folded(const char *a, const char *b)
{
	for (;; a++, b++) {
		int ca = fold(*a), cb = fold(*b);

		if (ca != cb || !ca)
			return ca - cb;
	}
}

static int order_exact(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int order_folded(const void *a, const void *b)
{
	return compare_folded(*(const char *const *)a, *(const char *const *)b);
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
	for (size_t i = 0; i < set->n; i++) {
		const char *name = set->sorted[i], *at = dir;

		while (*at &&
			(set->ignore_case ? fold(*at) == fold(*name) : *at == *name)) {
			at++;
			name++;
		}
		if (!*at && *name == '/')
			return true;
	}
	return false;
}
