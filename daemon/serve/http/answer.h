/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What all answers have: header fields, and errors in one form. Each answer ends its
 * connection, so that a client has no more than one request in hand. Loop thread.
 */
#include <jansson.h>
#include <microhttpd.h>

#include "common/buf.h"
#include "daemon/serve/http/head.h"

#define SPG_HTTP_JSON   "application/json"
#define SPG_HTTP_TEXT   "text/plain; charset=utf-8"
#define SPG_HTTP_EVENTS "text/event-stream"

/** {"error": ...}; NULL: no memory. */
json_t *spg_http_error(const struct spg_rpc_error *error);

/** Give @response its header fields. @media_type is copied. */
void spg_http_add_headers(struct MHD_Response *response, const char *media_type);

/** The whole answer to a request that was refused, with no body when it must have
 * none. */
void spg_http_write_refusal(
	struct spg_buf *out, const struct spg_http_refusal *refusal, bool bodiless);
