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

#define SPG_OWN_PIDS_MAX 16

struct spg_own_pids {
	atomic_int pids[SPG_OWN_PIDS_MAX]; /* 0: free */
};

/** False when there is no room. */
static inline bool spg_own_pids_add(struct spg_own_pids *own_pids, int32_t pid)
{
	for (int i = 0; i < SPG_OWN_PIDS_MAX; i++) {
		int expected = 0;

		if (atomic_compare_exchange_strong(&own_pids->pids[i], &expected, pid))
			return true;
	}
	return false;
}

static inline void spg_own_pids_drop(struct spg_own_pids *own_pids, int32_t pid)
{
	for (int i = 0; i < SPG_OWN_PIDS_MAX; i++) {
		int expected = pid;

		atomic_compare_exchange_strong(&own_pids->pids[i], &expected, 0);
	}
}

/** True when there is one. NULL: there are none. */
static inline bool spg_own_pids_any(struct spg_own_pids *own_pids)
{
	for (int i = 0; own_pids && i < SPG_OWN_PIDS_MAX; i++)
		if (atomic_load(&own_pids->pids[i]) != 0)
			return true;
	return false;
}

/** @own_pids may be NULL: there are none. */
static inline bool spg_own_pids_has(struct spg_own_pids *own_pids, int32_t pid)
{
	for (int i = 0; own_pids && pid > 0 && i < SPG_OWN_PIDS_MAX; i++)
		if (atomic_load(&own_pids->pids[i]) == pid)
			return true;
	return false;
}
