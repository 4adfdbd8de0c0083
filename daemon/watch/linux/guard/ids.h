/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A set of identities, each three numbers: files and directories (device, inode,
 * birth), processes (pid, start, 0). Grows; nothing is taken out but all at once.
 * Not thread-safe.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spg_guard_id {
	uint64_t a, b, c;
};

struct spg_guard_ids {
	struct spg_guard_id *slots; /* all zero: free */
	size_t n, size;
};

#define SPG_GUARD_IDS_NULL                                                             \
	{                                                                              \
		NULL, 0, 0                                                             \
	}

/** Add @id, which is not all zero. Returns 0, 1 when it is there already, or
 * SPG_ERR_NOMEM. */
int spg_guard_ids_add(struct spg_guard_ids *ids, struct spg_guard_id id);
bool spg_guard_ids_has(const struct spg_guard_ids *ids, struct spg_guard_id id);

/** Idempotent; takes SPG_GUARD_IDS_NULL. */
void spg_guard_ids_finish(struct spg_guard_ids *ids);
