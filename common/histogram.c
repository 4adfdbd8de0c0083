/* SPDX-License-Identifier: MIT */
#include "common/histogram.h"

#include "common/clock.h"

#define US INT64_C(1000)
#define MS (1000 * US)

/* From a proof that finds nothing to one of ten thousand files in tier procfs. */
static const struct {
	const char *text;
	int64_t ns;
} bounds[SPG_HISTOGRAM_BUCKETS] = {
	{"0.0001", 100 * US},
	{"0.00025", 250 * US},
	{"0.0005", 500 * US},
	{"0.001", MS},
	{"0.0025", 2500 * US},
	{"0.005", 5 * MS},
	{"0.01", 10 * MS},
	{"0.025", 25 * MS},
	{"0.05", 50 * MS},
	{"0.1", 100 * MS},
	{"0.25", 250 * MS},
	{"0.5", 500 * MS},
	{"1.0", SPG_NS_PER_S},
	{"2.5", 2500 * MS},
	{"10.0", 10 * SPG_NS_PER_S},
};

const char *spg_histogram_bound(size_t index)
{
	return bounds[index].text;
}

void spg_histogram_add(struct spg_histogram *histogram, int64_t took_ns)
{
	if (took_ns < 0)
		took_ns = 0;
	histogram->n++;
	histogram->sum_ns += (uint64_t)took_ns;
	for (size_t i = 0; i < SPG_HISTOGRAM_BUCKETS; i++) {
		if (took_ns <= bounds[i].ns) {
			histogram->counts[i]++;
			break;
		}
	}
}
