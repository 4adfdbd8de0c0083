/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The system's table of all handles, as far as they lead to files or to sections, which may be of
 * files, without this process's own. Any thread.
 */
#include <stddef.h>

#include "daemon/watch/windows/native.h"

struct spg_handle_table {
	struct spg_nt_handle *items;
	size_t n;
	USHORT file_type, section_type; /* that of each item is one of them */
};

/** Read it. Which handles lead to what is found out by this process's own. Returns 0;
 * SPG_ERR_NOMEM; or SPG_ERR_IO: the system gives none, or one without those. */
int spg_handle_table_read(struct spg_handle_table *ret);

/** Idempotent; takes one that is all zero. */
void spg_handle_table_finish(struct spg_handle_table *table);
