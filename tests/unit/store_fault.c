/* SPDX-License-Identifier: MIT */
/* The history when the disk or the file does not do its part. */
#include "daemon/store/store.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "common/err.h"
#include "daemon/store/records.h"
#include "tests/support/suite.h"
#include "tests/unit/store_help.h"
#include "tests/unit/store_vfs.h"

#define DLL "/srv/exchsrvr/bin/Mdbperf.dll"

static void append_opens(struct fixture *f, int n)
{
	for (int i = 0; i < n; i++)
		append(f, event(f, SPG_EVENT_OPEN, T0 + i * S, DLL));
}

/* Rows that are no gaps, plus what the gaps count. */
static uint64_t accounted(struct fixture *f)
{
	struct spg_store_page page;
	uint64_t sum = 0;

	query_all(f, &page);
	for (size_t i = 0; i < page.events.n; i++) {
		const struct spg_event *e = page.events.events[i];

		sum += e->kind == SPG_EVENT_GAP ? e->gap.count : 1;
		if (i > 0)
			ck_assert_int_gt(e->id, page.events.events[i - 1]->id);
	}
	spg_event_list_finish(&page.events);
	return sum;
}

/* Fail the nth write or sync of a whole life of the daemon, for every n there
 * is: nothing is lost without being counted, nothing is taken for damage. */
static void survive(enum fault fault, int nth, bool *ret_reached)
{
	struct fixture f;
	uint64_t appended = 0;
	int r;

	setup(&f, NULL);
	start(&f);
	append_opens(&f, 10);
	appended += 10;
	ck_assert_int_eq(flush(&f), 0);
	stop(&f);

	vfs_fail(fault, nth, 0);
	r = try_start(&f);
	if (r == 0) {
		append_opens(&f, 20);
		flush(&f);
		append_opens(&f, 20);
		appended += 40;
		flush(&f);
		stop(&f);
	} else {
		ck_assert(r == SPG_ERR_FULL || r == SPG_ERR_IO);
	}
	*ret_reached = vfs_count() >= nth;
	vfs_fail(FAULT_NONE, 0, 0);

	start(&f);
	ck_assert_int_eq(count_files(&f, "damaged"), 0);
	ck_assert_uint_eq(accounted(&f), appended);
	ck_assert_str_eq(ask_sql(&f, "PRAGMA integrity_check"), "ok");
	teardown(&f);
}

START_TEST(nth_write_fails)
{
	bool reached = true;
	int nth = 1;

	for (; reached; nth++)
		survive(_i ? FAULT_IO : FAULT_FULL, nth, &reached);
	ck_assert_int_gt(nth, 10);
}
END_TEST

/* Another program that has the database for itself, as a shell does that was left in a
 * transaction. */
