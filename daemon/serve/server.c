/* SPDX-License-Identifier: MIT */
#include "daemon/serve/server.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "common/message.h"
#include "common/platform.h"
#include "common/text.h"
#include "daemon/serve/admission.h"
#include "daemon/serve/contract/contract.h"
#include "daemon/serve/methods/methods.h"
#include "daemon/serve/session.h"

/* Between two looks at idle sessions. */
#define SWEEP_MIN_MS   10
#define SWEEP_MAX_MS   15000
/* Then memory for a client that waits may be there. */
#define RETRY_MS       100

/* After requests that cost so much, when none has come for so long, memory is given
 * back. */
#define RELEASE_COST   (1024 * 1024)
#define RELEASE_MS     1000

/* Between two log lines about clients that were turned away. */
#define REFUSAL_LOG_MS 60000

struct spg_server {
	struct spg_session_host host; /* first: sessions know only this */
	struct spg_limits limits;
	struct spg_listener listener;
	struct spg_http *http; /* NULL: none */
	struct spg_contract *contract;
	uv_timer_t sweep_timer;
	uv_idle_t reaper; /* runs when a session is doomed */
	uv_idle_t pump;   /* runs when requests wait */
	uv_timer_t release;
	bool stopping, listener_closed, http_closed, timer_closed, reaper_closed;
	bool pump_closed, release_closed;
	bool accept_pending; /* a client waits for memory to be free */
	uint64_t refusal_logged_ms;
	void (*on_closed)(void *user);
	void *user;
};

static void finish_if_closed(struct spg_server *server)
{
	void (*on_closed)(void *user) = server->on_closed;
	void *user = server->user;

	if (!server->stopping || !server->listener_closed || !server->http_closed ||
		!server->timer_closed || !server->reaper_closed ||
		!server->pump_closed || !server->release_closed ||
		server->host.n_handles)
		return;
	spg_quota_orphan(&server->host.quotas);
	free(server->host.read_buffer);
	spg_contract_destroy(server->contract);
	free(server);
	if (on_closed)
		on_closed(user);
}

static void on_session_gone(struct spg_session_host *host)
{
	finish_if_closed((struct spg_server *)host);
}

static void on_listener_closed(struct spg_listener *listener)
{
	struct spg_server *server = listener->user;

	server->listener_closed = true;
	finish_if_closed(server);
}

static void on_http_closed(void *user)
{
	struct spg_server *server = user;

	server->http_closed = true;
	finish_if_closed(server);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct spg_server *server = handle->data;

	server->timer_closed = true;
	finish_if_closed(server);
}

static void on_reaper_closed(uv_handle_t *handle)
{
	struct spg_server *server = handle->data;

	server->reaper_closed = true;
	finish_if_closed(server);
}

static void on_reap(uv_idle_t *reaper)
{
	struct spg_server *server = reaper->data;

	uv_idle_stop(reaper);
	spg_session_reap(&server->host);
}

static void on_doomed(struct spg_session_host *host)
{
	struct spg_server *server = (struct spg_server *)host;

	if (!server->stopping)
		uv_idle_start(&server->reaper, on_reap);
}

static void on_pump_closed(uv_handle_t *handle)
{
	struct spg_server *server = handle->data;

	server->pump_closed = true;
	finish_if_closed(server);
}

static void on_release_closed(uv_handle_t *handle)
{
	struct spg_server *server = handle->data;

	server->release_closed = true;
	finish_if_closed(server);
}

static void on_release(uv_timer_t *timer)
{
	struct spg_server *server = timer->data;

	server->host.n_spent = 0;
	spg_platform_release_memory();
}

static void on_pump(uv_idle_t *pump)
{
	struct spg_server *server = pump->data;

	if (spg_session_serve(&server->host))
		return;
	uv_idle_stop(pump);
	if (server->host.n_spent >= RELEASE_COST)
		uv_timer_start(&server->release, on_release, RELEASE_MS, 0);
}

static void on_input(struct spg_session_host *host)
{
	struct spg_server *server = (struct spg_server *)host;

	if (!server->stopping)
		uv_idle_start(&server->pump, on_pump);
}

static void on_room(void *user)
{
	on_input(user);
}

static void on_sweep(uv_timer_t *timer);

/* The timer runs only while there is something to look after, so that an idle
 * daemon is not woken. */
static void update_timer(struct spg_server *server)
{
	bool wanted = server->host.n_sessions || server->accept_pending;
	unsigned period = server->limits.idle_ms / 4;

	if (server->stopping)
		return;
	if (server->accept_pending) {
		uv_timer_start(&server->sweep_timer, on_sweep, RETRY_MS, 0);
		return;
	}
	if (wanted == (uv_timer_get_repeat(&server->sweep_timer) > 0 &&
			      uv_is_active((uv_handle_t *)&server->sweep_timer)))
		return;
	if (period < SWEEP_MIN_MS)
		period = SWEEP_MIN_MS;
	if (period > SWEEP_MAX_MS)
		period = SWEEP_MAX_MS;
	if (wanted)
		uv_timer_start(&server->sweep_timer, on_sweep, period, period);
	else
		uv_timer_stop(&server->sweep_timer);
}

static void log_refusal(struct spg_server *server)
{
	uint64_t now = uv_now(server->host.service->loop);

	if (server->refusal_logged_ms &&
		now - server->refusal_logged_ms < REFUSAL_LOG_MS)
		return;
	server->refusal_logged_ms = now ? now : 1;
	spg_warning("clients are turned away: %s (%zu connections)",
		server->host.refusal, server->host.n_sessions);
}

