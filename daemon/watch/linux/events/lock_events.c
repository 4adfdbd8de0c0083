/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/events/lock_events.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/work.h"

#define LOOK_MS      10
/* Records in one go, before other handles of the loop get their turn. */
#define BUDGET       4096
/* Records a chunk; and in all, 120 MB: a million pairs of lock and unlock. They are
 * freed as they are delivered. */
#define CHUNK        4096
#define QUEUE_CHUNKS 512
/* Several names of one inode that are told apart. */
#define NAMES_MAX    64

struct chunk {
	struct chunk *next;
	size_t first, n;
	struct spg_bpf_lock records[CHUNK];
};

struct spg_lock_events {
	uv_poll_t poll;
	uv_timer_t timer; /* while awake, or while records wait */
	struct spg_trace *trace;
	struct spg_trace_files *files;
	struct spg_processes *processes;
	struct spg_watch_listener listener;
	struct chunk *first, *last;
	size_t n_chunks;
	uint64_t n_taken, n_delivered;
	uint64_t n_refused;    /* no room in the queue */
	uint64_t n_told;       /* losses that were told */
	int64_t last_empty_ns; /* when the ring was last found empty, UTC */
	bool awake;
	int n_closing;
	void (*on_closed)(void *user);
	void *user;
};

static int enqueue(void *user, const struct spg_bpf_lock *lock)
{
	struct spg_lock_events *e = user;

	if (!e->last || e->last->first + e->last->n == CHUNK) {
		struct chunk *chunk =
			e->n_chunks < QUEUE_CHUNKS ? malloc(sizeof(*chunk)) : NULL;

		if (!chunk) {
			e->n_refused++;
			return 0;
		}
		chunk->next = NULL;
		chunk->first = chunk->n = 0;
		if (e->last)
			e->last->next = chunk;
		else
			e->first = chunk;
		e->last = chunk;
		e->n_chunks++;
	}
	e->last->records[e->last->first + e->last->n++] = *lock;
	e->n_taken++;
	return 0;
}

static void drop_first_chunk(struct spg_lock_events *e)
{
	struct chunk *chunk = e->first;

	e->first = chunk->next;
	if (!e->first)
		e->last = NULL;
	e->n_chunks--;
	free(chunk);
}

void spg_lock_events_backlog(
	const struct spg_lock_events *events, uint64_t *taken, uint64_t *delivered)
{
	*taken = events ? events->n_taken : 0;
	*delivered = events ? events->n_delivered : 0;
}

/* Empty the ring. Returns how many records it had. */
static int collect(struct spg_lock_events *e)
{
	int n = spg_trace_read(e->trace, enqueue, e);
	uint64_t lost = spg_trace_dropped(e->trace) + e->n_refused;
	int64_t now_ns = spg_clock_wall_ns();

	if (lost > e->n_told) {
		uint64_t count = lost - e->n_told;

		e->n_told = lost;
		e->listener.on_gap(e->listener.user, SPG_GAP_DROPPED, e->last_empty_ns,
			now_ns, count,
			"locks were taken and released faster than they could be "
			"recorded");
	}
	e->last_empty_ns = now_ns;
	return n;
}

static enum spg_lock_step step_of(const struct spg_bpf_lock *record)
{
	if (record->type == 2)
		return SPG_STEP_RELEASED;
	return record->result == 0  ? SPG_STEP_TAKEN
	       : record->result > 0 ? SPG_STEP_WAITS
	                            : SPG_STEP_REFUSED;
}

