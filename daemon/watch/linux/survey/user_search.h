/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A search for users by reading /proc under way: what find_users.c, deleted_files.c and
 * locks.c share. Worker  thread.
 */
#include <stdatomic.h>
#include <stdbool.h>

#include "daemon/model/observation.h"
#include "daemon/watch/linux/files/mounts.h"
#include "daemon/watch/linux/files/targets.h"
#include "daemon/watch/linux/proc/own_pids.h"
#include "daemon/watch/linux/proc/proc.h"

struct spg_deleted;

/* Where a use was found, for reading the locks of that descriptor. */
struct spg_spot {
	size_t file; /* index in the observation */
	size_t use;  /* index in the observation */
	int32_t pid, tid, fd;
};

struct spg_user_search {
	struct spg_observation *obs; /* uses are appended */
	struct spg_targets *targets;
	const struct spg_proc_reader *reader;
	const struct spg_mounts *mounts;
	/* Never found; or NULL. Of this process what it maps and executes is found. */
	struct spg_own_pids *own_pids;
	const atomic_bool *cancel; /* or NULL */
	/* Find files of the product that lost their names while in use, by what
	 * /proc still shows of them, and append them to the observation; or NULL. */
	const struct spg_deleted *find_deleted;
	/* Called for each file so appended, or found among those known already: its
	 * index, and a descriptor (O_PATH) that is borrowed for the call; or NULL.
	 * Returns 0 or a negative spg_err. */
	int (*on_deleted)(void *user, size_t index, int fd);
	void *user;

	struct spg_spot *spots; /* of open descriptors */
	size_t n_spots, size_spots;
	/* Processes that could not be looked into: not this one's to see. */
	size_t n_opaque;
	char opaque[160]; /* the first few, in words */
	/* Processes whose memory map does not answer: mappings of theirs are not seen. */
	size_t n_stuck;
	char stuck[160]; /* the first few, in words */
	/* Times that looking failed for another reason than that the process has
	 * gone or is not ours to see, and the last one's errno. */
	size_t n_failed;
	int failed_errnum;
};

/** Count the process behind @proc_fd as one whose memory map does not answer. */
void spg_user_search_stuck(struct spg_user_search *a, int proc_fd, int32_t pid);

/** Count a failure by its errno: gone, not ours to see (true), or none of both. */
bool spg_user_search_failed(struct spg_user_search *a, int errnum);
