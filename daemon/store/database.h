/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The database of the history: one connection, its statements, its caches.
 *
 * Private to daemon/store. Used by one thread at a time: by the caller of
 * spg_store_start() until the writer's thread runs, then by that thread alone.
 * Nothing here knows of queues, threads or the loop.
 *
 * The format is described atop schema.c. Errors are negative spg_err codes;
 * db->why then says in words what happened and what to do. Nothing here logs,
 * except open.c when it sets a database aside and lock file trouble.
 *
 * Files: database.c statements, transactions, errors; open.c lock file, check,
 * setting aside; schema.c tables, migrations, views; append.c an event to rows;
 * intern.c what is stored once; records.c installs and steps aside; query.c questions; retention.c pruning.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "daemon/store/store_types.h"

/* In the header of our files, to tell them from other people's: "SPGd". */
#define SPG_APPLICATION_ID 1397770084

/* Ids are indexed in blocks of this many; see schema.c. */
#define SPG_BLOCK_SHIFT    9
#define SPG_BLOCK_ROWS     (INT64_C(1) << SPG_BLOCK_SHIFT)
#define SPG_BLOCK_OF(id)   ((id) >> SPG_BLOCK_SHIFT)
#define SPG_BLOCK_NONE     INT64_C(-1)
#define SPG_BLOCK_NO_FILE  (INT64_C(1) << 40) /* in blocks.kinds */

/* What event_blocks can be asked for. */
enum spg_subject {
	SPG_SUBJECT_FILE,
	SPG_SUBJECT_PROCESS,
	SPG_SUBJECT_PRODUCT,
	SPG_SUBJECT_NAME
};
#define SPG_SUBJECT(row, type) ((row) << 2 | (int64_t)(type))

/* Statements, prepared when first used; their text is in database.c. */
enum spg_sql {
	SPG_SQL_BEGIN,
	SPG_SQL_COMMIT,
	SPG_SQL_ROLLBACK,
	SPG_SQL_META_GET,
	SPG_SQL_META_SET,
	SPG_SQL_META_BATCH,
	SPG_SQL_TEXT_FIND,
	SPG_SQL_TEXT_ADD,
	SPG_SQL_TEXT_GET,
	SPG_SQL_FILE_FIND,
	SPG_SQL_FILE_ADD,
	SPG_SQL_FILE_GET,
	SPG_SQL_PROCESS_FIND,
	SPG_SQL_PROCESS_ADD,
	SPG_SQL_PROCESS_GET,
	SPG_SQL_SUBJECT_ADD,
	SPG_SQL_BLOCK_ADD,
	SPG_SQL_EVENT_ADD,
	SPG_SQL_EVENT_ADD_MANY,
	SPG_SQL_DETAIL_ADD,
	SPG_SQL_GAP_ADD,
	SPG_SQL_VERDICT_ADD,
	SPG_SQL_USE_BEGIN,
	SPG_SQL_USE_END,
	SPG_SQL_USE_CLOSE,
	SPG_SQL_USE_CUT,
	SPG_SQL_LOCK_BEGIN,
	SPG_SQL_LOCK_END,
	SPG_SQL_LOCK_CLOSE,
	SPG_SQL_LOCK_CUT,
	SPG_SQL_FILES_OF_PATH,
	SPG_SQL_FILES_OF_NAME,
	SPG_SQL_PROCESSES_OF_PID,
	SPG_SQL_FOLD_OF_PROCESS,
	SPG_SQL_BLOCK_BELOW,
	SPG_SQL_SUBJECT_BELOW,
	SPG_SQL_EVENTS_OF_BLOCK,
	SPG_SQL_BLOCKS_OLD,
	SPG_SQL_BLOCK_OLDEST,
	SPG_SQL_OLDEST_AT,
	SPG_SQL_PRUNE_SUBJECTS,
	SPG_SQL_PRUNE_DETAILS,
	SPG_SQL_PRUNE_GAPS,
	SPG_SQL_PRUNE_VERDICTS,
	SPG_SQL_PRUNE_EVENTS,
	SPG_SQL_BLOCK_REMAINS,
	SPG_SQL_BLOCK_SET,
	SPG_SQL_BLOCK_REMOVE,
	SPG_SQL_PRUNE_USES,
	SPG_SQL_PRUNE_LOCKS,
	SPG_SQL_SWEEP_PROCESSES,
	SPG_SQL_SWEEP_FILES,
	SPG_SQL_SWEEP_TEXTS,
	SPG_SQL_LAST_ROW,
	SPG_SQL_PAGE_COUNT,
	SPG_SQL_FREE_COUNT,
	SPG_SQL_INSTALL_PUT,
	SPG_SQL_INSTALL_FILE_ADD,
	SPG_SQL_INSTALL_HOLDER_ADD,
	SPG_SQL_INSTALL_NOTE_ADD,
	SPG_SQL_INSTALL_PACKAGE_ADD,
	SPG_SQL_INSTALL_FILES_CLEAR,
	SPG_SQL_INSTALL_HOLDERS_CLEAR,
	SPG_SQL_INSTALL_NOTES_CLEAR,
	SPG_SQL_INSTALL_PACKAGES_CLEAR,
	SPG_SQL_INSTALLS,
	SPG_SQL_INSTALLS_LATEST,
	SPG_SQL_INSTALL_FILES,
	SPG_SQL_INSTALL_HOLDERS,
	SPG_SQL_INSTALL_NOTES,
	SPG_SQL_INSTALL_PACKAGES,
	SPG_SQL_INSTALL_EXPIRE,
	SPG_SQL_INSTALL_LAST,
	SPG_SQL_INSTALLED_PUT,
	SPG_SQL_INSTALLED_FILE_PUT,
	SPG_SQL_INSTALLED_FILE_REMOVE,
	SPG_SQL_INSTALLED_FILES_CLEAR,
	SPG_SQL_INSTALLED,
	SPG_SQL_INSTALLED_FILES,
	SPG_SQL_EXPECTED_ADD,
	SPG_SQL_EXPECTED_CLEAR,
	SPG_SQL_EXPECTED,
	SPG_SQL_SIDESTEP_PUT,
	SPG_SQL_SIDESTEPS,
	SPG_SQL_SIDESTEP_LAST,
	SPG_SQL_USES_OPEN,
	SPG_SQL_USES_ENDED,
	SPG_SQL_LOCKS_OPEN,
	SPG_SQL_LOCKS_ENDED,
	SPG_SQL_GAPS_BEHIND,
	SPG_SQL_PROCESS_WHO,
	SPG_SQL_N
};

