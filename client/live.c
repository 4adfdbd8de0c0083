/* SPDX-License-Identifier: MIT */
#include "client/live.h"
#include "client/live_view.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "client/answers.h"
#include "client/event_line.h"
#include "client/terminal.h"
#include "common/clock.h"
#include "common/err.h"

#define EVENTS_MAX  1000
#define LOG_LIMIT   100                   /* events of before that are shown */
#define FRAME_NS    (40 * SPG_NS_PER_MS)  /* between two frames */
#define ASK_NS      (250 * SPG_NS_PER_MS) /* between two questions, at least */
#define REFRESH_NS  (10 * SPG_NS_PER_S)   /* between two questions, at most */
#define PATIENCE_NS (3 * SPG_NS_PER_S)    /* then what is known is no verdict */
#define RETRY_NS    SPG_NS_PER_S
#define CONNECT_NS  SPG_NS_PER_S

/* What the loop waits on, besides the daemon. */
struct sources {
	int all; /* an epoll of the others */
	int signals, timer;
	sigset_t before; /* the signals that were blocked */
};

/* ---- what comes ---- */

static void push_event(struct spg_live *live, json_t *event)
{
	if (json_array_append_new(live->events, event) < 0)
		return;
	if (json_array_size(live->events) > EVENTS_MAX)
		json_array_remove(live->events, 0);
	if (live->paused && live->hidden < EVENTS_MAX)
		live->hidden++;
	else if (live->offset[SPG_PANE_EVENTS] > 0) /* who looks back stays there */
		live->offset[SPG_PANE_EVENTS]++;
	live->must_draw = true;
}

static bool is_listed(const struct spg_live *live, const char *kind)
{
	size_t i;
	json_t *listed;

	if (!live->kinds)
		return true;
	json_array_foreach (live->kinds, i, listed)
		if (strcmp(json_string_value(listed), kind) == 0)
			return true;
	return false;
}

/* Opens and closes alone change no verdict: what follows from them comes as a use. */
static bool may_change_verdict(const char *kind)
{
	return strcmp(kind, "open") != 0 && strcmp(kind, "close") != 0 &&
	       strcmp(kind, "exec") != 0;
}

static void take_event(struct spg_live *live, json_t *event)
{
	const char *kind = spg_json_text(event, "kind");

	if (!kind && !json_is_integer(json_object_get(event, "dropped")))
		return;
	if (!kind || may_change_verdict(kind))
		live->changed = true;
	if (!kind || is_listed(live, kind))
		push_event(live, json_incref(event));
}

/* Keep the answer to check as @result, or the refusal @error. */
static void take_check(struct spg_live *live, json_t *result, const json_t *error)
{
	const char *message = spg_json_text(error, "message");
	int64_t now_ns = spg_clock_mono_ns(), took_ns = now_ns - live->asked_ns;

	live->check_id = 0;
	live->answered_ns = now_ns;
	/* A daemon that needs long for an answer is asked less often. */
	live->ask_next_ns = now_ns + (took_ns * 4 > ASK_NS ? took_ns * 4 : ASK_NS);
	live->stale = false;
	if (live->paused)
		return;
	live->must_draw = true;
	free(live->refusal);
	live->refusal = NULL;
	if (json_is_object(result)) {
		json_decref(live->answers);
		live->answers = spg_answers_split(result);
	} else {
		live->refusal =
			strdup(message ? message : "an answer without a verdict");
	}
}

/* The events of @log among those that came, by their numbers, each once. What has no
 * number (events that were dropped) stays behind what it came behind. */
static json_t *merge(const json_t *log, const json_t *events)
{
	json_t *merged = json_array(), *event;
	size_t i, next = 0, n_log = json_array_size(log);

	json_array_foreach (events, i, event) {
		int64_t id = spg_json_number(event, "id");

		for (; id > 0 && next < n_log; next++) {
			json_t *older = json_array_get(log, next);

			if (spg_json_number(older, "id") > id)
				break;
			if (spg_json_number(older, "id") < id)
				json_array_append(merged, older);
		}
		json_array_append(merged, event);
	}
	for (; next < n_log; next++)
		json_array_append(merged, json_array_get(log, next));
	return merged;
}

