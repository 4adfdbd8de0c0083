/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * File events from fanotify in file-id mode: no descriptor of a watched file
 * is ever held. Owns the group's descriptor. Loop thread.
 *
 * The queue is the kernel's ordinary, bounded one (fs.fanotify.max_queued_events,
 * 16,384 by default), on purpose: an unbounded queue of a daemon that was stopped
 * or hangs would fill the kernel's memory. When it overflows, one event says so,
 * and that is a gap.
 */
#include <uv.h>

#include "daemon/watch/linux/marks.h"
#include "daemon/watch/linux/processes.h"
#include "daemon/watch/watch.h"

struct spg_events;

/**
 * Open the group. Returns 0; SPG_ERR_DENIED without CAP_SYS_ADMIN;
 * SPG_ERR_UNSUPPORTED on a kernel before 5.17; or SPG_ERR_LIMIT, SPG_ERR_NOMEM.
 */
int spg_events_create(struct spg_events **ret);

/** The group's descriptor, for marks. */
int spg_events_fd(const struct spg_events *events);

/** Begin to deliver to @listener, from the loop. Borrowed: all but @loop must
 * outlive the stop. */
int spg_events_start(struct spg_events *events, uv_loop_t *loop,
	struct spg_marks *marks, struct spg_processes *processes,
	const struct spg_watch_listener *listener);

/** The directories whose appearing or vanishing matters: @n paths, copied. */
int spg_events_set_layout(
	struct spg_events *events, struct spg_product *const *products, size_t n);

/** True when every directory that is watched now is among those of @products. */
bool spg_events_layout_stays(
	const struct spg_events *events, struct spg_product *const *products, size_t n);

/** See struct spg_watch_ops.drain. */
int spg_events_drain(struct spg_events *events);

/** Close the handle, then the group; @on_closed from the loop, or within the
 * call if it was never started. Frees. Takes NULL. */
void spg_events_stop(
	struct spg_events *events, void (*on_closed)(void *user), void *user);
