/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Files of the product that have no name any more and are still in use: an old
 * version that runs on. /proc shows where they were: "/srv/bin/x.dll (deleted)".
 * Part of attribution; surveyor's thread.
 */
#include "daemon/watch/linux/attribution.h"
#include "daemon/watch/linux/maps.h"

/** Descriptor @name in @fd_dir (/proc/PID/task/TID/fd) has no links: if it was
 * one of the product's files, append it to the observation and the targets.
 * Returns 0 or SPG_ERR_NOMEM. */
int spg_deleted_by_fd(struct spg_attribution *a, int fd_dir, const char *name);

/** The same for a mapping, with its name. */
int spg_deleted_by_mapping(
	struct spg_attribution *a, int proc_fd, const struct spg_mapping *mapping);
