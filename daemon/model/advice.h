/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The steps that end whoever is in the way: which command, worded as a step of the answer.
 * An advice never makes a verdict better; judge.h decides without it. Pure.
 */
#include "daemon/model/note.h"
#include "daemon/model/observation.h"

/**
 * Append how to make @process let go of its files, which it uses by @how (a set of
 * spg_use_how; 0 unknown). What it was doing when @obs was made says which signal ends
 * it, and whether somebody starts it again. Returns 0 or SPG_ERR_NOMEM.
 */
int spg_advise_stop(const struct spg_observation *obs,
	const struct spg_process *process, unsigned how, struct spg_notes *next);

/** Append how to make @keeper let go of its file. Returns 0 or SPG_ERR_NOMEM. */
int spg_advise_keeper(const struct spg_observation *obs,
	const struct spg_seen_keeper *keeper, struct spg_notes *next);

/** Append how to restart @process, and @why, in words. Returns 0 or SPG_ERR_NOMEM. */
int spg_advise_restart(
	const struct spg_process *process, const char *why, struct spg_notes *next);
