/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * How long something takes: a cumulative histogram as Prometheus and OpenMetrics
 * want it. Plain data, one thread at a time.
 */
#include <stddef.h>
#include <stdint.h>

#define SPG_HISTOGRAM_BUCKETS 15

struct spg_histogram {
	uint64_t counts[SPG_HISTOGRAM_BUCKETS]; /* not cumulative */
	uint64_t n;                             /* observations, also the longer ones */
	uint64_t sum_ns;
};

/** The upper bound of bucket @index, inclusive, in seconds, as text: "0.0001". */
const char *spg_histogram_bound(size_t index);

/** Take in one observation; a negative one counts as 0. */
void spg_histogram_add(struct spg_histogram *histogram, int64_t took_ns);