/* What is counted along with rows and falls back with a rolled back batch. */
struct spg_db_counters {
	int64_t rows;
	int64_t last_id;
	int64_t last_interval;
	int64_t oldest_ns; /* 0: no rows */
};

/* The block that rows go into now, as far as this batch touched it. */
struct spg_db_block {
	int64_t id; /* SPG_BLOCK_NONE: untouched */
	int64_t min_at, max_at, kinds;
};

/* Rows of events that go in with one statement: half the work for each. */
#define SPG_EVENT_COLUMNS 7
#define SPG_EVENT_MANY    16

struct spg_db_rows {
	size_t n;                                           /* < SPG_EVENT_MANY */
	int64_t columns[SPG_EVENT_MANY][SPG_EVENT_COLUMNS]; /* 0 from the 4th: NULL */
};

/* Where a round of pruning stands. */
struct spg_prune {
	enum {
		SPG_PRUNE_IDLE,
		SPG_PRUNE_AGE,
		SPG_PRUNE_SIZE,
		SPG_PRUNE_INTERVALS,
		SPG_PRUNE_PROCESSES,
		SPG_PRUNE_FILES,
		SPG_PRUNE_TEXTS,
		SPG_PRUNE_VACUUM
	} phase;
	int64_t retain_ns;
	uint64_t retain_bytes;
	int64_t cut_ns;     /* events before go by age */
	int64_t horizon_ns; /* intervals that ended before go */
	int64_t cursor;     /* rows looked at in this phase */
	bool deleted;       /* something went: look for what nobody refers to */
	bool worked;        /* this slice has something to commit */
};

struct spg_intern;

