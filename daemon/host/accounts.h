/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Groups of this machine as numbers, for access.c. Each call may wait for a directory
 * service: at start and on a reload only. Main thread.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct spg_group {
	gid_t gid;
	uid_t *members;
	size_t n, size;
};

/** The command that makes a group, up to its name: "groupadd --system". */
extern const char spg_accounts_make[];
/** And what has to stand behind the name, with a blank before it; "". */
extern const char spg_accounts_make_end[];
/** Who is asked for first where somebody has all rights: "root". */
extern const char spg_accounts_root[];

/** The number of the group @name. Returns 0; SPG_ERR_NOT_FOUND; SPG_ERR_NOMEM. */
int spg_accounts_group(const char *name, gid_t *ret);

/**
 * The number of the group @name and the users who are members of it, those of groups in it
 * aside; *ret is the caller's, @members for free(). Returns as spg_accounts_group().
 *
 * Whom the system counts as a member by other ways as well has its number as the gid of
 * struct spg_peer.
 */
int spg_accounts_admins(const char *name, struct spg_group *ret);
