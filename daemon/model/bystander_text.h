/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Bystanders (struct spg_bystander) in words. Part of a verdict, which they do not
 * change; pure.
 */
#include "daemon/model/verdict.h"

/** Append a remark for each that matters to who asks about the names @asked (NULL: all).
 * Returns 0 or SPG_ERR_NOMEM. */
int spg_bystanders_explain(const struct spg_observation *obs,
	const struct spg_name_set *asked, struct spg_verdict *verdict);
