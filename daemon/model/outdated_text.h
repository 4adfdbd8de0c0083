/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Who still runs what has been replaced, in words: the services and processes that use old
 * versions of a product's files, and how each comes to the new ones. Part of a verdict,
 * which it does not change; pure.
 */
#include "daemon/model/verdict.h"

#define SPG_OUTDATED_USES_MAX 4096 /* uses of old versions that are looked at */

/** Append a remark for each service, and each process that is of none, that uses an old
 * version of a file that is asked about by one of the names @asked (NULL: all). Returns 0
 * or SPG_ERR_NOMEM. */
int spg_outdated_explain(const struct spg_observation *obs,
	const struct spg_name_set *asked, struct spg_verdict *verdict);
