/* SPDX-License-Identifier: MIT */
/*
 * The intervals are read in slices, first those that last, then those that ended
 * in the period, by the index on their end. Which of them are about the product
 * is found out here, from the path of each file, once as long as it is remembered.
 */
#include "daemon/store/intervals.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "daemon/store/writer.h"

/* Rows between two looks at what else is to be done: some milliseconds. */
#define SLICE       2000

/* Files and processes that are remembered. */
#define N_FILES     4096
#define N_PROCESSES 1024

enum phase {
	USES_OPEN,
	USES_ENDED,
	LOCKS_OPEN,
	LOCKS_ENDED,
	GAPS,
	PHASES,
};

static const enum spg_sql statements[] = {
	[USES_OPEN] = SPG_SQL_USES_OPEN,
	[USES_ENDED] = SPG_SQL_USES_ENDED,
	[LOCKS_OPEN] = SPG_SQL_LOCKS_OPEN,
	[LOCKS_ENDED] = SPG_SQL_LOCKS_ENDED,
	[GAPS] = SPG_SQL_GAPS_BEHIND,
};

struct known_file {
	int64_t row;
	char *path; /* NULL: not the product's */
};

struct known_process {
	int64_t row;
	char *name, *exe, *unit;
	int32_t pid;
};

struct reading {
	struct spg_store_intervals_question question;
	void (*done)(void *user, int err, void *data);
	/* Where it stands: the last row read. */
	enum phase phase;
	int64_t row, until_ns;
	bool begun;
	uint64_t dev, ino; /* of the database: in another one rows mean another thing */
	int64_t product_text; /* row of the product's name; 0: it has none */
	struct known_file files[N_FILES];
	struct known_process processes[N_PROCESSES];
};

/* ---- what rows refer to ---- */

/* *@ret stays NULL when the file is not the product's. */
static int find_file(
	struct reading *reading, struct spg_db *db, int64_t row, const char **ret)
{
	struct known_file *known = &reading->files[(size_t)row % N_FILES];
	const char *path;
	sqlite3_stmt *s;
	int rc, r = 0;

	if (known->row == row) {
		*ret = known->path;
		return 0;
	}
	s = spg_db_bind(db, SPG_SQL_FILE_GET, &r, "i", row);
	if (!s)
		return r;
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		path = (const char *)sqlite3_column_text(s, 0);
		free(known->path);
		*known = (struct known_file){row, NULL};
		if (path && spg_product_has_path(reading->question.product, path)) {
			*ret = known->path = strdup(path);
			r = known->path ? 0 : SPG_ERR_NOMEM;
		}
	} else if (rc != SQLITE_DONE) { /* which a sound database never has */
		r = spg_db_fail(db, rc, "read");
	}
	sqlite3_reset(s);
	return r;
}

static void forget_process(struct known_process *known)
{
	free(known->name);
	free(known->exe);
	free(known->unit);
	*known = (struct known_process){0};
}

static int keep_text(sqlite3_stmt *s, int column, char **ret)
{
	const char *text = (const char *)sqlite3_column_text(s, column);

	*ret = text ? strdup(text) : NULL;
	return text && !*ret ? SPG_ERR_NOMEM : 0;
}

/* *@ret stays NULL when no process shows itself. */
static int find_process(struct reading *reading, struct spg_db *db, int64_t row,
	const struct known_process **ret)
{
	struct known_process *known = &reading->processes[(size_t)row % N_PROCESSES];
	sqlite3_stmt *s;
	int rc, r = 0;

	if (row == 0)
		return 0;
	*ret = known;
	if (known->row == row)
		return 0;
	forget_process(known);
	s = spg_db_bind(db, SPG_SQL_PROCESS_WHO, &r, "i", row);
	if (!s)
		return r;
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		r = keep_text(s, 0, &known->name);
		if (r == 0)
			r = keep_text(s, 1, &known->exe);
		if (r == 0)
			r = keep_text(s, 2, &known->unit);
		known->pid = sqlite3_column_int(s, 3);
		known->row = r == 0 ? row : 0;
	} else if (rc != SQLITE_DONE) {
		r = spg_db_fail(db, rc, "read");
	}
	sqlite3_reset(s);
	return r;
}

/* ---- rows ---- */

/* Of a row: interval, since, until, cut, file, process, how. */
static int tell_interval(struct reading *reading, struct spg_db *db, sqlite3_stmt *s)
{
	const struct spg_store_intervals_question *q = &reading->question;
	const struct known_process *process = NULL;
	struct spg_store_interval interval = {
		.from_ns = sqlite3_column_int64(s, 1),
		.to_ns = sqlite3_column_int64(s, 2),
		.open = sqlite3_column_type(s, 2) == SQLITE_NULL,
		.cut = sqlite3_column_int64(s, 3) != 0,
		.how = (unsigned)sqlite3_column_int(s, 6),
	};
	int r;

	reading->row = sqlite3_column_int64(s, 0);
	reading->until_ns = interval.to_ns;
	if (interval.from_ns >= q->until_ns)
		return 0;
	r = find_file(reading, db, sqlite3_column_int64(s, 4), &interval.path);
	if (r < 0 || !interval.path)
		return r;
	r = find_process(reading, db, sqlite3_column_int64(s, 5), &process);
	if (r < 0)
		return r;
	if (interval.open)
		interval.to_ns = q->until_ns;
	if (process) {
		interval.name = process->name;
		interval.exe = process->exe;
		interval.unit = process->unit;
		interval.pid = process->pid;
	}
	return q->on_interval(q->data, &interval);
}