/* Deliver for every path the inode has, each once. */
static void deliver(struct spg_lock_events *e, const struct spg_bpf_lock *record)
{
	struct spg_lock_note note = {.step = step_of(record),
		.owner = record->owner,
		.at_ns = (int64_t)record->at_ns + spg_clock_wall_ns() -
	                 spg_clock_mono_ns(),
		.lock = {.kind = (enum spg_lock_kind)record->kind,
			.mode = record->type == 1 ? SPG_LOCK_WRITE : SPG_LOCK_READ,
			.start = record->start,
			.end = record->end}};
	struct spg_file *names[NAMES_MAX];
	size_t cursor = 0, n = 0;

	/* Every close ends locks that nobody had (fs/locks.c). */
	if (note.step == SPG_STEP_RELEASED && record->result != 0)
		return;
	if (note.lock.kind == SPG_LOCK_FLOCK)
		note.lock.end = SPG_LOCK_EOF;
	while (n < NAMES_MAX &&
		(names[n] = spg_trace_files_find(e->files, record->slot, &cursor))) {
		bool again = false;

		for (size_t i = 0; i < n; i++)
			again = again || strcmp(names[i]->path, names[n]->path) == 0;
		if (again)
			spg_file_unref(names[n]);
		else
			n++;
	}
	if (n > 0)
		note.process =
			spg_processes_by_key(e->processes, record->tgid, record->key);
	for (size_t i = 0; i < n; i++) {
		note.file = names[i];
		e->listener.on_lock(e->listener.user, &note);
		spg_file_unref(names[i]);
	}
	spg_process_unref(note.process);
}

/* Deliver from the queue, unless the history is behind. */
static void deliver_some(struct spg_lock_events *e)
{
	enum spg_work before = spg_work_begin(SPG_WORK_LOCK_EVENTS);

	for (int i = 0; i < BUDGET && e->first; i++) {
		struct chunk *chunk = e->first;

		if ((i & 255) == 0 && e->listener.is_behind(e->listener.user))
			break;
		deliver(e, &chunk->records[chunk->first++]);
		e->n_delivered++;
		if (--chunk->n == 0)
			drop_first_chunk(e);
	}
	spg_work_end(before);
}

static void on_timer(uv_timer_t *timer)
{
	struct spg_lock_events *e = timer->data;
	int n = collect(e);

	if (n <= 0 && e->awake) {
		e->awake = false;
		spg_trace_set_awake(e->trace, false);
		/* What came before the kernel saw that wakes nobody. */
		n = collect(e);
	}
	deliver_some(e);
	if (!e->awake && !e->first)
		uv_timer_stop(timer);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct spg_lock_events *e = poll->data;

	(void)status;
	(void)events;
	e->awake = true;
	spg_trace_set_awake(e->trace, true);
	collect(e);
	deliver_some(e);
	if (!uv_is_active((uv_handle_t *)&e->timer))
		uv_timer_start(&e->timer, on_timer, LOOK_MS, LOOK_MS);
}

void spg_lock_events_drain(struct spg_lock_events *events)
{
	(void)collect(events);
	deliver_some(events);
	if (events->first && !uv_is_active((uv_handle_t *)&events->timer))
		uv_timer_start(&events->timer, on_timer, LOOK_MS, LOOK_MS);
}

int spg_lock_events_start(struct spg_lock_events **ret, uv_loop_t *loop,
	struct spg_trace *trace, struct spg_trace_files *files,
	struct spg_processes *processes, const struct spg_watch_listener *listener)
{
	struct spg_lock_events *e = calloc(1, sizeof(*e));

	if (!e)
		return SPG_ERR_NOMEM;
	*e = (struct spg_lock_events){.trace = trace,
		.files = files,
		.processes = processes,
		.listener = *listener,
		.last_empty_ns = spg_clock_wall_ns()};
	if (uv_poll_init(loop, &e->poll, spg_trace_poll_fd(trace)) < 0) {
		free(e);
		return SPG_ERR_IO;
	}
	e->poll.data = e;
	uv_timer_init(loop, &e->timer);
	e->timer.data = e;
	*ret = e;
	return uv_poll_start(&e->poll, UV_READABLE, on_readable) < 0 ? SPG_ERR_IO : 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct spg_lock_events *e = handle->data;
	void (*on_closed)(void *user) = e->on_closed;
	void *user = e->user;

	if (--e->n_closing > 0)
		return;
	while (e->first)
		drop_first_chunk(e);
	free(e);
	on_closed(user);
}

void spg_lock_events_stop(
	struct spg_lock_events *events, void (*on_closed)(void *user), void *user)
{
	if (!events) {
		on_closed(user);
		return;
	}
	events->on_closed = on_closed;
	events->user = user;
	events->n_closing = 2;
	uv_close((uv_handle_t *)&events->poll, on_handle_closed);
	uv_close((uv_handle_t *)&events->timer, on_handle_closed);
}
