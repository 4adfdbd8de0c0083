/* SPDX-License-Identifier: MIT */
#include "daemon/store/store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/work.h"
#include "daemon/store/records.h"
#include "daemon/store/writer.h"

/* For so long answers are delivered in one turn of the loop. */
#define TURN_NS (20 * SPG_NS_PER_MS)

static void destroy(struct spg_store *store)
{
	if (!store)
		return;
	spg_db_finish(&store->db);
	spg_loss_finish(&store->loss);
	spg_loss_finish(&store->lost);
	spg_command_destroy(store->spare);
	spg_event_list_finish(&store->told);
	spg_event_unref(store->saying);
	spg_event_list_finish(&store->gone.saved);
	free(store->queue);
	free(store->taken);
	free(store);
}

static void run_callback(struct spg_command *command)
{
	switch (command->kind) {
	case SPG_COMMAND_FLUSH:
		command->on_flushed(command->user, command->err);
		break;
	case SPG_COMMAND_QUERY:
		command->on_page(command->user, command->err,
			command->err < 0 ? NULL : &command->page);
		break;
	case SPG_COMMAND_JOB:
		command->job.done(command->user, command->err, command->job.data);
		break;
	}
	spg_command_destroy(command);
}

/* A callback may stop the store, which delivers what is left. With @until_ns,
 * monotonic, not 0: no more when that has passed. Returns whether something is left. */
static bool deliver(struct spg_store *store, int64_t until_ns)
{
	struct spg_event_list told;
	struct spg_command *command;

	uv_mutex_lock(&store->mutex);
	spg_command_list_append(&store->deliver, &store->done);
	told = store->told;
	store->told = (struct spg_event_list)SPG_EVENT_LIST_NULL;
	uv_mutex_unlock(&store->mutex);
	for (size_t i = 0; store->on_gap && i < told.n; i++)
		store->on_gap(store->gap_user, told.events[i]);
	spg_event_list_finish(&told);
	while ((command = spg_command_list_take(&store->deliver))) {
		run_callback(command);
		if (!store->spare)
			store->spare = spg_command_create(NULL);
		if (until_ns && spg_clock_mono_ns() >= until_ns)
			break;
	}
	return store->deliver.first != NULL;
}

/* Somebody waits for each page; but others wait for the loop. */
static void on_async(uv_async_t *async)
{
	enum spg_work before = spg_work_begin(SPG_WORK_STORE);

	if (deliver(async->data, spg_clock_mono_ns() + TURN_NS) &&
		!uv_is_closing((uv_handle_t *)async))
		uv_async_send(async);
	spg_work_end(before);
}

static void on_start_failed(uv_handle_t *handle)
{
	struct spg_store *store = handle->data;

	uv_cond_destroy(&store->cond);
	uv_mutex_destroy(&store->mutex);
	destroy(store);
}

static struct spg_store *create(uv_loop_t *loop, const struct spg_store_config *config)
{
	struct spg_store *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->loop = loop;
	store->db.lock_fd = -1;
	store->db.block.id = SPG_BLOCK_NONE;
	store->queue_max =
		config->queue_max ? config->queue_max : SPG_STORE_QUEUE_DEFAULT;
	store->batch_ns =
		(config->batch_ms ? config->batch_ms : SPG_STORE_BATCH_DEFAULT) *
		SPG_NS_PER_MS;
	store->patience_ns = (config->patience_ms ? config->patience_ms
						  : SPG_STORE_PATIENCE_DEFAULT) *
	                     SPG_NS_PER_MS;
	store->retain_ns = config->retain_ns;
	store->retain_bytes = config->retain_bytes;
	store->on_gap = config->on_gap;
	store->gap_user = config->user;
	store->prune_now = true;
	spg_command_list_init(&store->commands);
	spg_command_list_init(&store->done);
	spg_command_list_init(&store->deliver);
	store->db.path = strdup(config->path);
	store->spare = spg_command_create(NULL);
	store->queue = calloc(store->queue_max, sizeof(*store->queue));
	store->taken = calloc(store->queue_max, sizeof(*store->taken));
	if (!store->db.path || !store->spare || !store->queue || !store->taken) {
		destroy(store);
		return NULL;
	}
	return store;
}

