/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Processes: the list of all of them, and what is known about one. The identity of a
 * process is its pid with its creation time (100 ns since 1601). Any thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/model/process.h"
#include "daemon/watch/windows/services.h"

struct spg_win_process {
	struct spg_proc_id id;
	int32_t ppid;
	char name[64]; /* of its program, shortened; "" unknown */
};

/* Sorted by pid. */
struct spg_win_processes {
	struct spg_win_process *items;
	size_t n;
};

/** All that there are now, protected ones included. Returns 0; SPG_ERR_NOMEM; or
 * SPG_ERR_IO. */
int spg_win_processes_read(struct spg_win_processes *ret);

/** NULL: there was none with @pid. */
const struct spg_win_process *spg_win_processes_find(
	const struct spg_win_processes *processes, int32_t pid);

/** Idempotent; takes one that is all zero. */
void spg_win_processes_finish(struct spg_win_processes *processes);

/** A record of @process with its service, as far as it can be looked at; a reference for
 * the caller. Asks for the account's name, which may take as long as a domain controller
 * that is gone: at most half a second of that. NULL: out of memory. */
struct spg_process *spg_win_process_describe(
	const struct spg_win_process *process, const struct spg_win_services *services);

/** When the process behind @handle was created; 0: not known. */
uint64_t spg_win_process_created(void *handle);
