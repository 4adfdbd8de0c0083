/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Questions about one file that the system answers itself. They open for attributes only,
 * which disturbs nobody, but for these:
 *
 *   spg_probe_write()  opens for writing, and shares everything: for some microseconds a
 *                      program that wants to share no writing (the loader does) is refused.
 *                      So it is asked only where nothing else has an answer.
 *   spg_probe_lock()   takes shared locks for moments: for some microseconds somebody's own
 *                      attempt at an exclusive lock that does not wait fails, and writing
 *                      would. So only where nobody has the file open for writing.
 *
 * No file is ever opened without sharing it: that would refuse whoever comes.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wchar.h>

#include "common/identity.h"

enum spg_probe {
	SPG_PROBE_FREE,
	SPG_PROBE_BUSY,
	SPG_PROBE_PENDING, /* deleted, and somebody has it open yet */
	SPG_PROBE_GONE,    /* nothing is there */
	SPG_PROBE_REFUSED, /* cannot be asked */
};

/** Is it a program or library that runs, or open without shared writing? A file that is
 * marked read-only, or whose rights do not allow it, cannot be asked. */
enum spg_probe spg_probe_write(const wchar_t *native);

/** Is it there, and not deleted? SPG_PROBE_FREE says that, and nothing of who uses it. */
enum spg_probe spg_probe_there(const wchar_t *native);

/** The processes that use it, but this one, protected ones among them: as the filesystem
 * knows them (FileProcessIdsUsingFileInformation), on NTFS alone. The caller frees *ret, which has *ret_n.
 * Returns 0; SPG_ERR_UNSUPPORTED; SPG_ERR_NOT_FOUND; SPG_ERR_DENIED or SPG_ERR_NOMEM. */
int spg_probe_users(const wchar_t *native, int32_t **ret, size_t *ret_n);

/** The same of a file that lost its path, by its identity, on the volume that has the
 * directory of @native, where it was. SPG_ERR_NOT_FOUND: it is no more, so nobody has it. */
int spg_probe_old_users(
	const wchar_t *native, struct spg_file_id id, int32_t **ret, size_t *ret_n);

struct spg_probe_range {
	bool locked;
	int64_t start,
		end; /* from the first to the last byte that is locked, both included;
	                       INT64_MAX: to the end of what can be */
};

/** Which bytes of it somebody else has locked for himself alone (LockFileEx): from the first
 * to the last of them; between them there may be others that are not. Returns 0;
 * SPG_ERR_DENIED: it cannot be opened for reading; SPG_ERR_NOT_FOUND; or SPG_ERR_IO. */
int spg_probe_lock(const wchar_t *native, struct spg_probe_range *ret);
