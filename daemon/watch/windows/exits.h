/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The ends of processes: the system's thread pool waits for each one's handle, and the loop
 * thread tells. Loop thread.
 */
#include <uv.h>

#include "daemon/watch/watch.h"

struct spg_win_exits;

/** @listener is borrowed. Returns 0; SPG_ERR_NOMEM; or SPG_ERR_IO. */
int spg_win_exits_start(struct spg_win_exits **ret, uv_loop_t *loop,
	const struct spg_watch_listener *listener);

/** As spg_watch_ops.watch_exit(). */
int spg_win_exits_watch(struct spg_win_exits *exits, struct spg_proc_id id);

/** Wait for nobody any more, then @on_closed. Takes NULL. */
void spg_win_exits_stop(
	struct spg_win_exits *exits, void (*on_closed)(void *user), void *user);
