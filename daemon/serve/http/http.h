/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The same methods over HTTP, only to read: for browsers and monitoring systems.
 * libmicrohttpd speaks HTTP; its epoll descriptor is polled by the loop, so there is
 * no thread and nothing is locked. Start here to read this folder:
 *
 *   http.c      where it listens, and libmicrohttpd under the loop
 *   slots.h     who is connected, and who goes when there are too many
 *   connection.h  one of them
 *   peer.h      who is at the other end
 *   head.h      what a request has to be before libmicrohttpd sees it
 *   answer.h    what all answers have
 *   request.h   one request: which path, who answers, with what
 *   query.h     the query of a URL as parameters of a method
 *   stream.h    events as they happen (server-sent events)
 *   redact.h    what names no process
 *   absent.c    instead of all these, in a build without libmicrohttpd
 *
 * Nobody proves who he is here: so nothing can be changed, and what names processes
 * is left out unless the configuration says otherwise. Loop thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/listen_address.h"
#include "daemon/model/event.h"

struct spg_http;
struct spg_session_host;

struct spg_http_config {
	const struct spg_listen_address *addresses; /* borrowed for the call */
	size_t n_addresses;
	int fd;    /* a listening socket from the service manager, used instead of
	              @addresses; 0: none. Passes to the server */
	gid_t gid; /* of Unix sockets; SPG_GID_NONE: nobody but the owner */
	bool shows_processes;
};

/** False in a build without libmicrohttpd. */
bool spg_http_is_built(void);

/**
 * Listen. @host, borrowed, has the service, the limits and the accounts. With
 * nothing to listen at *ret is NULL, which all functions below take.
 *
 * Returns 0; SPG_ERR_BUSY, SPG_ERR_DENIED, SPG_ERR_INVALID or SPG_ERR_IO when an
 * address cannot be had; SPG_ERR_UNSUPPORTED when it was built without
 * libmicrohttpd; SPG_ERR_NOMEM. Each is logged with what to do, and spg_http_stop()
 * is due even then.
 */
int spg_http_start(struct spg_http **ret, struct spg_session_host *host,
	const struct spg_http_config *config);

/** Announce @event, borrowed, to the streams that want it. */
void spg_http_publish(struct spg_http *http, const struct spg_event *event);

/** From now on. */
void spg_http_show_processes(struct spg_http *http, bool shows);

/** End all requests and close; then @on_closed, from the loop (from within the call
 * for NULL). */
void spg_http_stop(struct spg_http *http, void (*on_closed)(void *user), void *user);
