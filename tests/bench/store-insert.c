/* SPDX-License-Identifier: MIT */
/*
 * How fast the history takes events, beside plain SQLite with rows of the same
 * width; how wide its rows are; how long questions take. One run, one machine:
 * the ratio is what counts.
 *
 *   bench-store-insert [DIRECTORY [MILLIONS OF ROWS]]
 *
 * Not a test: prints, and fails only when something does not work at all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>
#include <uv.h>

#include "common/clock.h"
#include "daemon/store/records.h"
#include "daemon/store/store.h"

#define N_FILES   100
#define T0        INT64_C(1795312800000000000)
#define STEP_NS   INT64_C(50000)
#define BATCH     8192
#define IN_FLIGHT 30000

struct bench {
	uv_loop_t loop;
	struct spg_store *store;
	struct spg_file *files[N_FILES];
	struct spg_process *process;
	int64_t n;
	bool answered;
	size_t n_found;
};

static void die(const char *what)
{
	fprintf(stderr, "bench-store-insert: %s\n", what);
	exit(1);
}

static void on_flushed(void *user, int err)
{
	struct bench *b = user;

	if (err < 0)
		die("flush failed");
	b->answered = true;
}

static void on_page(void *user, int err, struct spg_store_page *page)
{
	struct bench *b = user;

	if (err < 0)
		die("question failed");
	b->n_found = page->events.n;
	b->answered = true;
}

static void wait_answer(struct bench *b)
{
	while (!b->answered)
		uv_run(&b->loop, UV_RUN_ONCE);
	b->answered = false;
}

/* Files come and go at random; a process makes 20 events. */
static void append_one(struct bench *b, int64_t i, uint32_t *dice)
{
	struct spg_process_info info = {.id = {(int32_t)(i / 20 % 30000 + 2), 1},
		.started_ns = T0 + i,
		.name = "smbd",
		.exe = "/usr/sbin/smbd",
		.user = "root",
		.unit = "smbd.service"};
	struct spg_event *e;

	if (i % 20 == 0) {
		spg_process_unref(b->process);
		b->process = spg_process_create(&info);
	}
	*dice = *dice * 1664525 + 1013904223;
	e = spg_event_create(i % 2 ? SPG_EVENT_CLOSE : SPG_EVENT_OPEN, T0 + i * STEP_NS,
		b->files[*dice >> 16 & 63], b->process);
	if (!e)
		die("out of memory");
	e->id = i + 1;
	e->product = strdup("exchange55");
	spg_store_append(b->store, e);
	spg_event_unref(e);
}

/* Seconds for all rows, to the disk. */
static double run_ours(struct bench *b)
{
	int64_t begin = spg_clock_mono_ns();
	const struct spg_store_query none = {.limit = 1, .until_ns = 1};
	struct spg_store_status status;
	uint32_t dice = 1;

	for (int64_t i = 0; i < b->n; i++) {
		append_one(b, i, &dice);
		/* Two halves of the queue: fill one while the other is written. */
		if (i % IN_FLIGHT == IN_FLIGHT - 1) {
			if (i > IN_FLIGHT)
				wait_answer(b);
			spg_store_query(b->store, &none, on_page, b);
		}
	}
	if (b->n >= IN_FLIGHT)
		wait_answer(b);
	spg_store_flush(b->store, on_flushed, b);
	wait_answer(b);
	spg_store_status(b->store, &status);
	if (status.dropped || status.rows != (uint64_t)b->n)
		die("events were dropped");
	return (double)(spg_clock_mono_ns() - begin) / 1e9;
}

static void exec(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		die(sqlite3_errmsg(db));
}

static double run_plain(const char *path, int64_t n)
{
	int64_t begin = spg_clock_mono_ns();
	sqlite3_stmt *s;
	sqlite3 *db;

	if (sqlite3_open(path, &db) != SQLITE_OK)
		die("cannot open");
	exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
		 "CREATE TABLE events(id INTEGER PRIMARY KEY, at INTEGER, kind INTEGER,"
		 " merged INTEGER, file INTEGER, process INTEGER, product INTEGER,"
		 " pad TEXT)");
	if (sqlite3_prepare_v2(db,
		    "INSERT INTO events VALUES(?, ?, ?, NULL, ?, ?, ?,"
		    " '0123456789')",
		    -1, &s, NULL) != SQLITE_OK)
		die(sqlite3_errmsg(db));
	exec(db, "BEGIN");
	for (int64_t i = 0; i < n; i++) {
		sqlite3_bind_int64(s, 1, i + 1);
		sqlite3_bind_int64(s, 2, T0 + i * STEP_NS);
		sqlite3_bind_int64(s, 3, i % 2);
		sqlite3_bind_int64(s, 4, i % 64 + 1);
		sqlite3_bind_int64(s, 5, i / 20 + 1);
		sqlite3_bind_int64(s, 6, 1);
		if (sqlite3_step(s) != SQLITE_DONE)
			die(sqlite3_errmsg(db));
		sqlite3_reset(s);
		if (i % BATCH == BATCH - 1)
			exec(db, "COMMIT; BEGIN");
	}
	exec(db, "COMMIT");
	sqlite3_finalize(s);
	sqlite3_close(db);
	return (double)(spg_clock_mono_ns() - begin) / 1e9;
}

