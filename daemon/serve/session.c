/* SPDX-License-Identifier: MIT */
#include "daemon/serve/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "common/platform.h"
#include "common/work.h"

/* Buffers above this are given back once they are empty. */
#define KEEP_BYTES 65536

static void update_reading(struct spg_session *session);

static size_t output_bytes(const struct spg_session *session)
{
	return session->waiting.len + session->writing.len;
}

static void free_when_closed(uv_handle_t *handle)
{
	struct spg_session *session = handle->data;
	struct spg_session_host *host = session->asker.host;

	spg_buf_finish(&session->in);
	spg_buf_finish(&session->waiting);
	spg_buf_finish(&session->writing);
	free(session);
	host->n_handles--;
	host->on_gone(host);
}

static void leave_host(struct spg_session *session)
{
	struct spg_session_host *host = session->asker.host;

	if (session->prev)
		session->prev->next = session->next;
	else
		host->sessions = session->next;
	if (session->next)
		session->next->prev = session->prev;
	session->prev = session->next = NULL;
	host->n_sessions--;
	session->asker.quota->n_sessions--;
	session->asker.quota->n_input -= session->n_in_charged;
	spg_quota_set_output(session->asker.quota, session->n_out_charged, 0);
}

void spg_session_close(struct spg_session *session)
{
	if (session->closing)
		return;
	session->closing = session->doomed = true;
	spg_call_abandon_all(&session->asker.calls);
	spg_holds_drop_owner(session->asker.service->holds, session);
	spg_subscriber_finish(&session->subscriber);
	if (session->entered)
		leave_host(session);
	spg_quota_unref(session->asker.quota);
	session->asker.quota = NULL;
	uv_close((uv_handle_t *)&session->pipe, free_when_closed);
}

/* Like closing, but safe at any depth of calls: see the header. */
static void doom(struct spg_session *session)
{
	if (session->doomed)
		return;
	session->doomed = true;
	session->asker.host->on_doomed(session->asker.host);
}

void spg_session_reap(struct spg_session_host *host)
{
	struct spg_session *session = host->sessions;

	while (session) {
		struct spg_session *next = session->next;

		if (session->doomed)
			spg_session_close(session);
		session = next;
	}
}

/* Output. */

static void charge_output(struct spg_session *session)
{
	size_t now = output_bytes(session);

	if (session->asker.quota)
		spg_quota_set_output(session->asker.quota, session->n_out_charged, now);
	session->n_out_charged = now;
}

static void on_written(uv_write_t *request, int status);

static void flush(struct spg_session *session)
{
	struct spg_buf empty = session->writing;
	uv_buf_t buf;
	int r;

	if (session->doomed || session->write_active || !session->waiting.len)
		return;
	session->writing = session->waiting;
	session->writing_notices = session->waiting_notices;
	session->waiting = empty;
	session->waiting_notices = 0;
	buf.base = session->writing.data;
	buf.len = session->writing.len;
	r = uv_write(
		&session->write, (uv_stream_t *)&session->pipe, &buf, 1, on_written);
	if (r < 0) {
		doom(session);
		return;
	}
	session->write_active = true;
}

static void add_dropped_marker(struct spg_session *session)
{
	size_t start = session->waiting.len;
	json_t *params = json_pack("{s:I}", "dropped", (json_int_t)session->n_dropped);

	/* Without memory for it, it is tried again after the next write. */
	if (params &&
		spg_message_add_notification(&session->waiting, "event", params) == 0) {
		session->waiting_notices += session->waiting.len - start;
		session->n_dropped = 0;
	}
	json_decref(params);
}

static void leave_if_done(struct spg_session *session)
{
	if (session->doomed || output_bytes(session))
		return;
	if (session->leaving ||
		(session->ended && !session->has_line && !session->asker.calls &&
			!session->subscriber.n))
		doom(session);
}

static void on_written(uv_write_t *request, int status)
{
	struct spg_session *session = request->data;

	session->write_active = false;
	if (session->doomed)
		return;
	if (status < 0) {
		spg_session_close(session);
		return;
	}
	session->active_ms = uv_now(session->pipe.loop);
	if (session->writing.size > KEEP_BYTES)
		spg_buf_finish(&session->writing);
	else
		spg_buf_clear(&session->writing);
	session->writing_notices = 0;
	if (session->n_dropped && session->waiting_notices <=
					  session->asker.host->limits->notice_bytes / 2)
		add_dropped_marker(session);
	flush(session);
	charge_output(session);
	if (session->has_line)
		session->asker.host->on_input(session->asker.host);
	update_reading(session);
	leave_if_done(session);
}

