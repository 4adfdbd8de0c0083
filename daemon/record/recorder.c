/* SPDX-License-Identifier: MIT */
#include "daemon/record/recorder.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

/* One gap row tells of this much merging. */
#define MERGE_WINDOW_MS 1000

struct spg_recorder {
	struct spg_store *store;
	struct spg_recorder_listener listener;
	struct spg_event_counters counters;
	uv_timer_t merge_timer;
	struct spg_event_gap merged; /* count 0: none pending */
	bool stopped;
};

/* An announcement that waits for the disk. */
struct owed {
	struct spg_recorder *recorder;
	struct spg_event *event;
};

struct spg_recorder *spg_recorder_create(uv_loop_t *loop, struct spg_store *store,
	int64_t last_id, const struct spg_recorder_listener *listener)
{
	struct spg_recorder *recorder = calloc(1, sizeof(*recorder));

	if (!recorder)
		return NULL;
	recorder->store = store;
	recorder->counters.last_id = last_id;
	recorder->listener = *listener;
	uv_timer_init(loop, &recorder->merge_timer);
	recorder->merge_timer.data = recorder;
	return recorder;
}

const struct spg_event_counters *spg_recorder_counters(
	const struct spg_recorder *recorder)
{
	return &recorder->counters;
}

static void announce(struct spg_recorder *recorder, const struct spg_event *event)
{
	recorder->listener.on_announced(recorder->listener.user, event);
}

static void on_durable(void *user, int err)
{
	struct owed *owed = user;

	/* Without a disk it is still true. */
	(void)err;
	announce(owed->recorder, owed->event);
	spg_event_unref(owed->event);
	free(owed);
}

static void flush_merged(struct spg_recorder *recorder)
{
	struct spg_event_gap gap = recorder->merged;

	if (gap.count == 0)
		return;
	recorder->merged.count = 0;
	spg_recorder_gap(recorder, &gap,
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

static void note_merged(struct spg_recorder *recorder, const struct spg_event *event)
{
	struct spg_event_gap *merged = &recorder->merged;

	if (merged->count++ == 0) {
		*merged = (struct spg_event_gap){
			.reason = SPG_GAP_MERGED, .since_ns = event->at_ns, .count = 1};
		uv_timer_start(
			&recorder->merge_timer, on_merge_timer, MERGE_WINDOW_MS, 0);
	}
	merged->until_ns = event->at_ns;
}

static void count(struct spg_recorder *recorder, const struct spg_event *event)
{
	recorder->counters.events[event->kind]++;
	if (event->kind == SPG_EVENT_GAP)
		recorder->counters.gaps[event->gap.reason]++;
	recorder->listener.on_recorded(recorder->listener.user, event);
}

void spg_recorder_record(struct spg_recorder *recorder, struct spg_event *event)
{
	struct owed *owed = event->durable ? calloc(1, sizeof(*owed)) : NULL;

	event->id = ++recorder->counters.last_id;
	count(recorder, event);
	spg_store_append(recorder->store, event);
	if (is_merged(event) && !recorder->stopped)
		note_merged(recorder, event);
	if (!owed) {
		announce(recorder, event);
		return;
	}
	*owed = (struct owed){recorder, spg_event_ref(event)};
	spg_store_flush(recorder->store, on_durable, owed);
}

void spg_recorder_gap(struct spg_recorder *recorder, const struct spg_event_gap *gap,
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
		spg_recorder_record(recorder, event);
	spg_event_unref(event);
}

void spg_recorder_announce_stored(
	struct spg_recorder *recorder, const struct spg_event *gap)
{
	count(recorder, gap);
	announce(recorder, gap);
}

void spg_recorder_stop(struct spg_recorder *recorder)
{
	if (!recorder || recorder->stopped)
		return;
	flush_merged(recorder);
	recorder->stopped = true;
	uv_close((uv_handle_t *)&recorder->merge_timer, NULL);
}

void spg_recorder_destroy(struct spg_recorder *recorder)
{
	free(recorder);
}