static sqlite3 *lock_database(const struct fixture *f)
{
	sqlite3 *other = NULL;

	ck_assert_int_eq(sqlite3_open(f->path, &other), SQLITE_OK);
	sqlite3_busy_timeout(other, 10000);
	ck_assert_int_eq(
		sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
	return other;
}

static void on_done(void *user, int err)
{
	*(int *)user = err;
}

static void run_until(struct fixture *f, const int *done)
{
	while (*done == 1)
		uv_run(&f->loop, UV_RUN_ONCE);
}

/* Who asks whether all is on disk is answered in time; nothing is lost. */
START_TEST(locked_database)
{
	struct fixture f;
	struct spg_store_status status;
	struct spg_store_page page;
	struct spg_install *install = spg_install_create(1, "app", T0);
	sqlite3 *other;
	int installed = 1;
	uint64_t lost;

	setup(&f, NULL);
	f.config.patience_ms = 100;
	start(&f);
	append_opens(&f, 10);
	ck_assert_int_eq(flush(&f), 0);
	other = lock_database(&f);
	append_opens(&f, 20000);
	spg_store_put_install(f.store, install, on_done, &installed);
	ck_assert_int_eq(flush(&f), SPG_ERR_BUSY);
	spg_store_status(f.store, &status);
	ck_assert(status.faulty && !status.stopped);
	ck_assert_int_eq(status.fault, SPG_STORE_FAULT_LOCKED);
	ck_assert_ptr_nonnull(strstr(status.why, "another program"));
	ck_assert_uint_eq(status.queue_rows, 20000);
	ck_assert_int_eq(installed, 1);
	/* From now on at once; and what is there can be asked for. */
	ck_assert_int_eq(flush(&f), SPG_ERR_BUSY);
	ck_assert_uint_eq(accounted(&f), 10);
	append_opens(&f, 5);
	ck_assert_int_eq(sqlite3_close(other), SQLITE_OK);

	run_until(&f, &installed);
	ck_assert_int_eq(installed, 0);
	ck_assert_int_eq(flush(&f), 0);
	spg_store_status(f.store, &status);
	ck_assert(!status.faulty && !status.stopped);
	ck_assert_str_eq(status.why, "");
	ck_assert_uint_eq(status.dropped, 0);
	ck_assert_uint_eq(status.queue_rows, 0);
	ck_assert_str_eq(ask_sql(&f, "SELECT count(*) FROM events"), "20015");
	ck_assert_str_eq(ask_sql(&f, "SELECT count(*) FROM installs"), "1");
	query_all(&f, &page);
	ck_assert_int_eq(count_gaps(&page, SPG_GAP_STORE, &lost), 0);
	spg_event_list_finish(&page.events);
	spg_install_unref(install);
	teardown(&f);
}
END_TEST

/* A flush that was asked for while the lock lasts is answered when it is over. */
START_TEST(locked_for_a_moment)
{
	struct fixture f;
	sqlite3 *other;
	int flushed = 1;

	setup(&f, NULL);
	start(&f);
	other = lock_database(&f);
	append_opens(&f, 10);
	spg_store_flush(f.store, on_done, &flushed);
	ck_assert_int_eq(sqlite3_close(other), SQLITE_OK);
	run_until(&f, &flushed);
	ck_assert_int_eq(flushed, 0);
	ck_assert_str_eq(ask_sql(&f, "SELECT count(*) FROM events"), "10");
	teardown(&f);
}
END_TEST

/* More than the queue takes: what is too much is counted, with the cause. */
START_TEST(locked_for_too_long)
{
	struct fixture f;
	struct spg_store_page page;
	struct spg_store_status status;
	sqlite3 *other;
	uint64_t lost = 0;

	setup(&f, NULL);
	f.config.patience_ms = 100;
	f.config.queue_max = 100;
	start(&f);
	other = lock_database(&f);
	append_opens(&f, 1000);
	ck_assert_int_eq(flush(&f), SPG_ERR_BUSY);
	append_opens(&f, 1000);
	ck_assert_int_eq(sqlite3_close(other), SQLITE_OK);
	ck_assert_int_eq(flush(&f), 0);
	spg_store_status(f.store, &status);
	ck_assert_uint_ge(status.dropped, 2000 - 2 * 100);
	query_all(&f, &page);
	ck_assert_int_ge(count_gaps(&page, SPG_GAP_STORE, &lost), 1);
	ck_assert_uint_ge(lost, 1);
	spg_event_list_finish(&page.events);
	ck_assert_uint_eq(accounted(&f), 2000);
	teardown(&f);
}
END_TEST

/* The disk is full when the other program lets go: what was kept is counted. */
START_TEST(locked_and_then_full)
{
	struct fixture f;
	struct spg_store_page page;
	struct spg_store_status status;
	sqlite3 *other;
	uint64_t lost;

	setup(&f, NULL);
	f.config.patience_ms = 100;
	start(&f);
	other = lock_database(&f);
	append_opens(&f, 10);
	ck_assert_int_eq(flush(&f), SPG_ERR_BUSY);
	vfs_fail(FAULT_FULL, 1, 1);
	ck_assert_int_eq(sqlite3_close(other), SQLITE_OK);
	ck_assert_int_eq(flush(&f), SPG_ERR_FULL);
	spg_store_status(f.store, &status);
	ck_assert(status.stopped);
	ck_assert_int_eq(status.fault, SPG_STORE_FAULT_FULL);
	vfs_fail(FAULT_NONE, 0, 0);
	(void)flush(&f);
	append_opens(&f, 3);
	ck_assert_int_eq(flush(&f), 0);
	query_all(&f, &page);
	ck_assert_int_eq(count_gaps(&page, SPG_GAP_STORE, &lost), 1);
	ck_assert_uint_eq(lost, 10);
	spg_event_list_finish(&page.events);
	ck_assert_uint_eq(accounted(&f), 13);
	teardown(&f);
}
END_TEST

/* A stop waits for it in its time, and says what it had to leave. */
START_TEST(locked_at_the_stop)
{
	struct fixture f;
	sqlite3 *other;

	setup(&f, NULL);
	f.config.patience_ms = 100;
	start(&f);
	other = lock_database(&f);
	append_opens(&f, 30);
	ck_assert_int_eq(flush(&f), SPG_ERR_BUSY);
	if (_i == 0)
		ck_assert_int_eq(sqlite3_close(other), SQLITE_OK);
	append_opens(&f, 30);
	stop(&f);
	if (_i == 1)
		ck_assert_int_eq(sqlite3_close(other), SQLITE_OK);
	start(&f);
	ck_assert_str_eq(
		ask_sql(&f, "SELECT count(*) FROM events"), _i == 0 ? "60" : "0");
	teardown(&f);
}
END_TEST

/* A disk that stays full: stopped, counted, answered; then it goes on. */
START_TEST(full_disk)
{
	struct fixture f;
	struct spg_store_page page;
	struct spg_store_status status;
	struct spg_event *e;
	uint64_t lost;

	setup(&f, NULL);
	start(&f);
	append_opens(&f, 10);
	e = event(&f, SPG_EVENT_USE_BEGIN, T0, DLL);
	e->interval = 1;
	append(&f, e);
	ck_assert_int_eq(flush(&f), 0);
	vfs_fail(FAULT_FULL, 1, 1);
	append_opens(&f, 5);
	ck_assert_int_eq(flush(&f), SPG_ERR_FULL);
	spg_store_status(f.store, &status);
	ck_assert(status.stopped);
	ck_assert_int_eq(status.fault, SPG_STORE_FAULT_FULL);
	ck_assert_ptr_nonnull(strstr(status.why, "make room"));
	append_opens(&f, 7);
	/* An end that is lost still ends its interval. */
	e = event(&f, SPG_EVENT_USE_END, T0 + 60 * S, DLL);
	e->interval = 1;
	append(&f, e);
	ck_assert_int_eq(flush(&f), SPG_ERR_FULL);
	ck_assert_uint_eq(accounted(&f), 11); /* questions are answered */

	vfs_fail(FAULT_NONE, 0, 0);
	/* Those before it are lost, and it says so; from then on all is well. */
	ck_assert_int_eq(flush(&f), SPG_ERR_FULL);
	append_opens(&f, 3);
	ck_assert_int_eq(flush(&f), 0);
	spg_store_status(f.store, &status);
	ck_assert(!status.stopped);
	ck_assert_str_eq(status.why, "");
	ck_assert_uint_eq(status.dropped, 13);
	query_all(&f, &page);
	ck_assert_int_eq(count_gaps(&page, SPG_GAP_STORE, &lost), 1);
	ck_assert_uint_eq(lost, 13);
	ck_assert_uint_eq(page.events.n, 15);
	ck_assert_int_eq(page.events.events[11]->gap.since_ns, T0);
	ck_assert_int_eq(page.events.events[11]->gap.until_ns, T0 + 60 * S);
	spg_event_list_finish(&page.events);
	ck_assert_str_eq(ask_sql(&f, "SELECT until || cut FROM file_uses"),
		"2026-11-22T02:01:00.000000Z0");
	teardown(&f);
}
END_TEST

/* A stop with a full disk ends in time and answers what it owes. */
static int stop_answer;

static void on_stop_answer(void *user, int err)
{
	(void)user;
	stop_answer = err;
}

START_TEST(stop_with_a_full_disk)
{
	struct fixture f;

	setup(&f, NULL);
	start(&f);
	append_opens(&f, 10);
	ck_assert_int_eq(flush(&f), 0);
	vfs_fail(FAULT_FULL, 1, 1);
	append_opens(&f, 10);
	stop_answer = 0;
	spg_store_flush(f.store, on_stop_answer, NULL);
	spg_store_stop(f.store, 150, NULL, NULL);
	ck_assert_int_eq(stop_answer, SPG_ERR_FULL);
	f.store = NULL;
	uv_run(&f.loop, UV_RUN_DEFAULT);
	vfs_fail(FAULT_NONE, 0, 0);
	start(&f);
	ck_assert(!f.origin.clean_stop);
	ck_assert_int_eq(f.origin.last_event_id, 10);
	teardown(&f);
}
END_TEST

/* The real thing: a filesystem of its own that fills up. */
START_TEST(full_filesystem)
{
	struct fixture f;
	char dir[] = "/tmp/spg-full-XXXXXX", filler[64];
	struct spg_store_page page;
	uint64_t lost;
	ssize_t n;
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	if (mount("tmpfs", dir, "tmpfs", 0, "size=2m") < 0) {
		rmdir(dir);
		return; /* needs root; the layer above tests the same */
	}
	setup(&f, dir);
	start(&f);
	append_opens(&f, 10);
	ck_assert_int_eq(flush(&f), 0);
	snprintf(filler, sizeof(filler), "%s/filler", dir);
	fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	do
		n = write(fd, dir, sizeof(dir));
	while (n > 0);
	close(fd);
	append_opens(&f, 5000);
	ck_assert_int_eq(flush(&f), SPG_ERR_FULL);
	query_all(&f, &page);
	ck_assert_uint_eq(page.events.n, 10);
	spg_event_list_finish(&page.events);
	ck_assert_int_eq(unlink(filler), 0);
	ck_assert_int_eq(flush(&f), SPG_ERR_FULL);
	ck_assert_int_eq(flush(&f), 0);
	query_all(&f, &page);
	ck_assert_int_eq(count_gaps(&page, SPG_GAP_STORE, &lost), 1);
	ck_assert_uint_eq(lost, 5000);
	spg_event_list_finish(&page.events);
	teardown(&f);
	ck_assert_int_eq(umount(dir), 0);
	rmdir(dir);
}
END_TEST

/* ---- damage ---- */

static void overwrite(const char *path, long at, size_t n)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	char *garbage = malloc(n);

	ck_assert_int_ge(fd, 0);
	ck_assert_ptr_nonnull(garbage);
	for (size_t i = 0; i < n; i++)
		garbage[i] = (char)(i * 7919 >> 3);
	ck_assert_int_eq(pwrite(fd, garbage, n, at), (ssize_t)n);
	free(garbage);
	close(fd);
}

