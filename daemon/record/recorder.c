/* SPDX-License-Identifier: MIT */
#include "daemon/record/recorder.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

/* One gap row tells of this much merging. */
#define MERGE_WINDOW_MS 1000

struct spg_history {
	struct spg_store *store;
	struct spg_server *server;
	struct spg_herald *herald;
	struct spg_service *service;
	int64_t last_id;
	uv_timer_t merge_timer;
	struct spg_event_gap merged; /* count 0: none pending */
	bool stopped;
};

/* An announcement that waits for the disk. */
struct owed {
	struct spg_history *history;
	struct spg_event *event;
};

struct spg_history *spg_history_create(
	uv_loop_t *loop, struct spg_store *store, int64_t last_id)
{
	struct spg_history *history = calloc(1, sizeof(*history));

	if (!history)
		return NULL;
	history->store = store;
	history->last_id = last_id;
	uv_timer_init(loop, &history->merge_timer);
	history->merge_timer.data = history;
	return history;
}

void spg_history_set_herald(struct spg_history *history, struct spg_herald *herald)
{
	history->herald = herald;
}

void spg_history_set_server(struct spg_history *history, struct spg_server *server)
{
	history->server = server;
}

void spg_history_set_service(struct spg_history *history, struct spg_service *service)
{
	history->service = service;
	service->last_event_id = history->last_id;
}

static void announce(struct spg_history *history, struct spg_event *event)
{
	if (history->server)
		spg_server_publish(history->server, event);
}

static void on_durable(void *user, int err)
{
	struct owed *owed = user;

	/* Without a disk it is still true. */
	(void)err;
	announce(owed->history, owed->event);
	spg_event_unref(owed->event);
	free(owed);
}

static void flush_merged(struct spg_history *history)
{
	struct spg_event_gap gap = history->merged;

	if (gap.count == 0)
		return;
	history->merged.count = 0;
	spg_history_gap(history, &gap,
		"the kernel merged events of one process and file: their order and "
		"number "
		"are not known");
}

static void on_merge_timer(uv_timer_t *timer)
{
	flush_merged(timer->data);
}

static bool is_merged(const struct spg_event *event)
{
	return (event->kinds & (event->kinds - 1)) != 0;
}

static void note_merged(struct spg_history *history, const struct spg_event *event)
{
	struct spg_event_gap *merged = &history->merged;

	if (merged->count++ == 0) {
		*merged = (struct spg_event_gap){
			.reason = SPG_GAP_MERGED, .since_ns = event->at_ns, .count = 1};
		uv_timer_start(
			&history->merge_timer, on_merge_timer, MERGE_WINDOW_MS, 0);
	}
	merged->until_ns = event->at_ns;
}

static void count(struct spg_history *history, const struct spg_event *event)
{
	if (history->herald)
		spg_herald_note(history->herald, event);
	if (!history->service)
		return;
	history->service->n_events[event->kind]++;
	if (event->kind == SPG_EVENT_GAP)
		history->service->n_gaps[event->gap.reason]++;
}

void spg_history_record(struct spg_history *history, struct spg_event *event)
{
	struct owed *owed = event->durable ? calloc(1, sizeof(*owed)) : NULL;

	event->id = ++history->last_id;
	if (history->service)
		history->service->last_event_id = event->id;
	count(history, event);
	spg_store_append(history->store, event);
	if (is_merged(event) && !history->stopped)
		note_merged(history, event);
	if (!owed) {
		announce(history, event);
		return;
	}
	*owed = (struct owed){history, spg_event_ref(event)};
	spg_store_flush(history->store, on_durable, owed);
}

void spg_history_gap(struct spg_history *history, const struct spg_event_gap *gap,
	const char *detail)
{
	struct spg_event *event =
		spg_event_create(SPG_EVENT_GAP, spg_clock_wall_ns(), NULL, NULL);

	if (event) {
		event->gap = *gap;
		event->detail = strdup(detail);
	}
	if (!event || !event->detail)
		spg_error("a gap in the history is not recorded: %s",
			spg_err_text(SPG_ERR_NOMEM));
	else
		spg_history_record(history, event);
	spg_event_unref(event);
}

void spg_history_announce_stored(struct spg_history *history, struct spg_event *gap)
{
	count(history, gap);
	announce(history, gap);
}

void spg_history_stop(struct spg_history *history)
{
	if (!history || history->stopped)
		return;
	flush_merged(history);
	history->stopped = true;
	uv_close((uv_handle_t *)&history->merge_timer, NULL);
}

void spg_history_destroy(struct spg_history *history)
{
	free(history);
}
