/* SPDX-License-Identifier: MIT */
#include "daemon/store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/lock_file.h"
#include "common/log.h"
#include "common/text.h"

/* Members of the group may read the history with a SQLite shell. */
#define FILE_MODE 0640

int spg_db_lock(struct spg_db *db)
{
	char *name = NULL, holder[24] = "unknown";
	long pid;
	int r;

	db->lock_fd = -1;
	if (asprintf(&name, "%s.lock", db->path) < 0)
		return SPG_ERR_NOMEM;
	db->had_lock = access(name, F_OK) == 0;
	r = spg_lock_file_take(name, FILE_MODE, &db->lock_fd, &pid);
	if (pid > 0)
		snprintf(holder, sizeof(holder), "%ld", pid);
	if (r == SPG_ERR_BUSY)
		spg_error("database %s belongs to a daemon that runs (pid %s): stop "
			  "that one or name another database",
			db->path, holder);
	else if (r < 0)
		spg_error("cannot lock %s: %s: the directory must exist and be "
			  "writable for the daemon",
			name, strerror(errno));
	free(name);
	/* A missing directory is a fault of the system here, no answer. */
	return r == SPG_ERR_NOT_FOUND ? SPG_ERR_IO : r;
}

/* Make the file ourselves, for its mode. Before SQLite has it open: closing a
 * descriptor drops every POSIX lock that the process has on the file. */
static int make_file(struct spg_db *db, bool *ret_is_new)
{
	int fd = open(db->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	int errnum = errno;
	struct stat st;

	*ret_is_new = fd >= 0;
	if (fd >= 0) {
		close(fd);
		return 0;
	}
	if (errnum == EEXIST) {
		*ret_is_new = stat(db->path, &st) == 0 && st.st_size == 0;
		return 0;
	}
	snprintf(db->why, sizeof(db->why),
		"cannot create the database: %s: its directory must exist and be "
		"writable for the daemon",
		strerror(errnum));
	return errnum == ENOENT ? SPG_ERR_IO : spg_err_from_errno(errnum);
}

static int connect_to(struct spg_db *db)
{
	struct stat st;
	int r, rc;

	/* Closing it drops no lock that SQLite has, since it is O_PATH (fs/open.c). */
	db->path_fd = open(db->path, O_PATH | O_CLOEXEC);
	rc = sqlite3_open_v2(
		db->path, &db->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK)
		return spg_db_fail(db, rc, "open");
	sqlite3_extended_result_codes(db->sql, 1);
	spg_db_set_patience(db, SPG_DB_PATIENCE_MS);
	/* What it holds was written by us, but the file may have been swapped. */
	sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->sql, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	/* Who may only read, and not write to the directory, cannot open a database in
	 * WAL mode without its log: leave that, empty, when the daemon stops. */
	sqlite3_file_control(db->sql, NULL, SQLITE_FCNTL_PERSIST_WAL, &(int){1});
	if (db->path_fd >= 0 && fstat(db->path_fd, &st) == 0) {
		db->dev = (uint64_t)st.st_dev;
		db->ino = (uint64_t)st.st_ino;
	}
	/* auto_vacuum must come before the first page is written. */
	r = spg_db_exec(db, "PRAGMA auto_vacuum = INCREMENTAL;"
			    "PRAGMA temp_store = MEMORY;"
			    "PRAGMA secure_delete = OFF;"
			    "PRAGMA synchronous = NORMAL;");
	db->full_sync = false;
	return r;
}

/* Also reads every page once, so that damage shows now and not at night. */
static int check_pages(struct spg_db *db)
{
	sqlite3_stmt *s = NULL;
	const char *text;
	int r = 0, rc;

	rc = sqlite3_prepare_v2(db->sql, "PRAGMA quick_check(1)", -1, &s, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc != SQLITE_ROW) {
		r = spg_db_fail(db, rc, "check");
	} else {
		text = (const char *)sqlite3_column_text(s, 0);
		if (!text || strcmp(text, "ok") != 0) {
			snprintf(db->why, sizeof(db->why),
				"the database fails its check: %s", text ? text : "?");
			r = SPG_ERR_CORRUPT;
		}
	}
	sqlite3_finalize(s);
	return r;
}

/* 0 where there is no row. */
static int read_last(struct spg_db *db, enum spg_sql which, int64_t *ret)
{
	int r = spg_db_get(db, which, ret, "");

	if (r != SPG_DB_NONE)
		return r;
	*ret = 0;
	return 0;
}

static int read_origin(struct spg_db *db, struct spg_store_origin *ret)
{
	int64_t clean = 0, seed = 0;
	int r;

	r = spg_db_meta(db, "last_id", 0, &db->now.last_id);
	if (r == 0)
		r = spg_db_meta(db, "last_interval", 0, &db->now.last_interval);
	if (r == 0)
		r = spg_db_meta(db, "rows", 0, &db->now.rows);
	if (r == 0)
		r = spg_db_meta(db, "last_alive", 0, &ret->last_alive_ns);
	if (r == 0)
		r = spg_db_meta(db, "clean_stop", 0, &clean);
	if (r == 0)
		r = spg_db_meta(db, "seed", 0, &seed);
	if (r == 0)
		r = read_last(db, SPG_SQL_OLDEST_AT, &db->now.oldest_ns);
	if (r == 0)
		r = read_last(db, SPG_SQL_INSTALL_LAST, &ret->last_install);
	if (r == 0)
		r = read_last(db, SPG_SQL_SIDESTEP_LAST, &ret->last_sidestep);
	db->seed = (uint64_t)seed;
	ret->clean_stop = clean != 0;
	ret->last_event_id = db->now.last_id;
	ret->last_interval = db->now.last_interval;
	return r;
}

static int take_over(struct spg_db *db, struct spg_store_origin *ret)
{
	int r;

	memset(&db->now, 0, sizeof(db->now));
	r = read_origin(db, ret);
	db->saved = db->now;
	if (r == 0)
		r = spg_db_begin(db, true);
	if (r < 0)
		return r;
	r = spg_schema_write_names(db);
	if (r == 0)
		r = spg_db_cut_intervals(db, ret->last_alive_ns);
	if (r == 0)
		r = spg_db_run(db, SPG_SQL_META_SET, "zi", "clean_stop", INT64_C(0));
	if (r == 0)
		return spg_db_commit(db, spg_clock_wall_ns());
	spg_db_rollback(db);
	return r;
}

static char *log_of(const struct spg_db *db, const char *suffix)
{
	char *name = NULL;

	return asprintf(&name, "%s%s", db->path, suffix) < 0 ? NULL : name;
}

static uint64_t inode_of_log(const struct spg_db *db)
{
	char *name = log_of(db, "-wal");
	struct stat st = {.st_ino = 0};

	if (name)
		(void)stat(name, &st);
	free(name);
	return (uint64_t)st.st_ino;
}

void spg_db_remove_log(const struct spg_db *db)
{
	static const char *const suffixes[] = {"-shm", "-wal"};

	if (db->wal_ino == 0 || inode_of_log(db) != db->wal_ino)
		return;
	for (size_t i = 0; i < 2; i++) {
		char *name = log_of(db, suffixes[i]);

		if (name)
			unlink(name);
		free(name);
	}
}

static int open_checked(struct spg_db *db, struct spg_store_origin *ret)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	r = make_file(db, &ret->is_new);
	if (r == 0)
		r = connect_to(db);
	if (r == 0 && !ret->is_new)
		r = check_pages(db);
	if (r == 0)
		r = spg_schema_migrate(db, spg_schema_steps, spg_schema_version);
	if (r == 0)
		r = spg_db_exec(db, "PRAGMA journal_mode = WAL;"
				    "PRAGMA wal_autocheckpoint = 2000;"
				    "PRAGMA journal_size_limit = 16777216;");
	if (r == 0)
		r = take_over(db, ret);
	if (r == 0)
		db->wal_ino = inode_of_log(db);
	return r;
}

