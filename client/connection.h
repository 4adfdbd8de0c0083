/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The client's end of the local socket: JSON-RPC, one object a line.
 *
 * The only place of the client that knows sockets. Blocking, each call with a
 * deadline; a client asks one thing at a time, and starts faster without a
 * loop. What the peer sends is not trusted: its lines have a limit, its JSON is
 * checked, an end of file is an error and never waited through.
 *
 * Errors are put into a complaint, with advice, and returned as a spg_err.
 */
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "client/error.h"
#include "client/local.h"
#include "common/buf.h"

#define SPG_PROTOCOL_VERSION    1
#define SPG_CONNECTION_LINE_MAX (64U << 20) /* bytes of one answer */

/* A call that the daemon answered with an error. */
#define SPG_CALL_REFUSED        1
/* spg_connection_next(): @wake_fd has something to read. */
#define SPG_CONNECTION_WOKEN    2

struct spg_connection {
	struct spg_local local;
	const char *path;
	struct spg_buf in; /* received, not yet taken */
	size_t taken;      /* bytes at the start of @in that were taken */
	size_t scanned;    /* bytes of @in known to hold no line break */
	int64_t last_id;
	/* For each notification that comes before an answer; true: it is done with,
	 * and the time-out begins anew, since the daemon is at work. False, or no
	 * function: it is kept in @early. The message is borrowed. */
	bool (*on_notification)(void *user, const json_t *message);
	void *notification_user;
	/* Once a second while an answer is waited for; not in spg_connection_next(). */
	void (*on_wait)(void *user);
	void *wait_user;
	json_t *early;   /* notifications that came before an answer */
	int refusal;     /* code of the last SPG_CALL_REFUSED */
	json_t *welcome; /* the answer to hello */
};

#define SPG_CONNECTION_NULL                                                            \
	{                                                                              \
		.local.fd = -1                                                         \
	}

/**
 * Connect to the daemon at @path (borrowed until close) and say hello, within
 * @timeout_ns.
 *
 * Returns 0; SPG_ERR_NOT_FOUND (nobody listens), SPG_ERR_DENIED,
 * SPG_ERR_INVALID (no socket, path too long), SPG_ERR_TIMEOUT,
 * SPG_ERR_UNSUPPORTED (another protocol), SPG_ERR_CORRUPT (no spguardd),
 * SPG_ERR_IO, SPG_ERR_NOMEM, and then @why says it.
 */
int spg_connection_open(struct spg_connection *connection, const char *path,
	int64_t timeout_ns, struct spg_complaint *why);

/** Idempotent; takes SPG_CONNECTION_NULL. */
void spg_connection_close(struct spg_connection *connection);

/**
 * Ask and wait for the answer; @timeout_ns at most, from the question or from the
 * last notification that on_notification took.
 *
 * @params  taken over, also on failure; NULL: none
 * @ret     the result, a reference for the caller; untouched on failure
 *
 * Returns 0; SPG_CALL_REFUSED with the daemon's words and hint in @why and its
 * code in connection->refusal; SPG_ERR_LIMIT when the request or the answer is
 * too large; or as spg_connection_open().
 */
int spg_connection_call(struct spg_connection *connection, const char *method,
	json_t *params, int64_t timeout_ns, json_t **ret, struct spg_complaint *why);

/**
 * Wait for the next notification, without limit.
 *
 * @wake_fd  when this can be read, return SPG_CONNECTION_WOKEN; -1: none
 * @ret      the whole message, a reference for the caller
 *
 * Returns 0, SPG_CONNECTION_WOKEN, or a negative spg_err with @why.
 */
int spg_connection_next(struct spg_connection *connection, int wake_fd, json_t **ret,
	struct spg_complaint *why);

/**
 * Ask without waiting: the answer comes from spg_connection_any(), with *@ret_id as its
 * "id". At most @timeout_ns until it is sent. Returns as spg_connection_call().
 *
 * @params  taken over, also on failure; NULL: none
 */
int spg_connection_send(struct spg_connection *connection, const char *method,
	json_t *params, int64_t timeout_ns, int64_t *ret_id, struct spg_complaint *why);

/** As spg_connection_next(), but answers to what was sent come, too. */
int spg_connection_any(struct spg_connection *connection, int wake_fd, json_t **ret,
	struct spg_complaint *why);

/** Bytes of the request for @method with @params, its line break not included;
 * 0: out of memory. To explain SPG_MESSAGE_MAX before sending. */
size_t spg_connection_request_bytes(const char *method, const json_t *params);
