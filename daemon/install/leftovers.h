/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Finding what installers have left beside the files of a product (unfinished.h): the
 * product's patterns need not match the names that dpkg, rpm and rsync give such files.
 * One folder a step. Background thread.
 */
#include <stddef.h>

#include "common/texts.h"
#include "daemon/model/product.h"

/* More of them are not read: an installer that was ended once leaves no more. */
#define SPG_LEFTOVERS_MAX 1000

struct spg_leftovers {
	const struct spg_product *product; /* borrowed */
	struct spg_texts
		folders; /* that have files of the product; sorted, each once */
	size_t at;
	struct spg_texts paths; /* found so far */
};

/** Of @product, in the folders of its @n files at @paths. Returns 0 or SPG_ERR_NOMEM. */
int spg_leftovers_begin(struct spg_leftovers *leftovers,
	const struct spg_product *product, const char *const *paths, size_t n);

/** List one folder. One that cannot be listed has none. Returns 1: there is more to list;
 * 0: ->paths has them all, sorted; SPG_ERR_NOMEM. */
int spg_leftovers_step(struct spg_leftovers *leftovers);

void spg_leftovers_finish(struct spg_leftovers *leftovers);
