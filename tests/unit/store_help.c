/* SPDX-License-Identifier: MIT */
#include "tests/unit/store_help.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "common/err.h"
#include "daemon/store/records.h"

void setup(struct fixture *f, const char *base)
{
	struct spg_process_info info = {
		.id = {2113, 4711},
		.started_ns = T0 - S,
		.ppid = 1,
		.uid = 0,
		.name = "perfmon",
		.exe = "/usr/bin/perfmon",
		.cmdline = "perfmon --remote",
		.user = "root",
		.unit = "perfmon.service",
	};

	memset(f, 0, sizeof(*f));
	snprintf(f->dir, sizeof(f->dir), "%s/spg-store-XXXXXX", base ? base : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/history.db", f->dir);
	ck_assert_int_eq(uv_loop_init(&f->loop), 0);
	f->config.path = f->path;
	f->config.batch_ms = 1;
	f->process = spg_process_create(&info);
	ck_assert_ptr_nonnull(f->process);
}

int try_start(struct fixture *f)
{
	int r = spg_store_start(&f->store, &f->loop, &f->config, &f->origin);

	if (r < 0)
		return r;
	f->next_id = f->origin.last_event_id + 1;
	spg_store_records_destroy(f->origin.records);
	f->origin.records = NULL;
	return r;
}

void start(struct fixture *f)
{
	ck_assert_int_eq(try_start(f), 0);
}

static void on_closed(void *user)
{
	*(bool *)user = true;
}

void stop(struct fixture *f)
{
	bool closed = false;

	spg_store_stop(f->store, 2000, on_closed, &closed);
	f->store = NULL;
	uv_run(&f->loop, UV_RUN_DEFAULT);
	ck_assert(closed);
}

static void remove_directory(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[512];

	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		unlink(path);
	}
	if (d)
		closedir(d);
	rmdir(dir);
}

void teardown(struct fixture *f)
{
	if (f->store)
		stop(f);
	ck_assert_int_eq(uv_loop_close(&f->loop), 0);
	spg_process_unref(f->process);
	remove_directory(f->dir);
}

struct spg_event *event(
	struct fixture *f, enum spg_event_kind kind, int64_t at_ns, const char *path)
{
	struct spg_file *file = NULL;
	struct spg_event *e;

	if (path) {
		file = spg_file_create(path, (struct spg_file_id){7, strlen(path)});
		ck_assert_ptr_nonnull(file);
	}
	e = spg_event_create(kind, at_ns, file, path ? f->process : NULL);
	ck_assert_ptr_nonnull(e);
	spg_file_unref(file);
	e->id = f->next_id++;
	return e;
}

void append(struct fixture *f, struct spg_event *e)
{
	spg_store_append(f->store, e);
	spg_event_unref(e);
}

struct answer {
	bool done;
	int err;
	struct spg_store_page page;
};

static void on_flushed(void *user, int err)
{
	struct answer *a = user;

	a->done = true;
	a->err = err;
}

static void on_page(void *user, int err, struct spg_store_page *page)
{
	struct answer *a = user;

	a->done = true;
	a->err = err;
	ck_assert_int_eq(page != NULL, err == 0);
	if (page) {
		a->page = *page;
		page->events = (struct spg_event_list)SPG_EVENT_LIST_NULL;
	}
}

int flush(struct fixture *f)
{
	struct answer a = {0};

	spg_store_flush(f->store, on_flushed, &a);
	ck_assert(!a.done);
	while (!a.done)
		uv_run(&f->loop, UV_RUN_ONCE);
	return a.err;
}

int query(
	struct fixture *f, const struct spg_store_query *q, struct spg_store_page *page)
{
	struct answer a = {0};

	spg_store_query(f->store, q, on_page, &a);
	ck_assert(!a.done);
	while (!a.done)
		uv_run(&f->loop, UV_RUN_ONCE);
	*page = a.page;
	return a.err;
}

void query_all(struct fixture *f, struct spg_store_page *page)
{
	ck_assert_int_eq(
		query(f, &(struct spg_store_query){.limit = SPG_STORE_PAGE_MAX}, page),
		0);
}

const char *ask_sql(const struct fixture *f, const char *sql)
{
	static char text[4096];
	sqlite3 *db;
	sqlite3_stmt *s;
	const unsigned char *found;

	text[0] = '\0';
	ck_assert_int_eq(
		sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK, "%s: %s",
		sql, sqlite3_errmsg(db));
	if (sqlite3_step(s) == SQLITE_ROW && (found = sqlite3_column_text(s, 0)))
		snprintf(text, sizeof(text), "%s", (const char *)found);
	sqlite3_finalize(s);
	sqlite3_close(db);
	return text;
}

int count_files(const struct fixture *f, const char *part)
{
	DIR *d = opendir(f->dir);
	struct dirent *e;
	int n = 0;

	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d)))
		n += strstr(e->d_name, part) != NULL;
	closedir(d);
	return n;
}

int count_gaps(const struct spg_store_page *page, enum spg_gap_reason reason,
	uint64_t *ret_count)
{
	int n = 0;

	*ret_count = 0;
	for (size_t i = 0; i < page->events.n; i++) {
		const struct spg_event *e = page->events.events[i];

		if (e->kind != SPG_EVENT_GAP || e->gap.reason != reason)
			continue;
		n++;
		*ret_count += e->gap.count;
	}
	return n;
}

void run_sql(const char *path, const char *sql)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}
