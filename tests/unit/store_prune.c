/* SPDX-License-Identifier: MIT */
/* Retention, and migration; on the database itself, without the thread. */
#include "daemon/store/database.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "tests/support/suite.h"
#include "tests/unit/store_help.h"

#define DLL "/srv/exchsrvr/bin/Mdbperf.dll"

static void open_db(struct fixture *f, struct spg_db *db)
{
	struct spg_store_origin origin;
	char aside[80];

	memset(db, 0, sizeof(*db));
	db->path = strdup(f->path);
	ck_assert_ptr_nonnull(db->path);
	ck_assert_int_eq(spg_db_lock(db), 0);
	ck_assert_int_eq(spg_db_open(db, &origin, aside, sizeof(aside)), 0);
	f->next_id = origin.last_event_id + 1;
}

/* @n events, a second apart from T0, each thousand by a process and on a file
 * of its own. */
static void fill(struct fixture *f, struct spg_db *db, int n)
{
	struct spg_process *usual = f->process;

	ck_assert_int_eq(spg_db_begin(db, false), 0);
	for (int i = 0; i < n; i++) {
		struct spg_event *e;
		char text[64];

		snprintf(text, sizeof(text), "/srv/bin/file%d.dll", i / 1000);
		if (i % 1000 == 0) {
			struct spg_process_info info = {
				.id = {i / 1000 + 1, 1}, .name = "x", .exe = text};

			if (f->process != usual)
				spg_process_unref(f->process);
			f->process = spg_process_create(&info);
			ck_assert_ptr_nonnull(f->process);
		}
		e = event(f, i % 10 == 9 ? SPG_EVENT_USE_END : SPG_EVENT_OPEN,
			T0 + i * S, text);
		if (e->kind == SPG_EVENT_USE_END) {
			e->interval = i;
			e->since_ns = e->at_ns - S;
		}
		ck_assert_int_eq(spg_db_append(db, e), 0);
		spg_event_unref(e);
	}
	if (f->process != usual)
		spg_process_unref(f->process);
	f->process = usual;
	ck_assert_int_eq(spg_db_commit(db, T0 + n * S), 0);
}

static int prune(struct spg_db *db, int64_t now_ns, int64_t age_ns, uint64_t bytes)
{
	int slices = 0, r;

	spg_prune_begin(db, now_ns, age_ns, bytes);
	while ((r = spg_prune_slice(db, now_ns)) == SPG_PRUNE_MORE)
		slices++;
	ck_assert_int_eq(r, 0);
	return slices;
}

static long number(struct fixture *f, const char *sql)
{
	return atol(ask_sql(f, sql));
}

/* Nothing refers to a row that is not there, and nothing is there for nobody. */
static void assert_sound(struct fixture *f)
{
	ck_assert_int_eq(number(f, "SELECT count(*) FROM events WHERE file NOT IN "
				   "(SELECT id FROM files) OR process NOT IN "
				   "(SELECT id FROM processes)"),
		0);
	ck_assert_int_eq(number(f, "SELECT count(*) FROM details WHERE event NOT IN "
				   "(SELECT id FROM events)"),
		0);
	ck_assert_int_eq(number(f, "SELECT count(*) FROM files WHERE path NOT IN "
				   "(SELECT id FROM texts)"),
		0);
	ck_assert_int_eq(
		number(f, "SELECT count(*) FROM (SELECT file * 4, id >> 9 FROM "
			  "events UNION SELECT process * 4 + 1, id >> 9 FROM "
			  "events EXCEPT SELECT subject, block FROM "
			  "event_blocks)"),
		0);
	ck_assert_int_eq(number(f, "SELECT count(*) FROM (SELECT subject, block FROM "
				   "event_blocks EXCEPT SELECT file * 4, id >> 9 FROM "
				   "events EXCEPT SELECT process * 4 + 1, id >> 9 FROM "
				   "events EXCEPT SELECT fold * 4 + 3, events.id >> 9 "
				   "FROM events JOIN processes p ON p.id = process)"),
		0);
	ck_assert_int_eq(number(f, "SELECT count(*) FROM (SELECT id >> 9, min(at) FROM "
				   "events GROUP BY 1 EXCEPT SELECT id, min_at FROM "
				   "blocks)"),
		0);
	ck_assert_str_eq(ask_sql(f, "PRAGMA integrity_check"), "ok");
}

