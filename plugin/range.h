/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Ranges of the Monitoring Plugins Development Guidelines ("Threshold and
 * Ranges"): [@][start:][end], both ends belong to the range.
 *
 *   10       alert outside of 0..10      ~:10    above 10
 *   10:      below 10                    10:20   outside of 10..20
 *   @10:20   inside of 10..20
 *
 * Plain data and functions, any thread.
 */
#include <stdbool.h>

struct spg_range {
	const char *text; /* as it was given, borrowed; NULL: none was */
	double start, end;
	bool alert_inside; /* @ */
};

#define SPG_RANGE_NULL                                                                 \
	{                                                                              \
		NULL, 0, 0, false                                                      \
	}

/**
 * Read @text, which is borrowed for as long as @ret is used. Numbers are decimal,
 * with a sign and a fraction if need be, and nothing else.
 *
 * Returns 0; SPG_ERR_INVALID for what is no range, or one whose start is behind its
 * end, and then @ret is untouched.
 */
int spg_range_parse(const char *text, struct spg_range *ret);

/** True when @value is to be told; never for a range that was not given. */
bool spg_range_alerts(const struct spg_range *range, double value);

/** @range for performance data: as it was given, else empty. */
const char *spg_range_text(const struct spg_range *range);
