/* SPDX-License-Identifier: MIT */
/* Uses and locks as intervals, asked for as with a SQLite shell. */
#include "daemon/store/store.h"

#include <check.h>
#include <stdio.h>

#include "tests/support/suite.h"
#include "tests/unit/store_help.h"

#define DLL "/srv/exchsrvr/bin/Mdbperf.dll"

static void append_use(struct fixture *f, enum spg_event_kind kind, int64_t at_ns,
	int64_t interval, unsigned how)
{
	struct spg_event *e = event(f, kind, at_ns, DLL);

	e->interval = interval;
	e->how = how;
	e->since_ns = kind == SPG_EVENT_USE_END ? T0 : 0;
	append(f, e);
}

/* The one line that schema.c promises to whoever has a SQLite shell. */
#define WHO_HAD                                                                        \
	"SELECT group_concat(process || ' ' || pid || ' ' || user || ' ' || how || ' " \
	"'"                                                                            \
	" || since || ' ' || coalesce(until, '-'), ';') FROM file_uses"                \
	" WHERE name = 'mdbperf.dll' AND since <= '%s'"                                \
	" AND coalesce(until, '9') >= '%s'"

static const char *who_had(struct fixture *f, const char *from, const char *to)
{
	char sql[512];

	snprintf(sql, sizeof(sql), WHO_HAD, to, from);
	return ask_sql(f, sql);
}

START_TEST(uses_answer_who_had_it)
{
	static const char first[] =
		"perfmon 2113 root mapped 2026-11-22T02:00:00.000000Z "
		"2026-11-22T02:10:00.500000Z";
	static const char both[] =
		"perfmon 2113 root mapped 2026-11-22T02:00:00.000000Z "
		"2026-11-22T02:10:00.500000Z;perfmon 2113 root "
		"open,write 2026-11-22T02:10:00.500000Z -";
	struct fixture f;

	setup(&f, NULL);
	start(&f);
	append_use(&f, SPG_EVENT_USE_BEGIN, T0, 1, SPG_USE_MAPPED);
	append_use(&f, SPG_EVENT_USE_END, T0 + 600 * S + S / 2, 1, SPG_USE_MAPPED);
	append_use(&f, SPG_EVENT_USE_BEGIN, T0 + 600 * S + S / 2, 2, SPG_USE_OPEN);
	append_use(
		&f, SPG_EVENT_USE_BEGIN, T0 + 601 * S, 2, SPG_USE_OPEN | SPG_USE_WRITE);
	ck_assert_int_eq(flush(&f), 0);
	ck_assert_str_eq(who_had(&f, "2026-11-22T02:05", "2026-11-22T02:06"), first);
	ck_assert_str_eq(who_had(&f, "2026-11-22T02:05", "2026-11-22T03"), both);
	ck_assert_str_eq(who_had(&f, "2026-11-22T01", "2026-11-22T01:59"), "");
	ck_assert_str_eq(
		ask_sql(&f, "SELECT path || exe || unit || cmdline || until_ns "
			    "FROM file_uses WHERE until IS NOT NULL"),
		DLL "/usr/bin/perfmonperfmon.serviceperfmon --remote"
		    "1795313400500000000");
	teardown(&f);
}
END_TEST

/* Also an end whose begin went missing makes a whole interval. */
START_TEST(lock_intervals)
{
	struct fixture f;
	struct spg_event *e;

	setup(&f, NULL);
	start(&f);
	e = event(&f, SPG_EVENT_LOCK_WAIT, T0, DLL);
	e->interval = 7;
	e->lock = (struct spg_event_lock){SPG_LOCK_POSIX, SPG_LOCK_WRITE, 0, 99};
	append(&f, e);
	e = event(&f, SPG_EVENT_UNLOCK, T0 + 9 * S, DLL);
	e->interval = 8;
	e->since_ns = T0 + 2 * S;
	e->lock =
		(struct spg_event_lock){SPG_LOCK_FLOCK, SPG_LOCK_READ, 0, SPG_LOCK_EOF};
	append(&f, e);
	ck_assert_int_eq(flush(&f), 0);
	ck_assert_str_eq(
		ask_sql(&f, "SELECT kind || mode || start || end || state || since || "
			    "(until IS NULL) FROM file_locks WHERE end IS NOT NULL"),
		"posixwrite099waiting2026-11-22T02:00:00.000000Z1");
	ck_assert_str_eq(
		ask_sql(&f, "SELECT kind || mode || state || since || until FROM "
			    "file_locks WHERE end IS NULL"),
		"flockreadheld2026-11-22T02:00:02.000000Z2026-11-22T02:00:09.000000Z");
	e = event(&f, SPG_EVENT_UNLOCK, T0 + 20 * S, DLL);
	e->interval = 7;
	append(&f, e);
	ck_assert_int_eq(flush(&f), 0);
	ck_assert_str_eq(
		ask_sql(&f, "SELECT until FROM file_locks WHERE kind = 'posix'"),
		"2026-11-22T02:00:20.000000Z");
	teardown(&f);
}
END_TEST

START_TEST(open_intervals_are_cut_at_start)
{
	struct fixture f;

	setup(&f, NULL);
	start(&f);
	append_use(&f, SPG_EVENT_USE_BEGIN, T0, 1, SPG_USE_OPEN);
	stop(&f);
	start(&f);
	ck_assert_str_eq(
		ask_sql(&f, "SELECT cut || (until_ns > since_ns) FROM file_uses"),
		"11");
	teardown(&f);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("store-intervals");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, uses_answer_who_had_it);
	tcase_add_test(tc, lock_intervals);
	tcase_add_test(tc, open_intervals_are_cut_at_start);
	return spg_run_suite("store-intervals", tc);
}
