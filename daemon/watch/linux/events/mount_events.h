/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Tells when something is mounted or unmounted in the daemon's mount namespace: the kernel
 * reports it to whoever polls /proc/self/mountinfo (proc_pid_mountinfo(5)). Loop thread.
 */
#include <uv.h>

struct spg_mount_events;

/** @on_change comes from the loop. NULL: out of memory, or there is no such table: then
 * changes are only found when a survey looks. */
struct spg_mount_events *spg_mount_events_start(
	uv_loop_t *loop, void (*on_change)(void *user), void *user);

/** Close the handle, then @on_closed from the loop; at once when @events is NULL. */
void spg_mount_events_stop(
	struct spg_mount_events *events, void (*on_closed)(void *user), void *user);
