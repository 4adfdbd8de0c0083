/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A lock file: whoever has it locked is the one daemon that uses what lies beside it.
 * The lock counts, and ends with the process; the pid in it is for messages.
 */
#include <stdbool.h>
#include <sys/types.h>

/**
 * Open @path, make it when it is missing, and lock it.
 *
 * @mode      of a new file
 * @ret_fd    on success the caller's: closing it gives the lock up
 * @ret_pid   with SPG_ERR_BUSY: who has it; 0 not known
 *
 * Returns 0; SPG_ERR_BUSY, also when the file does not stay in place (*ret_pid is 0
 * then); or another negative spg_err with errno set. Nothing is logged.
 */
int spg_lock_file_take(const char *path, mode_t mode, int *ret_fd, long *ret_pid);

/** True when @path still leads to the file that is locked by @fd. */
bool spg_lock_file_is_in_place(int fd, const char *path);

/** True when somebody has the lock of @path; *ret_pid as above. Who takes it in just that
 * moment may be refused. */
bool spg_lock_file_is_taken(const char *path, long *ret_pid);
