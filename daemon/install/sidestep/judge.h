/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Whether a step aside would help and harm nothing, by what a survey found. Pure.
 * Each returns true, or false with the reason and what to do instead in @why; with
 * true @why may have a word of caution.
 */
#include <stdbool.h>

#include "common/buf.h"
#include "daemon/install/fit/expected.h"
#include "daemon/model/observation.h"
#include "daemon/model/sidestep.h"

/** Fills in record->file. @expected: the payload, NULL when none is known. */
bool spg_sidestep_may_apply(struct spg_sidestep *record,
	const struct spg_observation *obs, const struct spg_expected *expected,
	struct spg_buf *why);

bool spg_sidestep_may_undo(const struct spg_sidestep *record,
	const struct spg_observation *obs, struct spg_buf *why);

bool spg_sidestep_may_clean(const struct spg_sidestep *record,
	const struct spg_observation *obs, struct spg_buf *why);
