/* SPDX-License-Identifier: MIT */
/* Maintenance windows out of intervals: edges, clocks that change, gaps. */
#include "daemon/history/maintenance.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/time_text.h"
#include "tests/support/suite.h"

#define HOUR   (3600 * SPG_NS_PER_S)
#define DAY    (24 * HOUR)

/* Europe/Berlin, without a need for the database of time zones. */
#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"

enum { MON, TUE, WED, THU, FRI, SAT, SUN };

static int64_t local(const char *text)
{
	int64_t ns;

	ck_assert_msg(spg_time_parse(text, 0, false, &ns) == 0, "%s", text);
	return ns;
}

static int64_t offset_of_zone(int64_t at_s)
{
	time_t at = at_s;
	struct tm tm;

	ck_assert(localtime_r(&at, &tm) != NULL);
	return tm.tm_gmtoff;
}

static int64_t utc_offset(int64_t at_s)
{
	(void)at_s;
	return 0;
}

static void set_zone(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
}

static struct spg_maintenance *windows(
	const char *since, const char *until, int64_t length)
{
	struct spg_maintenance_question question = {
		local(since), local(until), length, offset_of_zone};
	struct spg_maintenance *w = spg_maintenance_create(&question);

	ck_assert_ptr_nonnull(w);
	return w;
}

static void use(
	struct spg_maintenance *w, const char *from, const char *to, const char *name)
{
	ck_assert_int_eq(spg_maintenance_add_use(w, local(from), local(to), name,
				 name ? "x.service" : NULL),
		0);
}

static void unseen(struct spg_maintenance *w, const char *from, const char *to)
{
	ck_assert_int_eq(spg_maintenance_add_unseen(w, local(from), local(to)), 0);
}

static struct spg_maintenance_result *finish(struct spg_maintenance *w)
{
	static struct spg_maintenance_result result;

	spg_maintenance_finish(w, &result);
	for (int i = 0; i < SPG_MAINTENANCE_SLOTS; i++)
		ck_assert_uint_le(result.slots[i].free + result.slots[i].unseen,
			result.slots[i].of);
	return &result;
}

/* "FREE/OF" of a slot, and "+UNSEEN" if there are such, and who broke it. */
static const char *slot(const struct spg_maintenance_result *result, int day, int hour)
{
	const struct spg_maintenance_count *s = &result->slots[day * 24 + hour];
	static char text[256];
	int n = snprintf(text, sizeof(text), "%u/%u", s->free, s->of);

	if (s->unseen)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "+%u", s->unseen);
	for (size_t i = 0; i < s->n_breakers; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " %s:%u",
			s->breakers[i].name ? s->breakers[i].name : "?",
			s->breakers[i].times);
	return text;
}

/* "SLOT LENGTH FREE/OF; ..." of the best, day and hour as 6:02, in minutes. */
static const char *best(const struct spg_maintenance_result *result)
{
	static char text[1024];
	int n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < result->n_best; i++) {
		const struct spg_maintenance_range *r = &result->best[i];

		n += snprintf(text + n, sizeof(text) - (size_t)n,
			"%s%u:%02u %lldm %u/%u", i ? "; " : "", r->slot / 24,
			r->slot % 24, (long long)r->length_s / 60, r->count.free,
			r->count.of);
	}
	return text;
}

/* A window needs all of [start, start + length), and no more. */
static const struct {
	const char *from, *to;
	const char *one, *two; /* the slots Monday 01:00 and 02:00, for 30 minutes */
} edges[] = {
	{"2026-11-23 01:30", "2026-11-23 02:00", "1/1", "1/1"},
	{"2026-11-23 01:29:59", "2026-11-23 02:00", "0/1 x:1", "1/1"},
	{"2026-11-23 01:30", "2026-11-23 02:00:01", "1/1", "0/1 x:1"},
	{"2026-11-23 02:30", "2026-11-23 02:31", "1/1", "1/1"},
	{"2026-11-23 02:29:59", "2026-11-23 02:31", "1/1", "0/1 x:1"},
	{"2026-11-23 00:59", "2026-11-23 01:00", "1/1", "1/1"},
	{"2026-11-23 00:00", "2026-11-23 04:00", "0/1 x:1", "0/1 x:1"},
	/* No length: it takes its moment. */
	{"2026-11-23 02:00", "2026-11-23 02:00", "1/1", "0/1 x:1"},
	{"2026-11-23 01:30", "2026-11-23 01:30", "1/1", "1/1"},
	/* A clock that went back. */
	{"2026-11-23 02:10", "2026-11-23 01:10", "1/1", "0/1 x:1"},
	/* Outside of the period, on both sides. */
	{"2020-01-01", "2020-01-02", "1/1", "1/1"},
	{"2026-12-24", "2026-12-25", "1/1", "1/1"},
	{"2020-01-01", "2026-12-25", "0/1 x:1", "0/1 x:1"},
};