/* Of a row: event, since, until, reason, at, product. */
static int tell_gap(struct reading *reading, sqlite3_stmt *s)
{
	const struct spg_store_intervals_question *q = &reading->question;
	int64_t since = sqlite3_column_int64(s, 1), until = sqlite3_column_int64(s, 2);
	int64_t product = sqlite3_column_int64(s, 5);

	reading->row = sqlite3_column_int64(s, 0);
	if (sqlite3_column_int64(s, 3) == SPG_GAP_MERGED)
		return 0;
	/* One that names no product concerns all. */
	if (product != 0 && product != reading->product_text)
		return 0;
	if (until == 0)
		until = sqlite3_column_int64(s, 4);
	if (since >= q->until_ns || until <= q->since_ns)
		return 0;
	return q->on_unseen(q->data, since, until, sqlite3_column_int(s, 3));
}

static sqlite3_stmt *bind_slice(
	struct reading *reading, struct spg_db *db, int *ret_err)
{
	enum spg_sql which = statements[reading->phase];

	if (reading->phase == USES_ENDED || reading->phase == LOCKS_ENDED)
		return spg_db_bind(db, which, ret_err, "iii", reading->row,
			(int64_t)SLICE, reading->until_ns);
	return spg_db_bind(db, which, ret_err, "ii", reading->row, (int64_t)SLICE);
}

static void enter_phase(struct reading *reading, enum phase phase)
{
	reading->phase = phase;
	/* Those that ended in the very moment since_ns do not overlap. */
	reading->until_ns = reading->question.since_ns;
	reading->row = phase == USES_ENDED || phase == LOCKS_ENDED ? INT64_MAX : -1;
}

static int read_slice(struct reading *reading, struct spg_db *db)
{
	int rc = SQLITE_DONE, n = 0, r = 0;
	sqlite3_stmt *s = bind_slice(reading, db, &r);

	if (!s)
		return r;
	while (r == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		n++;
		r = reading->phase == GAPS ? tell_gap(reading, s)
		                           : tell_interval(reading, db, s);
	}
	if (r == 0 && rc != SQLITE_DONE)
		r = spg_db_fail(db, rc, "read");
	sqlite3_reset(s);
	if (r == 0 && n < SLICE)
		enter_phase(reading, reading->phase + 1);
	return r;
}

static int begin(struct reading *reading, struct spg_db *db)
{
	const struct spg_store_intervals_question *q = &reading->question;
	int r = spg_intern_find_text(db, q->product->name, &reading->product_text);

	if (r < 0)
		return r;
	reading->begun = true;
	reading->dev = db->dev;
	reading->ino = db->ino;
	enter_phase(reading, USES_OPEN);
	if (db->saved.oldest_ns == 0)
		return q->on_unseen(q->data, q->since_ns, q->until_ns, -1);
	if (db->saved.oldest_ns > q->since_ns)
		return q->on_unseen(q->data, q->since_ns, db->saved.oldest_ns, -1);
	return 0;
}

static int run(struct spg_db *db, void *data)
{
	struct reading *reading = data;
	int r = reading->begun ? 0 : begin(reading, db);

	if (r == 0 && (reading->dev != db->dev || reading->ino != db->ino))
		r = SPG_ERR_CORRUPT;
	if (r == 0)
		r = read_slice(reading, db);
	if (r == 0 && reading->phase < PHASES)
		return SPG_JOB_MORE;
	if (r == 0 && reading->question.on_end)
		r = reading->question.on_end(reading->question.data);
	return r;
}

static void on_done(void *user, int err, void *data)
{
	struct reading *reading = data;

	reading->done(user, err, reading->question.data);
}

static void release(void *data)
{
	struct reading *reading = data;

	for (size_t i = 0; i < N_PROCESSES; i++)
		forget_process(&reading->processes[i]);
	for (size_t i = 0; i < N_FILES; i++)
		free(reading->files[i].path);
	spg_product_unref(reading->question.product);
	if (reading->question.release)
		reading->question.release(reading->question.data);
	free(reading);
}

void spg_store_read_intervals(struct spg_store *store,
	const struct spg_store_intervals_question *question,
	void (*done)(void *user, int err, void *data), void *user)
{
	struct reading *reading = calloc(1, sizeof(*reading));

	if (!reading) {
		done(user, SPG_ERR_NOMEM, question->data);
		if (question->release)
			question->release(question->data);
		return;
	}
	reading->question = *question;
	reading->question.product = spg_product_ref(question->product);
	reading->done = done;
	spg_store_submit(store,
		&(struct spg_job){.run = run,
			.done = on_done,
			.release = release,
			.data = reading},
		user);
}