static void make_database(struct fixture *f, int n)
{
	start(f);
	append_opens(f, n);
	stop(f);
}

static void damage_by_garbage(struct fixture *f)
{
	overwrite(f->path, 0, 5000);
}

static void damage_in_the_middle(struct fixture *f)
{
	struct stat st;

	make_database(f, 5000);
	ck_assert_int_eq(stat(f->path, &st), 0);
	overwrite(f->path, st.st_size / 2 / 4096 * 4096, 8192);
}

static void damage_by_truncation(struct fixture *f)
{
	struct stat st;

	make_database(f, 5000);
	ck_assert_int_eq(stat(f->path, &st), 0);
	ck_assert_int_eq(truncate(f->path, st.st_size / 2), 0);
}

static void damage_header(struct fixture *f)
{
	make_database(f, 10);
	overwrite(f->path, 0, 100);
}

static const struct {
	const char *what;
	void (*damage)(struct fixture *f);
} damages[] = {
	{"garbage", damage_by_garbage},
	{"a page of garbage", damage_in_the_middle},
	{"truncated", damage_by_truncation},
	{"header", damage_header},
};

START_TEST(damaged_is_set_aside)
{
	struct fixture f;
	struct spg_store_page page;
	uint64_t n;

	setup(&f, NULL);
	damages[_i].damage(&f);
	start(&f);
	ck_assert(f.origin.began_anew);
	ck_assert_int_eq(f.origin.last_event_id, 1);
	ck_assert_int_ge(count_files(&f, "history.db.damaged-"), 1);
	append_opens(&f, 3);
	query_all(&f, &page);
	ck_assert_uint_eq(page.events.n, 4);
	ck_assert_int_eq(count_gaps(&page, SPG_GAP_DAMAGED, &n), 1);
	ck_assert_int_eq(page.events.events[0]->kind, SPG_EVENT_GAP);
	ck_assert_ptr_nonnull(strstr(page.events.events[0]->detail, "damaged-"));
	spg_event_list_finish(&page.events);
	stop(&f);
	start(&f);
	ck_assert(!f.origin.began_anew);
	ck_assert_int_eq(f.origin.last_event_id, 4);
	teardown(&f);
}
END_TEST

