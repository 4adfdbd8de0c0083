/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Opens and closes: Windows tells nobody of them, so a thread of its own looks now and then
 * who uses the files that the last full surveys found, and what differs from the reading
 * before is an event. Whoever opens and closes a file between two readings is not seen; a
 * survey looks for itself. It takes a tenth of one processor at most.
 */
#include <uv.h>

#include "daemon/model/observation.h"
#include "daemon/watch/watch.h"
#include "daemon/watch/windows/tools.h"

struct spg_win_readings;

/** Start the thread. @tools gives ->proofs, @listener hears of the events on the loop thread;
 * both are borrowed. Loop thread. Returns 0; SPG_ERR_NOMEM; or SPG_ERR_IO. */
int spg_win_readings_start(struct spg_win_readings **ret, uv_loop_t *loop,
	const struct spg_win_tools *tools, const struct spg_watch_listener *listener);

/** From now on look at the files of @obs, a full survey, in place of those of its product
 * before. Any thread. Returns 0 or SPG_ERR_NOMEM. */
int spg_win_readings_take(
	struct spg_win_readings *readings, const struct spg_observation *obs);

/** Forget the files of all other products than these. Loop thread. */
void spg_win_readings_keep(struct spg_win_readings *readings,
	struct spg_product *const *products, size_t n);

/** End the thread, free @readings, then @on_closed. Takes NULL. Blocks until the reading
 * under way has been called off. */
void spg_win_readings_stop(
	struct spg_win_readings *readings, void (*on_closed)(void *user), void *user);
