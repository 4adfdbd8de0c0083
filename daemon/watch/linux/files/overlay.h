/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The real inodes below a file of an overlay. The mount table names the layers
 * by the paths they were mounted with; those may lead elsewhere by now, and a
 * file may lie in a layer under another name (redirect_dir, metacopy). So what
 * is found by path is only believed if it fits the merged file; otherwise the
 * record is incomplete and no probe can call it free. Surveyor's thread.
 *
 * (Documentation/filesystems/overlayfs.rst: "Non-standard behavior", "redirect_dir",
 * "Metadata only copy up". The merged inode shows size, times and owner of the
 * real one; its file handle ends with that of the lower file it came from.)
 */
#include "daemon/watch/linux/files/layer.h"

/** Append the layers of @file, which is at @place. Returns 0, or -1 without
 * memory. */
int spg_overlay_find(struct spg_linux_file *file, const struct spg_mounts *mounts,
	const struct spg_place *place);
