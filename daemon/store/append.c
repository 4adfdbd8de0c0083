/* SPDX-License-Identifier: MIT */
#include "daemon/store/database.h"

#include <string.h>

#include "common/err.h"

/* An event's rows in other tables. */
struct rows {
	int64_t file, process, product; /* 0: none */
};

/* Bind row @i of those gathered, from parameter @first on. */
static int bind_row(struct spg_db *db, sqlite3_stmt *s, size_t i, int first)
{
	const int64_t *columns = db->rows.columns[i];
	int rc = SQLITE_OK;

	for (int c = 0; rc == SQLITE_OK && c < SPG_EVENT_COLUMNS; c++)
		rc = c >= 3 && columns[c] == 0
		             ? sqlite3_bind_null(s, first + c)
		             : sqlite3_bind_int64(s, first + c, columns[c]);
	return rc;
}

/* Write @n rows gathered with one run of @which. */
static int write_rows(struct spg_db *db, enum spg_sql which, size_t from, size_t n)
{
	int r = 0, rc = SQLITE_OK;
	sqlite3_stmt *s = spg_db_bind(db, which, &r, "");

	if (!s)
		return r;
	for (size_t i = 0; rc == SQLITE_OK && i < n; i++)
		rc = bind_row(db, s, from + i, (int)i * SPG_EVENT_COLUMNS + 1);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc != SQLITE_DONE)
		r = spg_db_fail(db, rc, "write");
	sqlite3_reset(s);
	return r;
}

static int gather_row(struct spg_db *db, const int64_t columns[SPG_EVENT_COLUMNS])
{
	int r = 0;

	memcpy(db->rows.columns[db->rows.n], columns, sizeof(db->rows.columns[0]));
	if (++db->rows.n == SPG_EVENT_MANY) {
		r = write_rows(db, SPG_SQL_EVENT_ADD_MANY, 0, SPG_EVENT_MANY);
		db->rows.n = 0;
	}
	return r;
}

static int flush_block(struct spg_db *db)
{
	struct spg_db_block b = db->block;

	db->block.id = SPG_BLOCK_NONE;
	if (b.id == SPG_BLOCK_NONE)
		return 0;
	return spg_db_run(
		db, SPG_SQL_BLOCK_ADD, "iiii", b.id, b.min_at, b.max_at, b.kinds);
}

int spg_db_flush(struct spg_db *db)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < db->rows.n; i++)
		r = write_rows(db, SPG_SQL_EVENT_ADD, i, 1);
	db->rows.n = 0;
	if (r == 0)
		r = flush_block(db);
	return r;
}

static int enter_block(struct spg_db *db, const struct spg_event *event)
{
	struct spg_db_block *b = &db->block;
	int64_t id = SPG_BLOCK_OF(event->id);

	if (b->id != id) {
		int r = flush_block(db);

		if (r < 0)
			return r;
		*b = (struct spg_db_block){id, event->at_ns, event->at_ns, 0};
	}
	if (event->at_ns < b->min_at)
		b->min_at = event->at_ns;
	if (event->at_ns > b->max_at)
		b->max_at = event->at_ns;
	b->kinds |= event->kinds | SPG_EVENT_BIT(event->kind);
	if (!event->file)
		b->kinds |= SPG_BLOCK_NO_FILE;
	return 0;
}

static int intern_all(
	struct spg_db *db, const struct spg_event *event, struct rows *rows)
{
	int64_t block = SPG_BLOCK_OF(event->id);
	int r = 0;

	if (event->file)
		r = spg_intern_file(db, event->file, block, &rows->file);
	if (r == 0 && event->process)
		r = spg_intern_process(db, event->process, block, &rows->process);
	if (r == 0 && event->product)
		r = spg_intern_product(db, event->product, block, &rows->product);
	return r;
}

static int add_event(
	struct spg_db *db, const struct spg_event *event, const struct rows *rows)
{
	uint32_t bit = SPG_EVENT_BIT(event->kind);
	uint32_t merged = event->kinds == bit ? 0 : event->kinds | bit;

	return gather_row(
		db, (const int64_t[SPG_EVENT_COLUMNS]){event->id, event->at_ns,
			    event->kind, merged == bit ? 0 : merged, rows->file,
			    rows->process, rows->product});
}

static bool has_lock(enum spg_event_kind kind)
{
	return kind == SPG_EVENT_LOCK || kind == SPG_EVENT_UNLOCK ||
	       kind == SPG_EVENT_LOCK_WAIT || kind == SPG_EVENT_LOCK_FAIL;
}