START_TEST(an_interval_at_a_boundary)
{
	struct spg_maintenance *w;
	struct spg_maintenance_result *result;

	set_zone(BERLIN);
	w = windows("2026-11-23 00:00", "2026-11-23 06:00", HOUR / 2);
	use(w, edges[_i].from, edges[_i].to, "x");
	result = finish(w);
	ck_assert_str_eq(slot(result, MON, 1), edges[_i].one);
	ck_assert_str_eq(slot(result, MON, 2), edges[_i].two);
	/* The last window begins at 05:00: one at 06:00 would reach out. */
	ck_assert_uint_eq(result->slots[5].of, 1);
	ck_assert_uint_eq(result->slots[6].of, 0);
	spg_maintenance_destroy(w);
}
END_TEST

START_TEST(two_weeks)
{
	struct spg_maintenance *w;
	struct spg_maintenance_result *result;

	set_zone(BERLIN);
	w = windows("2026-11-09 00:00", "2026-11-23 01:00", HOUR);
	/* All but Sunday 02:00 to 05:00; on one of two Saturdays also 03:00. */
	use(w, "2026-11-08 00:00", "2026-11-14 03:00", "dsamain.exe");
	use(w, "2026-11-14 04:00", "2026-11-15 02:00", "dsamain.exe");
	use(w, "2026-11-15 05:00", "2026-11-22 02:00", "dsamain.exe");
	use(w, "2026-11-22 05:00", "2026-11-24 00:00", "dsamain.exe");
	use(w, "2026-11-21 03:10", "2026-11-21 03:20", "backup");
	use(w, "2026-11-21 03:40", "2026-11-21 03:50", "backup");
	result = finish(w);
	ck_assert_str_eq(best(result), "6:02 180m 2/2");
	ck_assert_str_eq(slot(result, SUN, 1), "0/2 dsamain.exe:2");
	ck_assert_str_eq(slot(result, SUN, 4), "2/2");
	ck_assert_str_eq(slot(result, SAT, 3), "1/2 dsamain.exe:1 backup:1");
	ck_assert_uint_eq(result->best[0].count.n_breakers, 0);
	ck_assert_str_eq(result->slots[0].breakers[0].unit, "x.service");
	ck_assert_int_eq(result->unseen_ns, 0);
	spg_maintenance_destroy(w);
}
END_TEST

/* Neighbours free in different weeks are not free together. */
START_TEST(neighbours_of_different_weeks)
{
	struct spg_maintenance *w;
	struct spg_maintenance_result *result;

	set_zone(BERLIN);
	w = windows("2026-11-09 00:00", "2026-11-23 01:00", HOUR);
	use(w, "2026-11-09 00:00", "2026-11-15 02:00", "a");
	use(w, "2026-11-15 03:00", "2026-11-22 03:00", "a");
	use(w, "2026-11-22 04:00", "2026-11-23 01:00", "a");
	result = finish(w);
	ck_assert_str_eq(best(result), "6:02 60m 1/2; 6:03 60m 1/2");
	ck_assert_str_eq(result->best[0].count.breakers[0].name, "a");
	ck_assert_uint_eq(result->best[0].count.breakers[0].times, 1);
	spg_maintenance_destroy(w);
}
END_TEST

