/* SPDX-License-Identifier: MIT */
/*
 * Pruning, in slices small enough that the writer's queue never feels them.
 * A round goes through the phases of struct spg_prune in order: events by age,
 * events by size, intervals that ended before everything that is left, then
 * what nobody refers to any more, then the freed pages go back to the
 * filesystem.
 */
#include "daemon/store/database.h"

#include "common/err.h"

#define SLICE_BLOCKS    8
#define SLICE_INTERVALS 1000
#define SLICE_ROWS      1000
#define SLICE_TEXTS     20000 /* each slice reads all files and processes */
#define SLICE_PAGES     256

/* Free pages that may stay for the rows to come: one in so many. */
#define FREE_SHARE      4

void spg_prune_begin(
	struct spg_db *db, int64_t now_ns, int64_t retain_ns, uint64_t retain_bytes)
{
	db->prune = (struct spg_prune){
		.phase = SPG_PRUNE_AGE,
		.retain_ns = retain_ns,
		.retain_bytes = retain_bytes,
		.cut_ns = retain_ns > 0 ? now_ns - retain_ns : INT64_MIN,
		.horizon_ns = retain_ns > 0 ? now_ns - retain_ns : INT64_MIN,
	};
}

static void enter_phase(struct spg_db *db, int phase)
{
	db->prune.phase = phase;
	db->prune.cursor = 0;
}

/* Delete the events of @block that are older than @cut_ns. */
static int prune_block(struct spg_db *db, int64_t block, int64_t cut_ns)
{
	int64_t first = block << SPG_BLOCK_SHIFT, last = first + SPG_BLOCK_ROWS - 1;
	int64_t min_at = 0;
	int r;

	r = spg_db_run(db, SPG_SQL_PRUNE_SUBJECTS, "iiii", block, first, last, cut_ns);
	if (r == 0)
		r = spg_db_run(db, SPG_SQL_PRUNE_DETAILS, "iii", first, last, cut_ns);
	if (r == 0)
		r = spg_db_run(db, SPG_SQL_PRUNE_GAPS, "iii", first, last, cut_ns);
	if (r == 0)
		r = spg_db_run(db, SPG_SQL_PRUNE_VERDICTS, "iii", first, last, cut_ns);
	if (r == 0)
		r = spg_db_run(db, SPG_SQL_PRUNE_EVENTS, "iii", first, last, cut_ns);
	if (r < 0)
		return r;
	db->now.rows -= sqlite3_changes64(db->sql);
	if (db->now.rows < 0)
		db->now.rows = 0;
	db->prune.deleted = db->prune.worked = true;
	r = spg_db_get(db, SPG_SQL_BLOCK_REMAINS, &min_at, "ii", first, last);
	if (r == SPG_DB_NONE)
		return spg_db_run(db, SPG_SQL_BLOCK_REMOVE, "i", block);
	if (r == 0)
		r = spg_db_run(db, SPG_SQL_BLOCK_SET, "ii", block, min_at);
	return r;
}

static int prune_age(struct spg_db *db)
{
	int64_t block;
	int r = 0;

	if (db->prune.retain_ns <= 0) {
		enter_phase(db, SPG_PRUNE_SIZE);
		return 0;
	}
	for (int i = 0; r == 0 && i < SLICE_BLOCKS; i++) {
		r = spg_db_get(db, SPG_SQL_BLOCKS_OLD, &block, "i", db->prune.cut_ns);
		if (r == 0)
			r = prune_block(db, block, db->prune.cut_ns);
	}
	if (r == SPG_DB_NONE) {
		enter_phase(db, SPG_PRUNE_SIZE);
		r = 0;
	}
	return r;
}

static int count_pages(struct spg_db *db, int64_t *ret_used, int64_t *ret_free)
{
	int64_t all = 0;
	int r = spg_db_get(db, SPG_SQL_PAGE_COUNT, &all, "");

	if (r == 0)
		r = spg_db_get(db, SPG_SQL_FREE_COUNT, ret_free, "");
	*ret_used = all - *ret_free;
	return r < 0 ? r : 0;
}

static int64_t page_limit(const struct spg_db *db)
{
	/* The page size of every database that is made without another one. */
	return (int64_t)(db->prune.retain_bytes / 4096);
}

/* Delete at most @limit intervals of each kind that ended before the horizon. */
static int delete_intervals(struct spg_db *db, int64_t limit, int64_t *ret_n)
{
	int64_t horizon = db->prune.horizon_ns, n = 0;
	int r = spg_db_run(db, SPG_SQL_PRUNE_USES, "ii", horizon, limit);

	if (r == 0) {
		n = sqlite3_changes64(db->sql);
		r = spg_db_run(db, SPG_SQL_PRUNE_LOCKS, "ii", horizon, limit);
	}
	if (r < 0)
		return r;
	*ret_n = n + sqlite3_changes64(db->sql);
	if (*ret_n > 0)
		db->prune.deleted = db->prune.worked = true;
	return 0;
}

