/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What is installed, across a restart: what the database keeps of a set of files, and
 * what of that can be compared with what the next start finds. Pure.
 */
#include <stdbool.h>

#include "daemon/install/fit/module_set.h"
#include "daemon/model/installed.h"
#include "daemon/model/product.h"

/**
 * What has changed in product @name from @kept, which the database has (NULL: it has
 * nothing, or nothing that counts), to @now; @ret may be without files. A file that cannot
 * be read now is as it was. @scope: spg_baseline_scope(). NULL: out of memory.
 */
struct spg_installed *spg_baseline_change(const char *name, const char *scope,
	const struct spg_module_set *kept, const struct spg_module_set *now);

/** The files of @installed, of which no more is known than it has. NULL: out of memory. */
struct spg_module_set *spg_baseline_set(const struct spg_installed *installed);

/** Which files @product means, as text. NULL: out of memory. The caller frees it. */
char *spg_baseline_scope(const struct spg_product *product);

/** False: a directory of @product that had files in @then has none in @now. It may be where
 * a filesystem is still to be mounted. */
bool spg_baseline_is_comparable(const struct spg_product *product,
	const struct spg_module_set *then, const struct spg_module_set *now);
