/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The thread that owns all watches: it takes requests from others and puts what it reads
 * into a queue. Any thread may ask; each request but stop blocks until it is done.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/watch/windows/changes.h"

struct spg_win_watcher;

/** @on_change is called on the thread, after something was put into @changes, which is
 * borrowed. Returns 0; SPG_ERR_NOMEM; or SPG_ERR_IO. */
int spg_win_watcher_start(struct spg_win_watcher **ret, struct spg_win_changes *changes,
	void (*on_change)(void *user), void *user);

/** Watch a directory; @names_only: for directories that come and go in it. One that is
 * watched already stays so. Returns as spg_win_watch_open(). */
int spg_win_watcher_arm(struct spg_win_watcher *watcher, const char *path,
	const wchar_t *native, bool names_only);

/** Keep only what is at, below or above one of @dirs. */
void spg_win_watcher_keep(struct spg_win_watcher *watcher, char *const *dirs, size_t n);

/** A mark: spg_win_watcher_passed() is at least what is returned once all that happened
 * before has been put into the queue. Does not block. */
uint64_t spg_win_watcher_mark(struct spg_win_watcher *watcher);

/** Wait for @mark at most @timeout_ms. */
bool spg_win_watcher_passed(
	struct spg_win_watcher *watcher, uint64_t mark, unsigned timeout_ms);

/** How many directories are watched with all that happens in them, at and below @path. */
size_t spg_win_watcher_count(struct spg_win_watcher *watcher, const char *path);

/** End it and free everything. Blocks for moments. Takes NULL. */
void spg_win_watcher_stop(struct spg_win_watcher *watcher);
