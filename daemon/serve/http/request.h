/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * One request over HTTP. The paths are /, /healthz, /metrics, /api/events, and
 * /api/NAME for each method of the table that only reads; spg_http_on_request()
 * finds which. A method that answers later leaves the connection suspended until
 * then; a client that has gone is noticed when the answer is there.
 *
 * A connection has one request, so that requests are bounded by slots.h. Those that ask
 * are bounded by SPG_HTTP_QUESTIONS: the others wait, suspended, and the peer that has
 * the fewest in hand is next. Together they are one user (serve/quota.h). Loop thread.
 */
#include "common/buf.h"
#include "daemon/serve/http/state.h"

struct spg_http_request {
	struct spg_asker asker; /* first: the callbacks know only this */
	struct spg_http_request *prev, *next;
	struct spg_http *http;
	struct MHD_Connection *connection;
	struct spg_http_peer *peer; /* as long as the connection */
	bool begun;                 /* it was looked at */
	bool waits;                 /* until others have their answers */
	bool asks;                  /* counted in n_questions */
	bool suspended;             /* waits for the answer, or as above */
	bool answered;              /* what follows is the answer */
	unsigned status;
	struct spg_buf body;
	const char *media_type;        /* static */
	struct MHD_Response *response; /* instead of body: owned until queued */
};