/* Short windows are one range only if the rest of the hour is free, too. */
START_TEST(the_rest_of_the_hour)
{
	struct spg_maintenance *w;
	struct spg_maintenance_result *result;

	set_zone(BERLIN);
	w = windows("2026-11-23 00:00", "2026-11-24 00:00", HOUR / 2);
	use(w, "2026-11-23 00:00", "2026-11-23 02:00", "a");
	use(w, "2026-11-23 03:40", "2026-11-23 03:50", "b");
	use(w, "2026-11-23 05:00", "2026-11-24 00:00", "a");
	result = finish(w);
	ck_assert_str_eq(best(result), "0:02 90m 1/1; 0:04 60m 1/1");
	spg_maintenance_destroy(w);
}
END_TEST

START_TEST(across_midnight_and_the_week)
{
	struct spg_maintenance *w;
	struct spg_maintenance_result *result;

	set_zone(BERLIN);
	w = windows("2026-11-12 12:00", "2026-11-26 14:00", 2 * HOUR);
	use(w, "2026-11-12 00:00", "2026-11-15 22:00", "a");
	use(w, "2026-11-16 03:30", "2026-11-22 21:30", "a");
	use(w, "2026-11-23 03:00", "2026-11-30 00:00", "a");
	result = finish(w);
	ck_assert_str_eq(best(result), "6:22 300m 2/2");
	spg_maintenance_destroy(w);
}
END_TEST

START_TEST(longer_than_a_day)
{
	struct spg_maintenance *w;
	struct spg_maintenance_result *result;

	set_zone(BERLIN);
	w = windows("2026-11-06 18:00", "2026-11-21 00:00", 30 * HOUR);
	use(w, "2026-11-01 00:00", "2026-11-07 06:00", "a");
	use(w, "2026-11-08 18:00", "2026-11-14 06:00", "a");
	use(w, "2026-11-15 14:00", "2026-11-25 00:00", "b");
	result = finish(w);
	/* Both Saturdays from 06:00, the last start at 08:00; once up to 12:00. */
	ck_assert_str_eq(best(result), "5:06 1920m 2/2");
	ck_assert_str_eq(slot(result, SAT, 8), "2/2");
	ck_assert_str_eq(slot(result, SAT, 9), "1/2 b:1");
	ck_assert_str_eq(slot(result, SAT, 13), "0/2 a:1 b:1");
	spg_maintenance_destroy(w);
}
END_TEST

START_TEST(one_week_and_never)
{
	struct spg_maintenance *w;
	struct spg_maintenance_result *result;

	set_zone(BERLIN);
	w = windows("2026-11-16 00:00", "2026-11-23 00:30", HOUR / 2);
	use(w, "2026-11-16 00:00", "2026-11-24 00:00", NULL);
	result = finish(w);
	ck_assert_uint_eq(result->n_best, 0);
	for (int i = 1; i < SPG_MAINTENANCE_SLOTS; i++)
		ck_assert_str_eq(slot(result, i / 24, i % 24), "0/1 ?:1");
	ck_assert_str_eq(slot(result, MON, 0), "0/2 ?:2");
	spg_maintenance_destroy(w);
}
END_TEST

START_TEST(always)
{
	struct spg_maintenance *w;
	struct spg_maintenance_result *result;

	set_zone(BERLIN);
	w = windows("2026-11-08 15:20", "2026-11-22 16:20", HOUR);
	result = finish(w);
	ck_assert_str_eq(best(result), "6:16 10080m 2/2");
	ck_assert_uint_eq(result->best[0].n_slots, SPG_MAINTENANCE_SLOTS);
	spg_maintenance_destroy(w);
}
END_TEST

START_TEST(a_gap_over_everything)
{
	struct spg_maintenance *w;
	struct spg_maintenance_result *result;

	set_zone(BERLIN);
	w = windows("2026-11-09 00:00", "2026-11-23 00:00", HOUR);
	unseen(w, "2020-01-01", "2026-11-15 00:00");
	unseen(w, "2026-11-14 00:00", "2026-12-01");
	use(w, "2026-11-10 02:00", "2026-11-10 03:00", "a");
	result = finish(w);
	ck_assert_uint_eq(result->n_best, 0);
	ck_assert_str_eq(slot(result, MON, 2), "0/2+2");
	ck_assert_str_eq(slot(result, TUE, 2), "0/2+1 a:1");
	ck_assert_int_eq(result->unseen_ns, 14 * DAY);
	spg_maintenance_destroy(w);
}
END_TEST

