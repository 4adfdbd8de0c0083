/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Who starts a process again when it ends: runit, daemontools, s6 or supervisord among its
 * ancestors. A name is anybody's to choose; so a supervisor counts only with the name of
 * its executable as well, and a directory only if it belongs to the supervisor's user.
 * Worker thread: reads a few files of that directory.
 */
#include "daemon/model/process.h"
#include "daemon/model/process_state.h"

/** The supervisor that is among the nearest ancestors of @process by the names that they
 * have now; any thread. */
enum spg_supervisor spg_supervisor_find(
	const struct spg_process *process, int32_t *ret_pid, bool *ret_is_parent);

/** Fill in ->supervisor and what goes with it. Returns 0 or SPG_ERR_NOMEM. */
int spg_supervisor_look(
	const struct spg_process *process, struct spg_process_state *state);