static void accept_client(struct spg_server *server)
{
	int r = spg_admission_take(
		&server->host, (uv_stream_t *)&server->listener.pipe);

	/* libuv hands out no further client until this one is accepted. */
	server->accept_pending = r == SPG_ERR_NOMEM;
	if (r == SPG_ERR_LIMIT)
		log_refusal(server);
	update_timer(server);
}

static void on_connection(struct spg_listener *listener)
{
	accept_client(listener->user);
}

static void on_sweep(uv_timer_t *timer)
{
	struct spg_server *server = timer->data;
	uint64_t now = uv_now(timer->loop);
	struct spg_session *session = server->host.sessions;

	while (session) {
		struct spg_session *next = session->next;

		spg_session_sweep(session, now);
		session = next;
	}
	if (server->accept_pending)
		accept_client(server);
	update_timer(server);
}

/* Another daemon serves the path now. */
static void on_lost(struct spg_listener *listener)
{
	const struct spg_server *server = listener->user;

	server->host.service->on_lost(server->host.service->user);
}

static int start_listener(
	struct spg_server *server, const struct spg_server_config *config)
{
	uv_loop_t *loop = server->host.service->loop;
	struct spg_listener_config listener = {
		.path = config->socket_path,
		.gid = config->gid,
		.mode = config->mode,
	};
	int r;

	if (config->fd >= 0)
		return spg_listener_start_fd(
			&server->listener, loop, config->fd, on_connection, server);
	listener.make_directory = spg_path_is_runtime(config->socket_path);
	r = spg_listener_start(
		&server->listener, loop, &listener, on_connection, server);
	if (server->host.service->on_lost)
		server->listener.on_lost = on_lost;
	return r;
}

int spg_server_start(struct spg_server **ret, const struct spg_service *service,
	const struct spg_server_config *config)
{
	static const struct spg_limits defaults = SPG_LIMITS_DEFAULT;
	struct spg_server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return SPG_ERR_NOMEM;
	server->limits = config->limits ? *config->limits : defaults;
	server->host.service = service;
	server->host.limits = &server->limits;
	server->host.on_request = spg_methods_dispatch;
	server->host.on_doomed = on_doomed;
	server->host.on_input = on_input;
	server->host.quotas.on_room = on_room;
	server->host.quotas.user = &server->host;
	server->host.on_gone = on_session_gone;
	server->host.contract = server->contract = spg_contract_load();
	server->host.read_buffer = malloc(SPG_READ_BYTES);
	if (!server->host.read_buffer || !server->contract) {
		free(server->host.read_buffer);
		spg_contract_destroy(server->contract);
		free(server);
		return SPG_ERR_NOMEM;
	}
	spg_platform_ignore_broken_pipes(); /* libuv writes with write(2) */
	uv_timer_init(service->loop, &server->sweep_timer);
	server->sweep_timer.data = server;
	uv_idle_init(service->loop, &server->reaper);
	server->reaper.data = server;
	uv_idle_init(service->loop, &server->pump);
	server->pump.data = server;
	uv_timer_init(service->loop, &server->release);
	server->release.data = server;
	uv_unref((uv_handle_t *)&server->release);
	/* Clients alone keep no daemon alive; the listener does. */
	uv_unref((uv_handle_t *)&server->sweep_timer);
	r = start_listener(server, config);
	if (r == 0)
		r = spg_http_start(&server->http, &server->host, &config->http);
	if (r < 0) {
		spg_server_stop(server, NULL, NULL);
		return r;
	}
	*ret = server;
	return 0;
}

/* The lines that announce an event, made when the first subscriber wants it. */
struct announcement {
	const struct spg_event *event;
	struct spg_buf lines;
	bool made;
};

static void make_lines(struct announcement *a)
{
	json_t *params = spg_render_event(a->event);

	a->made = true;
	if (params)
		spg_message_add_notification(&a->lines, "event", params);
	json_decref(params);
	if (a->event->kind != SPG_EVENT_VERDICT)
		return;
	params = spg_render_verdict_notice(a->event);
	if (params)
		spg_message_add_notification(&a->lines, "verdict", params);
	json_decref(params);
}

void spg_server_publish(struct spg_server *server, const struct spg_event *event)
{
	struct announcement a = {.event = event, .lines = SPG_BUF_NULL};
	struct spg_session *session = server->host.sessions;

	while (session) {
		struct spg_session *next = session->next;

		if (spg_subscriber_wants(
			    &session->subscriber, server->host.service->model, event)) {
			if (!a.made)
				make_lines(&a);
			spg_session_notify(
				session, spg_buf_text(&a.lines), a.lines.len);
		}
		session = next;
	}
	spg_buf_finish(&a.lines);
	spg_http_publish(server->http, event);
}

void spg_server_show_processes(struct spg_server *server, bool shows)
{
	spg_http_show_processes(server->http, shows);
}

void spg_server_counts(const struct spg_server *server, struct spg_server_counts *ret)
{
	spg_session_host_count(&server->host, ret);
}

void spg_server_stop(
	struct spg_server *server, void (*on_closed)(void *user), void *user)
{
	if (!server) {
		if (on_closed)
			on_closed(user);
		return;
	}
	server->stopping = true;
	server->on_closed = on_closed;
	server->user = user;
	while (server->host.sessions)
		spg_session_close(server->host.sessions);
	/* The timer's callback comes from the loop, so the server lives until
	 * then whatever the listener does. */
	uv_close((uv_handle_t *)&server->sweep_timer, on_timer_closed);
	uv_close((uv_handle_t *)&server->reaper, on_reaper_closed);
	uv_close((uv_handle_t *)&server->pump, on_pump_closed);
	uv_close((uv_handle_t *)&server->release, on_release_closed);
	spg_listener_stop(&server->listener, on_listener_closed);
	spg_http_stop(server->http, on_http_closed, server);
}
