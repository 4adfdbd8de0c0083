/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Small files of /proc. Any thread.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * Open /proc/@pid as a directory descriptor (O_PATH). Returns it, or
 * SPG_ERR_NOT_FOUND, SPG_ERR_DENIED, SPG_ERR_LIMIT or SPG_ERR_IO.
 */
int spg_proc_open(int32_t pid);

/**
 * Read a whole small file under @dir_fd into @buf, with a final zero. Returns
 * the length (cut to @size - 1) or a negative spg_err.
 */
ssize_t spg_proc_slurp(int dir_fd, const char *name, char *buf, size_t size);