static int open_database(struct spg_store *store, struct spg_store_origin *origin)
{
	char aside[80];
	int r = spg_db_lock(&store->db);

	if (r < 0)
		return r;
	r = spg_db_open(&store->db, origin, aside, sizeof(aside));
	if (r == 0 && origin->began_anew) {
		store->gone = (struct spg_break){
			.pending = true, .id = 1, .until_ns = spg_clock_wall_ns()};
		snprintf(store->gone.detail, sizeof(store->gone.detail),
			"the database was damaged and set aside as *.%s; earlier "
			"history is there",
			aside);
		r = spg_writer_record_break(store);
		origin->last_event_id = store->db.now.last_id;
	}
	if (r == 0)
		r = spg_db_load_records(&store->db, &origin->records);
	if (r < 0)
		spg_error("database %s: %s", store->db.path, store->db.why);
	/* Set aside, and damaged again: the disk is at fault. */
	return r == SPG_ERR_CORRUPT ? SPG_ERR_IO : r;
}

/* From here on the loop has a handle in @store. */
static int start_thread(struct spg_store *store)
{
	if (uv_mutex_init(&store->mutex) != 0)
		return SPG_ERR_NOMEM;
	if (uv_cond_init(&store->cond) != 0) {
		uv_mutex_destroy(&store->mutex);
		return SPG_ERR_NOMEM;
	}
	if (uv_async_init(store->loop, &store->async, on_async) != 0) {
		uv_cond_destroy(&store->cond);
		uv_mutex_destroy(&store->mutex);
		return SPG_ERR_NOMEM;
	}
	store->async.data = store;
	store->beat_mono_ns = spg_clock_mono_ns() + 30 * SPG_NS_PER_S;
	if (uv_thread_create(&store->thread, spg_writer_run, store) == 0)
		return 0;
	spg_db_finish(&store->db);
	/* The handle's memory may go only when the loop has let go of it. */
	uv_close((uv_handle_t *)&store->async, on_start_failed);
	return SPG_ERR_LIMIT;
}

int spg_store_start(struct spg_store **ret, uv_loop_t *loop,
	const struct spg_store_config *config, struct spg_store_origin *ret_origin)
{
	struct spg_store *store = create(loop, config);
	struct spg_store_origin origin = {0};
	int r;

	if (!store) {
		spg_error("database %s: out of memory", config->path);
		return SPG_ERR_NOMEM;
	}
	r = open_database(store, &origin);
	if (r < 0) {
		destroy(store);
		return r;
	}
	store->last_id = origin.last_event_id;
	store->status.rows = (uint64_t)store->db.saved.rows;
	store->status.oldest_ns = store->db.saved.oldest_ns;
	store->status.bytes = spg_db_bytes(&store->db);
	r = start_thread(store);
	if (r < 0) {
		spg_store_records_destroy(origin.records);
		spg_error(
			"cannot start the thread of the history: %s", spg_err_text(r));
		if (r != SPG_ERR_LIMIT)
			destroy(store);
		return SPG_ERR_NOMEM;
	}
	*ret = store;
	*ret_origin = origin;
	return 0;
}

/* Answer what was asked while, or after, the thread ended. */
static void refuse_commands(struct spg_store *store)
{
	struct spg_command *command;

	uv_mutex_lock(&store->mutex);
	while ((command = spg_command_list_take(&store->commands))) {
		command->err = SPG_ERR_BUSY;
		spg_command_list_add(&store->done, command);
	}
	uv_mutex_unlock(&store->mutex);
}

static void answer_rest(struct spg_store *store)
{
	/* A callback may ask again: that is refused in the next turn. */
	do {
		refuse_commands(store);
		(void)deliver(store, 0);
	} while (store->commands.first);
}

static void on_async_closed(uv_handle_t *handle)
{
	struct spg_store *store = handle->data;
	void (*on_closed)(void *user) = store->on_closed;
	void *user = store->closed_user;

	answer_rest(store);
	uv_cond_destroy(&store->cond);
	uv_mutex_destroy(&store->mutex);
	destroy(store);
	if (on_closed)
		on_closed(user);
}

/* What the thread may still touch stays until the process ends. */
static void on_abandoned_closed(uv_handle_t *handle)
{
	struct spg_store *store = handle->data;

	if (store->on_closed)
		store->on_closed(store->closed_user);
}

/* With the mutex: wait for the thread, which gives up by itself in time unless
 * the system does not come back from a call. */
static void await_end(struct spg_store *store)
{
	int64_t until_ns = store->stop_mono_ns + SPG_NS_PER_S;

	while (!store->ended) {
		int64_t left_ns = until_ns - spg_clock_mono_ns();

		if (left_ns <= 0 || uv_cond_timedwait(&store->cond, &store->mutex,
					    (uint64_t)left_ns) != 0)
			break;
	}
	store->abandoned = !store->ended;
}

