/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * realpath(3) that never touches a foreign filesystem: it stops in front of it,
 * by the text of the mount table, since a dead share would hang the caller.
 * Worker  thread.
 */
#include <limits.h>

#include "daemon/watch/linux/files/mounts.h"

#define SPG_RESOLVE_FOREIGN 1
#define SPG_RESOLVE_CIRCLE  2

/**
 * Resolve the symbolic links of @path (absolute).
 *
 * @ret        the path without links; for SPG_RESOLVE_FOREIGN, as far as it is
 *             known; for SPG_ERR_NOT_FOUND, what would have to be there
 * @ret_mount  the mount it is on; borrowed from @mounts
 *
 * Returns 0; SPG_RESOLVE_FOREIGN; SPG_RESOLVE_CIRCLE (or more links than the kernel
 * follows: nobody can open that); SPG_ERR_NOT_FOUND; SPG_ERR_DENIED; SPG_ERR_INVALID
 * (too long); SPG_ERR_UNSUPPORTED (a link of
 * procfs, which leads into another view); SPG_ERR_IO.
 */
int spg_resolve(const struct spg_mounts *mounts, const char *path, char ret[PATH_MAX],
	const struct spg_mount **ret_mount);

/** As spg_resolve(), and calls @on_link with the path of each symbolic link on the way,
 * which has no other link in it. A negative spg_err of @on_link ends it and is
 * returned. */
int spg_resolve_by_links(const struct spg_mounts *mounts, const char *path,
	char ret[PATH_MAX], const struct spg_mount **ret_mount,
	int (*on_link)(void *user, const char *path), void *user);

/** As spg_resolve(), below the root directory @root_fd, of which @mounts has the table. */
int spg_resolve_below(int root_fd, const struct spg_mounts *mounts, const char *path,
	char ret[PATH_MAX], const struct spg_mount **ret_mount);
