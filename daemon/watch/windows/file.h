/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A file as this backend knows it: the model's record with what it takes to ask about it
 * again. Immutable and counted, as struct spg_file is.
 */
#include <stdbool.h>
#include <wchar.h>

#include "daemon/model/file.h"
#include "daemon/watch/windows/identity.h"

struct spg_win_file {
	struct spg_file base;
	wchar_t *native;
	struct spg_win_identity identity;
	bool pending; /* deleted, and somebody has it open yet: its identity may be missing */
};

/** A record with one reference. @identity may be NULL: not known. NULL: out of memory. */
struct spg_win_file *spg_win_file_create(const char *path, const wchar_t *native,
	const struct spg_win_identity *identity, bool pending);

/** The backend's own record; NULL when somebody else made it. */
struct spg_win_file *spg_win_file_of(struct spg_file *file);