static int add_detail(struct spg_db *db, const struct spg_event *event)
{
	const struct spg_event_lock *lock = &event->lock;

	if (has_lock(event->kind))
		return spg_db_run(db, SPG_SQL_DETAIL_ADD, "innniiiez--", event->id,
			event->interval, event->since_ns, (int64_t)event->how,
			(int64_t)lock->kind, (int64_t)lock->mode, lock->start,
			lock->end, event->detail);
	if (event->interval == 0 && event->since_ns == 0 && event->how == 0 &&
		!event->detail)
		return 0;
	return spg_db_run(db, SPG_SQL_DETAIL_ADD, "innn----znn", event->id,
		event->interval, event->since_ns, (int64_t)event->how, event->detail,
		event->subject,
		(int64_t)(event->kind == SPG_EVENT_SIDESTEP ? (int)event->sidestep
							    : (int)event->outcome));
}

static int64_t begun_at(const struct spg_event *event)
{
	return event->since_ns ? event->since_ns : event->at_ns;
}

static int add_lock(
	struct spg_db *db, const struct spg_event *event, const struct rows *rows)
{
	const struct spg_event_lock *lock = &event->lock;
	int64_t state =
		event->kind == SPG_EVENT_LOCK_WAIT ? SPG_LOCK_WAITING : SPG_LOCK_HELD;

	if (event->kind == SPG_EVENT_UNLOCK)
		return spg_db_run(db, SPG_SQL_LOCK_END, "inniiieiii", event->interval,
			rows->file, rows->process, (int64_t)lock->kind,
			(int64_t)lock->mode, lock->start, lock->end, state,
			begun_at(event), event->at_ns);
	return spg_db_run(db, SPG_SQL_LOCK_BEGIN, "inniiieii", event->interval,
		rows->file, rows->process, (int64_t)lock->kind, (int64_t)lock->mode,
		lock->start, lock->end, state, event->at_ns);
}

/* What the kind of event asks for besides its row in events. */
static int add_others(
	struct spg_db *db, const struct spg_event *event, const struct rows *rows)
{
	const struct spg_event_gap *gap = &event->gap;

	switch (event->kind) {
	case SPG_EVENT_USE_BEGIN:
		if (event->interval == 0)
			return 0;
		return spg_db_run(db, SPG_SQL_USE_BEGIN, "innii", event->interval,
			rows->file, rows->process, (int64_t)event->how, event->at_ns);
	case SPG_EVENT_USE_END:
		if (event->interval == 0)
			return 0;
		return spg_db_run(db, SPG_SQL_USE_END, "inniii", event->interval,
			rows->file, rows->process, (int64_t)event->how, begun_at(event),
			event->at_ns);
	case SPG_EVENT_LOCK:
	case SPG_EVENT_UNLOCK:
	case SPG_EVENT_LOCK_WAIT:
		return event->interval ? add_lock(db, event, rows) : 0;
	case SPG_EVENT_GAP:
		return spg_db_run(db, SPG_SQL_GAP_ADD, "iinni", event->id,
			(int64_t)gap->reason, gap->since_ns, gap->until_ns,
			(int64_t)gap->count);
	case SPG_EVENT_VERDICT:
		return spg_db_run(db, SPG_SQL_VERDICT_ADD, "ii", event->id,
			(int64_t)event->verdict);
	default:
		return 0;
	}
}

int spg_db_append(struct spg_db *db, struct spg_event *event)
{
	struct rows rows = {0};
	int r = enter_block(db, event);

	if (r == 0)
		r = intern_all(db, event, &rows);
	if (r == 0)
		r = add_event(db, event, &rows);
	if (r == 0)
		r = add_detail(db, event);
	if (r == 0)
		r = add_others(db, event, &rows);
	if (r < 0)
		return r;
	db->now.rows++;
	if (event->id > db->now.last_id)
		db->now.last_id = event->id;
	if (event->interval > db->now.last_interval)
		db->now.last_interval = event->interval;
	if (db->now.oldest_ns == 0 || event->at_ns < db->now.oldest_ns)
		db->now.oldest_ns = event->at_ns;
	return 0;
}

int spg_db_close_interval(struct spg_db *db, int64_t interval, int64_t at_ns)
{
	int r = spg_db_run(db, SPG_SQL_USE_CLOSE, "ii", interval, at_ns);

	if (r == 0)
		r = spg_db_run(db, SPG_SQL_LOCK_CLOSE, "ii", interval, at_ns);
	return r;
}

int spg_db_cut_intervals(struct spg_db *db, int64_t at_ns)
{
	int r = spg_db_run(db, SPG_SQL_USE_CUT, "i", at_ns);

	if (r == 0)
		r = spg_db_run(db, SPG_SQL_LOCK_CUT, "i", at_ns);
	return r;
}
