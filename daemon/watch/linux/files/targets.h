/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The files a search looks for, by the two ways the kernel names an inode:
 *   by stat   what stat(2) reports; also through /proc/PID/fd and /proc/PID/exe
 *   by sb     the superblock's device and the inode's own number; in
 *             /proc/PID/maps and /proc/locks
 * They differ on btrfs (a device per subvolume) and overlayfs; BPF needs none of
 * them. Several files may be the same inode (hard links), so a lookup may yield more than one. Worker
 * thread.
 */
#include <stddef.h>
#include <stdint.h>

#include "daemon/model/observation.h"

enum spg_key_space { SPG_KEY_STAT, SPG_KEY_SB };

struct spg_targets;

/** Index the files of @obs, all made by this backend. NULL: out of memory.
 * Holds no references: @obs must outlive it. */
struct spg_targets *spg_targets_create(const struct spg_observation *obs);
void spg_targets_destroy(struct spg_targets *targets); /* takes NULL */

/** Add a file that was appended to the observation since. Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_targets_add(
	struct spg_targets *targets, const struct spg_file *file, size_t index);

/**
 * The index of a file with this inode, or SPG_NO_FILE. To get all of them, call
 * again with the @cursor that the first call set; it starts as 0.
 */
size_t spg_targets_find(const struct spg_targets *targets, enum spg_key_space space,
	uint64_t dev, uint64_t ino, size_t *cursor);
