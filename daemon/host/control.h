/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What asks a running daemon to stop, or to read its configuration again: signals on
 * Linux, the service manager and the console on Windows. Loop thread.
 */
#include <uv.h>

struct spg_control;

/* Called on the loop thread, for each request that came; several that come at once may
 * be one. */
struct spg_control_listener {
	void (*on_stop)(void *user);
	void (*on_reload)(void *user);
	void *user;
};

/**
 * Listen from now on. @listener is copied. Returns 0; SPG_ERR_NOMEM; or SPG_ERR_IO, when
 * the system refuses. Then nothing is left but handles that close in the loop.
 */
int spg_control_start(struct spg_control **ret, uv_loop_t *loop,
	const struct spg_control_listener *listener);

/**
 * Listen no more: nothing is called from here on. It frees itself when the loop has closed
 * its handles. What comes in from now on ends nothing either: a reload of what stops comes
 * too late. Takes NULL.
 */
void spg_control_stop(struct spg_control *control);