/* Found while the daemon runs: the batch in hand goes into the new one. */
START_TEST(damage_at_run_time)
{
	struct fixture f;
	struct spg_store_page page;
	uint64_t n;

	setup(&f, NULL);
	make_database(&f, 5000);
	start(&f);
	ck_assert_str_eq(ask_sql(&f, "PRAGMA wal_checkpoint(TRUNCATE)"), "0");
	/* All but the header, under pages that are not cached. */
	overwrite(f.path, 4096, 40 * 4096);
	for (int i = 0; i < 50; i++)
		append(&f, event(&f, SPG_EVENT_USE_BEGIN, T0, "/new/file"));
	ck_assert_int_eq(flush(&f), 0);
	ck_assert_int_ge(count_files(&f, "history.db.damaged-"), 1);
	query_all(&f, &page);
	ck_assert_uint_eq(page.events.n, 51);
	ck_assert_int_eq(count_gaps(&page, SPG_GAP_DAMAGED, &n), 1);
	ck_assert_uint_eq(n, 5000);
	ck_assert_int_eq(page.events.events[0]->id, 5000);
	ck_assert_int_eq(page.events.events[50]->id, 5050);
	spg_event_list_finish(&page.events);
	teardown(&f);
}
END_TEST

/* Nothing is written to a file that nobody will find again. */
START_TEST(removed_at_run_time)
{
	struct fixture f;
	struct spg_store_page page;
	uint64_t n;

	setup(&f, NULL);
	start(&f);
	append_opens(&f, 10);
	ck_assert_int_eq(flush(&f), 0);
	ck_assert_int_eq(unlink(f.path), 0);
	append_opens(&f, 1);
	/* The ten went with the file; what came since is in the new one. */
	ck_assert_int_eq(flush(&f), 0);
	append_opens(&f, 1);
	ck_assert_int_eq(flush(&f), 0);
	query_all(&f, &page);
	ck_assert_uint_eq(page.events.n, 3);
	ck_assert_int_eq(count_gaps(&page, SPG_GAP_DAMAGED, &n), 1);
	ck_assert_uint_eq(n, 10);
	ck_assert_int_eq(page.events.events[0]->id, 10);
	ck_assert_int_eq(page.events.events[1]->id, 11);
	ck_assert_int_eq(page.events.events[2]->id, 12);
	spg_event_list_finish(&page.events);
	ck_assert_str_eq(ask_sql(&f, "SELECT count(*) FROM history"), "3");
	teardown(&f);
}
END_TEST

