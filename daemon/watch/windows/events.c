/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/events.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/windows/wide.h"
#include "common/work.h"
#include "daemon/watch/windows/changes.h"
#include "daemon/watch/windows/text.h"
#include "daemon/watch/windows/watcher.h"
#include "daemon/watch/windows/watches.h"

/* One turn of the loop may be taken for so long. */
#define TURN_NS  (5 * SPG_NS_PER_MS)
#define DRAIN_MS 20

struct spg_win_events {
	struct spg_watch_listener listener;
	uv_async_t async;
	struct spg_win_changes changes;
	struct spg_win_watcher *watcher;
	struct spg_product **products;
	size_t n_products;
	int64_t last_read_ns; /* UTC */
	uint64_t mark;        /* that the drain under way waits for */
	bool is_delivering, stopped;
	void (*on_closed)(void *user);
	void *user;
};

/* --- delivery: loop thread ----------------------------------------------------- */

static void deliver_file(struct spg_win_events *events, struct spg_win_change *change)
{
	const struct spg_watch_listener *to = &events->listener;
	struct spg_file *file;
	struct spg_event *event;

	if (!to->wants(to->user, change->path) &&
		!(change->new_path && to->wants(to->user, change->new_path)))
		return;
	file = spg_file_create(change->path, change->id);
	event = file ? spg_event_create(change->event, change->at_ns, file, NULL)
	             : NULL;
	if (event && change->new_path) {
		event->detail = change->new_path;
		change->new_path = NULL;
	}
	if (event)
		to->on_event(to->user, event);
	else
		to->on_gap(to->user, SPG_GAP_DROPPED, change->at_ns, change->at_ns, 1,
			"out of memory");
	spg_event_unref(event);
	spg_file_unref(file);
}

/* A directory came or went: the products that have it, or wait for one below it. What is
 * in a directory that is listed alone does not matter. */
static void deliver_directory(struct spg_win_events *events, const char *path)
{
	const struct spg_watch_listener *to = &events->listener;

	for (size_t i = 0; i < events->n_products; i++) {
		const struct spg_product *product = events->products[i];
		bool concerns = false;

		for (size_t d = 0; !concerns && d < product->n_directories; d++) {
			const char *dir = product->directories[d].path;

			concerns = spg_win_is_at_or_below(dir, path) ||
			           (product->recursive && !to->wants(to->user, path) &&
					   spg_win_is_at_or_below(path, dir));
		}
		if (concerns)
			to->on_layout(to->user, product);
	}
}

static void deliver(struct spg_win_events *events, struct spg_win_change *change)
{
	const struct spg_watch_listener *to = &events->listener;

	switch (change->kind) {
	case SPG_WIN_CHANGE_FILE:
		deliver_file(events, change);
		break;
	case SPG_WIN_CHANGE_DIRECTORY:
		deliver_directory(events, change->path);
		break;
	case SPG_WIN_CHANGE_LOST:
	case SPG_WIN_CHANGE_ANYTHING:
		to->on_layout(to->user, NULL);
		break;
	case SPG_WIN_CHANGE_OVERFLOW:
		to->on_gap(to->user, SPG_GAP_OVERFLOW, events->last_read_ns,
			change->at_ns, 0,
			"more happened in a directory than Windows keeps");
		break;
	}
	events->last_read_ns = change->at_ns;
}

/* Returns true when nothing is left. */
static bool deliver_some(struct spg_win_events *events)
{
	int64_t until_ns = spg_clock_mono_ns() + TURN_NS;
	enum spg_work before = spg_work_begin(SPG_WORK_FILE_EVENTS);
	struct spg_win_change *change = NULL;
	bool late = false;

	events->is_delivering = true;
	while (!late && (change = spg_win_changes_take(&events->changes))) {
		deliver(events, change);
		spg_win_change_free(change);
		late = spg_clock_mono_ns() >= until_ns;
	}
	events->is_delivering = false;
	spg_work_end(before);
	return !late || spg_win_changes_are_empty(&events->changes);
}

static void on_async(uv_async_t *async)
{
	struct spg_win_events *events = async->data;

	if (events->stopped)
		return;
	if (deliver_some(events))
		events->last_read_ns = spg_clock_wall_ns();
	else
		uv_async_send(&events->async);
}

/* The watcher's thread. */
static void on_change(void *user)
{
	struct spg_win_events *events = user;

	uv_async_send(&events->async);
}