static void take_log(struct spg_live *live, const json_t *result)
{
	json_t *merged = merge(spg_json_list(result, "events"), live->events);

	live->log_id = 0;
	if (!merged)
		return;
	json_decref(live->events);
	live->events = merged;
	live->must_draw = true;
}

static void take_answer(struct spg_live *live, const json_t *message)
{
	int64_t id = spg_json_number(message, "id");
	json_t *result = json_object_get(message, "result");

	if (live->check_id && id == live->check_id) {
		take_check(live, result, json_object_get(message, "error"));
	} else if (live->status_id && id == live->status_id) {
		live->status_id = 0;
		live->must_draw = true;
		json_decref(live->status);
		live->status = json_is_object(result) ? json_incref(result) : NULL;
	} else if (live->log_id && id == live->log_id) {
		take_log(live, result);
	}
}

static void take_message(struct spg_live *live, const json_t *message)
{
	const char *method = spg_json_text(message, "method");
	json_t *params = json_object_get(message, "params");

	if (!method)
		take_answer(live, message);
	else if (strcmp(method, "event") == 0)
		take_event(live, params);
	else if (strcmp(method, "verdict") == 0)
		live->changed = true;
}

/* ---- asking ---- */

static void lose(struct spg_live *live)
{
	spg_connection_close(&live->client->connection);
	live->connected = false;
	live->check_id = live->status_id = live->log_id = 0;
	live->retry_ns = spg_clock_mono_ns() + RETRY_NS;
	live->must_draw = true;
}

static json_t *product_params(const struct spg_live *live)
{
	json_t *params = json_object();

	if (live->product)
		json_object_set_new(params, "product", json_string(live->product));
	return params;
}

static bool send_question(
	struct spg_live *live, const char *method, json_t *params, int64_t *ret_id)
{
	if (spg_connection_send(&live->client->connection, method, params, PATIENCE_NS,
		    ret_id, &live->why) == 0)
		return true;
	lose(live);
	return false;
}

static void ask(struct spg_live *live)
{
	live->asked_ns = spg_clock_mono_ns();
	live->changed = false;
	if (send_question(live, "check", product_params(live), &live->check_id) &&
		!live->status_id)
		send_question(live, "status", NULL, &live->status_id);
}

/* What was before: at the beginning, and while the daemon could not be heard. */
static void ask_log(struct spg_live *live)
{
	json_t *params = product_params(live);

	if (live->kinds)
		json_object_set_new(params, "kinds", json_deep_copy(live->kinds));
	json_object_set_new(params, "limit", json_integer(LOG_LIMIT));
	send_question(live, "log", params, &live->log_id);
}

static void connect_again(struct spg_live *live)
{
	struct spg_connection *connection = &live->client->connection;
	int64_t id;

	live->retry_ns = spg_clock_mono_ns() + RETRY_NS;
	if (spg_connection_open(connection, live->client->socket_path, CONNECT_NS,
		    &live->why) != 0) {
		lose(live);
		return;
	}
	if (!send_question(live, "subscribe", product_params(live), &id))
		return;
	live->connected = true;
	/* What was known is of another daemon, which may have given the numbers of
	 * events that it could not write any more to others. */
	json_decref(live->answers);
	live->answers = NULL;
	json_array_clear(live->events);
	live->hidden = live->offset[SPG_PANE_EVENTS] = 0;
	live->changed = true;
	live->ask_next_ns = 0;
	ask_log(live);
}

static void ask_if_due(struct spg_live *live, int64_t now_ns)
{
	if (!live->connected) {
		if (now_ns >= live->retry_ns)
			connect_again(live);
		return;
	}
	if (live->check_id) {
		live->stale = now_ns - live->asked_ns >= PATIENCE_NS;
		/* Its seconds are counted. */
		if (live->stale && now_ns - live->drawn_ns >= SPG_NS_PER_S)
			live->must_draw = true;
	} else if (!live->paused && now_ns >= live->ask_next_ns &&
		   (live->changed || now_ns - live->answered_ns >= REFRESH_NS)) {
		ask(live);
	}
}