/* Before the first look: all of it is saved, and nothing is missing. */
START_TEST(removed_at_once)
{
	struct fixture f;

	setup(&f, NULL);
	start(&f);
	ck_assert_int_eq(unlink(f.path), 0);
	append_opens(&f, 5);
	ck_assert_int_eq(flush(&f), 0);
	ck_assert_str_eq(ask_sql(&f, "SELECT count(*) FROM events"), "5");
	ck_assert_str_eq(ask_sql(&f, "SELECT min(id) FROM events"), "1");
	ck_assert_str_eq(ask_sql(&f, "SELECT count(*) FROM gaps"), "0");
	teardown(&f);
}
END_TEST

/* More than one page of answers since the last look, and then the stop. */
START_TEST(removed_before_the_stop)
{
	struct fixture f;
	struct spg_store_page page;
	uint64_t n;

	setup(&f, NULL);
	start(&f);
	append_opens(&f, 10);
	ck_assert_int_eq(flush(&f), 0);
	ck_assert_int_eq(unlink(f.path), 0);
	append_opens(&f, SPG_STORE_PAGE_MAX + 5000);
	stop(&f);
	start(&f);
	ck_assert_str_eq(ask_sql(&f, "SELECT count(*) FROM events"), "15001");
	query_all(&f, &page);
	ck_assert_int_eq(count_gaps(&page, SPG_GAP_DAMAGED, &n), 0); /* older */
	ck_assert_int_eq(f.origin.last_event_id, 15010);
	ck_assert(f.origin.clean_stop);
	spg_event_list_finish(&page.events);
	ck_assert_str_eq(ask_sql(&f, "SELECT count FROM gaps"), "10");
	teardown(&f);
}
END_TEST

/* The whole directory renamed: history goes on in it; where somebody makes another one
 * in its place, there, with a lock of its own. */
