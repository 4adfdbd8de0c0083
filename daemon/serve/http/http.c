/* SPDX-License-Identifier: MIT */
#include "daemon/serve/http/http.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "common/format.h"
#include "common/log.h"
#include "common/platform.h"
#include "common/text.h"
#include "common/work.h"
#include "daemon/serve/http/slots.h"
#include "daemon/serve/http/state.h"
#include "daemon/serve/http/stream.h"

#define BACKLOG             128
#define ACCEPTS             16 /* in one turn of the loop */
#define TIMEOUT_S           30u
#define REST_MS             1000
/* The slots are the limit (slots.h); those that were dropped end a little later. */
#define LIBRARY_CONNECTIONS (2u * SPG_HTTP_CONNECTIONS)
/* Of one connection, for a head as large as it may be: half of it is read into, the
 * other has a record for each parameter, field and cookie, and the cookies once more. */
#define LIBRARY_BYTES       ((size_t)8 * SPG_HTTP_HEAD_BYTES)
/* No user has this uid (credentials(7)): it stands for those of HTTP. */
#define NOBODY_ID           UINT32_MAX

/* ---- libmicrohttpd under the loop ---- */

static void on_awake(uv_idle_t *awake)
{
	(void)awake;
}

/*
 * A client that sends requests without a pause always leaves it something to do. So it
 * is never called where it asks for that, but here: whatever else the loop has comes
 * between two calls. (A timer of 0 ms that is armed in its own callback would do for
 * libuv 1.45; before, it is due again in the same turn, for ever.)
 */
void spg_http_wake(struct spg_http *http)
{
	if (http->stopping || http->due)
		return;
	http->due = true;
	uv_idle_start(&http->awake, on_awake);
}

static void on_timer(uv_timer_t *timer)
{
	spg_http_wake(timer->data);
}

static void accept_one(struct spg_http_listener *listener);

static void on_turn(uv_check_t *turn)
{
	struct spg_http *http = turn->data;
	MHD_UNSIGNED_LONG_LONG ms;
	enum spg_work before;

	for (size_t i = 0; i < http->n_listeners; i++)
		if (http->listeners[i].has_client)
			accept_one(&http->listeners[i]);
	if (!http->due)
		return;
	http->due = false;
	uv_idle_stop(&http->awake);
	uv_timer_stop(&http->timer);
	before = spg_work_begin(SPG_WORK_HTTP);
	MHD_run(http->daemon);
	spg_work_end(before);
	/* A connection that was resumed in the call is in none of its lists yet: then
	 * it is due already. */
	if (http->due || MHD_get_timeout(http->daemon, &ms) != MHD_YES)
		return;
	if (ms == 0)
		spg_http_wake(http);
	else
		uv_timer_start(&http->timer, on_timer, ms, 0);
}

void spg_http_resume(struct spg_http *http, struct MHD_Connection *connection)
{
	MHD_resume_connection(connection);
	/* Without a listening socket of its own, its epoll descriptor does not tell. */
	spg_http_wake(http);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	spg_http_wake(poll->data);
}

static void log_of_library(void *cls, const char *format, va_list args)
	SPG_PRINTF(2, 0);

static void log_of_library(void *cls, const char *format, va_list args)
{
	char text[300];

	(void)cls;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	spg_debug("http: %s", text);
}

static int start_library(struct spg_http *http)
{
	const union MHD_DaemonInfo *info;

	http->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET |
						MHD_ALLOW_SUSPEND_RESUME |
						MHD_USE_ERROR_LOG,
		0, NULL, NULL, spg_http_on_request, http, MHD_OPTION_EXTERNAL_LOGGER,
		log_of_library, NULL, MHD_OPTION_NOTIFY_COMPLETED,
		spg_http_on_completed, http, MHD_OPTION_NOTIFY_CONNECTION,
		spg_http_on_connection, http, MHD_OPTION_CONNECTION_LIMIT,
		LIBRARY_CONNECTIONS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, LIBRARY_BYTES,
		MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S, MHD_OPTION_END);
	if (!http->daemon)
		return SPG_ERR_NOMEM;
	info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || uv_poll_init(http->loop, &http->poll, info->epoll_fd) < 0)
		return SPG_ERR_NOMEM;
	http->poll.data = http;
	return uv_poll_start(&http->poll, UV_READABLE, on_ready) < 0 ? SPG_ERR_IO : 0;
}

/* ---- clients ---- */

static void on_acceptable(uv_poll_t *poll, int status, int events);

static void on_rested(uv_timer_t *timer)
{
	struct spg_http *http = timer->data;

	for (size_t i = 0; i < http->n_listeners; i++)
		if (http->listeners[i].has_poll)
			uv_poll_start(
				&http->listeners[i].poll, UV_READABLE, on_acceptable);
}

/* What waits to be accepted would wake the loop at every turn. */
static void rest(struct spg_http *http)
{
	for (size_t i = 0; i < http->n_listeners; i++)
		if (http->listeners[i].has_poll)
			uv_poll_stop(&http->listeners[i].poll);
	uv_timer_start(&http->rest, on_rested, REST_MS, 0);
}

