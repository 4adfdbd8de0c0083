/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A verdict in words: the reasons, and what to do next. Part of judge.c,
 * which calls it once the states are known. Pure.
 */
#include "daemon/model/install_status.h"
#include "daemon/model/verdict.h"

/** Append who shows old versions of the files, though they have been replaced. Returns 0
 * or SPG_ERR_NOMEM. */
int spg_verdict_tell_shown(const struct spg_observation *obs, struct spg_notes *notes);

/** Fill in ->reasons and ->next; what is beyond SPG_NOTES_MAX is summed up in a last
 * one. Returns 0 or SPG_ERR_NOMEM. */
int spg_verdict_explain(const struct spg_observation *obs,
	const struct spg_name_set *asked, const struct spg_standing *standing,
	struct spg_verdict *verdict);

/** Turn @verdict about @obs into unknown, since files changed while it was proved. Returns
 * 0 or SPG_ERR_NOMEM, and the verdict is unknown in any case. */
int spg_verdict_make_unknown(
	const struct spg_observation *obs, struct spg_verdict *verdict);

/** Turn @verdict, which is safe, into attention, since the files have been free for
 * @free_ns only and not for @settle_ns. Returns 0 or SPG_ERR_NOMEM, and the verdict is
 * attention in any case. */
int spg_verdict_make_unsettled(const struct spg_observation *obs,
	struct spg_verdict *verdict, int64_t free_ns, int64_t settle_ns);
