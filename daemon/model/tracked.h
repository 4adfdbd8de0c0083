/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The uses and locks of one product over time: what the last survey found,
 * compared with what the next one finds, becomes intervals with a beginning
 * and an end. Part of the model; loop thread.
 */
#include "daemon/model/intervals.h"

/**
 * Bring @tracked up to what @obs found and append an event per change; fills
 * in since_ns of the uses and locks of @obs. Only what @obs looked at is
 * compared: everything (SPG_SURVEY_FULL), its files, or only locks.
 * Returns 0 or SPG_ERR_NOMEM: then @tracked is as before, and @changes may
 * have events of an update that did not happen, which the caller drops.
 */
int spg_tracked_update(struct spg_tracked *tracked, struct spg_observation *obs,
	const struct spg_tracking *tracking);

/** End every interval at tracking->now_ns. Returns 0 or SPG_ERR_NOMEM. */
int spg_tracked_end_all(
	struct spg_tracked *tracked, const struct spg_tracking *tracking);