/* A wrong path in the configuration must not get another program's file
 * renamed: a damaged file is ours when its header says so; without a header,
 * when our lock file was beside it or it is at least called a database. */
static bool may_be_ours(const struct spg_db *db)
{
	unsigned char head[100] = {0};
	size_t len = strlen(db->path);
	int fd = open(db->path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, head, sizeof(head)) : -1;

	if (fd >= 0)
		close(fd);
	if (n == (ssize_t)sizeof(head) && memcmp(head, "SQLite format 3", 16) == 0)
		return ((uint32_t)head[68] << 24 | (uint32_t)head[69] << 16 |
			       (uint32_t)head[70] << 8 | head[71]) ==
		       SPG_APPLICATION_ID;
	return db->had_lock || (len > 3 && strcmp(db->path + len - 3, ".db") == 0);
}

/* Set a damaged one aside and begin anew. */
static int begin_anew(struct spg_db *db, struct spg_store_origin *ret_origin,
	char *set_aside, size_t set_aside_size)
{
	int r;

	spg_db_disconnect(db);
	if (!may_be_ours(db)) {
		snprintf(db->why, sizeof(db->why),
			"the file is not a database of spguard: name another one");
		return SPG_ERR_UNSUPPORTED;
	}
	r = spg_db_set_aside(db, set_aside, set_aside_size);
	if (r == 0)
		r = open_checked(db, ret_origin);
	ret_origin->began_anew = r == 0;
	return r;
}

