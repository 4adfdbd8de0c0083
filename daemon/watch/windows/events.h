/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * File events: ReadDirectoryChangesW tells of files that are created, deleted, renamed and
 * written to, not of who did it. A thread of its own owns one watch for each directory; the
 * loop thread delivers what it read.
 *
 * Wine does not watch directories below: so there is one watch for each, everywhere.
 */
#include <stddef.h>
#include <wchar.h>

#include <uv.h>

#include "daemon/watch/watch.h"

struct spg_win_events;

/** Start the thread. Loop thread. Returns 0; SPG_ERR_NOMEM; or SPG_ERR_IO. */
int spg_win_events_start(struct spg_win_events **ret, uv_loop_t *loop,
	const struct spg_watch_listener *listener);

/** Watch the directory at @path, @native for Windows, from now on; it blocks until it is
 * watched, and does nothing where it is already. Any thread but the loop's. Returns 0;
 * SPG_ERR_NOMEM; SPG_ERR_DENIED; SPG_ERR_LIMIT; or SPG_ERR_IO. */
int spg_win_events_arm(
	struct spg_win_events *events, const char *path, const wchar_t *native);

/** The directory at @path is not there: have its layout reported when one on the way to it
 * changes. The same. */
int spg_win_events_await(struct spg_win_events *events, const char *path);

/** Only directories of these products stay watched. Loop thread. Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_win_events_set_products(
	struct spg_win_events *events, struct spg_product *const *products, size_t n);

/** As spg_watch_ops.drain(). */
int spg_win_events_drain(struct spg_win_events *events, bool begin);

/** How many directories are watched at and below @path. Any thread. */
size_t spg_win_events_count(struct spg_win_events *events, const char *path);

/** End the thread, close everything, free @events, then @on_closed. Takes NULL. */
void spg_win_events_stop(
	struct spg_win_events *events, void (*on_closed)(void *user), void *user);
