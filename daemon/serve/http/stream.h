/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Events as they happen, as text/event-stream (HTML standard, "Server-sent events"):
 * "event" and "verdict" as the socket's subscribers get them. A client that does not
 * take them gets "dropped" with their number instead, and stalls nobody. Loop thread.
 */
#include "daemon/serve/http/state.h"

/**
 * The answer that goes on for ever. @product, a name or NULL for all, is copied.
 * NULL when there are too many, or no memory: *ret_busy says which.
 */
struct MHD_Response *spg_http_stream_open(struct spg_http *http,
	struct spg_http_peer *peer, struct MHD_Connection *connection,
	const char *product, bool *ret_busy);

/** Announce @event to the streams that want it. */
void spg_http_streams_publish(struct spg_http *http, const struct spg_event *event);

/** The daemon stops: wake those that wait. */
void spg_http_streams_resume(struct spg_http *http);