START_TEST(by_age)
{
	struct fixture f;
	struct spg_db db;

	setup(&f, NULL);
	open_db(&f, &db);
	fill(&f, &db, 10000);
	ck_assert_int_eq(prune(&db, T0 + 10000 * S, 20000 * S, 0), 0);
	ck_assert_int_eq(db.now.rows, 10000);
	/* A cut in the midst of a block. */
	ck_assert_int_gt(prune(&db, T0 + 10000 * S, 2500 * S, 0), 2);
	ck_assert_int_eq(db.now.rows, 2500);
	ck_assert_int_eq(db.now.oldest_ns, T0 + 7500 * S);
	ck_assert_int_eq(number(&f, "SELECT count(*) FROM events"), 2500);
	ck_assert_int_eq(number(&f, "SELECT min(id) FROM events"), 7501);
	ck_assert_int_eq(number(&f, "SELECT count(*) FROM uses"), 250);
	ck_assert_int_eq(number(&f, "SELECT count(*) FROM processes"), 3);
	ck_assert_int_eq(number(&f, "SELECT count(*) FROM files"), 3);
	assert_sound(&f);
	/* What is written next finds its file and process again. */
	fill(&f, &db, 1000);
	assert_sound(&f);
	/* All goes, also the newest block; numbers go on. */
	prune(&db, T0 + 100000 * S, S, 0);
	ck_assert_int_eq(db.now.rows, 0);
	ck_assert_int_eq(db.now.oldest_ns, 0);
	ck_assert_int_eq(number(&f, "SELECT count(*) FROM texts"), 0);
	ck_assert_int_eq(number(&f, "SELECT count(*) FROM event_blocks"), 0);
	ck_assert_int_eq(db.now.last_id, 11000);
	spg_db_finish(&db);
	open_db(&f, &db);
	ck_assert_int_eq(f.next_id, 11001);
	spg_db_finish(&db);
	teardown(&f);
}
END_TEST

START_TEST(by_size)
{
	struct fixture f;
	struct spg_db db;
	const uint64_t limit = 512 * 1024;

	setup(&f, NULL);
	open_db(&f, &db);
	fill(&f, &db, 40000);
	ck_assert_int_gt(
		number(&f, "SELECT page_count * 4096 FROM pragma_page_count()"),
		(long)limit * 2);
	prune(&db, T0, 0, limit);
	ck_assert_int_le(
		number(&f, "SELECT page_count * 4096 FROM pragma_page_count()"),
		(long)limit);
	/* The newest stay, as many as fit. */
	ck_assert_int_eq(number(&f, "SELECT max(id) FROM events"), 40000);
	ck_assert_int_gt(db.now.rows, 1000);
	ck_assert_int_lt(db.now.rows, 30000);
	ck_assert_int_eq(db.now.rows, number(&f, "SELECT count(*) FROM events"));
	ck_assert_int_eq(db.now.rows, 40001 - number(&f, "SELECT min(id) FROM events"));
	ck_assert_int_le(number(&f, "SELECT count(*) FROM uses"), db.now.rows / 10 + 1);
	assert_sound(&f);
	spg_db_finish(&db);
	teardown(&f);
}
END_TEST

