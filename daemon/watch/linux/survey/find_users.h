/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Users found by reading /proc: which processes have the files open, mapped or
 * running. Worker  thread; blocks for as long as /proc takes (about 0.2 ms a
 * process).
 *
 * Every thread is looked at whose descriptor table is its own (a thread may
 * have left the process's table, and the leader may have exited while others
 * live on: only /proc/PID/task/TID shows those). Descriptors opened with O_PATH
 * hold nothing and do not count.
 */
#include "daemon/watch/linux/survey/user_search.h"

/** Search all processes. Returns 0, SPG_ERR_NOMEM, or SPG_ERR_TIMEOUT when
 * cancelled. */
int spg_find_users(struct spg_user_search *a);

/** Search only these processes. */
int spg_find_users_among(
	struct spg_user_search *a, struct spg_process *const *processes, size_t n);

/** Releases the spots; idempotent. */
void spg_user_search_finish(struct spg_user_search *a);
