/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * File events: read from the fanotify groups, given a path and a process, and
 * delivered. Loop thread.
 */
#include <stdbool.h>

#include <uv.h>

#include "daemon/watch/linux/events/deleted_inodes.h"
#include "daemon/watch/linux/events/groups.h"
#include "daemon/watch/linux/events/marks.h"
#include "daemon/watch/linux/events/processes.h"
#include "daemon/watch/watch.h"

struct spg_events;

/** Begin to deliver to @listener, from the loop. All but @loop is borrowed and
 * must outlive the stop. Returns 0, SPG_ERR_NOMEM or SPG_ERR_IO. */
int spg_events_start(struct spg_events **ret, uv_loop_t *loop,
	struct spg_groups *groups, struct spg_marks *marks,
	struct spg_deleted_inodes *deleted_inodes, struct spg_processes *processes,
	const struct spg_watch_listener *listener);

/** The directories whose appearing or vanishing matters: @n paths, copied. */
int spg_events_set_layout(
	struct spg_events *events, struct spg_product *const *products, size_t n);

/** True when every directory that is watched now is among those of @products. */
bool spg_events_layout_stays(
	const struct spg_events *events, struct spg_product *const *products, size_t n);

/** See struct spg_watch_ops.drain. */
int spg_events_drain(struct spg_events *events, bool begin);

/** Close the handle, then @on_closed, from the loop. Frees. Takes NULL
 * (@on_closed comes within the call). */
void spg_events_stop(
	struct spg_events *events, void (*on_closed)(void *user), void *user);