START_TEST(directory_renamed)
{
	struct fixture f;
	char aside[80], path[160];
	sqlite3 *moved = NULL;

	setup(&f, NULL);
	snprintf(aside, sizeof(aside), "%s.aside", f.dir);
	snprintf(path, sizeof(path), "%s%s", aside, strrchr(f.path, '/'));
	start(&f);
	append_opens(&f, 10);
	ck_assert_int_eq(flush(&f), 0);
	ck_assert_int_eq(rename(f.dir, aside), 0);
	append_opens(&f, 5);
	ck_assert_int_eq(flush(&f), 0);
	if (_i == 1) {
		ck_assert_int_eq(mkdir(f.dir, 0700), 0);
		append_opens(&f, 7);
		ck_assert_int_eq(flush(&f), 0);
		/* The moved one goes on to have its 15, the new one has a gap. */
		ck_assert_str_eq(ask_sql(&f, "SELECT count FROM gaps"), "10");
		ck_assert_str_eq(ask_sql(&f, "SELECT count(*) FROM events"), "13");
		ck_assert_int_eq(count_files(&f, ".lock"), 1);
	}
	stop(&f);
	ck_assert_int_eq(sqlite3_open(path, &moved), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(moved, "SELECT 1 / (count(*) >= 15) FROM events",
				 NULL, NULL, NULL),
		SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(moved), SQLITE_OK);
	if (_i == 0) {
		ck_assert_int_eq(rename(aside, f.dir), 0);
		start(&f);
		ck_assert_str_eq(ask_sql(&f, "SELECT count(*) FROM events"), "15");
		ck_assert_str_eq(ask_sql(&f, "SELECT count(*) FROM gaps"), "0");
	} else {
		snprintf(path, sizeof(path), "rm -r %s", aside);
		ck_assert_int_eq(system(path), 0);
	}
	teardown(&f);
}
END_TEST

/* A log beside the path that is not the daemon's own belongs to what was put there. */
START_TEST(replaced_with_a_log)
{
	struct fixture f;
	char name[160];
	int fd;

	setup(&f, NULL);
	start(&f);
	append_opens(&f, 10);
	ck_assert_int_eq(flush(&f), 0);
	snprintf(name, sizeof(name), "%s-wal", f.path);
	ck_assert_int_eq(unlink(f.path), 0);
	ck_assert_int_eq(unlink(name), 0);
	fd = open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(flush(&f), 0);
	append_opens(&f, 3);
	ck_assert_int_eq(flush(&f), 0);
	ck_assert_str_eq(ask_sql(&f, "SELECT count(*) FROM events"), "4");
	ck_assert_str_eq(ask_sql(&f, "PRAGMA integrity_check"), "ok");
	teardown(&f);
}
END_TEST

/* The lock file is made again; where another daemon has it by then, nothing is written
 * beside it, and goes on when that one has ended. */
START_TEST(lock_file_removed)
{
	struct fixture f;
	struct spg_store_status status;
	char name[160];
	int fd;

	setup(&f, NULL);
	start(&f);
	snprintf(name, sizeof(name), "%s.lock", f.path);
	ck_assert_int_eq(unlink(name), 0);
	append_opens(&f, 1);
	ck_assert_int_eq(flush(&f), 0);
	ck_assert_int_eq(access(name, F_OK), 0);
	ck_assert_int_eq(unlink(name), 0);
	fd = open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
	append_opens(&f, 1);
	ck_assert_int_eq(flush(&f), SPG_ERR_IO);
	spg_store_status(f.store, &status);
	ck_assert(status.stopped);
	ck_assert_int_eq(status.fault, SPG_STORE_FAULT_LOCKED);
	ck_assert_ptr_nonnull(strstr(status.why, "another daemon"));
	close(fd);
	(void)flush(&f);
	ck_assert_int_eq(flush(&f), 0);
	teardown(&f);
}
END_TEST

START_TEST(newer_is_refused_untouched)
{
	struct fixture f;

	setup(&f, NULL);
	make_database(&f, 10);
	run_sql(f.path, "PRAGMA user_version = 99");
	ck_assert_int_eq(try_start(&f), SPG_ERR_UNSUPPORTED);
	ck_assert_int_eq(count_files(&f, "damaged"), 0);
	ck_assert_str_eq(ask_sql(&f, "PRAGMA user_version"), "99");
	ck_assert_str_eq(ask_sql(&f, "SELECT count(*) FROM events"), "10");
	teardown(&f);
}
END_TEST

