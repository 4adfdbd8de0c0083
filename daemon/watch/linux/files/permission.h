/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * May somebody else do something with a file? Computed from owner, mode and POSIX ACL, as
 * the kernel does for a process without capabilities (path_resolution(7), acl(5)): this
 * daemon cannot become another user to ask. Security modules and the mappings of mounts
 * are not asked. Pure, but for spg_permission_read(); any thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define SPG_MAY_READ   4U
#define SPG_MAY_WRITE  2U
#define SPG_MAY_SEARCH 1U /* a directory */

/* The largest ACL that is read: 500 entries. */
#define SPG_ACL_MAX    4004

struct spg_permission {
	uint32_t uid, gid;
	uint16_t mode; /* st_mode */
	size_t acl_bytes;
	unsigned char acl[SPG_ACL_MAX]; /* xattr "system.posix_acl_access" */
};

struct spg_somebody {
	uint32_t uid;
	const uint32_t *gids; /* the primary and the supplementary ones */
	size_t n_gids;
};

/** Read it of the file at @path, whose links are followed. Returns 0, or -1 with errno. */
int spg_permission_read(const char *path, struct spg_permission *ret);

/** True when @who has all of @wanted, a set of SPG_MAY_*. */
bool spg_permission_allows(const struct spg_permission *permission,
	const struct spg_somebody *who, unsigned wanted);