START_TEST(a_gap_is_not_free)
{
	struct spg_maintenance *w;
	struct spg_maintenance_result *result;

	set_zone(BERLIN);
	w = windows("2026-11-16 00:00", "2026-11-17 00:00", HOUR);
	unseen(w, "2026-11-16 03:59:59", "2026-11-16 04:00");
	unseen(w, "2026-11-16 10:00", "2026-11-16 10:00:01");
	unseen(w, "2026-11-16 12:00", "2026-11-16 12:00"); /* nothing */
	use(w, "2026-11-16 13:00", "2026-11-16 23:00", "a");
	use(w, "2026-11-16 00:00", "2026-11-16 02:00", "a");
	result = finish(w);
	ck_assert_str_eq(slot(result, MON, 3), "0/1+1");
	ck_assert_str_eq(best(result), "0:04 360m 1/1; 0:11 120m 1/1; 0:02 60m 1/1; "
				       "0:23 60m 1/1");
	ck_assert_int_eq(result->unseen_ns, 2 * SPG_NS_PER_S);
	spg_maintenance_destroy(w);
}
END_TEST

/* On 2026-03-29 there is no 02:00; windows are of real time. */
START_TEST(clocks_go_forward)
{
	struct spg_maintenance *w;
	struct spg_maintenance_result *result;

	set_zone(BERLIN);
	w = windows("2026-03-16 00:00", "2026-03-30 00:00", HOUR);
	use(w, "2026-03-01 00:00", "2026-03-22 00:00", "a");
	use(w, "2026-03-22 05:00", "2026-03-29 00:00", "a");
	use(w, "2026-03-29 05:00", "2026-04-01 00:00", "a");
	result = finish(w);
	ck_assert_uint_eq(result->slots[SUN * 24 + 1].of, 2);
	ck_assert_uint_eq(result->slots[SUN * 24 + 2].of, 1);
	ck_assert_uint_eq(result->slots[SUN * 24 + 3].of, 2);
	ck_assert_str_eq(best(result), "6:00 300m 2/2");
	spg_maintenance_destroy(w);

	/* 01:00 to 04:00 are two hours there. */
	w = windows("2026-03-29 00:00", "2026-03-29 12:00", 2 * HOUR);
	use(w, "2026-03-29 04:00", "2026-03-29 12:00", "a");
	result = finish(w);
	ck_assert_str_eq(slot(result, SUN, 1), "1/1");
	ck_assert_str_eq(slot(result, SUN, 3), "0/1 a:1");
	spg_maintenance_destroy(w);
}
END_TEST

/* On 2026-10-25 02:00 comes twice: at 00:00 and at 01:00 UTC. */
START_TEST(clocks_go_back)
{
	int64_t second = local("2026-10-25T01:00:00Z");
	struct spg_maintenance *w;
	struct spg_maintenance_result *result;

	set_zone(BERLIN);
	w = windows("2026-10-25 00:00", "2026-10-25 12:00", HOUR / 2);
	ck_assert_int_eq(
		spg_maintenance_add_use(w, second, second + HOUR / 4, "a", NULL), 0);
	result = finish(w);
	ck_assert_str_eq(slot(result, SUN, 1), "1/1");
	/* The first one is free, and one range ends with its hour. */
	ck_assert_str_eq(slot(result, SUN, 2), "1/1");
	ck_assert_str_eq(slot(result, SUN, 3), "1/1");
	ck_assert_str_eq(best(result), "6:03 540m 1/1; 6:00 150m 1/1");
	spg_maintenance_destroy(w);
}
END_TEST

/* Half an hour off UTC, with rules of its own for half an hour more. */
START_TEST(odd_zone)
{
	struct spg_maintenance *w;
	struct spg_maintenance_result *result;

	set_zone("LHST-10:30LHDT-11,M10.1.0,M4.1.0");
	w = windows("2026-03-30 00:00", "2026-04-13 01:00", HOUR);
	use(w, "2026-03-01 00:00", "2026-04-07 09:00", "a");
	use(w, "2026-04-07 10:00", "2026-05-01 00:00", "a");
	result = finish(w);
	ck_assert_str_eq(slot(result, TUE, 9), "1/2 a:1");
	for (int i = 1; i < SPG_MAINTENANCE_SLOTS; i++)
		ck_assert_uint_eq(result->slots[i].of, 2);
	spg_maintenance_destroy(w);
}
END_TEST

