/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The mount namespaces of the machine, each by a process that lives in it, and what is
 * mounted there (mount_namespaces(7), proc_pid_mountinfo(5)). A namespace that only a
 * descriptor or a mount of its own keeps has no process, and is not among them; nor is
 * that of a thread alone. Worker  thread.
 *
 * Nothing here waits for a filesystem: paths in another namespace are followed only as
 * far as the kernel has them in memory, which is the case for all that is mounted.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "daemon/watch/linux/files/mounts.h"

struct spg_space {
	uint32_t number; /* of the namespace: its inode's */
	int32_t pid;     /* the oldest process seen in it */
	bool here;       /* the daemon's own; comes first */
};

struct spg_spaces {
	struct spg_space *list;
	size_t n, size;
};

#define SPG_SPACES_NULL                                                                \
	{                                                                              \
		NULL, 0, 0                                                             \
	}

/** Find them. Returns 0, SPG_ERR_IO or SPG_ERR_NOMEM. */
int spg_spaces_find(struct spg_spaces *spaces);
void spg_spaces_finish(struct spg_spaces *spaces); /* idempotent */

/** The one with this number, or NULL. */
struct spg_space *spg_spaces_get(const struct spg_spaces *spaces, uint32_t number);

/**
 * Call @each for every mount in @space until it returns something else than 0, which is
 * returned; the mount is borrowed for the call. When the process has gone, another one
 * takes its place; a namespace without any has no mounts. Returns 0 or SPG_ERR_NOMEM as
 * well.
 */
int spg_space_read(struct spg_space *space,
	int (*each)(void *user, const struct spg_mount *mount), void *user);

/** The root directory of @space as a descriptor (O_PATH), or -1. */
int spg_space_root(const struct spg_space *space);

/** What is at @path (absolute) below the root @root_fd, and (or NULL) the number of the
 * mount that shows it. False: it is not in memory, or not there. */
bool spg_space_stat(int root_fd, const char *path, struct stat *ret, int *ret_mount);
