/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Locks and leases: /proc/locks has all of them with doubtful owners, the
 * "lock:" lines of /proc/PID/task/TID/fdinfo/FD have the true ones (proc_locks(5),
 * proc_pid_fdinfo(5)). Both are read and put together. Worker  thread.
 *
 * Doubtful: a flock is listed with the pid that took it, though that process
 * may be dead and an heir of the descriptor hold it; an OFD lock has pid -1;
 * locks of processes in a pid namespace that is not ours are not listed at all.
 * Waiters ("->") are only in /proc/locks.
 */
#include "daemon/model/observation.h"
#include "daemon/watch/linux/survey/find_users.h"

/* One line, from either source. */
struct spg_lock_line {
	enum spg_lock_kind kind;
	enum spg_lock_mode mode;
	bool waiting;
	int32_t pid;        /* -1: not said */
	uint64_t dev, ino;  /* superblock's device */
	int64_t start, end; /* SPG_LOCK_EOF */
};

/**
 * Parse "1: POSIX  ADVISORY  WRITE 3568 fd:00:2531452 0 EOF", with or without
 * "->" behind the number. Returns false for anything else. Pure.
 */
bool spg_lock_line_parse(const char *line, struct spg_lock_line *ret);

/** The use that process @pid makes of file @file of @obs, or SPG_NO_FILE. */
size_t spg_locks_find_use(const struct spg_observation *obs, size_t file, int32_t pid);

/** Sort the locks of @obs, and take out what is there twice. */
void spg_locks_sort(struct spg_observation *obs);

/**
 * Append the locks on the files of a->obs, and mark the uses of those who hold
 * or wait as LOCKED or WAITING. a->spots say where descriptors are open.
 * Returns 0, SPG_ERR_NOMEM, or SPG_ERR_DENIED or SPG_ERR_IO when /proc/locks
 * cannot be read: those of fdinfo are appended all the same.
 */
int spg_locks_read(struct spg_user_search *a);
