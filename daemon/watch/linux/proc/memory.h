/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What /proc shows of a process by its address space: mappings, what they map, the command
 * line. All of it takes the lock of that address space, which a process that is stuck in a
 * page fault keeps (proc_pid_maps(5), mm/mmap_lock.c): so each is asked for by a call
 * that is given up when it is late (bounded.h). Any thread but the loop's.
 *
 * @proc_fd is an open /proc/PID directory everywhere. SPG_ERR_TIMEOUT: the process does
 * not answer, now or since an earlier call.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/watch/linux/proc/maps.h"

/* How long one process is waited for; and when several have not answered already. */
#define SPG_MEMORY_PATIENCE_MS 1000
#define SPG_MEMORY_HURRY_MS    50

/* Mappings of files; the names are owned. */
struct spg_memory_maps {
	struct spg_mapping *maps;
	size_t n, size;
};

void spg_memory_maps_finish(struct spg_memory_maps *maps); /* idempotent */

/** The mappings of thread @tid, as spg_maps_walk() has them. Returns 0, also for a process
 * that has ended; SPG_ERR_TIMEOUT; or a negative spg_err with errno set. */
int spg_memory_read_maps(int proc_fd, int32_t tid, bool names, unsigned timeout_ms,
	struct spg_memory_maps *ret);

/** A descriptor (O_PATH) of the file that "map_files/START-END" leads to; or
 * SPG_ERR_TIMEOUT; or another negative spg_err, with errno set. */
int spg_memory_open_mapped(int proc_fd, uint64_t start, uint64_t end);

/** The text of "cmdline" as it is, cut to @size - 1 bytes and ended by a zero. Returns its
 * length, or a negative spg_err. */
int64_t spg_memory_read_cmdline(int proc_fd, char *buf, size_t size);

/** The same of "environ": "NAME=VALUE", each ended by a zero. */
int64_t spg_memory_read_environ(int proc_fd, char *buf, size_t size);
