/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * From what a survey found to an answer: safe, attention, blocked or unknown,
 * and for each file why. Pure: no clock, no IO, no state; any thread.
 *
 * The rules, in order:
 *   - a file that anybody uses is blocked, except by processes that setup
 *     stops by itself and by the daemon;
 *   - busy with no visible owner is blocked too, by "something that no process
 *     shows";
 *   - what keeps an old version without having the file open blocks it where that
 *     matters for the way in which setup replaces it (product.h, enum
 *     spg_replacement), and as an old version;
 *   - held only by processes that setup stops, it does not block; but if other
 *     holders, or sharers of what those have open, could not be ruled out, it is
 *     unknown;
 *   - what setup cannot replace although nobody uses it (obstacle.h) is blocked;
 *   - what could not be looked at is unknown;
 *   - any blocked file: blocked. Else any unknown, any blinding lack, or no
 *     file at all: unknown;
 *   - then what installs have left (install_status.h): while one runs, blocked; what
 *     would be safe is attention when the set is mixed or a file was stepped
 *     aside and the step is not finished. Else safe.
 * An old version that was stepped aside does not block: its name is free. A held
 * file that looks like what the payload brings does: it was read at another moment,
 * and who holds it can change it.
 */
#include "daemon/model/install_status.h"
#include "daemon/model/verdict.h"

/**
 * Judge @obs, a full survey. @standing may be NULL: nothing. @ret borrows from
 * @obs, which must outlive it, and is untouched on failure. Returns 0 or
 * SPG_ERR_NOMEM.
 */
int spg_verdict_judge(const struct spg_observation *obs,
	const struct spg_selection *selection, const struct spg_standing *standing,
	struct spg_verdict *ret);
