/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Files of the product that lost their place there and are still in use: an old
 * version that runs on. /proc shows where they were, with " (deleted)" behind it.
 *
 * That text is a path in the holder's view: its mount namespace, its root, its
 * bind mounts, and without symbolic links. So it is compared with where the
 * product's names really lead, and if it fits none, the folder, or the last one above
 * it that has not been removed, is looked up in our view and the holder's and compared by
 * identity. What can be looked up in neither, as after an unmount, is the product's by
 * its name and device. Part of the search for users; worker thread.
 */
#include "daemon/model/name_set.h"
#include "daemon/watch/linux/proc/maps.h"
#include "daemon/watch/linux/survey/user_search.h"
#include "daemon/watch/linux/survey/walk.h"

/* What is needed to recognise one. */
struct spg_deleted {
	const struct spg_mounts *mounts;
	const struct spg_known_directories *directories;
	const struct spg_name_set *extra; /* names that count too, or NULL */
};

/** Descriptor @name in @fd_dir (/proc/PID/task/TID/fd): if it was one of the
 * product's files, append it to the observation and the targets. Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_deleted_by_fd(
	struct spg_user_search *a, int proc_fd, int fd_dir, const char *name);

/** The same for the file behind @fd (O_PATH), which is closed, of the process behind
 * @proc_fd. @guess: by name and device, where nothing else can tell. */
int spg_deleted_by_open(struct spg_user_search *a, int proc_fd, int fd, bool guess);

/** The same, when it is known that it was at @path below @folder; in between are only
 * directories that were removed. */
int spg_deleted_by_parent(struct spg_user_search *a, int fd,
	const struct spg_known_directory *folder, const char *path);

/** The same for a mapping, with its name. */
int spg_deleted_by_mapping(
	struct spg_user_search *a, int proc_fd, const struct spg_mapping *mapping);