START_TEST(other_programs_files_are_refused)
{
	struct fixture f;
	struct stat st;

	setup(&f, NULL);
	run_sql(f.path, "CREATE TABLE theirs(a); INSERT INTO theirs VALUES(42)");
	ck_assert_int_eq(try_start(&f), SPG_ERR_UNSUPPORTED);
	ck_assert_str_eq(ask_sql(&f, "SELECT a FROM theirs"), "42");
	ck_assert_str_eq(ask_sql(&f, "SELECT count(*) FROM sqlite_schema"), "1");
	/* A file that is no database at all, at a path never used before. */
	snprintf(f.path, sizeof(f.path), "%s/passwd", f.dir);
	overwrite(f.path, 0, 1000);
	ck_assert_int_eq(try_start(&f), SPG_ERR_UNSUPPORTED);
	ck_assert_int_eq(stat(f.path, &st), 0);
	ck_assert_int_eq(st.st_size, 1000);
	ck_assert_int_eq(count_files(&f, "damaged"), 0);
	teardown(&f);
}
END_TEST

/* A daemon that is killed leaves a sound database with all that was flushed. */
START_TEST(killed)
{
	struct fixture f;
	int pipe_fds[2], status;
	char byte;
	pid_t pid;

	setup(&f, NULL);
	ck_assert_int_eq(pipe(pipe_fds), 0);
	pid = fork();
	if (pid == 0) {
		uv_loop_fork(&f.loop);
		start(&f);
		append_opens(&f, 500);
		flush(&f);
		if (write(pipe_fds[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			append_opens(&f, 100);
	}
	ck_assert_int_eq(read(pipe_fds[0], &byte, 1), 1);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	start(&f);
	ck_assert(!f.origin.clean_stop);
	ck_assert(!f.origin.began_anew);
	ck_assert_int_ge(f.origin.last_event_id, 500);
	ck_assert_str_eq(ask_sql(&f, "PRAGMA integrity_check"), "ok");
	ck_assert_int_ge(atol(ask_sql(&f, "SELECT count(*) FROM events")), 500);
	teardown(&f);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}
END_TEST

/* Durable events and flushes reach the disk; others only the kernel. */
START_TEST(durable_is_synced)
{
	struct fixture f;
	struct spg_store_page page;
	struct spg_event *e;

	setup(&f, NULL);
	start(&f);
	ck_assert_int_eq(flush(&f), 0);
	vfs_fail(FAULT_NONE, 0, 0);
	ck_assert_int_eq(flush(&f), 0);
	ck_assert_int_eq(vfs_syncs(), 0); /* nothing new, nothing to sync */
	append_opens(&f, 1);
	ck_assert_int_eq(flush(&f), 0);
	ck_assert_int_ge(vfs_syncs(), 1);
	vfs_fail(FAULT_NONE, 0, 0);
	e = event(&f, SPG_EVENT_VERDICT, T0, NULL);
	e->durable = true;
	append(&f, e);
	query_all(&f, &page);
	ck_assert_uint_eq(page.events.n, 2);
	spg_event_list_finish(&page.events);
	ck_assert_int_ge(vfs_syncs(), 1);
	teardown(&f);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("store-fault");

	vfs_register();
	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, nth_write_fails, 0, 2);
	tcase_add_test(tc, locked_database);
	tcase_add_test(tc, locked_for_a_moment);
	tcase_add_test(tc, locked_for_too_long);
	tcase_add_test(tc, locked_and_then_full);
	tcase_add_loop_test(tc, locked_at_the_stop, 0, 2);
	tcase_add_test(tc, full_disk);
	tcase_add_test(tc, stop_with_a_full_disk);
	tcase_add_test(tc, full_filesystem);
	spg_add_rows(tc, damaged_is_set_aside, damages);
	tcase_add_test(tc, damage_at_run_time);
	tcase_add_test(tc, removed_at_run_time);
	tcase_add_test(tc, removed_at_once);
	tcase_add_test(tc, removed_before_the_stop);
	tcase_add_loop_test(tc, directory_renamed, 0, 2);
	tcase_add_test(tc, replaced_with_a_log);
	tcase_add_test(tc, lock_file_removed);
	tcase_add_test(tc, newer_is_refused_untouched);
	tcase_add_test(tc, other_programs_files_are_refused);
	tcase_add_test(tc, killed);
	tcase_add_test(tc, durable_is_synced);
	return spg_run_suite("store-fault", tc);
}
