/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A verdict in words: the reasons, and what to do next. Part of verdict.c,
 * which calls it once the states are known. Pure.
 */
#include "daemon/model/name_set.h"
#include "daemon/model/verdict.h"

/** True when @lack takes away a verdict of safe about @asked (NULL: about the
 * product's own files). In verdict.c. */
bool spg_lack_counts(const struct spg_observation *obs, const struct spg_lack *lack,
	const struct spg_name_set *asked);

/** Append who shows old versions of the files, though they have been replaced. Returns 0
 * or SPG_ERR_NOMEM. */
int spg_verdict_tell_shown(const struct spg_observation *obs, struct spg_notes *notes);

/** Fill in ->reasons and ->next; what is beyond SPG_NOTES_MAX is summed up in a last
 * one. Returns 0 or SPG_ERR_NOMEM. */
int spg_verdict_explain(const struct spg_observation *obs,
	const struct spg_name_set *asked, const struct spg_standing *standing,
	struct spg_verdict *verdict);
