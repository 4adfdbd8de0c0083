/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Who is named for an install that a package manager runs: not dpkg, which apt-get has
 * started, nor what dpkg starts. Loop thread.
 */
#include "daemon/model/process.h"
#include "daemon/watch/watch.h"

/** By its name. */
bool spg_is_package_manager(const struct spg_process *process);

/**
 * Of @process and those it descends from, the package manager that is furthest up, by its
 * name. Names are chosen freely: good for telling, not for deciding.
 *
 * @ret_nearest  the one that is nearest to @process, which writes the database of what is
 *               installed; a reference for the caller, or NULL
 *
 * Returns a reference for the caller; NULL: there is none, or they have ended.
 */
struct spg_process *spg_package_manager_of(struct spg_watch *watch,
	struct spg_process *process, struct spg_process **ret_nearest);