static void take_client(
	struct spg_http_listener *listener, int fd, const struct sockaddr *address)
{
	struct spg_http *http = listener->http;

	if (spg_descriptors_are_short(fd, http->host->limits->descriptors_kept))
		close(fd);
	else
		spg_http_slots_take(http, &listener->site, fd, address);
}

/* False: nobody waits any more, or not now. */
static bool accept_client(struct spg_http_listener *listener)
{
	struct sockaddr_storage address;
	socklen_t address_len = sizeof(address);
	int fd = accept4(listener->fd, (struct sockaddr *)&address, &address_len,
		SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0)
		take_client(listener, fd, (const struct sockaddr *)&address);
	else if (spg_errno_is_shortage(errno))
		rest(listener->http);
	return fd >= 0;
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	/* Where the kernel has no room for more, their next try is a second later. */
	for (int i = 0; i < ACCEPTS && accept_client(poll->data); i++)
		;
}

static void free_pipe(uv_handle_t *handle)
{
	free(handle);
}

/* libuv has accepted it already: take its descriptor. */
static void accept_one(struct spg_http_listener *listener)
{
	struct sockaddr address = {.sa_family = AF_UNIX};
	uv_pipe_t *pipe = malloc(sizeof(*pipe));
	int fd = -1, copy;

	if (!pipe || uv_pipe_init(listener->http->loop, pipe, 0) < 0) {
		free(pipe);
		return; /* tried again in the next turn */
	}
	listener->has_client = false;
	if (uv_accept((uv_stream_t *)&listener->place.pipe, (uv_stream_t *)pipe) == 0 &&
		uv_fileno((uv_handle_t *)pipe, &fd) == 0) {
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (copy >= 0)
			take_client(listener, copy, &address);
	}
	uv_close((uv_handle_t *)pipe, free_pipe);
}

/* Taken in here, they would all be taken in one turn, with those who connect meanwhile;
 * libuv has the next one ready when this one is. */
static void on_connection(struct spg_listener *place)
{
	struct spg_http_listener *listener = place->user;

	listener->has_client = true;
}

/* ---- addresses ---- */

static int poll_listener(struct spg_http_listener *listener)
{
	if (uv_poll_init(listener->http->loop, &listener->poll, listener->fd) < 0)
		return SPG_ERR_IO;
	listener->poll.data = listener;
	if (!listener->http->slots.knows_users)
		listener->http->slots.knows_users = spg_platform_knows_tcp_users();
	listener->has_poll = true;
	return uv_poll_start(&listener->poll, UV_READABLE, on_acceptable) < 0
	               ? SPG_ERR_IO
	               : 0;
}

static int refuse_address(const struct spg_listen_address *address, int errnum)
{
	spg_error("[http] listen = %s: %s%s", address->text, strerror(errnum),
		errnum == EADDRINUSE      ? ": another program listens there"
		: errnum == EADDRNOTAVAIL ? ": no interface has this address"
		: errnum == EACCES        ? ": choose a port above 1023"
					  : "");
	/* The network may come later. */
	return errnum == EADDRNOTAVAIL ? SPG_ERR_IO : spg_err_from_errno(errnum);
}

static int listen_at_ip(
	struct spg_http_listener *listener, const struct spg_listen_address *address)
{
	int family = address->address.ss_family, on = 1;

	listener->fd =
		socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (listener->fd < 0)
		return refuse_address(address, errno);
	(void)setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6)
		(void)setsockopt(
			listener->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(listener->fd, (const struct sockaddr *)&address->address,
		    address->address_len) < 0 ||
		listen(listener->fd, BACKLOG) < 0)
		return refuse_address(address, errno);
	return poll_listener(listener);
}

static int listen_at(struct spg_http_listener *listener,
	const struct spg_listen_address *address, gid_t gid)
{
	const struct spg_listener_config place = {.path = address->path,
		.gid = gid,
		.make_directory = address->path && spg_path_is_runtime(address->path)};

	if (!address->path)
		return listen_at_ip(listener, address);
	listener->has_place = true;
	return spg_listener_start(&listener->place, listener->http->loop, &place,
		on_connection, listener);
}

static struct spg_http_site site_of(const struct spg_listen_address *address)
{
	const struct sockaddr_storage *at = &address->address;
	struct spg_http_site site = {.local = spg_listen_address_is_local(address)};

	if (address->path)
		return site;
	/* The port is at the same place in both. */
	site.port = ntohs(((const struct sockaddr_in *)at)->sin_port);
	return site;
}

/* Of the socket @fd, which somebody else has bound. What cannot be told apart is guarded
 * like one that only this machine reaches. */
static struct spg_http_site site_of_fd(int fd)
{
	struct spg_listen_address address = {.address_len = sizeof(address.address)};

	if (getsockname(fd, (struct sockaddr *)&address.address, &address.address_len) <
			0 ||
		(address.address.ss_family != AF_INET &&
			address.address.ss_family != AF_INET6))
		return (struct spg_http_site){.local = true};
	return site_of(&address);
}

