/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Which file is it: volume and index, as GetFileInformationByHandle has them. Thread-safe.
 *
 * One file may be reached through volumes that claim to be different (Wine gives each drive
 * letter a serial number of its own): then sizes and times tell that it is one. So two
 * files are taken for one when their index, size and times agree; never one for two.
 */
#include <stdbool.h>
#include <stdint.h>

#include <windows.h>

#include "common/identity.h"

struct spg_win_identity {
	struct spg_file_id id;
	uint64_t size;
	uint64_t created, written; /* FILETIME */
	uint32_t n_links;
	uint32_t attributes; /* FILE_ATTRIBUTE_... */
};

/** What @handle leads to. Returns false with GetLastError(). */
bool spg_win_identify(HANDLE handle, struct spg_win_identity *ret);

/** The same of what is at @native. A reparse point is followed unless @itself. It opens for
 * attributes alone, which no share mode refuses. */
bool spg_win_identify_path(
	const wchar_t *native, bool itself, struct spg_win_identity *ret);

/** Are they one file? */
bool spg_win_is_same(
	const struct spg_win_identity *a, const struct spg_win_identity *b);
