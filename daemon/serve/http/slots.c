/* SPDX-License-Identifier: MIT */
#include "daemon/serve/http/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "daemon/serve/http/answer.h"
#include "daemon/serve/http/state.h"

/* Looked at in one turn of the loop; the others in the next. */
#define EVENTS_MAX    32
/* Of one that leaves: in one turn, and in all. */
#define DISCARD_READS 4
#define DISCARD_BYTES (16 * 1024 * 1024)
/* An answer after which memory is worth giving back. */
#define LARGE_BYTES   65536

static const struct spg_http_refusal
	too_slow = {MHD_HTTP_REQUEST_TIMEOUT,
		{SPG_RPC_INVALID, "the request did not come in time",
			"send the whole head within 10 seconds"}},
	too_many = {MHD_HTTP_SERVICE_UNAVAILABLE,
		{SPG_RPC_BUSY, "too many clients ask at once",
			"ask again when others have their answers"}};

/* ---- lists ---- */

static void unlink_connection(struct spg_http_connection *c)
{
	struct spg_http_slots *slots = &c->http->slots;

	if (c->prev)
		c->prev->next = c->next;
	else
		slots->first[c->stage] = c->next;
	if (c->next)
		c->next->prev = c->prev;
	else
		slots->last[c->stage] = c->prev;
	c->prev = c->next = NULL;
}

static void append(struct spg_http_connection *c, enum spg_http_stage stage)
{
	struct spg_http_slots *slots = &c->http->slots;

	c->stage = stage;
	c->since_ms = uv_now(c->http->loop);
	c->prev = slots->last[stage];
	if (c->prev)
		c->prev->next = c;
	else
		slots->first[stage] = c;
	slots->last[stage] = c;
}

/* Its answer was taken, or will be no more. */
static void release(struct spg_http_connection *c)
{
	c->http->slots.n_bytes -= c->n_bytes;
	c->peer->n_bytes -= c->n_bytes;
	c->n_bytes = 0;
}

static void uncount(struct spg_http_connection *c)
{
	release(c);
	if (c->dropped)
		return;
	c->dropped = true;
	c->http->slots.n--;
	c->peer->n_connections--;
}

static bool watch(struct spg_http_connection *c, int operation)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = c};

	return epoll_ctl(c->http->slots.epoll_fd, operation, c->fd, &event) == 0;
}

static void destroy(struct spg_http_connection *c)
{
	unlink_connection(c);
	uncount(c);
	c->http->slots.n_extra -= c->is_extra;
	spg_http_peer_unref(&c->http->slots.peers, c->peer);
	if (c->stage != SPG_HTTP_SERVED) {
		/* Closing it is not enough while the library has a copy. */
		(void)watch(c, EPOLL_CTL_DEL);
		close(c->fd);
	}
	free(c);
}

/* ---- leaving ---- */

static void discard(struct spg_http_connection *c)
{
	ssize_t n = 1;

	for (int i = 0; i < DISCARD_READS && n > 0; i++) {
		n = recv(
			c->fd, c->http->slots.bytes, SPG_HTTP_HEAD_BYTES, MSG_DONTWAIT);
		c->n_discarded += n > 0 ? (size_t)n : 0;
	}
	/* What comes faster than it is thrown away is no late request. */
	if (n > 0 ? c->n_discarded > DISCARD_BYTES : n == 0 || errno != EAGAIN)
		destroy(c);
	else if (n > 0)
		(void)watch(c, EPOLL_CTL_MOD); /* which reports it anew */
}

static void leave(struct spg_http_connection *c)
{
	(void)shutdown(c->fd, SHUT_WR);
	discard(c);
}

static void refuse(struct spg_http_connection *c,
	const struct spg_http_refusal *refusal, bool bodiless)
{
	struct spg_buf answer = SPG_BUF_NULL;

	spg_http_write_refusal(&answer, refusal, bodiless);
	/* Nothing was sent before: it fits in. */
	(void)send(
		c->fd, spg_buf_text(&answer), answer.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	spg_buf_finish(&answer);
	unlink_connection(c);
	append(c, SPG_HTTP_LEAVES);
	leave(c);
}

/* ---- served ---- */

static void serve(struct spg_http_connection *c)
{
	struct spg_http *http = c->http;
	struct sockaddr address = {.sa_family = c->family};

	(void)watch(c, EPOLL_CTL_DEL);
	unlink_connection(c);
	append(c, SPG_HTTP_SERVED);
	http->slots.passing = c;
	/* It closes the descriptor even when that fails. */
	if (MHD_add_connection(http->daemon, c->fd, &address, sizeof(address)) !=
		MHD_YES)
		spg_debug("http: a client was turned away");
	if (http->slots.passing)
		destroy(c);
	http->slots.passing = NULL;
	spg_http_wake(http);
}

static void arm(struct spg_http *http);

static void on_served(struct spg_http_connection *c)
{
	struct spg_http *http = c->http;
	size_t n_bytes = c->n_bytes;
	int copy = -1;

	release(c);
	if (n_bytes && !http->stopping)
		spg_http_ask_next(http);
	if (n_bytes >= LARGE_BYTES && !http->stopping) {
		http->host->n_spent += n_bytes;
		http->host->on_input(http->host); /* which gives it back, in time */
	}
	/* The library closes its own when this returns. */
	if (!c->dropped && !http->stopping)
		copy = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0) {
		destroy(c);
		return;
	}
	unlink_connection(c);
	c->fd = copy;
	append(c, SPG_HTTP_LEAVES);
	if (watch(c, EPOLL_CTL_ADD))
		leave(c);
	else
		destroy(c);
	arm(http);
}

