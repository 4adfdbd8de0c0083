/* SPDX-License-Identifier: MIT */
#include "daemon/store/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#define BEAT_NS            (30 * SPG_NS_PER_S)
#define RETRY_NS           (5 * SPG_NS_PER_S)
#define STOP_RETRY_NS      (100 * SPG_NS_PER_MS)
/* While another program has the database locked. */
#define LOCKED_RETRY_NS    (100 * SPG_NS_PER_MS)
#define LOCKED_PATIENCE_NS (3 * SPG_NS_PER_S) /* of who waits for an answer */

/* ---- what others are told of it ---- */

static enum spg_store_fault fault_of(int err)
{
	switch (err) {
	case SPG_ERR_FULL:
		return SPG_STORE_FAULT_FULL;
	case SPG_ERR_BUSY:
		return SPG_STORE_FAULT_LOCKED;
	case SPG_ERR_DENIED:
		return SPG_STORE_FAULT_DENIED;
	case SPG_ERR_CORRUPT:
		return SPG_STORE_FAULT_DAMAGED;
	case SPG_ERR_NOMEM:
		return SPG_STORE_FAULT_MEMORY;
	default:
		return SPG_STORE_FAULT_DISK;
	}
}

static void set_fault(struct spg_store *store, bool stopped, enum spg_store_fault fault,
	const char *why)
{
	uv_mutex_lock(&store->mutex);
	store->status.stopped = stopped;
	store->status.faulty = true;
	store->status.fault = fault;
	snprintf(store->status.why, sizeof(store->status.why), "%s", why);
	uv_mutex_unlock(&store->mutex);
}

static void clear_fault(struct spg_store *store)
{
	uv_mutex_lock(&store->mutex);
	store->status.stopped = store->status.faulty = false;
	store->status.why[0] = '\0';
	uv_mutex_unlock(&store->mutex);
}

/* ---- the database is locked by another program ---- */

/* Nothing is lost by that as long as the queue takes what comes. */
static void note_locked(struct spg_store *store)
{
	int64_t now = spg_clock_mono_ns();

	store->retry_mono_ns = now + LOCKED_RETRY_NS;
	if (store->locked)
		return;
	store->locked = true;
	store->locked_mono_ns = now;
	/* A statement that waits keeps questions waiting, too. */
	spg_db_set_patience(&store->db, 0);
	spg_warning("history waits: another program has %s locked; up to %zu events "
		    "are kept until it lets go",
		store->db.path, store->queue_max);
	set_fault(store, false, SPG_STORE_FAULT_LOCKED,
		"another program has the database locked: let it finish, or end it");
}

static void note_unlocked(struct spg_store *store)
{
	if (!store->locked)
		return;
	spg_notice("history goes on: %s was locked for %.1f s", store->db.path,
		(double)(spg_clock_mono_ns() - store->locked_mono_ns) / SPG_NS_PER_S);
	store->locked = false;
	spg_db_set_patience(&store->db, SPG_DB_PATIENCE_MS);
	clear_fault(store);
}

/* ---- history stopped ---- */

/* Writing failed: count instead, until a retry succeeds. */
static void stop_history(struct spg_store *store, int err)
{
	store->retry_mono_ns = spg_clock_mono_ns() + RETRY_NS;
	store->stop_err = err;
	if (!store->stopped)
		spg_log_as(SPG_LOG_ERROR, SPG_LOG_ID_STORE_STOPPED,
			"history is stopped: %s (%s); what happens meanwhile is "
			"counted and becomes a gap, and writing is tried again "
			"every 5 s",
			store->db.why, store->db.path);
	store->stopped = true;
	set_fault(store, true, fault_of(err), store->db.why);
}

static void resume_history(struct spg_store *store)
{
	spg_log_as(SPG_LOG_NOTICE, SPG_LOG_ID_STORE_RESUMED, "history goes on in %s",
		store->db.path);
	store->stopped = false;
	clear_fault(store);
}

/* Count the events in hand from @from on as lost. */
static void lose_taken(struct spg_store *store, size_t from)
{
	uv_mutex_lock(&store->mutex);
	for (size_t i = from; i < store->n_taken; i++)
		spg_store_note_dropped(&store->status, store->taken[i]->at_ns);
	uv_mutex_unlock(&store->mutex);
	for (size_t i = from; i < store->n_taken; i++)
		spg_loss_add(&store->lost, store->taken[i], SPG_LOSS_STOPPED);
}