static int listen_everywhere(
	struct spg_http *http, const struct spg_http_config *config)
{
	bool local = true;
	int r = 0;

	if (config->fd > 0) {
		http->listeners[0] = (struct spg_http_listener){
			.http = http, .fd = config->fd, .site = site_of_fd(config->fd)};
		http->n_listeners = 1;
		local = http->listeners[0].site.local;
		r = poll_listener(&http->listeners[0]);
	}
	for (size_t i = 0; r == 0 && config->fd <= 0 && i < config->n_addresses; i++) {
		http->listeners[i] = (struct spg_http_listener){
			.http = http, .fd = -1, .site = site_of(&config->addresses[i])};
		http->n_listeners++;
		local = local && http->listeners[i].site.local;
		r = listen_at(&http->listeners[i], &config->addresses[i], config->gid);
		if (r == 0)
			spg_notice("http: listening at %s", config->addresses[i].text);
	}
	if (r == 0 && !local)
		spg_warning("[http] is reachable from other machines and asks for no "
			    "password: put a proxy before it that does, or see "
			    "that the network is trusted");
	return r;
}

bool spg_http_is_built(void)
{
	return true;
}

int spg_http_start(struct spg_http **ret, struct spg_session_host *host,
	const struct spg_http_config *config)
{
	struct spg_http *http;
	int r;

	*ret = NULL;
	if (config->n_addresses == 0 && config->fd <= 0)
		return 0;
	http = calloc(1, sizeof(*http));
	if (!http)
		return SPG_ERR_NOMEM;
	http->host = host;
	http->loop = host->service->loop;
	http->shows_processes = config->shows_processes;
	http->listeners = calloc(config->n_addresses + 1, sizeof(*http->listeners));
	http->quota = spg_quota_get(&host->quotas, NOBODY_ID);
	if (!http->listeners || !http->quota) {
		spg_quota_unref(http->quota);
		free(http->listeners);
		free(http);
		return SPG_ERR_NOMEM;
	}
	uv_timer_init(http->loop, &http->timer);
	uv_timer_init(http->loop, &http->rest);
	uv_timer_init(http->loop, &http->comment);
	uv_check_init(http->loop, &http->turn);
	uv_idle_init(http->loop, &http->awake);
	http->timer.data = http->rest.data = http->comment.data = http;
	http->turn.data = http->awake.data = http;
	uv_check_start(&http->turn, on_turn);
	*ret = http;
	r = spg_http_slots_start(http);
	if (r == 0)
		r = start_library(http);
	return r < 0 ? r : listen_everywhere(http, config);
}

void spg_http_publish(struct spg_http *http, const struct spg_event *event)
{
	if (http)
		spg_http_streams_publish(http, event);
}

void spg_http_show_processes(struct spg_http *http, bool shows)
{
	if (http)
		http->shows_processes = shows;
}

/* ---- stop ---- */

static void one_closed(struct spg_http *http)
{
	if (--http->n_closing > 0)
		return;
	spg_quota_unref(http->quota);
	free(http->listeners);
	http->on_closed(http->user);
	free(http);
}

static void on_handle_closed(uv_handle_t *handle)
{
	one_closed(handle->data);
}

static void on_poll_closed(uv_handle_t *handle)
{
	const struct spg_http_listener *listener = handle->data;

	close(listener->fd);
	one_closed(listener->http);
}

static void on_place_closed(struct spg_listener *place)
{
	one_closed(((struct spg_http_listener *)place->user)->http);
}

void spg_http_close_handle(struct spg_http *http, uv_handle_t *handle)
{
	http->n_closing++;
	uv_close(handle, on_handle_closed);
}

static void stop_listener(struct spg_http_listener *listener)
{
	if (listener->has_poll) {
		listener->http->n_closing++;
		uv_close((uv_handle_t *)&listener->poll, on_poll_closed);
	} else if (listener->fd >= 0) {
		close(listener->fd);
	}
	if (listener->has_place) {
		listener->http->n_closing++;
		spg_listener_stop(&listener->place, on_place_closed);
	}
}

void spg_http_stop(struct spg_http *http, void (*on_closed)(void *user), void *user)
{
	if (!http) {
		on_closed(user);
		return;
	}
	http->stopping = true;
	http->on_closed = on_closed;
	http->user = user;
	http->n_closing = 1; /* not before all is under way */
	for (size_t i = 0; i < http->n_listeners; i++)
		stop_listener(&http->listeners[i]);
	spg_http_close_handle(http, (uv_handle_t *)&http->turn);
	spg_http_close_handle(http, (uv_handle_t *)&http->awake);
	spg_http_close_handle(http, (uv_handle_t *)&http->timer);
	spg_http_close_handle(http, (uv_handle_t *)&http->rest);
	spg_http_close_handle(http, (uv_handle_t *)&http->comment);
	if (http->poll.data)
		spg_http_close_handle(http, (uv_handle_t *)&http->poll);
	if (http->daemon) {
		spg_http_requests_resume(http);
		/* The descriptor of the poll goes with it: stopped before. */
		MHD_stop_daemon(http->daemon);
	}
	spg_http_slots_stop(http);
	one_closed(http);
}
