/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What ext4 says of a filesystem in sysfs (Documentation/ABI/testing/sysfs-fs-ext4). Its
 * driver serves ext2 and ext3 as well. Any thread.
 */
#include <stdbool.h>
#include <stdint.h>

/** True when filesystems of @type are ext4's. */
bool spg_ext4_is(const char *type);

/** Open the file @name of the filesystem on the block device @dev. Returns a descriptor, or
 * -1 with errno. */
int spg_ext4_open(uint64_t dev, const char *name);

/** The number that is there now; -1 without one, also when the filesystem has gone. */
long spg_ext4_read_at(int fd);

/** The same of a file that is open for this only. */
long spg_ext4_read(uint64_t dev, const char *name);
