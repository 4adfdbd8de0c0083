/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The local socket's server: listener, sessions, subscriptions, methods. Start
 * here to read daemon/serve. Loop thread.
 *
 *   listener.h      the socket's place in the file system
 *   session.h       one client: lines in, lines out, limits
 *   methods/        the table of methods, and their handlers
 *   call.h          one request between dispatch and answer
 *   subscription.h  who wants which events
 *   http/           the same methods for browsers and monitoring systems
 *   render/         records to JSON
 *   quota.h, limits.h  what a peer may pin
 *
 * Stop the server before the prover, the watch and the model. Calls that wait
 * for the store may outlive the server; they end with the store's callbacks.
 */
#include <sys/types.h>

#include "daemon/model/event.h"
#include "daemon/serve/http/http.h"
#include "daemon/serve/limits.h"
#include "daemon/serve/listener.h"
#include "daemon/serve/render/render.h"
#include "daemon/serve/service.h"

struct spg_server;

struct spg_server_config {
	const char *socket_path;
	int fd;      /* a socket from the service manager, used instead of
	               @socket_path; -1: none. Passes to the server */
	gid_t gid;   /* SPG_GID_NONE: nobody but the owner may connect */
	mode_t mode; /* 0: 0660, or 0600 without a group */
	const struct spg_limits *limits; /* copied; NULL: SPG_LIMITS_DEFAULT */
	struct spg_http_config http;     /* nothing in it: no HTTP */
};

/**
 * Listen and serve. @service is borrowed until spg_server_stop() has called
 * back. A missing directory of the socket is made if it is directly in /run.
 * SIGPIPE is ignored from now on in the whole process, unless it is handled.
 *
 * Returns 0, or as spg_listener_start() and spg_http_start(), logged; then nothing is left, unless
 * handles of @service->loop which close as soon as it runs.
 */
int spg_server_start(struct spg_server **ret, const struct spg_service *service,
	const struct spg_server_config *config);

/** Announce @event, borrowed, to those who subscribed: as "event", and a VERDICT
 * as "verdict" too. Never blocks: who is slow gets a marker instead. */
void spg_server_publish(struct spg_server *server, const struct spg_event *event);

/** Whether HTTP shows processes, from now on. */
void spg_server_show_processes(struct spg_server *server, bool shows);

void spg_server_counts(const struct spg_server *server, struct spg_server_counts *ret);

/** Close all; then @on_closed, from the loop. Takes NULL (@on_closed comes
 * within the call). */
void spg_server_stop(
	struct spg_server *server, void (*on_closed)(void *user), void *user);