START_TEST(the_worst_five)
{
	struct spg_maintenance_question question = {0, 15 * DAY, HOUR, utc_offset};
	struct spg_maintenance *w = spg_maintenance_create(&question);
	struct spg_maintenance_result *result;

	/* Six programs on the first Thursday, three of them on the second. */
	for (int i = 0; i < 6; i++) {
		char name[2] = {(char)('a' + i), '\0'};
		int64_t second = i % 2 ? 7 * DAY : 0;

		ck_assert_int_eq(spg_maintenance_add_use(w, 0, 1, name, "one"), 0);
		ck_assert_int_eq(spg_maintenance_add_use(w, second, second + 1, name,
					 i == 1 ? "two" : "one"),
			0);
	}
	result = finish(w);
	ck_assert_str_eq(slot(result, THU, 0), "1/3 b:2 d:2 f:2 a:1 c:1");
	ck_assert_ptr_null(result->slots[THU * 24].breakers[0].unit);
	ck_assert_str_eq(result->slots[THU * 24].breakers[1].unit, "one");
	spg_maintenance_destroy(w);
}
END_TEST

/* Names and gaps without end take bounded memory, and are not forgotten. */
START_TEST(too_many)
{
	struct spg_maintenance_question question = {0, 8 * DAY, HOUR, utc_offset};
	struct spg_maintenance *w = spg_maintenance_create(&question);
	struct spg_maintenance_result *result;
	int64_t n = 3 * SPG_MAINTENANCE_UNSEEN_MAX, step = 7 * DAY / n;

	for (int i = 0; i < 2 * SPG_MAINTENANCE_WHO_MAX; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", i);
		ck_assert_int_eq(spg_maintenance_add_use(w, i < 1000 ? 0 : DAY,
					 i < 1000 ? 1 : DAY + 1, name, NULL),
			0);
	}
	for (int64_t i = 0; i < n; i++)
		ck_assert_int_eq(
			spg_maintenance_add_unseen(w, i * step, i * step + step / 10),
			0);
	result = finish(w);
	ck_assert_str_eq(slot(result, FRI, 0), "0/1 others:1");
	ck_assert_int_ge(result->unseen_ns, n * (step / 10));
	ck_assert_int_le(result->unseen_ns, 7 * DAY);
	/* All of the first seven days is pierced. */
	ck_assert_uint_eq(result->slots[WED * 24 + 23].unseen, 1);
	ck_assert_str_eq(slot(result, THU, 12), "1/2+1");
	spg_maintenance_destroy(w);
}
END_TEST

/* A period too short for any window. */
START_TEST(nothing_to_say)
{
	struct spg_maintenance_question question = {HOUR, HOUR + 10, HOUR, utc_offset};
	struct spg_maintenance *w = spg_maintenance_create(&question);
	struct spg_maintenance_result *result;

	ck_assert_int_eq(spg_maintenance_add_use(w, 0, DAY, "a", NULL), 0);
	ck_assert_int_eq(spg_maintenance_add_unseen(w, 0, DAY), 0);
	result = finish(w);
	ck_assert_uint_eq(result->n_best, 0);
	ck_assert_int_eq(result->unseen_ns, 10);
	spg_maintenance_destroy(w);
	spg_maintenance_destroy(NULL);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("maintenance");

	spg_add_rows(tc, an_interval_at_a_boundary, edges);
	tcase_add_test(tc, two_weeks);
	tcase_add_test(tc, neighbours_of_different_weeks);
	tcase_add_test(tc, the_rest_of_the_hour);
	tcase_add_test(tc, across_midnight_and_the_week);
	tcase_add_test(tc, longer_than_a_day);
	tcase_add_test(tc, one_week_and_never);
	tcase_add_test(tc, always);
	tcase_add_test(tc, a_gap_over_everything);
	tcase_add_test(tc, a_gap_is_not_free);
	tcase_add_test(tc, clocks_go_forward);
	tcase_add_test(tc, clocks_go_back);
	tcase_add_test(tc, odd_zone);
	tcase_add_test(tc, the_worst_five);
	tcase_add_test(tc, too_many);
	tcase_add_test(tc, nothing_to_say);
	return spg_run_suite("maintenance", tc);
}