static void ask(struct bench *b, const char *what, struct spg_store_query query)
{
	double best = 1e9, first = 0;

	query.limit = 200;
	for (int i = 0; i < 5; i++) {
		int64_t begin = spg_clock_mono_ns();
		double ms;

		spg_store_query(b->store, &query, on_page, b);
		wait_answer(b);
		ms = (double)(spg_clock_mono_ns() - begin) / 1e6;
		if (i == 0)
			first = ms;
		if (ms < best)
			best = ms;
	}
	printf("  %-28s %4zu rows  first %8.2f ms  best %8.2f ms\n", what, b->n_found,
		first, best);
}

static void ask_all(struct bench *b)
{
	static const char *const name[] = {"FILE7.dll"}, *const never[] = {"none.dll"};
	int64_t middle = T0 + b->n / 2 * STEP_NS;

	ask(b, "newest", (struct spg_store_query){0});
	ask(b, "a second in the middle",
		(struct spg_store_query){
			.since_ns = middle, .until_ns = middle + SPG_NS_PER_S});
	ask(b, "one file", (struct spg_store_query){.paths = name, .n_paths = 1});
	ask(b, "one file, in the middle",
		(struct spg_store_query){
			.paths = name, .n_paths = 1, .until_ns = middle});
	ask(b, "a file never seen",
		(struct spg_store_query){.paths = never, .n_paths = 1});
	ask(b, "a kind that is not there",
		(struct spg_store_query){.kinds = SPG_EVENT_BIT(SPG_EVENT_GAP)});
	ask(b, "one pid", (struct spg_store_query){.pid = 77});
	ask(b, "a process name", (struct spg_store_query){.process_name = "SMBD"});
	ask(b, "one pid and one file",
		(struct spg_store_query){.pid = 77, .paths = name, .n_paths = 1});
	ask(b, "a product", (struct spg_store_query){.product = "exchange55"});
	ask(b, "a product not there", (struct spg_store_query){.product = "none"});
}

int main(int argc, char **argv)
{
	struct bench b = {.n = 1000000 * (argc > 2 ? atol(argv[2]) : 1)};
	char ours[512], plain[512], *scratch[2] = {ours, plain};
	struct spg_store_config config = {.path = ours};
	struct spg_store_origin origin;
	struct spg_store_status status;
	double seconds_ours, seconds_plain;

	for (int i = 0; i < 2; i++)
		snprintf(scratch[i], 512, "%s/spg-bench-%ld-%d.db",
			argc > 1 ? argv[1] : "/tmp", (long)getpid(), i);
	for (int i = 0; i < N_FILES; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/srv/exchsrvr/bin/file%d.dll", i);
		b.files[i] =
			spg_file_create(path, (struct spg_file_id){1, (uint64_t)i});
	}
	uv_loop_init(&b.loop);
	seconds_plain = run_plain(plain, b.n);
	if (spg_store_start(&b.store, &b.loop, &config, &origin) < 0)
		die("cannot start");
	spg_store_records_destroy(origin.records);
	seconds_ours = run_ours(&b);
	spg_store_status(b.store, &status);
	printf("plain SQLite %.0f rows/s, history %.0f rows/s: %.0f %%; %.1f bytes a "
	       "row\n",
		(double)b.n / seconds_plain, (double)b.n / seconds_ours,
		100 * seconds_plain / seconds_ours, (double)status.bytes / (double)b.n);
	ask_all(&b);
	spg_store_stop(b.store, 1000, NULL, NULL);
	uv_run(&b.loop, UV_RUN_DEFAULT);
	spg_process_unref(b.process);
	for (int i = 0; i < N_FILES; i++)
		spg_file_unref(b.files[i]);
	for (int i = 0; i < 2; i++) {
		char lock[600];

		unlink(scratch[i]);
		snprintf(lock, sizeof(lock), "%s.lock", scratch[i]);
		unlink(lock);
	}
	return uv_loop_close(&b.loop) == 0 ? 0 : 1;
}