/* An interval that lasts stays, with its file and process, however old. */
START_TEST(open_uses_stay)
{
	struct fixture f;
	struct spg_db db;
	struct spg_event *e;

	setup(&f, NULL);
	open_db(&f, &db);
	e = event(&f, SPG_EVENT_USE_BEGIN, T0, DLL);
	e->interval = 1;
	e->how = SPG_USE_MAPPED;
	ck_assert_int_eq(spg_db_begin(&db, false), 0);
	ck_assert_int_eq(spg_db_append(&db, e), 0);
	ck_assert_int_eq(spg_db_commit(&db, T0), 0);
	spg_event_unref(e);
	prune(&db, T0 + 100 * S, S, 0);
	ck_assert_int_eq(db.now.rows, 0);
	ck_assert_str_eq(ask_sql(&f, "SELECT path || process || exe FROM file_uses"),
		DLL "perfmon/usr/bin/perfmon");
	spg_db_finish(&db);
	teardown(&f);
}
END_TEST

/* Through the front door: a new limit takes effect while the store runs. */
START_TEST(while_running)
{
	struct fixture f;
	struct spg_store_status status;
	int64_t now = spg_clock_wall_ns();

	setup(&f, NULL);
	start(&f);
	for (int i = 0; i < 3000; i++)
		append(&f, event(&f, SPG_EVENT_OPEN, now - (i < 2000 ? 7200 : 0) * S,
				   DLL));
	ck_assert_int_eq(flush(&f), 0);
	spg_store_set_retention(f.store, 3600 * S, 0);
	do {
		ck_assert_int_eq(flush(&f), 0);
		spg_store_status(f.store, &status);
	} while (status.rows > 1000);
	ck_assert_uint_eq(status.rows, 1000);
	ck_assert_int_eq(status.oldest_ns, now);
	teardown(&f);
}
END_TEST

static const struct spg_schema_step scripted_steps[] = {
	{"CREATE TABLE log(n); INSERT INTO log VALUES(1);"},
	{"INSERT INTO log SELECT max(n) + 1 FROM log;"},
	{"INSERT INTO log SELECT max(n) * 10 FROM log;"},
	{"INSERT INTO nowhere VALUES(1);"},
};

static int migrate(const struct fixture *f, int version)
{
	struct spg_db db = {.path = (char *)f->path, .lock_fd = -1};
	int r;

	ck_assert_int_eq(sqlite3_open(f->path, &db.sql), SQLITE_OK);
	/* Views are made anew with each migration and need their tables. */
	r = spg_schema_migrate(&db, scripted_steps, version);
	sqlite3_close(db.sql);
	return r;
}

/* Steps run once, in order, from the version that the file has; a step that
 * fails leaves the file as it was. */
START_TEST(migrations_in_order)
{
	struct fixture f;

	setup(&f, NULL);
	ck_assert_int_eq(migrate(&f, 1), 0);
	ck_assert_str_eq(ask_sql(&f, "PRAGMA user_version"), "1");
	ask_sql(&f, "PRAGMA application_id = 1397770084");
	ck_assert_int_eq(migrate(&f, 3), 0);
	ck_assert_str_eq(ask_sql(&f, "SELECT group_concat(n) FROM log"), "1,2,20");
	ck_assert_str_eq(ask_sql(&f, "PRAGMA user_version"), "3");
	ck_assert_int_eq(migrate(&f, 3), 0);
	ck_assert_str_eq(ask_sql(&f, "SELECT group_concat(n) FROM log"), "1,2,20");
	ck_assert_int_lt(migrate(&f, 4), 0);
	ck_assert_str_eq(ask_sql(&f, "PRAGMA user_version"), "3");
	ck_assert_int_eq(migrate(&f, 2), SPG_ERR_UNSUPPORTED);
	ck_assert_str_eq(ask_sql(&f, "SELECT group_concat(n) FROM log"), "1,2,20");
	teardown(&f);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("store-prune");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, by_age);
	tcase_add_test(tc, by_size);
	tcase_add_test(tc, open_uses_stay);
	tcase_add_test(tc, while_running);
	tcase_add_test(tc, migrations_in_order);
	return spg_run_suite("store-prune", tc);
}
