/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What keeps setup from replacing files although nobody uses them (model/obstacle.h), as
 * those see it who will install: their mounts count, not this daemon's own, in which a
 * service manager may have made more read-only. Whether a filesystem is read-only is the
 * same everywhere. Worker thread.
 *
 * Nothing here says anything of foreign filesystems: no verdict about those is safe.
 */
#include "daemon/watch/linux/survey/state.h"

/** Add the directories and mounts of the files that the full survey @s found, and what is
 * in the way there, and the files that something is mounted on. Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_obstacles_find(struct spg_survey *s);
