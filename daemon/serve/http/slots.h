/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Who is connected. A connection has a slot from when it is accepted until it is
 * closed, and one request. It
 *
 *   arrives   until the head of its request is whole. That is only looked at (MSG_PEEK)
 *             until it is checked (head.h); what is refused is answered here. A head
 *             has SPG_HTTP_HEAD_MS in all, however often a byte comes;
 *   is served by libmicrohttpd, which reads it again, until the answer was taken;
 *   leaves    until the client has closed it, or SPG_HTTP_LEAVE_MS are over. What he
 *             sends then is thrown away: a socket that is closed with something unread
 *             takes back what the other end has not read yet (RFC 9112, 9.6).
 *
 * Nobody keeps a slot from others by being slow. When one peer (peer.h), or all
 * together, have as many as they may, the oldest that leaves is dropped for the new
 * one; else the oldest that arrives; else the oldest that has had its answer for
 * SPG_HTTP_TAKE_MS and has not taken it, streams of events aside. When there is none
 * the new one is answered with 503, and leaves; of such SPG_HTTP_EXTRA are there besides
 * those that have slots, and more are closed at once.
 *
 * Answers that are not taken cost memory. A peer has no further question in hand while
 * they are more than SPG_HTTP_PEER_BYTES. When all are more than SPG_HTTP_BYTES, the
 * oldest of the peer that has most is dropped. Loop thread.
 */
#include "daemon/serve/http/state.h"

/** Returns 0, SPG_ERR_IO or SPG_ERR_NOMEM; spg_http_slots_stop() is due even then. */
int spg_http_slots_start(struct spg_http *http);

/** A client was accepted; @fd passes over. @address is borrowed. */
void spg_http_slots_take(struct spg_http *http, const struct spg_http_site *site,
	int fd, const struct sockaddr *address);

/** The connection of a request. */
struct spg_http_connection *spg_http_connection_of(struct MHD_Connection *connection);

/** Its answer, which has an end, is there, and costs @n_bytes until it was taken. */
void spg_http_connection_answered(
	struct spg_http_connection *connection, size_t n_bytes);

/** libmicrohttpd's callback for the begin and the end of what it serves. */
void spg_http_on_connection(void *cls, struct MHD_Connection *connection,
	void **socket_context, enum MHD_ConnectionNotificationCode code);

/** Close what arrives or leaves, after libmicrohttpd was stopped. Its handles are
 * counted in http->n_closing. */
void spg_http_slots_stop(struct spg_http *http);
