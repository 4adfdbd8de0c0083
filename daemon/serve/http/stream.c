/* SPDX-License-Identifier: MIT */
#include "daemon/serve/http/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/err.h"
#include "daemon/serve/http/redact.h"
#include "daemon/serve/render/render.h"

/* One chunk of the answer. */
#define BLOCK_BYTES  8192
/* So often a line without meaning, which proxies and clients take for life. */
#define COMMENT_MS   15000
/* How long a browser waits before it connects again. */
#define RETRY_LINE   "retry: 2000\n\n"
#define COMMENT_LINE ":\n\n"

struct spg_http_stream {
	struct spg_http_stream *prev, *next;
	struct spg_http *http;
	struct spg_http_peer *peer; /* a reference */
	struct MHD_Connection *connection;
	struct spg_subscriber subscriber;
	struct spg_buf waiting;
	size_t n_sent; /* of @waiting */
	uint64_t n_dropped;
	bool suspended;
	bool gone; /* its client has closed the connection */
};

static void wake(struct spg_http_stream *stream)
{
	if (!stream->suspended)
		return;
	stream->suspended = false;
	spg_http_resume(stream->http, stream->connection);
}

static size_t n_waiting(const struct spg_http_stream *stream)
{
	return stream->waiting.len - stream->n_sent;
}

static void add(struct spg_http_stream *stream, const char *text, size_t n)
{
	if (stream->n_sent == stream->waiting.len) {
		spg_buf_clear(&stream->waiting);
		stream->n_sent = 0;
	}
	spg_buf_add(&stream->waiting, text, n);
	wake(stream);
}

/* The client took half of what waits: room for the marker, where the loss is. */
static void tell_loss(struct spg_http_stream *stream)
{
	struct spg_buf marker = SPG_BUF_NULL;

	if (!stream->n_dropped ||
		n_waiting(stream) > stream->http->host->limits->notice_bytes / 2)
		return;
	spg_buf_printf(&marker, "event: dropped\ndata: {\"dropped\": %llu}\n\n",
		(unsigned long long)stream->n_dropped);
	if (!marker.failed) {
		stream->n_dropped = 0;
		add(stream, marker.data, marker.len);
	}
	spg_buf_finish(&marker);
}

/* Once something was dropped, all that follows is, until the marker is there. */
static void tell(struct spg_http_stream *stream, const struct spg_buf *text)
{
	size_t max = stream->http->host->limits->notice_bytes;

	tell_loss(stream);
	if (stream->n_dropped || text->failed || n_waiting(stream) + text->len > max) {
		stream->n_dropped++;
		stream->http->host->n_drops++;
		return;
	}
	add(stream, spg_buf_text(text), text->len);
}

static ssize_t read_stream(void *cls, uint64_t position, char *to, size_t max)
{
	struct spg_http_stream *stream = cls;
	size_t n;

	(void)position;
	if (stream->http->stopping)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (stream->waiting.failed || stream->gone)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	tell_loss(stream);
	n = n_waiting(stream);
	if (n == 0) {
		stream->suspended = true;
		MHD_suspend_connection(stream->connection);
		return 0;
	}
	if (n > max)
		n = max;
	memcpy(to, stream->waiting.data + stream->n_sent, n);
	stream->n_sent += n;
	return (ssize_t)n;
}

static bool has_gone(const struct spg_http_stream *stream)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		stream->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	ssize_t n;
	char byte;

	if (!info)
		return false;
	n = recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* A connection that is suspended is not looked at by the library: pages that were
 * closed would have their streams until something is written to them, twice. */
static void end_gone(struct spg_http *http)
{
	for (struct spg_http_stream *s = http->streams; s; s = s->next) {
		if (s->suspended && has_gone(s)) {
			s->gone = true;
			wake(s);
		}
	}
}

