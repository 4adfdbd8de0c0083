/* SPDX-License-Identifier: MIT */
#include "daemon/store/writer.h"

#include <stdio.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#define RETRY_NS        (5 * SPG_NS_PER_S)
/* While another program has the database locked. */
#define LOCKED_RETRY_NS (100 * SPG_NS_PER_MS)

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

void spg_writer_note_unlocked(struct spg_store *store)
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
	/* One of the two: what was kept is counted now. */
	store->locked = false;
	spg_db_set_patience(&store->db, SPG_DB_PATIENCE_MS);
	set_fault(store, true, fault_of(err), store->db.why);
}

static void resume_history(struct spg_store *store)
{
	spg_log_as(SPG_LOG_NOTICE, SPG_LOG_ID_STORE_RESUMED, "history goes on in %s",
		store->db.path);
	store->stopped = false;
	clear_fault(store);
}

/* ---- a database that is damaged or gone ---- */

static void note_break(struct spg_store *store, const char *detail)
{
	const struct spg_db_counters *old = &store->db.saved;
	const struct spg_event_list *saved = &store->gone.saved;

	if (store->gone.pending)
		return;
	/* Where all was saved, nothing is missing. */
	store->gone.pending =
		old->last_id > 0 && (saved->n == 0 || old->rows > (int64_t)saved->n);
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
		r = spg_writer_append_gap(
			store, store->gone.id, &gap, store->gone.detail);
	if (r == 0)
		r = spg_db_commit(db, spg_clock_wall_ns());
	else
		spg_db_rollback(db);
	spg_writer_tell_gap(store, r == 0);
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

int spg_writer_look_after(struct spg_store *store)
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

int spg_writer_handle_failure(struct spg_store *store, int err)
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

void spg_writer_give_up(struct spg_store *store, int err)
{
	if (err == SPG_ERR_BUSY)
		note_locked(store);
	else
		stop_history(store, err);
}

int spg_writer_try_resume(struct spg_store *store)
{
	int r = 0;

	uv_mutex_lock(&store->mutex);
	spg_loss_merge(&store->lost, &store->loss);
	uv_mutex_unlock(&store->mutex);
	if (!store->db.sql)
		r = reopen(store);
	else
		r = spg_writer_look_after(store);
	if (r == 0)
		r = spg_writer_record_break(store);
	if (r == 0)
		r = spg_writer_write_loss(store, true);
	if (r == SPG_ERR_CORRUPT) {
		r = replace_damaged(store);
		if (r == 0)
			r = spg_writer_write_loss(store, true);
	}
	if (r < 0)
		stop_history(store, r);
	else
		resume_history(store);
	return r;
}