/* ---- the user ---- */

static void toggle_pause(struct spg_live *live)
{
	live->paused = !live->paused;
	live->hidden = 0;
	live->paused_ns = spg_clock_wall_ns();
	live->changed = true;
}

static void scroll(struct spg_live *live, enum spg_key key)
{
	size_t *offset = &live->offset[live->pane];
	size_t page = live->page[live->pane] > 1 ? live->page[live->pane] - 1 : 1;
	size_t step = key == SPG_KEY_PAGE_UP || key == SPG_KEY_PAGE_DOWN ? page : 1;

	if (key == SPG_KEY_HOME)
		*offset = 0;
	else if (key == SPG_KEY_END)
		*offset = SIZE_MAX / 2; /* drawing bounds it */
	else if (key == SPG_KEY_DOWN || key == SPG_KEY_PAGE_DOWN)
		*offset += step;
	else
		*offset -= *offset < step ? *offset : step;
}

static void press(struct spg_live *live, enum spg_key key)
{
	live->must_draw = true;
	switch (key) {
	case SPG_KEY_QUIT:
		live->ends = true;
		break;
	case SPG_KEY_PAUSE:
		toggle_pause(live);
		break;
	case SPG_KEY_NEXT:
		live->pane =
			live->pane == SPG_PANE_FILES ? SPG_PANE_EVENTS : SPG_PANE_FILES;
		break;
	case SPG_KEY_REDRAW:
		spg_screen_measure(&live->screen);
		break;
	case SPG_KEY_OTHER:
		break;
	default:
		scroll(live, key);
	}
}

