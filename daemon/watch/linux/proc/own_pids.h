/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Processes of spguard's own besides the daemon: its guards, which have a file open
 * for the moment in which they answer for it. A survey does not count them. Any
 * thread.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SPG_SELVES_MAX 16

struct spg_selves {
	atomic_int pids[SPG_SELVES_MAX]; /* 0: free */
};

/** False when there is no room. */
static inline bool spg_selves_add(struct spg_selves *selves, int32_t pid)
{
	for (int i = 0; i < SPG_SELVES_MAX; i++) {
		int expected = 0;

		if (atomic_compare_exchange_strong(&selves->pids[i], &expected, pid))
			return true;
	}
	return false;
}

static inline void spg_selves_drop(struct spg_selves *selves, int32_t pid)
{
	for (int i = 0; i < SPG_SELVES_MAX; i++) {
		int expected = pid;

		atomic_compare_exchange_strong(&selves->pids[i], &expected, 0);
	}
}

/** True when there is one. NULL: there are none. */
static inline bool spg_selves_any(struct spg_selves *selves)
{
	for (int i = 0; selves && i < SPG_SELVES_MAX; i++)
		if (atomic_load(&selves->pids[i]) != 0)
			return true;
	return false;
}

/** @selves may be NULL: there are none. */
static inline bool spg_selves_has(struct spg_selves *selves, int32_t pid)
{
	for (int i = 0; selves && pid > 0 && i < SPG_SELVES_MAX; i++)
		if (atomic_load(&selves->pids[i]) == pid)
			return true;
	return false;
}
