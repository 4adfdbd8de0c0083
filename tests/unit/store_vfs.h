/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A layer between SQLite and the filesystem that fails on demand. Registered
 * as the default, so that the store needs no hook. Any thread may set faults.
 */

enum fault {
	FAULT_NONE,
	FAULT_FULL, /* writes: SQLITE_FULL, as with a full disk */
	FAULT_IO,   /* writes and syncs: SQLITE_IOERR */
};

void vfs_register(void);

/** From now on the @nth write, sync or truncation fails (1: the next); with
 * @for_ever all after it too. */
void vfs_fail(enum fault fault, int nth, int for_ever);

/** How many writes, syncs and truncations there were since vfs_fail(). */
int vfs_count(void);

/** Syncs of any file since vfs_fail(). */
int vfs_syncs(void);