/* ---- gap rows ---- */

/* The row becomes known to the loop when it is committed: see tell_gap(). */
static int append_gap(struct spg_store *store, int64_t id,
	const struct spg_event_gap *gap, const char *detail)
{
	struct spg_db *db = &store->db;
	struct spg_event *event =
		spg_event_create(SPG_EVENT_GAP, spg_clock_wall_ns(), NULL, NULL);
	int r = SPG_ERR_NOMEM;

	if (event)
		event->detail = strdup(detail);
	if (event && event->detail) {
		event->id = id;
		event->gap = *gap;
		r = spg_db_append(db, event);
	} else {
		snprintf(db->why, sizeof(db->why), "out of memory");
	}
	if (r == 0) {
		spg_event_unref(store->saying);
		store->saying = spg_event_ref(event);
	}
	spg_event_unref(event);
	return r;
}

/* With the mutex. Once the loop has given the thread up, its handle is gone. */
static void wake_loop(struct spg_store *store)
{
	if (!store->abandoned)
		uv_async_send(&store->async);
}

/* The transaction of the gap row ended: announce the row, or forget it. */
static void tell_gap(struct spg_store *store, bool committed)
{
	struct spg_event *event = store->saying;

	store->saying = NULL;
	/* Before the loop's handle is there, the start tells of it. */
	if (!event || !committed || !store->async.data) {
		spg_event_unref(event);
		return;
	}
	uv_mutex_lock(&store->mutex);
	(void)spg_event_list_add(&store->told, event);
	wake_loop(store);
	uv_mutex_unlock(&store->mutex);
}

static int append_loss(struct spg_store *store, const struct spg_loss *loss)
{
	struct spg_db *db = &store->db;
	const struct spg_event_gap gap = {
		loss->why == SPG_LOSS_BEHIND ? SPG_GAP_DROPPED : SPG_GAP_STORE,
		loss->first_ns, loss->last_ns, loss->count};
	int r = append_gap(store, loss->last_id, &gap,
		loss->why & SPG_LOSS_STOPPED ? "the database could not be written"
		: loss->why & SPG_LOSS_LOCKED
			? "another program had the database locked for so long that "
			  "the queue was full"
			: "events came faster than they could be written");

	for (size_t i = 0; r == 0 && i < loss->n_ends; i++)
		r = spg_db_close_interval(
			db, loss->ends[i].interval, loss->ends[i].at_ns);
	/* Which ones ended is not known: what goes on is corrected at its end. */
	if (r == 0 && loss->more_ends)
		r = spg_db_cut_intervals(db, loss->first_ns);
	return r;
}

/* Write the gap row for everything lost so far; without a loss just a sign of
 * life. */
static int write_loss(struct spg_store *store, bool sync)
{
	struct spg_db *db = &store->db;
	int r = spg_db_begin(db, sync);

	if (r == 0 && store->lost.count > 0)
		r = append_loss(store, &store->lost);
	if (r == 0)
		r = spg_db_commit(db, spg_clock_wall_ns());
	else
		spg_db_rollback(db);
	tell_gap(store, r == 0);
	if (r == 0)
		spg_loss_finish(&store->lost);
	return r;
}

/* ---- a database that is damaged or gone ---- */

static void note_break(struct spg_store *store, const char *detail)
{
	const struct spg_db_counters *old = &store->db.saved;

	const struct spg_event_list *saved = &store->gone.saved;

	if (store->gone.pending)
		return;
	store->gone.pending = old->last_id > 0;
	store->gone.id = saved->n > 0 ? saved->events[0]->id - 1 : old->last_id;
	store->gone.since_ns = old->oldest_ns;
	store->gone.until_ns =
		saved->n > 0 ? saved->events[0]->at_ns : spg_clock_wall_ns();
	store->gone.count = (uint64_t)old->rows - saved->n;
	snprintf(store->gone.detail, sizeof(store->gone.detail), "%s", detail);
}

/* What was saved of the last one. Of what is there, nothing gets lost by a failure. */
static int write_saved(struct spg_store *store)
{
	struct spg_event_list *saved = &store->gone.saved;
	int r = saved->n > 0 ? spg_db_begin(&store->db, true) : SPG_DB_NONE;

	if (r == SPG_DB_NONE)
		return 0;
	for (size_t i = 0; r == 0 && i < saved->n; i++)
		r = spg_db_append(&store->db, saved->events[i]);
	if (r == 0)
		r = spg_db_commit(&store->db, spg_clock_wall_ns());
	else
		spg_db_rollback(&store->db);
	if (r == 0)
		spg_event_list_finish(saved);
	return r;
}

