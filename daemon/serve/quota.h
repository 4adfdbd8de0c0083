/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What one user (uid) pins in the server. Loop thread.
 *
 * Reference-counted: its sessions and their calls hold it, so that a call
 * whose session has closed is still charged until it ends, even when the
 * server is gone by then.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spg_quota {
	struct spg_quota *prev, *next;
	struct spg_quota **list; /* whose head this may be; NULL: orphaned */
	size_t refs;
	uint32_t uid;
	size_t n_sessions, n_calls, n_bytes;
};

/** The account of @uid in @list, made when there is none, with a reference
 * for the caller. NULL: out of memory. */
struct spg_quota *spg_quota_get(struct spg_quota **list, uint32_t uid);

struct spg_quota *spg_quota_ref(struct spg_quota *quota);

/** Drop a reference; the last frees. Takes NULL. */
void spg_quota_unref(struct spg_quota *quota);

/** Forget all accounts of @list; those still referenced live on by themselves. */
void spg_quota_orphan(struct spg_quota **list);
