/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * How long the loop's turns take: from one wait for something to happen to the next one.
 * Everything waits for a turn to end, so that none may take more than SPG_TURN_NS; the
 * metric spguard_loop_turn_seconds has them all. One that took several times as long of
 * the processor's time is warned of, once a minute at most, with what it did; of a turn
 * that only waited for the processor, the machine is to blame.
 *
 * Loop thread.
 */
#include <uv.h>

#include "common/histogram.h"

#define SPG_TURN_NS      (20 * SPG_NS_PER_MS)
#define SPG_TURN_WARN_NS (5 * SPG_TURN_NS)

struct spg_turns {
	uv_prepare_t prepare;
	int64_t began_ns, processor_ns;
	uint64_t idle_ns;
	struct spg_histogram durations;
	int64_t warned_ns; /* monotonic; 0: never */
	uint64_t n_untold; /* long ones since then */
};

/** Begin, before the loop runs. The handle keeps no loop alive. */
void spg_turns_start(struct spg_turns *turns, uv_loop_t *loop);

/** @turns has to stay until the loop has closed. */
void spg_turns_stop(struct spg_turns *turns);
