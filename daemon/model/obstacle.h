/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Obstacles: what keeps setup from replacing a file although nobody uses it. A survey
 * finds them (struct spg_seen_file, _folder, _mount); which of them matter depends on how
 * setup puts a new version in place, and is decided here, as are the words. Pure; any
 * thread.
 *
 * Who renames a file over another needs its directory, and a file that may be removed;
 * who writes in place needs the file alone (rename(2), open(2), ioctl_iflags(2)).
 */
#include "common/buf.h"
#include "daemon/model/observation.h"
#include "daemon/model/verdict.h"

/** Those of file @index that are in the way of setup: a set of SPG_OBSTACLE_BIT(). */
unsigned spg_obstacles_of(const struct spg_observation *obs, size_t index);

/** Those that keep this daemon from renaming it. */
unsigned spg_obstacles_to_rename(const struct spg_observation *obs, size_t index);

/** Append what the first of @obstacles is, and the command that ends it. */
void spg_obstacles_tell(const struct spg_observation *obs, size_t index,
	unsigned obstacles, struct spg_buf *to);

/** What the files of @verdict that are new make of it: blocked when one cannot be made in
 * any directory where it may belong, attention when in some of those; else safe. */
enum spg_verdict_kind spg_obstacles_to_new(
	const struct spg_observation *obs, const struct spg_verdict *verdict);

/** Add a reason and a step for each obstacle of the files judged. Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_obstacles_explain(
	const struct spg_observation *obs, struct spg_verdict *verdict);