static bool has_room(struct spg_http *http, const struct spg_http_peer *peer)
{
	size_t n = 0, n_of_peer = 0;

	if (http->n_streams < SPG_HTTP_STREAMS &&
		peer->n_streams < SPG_HTTP_PEER_STREAMS)
		return true;
	end_gone(http);
	for (struct spg_http_stream *s = http->streams; s; s = s->next) {
		n += !s->gone;
		n_of_peer += !s->gone && s->peer == peer;
	}
	return n < SPG_HTTP_STREAMS && n_of_peer < SPG_HTTP_PEER_STREAMS;
}

static void on_comment(uv_timer_t *timer)
{
	struct spg_http *http = timer->data;

	end_gone(http);
	for (struct spg_http_stream *s = http->streams; s; s = s->next)
		if (s->waiting.len == s->n_sent)
			add(s, COMMENT_LINE, strlen(COMMENT_LINE));
}

static void free_stream(void *cls)
{
	struct spg_http_stream *stream = cls;
	struct spg_http *http = stream->http;

	if (stream->prev)
		stream->prev->next = stream->next;
	else
		http->streams = stream->next;
	if (stream->next)
		stream->next->prev = stream->prev;
	if (--http->n_streams == 0 && !http->stopping)
		uv_timer_stop(&http->comment);
	stream->peer->n_streams--;
	spg_http_peer_unref(&http->slots.peers, stream->peer);
	spg_subscriber_finish(&stream->subscriber);
	spg_buf_finish(&stream->waiting);
	free(stream);
}

static void enter(struct spg_http_stream *stream)
{
	struct spg_http *http = stream->http;

	stream->next = http->streams;
	if (stream->next)
		stream->next->prev = stream;
	http->streams = stream;
	spg_http_peer_ref(stream->peer)->n_streams++;
	if (http->n_streams++ == 0)
		uv_timer_start(&http->comment, on_comment, COMMENT_MS, COMMENT_MS);
}

struct MHD_Response *spg_http_stream_open(struct spg_http *http,
	struct spg_http_peer *peer, struct MHD_Connection *connection,
	const char *product, bool *ret_busy)
{
	struct spg_http_stream *stream;
	struct MHD_Response *response;

	*ret_busy = !has_room(http, peer);
	if (*ret_busy)
		return NULL;
	stream = calloc(1, sizeof(*stream));
	if (!stream)
		return NULL;
	stream->http = http;
	stream->peer = peer;
	stream->connection = connection;
	spg_buf_puts(&stream->waiting, RETRY_LINE);
	if (spg_subscriber_add(&stream->subscriber, 1, product, 0) < 0) {
		spg_buf_finish(&stream->waiting);
		free(stream);
		return NULL;
	}
	enter(stream);
	response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_stream, stream, free_stream);
	if (!response)
		free_stream(stream);
	return response;
}

/* "event: NAME" with the JSON, which has no line breaks. */
static void add_message(struct spg_buf *out, const struct spg_http *http,
	const char *name, json_t *params)
{
	json_t *shown = !params                 ? NULL
	                : http->shows_processes ? json_incref(params)
	                                        : spg_http_redact(params);
	char *text = shown ? json_dumps(shown, JSON_COMPACT) : NULL;

	if (text)
		spg_buf_printf(out, "event: %s\ndata: %s\n\n", name, text);
	else
		out->failed = true;
	free(text);
	json_decref(shown);
	json_decref(params);
}

void spg_http_streams_publish(struct spg_http *http, const struct spg_event *event)
{
	struct spg_buf text = SPG_BUF_NULL;
	bool made = false;

	for (struct spg_http_stream *s = http->streams; s; s = s->next) {
		if (!spg_subscriber_wants(
			    &s->subscriber, http->host->service->model, event))
			continue;
		if (!made) {
			add_message(&text, http, "event", spg_render_event(event));
			if (event->kind == SPG_EVENT_VERDICT)
				add_message(&text, http, "verdict",
					spg_render_verdict_notice(event));
			made = true;
		}
		tell(s, &text);
	}
	spg_buf_finish(&text);
}

void spg_http_streams_resume(struct spg_http *http)
{
	for (struct spg_http_stream *s = http->streams; s; s = s->next)
		wake(s);
}
