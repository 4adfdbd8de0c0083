/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Attribution by reading /proc: which processes have the files open, mapped or
 * running. Surveyor's thread; blocks for as long as /proc takes (about 0.2 ms a
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
int spg_attribution_run(struct spg_attribution *a);

/** Search only these processes. */
int spg_attribution_run_some(
	struct spg_attribution *a, struct spg_process *const *processes, size_t n);

/** Releases the spots; idempotent. */
void spg_attribution_finish(struct spg_attribution *a);
