/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The messages of the local socket: JSON-RPC 2.0, UTF-8, one object a line.
 *
 * Does no IO and knows no method. Shared by daemon and client. Not thread-safe
 * per object; no state of its own.
 *
 * What is accepted as a request: an object with "jsonrpc": "2.0", a "method"
 * that is text, "params" that are absent or an object (parameters go by name),
 * and an "id" that is text of at most SPG_MESSAGE_ID_MAX bytes, a number, or
 * null. Without "id" it is a notification. Batches (arrays) are refused with
 * -32600: a client may send many lines without waiting instead. A name that
 * comes twice in one object is refused, since two readers could differ about it.
 */
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "common/buf.h"

/* Longest request in bytes, without its line break. Answers may be longer. */
#define SPG_MESSAGE_MAX    (1024 * 1024)

#define SPG_MESSAGE_ID_MAX 128

enum spg_rpc_code {
	SPG_RPC_PARSE = -32700,       /* no JSON */
	SPG_RPC_INVALID = -32600,     /* JSON, but no request */
	SPG_RPC_NO_METHOD = -32601,   /* no such method */
	SPG_RPC_BAD_PARAMS = -32602,  /* unknown, missing or wrong parameters */
	SPG_RPC_INTERNAL = -32603,    /* it was tried and failed */
	SPG_RPC_NO_ANSWER = -32000,   /* the client's own: no daemon, or no answer */
	SPG_RPC_DENIED = -32001,      /* the caller may not */
	SPG_RPC_NO_PRODUCT = -32002,  /* no such product */
	SPG_RPC_TOO_LARGE = -32003,   /* the request exceeds a limit of size */
	SPG_RPC_BUSY = -32004,        /* too much at once, or shutting down */
	SPG_RPC_UNSUPPORTED = -32005, /* not on this tier */
};

struct spg_request {
	json_t *root; /* owned; the rest is borrowed from it */
	json_t *id;   /* NULL: a notification, which is never answered */
	const char *method;
	json_t *params; /* an object; NULL when there are none */
};

#define SPG_REQUEST_NULL                                                               \
	{                                                                              \
		NULL, NULL, NULL, NULL                                                 \
	}

/* An error answer: to send one, or why a line is no request. */
struct spg_rpc_error {
	int code;
	const char *message; /* one sentence */
	const char *hint;    /* what to do about it; NULL: nothing to say */
};

/* Why spg_message_parse() refused a line. */
struct spg_rejection {
	int code;
	char message[224];
	const char *hint; /* static */
	json_t *id;       /* owned; what the answer carries, NULL for null */
};

#define SPG_REJECTION_NULL                                                             \
	{                                                                              \
		0, "", NULL, NULL                                                      \
	}

#define SPG_MESSAGE_REJECTED 1
#define SPG_MESSAGE_BLANK    2

/**
 * Read one line of @n bytes, without its line break ('\r' and blanks at its
 * end are ignored).
 *
 * Returns 0 and a request, to be released with spg_request_finish();
 * SPG_MESSAGE_REJECTED and *ret_rejection, to be released with
 * spg_rejection_finish(); SPG_MESSAGE_BLANK for a line without content; or
 * SPG_ERR_NOMEM. What is not filled in is untouched.
 */
int spg_message_parse(const char *line, size_t n, struct spg_request *ret,
	struct spg_rejection *ret_rejection);

/** Both are idempotent and take their null value. */
void spg_request_finish(struct spg_request *request);
void spg_rejection_finish(struct spg_rejection *rejection);

/**
 * Append one line, its line break included. Everything is borrowed; @id NULL
 * is null, @params NULL are none. Texts must be valid UTF-8, as
 * spg_text_escape() makes it.
 *
 * Return 0 or SPG_ERR_NOMEM; then @out has its old contents, and ->failed is
 * set if it could not grow.
 */
int spg_message_add_result(struct spg_buf *out, const json_t *id, const json_t *result);
int spg_message_add_error(
	struct spg_buf *out, const json_t *id, const struct spg_rpc_error *error);
int spg_message_add_notification(
	struct spg_buf *out, const char *method, const json_t *params);
int spg_message_add_request(
	struct spg_buf *out, int64_t id, const char *method, const json_t *params);
