/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Every event on its way out: numbered, counted, stored, announced. Gaps become
 * events here, and what the kernel merged becomes a gap a second. Loop thread.
 */
#include "daemon/host/reporter.h"
#include "daemon/model/event.h"
#include "daemon/serve/server.h"
#include "daemon/store/store.h"

struct spg_history;

/** @last_id: the highest number used before. NULL: out of memory. */
struct spg_history *spg_history_create(
	uv_loop_t *loop, struct spg_store *store, int64_t last_id);

/** Who hears of every event first (NULL: nobody). Borrowed until
 * spg_history_stop(). */
void spg_history_set_herald(struct spg_history *history, struct spg_herald *herald);

/** Whom to announce to (NULL: nobody), and where to count. Borrowed. */
void spg_history_set_server(struct spg_history *history, struct spg_server *server);
void spg_history_set_service(struct spg_history *history, struct spg_service *service);

/**
 * Number @event, store it, announce it: at once, or when it is on disk if it is
 * durable (or could not be written: history stops, announcements do not). Takes
 * references of its own.
 */
void spg_history_record(struct spg_history *history, struct spg_event *event);

/** Record a gap. @detail: in words. */
void spg_history_gap(struct spg_history *history, const struct spg_event_gap *gap,
	const char *detail);

/** Announce a gap that the store recorded by itself. */
void spg_history_announce_stored(struct spg_history *history, struct spg_event *gap);

/** Record what is pending and close the handle; before the store stops. Takes
 * NULL. Announcements that the store still owes find no server. */
void spg_history_stop(struct spg_history *history);

/** After the loop has ended. Takes NULL. */
void spg_history_destroy(struct spg_history *history);
