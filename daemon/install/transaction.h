/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a package manager has done: the packages of an install, and of which package each of
 * its files is. Pure.
 */
#include "daemon/model/install.h"
#include "daemon/model/package.h"
#include "daemon/model/product.h"

/**
 * Note in @install of @product what has changed from @before (NULL: not known) to @after:
 * the packages that have, or had, files of the product and another version now; and those
 * whose files of it were changed. Once the files are known. Returns 0 or SPG_ERR_NOMEM.
 */
int spg_transaction_note(struct spg_install *install, const struct spg_product *product,
	const struct spg_packages *before, const struct spg_packages *after);
