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
#include <stdatomic.h>
#include <stdbool.h>

#include "daemon/model/observation.h"
#include "daemon/watch/linux/mounts.h"
#include "daemon/watch/linux/proc.h"
#include "daemon/watch/linux/targets.h"

/* Where a use was found, for reading the locks of that descriptor. */
struct spg_spot {
	size_t file; /* index in the observation */
	size_t use;  /* index in the observation */
	int32_t pid, tid, fd;
};

struct spg_attribution {
	struct spg_observation *obs; /* uses are appended */
	struct spg_targets *targets;
	const struct spg_proc_reader *reader;
	const atomic_bool *cancel; /* or NULL */
	/* Find files of the product that were deleted while in use, by the names
	 * that /proc still shows, and append them to the observation; or NULL. */
	const struct spg_mounts *find_deleted;

	struct spg_spot *spots; /* of open descriptors */
	size_t n_spots, size_spots;
	/* Processes that could not be looked into: not this one's to see. */
	size_t n_opaque;
	char opaque[160]; /* the first few, in words */
};

/** Search all processes. Returns 0, SPG_ERR_NOMEM, or SPG_ERR_TIMEOUT when
 * cancelled. */
int spg_attribution_run(struct spg_attribution *a);

/** Search only these processes. */
int spg_attribution_run_some(
	struct spg_attribution *a, struct spg_process *const *processes, size_t n);

/** Releases the spots; idempotent. */
void spg_attribution_finish(struct spg_attribution *a);
