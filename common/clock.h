/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The two clocks. Thread-safe.
 *
 * Wall time is integer nanoseconds since 1970-01-01 UTC and is what is stored
 * and shown; monotonic time is for deadlines and durations only and never
 * leaves the process.
 */
#include <stdint.h>

#define SPG_NS_PER_S  INT64_C(1000000000)
#define SPG_NS_PER_MS INT64_C(1000000)

/** Nanoseconds UTC. */
int64_t spg_clock_wall_ns(void);

/** Nanoseconds since an arbitrary start; never goes back. */
int64_t spg_clock_mono_ns(void);