int spg_win_events_drain(struct spg_win_events *events, bool begin)
{
	if (events->is_delivering)
		return SPG_WATCH_MORE;
	if (begin)
		events->mark = spg_win_watcher_mark(events->watcher);
	if (!spg_win_watcher_passed(events->watcher, events->mark, DRAIN_MS))
		return SPG_WATCH_MORE;
	return deliver_some(events) ? 0 : SPG_WATCH_MORE;
}

/* --- what is watched ------------------------------------------------------------ */

int spg_win_events_start(struct spg_win_events **ret, uv_loop_t *loop,
	const struct spg_watch_listener *listener)
{
	struct spg_win_events *events = calloc(1, sizeof(*events));
	int r;

	if (!events)
		return SPG_ERR_NOMEM;
	events->listener = *listener;
	events->last_read_ns = spg_clock_wall_ns();
	events->async.data = events;
	spg_win_changes_init(&events->changes);
	r = uv_async_init(loop, &events->async, on_async) < 0 ? SPG_ERR_IO : 0;
	if (r < 0) {
		free(events);
		return r;
	}
	events->async.data = events;
	/* From here on stopping has a handle to close, whatever fails. */
	*ret = events;
	return spg_win_watcher_start(
		&events->watcher, &events->changes, on_change, events);
}

int spg_win_events_arm(
	struct spg_win_events *events, const char *path, const wchar_t *native)
{
	return spg_win_watcher_arm(events->watcher, path, native, false);
}

/* Shorten @path by its last part. Returns false at the root of a volume or share. */
static bool go_up(char *path)
{
	const char *base = spg_win_base(path);
	size_t n = (size_t)(base - path);

	/* "C:/" is left with its separator. */
	if (n == 0 || !*base)
		return false;
	if (n == 3 && path[1] == ':')
		path[n] = '\0';
	else
		path[n - 1] = '\0';
	return n > 3;
}

static int arm_above(struct spg_win_events *events, char *path)
{
	int r = SPG_ERR_NOT_FOUND;

	for (bool more = true; more && r == SPG_ERR_NOT_FOUND;) {
		wchar_t *native;

		more = go_up(path) || (path[0] && path[1] == ':' && strlen(path) == 3);
		if (!more)
			return 0;
		native = spg_wide_path(path);
		if (!native)
			return SPG_ERR_NOMEM;
		r = spg_win_watcher_arm(events->watcher, path, native, true);
		free(native);
		more = strlen(path) > 3;
	}
	return r == SPG_ERR_NOT_FOUND ? 0 : r;
}

int spg_win_events_await(struct spg_win_events *events, const char *path)
{
	char *above = strdup(path);
	int r = above ? 0 : SPG_ERR_NOMEM;

	if (r == 0 && strlen(above) > 3)
		r = arm_above(events, above);
	free(above);
	return r;
}

static void forget_products(struct spg_win_events *events)
{
	while (events->n_products > 0)
		spg_product_unref(events->products[--events->n_products]);
	free(events->products);
	events->products = NULL;
}

static int keep_watches(struct spg_win_events *events)
{
	size_t n = 0, k = 0;
	char **dirs;

	for (size_t i = 0; i < events->n_products; i++)
		n += events->products[i]->n_directories;
	dirs = calloc(n + 1, sizeof(*dirs));
	if (!dirs)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < events->n_products; i++)
		for (size_t d = 0; d < events->products[i]->n_directories; d++)
			dirs[k++] = events->products[i]->directories[d].path;
	spg_win_watcher_keep(events->watcher, dirs, k);
	free(dirs);
	return 0;
}

int spg_win_events_set_products(
	struct spg_win_events *events, struct spg_product *const *products, size_t n)
{
	struct spg_product **copy = calloc(n + 1, sizeof(struct spg_product *));

	if (!copy)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < n; i++)
		copy[i] = spg_product_ref(products[i]);
	forget_products(events);
	events->products = copy;
	events->n_products = n;
	return keep_watches(events);
}

size_t spg_win_events_count(struct spg_win_events *events, const char *path)
{
	return spg_win_watcher_count(events->watcher, path);
}

static void on_async_closed(uv_handle_t *handle)
{
	struct spg_win_events *events = handle->data;
	void (*on_closed)(void *user) = events->on_closed;
	void *user = events->user;

	spg_win_changes_finish(&events->changes);
	forget_products(events);
	free(events);
	on_closed(user);
}

void spg_win_events_stop(
	struct spg_win_events *events, void (*on_closed)(void *user), void *user)
{
	if (!events) {
		on_closed(user);
		return;
	}
	events->stopped = true;
	events->on_closed = on_closed;
	events->user = user;
	spg_win_watcher_stop(events->watcher);
	uv_close((uv_handle_t *)&events->async, on_async_closed);
}
