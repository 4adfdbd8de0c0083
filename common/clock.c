/* SPDX-License-Identifier: MIT */
#include "common/clock.h"

#include <time.h>

static int64_t read_clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * SPG_NS_PER_S + ts.tv_nsec;
}

int64_t spg_clock_wall_ns(void)
{
	return read_clock_ns(CLOCK_REALTIME);
}

int64_t spg_clock_mono_ns(void)
{
	return read_clock_ns(CLOCK_MONOTONIC);
}
