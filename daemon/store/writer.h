/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The two sides of the history and what they share.
 *
 * Private to daemon/store. The loop's side (store.c) puts events and commands
 * into the queues under the mutex; the writer's thread (writer.c) takes a
 * whole queue at once, works on it without the mutex, and puts finished
 * commands back. Every event that is not written is counted in a loss, which
 * becomes one gap row with the id of the last event lost, so that ids keep
 * ascending and no number is needed from the loop.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "daemon/store/database.h"

#define SPG_STORE_QUEUE_DEFAULT    65536
#define SPG_STORE_BATCH_DEFAULT    100  /* ms */
#define SPG_STORE_PATIENCE_DEFAULT 3000 /* ms */
#define SPG_STORE_BATCH_ROWS       8192 /* at most in one transaction */
#define SPG_STORE_LOST_ENDS        4096

/* The end of an interval that was lost: applied when writing goes on, so that
 * no use seems to last for ever. */
struct spg_lost_end {
	int64_t interval, at_ns;
};

/* Why events were not written: a set. */
enum spg_loss_why {
	SPG_LOSS_BEHIND = 1, /* the queue was full */
	SPG_LOSS_LOCKED = 2, /* since another program had the database locked */
	SPG_LOSS_STOPPED = 4 /* history was stopped */
};

/* Events that were not written. */
struct spg_loss {
	uint64_t count; /* 0: none */
	unsigned why;   /* of enum spg_loss_why */
	int64_t first_ns, last_ns, last_id;
	struct spg_lost_end *ends; /* at most SPG_STORE_LOST_ENDS */
	size_t n_ends, size_ends;
	bool more_ends; /* than could be kept */
};

/** Count an event that happened at @at_ns as not stored. */
void spg_store_note_dropped(struct spg_store_status *status, int64_t at_ns);

/** Count @event as lost. */
void spg_loss_add(
	struct spg_loss *loss, const struct spg_event *event, enum spg_loss_why why);

/** Move all of @from into @loss. */
void spg_loss_merge(struct spg_loss *loss, struct spg_loss *from);

/** Empty it; idempotent. */
void spg_loss_finish(struct spg_loss *loss);

/* Work on the database that is neither an event nor a question about events: the
 * records of records.h. */
struct spg_job {
	/* Writer's thread. Returns 0, or a negative spg_err with db->why; one that
	 * only reads also SPG_JOB_MORE, no statement active, to be called again when
	 * the events that came meanwhile are written. */
	int (*run)(struct spg_db *db, void *data);
	/* It writes: in a transaction of its own, on disk when it is done. */
	bool writes;
	/* Nobody waits for it, and it must not be lost: while another program has the
	 * database locked it waits, however long, and others overtake it. */
	bool waits;
	/* Loop thread; afterwards the data goes with @release. */
	void (*done)(void *user, int err, void *data);
	void (*release)(void *data);
	void *data;
};

#define SPG_JOB_MORE 1

enum spg_command_kind { SPG_COMMAND_FLUSH, SPG_COMMAND_QUERY, SPG_COMMAND_JOB };

/* A flush, a query or a job on its way there and back. */
struct spg_command {
	struct spg_command *next;
	enum spg_command_kind kind;
	void (*on_flushed)(void *user, int err);
	void (*on_page)(void *user, int err, struct spg_store_page *page);
	void *user;
	struct spg_job job;
	struct spg_store_query query; /* its texts are owned */
	int err; /* the answer; when set from the start, the question is not asked */
	struct spg_store_page page;
};

struct spg_command_list {
	struct spg_command *first, **end; /* end: where the next one is linked */
};

/* Why the database is not the one that was there before. */
struct spg_break {
	bool pending; /* its gap row is still to be written */
	int64_t id;   /* of that row */
	int64_t since_ns, until_ns;
	uint64_t count; /* rows that are no longer in it */
	char detail[256];
	struct spg_event_list saved; /* the latest, which the next one gets */
};

struct spg_store {
	/* Set before the thread runs, constant after. */
	uv_loop_t *loop;
	size_t queue_max;
	int64_t batch_ns, patience_ns;
	uv_thread_t thread;
	uv_mutex_t mutex;
	uv_cond_t cond;

