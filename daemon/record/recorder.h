/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Every event on its way out: numbered, counted, stored, announced. Gaps become
 * events here, and what the kernel merged becomes a gap a second. Loop thread.
 */
#include <uv.h>

#include "daemon/model/event.h"
#include "daemon/store/store.h"

struct spg_recorder;

/* Who hears of events; each borrows what it is given. */
struct spg_recorder_listener {
	/* An event has been numbered and counted. */
	void (*on_recorded)(void *user, const struct spg_event *event);
	/* It can be announced: at once, or when it is on disk if it is durable. */
	void (*on_announced)(void *user, const struct spg_event *event);
	void *user;
};

/** @last_id: the highest number used before. @listener is copied. NULL: out of
 * memory. */
struct spg_recorder *spg_recorder_create(uv_loop_t *loop, struct spg_store *store,
	int64_t last_id, const struct spg_recorder_listener *listener);

/** What was recorded since the start; the recorder's, and kept up to date. */
const struct spg_event_counters *spg_recorder_counters(
	const struct spg_recorder *recorder);

/**
 * Number @event, count it, store it, announce it. A durable one is announced even
 * when it could not be written: history stops, announcements do not. Takes
 * references of its own.
 */
void spg_recorder_record(struct spg_recorder *recorder, struct spg_event *event);

/** Record a gap. @detail: in words. */
void spg_recorder_gap(struct spg_recorder *recorder, const struct spg_event_gap *gap,
	const char *detail);

/** Announce a gap that the store recorded by itself. */
void spg_recorder_announce_stored(
	struct spg_recorder *recorder, const struct spg_event *gap);

/** Record what is pending and close the handle; before the store stops. Takes
 * NULL. What the store still owes is announced all the same. */
void spg_recorder_stop(struct spg_recorder *recorder);

/** After the loop has ended. Takes NULL. */
void spg_recorder_destroy(struct spg_recorder *recorder);
