/* SPDX-License-Identifier: MIT */
/* Times and durations as people write them. */
#include "common/time_text.h"

#include <check.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/rfc3339.h"
#include "tests/support/suite.h"

static const struct {
	const char *text;
	int64_t ns; /* -1: invalid */
} durations[] = {
	{"90s", 90 * SPG_NS_PER_S},
	{"30m", 1800 * SPG_NS_PER_S},
	{"2h", 7200 * SPG_NS_PER_S},
	{"1d", 86400 * SPG_NS_PER_S},
	{"250ms", 250 * SPG_NS_PER_MS},
	{"1h30m", 5400 * SPG_NS_PER_S},
	{"1m500ms", 60 * SPG_NS_PER_S + 500 * SPG_NS_PER_MS},
	{"0s", 0},
	{"36525d", INT64_C(36525) * 86400 * SPG_NS_PER_S},
	{"", -1},
	{"90", -1},
	{"s", -1},
	{"-1s", -1},
	{"+1s", -1},
	{" 1s", -1},
	{"1s ", -1},
	{"1 s", -1},
	{"1x", -1},
	{"1.5h", -1},
	{"36526d", -1},
	{"36525d1s", -1},
	{"99999999999999999999s", -1},
	{"1S", -1},
};

START_TEST(duration)
{
	int64_t ns = -1;
	int r = spg_duration_parse(durations[_i].text, &ns);

	ck_assert_int_eq(r, durations[_i].ns < 0 ? SPG_ERR_INVALID : 0);
	ck_assert_int_eq(ns, durations[_i].ns);
}
END_TEST

static const struct {
	int64_t ns;
	const char *text;
} written_durations[] = {
	{-1, "0 µs"},
	{0, "0 µs"},
	{212000, "212 µs"},
	{999999, "999 µs"},
	{1000000, "1.0 ms"},
	{9990000, "9.9 ms"},
	{40 * SPG_NS_PER_MS, "40 ms"},
	{999 * SPG_NS_PER_MS, "999 ms"},
	{1250 * SPG_NS_PER_MS, "1.2 s"},
	{59 * SPG_NS_PER_S, "59 s"},
	{200 * SPG_NS_PER_S, "3m 20s"},
	{15000 * SPG_NS_PER_S, "4h 10m"},
	{273600 * SPG_NS_PER_S, "3d 4h"},
};

START_TEST(write_duration)
{
	char text[SPG_TIME_TEXT_BYTES];

	spg_duration_format(written_durations[_i].ns, text);
	ck_assert_str_eq(text, written_durations[_i].text);
}
END_TEST

/* Local time of all that follows: an hour ahead of UTC, two in summer. */
#define ZONE "CET-1CEST,M3.5.0,M10.5.0/3"
/* Sunday, 12:00 UTC, 13:00 local. */
#define NOW  "2026-11-22T12:00:00Z"

static void set_zone(void)
{
	setenv("TZ", ZONE, 1);
	tzset();
}

static int64_t ns_of(const char *rfc3339)
{
	int64_t ns = 0;

	ck_assert_int_eq(spg_rfc3339_parse(rfc3339, &ns), 0);
	return ns;
}

static const struct {
	const char *text;
	bool utc;
	const char *means; /* NULL: invalid */
} times[] = {
	{"2026-11-22T13:00:00Z", false, "2026-11-22T13:00:00Z"},
	{"2026-11-22T13:00:00.123456789+01:00", false,
		"2026-11-22T12:00:00.123456789Z"},
	{"now", false, NOW}, {"-2h", false, "2026-11-22T10:00:00Z"},
	{"-1d12h", false, "2026-11-21T00:00:00Z"},
	{"today", false, "2026-11-21T23:00:00Z"},
	{"today", true, "2026-11-22T00:00:00Z"},
	{"today 02:00", false, "2026-11-22T01:00:00Z"},
	{"yesterday", false, "2026-11-20T23:00:00Z"},
	{"yesterday 02:00", false, "2026-11-21T01:00:00Z"},
	{"yesterday 02:00:30", true, "2026-11-21T02:00:30Z"}, {"13:00", false, NOW},
	{"13:00:30.5", false, "2026-11-22T12:00:30.5Z"},
	{"13:00", true, "2026-11-22T13:00:00Z"},
	{"23:59", false, "2026-11-22T22:59:00Z"},      /* in the future, still today */
	{"2026-07-01", false, "2026-06-30T22:00:00Z"}, /* summer time */
	{"2026-07-01 12:00", false, "2026-07-01T10:00:00Z"},
	{"2026-07-01T12:00", false, "2026-07-01T10:00:00Z"},
	{"2026-07-01 12:00:01", true, "2026-07-01T12:00:01Z"},
	/* As date(1) writes it: -Iseconds, -Iminutes, -Ins, --rfc-3339=seconds, -R,
	 * +%FT%T%z. */
	{"2026-11-22T14:00:00+02:00", false, NOW},
	{"2026-11-22T12:00:00+00:00", false, NOW},
	{"2026-11-22T13:00+01:00", true, NOW}, {"2026-11-22T12:00Z", false, NOW},
	{"2026-11-22T13:00:00,500000000+01:00", true, "2026-11-22T12:00:00.5Z"},
	{"2026-11-22 14:00:00+02:00", false, NOW}, {"2026-11-22 12:00:00Z", false, NOW},
	{"2026-11-22 07:00:00.25-0500", false, "2026-11-22T12:00:00.25Z"},
	{"2026-11-22T17:30:00+0530", false, NOW},
	{"2026-11-22 13:00:00 +01", true, NOW},
	{"Sun, 22 Nov 2026 13:00:00 +0100", true, NOW},
	{"Sun, 1 Nov 2026 00:00:00 +0000", true, "2026-11-01T00:00:00Z"},
	{"2026-11-22+01:00", false, NULL}, {"13:00+01:00", false, NULL},
	{"today 13:00Z", false, NULL}, {"2026-11-22 13:00+25:00", false, NULL},
	{"2026-11-22 13:00+1", false, NULL}, {"2026-11-22 13:00+01:", false, NULL},
	{"2026-11-22 13:00+01:00x", false, NULL}, {"2026-11-22 13:00Z ", false, NULL},
	{"Sun, 22 Nov 2026", false, NULL},
	{"Sun, 31 Nov 2026 13:00:00 +0100", false, NULL},
	{"22 Nov 2026 13:00:00 +0100", false, NULL},
	{"1970-01-01 00:30+01:00", true, NULL},
	{"2028-02-29", true, "2028-02-29T00:00:00Z"}, {"", false, NULL},
	{"tomorrow", false, NULL}, {"todayx", false, NULL}, {"today13:00", false, NULL},
	{"now 13:00", false, NULL}, {"today 25:00", false, NULL},
	{"24:00", false, NULL}, {"13:60", false, NULL}, {"1:00", false, NULL},
	{"13", false, NULL}, {"13:00 ", false, NULL}, {"13:00x", false, NULL},
	{"2026-02-29", false, NULL}, {"2026-13-01", false, NULL},
	{"2026-11-31", false, NULL}, {"2026-11-22T", false, NULL},
	{"2026-11-22x13:00", false, NULL}, {"1969-12-31", false, NULL},
	{"1970-01-01", false, NULL}, /* local midnight lies before 1970 UTC */
	{"9999-01-01", false, NULL}, {"-", false, NULL}, {"-2", false, NULL},
	{"--2h", false, NULL}, {"-36525d", false, NULL}, /* before 1970 */
};