	/* Loop thread. */
	uv_async_t async;
	void (*on_gap)(void *user, struct spg_event *gap);
	void *gap_user;
	struct spg_command_list deliver; /* callbacks due now */
	int64_t last_id;
	bool joined; /* the thread has ended: nothing is served any more */
	struct spg_command *spare; /* for one answer "out of memory" */
	void (*on_closed)(void *user);
	void *closed_user;

	/* Under the mutex. */
	struct spg_event **queue;
	size_t n_queue;
	int64_t queued_mono_ns; /* when the first of them came */
	bool urgent;            /* one of them is durable */
	struct spg_loss loss;
	struct spg_command_list commands, done;
	struct spg_event_list told; /* gaps on disk, not announced yet */
	bool ended;                 /* the thread is through */
	bool abandoned; /* it hangs on a disk, and the loop went on without it */
	bool stopping;
	int64_t stop_mono_ns; /* give up by then */
	int64_t retain_ns;
	uint64_t retain_bytes;
	bool prune_now;
	struct spg_store_status status; /* queue_rows: taken, not yet written */

	/* Writer's thread. */
	struct spg_db db;
	struct spg_event **taken;
	size_t n_taken, n_done; /* of them, those before n_done are written or lost */
	struct spg_loss lost;
	struct spg_break gone;
	bool moved;               /* its directory was renamed, which was said */
	int64_t placed_id;        /* the last event when it was found in its place */
	struct spg_event *saying; /* the gap of the transaction that is open */
	bool stopped;
	int stop_err;
	bool locked; /* by another program: what is taken stays, and more waits */
	int64_t locked_mono_ns; /* since when */
	bool last_turn;         /* what waits now waits in vain */
	int64_t beat_mono_ns;   /* when the next sign of life is due */
	int64_t retry_mono_ns;  /* when stopped or locked: when to try again */
};

/* ---- store.c ---- */

/** Have @job, whose data passes over, run after what was appended before. */
void spg_store_submit(struct spg_store *store, const struct spg_job *job, void *user);

/* ---- writer.c ---- */

/** Body of the thread; @arg is the store. */
void spg_writer_run(void *arg);

/* ---- trouble.c: what keeps events from being written, and what is done about it; all
 * on the writer's thread ---- */

/** Deal with @err of a write: wait, begin anew, or stop history. Returns 0 when the write
 * is worth another try at once, else @err or what became of it. */
int spg_writer_handle_failure(struct spg_store *store, int err);

/** When that other try has failed with @err: wait, or stop history. */
void spg_writer_give_up(struct spg_store *store, int err);

/** After a success: whoever had the database locked has let go. */
void spg_writer_note_unlocked(struct spg_store *store);

/** While history is stopped: try to write again. Returns 0 when it goes on. */
int spg_writer_try_resume(struct spg_store *store);

/** Is the open file still the one that others find, and nobody else's? When it is not,
 * begin anew. Returns 0, or a negative spg_err: history is stopped. */
int spg_writer_look_after(struct spg_store *store);

/** Write the gap row of a new database; before the thread runs, or on it.
 * Returns 0 or a negative spg_err. */
int spg_writer_record_break(struct spg_store *store);

/* ---- gaps.c: rows about what is missing; on the writer's thread ---- */

/** Append a gap to the open transaction. Returns 0 or a negative spg_err. */
int spg_writer_append_gap(struct spg_store *store, int64_t id,
	const struct spg_event_gap *gap, const char *detail);

/** That transaction has ended: announce the gap, or forget it. */
void spg_writer_tell_gap(struct spg_store *store, bool committed);

/** Write the gap row for everything lost so far; without a loss just a sign of
 * life. Returns 0 or a negative spg_err. */
int spg_writer_write_loss(struct spg_store *store, bool sync);

/** With the mutex: have the loop look for what is done. */
void spg_writer_wake_loop(struct spg_store *store);

/* ---- queue.c, with the losses above: plain functions ---- */

void spg_command_list_init(struct spg_command_list *list);
void spg_command_list_add(struct spg_command_list *list, struct spg_command *command);

/** Move all of @from to the end of @list. */
void spg_command_list_append(
	struct spg_command_list *list, struct spg_command_list *from);

/** Take out the first; NULL when empty. */
struct spg_command *spg_command_list_take(struct spg_command_list *list);

/** A query, its texts copied; or with NULL a flush. NULL: out of memory. */
struct spg_command *spg_command_create(const struct spg_store_query *query);

/** Takes NULL. */
void spg_command_destroy(struct spg_command *command);