void spg_http_on_connection(void *cls, struct MHD_Connection *connection,
	void **socket_context, enum MHD_ConnectionNotificationCode code)
{
	struct spg_http *http = cls;

	(void)connection;
	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		on_served(*socket_context);
		return;
	}
	*socket_context = http->slots.passing;
	http->slots.passing = NULL;
}

struct spg_http_connection *spg_http_connection_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info->socket_context;
}

/* ---- arriving ---- */

static void look(struct spg_http_connection *c, bool is_last)
{
	ssize_t n = recv(c->fd, c->http->slots.bytes, SPG_HTTP_HEAD_BYTES,
		MSG_PEEK | MSG_DONTWAIT);
	struct spg_http_head head;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		destroy(c);
		return;
	}
	c->has_begun = true;
	switch (spg_http_head_check(c->http->slots.bytes, (size_t)n, &c->site, &head)) {
	case SPG_HTTP_HEAD_WHOLE:
		serve(c);
		break;
	case SPG_HTTP_HEAD_REFUSED:
		refuse(c, head.refusal, head.bodiless);
		break;
	case SPG_HTTP_HEAD_PART:
		if (is_last)
			destroy(c);
		break;
	}
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct spg_http *http = poll->data;
	struct epoll_event ready[EVENTS_MAX];
	int n = epoll_wait(http->slots.epoll_fd, ready, EVENTS_MAX, 0);

	(void)status;
	(void)events;
	/* Each only destroys itself. */
	for (int i = 0; i < n; i++) {
		struct spg_http_connection *c = ready[i].data.ptr;

		if (c->stage == SPG_HTTP_LEAVES)
			discard(c);
		else
			look(c, ready[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
	}
	arm(http);
}

/* ---- too slow ---- */

static uint64_t due_ms(const struct spg_http_slots *slots)
{
	const struct spg_http_connection *arriving = slots->first[SPG_HTTP_ARRIVES],
					 *leaving = slots->first[SPG_HTTP_LEAVES];
	uint64_t due = arriving ? arriving->since_ms + SPG_HTTP_HEAD_MS : UINT64_MAX;

	return leaving && leaving->since_ms + SPG_HTTP_LEAVE_MS < due
	               ? leaving->since_ms + SPG_HTTP_LEAVE_MS
	               : due;
}

static void on_too_slow(uv_timer_t *timer)
{
	struct spg_http *http = timer->data;
	struct spg_http_connection **first = http->slots.first, *c;
	uint64_t now = uv_now(http->loop);

	while ((c = first[SPG_HTTP_LEAVES]) && now - c->since_ms >= SPG_HTTP_LEAVE_MS)
		destroy(c);
	while ((c = first[SPG_HTTP_ARRIVES]) && now - c->since_ms >= SPG_HTTP_HEAD_MS) {
		/* Browsers connect ahead, and would take it for the answer to what they
		 * send later. */
		if (c->has_begun)
			refuse(c, &too_slow, false);
		else
			destroy(c);
	}
	arm(http);
}

static void arm(struct spg_http *http)
{
	uint64_t now = uv_now(http->loop), due = due_ms(&http->slots);

	if (http->stopping || due == UINT64_MAX)
		uv_timer_stop(&http->slots.timer);
	else
		uv_timer_start(
			&http->slots.timer, on_too_slow, due > now ? due - now : 0, 0);
}

/* ---- room for a new one ---- */

/* The oldest of @stage, of @peer if there is one. */
static struct spg_http_connection *oldest(struct spg_http_slots *slots,
	enum spg_http_stage stage, const struct spg_http_peer *peer,
	uint64_t answered_ms)
{
	struct spg_http_connection *c = slots->first[stage];

	while (c && (c->dropped || (peer && c->peer != peer) ||
			    (stage == SPG_HTTP_SERVED &&
				    (!c->answered_ms || c->answered_ms > answered_ms))))
		c = c->next;
	return c;
}

static struct spg_http_connection *find_slow(
	struct spg_http *http, const struct spg_http_peer *peer)
{
	static const enum spg_http_stage order[] = {
		SPG_HTTP_LEAVES, SPG_HTTP_ARRIVES, SPG_HTTP_SERVED};
	uint64_t now = uv_now(http->loop);
	uint64_t answered_ms = now > SPG_HTTP_TAKE_MS ? now - SPG_HTTP_TAKE_MS : 0;
	struct spg_http_connection *c = NULL;

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]) && !c; i++)
		c = oldest(&http->slots, order[i], peer, answered_ms);
	return c;
}