static int prune_size(struct spg_db *db)
{
	int64_t used, unused = 0, block, n, newest = SPG_BLOCK_OF(db->now.last_id);
	int r = count_pages(db, &used, &unused);
	/* Once over the limit, go a little below it: not a slice each time. */
	int64_t limit = page_limit(db) - (db->prune.cursor ? page_limit(db) / 20 : 0);

	if (r < 0)
		return r;
	if (db->prune.retain_bytes == 0 || used <= limit) {
		enter_phase(db, SPG_PRUNE_INTERVALS);
		return 0;
	}
	db->prune.cursor = 1;
	for (int i = 0; r == 0 && i < SLICE_BLOCKS; i++) {
		r = spg_db_get(db, SPG_SQL_BLOCK_OLDEST, &block, "");
		if (r == 0 && block >= newest)
			r = SPG_DB_NONE;
		if (r == 0)
			r = prune_block(db, block, INT64_MAX);
	}
	if (r < 0)
		return r;
	if (r == SPG_DB_NONE)
		enter_phase(db, SPG_PRUNE_INTERVALS);
	/* Intervals that end before the first event that is left go too, and at
	 * once: their space counts. */
	r = spg_db_get(db, SPG_SQL_OLDEST_AT, &block, "");
	if (r == 0 && block > db->prune.horizon_ns)
		db->prune.horizon_ns = block;
	return r < 0 ? r : delete_intervals(db, SLICE_BLOCKS * SPG_BLOCK_ROWS, &n);
}

static int prune_intervals(struct spg_db *db)
{
	int64_t n = 0;
	int r = delete_intervals(db, SLICE_INTERVALS, &n);

	if (r == 0 && n == 0)
		enter_phase(
			db, db->prune.deleted ? SPG_PRUNE_PROCESSES : SPG_PRUNE_VACUUM);
	return r;
}

/* Delete what nobody refers to, in the next @slice rows of a table. */
static int sweep(struct spg_db *db, enum spg_sql which, int64_t slice)
{
	int64_t last = 0, from = db->prune.cursor + 1;
	int64_t table = which == SPG_SQL_SWEEP_PROCESSES ? 0
	                : which == SPG_SQL_SWEEP_FILES   ? 1
	                                                 : 2;
	int r = spg_db_get(db, SPG_SQL_LAST_ROW, &last, "i", table);

	if (r < 0)
		return r;
	if (r == SPG_DB_NONE || from > last) {
		enter_phase(db, (int)db->prune.phase + 1);
		return 0;
	}
	r = spg_db_run(db, which, "ii", from, from + slice - 1);
	db->prune.cursor += slice;
	db->prune.worked = true;
	return r;
}

static int vacuum(struct spg_db *db)
{
	int64_t used, unused = 0;
	int r = count_pages(db, &used, &unused);
	int64_t limit = page_limit(db);

	if (r < 0)
		return r;
	if (unused == 0 || ((limit == 0 || used + unused <= limit) &&
				   unused <= SLICE_PAGES + used / FREE_SHARE)) {
		enter_phase(db, SPG_PRUNE_IDLE);
		return 0;
	}
	/* A database that was made without auto_vacuum never shrinks. */
	if (db->prune.cursor != 0 && unused >= db->prune.cursor) {
		enter_phase(db, SPG_PRUNE_IDLE);
		return 0;
	}
	db->prune.cursor = unused;
	db->prune.worked = true;
	_Static_assert(SLICE_PAGES == 256, "named in the statement");
	return spg_db_exec(db, "PRAGMA incremental_vacuum(256)");
}

static int run_phase(struct spg_db *db)
{
	switch (db->prune.phase) {
	case SPG_PRUNE_AGE:
		return prune_age(db);
	case SPG_PRUNE_SIZE:
		return prune_size(db);
	case SPG_PRUNE_INTERVALS:
		return prune_intervals(db);
	case SPG_PRUNE_PROCESSES:
		return sweep(db, SPG_SQL_SWEEP_PROCESSES, SLICE_ROWS);
	case SPG_PRUNE_FILES:
		return sweep(db, SPG_SQL_SWEEP_FILES, SLICE_ROWS);
	case SPG_PRUNE_TEXTS:
		return sweep(db, SPG_SQL_SWEEP_TEXTS, SLICE_TEXTS);
	case SPG_PRUNE_VACUUM:
		return vacuum(db);
	case SPG_PRUNE_IDLE:
		break;
	}
	return 0;
}

int spg_prune_slice(struct spg_db *db, int64_t now_ns)
{
	int64_t oldest = 0;
	int r;

	if (db->prune.phase == SPG_PRUNE_IDLE)
		return 0;
	r = spg_db_begin(db, false);
	db->prune.worked = false;
	while (r == 0 && db->prune.phase != SPG_PRUNE_IDLE && !db->prune.worked)
		r = run_phase(db);
	/* A round that finds nothing to do leaves no trace on the disk. */
	if (r == 0 && !db->prune.worked)
		return spg_db_run(db, SPG_SQL_ROLLBACK, "");
	if (r == 0) {
		r = spg_db_get(db, SPG_SQL_OLDEST_AT, &oldest, "");
		db->now.oldest_ns = r == 0 ? oldest : 0;
		r = r < 0 ? r : 0;
	}
	if (r == 0)
		r = spg_db_commit(db, now_ns);
	if (r < 0) {
		spg_db_rollback(db);
		db->prune.phase = SPG_PRUNE_IDLE;
		return r;
	}
	/* Rows that the caches know may be gone, or their notes. */
	if (db->prune.deleted)
		spg_intern_forget(db->intern);
	return db->prune.phase == SPG_PRUNE_IDLE ? 0 : SPG_PRUNE_MORE;
}