/* An answer that cannot be queued leaves the client waiting for ever: end it. */
static void after_queueing(struct spg_session *session, int r)
{
	if (r < 0) {
		spg_error("a client (pid %d) is disconnected: %s",
			(int)session->peer.pid, spg_err_text(r));
		doom(session);
		return;
	}
	flush(session);
	charge_output(session);
}

static void refuse(
	struct spg_asker *asker, const json_t *id, const struct spg_rpc_error *error)
{
	struct spg_session *session = asker->session;

	if (!session->doomed)
		after_queueing(
			session, spg_message_add_error(&session->waiting, id, error));
}

static void answer(struct spg_asker *asker, const json_t *id, const json_t *result)
{
	struct spg_session *session = asker->session;

	if (session->doomed)
		return;
	if (asker->quota->n_output >= asker->host->limits->uid_output)
		refuse(asker, id,
			&(struct spg_rpc_error){SPG_RPC_BUSY,
				"too many answers to your user were not taken yet",
				"read the answers, then ask again"});
	else
		after_queueing(
			session, spg_message_add_result(&session->waiting, id, result));
}

void spg_session_notify(struct spg_session *session, const char *line, size_t n)
{
	struct spg_session_host *host = session->asker.host;

	if (session->doomed || session->leaving)
		return;
	/* Once something was dropped, all that follows is, until the marker is
	 * out: it stands where the loss is. */
	if (!n || session->n_dropped ||
		session->waiting_notices + session->writing_notices + n >
			host->limits->notice_bytes) {
		session->n_dropped++;
		host->n_drops++;
		/* With nothing under way, nobody else would send the marker. */
		if (!session->write_active) {
			add_dropped_marker(session);
			flush(session);
		}
		return;
	}
	spg_buf_add(&session->waiting, line, n);
	session->waiting_notices += n;
	after_queueing(session, session->waiting.failed ? SPG_ERR_NOMEM : 0);
}

/* Input. */

/* Send an error that answers no request in particular, then close. */
static void expel(struct spg_session *session, const struct spg_rpc_error *error)
{
	session->leaving = true;
	if (session->reading) {
		uv_read_stop((uv_stream_t *)&session->pipe);
		session->reading = false;
	}
	refuse(&session->asker, NULL, error);
}

static void reject_line(struct spg_session *session, struct spg_rejection *rejection)
{
	struct spg_rpc_error error = {
		rejection->code, rejection->message, rejection->hint};

	refuse(&session->asker, rejection->id, &error);
	spg_rejection_finish(rejection);
}

static void handle_line(
	struct spg_session *session, const char *line, size_t n, size_t cost)
{
	struct spg_request request = SPG_REQUEST_NULL;
	struct spg_rejection rejection = SPG_REJECTION_NULL;
	int r = spg_message_parse(line, n, &request, &rejection);

	if (r == SPG_MESSAGE_REJECTED)
		reject_line(session, &rejection);
	else if (r < 0)
		refuse(&session->asker, NULL,
			&(struct spg_rpc_error){
				SPG_RPC_INTERNAL, spg_err_text(r), NULL});
	/* A notification must not be answered, and no method of ours does
	 * anything but answer. */
	if (r == 0 && request.id)
		session->asker.host->on_request(&session->asker, &request, cost);
	spg_request_finish(&request);
}

/* Charge what is left unhandled to the account. */
static void charge_input(struct spg_session *session)
{
	struct spg_quota *quota = session->asker.quota;

	quota->n_input += session->in.len - session->n_used - session->n_in_charged;
	session->n_in_charged = session->in.len - session->n_used;
	if (quota->n_input > session->asker.host->limits->uid_input &&
		!session->leaving)
		expel(session,
			&(struct spg_rpc_error){SPG_RPC_BUSY,
				"too many bytes of your requests are held already",
				"wait for answers before asking more"});
}

/* Look for the next request in what was received. A client whose request has no end is
 * expelled. */
static void find_line(struct spg_session *session)
{
	size_t max = session->asker.host->limits->message_bytes;
	size_t n = session->in.len - session->n_used;
	const char *start = session->in.data ? session->in.data + session->n_used : "";
	const char *end = NULL;

	if (session->doomed || session->leaving || session->has_line)
		return;
	if (n > session->n_scanned)
		end = memchr(start + session->n_scanned, '\n', n - session->n_scanned);
	if (end)
		n = (size_t)(end - start);
	if (n > max) {
		char message[80];

		snprintf(message, sizeof(message), "a message has at most %zu bytes",
			max);
		expel(session, &(struct spg_rpc_error){SPG_RPC_TOO_LARGE, message,
				       "split the request; the connection is closed, "
				       "since the next one cannot be found"});
		return;
	}
	session->n_scanned = end ? 0 : n;
	session->has_line = end || (session->ended && n);
	if (!session->has_line)
		return;
	session->n_line = n;
	session->line_cost = spg_request_cost(start, n);
	session->asker.host->on_input(session->asker.host);
}