int spg_db_open(struct spg_db *db, struct spg_store_origin *ret_origin, char *set_aside,
	size_t set_aside_size)
{
	int r;

	if (!db->intern)
		db->intern = spg_intern_create();
	if (!db->intern) {
		snprintf(db->why, sizeof(db->why), "out of memory");
		return SPG_ERR_NOMEM;
	}
	set_aside[0] = '\0';
	r = open_checked(db, ret_origin);
	if (r == SPG_ERR_CORRUPT)
		r = begin_anew(db, ret_origin, set_aside, set_aside_size);
	if (r < 0)
		spg_db_disconnect(db);
	return r;
}

/* Rename @path@suffix to @path.@aside@suffix. A file that is not there is no
 * failure. */
static int rename_part(const char *path, const char *aside, const char *suffix)
{
	char *from = NULL, *to = NULL;
	int r = SPG_ERR_NOMEM;

	if (asprintf(&from, "%s%s", path, suffix) < 0)
		return r;
	if (asprintf(&to, "%s.%s%s", path, aside, suffix) >= 0) {
		r = 0;
		if (rename(from, to) < 0 && errno != ENOENT)
			r = spg_err_from_errno(errno);
		free(to);
	}
	free(from);
	return r;
}

/* "damaged-<time>", with a number behind it if that is taken. */
static int choose_name(const struct spg_db *db, char *ret, size_t size)
{
	time_t now = (time_t)(spg_clock_wall_ns() / SPG_NS_PER_S);
	struct stat st;
	struct tm tm;
	char *whole;
	size_t n;
	bool taken = true;

	gmtime_r(&now, &tm);
	n = strftime(ret, size, "damaged-%Y%m%dT%H%M%SZ", &tm);
	for (int i = 1; taken && i < 1000; i++) {
		if (i > 1)
			snprintf(ret + n, size - n, "-%d", i);
		if (asprintf(&whole, "%s.%s", db->path, ret) < 0)
			return SPG_ERR_NOMEM;
		taken = lstat(whole, &st) == 0;
		free(whole);
	}
	return taken ? SPG_ERR_BUSY : 0;
}

int spg_db_set_aside(struct spg_db *db, char *ret_name, size_t size)
{
	char why[sizeof(db->why)];
	int r;

	memcpy(why, db->why, sizeof(why));
	/* The log may be what somebody mends the database with: keep it. */
	if (db->sql)
		sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	spg_db_disconnect(db);
	r = choose_name(db, ret_name, size);
	if (r == 0)
		r = rename_part(db->path, ret_name, "-wal");
	if (r == 0)
		r = rename_part(db->path, ret_name, "-shm");
	if (r == 0)
		r = rename_part(db->path, ret_name, "");
	if (r < 0) {
		snprintf(db->why, sizeof(db->why),
			"the database is damaged and cannot be renamed (%s): move it "
			"away by hand",
			spg_err_text(r));
		return r;
	}
	spg_log_as(SPG_LOG_ERROR, SPG_LOG_ID_STORE_ASIDE,
		"database %s is damaged and was set aside as %s.%s; a new one is begun "
		"(%s)",
		db->path, db->path, ret_name, why);
	return 0;
}

enum spg_db_place spg_db_place(const struct spg_db *db)
{
	size_t n = (size_t)(spg_path_base(db->path) - db->path);
	char *directory = strndup(db->path, n > 1 ? n - 1 : n);
	struct stat there, ours;
	enum spg_db_place place = SPG_DB_GONE;

	if (stat(db->path, &there) == 0) {
		if ((uint64_t)there.st_dev == db->dev &&
			(uint64_t)there.st_ino == db->ino)
			place = SPG_DB_IN_PLACE;
	} else if (directory && stat(directory, &there) < 0 && db->path_fd >= 0 &&
		   fstat(db->path_fd, &ours) == 0 && ours.st_nlink > 0) {
		place = SPG_DB_MOVED;
	}
	free(directory);
	return place;
}

int spg_db_keep_lock(struct spg_db *db)
{
	char *name = NULL;
	int fd = -1, r;
	long pid;

	if (asprintf(&name, "%s.lock", db->path) < 0)
		return SPG_ERR_NOMEM;
	r = spg_lock_file_is_in_place(db->lock_fd, name)
	            ? 0
	            : spg_lock_file_take(name, FILE_MODE, &fd, &pid);
	if (r == SPG_ERR_BUSY) {
		snprintf(db->why, sizeof(db->why),
			"another daemon (pid %ld) has the database: stop one of them",
			pid);
	} else if (fd >= 0) {
		close(db->lock_fd);
		db->lock_fd = fd;
	}
	free(name);
	return r;
}

void spg_db_finish(struct spg_db *db)
{
	if (!db->path)
		return;
	if (db->intern)
		spg_db_disconnect(db);
	spg_intern_destroy(db->intern);
	db->intern = NULL;
	if (db->lock_fd >= 0)
		close(db->lock_fd);
	db->lock_fd = -1;
	free(db->path);
	db->path = NULL;
}
