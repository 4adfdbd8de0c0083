/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Times and durations as people write and read them. The form of times in
 * JSON is common/rfc3339.h.
 *
 * A point in time is integer nanoseconds since 1970-01-01 UTC; years 1970 to
 * 2261. "Local" means the zone of the process (TZ). Thread-safe as far as
 * localtime_r(3) and mktime(3) are: nobody changes TZ while they run.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for every text that a function here writes, with its '\0'. */
#define SPG_TIME_TEXT_BYTES 64

/**
 * Read a duration: a number and its unit, ms s m h d, or several in a row
 * ("90s", "1h30m"). No sign, no blanks, no number without a unit.
 *
 * Returns 0 and sets @ret_ns; SPG_ERR_INVALID, also beyond 100 years.
 */
int spg_duration_parse(const char *text, int64_t *ret_ns);

/**
 * Write a duration to two figures that matter: "212 µs", "40 ms", "1.2 s",
 * "3m 20s", "4h 10m", "3d 4h". UTF-8 (the µ). A negative one counts as 0.
 */
void spg_duration_format(int64_t ns, char ret[SPG_TIME_TEXT_BYTES]);

/**
 * Read a point in time:
 *
 *   2026-11-22T13:00:00.123Z     RFC 3339, with Z or an offset
 *   2026-11-22 13:00[:00]+01:00  the same less strictly, as date(1) writes it: with a
 *                                blank, without seconds, with a comma, +0100
 *   Sun, 22 Nov 2026 13:00:00 +0100
 *                                RFC 5322, as "date -R" does
 *   2026-11-22 [13:00[:00]]      in the local zone (midnight without a time);
 *                                'T' may stand for the blank
 *   today [13:00[:00]], yesterday [..], 13:00[:00]
 *   -2h                          a duration before now
 *   now
 *
 * @now_ns  what "now" is, UTC
 * @utc     the zone is UTC where the text names none; else local
 *
 * Returns 0 and sets @ret_ns; SPG_ERR_INVALID.
 */
int spg_time_parse(const char *text, int64_t now_ns, bool utc, int64_t *ret_ns);

enum spg_time_style {
	SPG_TIME_CLOCK,    /* 13:00:00 */
	SPG_TIME_CLOCK_MS, /* 13:00:00.123 */
	SPG_TIME_DATE,     /* 2026-11-22 */
	SPG_TIME_MINUTE,   /* 2026-11-22 13:00 */
	SPG_TIME_SHORT,    /* Nov 22 13:00 */
	SPG_TIME_FULL,     /* 2026-11-22 13:00:00 */
	SPG_TIME_FULL_MS,  /* 2026-11-22 13:00:00.123 */
};

/** Write @ns in local time, or with @utc in UTC and a 'Z' behind the clock. */
void spg_time_format(
	int64_t ns, enum spg_time_style style, bool utc, char ret[SPG_TIME_TEXT_BYTES]);

/** True when both lie on one calendar day of the zone. */
bool spg_time_same_day(int64_t a_ns, int64_t b_ns, bool utc);