/* Give back what was handled. */
static void compact(struct spg_session *session)
{
	size_t left = session->in.len - session->n_used;

	if (session->n_used < session->in.len && session->n_used < KEEP_BYTES)
		return;
	if (left > 0)
		memmove(session->in.data, session->in.data + session->n_used, left);
	if (session->in.data)
		session->in.data[left] = '\0';
	session->in.len = left;
	session->n_used = 0;
	if (!left && session->in.size > KEEP_BYTES)
		spg_buf_finish(&session->in);
}

static void begin_request(struct spg_session *session)
{
	session->has_line = false;
	session->asker.host->n_spent += session->line_cost;
	if (session->line_cost <= session->asker.host->limits->request_cost)
		handle_line(session, session->in.data + session->n_used,
			session->n_line, session->line_cost);
	else
		refuse(&session->asker, NULL,
			&(struct spg_rpc_error){SPG_RPC_TOO_LARGE,
				"a request has too many elements",
				"split the request"});
	session->n_used += session->n_line;
	if (session->n_used < session->in.len)
		session->n_used++; /* the line break */
	session->n_scanned = 0;
	if (session->doomed)
		return;
	if (session->leaving)
		session->n_used = session->in.len;
	compact(session);
	charge_input(session);
	find_line(session);
	update_reading(session);
	leave_if_done(session);
}

static bool may_begin(const struct spg_session *session)
{
	const struct spg_limits *limits = session->asker.host->limits;

	return session->has_line && !session->doomed && !session->leaving &&
	       output_bytes(session) < limits->output_bytes &&
	       spg_quota_has_room(session->asker.quota, limits, session->line_cost);
}

/* Behind all others, whose turn comes first then. */
static void go_to_the_end(struct spg_session *session)
{
	struct spg_session_host *host = session->asker.host;
	struct spg_session *last = session;

	while (last->next)
		last = last->next;
	if (last == session)
		return;
	session->next->prev = session->prev;
	if (session->prev)
		session->prev->next = session->next;
	else
		host->sessions = session->next;
	last->next = session;
	session->prev = last;
	session->next = NULL;
}

/* One request of each user; how many there were. */
static size_t serve_round(struct spg_session_host *host)
{
	struct spg_session *at = host->sessions;
	size_t n = 0;

	host->turn++;
	for (size_t i = host->n_sessions; i > 0; i--) {
		struct spg_session *next = at->next;

		if (at->asker.quota->turn != host->turn && may_begin(at)) {
			at->asker.quota->turn = host->turn;
			go_to_the_end(at);
			begin_request(at);
			n++;
		}
		at = next;
	}
	return n;
}

bool spg_session_serve(struct spg_session_host *host)
{
	enum spg_work before = spg_work_begin(SPG_WORK_REQUESTS);
	int64_t until_ns = spg_clock_mono_ns() + SPG_SERVE_NS;
	bool more;

	do
		more = serve_round(host) > 0;
	while (more && spg_clock_mono_ns() < until_ns);
	spg_work_end(before);
	return more;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct spg_session *session = handle->data;

	(void)suggested;
	buf->base = session->asker.host->read_buffer;
	buf->len = SPG_READ_BYTES;
}

/* Who has sent the first bytes is who connected. */
static bool is_confirmed(struct spg_session *session)
{
	uv_os_fd_t fd;

	if (!session->confirmed && uv_fileno((uv_handle_t *)&session->pipe, &fd) == 0)
		session->confirmed =
			spg_platform_confirms((intptr_t)fd, &session->peer);
	if (!session->confirmed)
		spg_warning("a client is not who connected (pid %d): dropped",
			(int)session->peer.pid);
	return session->confirmed;
}

static bool peer_is_gone(struct spg_session *session)
{
	uv_os_fd_t fd;

	return uv_fileno((uv_handle_t *)&session->pipe, &fd) < 0 ||
	       spg_platform_is_gone((intptr_t)fd);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct spg_session *session = stream->data;

	if (n == 0 || session->doomed)
		return;
	session->active_ms = uv_now(session->pipe.loop);
	if (n > 0 && !is_confirmed(session)) {
		spg_session_close(session);
		return;
	}
	if (n > 0) {
		spg_buf_add(&session->in, buf->base, (size_t)n);
		if (session->in.failed) {
			after_queueing(session, SPG_ERR_NOMEM);
			return;
		}
		find_line(session);
		charge_input(session);
		update_reading(session);
		leave_if_done(session);
		return;
	}
	uv_read_stop(stream);
	session->reading = false;
	session->ended = true;
	if (n != UV_EOF || peer_is_gone(session)) {
		spg_session_close(session);
		return;
	}
	find_line(session);
	leave_if_done(session);
}

