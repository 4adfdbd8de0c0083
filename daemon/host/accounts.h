/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Groups of this machine as numbers, for access.c. Each call may wait for a directory
 * service: at start and on a reload only. Main thread.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"

struct spg_group {
	gid_t gid;
	uid_t *members;
	size_t n, size;
};

/** Who may ask where nobody else may: "root". */
extern const char spg_accounts_root[];

/** Append the command that makes the group @name, which may be hostile text. */
void spg_accounts_add_how_to_make(struct spg_buf *out, const char *name);

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