START_TEST(point_in_time)
{
	int64_t ns = -1;
	int r;

	set_zone();
	r = spg_time_parse(times[_i].text, ns_of(NOW), times[_i].utc, &ns);
	if (!times[_i].means) {
		ck_assert_int_eq(r, SPG_ERR_INVALID);
		return;
	}
	ck_assert_int_eq(r, 0);
	ck_assert_int_eq(ns, ns_of(times[_i].means));
}
END_TEST

/* The day before a change of the clocks has 24 hours, the day itself 23 or 25. */
START_TEST(change_of_clocks)
{
	int64_t ns;

	set_zone();
	ck_assert_int_eq(spg_time_parse("yesterday 12:00",
				 ns_of("2026-10-25T12:00:00Z"), false, &ns),
		0);
	ck_assert_int_eq(ns, ns_of("2026-10-24T10:00:00Z"));
	ck_assert_int_eq(
		spg_time_parse("today", ns_of("2026-10-25T12:00:00Z"), false, &ns), 0);
	ck_assert_int_eq(ns, ns_of("2026-10-24T22:00:00Z"));
}
END_TEST

static const struct {
	enum spg_time_style style;
	bool utc;
	const char *text;
} styles[] = {
	{SPG_TIME_CLOCK, false, "13:00:00"},
	{SPG_TIME_CLOCK, true, "12:00:00Z"},
	{SPG_TIME_CLOCK_MS, false, "13:00:00.045"},
	{SPG_TIME_CLOCK_MS, true, "12:00:00.045Z"},
	{SPG_TIME_DATE, false, "2026-11-22"},
	{SPG_TIME_DATE, true, "2026-11-22"},
	{SPG_TIME_MINUTE, false, "2026-11-22 13:00"},
	{SPG_TIME_MINUTE, true, "2026-11-22 12:00Z"},
	{SPG_TIME_SHORT, false, "Nov 22 13:00"},
	{SPG_TIME_SHORT, true, "Nov 22 12:00Z"},
	{SPG_TIME_FULL, false, "2026-11-22 13:00:00"},
	{SPG_TIME_FULL_MS, true, "2026-11-22 12:00:00.045Z"},
};

START_TEST(write_time)
{
	char text[SPG_TIME_TEXT_BYTES];

	set_zone();
	spg_time_format(ns_of("2026-11-22T12:00:00.0459Z"), styles[_i].style,
		styles[_i].utc, text);
	ck_assert_str_eq(text, styles[_i].text);
}
END_TEST

START_TEST(same_day)
{
	int64_t a = ns_of("2026-11-22T22:59:59Z"), b = ns_of("2026-11-22T23:00:00Z");

	set_zone();
	ck_assert(spg_time_same_day(a, b, true));
	ck_assert(!spg_time_same_day(a, b, false));
	ck_assert(!spg_time_same_day(ns_of("2025-11-22T12:00:00Z"), a, true));
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("time_text");

	spg_add_rows(tc, duration, durations);
	spg_add_rows(tc, write_duration, written_durations);
	spg_add_rows(tc, point_in_time, times);
	tcase_add_test(tc, change_of_clocks);
	spg_add_rows(tc, write_time, styles);
	tcase_add_test(tc, same_day);
	return spg_run_suite("time_text", tc);
}
