/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The write-lease probe: does anybody at all use this inode?
 *
 * A write lease (fcntl(2) F_SETLEASE) is granted only while nobody else has the
 * file open; the kernel compares the inode's counts of readers and writers
 * (fs/locks.c, check_conflicting_open). A mapping or a running program keeps an
 * open file, so EAGAIN means: open, mapped, executing or locked by somebody.
 *
 * Side effects, all for microseconds: the file is open, fanotify shows it with
 * our own pid, and whoever opens it meanwhile waits, or with O_NONBLOCK gets
 * EAGAIN. SIGIO must be ignored, since breaking a lease sends it. One probe at
 * a time in the process, or they would find each other. Worker  thread.
 */
#include "daemon/model/observation.h"
#include "daemon/watch/linux/files/layer.h"

struct spg_in_use_result {
	enum spg_in_use in_use;
	bool gone;  /* asked by handle: the inode exists no more */
	int errnum; /* for SPG_IN_USE_UNKNOWN: why */
};

/** Probe every layer of @file; busy if any is. @by_handle: the mount table if the
 * file has left its path, else NULL. */
struct spg_in_use_result spg_in_use_probe(
	const struct spg_linux_file *file, const struct spg_mounts *by_handle);

/**
 * Probe @n files that are at their places, below @dir, within SPG_IN_USE_PATIENCE_MS: to
 * open one may last for ever, where somebody is to allow it (fanotify(7)) and does not
 * answer. Then each of them is SPG_IN_USE_UNKNOWN with ETIMEDOUT, and so are all below
 * @dir until the first one has been opened. Returns 0 or SPG_ERR_NOMEM.
 */
#define SPG_IN_USE_PATIENCE_MS 2000
int spg_in_use_probe_in_time(const char *dir, struct spg_linux_file *const *files,
	size_t n, struct spg_in_use_result *ret);

/** Probe the open file @fd, which must be the caller's only descriptor of it. */
struct spg_in_use_result spg_in_use_probe_fd(int fd);
