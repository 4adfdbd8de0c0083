/* SPDX-License-Identifier: MIT */
#pragma once
/* The self-test's directory with its files. */
#include <stdbool.h>
#include <wchar.h>

#include "daemon/watch/windows/identity.h"

struct spg_scratch {
	wchar_t *dir; /* native; NULL: none */
};

#define SPG_SCRATCH_NULL                                                               \
	{                                                                              \
		NULL                                                                   \
	}

/** Make a directory in @parent with all files of helper.h. Returns 0; SPG_ERR_NOMEM; or
 * SPG_ERR_IO, with GetLastError(). spg_scratch_remove() either way. */
int spg_scratch_make(struct spg_scratch *scratch, const char *parent);

/** Remove it with all that is in it. Idempotent. */
void spg_scratch_remove(struct spg_scratch *scratch);

/** The path of @name in it; the caller frees. NULL: out of memory. */
wchar_t *spg_scratch_path(const struct spg_scratch *scratch, const wchar_t *name);

/** Create @name with a few bytes. */
bool spg_scratch_create(const struct spg_scratch *scratch, const wchar_t *name);

bool spg_scratch_identify(const struct spg_scratch *scratch, const wchar_t *name,
	struct spg_win_identity *ret);
