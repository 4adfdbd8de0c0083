/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a file and a process are. Names are labels; these are identities.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A file on this machine, while it exists. @dev and @ino as stat(2) reports
 * them (on Windows: volume serial number and file index). */
struct spg_file_id {
	uint64_t dev;
	uint64_t ino;
};

/* A process: the pid alone may be given to another one after its end. @start
 * counts from boot in the system's own unit (Linux: clock ticks, field 22 of
 * /proc/PID/stat); 0 when the process was gone before it could be read. */
struct spg_proc_id {
	int32_t pid;
	uint64_t start;
};

/* The process at the other end of a local socket, as it was when it connected. */
struct spg_peer {
	uint32_t uid, gid;
	int32_t pid;
};

/* In place of a group: nobody but the owner. */
#define SPG_GID_NONE ((gid_t)-1)

static inline bool spg_file_id_equal(struct spg_file_id a, struct spg_file_id b)
{
	return a.dev == b.dev && a.ino == b.ino;
}

static inline bool spg_proc_id_equal(struct spg_proc_id a, struct spg_proc_id b)
{
	return a.pid == b.pid && a.start == b.start;
}