struct spg_db {
	char *path;
	int lock_fd;
	bool had_lock; /* the lock file was there before: the path is ours */
	sqlite3 *sql;  /* NULL: could not be opened, or opened again */
	sqlite3_stmt *statements[SPG_SQL_N];
	struct spg_intern *intern;
	struct spg_db_counters now, saved; /* in this batch; committed */
	struct spg_db_block block;
	struct spg_db_rows rows; /* gathered in this batch, not yet written */
	struct spg_prune prune;
	bool full_sync;    /* synchronous=FULL is set */
	bool unsynced;     /* commits that no fsync followed */
	uint64_t seed;     /* of this database's text hash */
	uint64_t dev, ino; /* of the file that is open */
	int path_fd; /* owned while it is; O_PATH, so that the number stays its own */
	uint64_t wal_ino; /* of its write-ahead log, on the same filesystem */
	char why[160];    /* after an error: what, and what to do */
};

/* ---- database.c ---- */

/** How long a statement waits for another program that has the database locked. */
#define SPG_DB_PATIENCE_MS 500
void spg_db_set_patience(struct spg_db *db, int ms);

/** Translate @rc of SQLite, put words into db->why; @what: "write", "open". */
int spg_db_fail(struct spg_db *db, int rc, const char *what);

/**
 * Bind and return a statement, reset and ready to step; NULL when it failed
 * (@ret_err if not NULL gets the error). @types, one letter an argument:
 * 'i' int64_t; 'n' int64_t where 0 stands for NULL; 'e' int64_t where
 * SPG_LOCK_EOF does; '-' no argument, NULL; 'z' const char * or NULL, borrowed
 * until the statement is reset.
 */
sqlite3_stmt *spg_db_bind(
	struct spg_db *db, enum spg_sql which, int *ret_err, const char *types, ...);

/** Bind and run to its end. Returns 0 or a negative spg_err. */
int spg_db_run(struct spg_db *db, enum spg_sql which, const char *types, ...);

#define SPG_DB_NONE 1

/** Bind, and take the first column of the first row. Returns 0, SPG_DB_NONE
 * when there is no row or it is NULL, or a negative spg_err. */
int spg_db_get(
	struct spg_db *db, enum spg_sql which, int64_t *ret, const char *types, ...);

/** Run SQL of our own that has no parameters. */
int spg_db_exec(struct spg_db *db, const char *sql);

/** Begin a batch; @sync: its commit is on disk when spg_db_commit() returns. */
int spg_db_begin(struct spg_db *db, bool sync);

/** Write the heartbeat (@now_ns UTC) and counters, and commit. A failure has
 * rolled back. */
int spg_db_commit(struct spg_db *db, int64_t now_ns);

/** Undo the batch and forget what the caches learnt in it. */
void spg_db_rollback(struct spg_db *db);

/** Finalize and close; the lock file stays held. Takes one that is closed. */
void spg_db_disconnect(struct spg_db *db);

/** Bytes of the database and of its write-ahead log. */
uint64_t spg_db_bytes(const struct spg_db *db);

/** Integer in the table meta; @missing where there is none. */
int spg_db_meta(struct spg_db *db, const char *key, int64_t missing, int64_t *ret);

/* ---- open.c ---- */

/** Take the lock file. @db is zeroed, only ->path is set. Returns 0, or
 * SPG_ERR_BUSY, SPG_ERR_DENIED, SPG_ERR_IO: logged. */
int spg_db_lock(struct spg_db *db);

/**
 * Open, check, migrate; set a damaged one aside and create a new one, unless
 * it looks like somebody else's file (SPG_ERR_UNSUPPORTED, untouched). Closes
 * intervals left open at the last sign of life. Not logged, except setting
 * aside; see db->why. @set_aside (80 bytes or more) gets the last part of the
 * name of a database that was set aside, else "".
 */
int spg_db_open(struct spg_db *db, struct spg_store_origin *ret_origin, char *set_aside,
	size_t set_aside_size);

/** Close a database found damaged and rename it with its journal files. */
int spg_db_set_aside(struct spg_db *db, char *ret_name, size_t size);

/* Where the file is that is open. */
enum spg_db_place {
	SPG_DB_IN_PLACE,
	SPG_DB_MOVED, /* its directory was renamed, and nothing is in its place */
	SPG_DB_GONE   /* removed, or something else is in its place */
};

/** Look. Nothing can be said of a database that is not open. */
enum spg_db_place spg_db_place(const struct spg_db *db);

