/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What has stepped aside is not of the product: where a product has all files of its
 * directories ("files = *"), the old file would be one of them under its new name. It is
 * known by its identity, not by its name. Pure.
 */
#include "daemon/install/fit/module_set.h"
#include "daemon/model/install_status.h"

/**
 * @read without the files that stepped aside, as a new reference: to @read when it has
 * none of them. NULL: out of memory.
 */
struct spg_module_set *spg_aside_leave_out(
	struct spg_module_set *read, const struct spg_standing *standing);

/** As spg_aside_leave_out(), and where nobody has written a new file yet, what @known
 * (NULL: nothing) has at the old one's name: to set that step is to change nothing. */
struct spg_module_set *spg_aside_put_back(struct spg_module_set *read,
	const struct spg_standing *standing, const struct spg_module_set *known);
