/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The history: events and intervals in SQLite, written and read by a thread
 * of its own.
 *
 * Owns the database connection and the thread. Everything declared here is
 * called on the loop thread and returns at once, except start and stop, which
 * wait for the thread. Callbacks come on the loop thread, in the order of the
 * calls that asked for them (but for what waits while the database is locked), never
 * from within the call itself.
 *
 * Events go in through a bounded queue. What does not fit is dropped and
 * counted, and becomes a gap row as soon as rows can be written again. While
 * another program has the database locked, events wait in that queue. A disk
 * that is full, or any other write error, stops history and nothing else: the
 * queue drains into a gap, writing is tried again every few seconds. A
 * database that fails its check, at start or later, is set aside as
 * "<database>.damaged-<time>" and a new one is begun, with a gap row.
 */
#include <stdint.h>

#include <uv.h>

#include "daemon/store/store_types.h"

struct spg_store;

/**
 * Open (or create, or migrate, or set aside and create) the database and start
 * the thread. Intervals that the previous daemon left open are closed at its
 * last sign of life. Blocks until the database is usable; before the loop runs.
 *
 * Returns 0 and fills @ret and @ret_origin, whose records the caller releases with
 * spg_store_records_destroy(); SPG_ERR_DENIED, SPG_ERR_BUSY (a
 * daemon that runs has this database: a lock file beside it), SPG_ERR_FULL,
 * SPG_ERR_UNSUPPORTED (made by a newer spguard), SPG_ERR_IO, SPG_ERR_NOMEM:
 * logged, with what to do.
 */
int spg_store_start(struct spg_store **ret, uv_loop_t *loop,
	const struct spg_store_config *config, struct spg_store_origin *ret_origin);

/**
 * Write what is queued (for at most @timeout_ms when the disk does not take
 * it), mark the stop as clean, close the database, join the thread. Callbacks
 * still owed come before it returns, with SPG_ERR_BUSY where they were not
 * served. A thread that hangs in the system for a second longer is left behind,
 * and its memory with it. Then @on_closed comes from the loop once the handles are closed, and
 * only then the memory goes. Takes NULL (@on_closed comes within the call).
 */
void spg_store_stop(struct spg_store *store, unsigned timeout_ms,
	void (*on_closed)(void *user), void *user);

/** Change retention; takes effect with the next round of pruning. */
void spg_store_set_retention(
	struct spg_store *store, int64_t retain_ns, uint64_t retain_bytes);

/**
 * Queue @event for writing; takes a reference of its own. Its id must be
 * greater than every id before. Never fails: see above for what is dropped.
 * An event with ->durable makes its batch commit at once and with an fsync.
 */
void spg_store_append(struct spg_store *store, struct spg_event *event);

/**
 * @done comes when every event appended before is on disk: @err 0; or
 * SPG_ERR_FULL or SPG_ERR_IO when history is stopped: they are not; or
 * SPG_ERR_BUSY when another program has had the database locked for seconds: they
 * wait, and are not lost by that.
 */
void spg_store_flush(
	struct spg_store *store, void (*done)(void *user, int err), void *user);

/**
 * Ask; @done gets @err 0 and a page, which it may empty by moving ->events;
 * the store releases what remains after the call. Or a negative spg_err and
 * NULL. Events appended before the call are found, if they could be written.
 */
void spg_store_query(struct spg_store *store, const struct spg_store_query *query,
	void (*done)(void *user, int err, struct spg_store_page *page), void *user);

/** What is known without asking the thread; at most one batch old. */
void spg_store_status(struct spg_store *store, struct spg_store_status *ret);
