/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The file mappings of a process: by ioctl where the kernel has it (6.11,
 * PROCMAP_QUERY, linux/fs.h), which skips everything that has no file, else by
 * reading the text of /proc/PID/maps (proc_pid_maps(5)). Worker  thread.
 */
#include <stdbool.h>
#include <stdint.h>

struct spg_mapping {
	uint64_t start, end;
	uint64_t dev; /* the superblock's, as makedev(3) */
	uint64_t ino;
	const char *name; /* path, perhaps with " (deleted)"; NULL: not asked for */
};

/**
 * Call @visit for each mapping of a file by thread @tid of the process behind
 * @proc_fd; stops when it returns other than 0.
 *
 * @names  tell the names too, which costs
 *
 * Returns 0, also when the process ended or has no memory; or a negative spg_err
 * with errno set, SPG_ERR_DENIED for one that is not ours to see.
 */
int spg_maps_walk(int proc_fd, int32_t tid, bool names,
	int (*visit)(void *user, const struct spg_mapping *mapping), void *user);

/** Use the text even where the ioctl works: for tests. */
void spg_maps_force_text(bool force);