static void on_keys(struct spg_live *live, const struct sources *sources)
{
	enum spg_key keys[SPG_SCREEN_KEYS];
	int n = spg_screen_keys(&live->screen, keys);

	for (int i = 0; i < n; i++)
		press(live, keys[i]);
	if (n < 0)
		epoll_ctl(sources->all, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
}

static void on_signal(struct spg_live *live, const struct sources *sources)
{
	struct signalfd_siginfo info;

	if (read(sources->signals, &info, sizeof(info)) != sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGWINCH:
		spg_screen_measure(&live->screen);
		break;
	case SIGTSTP: /* to the shell, and back */
		spg_screen_close(&live->screen);
		raise(SIGSTOP);
		spg_screen_open(&live->screen);
		break;
	default:
		live->ends = true;
	}
	live->must_draw = true;
}

/* ---- the loop ---- */

static bool open_sources(struct sources *sources)
{
	static const int numbers[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP};
	struct epoll_event event = {.events = EPOLLIN};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaddset(&set, numbers[i]);
	sigprocmask(SIG_BLOCK, &set, &sources->before);
	sources->signals = signalfd(-1, &set, SFD_CLOEXEC);
	sources->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	sources->all = epoll_create1(EPOLL_CLOEXEC);
	event.data.fd = sources->signals;
	if (sources->all < 0 || sources->signals < 0 || sources->timer < 0 ||
		epoll_ctl(sources->all, EPOLL_CTL_ADD, sources->signals, &event) < 0)
		return false;
	event.data.fd = sources->timer;
	if (epoll_ctl(sources->all, EPOLL_CTL_ADD, sources->timer, &event) < 0)
		return false;
	event.data.fd = STDIN_FILENO;
	/* Not possible for a file: then there are no keys. */
	if (isatty(STDIN_FILENO))
		epoll_ctl(sources->all, EPOLL_CTL_ADD, STDIN_FILENO, &event);
	return true;
}

static void close_sources(struct sources *sources)
{
	int fds[] = {sources->all, sources->signals, sources->timer};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	sigprocmask(SIG_SETMASK, &sources->before, NULL);
}

/* When the loop has something to do by itself. */
static int64_t next_ns(const struct spg_live *live, int64_t now_ns)
{
	int64_t at = now_ns + REFRESH_NS, due;

	if (!live->connected)
		at = live->retry_ns;
	else if (live->check_id) /* then the seconds are counted */
		at = live->stale ? live->drawn_ns + SPG_NS_PER_S
		                 : live->asked_ns + PATIENCE_NS;
	else if (!live->paused)
		at = live->changed ? live->ask_next_ns : live->answered_ns + REFRESH_NS;
	due = live->drawn_ns + FRAME_NS;
	return live->must_draw && due < at ? due : at;
}

static void set_timer(
	const struct spg_live *live, const struct sources *sources, int64_t now_ns)
{
	int64_t at = next_ns(live, now_ns);
	struct itimerspec spec = {{0}, {0}};

	at = at < 1 ? 1 : at;
	spec.it_value.tv_sec = (time_t)(at / SPG_NS_PER_S);
	spec.it_value.tv_nsec = (long)(at % SPG_NS_PER_S);
	timerfd_settime(sources->timer, TFD_TIMER_ABSTIME, &spec, NULL);
}

static void wake(struct spg_live *live, const struct sources *sources)
{
	struct epoll_event events[4];
	int n = epoll_wait(sources->all, events, 4, 0);
	uint64_t times;

	for (int i = 0; i < n; i++) {
		if (events[i].data.fd == STDIN_FILENO)
			on_keys(live, sources);
		else if (events[i].data.fd == sources->signals)
			on_signal(live, sources);
		else if (read(sources->timer, &times, sizeof(times)) < 0)
			continue; /* it was set anew */
	}
}

/* Wait for the daemon or for one of the others, and take what there is. */
static void step(struct spg_live *live, const struct sources *sources)
{
	struct pollfd alone = {.fd = sources->all, .events = POLLIN};
	json_t *message = NULL;
	int r = SPG_CONNECTION_WOKEN;

	if (live->connected)
		r = spg_connection_any(
			&live->client->connection, sources->all, &message, &live->why);
	else
		poll(&alone, 1, -1);
	if (r == 0)
		take_message(live, message);
	else if (r < 0)
		lose(live);
	else
		wake(live, sources);
	json_decref(message);
}

static int draw(struct spg_live *live)
{
	struct spg_buf frame = SPG_BUF_NULL;
	int err;

	live->must_draw = false;
	live->drawn_ns = spg_clock_mono_ns();
	spg_live_render(live, &frame);
	err = spg_screen_draw(&live->screen, &frame);
	spg_buf_finish(&frame);
	return err;
}

static int loop(struct spg_live *live, const struct sources *sources)
{
	int err = 0;

	while (err == 0 && !live->ends) {
		int64_t now_ns = spg_clock_mono_ns();

		ask_if_due(live, now_ns);
		now_ns = spg_clock_mono_ns();
		if (live->must_draw && now_ns >= live->drawn_ns + FRAME_NS)
			err = draw(live);
		set_timer(live, sources, now_ns);
		if (err == 0)
			step(live, sources);
	}
	return err;
}

bool spg_live_can_run(const struct spg_client *client)
{
	return client->out.terminal && spg_terminal_has_colors();
}

int spg_live_run(struct spg_client *client, const char *product, const json_t *kinds)
{
	struct spg_live live = {
		.client = client,
		.product = product,
		.kinds = kinds,
		.screen = SPG_SCREEN_NULL,
		.events = json_array(),
		.why = SPG_COMPLAINT_NULL,
		.connected = true,
		.changed = true,
		.must_draw = true,
		.pane = SPG_PANE_EVENTS,
	};
	struct sources sources = {-1, -1, -1, {{0}}};
	int err = SPG_ERR_IO;

	if (open_sources(&sources)) {
		spg_screen_open(&live.screen);
		ask_log(&live);
		err = loop(&live, &sources);
	}
	spg_screen_finish(&live.screen);
	close_sources(&sources);
	json_decref(live.answers);
	json_decref(live.status);
	json_decref(live.events);
	free(live.refusal);
	spg_complaint_finish(&live.why);
	return err < 0 ? client->command->exit_failed : SPG_EXIT_OK;
}
