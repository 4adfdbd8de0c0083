/* SPDX-License-Identifier: MIT */
#pragma once
/* What the http files share, see http.h. Of daemon/serve/http*.c only. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <microhttpd.h>
#include <uv.h>

#include "common/listen_address.h"
#include "daemon/serve/http/connection.h"
#include "daemon/serve/listener.h"
#include "daemon/serve/session.h"

/* Streams of events at once, and those of one peer. */
#define SPG_HTTP_STREAMS        32
#define SPG_HTTP_PEER_STREAMS   24
/* Questions at once, and those of one peer: each costs others a part of a turn of the
 * loop. */
#define SPG_HTTP_QUESTIONS      4
#define SPG_HTTP_PEER_QUESTIONS 3

/* libmicrohttpd before 0.9.71 had int. */
typedef enum MHD_Result spg_mhd_result;

struct spg_http_request;
struct spg_http_stream;

/* One address that is listened at. */
struct spg_http_listener {
	struct spg_http *http;
	struct spg_http_site site;
	int fd; /* of IP, or given; -1: a Unix socket */
	uv_poll_t poll;
	bool has_poll, has_place;
	struct spg_listener place; /* of a Unix socket */
	bool has_client;           /* waits there to be accepted */
};

struct spg_http {
	struct spg_session_host *host;
	uv_loop_t *loop;
	struct MHD_Daemon *daemon;
	struct spg_quota *quota; /* all requests are charged to it */
	bool shows_processes;
	struct spg_http_slots slots;
	uv_poll_t poll;   /* of libmicrohttpd's epoll descriptor */
	uv_timer_t timer; /* when it wants to be called otherwise */
	uv_check_t turn;  /* calls it, when it is due, once in a turn of the loop */
	uv_idle_t awake;  /* keeps the loop from waiting while it is due */
	bool due;
	uv_timer_t rest;    /* no new clients until descriptors are free */
	uv_timer_t comment; /* shows streams that it goes on */
	struct spg_http_listener *listeners;
	size_t n_listeners;
	struct spg_http_request *requests; /* all of them, the newest first */
	size_t n_questions;                /* of which have asked */
	struct spg_http_stream *streams;
	size_t n_streams;
	size_t n_closing;
	bool stopping;
	void (*on_closed)(void *user);
	void *user;
};

/** libmicrohttpd's callback for a request: request.c. */
spg_mhd_result spg_http_on_request(void *cls, struct MHD_Connection *connection,
	const char *url, const char *method, const char *version, const char *upload,
	size_t *upload_size, void **request);

/** ... and for its end, however it came. */
void spg_http_on_completed(void *cls, struct MHD_Connection *connection, void **request,
	enum MHD_RequestTerminationCode code);

/** Go on with a connection that was suspended, from the loop. */
void spg_http_resume(struct spg_http *http, struct MHD_Connection *connection);

/** A question that waits for others goes on, when there is room for it: request.c. */
void spg_http_ask_next(struct spg_http *http);

/** libmicrohttpd has something to do: it is called once, at the end of this turn. */
void spg_http_wake(struct spg_http *http);

/** Close @handle of @http, which is not freed before. */
void spg_http_close_handle(struct spg_http *http, uv_handle_t *handle);

/** The daemon stops: wake what waits, so that libmicrohttpd can end it. */
void spg_http_requests_resume(struct spg_http *http);