static void update_reading(struct spg_session *session)
{
	bool wanted =
		!session->doomed && !session->leaving && !session->ended &&
		output_bytes(session) < session->asker.host->limits->output_bytes &&
		(!session->has_line ||
			session->in.len - session->n_used < SPG_READ_BYTES);

	if (wanted == session->reading || session->doomed)
		return;
	if (!wanted)
		uv_read_stop((uv_stream_t *)&session->pipe);
	else if (uv_read_start((uv_stream_t *)&session->pipe, on_alloc, on_read) < 0) {
		doom(session);
		return;
	}
	session->reading = wanted;
}

void spg_session_host_count(
	const struct spg_session_host *host, struct spg_server_counts *ret)
{
	const struct spg_session *at;

	*ret = (struct spg_server_counts){
		.sessions = host->n_sessions, .drops = host->n_drops};
	for (at = host->sessions; at; at = at->next)
		ret->subscribers += at->subscriber.n > 0;
}

static void settle(struct spg_asker *asker)
{
	leave_if_done(asker->session);
}

void spg_session_sweep(struct spg_session *session, uint64_t now_ms)
{
	const struct spg_limits *limits = session->asker.host->limits;

	if ((session->ended || !session->reading) && peer_is_gone(session)) {
		spg_session_close(session);
		return;
	}
	if (session->has_line || session->asker.calls || session->subscriber.n ||
		spg_holds_has_owner(session->asker.service->holds, session) ||
		now_ms - session->active_ms < limits->idle_ms)
		return;
	/* One that does not even take its answers gets no more words. */
	if (session->leaving || output_bytes(session)) {
		spg_session_close(session);
		return;
	}
	expel(session, &(struct spg_rpc_error){SPG_RPC_BUSY,
			       "nothing was asked on this connection for too long",
			       "connect again when there is something to ask"});
	leave_if_done(session);
}

/* Opening. */

/* The client is told with whatever the socket takes at once: a peer that is
 * refused must not be able to pin anything. */
void spg_session_turn_away(struct spg_session *session, const char *why)
{
	struct spg_rpc_error error = {SPG_RPC_BUSY, why,
		"close connections that are not needed, then try again"};
	uv_buf_t buf;

	/* Behind half an answer it would make no sense. */
	if (output_bytes(session) == 0 &&
		spg_message_add_error(&session->waiting, NULL, &error) == 0) {
		buf = uv_buf_init(
			session->waiting.data, (unsigned)session->waiting.len);
		uv_try_write((uv_stream_t *)&session->pipe, &buf, 1);
	}
	spg_session_close(session);
}

void spg_session_enter(struct spg_session *session)
{
	struct spg_session_host *host = session->asker.host;

	session->next = host->sessions;
	if (session->next)
		session->next->prev = session;
	host->sessions = session;
	host->n_sessions++;
	session->asker.quota->n_sessions++;
	session->entered = true;
	update_reading(session);
}

static int identify_peer(struct spg_session *session)
{
	const struct spg_service *service = session->asker.service;
	struct spg_quotas *quotas = &session->asker.host->quotas;
	uv_os_fd_t fd;
	uint32_t uid;

	if (uv_fileno((uv_handle_t *)&session->pipe, &fd) < 0 ||
		spg_platform_peer((intptr_t)fd, &session->peer) < 0)
		return SPG_ERR_IO;
	session->fd = (int)(intptr_t)fd;
	uid = session->peer.uid;
	if (service->account_of)
		uid = service->account_of(service->user, uid);
	session->asker.quota = spg_quota_get(quotas, uid);
	return session->asker.quota ? 0 : SPG_ERR_NOMEM;
}

int spg_session_take(
	struct spg_session **ret, struct spg_session_host *host, uv_stream_t *listener)
{
	struct spg_session *session = calloc(1, sizeof(*session));
	int r;

	if (!session)
		return SPG_ERR_NOMEM;
	session->asker = (struct spg_asker){.host = host,
		.service = host->service,
		.peer = &session->peer,
		.session = session,
		.answer = answer,
		.refuse = refuse,
		.settle = settle};
	if (uv_pipe_init(listener->loop, &session->pipe, 0) < 0) {
		free(session);
		return SPG_ERR_IO;
	}
	session->pipe.data = session;
	session->write.data = session;
	session->active_ms = uv_now(listener->loop);
	host->n_handles++;
	if (uv_accept(listener, (uv_stream_t *)&session->pipe) < 0) {
		spg_session_close(session);
		return SPG_ERR_IO;
	}
	r = identify_peer(session);
	if (r < 0)
		spg_session_close(session);
	else
		*ret = session;
	return r;
}