/** Make a lock file anew that was removed. Returns 0; SPG_ERR_BUSY, and db->why, when
 * another daemon has it by now; or another negative spg_err: try later. */
int spg_db_keep_lock(struct spg_db *db);

/** Remove the write-ahead log that an earlier connection left, if it is still that one:
 * it would spoil another database. */
void spg_db_remove_log(const struct spg_db *db);

/** Close everything, release the lock file. Takes a zeroed one. */
void spg_db_finish(struct spg_db *db);

/* ---- records.c ---- */

/** All of struct spg_store_records; *@ret is the caller's. Returns 0 or a negative
 * spg_err. */
int spg_db_load_records(struct spg_db *db, struct spg_store_records **ret);

/* ---- installed.c ---- */

/** The part of spg_db_load_records() that is in ->installed. */
int spg_db_load_installed(struct spg_db *db, struct spg_store_records *records);

/* ---- expected.c ---- */

/** The same for ->expected. */
int spg_db_load_expected(struct spg_db *db, struct spg_store_records *records);

/* ---- schema.c ---- */

/* One migration, from its index as version to the next. */
struct spg_schema_step {
	const char *sql;
};

extern const struct spg_schema_step spg_schema_steps[];
extern const int spg_schema_version;

/**
 * Bring @db from PRAGMA user_version to @version, in order, in one
 * transaction: all or nothing. Views are made anew when anything changed.
 * Returns 0; SPG_ERR_UNSUPPORTED when the database is newer or not ours; or
 * another negative spg_err.
 */
int spg_schema_migrate(
	struct spg_db *db, const struct spg_schema_step *steps, int version);

/** Write the names of the closed vocabularies, for the views. */
int spg_schema_write_names(struct spg_db *db);

/* ---- intern.c ---- */

struct spg_intern *spg_intern_create(void);

/** Takes NULL. */
void spg_intern_destroy(struct spg_intern *intern);

/** Forget all rows: after a rollback, or when rows were deleted. */
void spg_intern_forget(struct spg_intern *intern);

/**
 * The row of @file, @process, or product @name, made when there is none; and a
 * note that @block has an event about it (SPG_BLOCK_NONE: no note).
 */
int spg_intern_file(
	struct spg_db *db, struct spg_file *file, int64_t block, int64_t *ret_row);
int spg_intern_process(struct spg_db *db, struct spg_process *process, int64_t block,
	int64_t *ret_row);
int spg_intern_product(
	struct spg_db *db, const char *name, int64_t block, int64_t *ret_row);

/** The row of @text; SPG_DB_NONE when there is none. */
int spg_intern_find_text(struct spg_db *db, const char *text, int64_t *ret_row);

/** A copy of @name with ASCII letters made small, as in processes.fold. */
char *spg_intern_fold(const char *name);

/* ---- append.c ---- */

/** Write @event within a batch. */
int spg_db_append(struct spg_db *db, struct spg_event *event);

/** Write what was gathered of rows and of the current block; before a commit. */
int spg_db_flush(struct spg_db *db);

/** End an interval whose end was lost, as its event would have. */
int spg_db_close_interval(struct spg_db *db, int64_t interval, int64_t at_ns);

/** End all open intervals at @at_ns, marked as cut. */
int spg_db_cut_intervals(struct spg_db *db, int64_t at_ns);

/* ---- query.c ---- */

/* Called now and then in a long query, no statement active; not 0 ends it. */
typedef int spg_db_keep_up(void *user);

/** Answer @query; @page is empty. Returns 0, what @keep_up returned, or a
 * negative spg_err; the page may be half filled then. */
int spg_db_query(struct spg_db *db, const struct spg_store_query *query,
	struct spg_store_page *page, spg_db_keep_up *keep_up, void *user);

/* ---- retention.c ---- */

/** Begin a round with these limits; see struct spg_store_config. */
void spg_prune_begin(
	struct spg_db *db, int64_t now_ns, int64_t retain_ns, uint64_t retain_bytes);

/** Do one slice in a transaction of its own. Returns 0 when the round is over,
 * SPG_PRUNE_MORE, or a negative spg_err, rolled back. */
int spg_prune_slice(struct spg_db *db, int64_t now_ns);

#define SPG_PRUNE_MORE 1
