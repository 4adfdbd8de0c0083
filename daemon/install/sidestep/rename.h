/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The renames of a step aside: never over an existing file, never of another file
 * than was meant. Blocks; the worker thread. Knows no journal.
 *
 * A file keeps its owner, mode and content: it only gets another name in its
 * directory. Where the filesystem has no RENAME_NOREPLACE (rename(2)), a second
 * link is made and the first removed, which does not replace anything either.
 */
#include <stdbool.h>

#include "common/identity.h"

/**
 * The name to which the file at @path would go: "mdbperf.old" for "mdbperf.dll" (with
 * @whole "mdbperf.dll.old"), or, while that exists, "mdbperf.old2"... Returns a new text, NULL
 * with *@ret_err: SPG_ERR_NOMEM, or SPG_ERR_EXISTS when a thousand are taken.
 */
char *spg_aside_choose_name(const char *path, bool whole, int *ret_err);

/**
 * Rename @from to @to if @from is the file @id, itself and no link to it.
 *
 * Returns 0; SPG_ERR_EXISTS: there is something at @to; SPG_ERR_NOT_FOUND: nothing
 * at @from; SPG_ERR_BUSY: another file is there; SPG_ERR_UNSUPPORTED: a symbolic
 * link, or the filesystem cannot do it without risk; or what the system said.
 */
int spg_aside_rename(const char *from, const char *to, struct spg_file_id id);

/** Remove the file @id at @path. Returns as spg_aside_rename(). */
int spg_aside_remove(const char *path, struct spg_file_id id);

/** Why one of these failed with @err, in words. */
const char *spg_aside_why(int err);

enum spg_aside_place {
	SPG_ASIDE_NOWHERE, /* the file has neither name */
	SPG_ASIDE_AT_PATH, /* the rename did not happen */
	SPG_ASIDE_AT_OLD,  /* it did */
	SPG_ASIDE_AT_BOTH, /* a second link was made, the first not removed */
};

/** Which of its two names the file @id has. */
enum spg_aside_place spg_aside_find(
	const char *path, const char *old_path, struct spg_file_id id);
