/* SPDX-License-Identifier: MIT */
#include "daemon/store/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"

/* The row becomes known to the loop when it is committed: see spg_writer_tell_gap(). */
int spg_writer_append_gap(struct spg_store *store, int64_t id,
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
void spg_writer_wake_loop(struct spg_store *store)
{
	if (!store->abandoned)
		uv_async_send(&store->async);
}

/* The transaction of the gap row ended: announce the row, or forget it. */
void spg_writer_tell_gap(struct spg_store *store, bool committed)
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
	spg_writer_wake_loop(store);
	uv_mutex_unlock(&store->mutex);
}

static int append_loss(struct spg_store *store, const struct spg_loss *loss)
{
	struct spg_db *db = &store->db;
	const struct spg_event_gap gap = {
		loss->why == SPG_LOSS_BEHIND ? SPG_GAP_DROPPED : SPG_GAP_STORE,
		loss->first_ns, loss->last_ns, loss->count};
	int r = spg_writer_append_gap(store, loss->last_id, &gap,
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
int spg_writer_write_loss(struct spg_store *store, bool sync)
{
	struct spg_db *db = &store->db;
	int r = spg_db_begin(db, sync);

	if (r == 0 && store->lost.count > 0)
		r = append_loss(store, &store->lost);
	if (r == 0)
		r = spg_db_commit(db, spg_clock_wall_ns());
	else
		spg_db_rollback(db);
	spg_writer_tell_gap(store, r == 0);
	if (r == 0)
		spg_loss_finish(&store->lost);
	return r;
}
