/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * One client of the local socket: framing, credentials, limits, the output
 * queue. Loop thread. Knows no method: complete requests go to the host's
 * on_request.
 *
 * Life: spg_session_take() takes the connection; from then on the session ends
 * by itself or by spg_session_close(), which detaches its calls, takes it out
 * of the host's list and closes the handle. The memory goes in the close
 * callback and nowhere else.
 *
 * Detaching a call withdraws its questions from the prover, which may be in the
 * middle of answering. So nothing that sends (answer, refuse, notify, settle)
 * ever closes: it marks the session as doomed, and the host reaps it from the
 * loop with spg_session_reap().
 *
 * What was read waits until its user has a turn (spg_session_serve()) and room
 * (quota.h). Reading stops while enough waits, and while the client does not take its
 * answers (limits.output_bytes). A client that shuts down its sending side only
 * still gets its answers; one that closed is found out by spg_session_sweep().
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <uv.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/message.h"
#include "daemon/serve/call.h"
#include "daemon/serve/limits.h"
#include "daemon/serve/quota.h"
#include "daemon/serve/render/render.h"
#include "daemon/serve/service.h"
#include "daemon/serve/subscription.h"

struct spg_session;

/* What the sessions of one server share and report to. */
struct spg_contract;

struct spg_session_host {
	const struct spg_service *service;
	const struct spg_contract *contract;
	const struct spg_limits *limits;
	struct spg_quotas quotas;
	struct spg_session *sessions; /* not closing, in the order of their turns */
	uint64_t turn;
	/* What the requests that were begun cost, and large answers of HTTP, until it is
	 * reset. */
	size_t n_spent;
	size_t n_sessions;
	size_t n_handles;    /* sessions whose memory is still there */
	const char *refusal; /* why the last client was turned away; static */
	uint64_t n_drops;    /* notifications not delivered, ever */
	int64_t last_subscription;
	char *read_buffer; /* SPG_READ_BYTES; shared, as libuv fills one at a time */
	/* A request to work on; the asker owns it. @cost: see quota.h. */
	void (*on_request)(struct spg_asker *asker, const struct spg_request *request,
		size_t cost);
	/* Requests wait, or @n_spent has grown: call spg_session_serve() from the loop,
	 * soon. */
	void (*on_input)(struct spg_session_host *host);
	/* A session is doomed: call spg_session_reap() from the loop, soon. */
	void (*on_doomed)(struct spg_session_host *host);
	/* A session's memory has gone. */
	void (*on_gone)(struct spg_session_host *host);
};

#define SPG_READ_BYTES 65536
/* So long may requests be begun in one turn of the loop, and one more request. */
#define SPG_SERVE_NS   (5 * SPG_NS_PER_MS)

struct spg_session {
	struct spg_asker asker; /* its calls, and whom they are charged to */
	uv_pipe_t pipe;
	uv_write_t write;
	struct spg_session *prev, *next;
	struct spg_peer peer;
	bool confirmed; /* it has proved to be @peer: spg_platform_confirms() */
	int fd;         /* of @pipe */

	struct spg_buf in; /* received; handled up to @n_used */
	size_t n_used;
	size_t n_scanned;    /* since then, known to hold no line break */
	size_t n_in_charged; /* charged to the account */
	bool has_line;       /* a request, of @n_line bytes, that costs @line_cost */
	size_t n_line, line_cost;

	struct spg_buf waiting, writing;         /* output: next and current write */
	size_t waiting_notices, writing_notices; /* bytes of notifications therein */
	size_t n_out_charged;

	struct spg_subscriber subscriber;
	uint64_t n_dropped; /* notifications since the last marker */

	uint64_t active_ms; /* uv_now() of the last sign of life */
	bool entered;       /* it is in the host's list */
	bool reading, write_active;
	bool ended;   /* the client sends no more */
	bool leaving; /* close once the output is written */
	bool doomed;  /* to be closed; nothing is sent or handled any more */
	bool closing;
};

/**
 * Take the connection that waits at @listener, and find out whose it is. It is not
 * served before spg_session_enter(), and counts for nothing. Returns 0 and *ret, or a
 * negative spg_err when nothing could be accepted.
 */
int spg_session_take(
	struct spg_session **ret, struct spg_session_host *host, uv_stream_t *listener);

/** Serve it. */
void spg_session_enter(struct spg_session *session);

/** End it with an error line that says @why, if it takes that at once. From the loop
 * only. */
void spg_session_turn_away(struct spg_session *session, const char *why);

/** End it now; what was not written is lost. Idempotent. From the loop only. */
void spg_session_close(struct spg_session *session);

/** Queue a notification, @n bytes of whole lines (0: there was no memory to make
 * them), or count it as dropped. */
void spg_session_notify(struct spg_session *session, const char *line, size_t n);

/** Count what "status" tells of the sessions. */
void spg_session_host_count(
	const struct spg_session_host *host, struct spg_server_counts *ret);

/**
 * Begin requests that wait, for SPG_SERVE_NS at most: in turn between the users, so that
 * nobody waits for all that another one has asked, and between the sessions of each.
 * Returns whether some could begin that did not. From the loop only.
 */
bool spg_session_serve(struct spg_session_host *host);

/** Close the sessions that are doomed; from the loop only. */
void spg_session_reap(struct spg_session_host *host);

/** Close it if its client has gone or was idle for too long; now and then. */
void spg_session_sweep(struct spg_session *session, uint64_t now_ms);
