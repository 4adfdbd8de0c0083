/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * An instant survey: are the directories as they were listed last, and is every
 * file of theirs there, unchanged, and free, or used by those alone who were known to? Then that is
 * the answer. In any other case a whole survey has to look.
 *
 * What it may rest on, and nothing else:
 *   names     Every name by which the listing was reached is opened again: each
 *             directory and each symbolic link in one, by the path that the product
 *             gives it, wherever links above it lead now. It has to lead to the same
 *             inode as before, and a link that led to nothing still to nothing.
 *   contents  A directory with the same inode, the same time of change and no event
 *             has the same names in it. Each file is opened by its name there, and
 *             has the same inode number in the same directory, as many names and the same
 *             time of change.
 *   users     The in-use probe of those very inodes finds none; or the users known, looked at
 *             again, account for every count and every reference, and each of them is
 *             the process that it was (proc/cache.h).
 *   obstacles  None was there, and none is: attributes of the inodes and directories, and
 *             whether the filesystem or its mount is read-only, are asked for again, since
 *             no event tells of them. That somebody mounts something is one.
 *   keepers   Nobody but this look and the users refers to a name of theirs in memory (keepers.h).
 * It never rests on where a name led when it was listed (openat2(2) follows all links
 * again; tests/system/test_moved_links.py).
 *
 * Nothing here can wait for a disk or a server: paths are followed only as far
 * as the kernel has them in memory (openat2(2), RESOLVE_CACHED). Events could tell
 * that nothing has changed; the directories' own times are asked besides.
 *
 * For products whose files are plain, on local filesystems.
 * Needs BPF. A lock of its own: what a survey on the worker thread saw is used
 * on the loop thread.
 */
#include "daemon/watch/linux/survey/state.h"

struct spg_fast_path;

/** NULL: out of memory. */
struct spg_fast_path *spg_fast_path_create(void);
void spg_fast_path_destroy(struct spg_fast_path *fast_path); /* takes NULL */

/** Remember what the full survey @s found, or forget what was known of its product
 * if the next one has to look at everything too. */
void spg_fast_path_remember(
	struct spg_fast_path *fast_path, const struct spg_survey *s);

/** Forget everything: mounts have changed. */
void spg_fast_path_forget(struct spg_fast_path *fast_path);

/** Needs @tools's fast_path and look. Returns 0 and *ret; SPG_WATCH_LATER; or SPG_ERR_NOMEM. */
int spg_fast_path_look(struct spg_survey_tools *tools,
	const struct spg_survey_request *request, struct spg_observation **ret);
