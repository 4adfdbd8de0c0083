/* SPDX-License-Identifier: MIT */
#include "daemon/install/places.h"

#include <stdlib.h>

#include "common/err.h"

const char **spg_places_directories(const struct spg_product *product)
{
	const char **paths = calloc(product->n_directories + 1, sizeof(*paths));

	for (size_t i = 0; paths && i < product->n_directories; i++)
		paths[i] = product->directories[i].path;
	return paths;
}

int spg_places_make_of(struct spg_expected_places *ret,
	const struct spg_product *product, const struct spg_expected *expected,
	const char *const *paths, size_t n)
{
	const char **directories = spg_places_directories(product);
	int r = SPG_ERR_NOMEM;

	*ret = (struct spg_expected_places)SPG_EXPECTED_PLACES_NULL;
	if (directories)
		r = spg_expected_place(ret, expected, paths, n,
			&(struct spg_expected_scope){directories,
				product->n_directories, !product->recursive});
	free(directories);
	return r;
}

int spg_places_make(struct spg_expected_places *ret, const struct spg_product *product,
	const struct spg_expected *expected, const struct spg_module_set *set)
{
	const char **paths = calloc(set->n + 1, sizeof(*paths));
	int r = SPG_ERR_NOMEM;

	*ret = (struct spg_expected_places)SPG_EXPECTED_PLACES_NULL;
	for (size_t i = 0; paths && i < set->n; i++)
		paths[i] = set->modules[i]->path;
	if (paths)
		r = spg_places_make_of(ret, product, expected, paths, set->n);
	free(paths);
	return r;
}
