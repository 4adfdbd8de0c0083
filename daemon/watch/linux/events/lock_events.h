/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Lock events: records from the kernel's ring, given a file and a process, and
 * delivered in order. Loop thread.
 *
 * The ring is emptied whenever anybody looks, into a queue of our own, since
 * lockers may be faster than the history for a while. The queue is bounded; what
 * it or the ring could not take is a gap.
 *
 * Wake-ups: the first record wakes the loop, which then looks every 10 ms until
 * a look finds nothing.
 */
#include <uv.h>

#include "daemon/watch/linux/bpf/trace.h"
#include "daemon/watch/linux/events/processes.h"
#include "daemon/watch/linux/events/trace_files.h"
#include "daemon/watch/watch.h"

struct spg_lock_events;

/** Begin to deliver to @listener. All but @loop is borrowed and must outlive the
 * stop. Returns 0, SPG_ERR_NOMEM or SPG_ERR_IO. */
int spg_lock_events_start(struct spg_lock_events **ret, uv_loop_t *loop,
	struct spg_trace *trace, struct spg_trace_files *files,
	struct spg_processes *processes, const struct spg_watch_listener *listener);

/** Take everything out of the kernel's ring, and deliver a bounded part. */
void spg_lock_events_drain(struct spg_lock_events *events);

/** How many records have come into the queue, and how many of them have left it. Takes
 * NULL: none. */
void spg_lock_events_backlog(
	const struct spg_lock_events *events, uint64_t *taken, uint64_t *delivered);

/** Close the handles, then @on_closed, from the loop. Frees. Takes NULL
 * (@on_closed comes within the call). */
void spg_lock_events_stop(
	struct spg_lock_events *events, void (*on_closed)(void *user), void *user);