int spg_writer_record_break(struct spg_store *store)
{
	const struct spg_event_gap gap = {SPG_GAP_DAMAGED, store->gone.since_ns,
		store->gone.until_ns, store->gone.count};
	struct spg_db *db = &store->db;
	int r;

	if (!store->gone.pending)
		return write_saved(store);
	r = spg_db_begin(db, true);
	if (r == 0)
		r = append_gap(store, store->gone.id, &gap, store->gone.detail);
	if (r == 0)
		r = spg_db_commit(db, spg_clock_wall_ns());
	else
		spg_db_rollback(db);
	tell_gap(store, r == 0);
	if (r == 0)
		store->gone.pending = false;
	return r == 0 ? write_saved(store) : r;
}

/* Open anew after the connection was given up. Numbers go on. */
static int reopen(struct spg_store *store)
{
	struct spg_db_counters old = store->db.saved;
	struct spg_store_origin origin;
	char aside[80];
	int r = spg_db_keep_lock(&store->db);

	/* Where the directory is missing, opening says so. */
	if (r != SPG_ERR_BUSY)
		r = spg_db_open(&store->db, &origin, aside, sizeof(aside));
	if (r < 0) {
		store->db.saved = old;
		return r;
	}
	if (store->db.now.last_id < old.last_id)
		store->db.now.last_id = old.last_id;
	if (store->db.now.last_interval < old.last_interval)
		store->db.now.last_interval = old.last_interval;
	store->db.saved = store->db.now;
	return spg_writer_record_break(store);
}

/* What SQLite says is damaged is set aside; the next one begins empty. */
static int replace_damaged(struct spg_store *store)
{
	char aside[80], detail[256];
	int r = spg_db_set_aside(&store->db, aside, sizeof(aside));

	if (r == 0) {
		snprintf(detail, sizeof(detail),
			"the database was damaged and set aside as *.%s; earlier "
			"history is there",
			aside);
		note_break(store, detail);
		r = reopen(store);
	}
	return r;
}

static int never_interrupted(void *user)
{
	(void)user;
	return 0;
}

/* The open file can still be read: what came since it was last seen in its place goes
 * into the next one. What cannot be read counts as lost. */
static void save_latest(struct spg_store *store)
{
	struct spg_event_list *saved = &store->gone.saved;
	struct spg_store_query query = {.limit = SPG_STORE_PAGE_MAX};
	struct spg_event_list latest = SPG_EVENT_LIST_NULL; /* newest first */
	bool more = true;

	while (more && latest.n < store->queue_max) {
		struct spg_store_page page = {.more = false};
		int r = spg_db_query(
			&store->db, &query, &page, never_interrupted, NULL);
		size_t i = r == 0 ? page.events.n : 0;

		more = r == 0 && page.more;
		while (i > 0 && page.events.events[i - 1]->id > store->placed_id) {
			if (spg_event_list_add(&latest,
				    spg_event_ref(page.events.events[--i])) < 0)
				break;
			query.before_id = page.events.events[i]->id;
		}
		more = more && i == 0;
		spg_event_list_finish(&page.events);
	}
	spg_event_list_finish(saved);
	for (size_t i = latest.n; i > 0; i--)
		(void)spg_event_list_add(saved, spg_event_ref(latest.events[i - 1]));
	spg_event_list_finish(&latest);
}

/* Somebody removed or replaced the file: what is written goes nowhere. */
static int replace_missing(struct spg_store *store)
{
	spg_error(
		"database %s was removed or replaced while the daemon runs: beginning "
		"anew with what is there",
		store->db.path);
	if (!store->gone.pending)
		save_latest(store);
	note_break(store, "the database was removed or replaced by somebody");
	spg_db_disconnect(&store->db);
	spg_db_remove_log(&store->db);
	return reopen(store);
}

/* Is the open file still the one that others find, and nobody else's? When it is not,
 * begin anew. Returns 0, or a negative spg_err: history is stopped. */