void spg_store_stop(struct spg_store *store, unsigned timeout_ms,
	void (*on_closed)(void *user), void *user)
{
	if (!store) {
		if (on_closed)
			on_closed(user);
		return;
	}
	store->on_closed = on_closed;
	store->closed_user = user;
	uv_mutex_lock(&store->mutex);
	store->stop_mono_ns = spg_clock_mono_ns() + timeout_ms * SPG_NS_PER_MS;
	store->stopping = true;
	uv_cond_signal(&store->cond);
	await_end(store);
	uv_mutex_unlock(&store->mutex);
	if (store->abandoned) {
		spg_warning("the database's disk does not answer; stopping without it");
		store->joined = true;
		answer_rest(store);
		uv_close((uv_handle_t *)&store->async, on_abandoned_closed);
		return;
	}
	uv_thread_join(&store->thread);
	store->joined = true;
	answer_rest(store);
	for (size_t i = 0; i < store->n_queue; i++)
		spg_event_unref(store->queue[i]);
	store->n_queue = 0;
	/* The lock file is free before on_closed: a new daemon may start. */
	spg_db_finish(&store->db);
	uv_close((uv_handle_t *)&store->async, on_async_closed);
}

void spg_store_set_retention(
	struct spg_store *store, int64_t retain_ns, uint64_t retain_bytes)
{
	uv_mutex_lock(&store->mutex);
	store->retain_ns = retain_ns;
	store->retain_bytes = retain_bytes;
	store->prune_now = true;
	uv_cond_signal(&store->cond);
	uv_mutex_unlock(&store->mutex);
}

void spg_store_append(struct spg_store *store, struct spg_event *event)
{
	bool wake = false;

	assert(event->id > store->last_id);
	store->last_id = event->id;
	uv_mutex_lock(&store->mutex);
	if (store->joined || store->status.stopped ||
		store->n_queue == store->queue_max) {
		spg_loss_add(&store->loss, event,
			store->status.stopped  ? SPG_LOSS_STOPPED
			: store->status.faulty ? SPG_LOSS_LOCKED
					       : SPG_LOSS_BEHIND);
		spg_store_note_dropped(&store->status, event->at_ns);
		uv_mutex_unlock(&store->mutex);
		return;
	}
	if (store->n_queue == 0) {
		store->queued_mono_ns = spg_clock_mono_ns();
		wake = true;
	}
	store->queue[store->n_queue++] = spg_event_ref(event);
	if (event->durable && !store->urgent)
		store->urgent = wake = true;
	if (store->n_queue == SPG_STORE_BATCH_ROWS ||
		store->n_queue == store->queue_max / 2)
		wake = true;
	if (wake)
		uv_cond_signal(&store->cond);
	uv_mutex_unlock(&store->mutex);
}

/* Without memory the answer is just that, from the spare, in its turn. */
static struct spg_command *new_command(
	struct spg_store *store, const struct spg_store_query *query)
{
	struct spg_command *command = spg_command_create(query);

	if (!command && store->spare) {
		command = store->spare;
		store->spare = NULL;
		command->kind = query ? SPG_COMMAND_QUERY : SPG_COMMAND_FLUSH;
		command->err = SPG_ERR_NOMEM;
	}
	return command;
}

static void submit(struct spg_store *store, struct spg_command *command)
{
	uv_mutex_lock(&store->mutex);
	spg_command_list_add(&store->commands, command);
	uv_cond_signal(&store->cond);
	uv_mutex_unlock(&store->mutex);
}

void spg_store_flush(
	struct spg_store *store, void (*done)(void *user, int err), void *user)
{
	struct spg_command *command = new_command(store, NULL);

	/* Not even the spare: an answer at the wrong time beats none. */
	if (!command) {
		done(user, SPG_ERR_NOMEM);
		return;
	}
	command->on_flushed = done;
	command->user = user;
	submit(store, command);
}

void spg_store_query(struct spg_store *store, const struct spg_store_query *query,
	void (*done)(void *user, int err, struct spg_store_page *page), void *user)
{
	struct spg_command *command = new_command(store, query);

	if (!command) {
		done(user, SPG_ERR_NOMEM, NULL);
		return;
	}
	command->on_page = done;
	command->user = user;
	submit(store, command);
}

void spg_store_submit(struct spg_store *store, const struct spg_job *job, void *user)
{
	struct spg_command *command = new_command(store, NULL);

	if (!command) {
		job->done(user, SPG_ERR_NOMEM, job->data);
		job->release(job->data);
		return;
	}
	command->kind = SPG_COMMAND_JOB;
	command->job = *job;
	command->user = user;
	submit(store, command);
}

void spg_store_status(struct spg_store *store, struct spg_store_status *ret)
{
	uv_mutex_lock(&store->mutex);
	*ret = store->status;
	ret->queue_rows += store->n_queue;
	uv_mutex_unlock(&store->mutex);
}
