/* SPDX-License-Identifier: MIT */
#include "daemon/store/writer.h"

#include <stdio.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#define BEAT_NS       (30 * SPG_NS_PER_S)
#define STOP_RETRY_NS (100 * SPG_NS_PER_MS)

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
	r = spg_writer_write_loss(store, true);
	if (r < 0 && spg_writer_handle_failure(store, r) == 0)
		r = spg_writer_write_loss(store, true);
	if (r < 0 && !store->stopped)
		spg_writer_give_up(store, r);
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
	if (r < 0 && !store->stopped && spg_writer_handle_failure(store, r) == 0) {
		r = write_batch(store, from, n, sync);
		if (r < 0)
			spg_writer_give_up(store, r);
	}
	if (r == 0)
		spg_writer_note_unlocked(store);
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
		r = spg_writer_write_loss(store, true);
		if (r < 0)
			(void)spg_writer_handle_failure(store, r);
		else
			spg_writer_note_unlocked(store);
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
		spg_writer_try_resume(store);
		if (store->stopped)
			r = store->stop_err;
	} else if (spg_writer_look_after(store) < 0) {
		r = SPG_ERR_IO;
	} else if (store->db.unsynced) {
		r = spg_writer_write_loss(store, true);
		if (r < 0 && spg_writer_handle_failure(store, r) == 0)
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
		spg_writer_handle_failure(store, r);
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
		spg_writer_try_resume(store);
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
		spg_writer_handle_failure(store, r) == 0)
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
		spg_clock_mono_ns() - store->locked_mono_ns >= store->patience_ns)
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
		spg_writer_wake_loop(store);
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
	if (spg_writer_look_after(store) < 0)
		return;
	r = spg_writer_write_loss(store, false);
	if (r < 0) {
		spg_writer_handle_failure(store, r);
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
		spg_writer_handle_failure(store, r);
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
		(void)spg_writer_look_after(store);
	/* Nobody signals any more: pause between tries on the condition. */
	while (store->stopped && spg_writer_try_resume(store) < 0 &&
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
		spg_writer_try_resume(store);
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
	/* The last turn may have been the first to meet it. */
	await_unlocked(store);
	finish_writing(store);
	publish(store);
	uv_mutex_lock(&store->mutex);
	store->ended = true;
	uv_cond_broadcast(&store->cond);
	uv_mutex_unlock(&store->mutex);
}