static int look_after(struct spg_store *store)
{
	enum spg_db_place place = spg_db_place(&store->db);
	int r = 0;

	if (place == SPG_DB_IN_PLACE && spg_db_keep_lock(&store->db) == SPG_ERR_BUSY)
		r = SPG_ERR_BUSY;
	else if (place == SPG_DB_GONE)
		r = replace_missing(store);
	if (r < 0) {
		stop_history(store, r);
		return r;
	}
	if (place == SPG_DB_MOVED && !store->moved)
		spg_warning("the directory of %s was renamed: history goes on in the "
			    "renamed one, and a start will miss it",
			store->db.path);
	store->moved = place == SPG_DB_MOVED;
	if (!store->moved)
		store->placed_id = store->db.saved.last_id;
	return 0;
}

/* Deal with @err of a write. Returns 0 when it is worth another try at once. */
static int handle_failure(struct spg_store *store, int err)
{
	if (err == SPG_ERR_BUSY && !store->stopped) {
		note_locked(store);
		return err;
	}
	if (err == SPG_ERR_CORRUPT)
		err = replace_damaged(store);
	if (err < 0)
		stop_history(store, err);
	return err;
}

/* When it was worth another try, and that failed. */
static void give_up(struct spg_store *store, int err)
{
	if (err == SPG_ERR_BUSY)
		note_locked(store);
	else
		stop_history(store, err);
}

static int try_resume(struct spg_store *store)
{
	int r = 0;

	uv_mutex_lock(&store->mutex);
	spg_loss_merge(&store->lost, &store->loss);
	uv_mutex_unlock(&store->mutex);
	if (!store->db.sql)
		r = reopen(store);
	else
		r = look_after(store);
	if (r == 0)
		r = spg_writer_record_break(store);
	if (r == 0)
		r = write_loss(store, true);
	if (r == SPG_ERR_CORRUPT) {
		r = replace_damaged(store);
		if (r == 0)
			r = write_loss(store, true);
	}
	if (r < 0)
		stop_history(store, r);
	else
		resume_history(store);
	return r;
}

/* ---- batches ---- */

static int write_batch(struct spg_store *store, size_t from, size_t n, bool sync)
{
	struct spg_db *db = &store->db;
	int r = spg_db_begin(db, sync);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = spg_db_append(db, store->taken[from + i]);
	if (r == 0)
		r = spg_db_commit(db, spg_clock_wall_ns());
	else
		spg_db_rollback(db);
	if (r < 0)
		return r;
	uv_mutex_lock(&store->mutex);
	store->status.written += n;
	uv_mutex_unlock(&store->mutex);
	return r;
}

/* Write the loss if it came before event @next; nothing is stopped before. */
static int write_loss_before(struct spg_store *store, int64_t next)
{
	int r;

	if (store->lost.count == 0 || store->lost.last_id >= next)
		return 0;
	r = write_loss(store, true);
	if (r < 0 && handle_failure(store, r) == 0)
		r = write_loss(store, true);
	if (r < 0 && !store->stopped)
		give_up(store, r);
	return r;
}

/* One transaction of what is taken, from @from on. */
static int write_some(struct spg_store *store, size_t from, size_t n, bool sync)
{
	int r = store->stopped ? store->stop_err
	                       : write_loss_before(store, store->taken[from]->id);

	if (r == 0)
		r = write_batch(store, from, n, sync);
	/* A new database takes the batch that showed the damage. */
	if (r < 0 && !store->stopped && handle_failure(store, r) == 0) {
		r = write_batch(store, from, n, sync);
		if (r < 0)
			give_up(store, r);
	}
	if (r == 0)
		note_unlocked(store);
	return r;
}

static void write_taken(struct spg_store *store, bool sync)
{
	size_t n, left;

	for (; store->n_done < store->n_taken; store->n_done += n) {
		int r;

		n = store->n_taken - store->n_done;
		if (n > SPG_STORE_BATCH_ROWS)
			n = SPG_STORE_BATCH_ROWS;
		r = write_some(store, store->n_done, n, sync);
		if (r < 0 && !store->stopped)
			break; /* locked: they stay */
		if (r < 0) {
			lose_taken(store, store->n_done);
			n = store->n_taken - store->n_done;
		}
		for (size_t i = 0; i < n; i++)
			spg_event_unref(store->taken[store->n_done + i]);
	}
	left = store->n_taken - store->n_done;
	if (left == 0)
		store->n_taken = store->n_done = 0;
	if (left == 0 && !store->stopped && !store->locked)
		write_loss_before(store, INT64_MAX);
	uv_mutex_lock(&store->mutex);
	store->status.queue_rows = left;
	uv_mutex_unlock(&store->mutex);
}

