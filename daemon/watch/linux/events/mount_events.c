/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/events/mount_events.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct spg_mount_events {
	uv_poll_t poll;
	int fd;
	void (*on_change)(void *user);
	void *user;
	void (*on_closed)(void *user);
	void *closed_user;
};

static void on_poll(uv_poll_t *poll, int status, int events)
{
	const struct spg_mount_events *e = poll->data;

	(void)status;
	(void)events;
	e->on_change(e->user);
}

struct spg_mount_events *spg_mount_events_start(
	uv_loop_t *loop, void (*on_change)(void *user), void *user)
{
	struct spg_mount_events *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (e->fd < 0 || uv_poll_init(loop, &e->poll, e->fd) < 0) {
		if (e->fd >= 0)
			close(e->fd);
		free(e);
		return NULL;
	}
	e->poll.data = e;
	e->on_change = on_change;
	e->user = user;
	/* The table is always readable; a change is an urgent condition. */
	(void)uv_poll_start(&e->poll, UV_PRIORITIZED, on_poll);
	return e;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct spg_mount_events *e = handle->data;
	void (*on_closed)(void *user) = e->on_closed;
	void *user = e->closed_user;

	close(e->fd);
	free(e);
	on_closed(user);
}

void spg_mount_events_stop(
	struct spg_mount_events *events, void (*on_closed)(void *user), void *user)
{
	if (!events) {
		on_closed(user);
		return;
	}
	events->on_closed = on_closed;
	events->closed_user = user;
	uv_close((uv_handle_t *)&events->poll, on_handle_closed);
}
