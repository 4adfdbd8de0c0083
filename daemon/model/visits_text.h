/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What is remembered of users (struct spg_seen_past) in words. Part of a verdict; pure.
 */
#include "daemon/model/verdict.h"

/** Remark in @verdict who comes back and who is started all the time, of the files that
 * are asked about (NULL: all), and say how to end whoever has started somebody who is in
 * the way. Returns 0 or SPG_ERR_NOMEM. */
int spg_visits_explain(const struct spg_observation *obs,
	const struct spg_name_set *asked, struct spg_verdict *verdict);

/** Append who opened the file @seen of @obs last, if that is known, and how to end it. The
 * same. */
int spg_visits_explain_hidden(
	const struct spg_observation *obs, size_t seen, struct spg_verdict *verdict);

/** Append how to end those who start the users that @verdict remarks on. The same. */
int spg_visits_advise(const struct spg_observation *obs, struct spg_verdict *verdict);