/* Under the mutex. Returns true when the batch asks for an fsync. While the last batch
 * could not be written, the next one stays in the queue, which drops what is too much. */
static bool take_events(struct spg_store *store)
{
	struct spg_event **queue = store->queue;
	bool urgent = store->urgent;

	if (store->n_taken > 0)
		return false;
	store->queue = store->taken;
	store->taken = queue;
	store->n_taken = store->n_queue;
	store->status.queue_rows = store->n_queue;
	store->n_queue = 0;
	store->urgent = false;
	spg_loss_merge(&store->lost, &store->loss);
	return urgent;
}

static bool batch_due(const struct spg_store *store, int64_t now)
{
	return store->n_queue > 0 &&
	       (store->urgent || store->n_queue >= SPG_STORE_BATCH_ROWS ||
		       store->n_queue >= store->queue_max / 2 ||
		       now - store->queued_mono_ns >= store->batch_ns);
}

/* Has the other program let go? A try costs little: nothing waits within it. */
static void catch_up(struct spg_store *store)
{
	int r;

	if (store->n_taken > 0) {
		write_taken(store, true);
	} else {
		r = write_loss(store, true);
		if (r < 0)
			(void)handle_failure(store, r);
		else
			note_unlocked(store);
	}
	if (store->locked || store->stopped)
		return;
	/* What came meanwhile is on disk before a flush is answered. */
	uv_mutex_lock(&store->mutex);
	(void)take_events(store);
	uv_mutex_unlock(&store->mutex);
	write_taken(store, true);
}

/* ---- commands ---- */

static int serve_flush(struct spg_store *store)
{
	int r = 0;

	if (store->locked)
		catch_up(store);
	if (store->locked) {
		r = SPG_ERR_BUSY; /* nothing is lost, and nothing is on disk */
	} else if (store->stopped) {
		/* What was lost before the flush is not on disk, even if writing
		 * goes on from now. */
		r = store->lost.count > 0 ? store->stop_err : 0;
		try_resume(store);
		if (store->stopped)
			r = store->stop_err;
	} else if (look_after(store) < 0) {
		r = SPG_ERR_IO;
	} else if (store->db.unsynced) {
		r = write_loss(store, true);
		if (r < 0 && handle_failure(store, r) == 0)
			r = 0;
	}
	return r == 0 || r == SPG_ERR_FULL || r == SPG_ERR_BUSY ? r : SPG_ERR_IO;
}

/* Between two blocks of a long question: events have precedence. */
static int keep_up(void *user)
{
	struct spg_store *store = user;
	uint64_t dev = store->db.dev, ino = store->db.ino;
	bool due, stopping, sync = false;

	uv_mutex_lock(&store->mutex);
	stopping = store->stopping;
	due = !store->locked && batch_due(store, spg_clock_mono_ns());
	if (due)
		sync = take_events(store);
	uv_mutex_unlock(&store->mutex);
	if (due)
		write_taken(store, sync);
	/* In a database begun meanwhile, row numbers mean something else. */
	if (!store->db.sql || store->db.dev != dev || store->db.ino != ino)
		return SPG_ERR_CORRUPT;
	return stopping ? SPG_ERR_BUSY : 0;
}

static void serve_query(struct spg_store *store, struct spg_command *command)
{
	uint64_t ino = store->db.ino;
	int r = spg_db_query(
		&store->db, &command->query, &command->page, keep_up, store);

	if (r == SPG_ERR_CORRUPT && store->db.sql && store->db.ino == ino)
		handle_failure(store, r);
	command->err = r;
}

static int try_job(struct spg_store *store, const struct spg_job *job)
{
	struct spg_db *db = &store->db;
	int r;

	if (!job->writes) {
		while ((r = job->run(db, job->data)) == SPG_JOB_MORE)
			if ((r = keep_up(store)) < 0)
				break;
		return r;
	}
	r = spg_db_begin(db, true);
	if (r == 0)
		r = job->run(db, job->data);
	if (r == 0)
		return spg_db_commit(db, spg_clock_wall_ns());
	spg_db_rollback(db);
	return r;
}

/* Only what SQLite says of the disk or the file stops history: a record that is
 * not there, or memory that is short, is the job's own affair. */
