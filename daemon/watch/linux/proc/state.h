/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a process is doing now (model/process_state.h), as /proc shows it.
 *
 * Nothing here waits for the process: "status", "stat" and "wchan" are answered without
 * the lock of its address space, links are only named, and files of control groups are
 * answered from memory. So the loop thread may look too; what it sees there that is out
 * of the ordinary is for the worker thread, which also looks at threads, descriptors and
 * supervisors' directories.
 */
#include <stdbool.h>
#include <stdint.h>

#include "daemon/model/process.h"
#include "daemon/model/process_state.h"

/* The state of a process at one moment, as far as its state tells it at once. */
struct spg_state_look {
	int32_t tid; /* a thread that waits in the kernel and is not frozen; 0: none */
	uint64_t n_turns; /* how often it has begun to wait or was made to */
};

/**
 * Look at @process, and at each of its threads if @threads. *ret is to be finished by the caller; ->looked is false when the
 * process has gone. *ret_look: whether to look again, see spg_state_look_again().
 * Returns 0 or SPG_ERR_NOMEM.
 */
int spg_state_look(const struct spg_process *process, bool threads,
	struct spg_process_state *ret, struct spg_state_look *ret_look);

/** Some time after @before: if the process has waited ever since, it is stuck. */
void spg_state_look_again(const struct spg_process *process,
	const struct spg_state_look *before, struct spg_process_state *state);

/** Loop thread: true when @process is doing nothing out of the ordinary, as far as the
 * first look of spg_state_look() tells; *handles_term is set then. */
bool spg_state_is_ordinary(const struct spg_process *process, bool *ret_handles_term);
