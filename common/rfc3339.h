/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Times as text: RFC 3339, as they stand in JSON. Pure functions; any thread.
 *
 * Wall time is integer nanoseconds since 1970-01-01 UTC (common/clock.h).
 */
#include <stdint.h>

/* Room for any text of spg_rfc3339_format(), its '\0' included. */
#define SPG_RFC3339_SIZE 31

/**
 * Write @ns as UTC: "2026-11-22T13:00:00.123456Z". The fraction has as many
 * digits as it needs, at most nine, and is absent when it is zero, so that
 * spg_rfc3339_parse() gives back the same number.
 */
void spg_rfc3339_format(int64_t ns, char ret[static SPG_RFC3339_SIZE]);

/**
 * Read @text, which is a whole RFC 3339 date and time and nothing else: with
 * 'T' between them, seconds, and 'Z' or a numeric offset. Digits after the
 * ninth of a fraction are dropped; second 60 is the first of the next minute.
 *
 * Returns 0; SPG_ERR_INVALID when it breaks the format, names a day that does
 * not exist, or lies outside of 1677-09-22..2262-04-10; then @ret is untouched.
 */
int spg_rfc3339_parse(const char *text, int64_t *ret);