static bool is_of_the_database(int err)
{
	return err == SPG_ERR_FULL || err == SPG_ERR_IO || err == SPG_ERR_CORRUPT ||
	       err == SPG_ERR_BUSY;
}

static int serve_job(struct spg_store *store, const struct spg_job *job)
{
	uint64_t ino;
	int r;

	if (store->stopped)
		try_resume(store);
	if (store->stopped || !store->db.sql)
		return store->stop_err;
	ino = store->db.ino;
	if (job->writes && store->locked)
		catch_up(store);
	if (job->writes && store->locked)
		return SPG_ERR_BUSY;
	r = try_job(store, job);
	if (r < 0 && !job->writes && r == SPG_ERR_BUSY)
		return r; /* the daemon stops */
	/* One that was begun anew while a long job ran is not at fault. */
	if (r < 0 && is_of_the_database(r) && store->db.sql && store->db.ino == ino &&
		handle_failure(store, r) == 0)
		r = try_job(store, job); /* in a database begun anew */
	return r;
}

/* Returns false when it has to wait for the program that has the database locked. */
static bool serve_one(struct spg_store *store, struct spg_command *command)
{
	bool is_job = command->kind == SPG_COMMAND_JOB;

	if (command->err < 0)
		return true; /* it could not be copied; its answer keeps its place */
	if (command->kind == SPG_COMMAND_QUERY) {
		serve_query(store, command);
		return true;
	}
	command->err = is_job ? serve_job(store, &command->job) : serve_flush(store);
	if (!store->locked || command->err != SPG_ERR_BUSY || store->last_turn ||
		(is_job && !command->job.writes))
		return true;
	if ((!is_job || !command->job.waits) &&
		spg_clock_mono_ns() - store->locked_mono_ns >= LOCKED_PATIENCE_NS)
		return true;
	command->err = 0;
	return false;
}

/* What has to wait stays in @commands. */
static void serve(struct spg_store *store, struct spg_command_list *commands)
{
	struct spg_command_list waiting;
	struct spg_command *command;

	spg_command_list_init(&waiting);
	while ((command = spg_command_list_take(commands))) {
		if (!serve_one(store, command)) {
			spg_command_list_add(&waiting, command);
			continue;
		}
		uv_mutex_lock(&store->mutex);
		spg_command_list_add(&store->done, command);
		wake_loop(store);
		uv_mutex_unlock(&store->mutex);
	}
	spg_command_list_append(commands, &waiting);
}

/* ---- the thread ---- */

static void publish(struct spg_store *store)
{
	uint64_t bytes = spg_db_bytes(&store->db);

	uv_mutex_lock(&store->mutex);
	store->status.rows = (uint64_t)store->db.saved.rows;
	store->status.oldest_ns = store->db.saved.oldest_ns;
	store->status.bytes = bytes;
	uv_mutex_unlock(&store->mutex);
}

static void beat(struct spg_store *store, int64_t now)
{
	int r;

	store->beat_mono_ns = now + BEAT_NS;
	if (look_after(store) < 0)
		return;
	r = write_loss(store, false);
	if (r < 0) {
		handle_failure(store, r);
		return;
	}
	uv_mutex_lock(&store->mutex);
	store->prune_now = true;
	uv_mutex_unlock(&store->mutex);
}

static void prune(struct spg_store *store)
{
	bool begin;
	int64_t retain_ns, now_ns = spg_clock_wall_ns();
	uint64_t retain_bytes;
	int r;

	uv_mutex_lock(&store->mutex);
	begin = store->prune_now;
	store->prune_now = false;
	retain_ns = store->retain_ns;
	retain_bytes = store->retain_bytes;
	uv_mutex_unlock(&store->mutex);
	if (begin)
		spg_prune_begin(&store->db, now_ns, retain_ns, retain_bytes);
	r = spg_prune_slice(&store->db, now_ns);
	if (r < 0)
		handle_failure(store, r);
}

/* Under the mutex: wait until something is due. */
static void wait_for_work(struct spg_store *store)
{
	for (;;) {
		int64_t now = spg_clock_mono_ns();
		bool fine = !store->stopped && !store->locked;
		int64_t until = fine ? store->beat_mono_ns : store->retry_mono_ns;

		if (store->stopping || store->commands.first || now >= until ||
			(!store->locked && batch_due(store, now)))
			return;
		if (fine && (store->prune_now || store->loss.count > 0 ||
				    store->db.prune.phase != SPG_PRUNE_IDLE))
			return;
		if (store->n_queue > 0 && !store->locked &&
			store->queued_mono_ns + store->batch_ns < until)
			until = store->queued_mono_ns + store->batch_ns;
		uv_cond_timedwait(&store->cond, &store->mutex, (uint64_t)(until - now));
	}
}

