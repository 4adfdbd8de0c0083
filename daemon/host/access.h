/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Who may connect and who may change something: the configured groups as
 * numbers. Looked up at start and on a reload only, since a directory service
 * may be slow.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"
#include "common/identity.h"
#include "daemon/config/config.h"
#include "daemon/host/accounts.h"

struct spg_access {
	gid_t gid;      /* of the socket; SPG_GID_NONE: root only */
	gid_t http_gid; /* of Unix sockets of HTTP; in the same way */
	bool has_admin_group;
	struct spg_group admins;
};

/**
 * Returns 0 and *ret; SPG_ERR_INVALID and a line in @problems when a group does
 * not exist; SPG_ERR_NOMEM. The default group may be missing: then only root may
 * connect, and a warning is logged.
 */
int spg_access_resolve(const struct spg_config *config, struct spg_access *ret,
	struct spg_buf *problems);

/** Idempotent. */
void spg_access_finish(struct spg_access *access);

/** True for root, the daemon's own user, and the admin group's members. */
bool spg_access_is_admin(const struct spg_access *access, uint32_t uid, uint32_t gid);