static void drop(struct spg_http_connection *c)
{
	if (c->stage != SPG_HTTP_SERVED) {
		destroy(c);
		return;
	}
	/* The library notices, and calls back. */
	uncount(c);
	(void)shutdown(c->fd, SHUT_RDWR);
}

/* The oldest answer of the peer that has most, but @kept. */
static struct spg_http_connection *find_costly(
	const struct spg_http_slots *slots, const struct spg_http_connection *kept)
{
	struct spg_http_connection *found = NULL;

	for (struct spg_http_connection *c = slots->first[SPG_HTTP_SERVED]; c;
		c = c->next)
		if (c->n_bytes && c != kept &&
			(!found || c->peer->n_bytes > found->peer->n_bytes))
			found = c;
	return found;
}

void spg_http_connection_answered(
	struct spg_http_connection *connection, size_t n_bytes)
{
	struct spg_http_slots *slots = &connection->http->slots;
	struct spg_http_connection *c = connection;

	connection->answered_ms = uv_now(connection->http->loop);
	connection->n_bytes = n_bytes;
	connection->peer->n_bytes += n_bytes;
	slots->n_bytes += n_bytes;
	while (c && slots->n_bytes > SPG_HTTP_BYTES) {
		c = find_costly(slots, connection);
		if (c)
			drop(c);
	}
}

static bool make_room(struct spg_http *http, const struct spg_http_peer *peer)
{
	bool peer_has_all = peer->n_connections >= SPG_HTTP_PEER_CONNECTIONS;
	struct spg_http_connection *c;

	if (!peer_has_all && http->slots.n < SPG_HTTP_CONNECTIONS)
		return true;
	c = find_slow(http, peer_has_all ? peer : NULL);
	if (c)
		drop(c);
	return c;
}

/* The reference to @peer passes over. */
static struct spg_http_connection *create(struct spg_http *http,
	struct spg_http_peer *peer, const struct spg_http_site *site, int fd)
{
	struct spg_http_connection *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	*c = (struct spg_http_connection){
		.http = http, .peer = peer, .site = *site, .fd = fd};
	http->slots.n++;
	peer->n_connections++;
	append(c, SPG_HTTP_ARRIVES);
	return c;
}

/* It has no slot, but what it takes to read why. */
static void refuse_extra(struct spg_http_connection *c)
{
	uncount(c);
	c->is_extra = true;
	if (++c->http->slots.n_extra > SPG_HTTP_EXTRA)
		destroy(c);
	else
		refuse(c, &too_many, false);
}

void spg_http_slots_take(struct spg_http *http, const struct spg_http_site *site,
	int fd, const struct sockaddr *address)
{
	struct spg_http_peer_key key =
		spg_http_peer_key(fd, address, http->slots.knows_users);
	struct spg_http_peer *peer = spg_http_peer_get(&http->slots.peers, &key);
	bool has_room = peer && make_room(http, peer);
	struct spg_http_connection *c = peer ? create(http, peer, site, fd) : NULL;

	if (!c) {
		close(fd);
		if (peer)
			spg_http_peer_unref(&http->slots.peers, peer);
		return;
	}
	c->family = address->sa_family;
	if (!watch(c, EPOLL_CTL_ADD))
		destroy(c);
	else if (!has_room)
		refuse_extra(c);
	arm(http);
}

/* ---- start and stop ---- */

int spg_http_slots_start(struct spg_http *http)
{
	struct spg_http_slots *slots = &http->slots;

	slots->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	slots->bytes = malloc(SPG_HTTP_HEAD_BYTES);
	if (slots->epoll_fd < 0 || !slots->bytes)
		return SPG_ERR_NOMEM;
	uv_timer_init(http->loop, &slots->timer);
	slots->timer.data = slots->poll.data = http;
	slots->has_timer = true;
	if (uv_poll_init(http->loop, &slots->poll, slots->epoll_fd) < 0)
		return SPG_ERR_NOMEM;
	slots->has_poll = true;
	return uv_poll_start(&slots->poll, UV_READABLE, on_readable) < 0 ? SPG_ERR_IO
	                                                                 : 0;
}

void spg_http_slots_stop(struct spg_http *http)
{
	struct spg_http_slots *slots = &http->slots;

	for (size_t i = 0; i < SPG_HTTP_N_STAGES; i++)
		while (slots->first[i])
			destroy(slots->first[i]);
	if (slots->has_timer)
		spg_http_close_handle(http, (uv_handle_t *)&slots->timer);
	if (slots->has_poll)
		spg_http_close_handle(http, (uv_handle_t *)&slots->poll);
	/* The poll was stopped before. */
	if (slots->epoll_fd >= 0)
		close(slots->epoll_fd);
	free(slots->bytes);
}