/* What is left while another program still has the database. */
static void lose_rest(struct spg_store *store)
{
	size_t n_queue;

	uv_mutex_lock(&store->mutex);
	n_queue = store->n_queue;
	uv_mutex_unlock(&store->mutex);
	spg_error("history: %llu events are lost with this stop: another program has "
		  "%s locked",
		(unsigned long long)(store->lost.count + n_queue + store->n_taken -
				     store->n_done),
		store->db.path);
	for (size_t i = store->n_done; i < store->n_taken; i++)
		spg_event_unref(store->taken[i]);
	store->n_taken = store->n_done = 0;
}

/* Write all that came, mark the stop as clean. Under no lock. */
static void finish_writing(struct spg_store *store)
{
	struct spg_db *db = &store->db;
	int r;

	/* What went with the file since the last look is not to be lost with it. */
	if (!store->stopped && !store->locked)
		(void)look_after(store);
	/* Nobody signals any more: pause between tries on the condition. */
	while (store->stopped && try_resume(store) < 0 &&
		spg_clock_mono_ns() + STOP_RETRY_NS < store->stop_mono_ns) {
		uv_mutex_lock(&store->mutex);
		uv_cond_timedwait(&store->cond, &store->mutex, STOP_RETRY_NS);
		uv_mutex_unlock(&store->mutex);
	}
	if (store->locked) {
		lose_rest(store);
	} else if (!store->stopped) {
		r = spg_db_begin(db, true);
		if (r == 0)
			r = spg_db_run(
				db, SPG_SQL_META_SET, "zi", "clean_stop", INT64_C(1));
		if (r == 0)
			r = spg_db_commit(db, spg_clock_wall_ns());
		else
			spg_db_rollback(db);
		if (r < 0)
			spg_warning("cannot mark the stop of the history: %s", db->why);
	} else {
		spg_error("history: %llu events are lost with this stop: %s",
			(unsigned long long)store->lost.count, db->why);
	}
	spg_db_disconnect(db);
}

static void work(struct spg_store *store, struct spg_command_list *commands, bool sync)
{
	int64_t now;

	if (!store->locked)
		write_taken(store, sync);
	else if (spg_clock_mono_ns() >= store->retry_mono_ns)
		catch_up(store);
	serve(store, commands);
	now = spg_clock_mono_ns();
	if (store->stopped && now >= store->retry_mono_ns)
		try_resume(store);
	if (!store->stopped && !store->locked && now >= store->beat_mono_ns)
		beat(store, now);
	if (!store->stopped && !store->locked)
		prune(store);
	publish(store);
}

static bool wants_flush(const struct spg_command_list *commands)
{
	for (const struct spg_command *c = commands->first; c; c = c->next)
		if (c->kind == SPG_COMMAND_FLUSH)
			return true;
	return false;
}

/* The daemon stops: for so long as it may take. Under no lock. */
static void await_unlocked(struct spg_store *store)
{
	if (store->locked)
		catch_up(store);
	while (store->locked &&
		spg_clock_mono_ns() + STOP_RETRY_NS < store->stop_mono_ns) {
		uv_mutex_lock(&store->mutex);
		uv_cond_timedwait(&store->cond, &store->mutex, STOP_RETRY_NS);
		uv_mutex_unlock(&store->mutex);
		catch_up(store);
	}
}

void spg_writer_run(void *arg)
{
	struct spg_store *store = arg;
	struct spg_command_list commands;
	bool stopping = false, sync;

	spg_command_list_init(&commands);
	while (!stopping) {
		uv_mutex_lock(&store->mutex);
		wait_for_work(store);
		stopping = store->stopping;
		sync = take_events(store);
		spg_command_list_append(&commands, &store->commands);
		uv_mutex_unlock(&store->mutex);
		store->last_turn = stopping;
		if (stopping)
			await_unlocked(store);
		work(store, &commands, sync || stopping || wants_flush(&commands));
	}
	finish_writing(store);
	publish(store);
	uv_mutex_lock(&store->mutex);
	store->ended = true;
	uv_cond_broadcast(&store->cond);
	uv_mutex_unlock(&store->mutex);
}
