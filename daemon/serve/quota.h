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

#include "daemon/serve/limits.h"

struct spg_quotas {
	struct spg_quota *first;
	/* Some user has room for more than before. */
	void (*on_room)(void *user);
	void *user;
};

struct spg_quota {
	struct spg_quota *prev, *next;
	struct spg_quotas *all; /* NULL: orphaned */
	size_t refs;
	uint32_t uid;
	size_t n_sessions, n_calls;
	size_t n_input;  /* bytes received and not begun yet */
	size_t n_work;   /* what the requests at work cost: spg_request_cost() */
	size_t n_output; /* bytes of answers and notifications not taken yet */
	uint64_t turn;   /* the last one in which a request of its was begun */
};

/** What the request @line of @n bytes costs while it is worked on, about, in bytes: the
 * elements of its lists cost most, each is looked for and answered. */
size_t spg_request_cost(const char *line, size_t n);

/** May a request that costs @cost begin? Small ones may always, and one of any size where
 * nothing else is at work. */
bool spg_quota_has_room(
	const struct spg_quota *quota, const struct spg_limits *limits, size_t cost);

/** The account of @uid, made when there is none, with a reference for the caller. NULL:
 * out of memory. */
struct spg_quota *spg_quota_get(struct spg_quotas *quotas, uint32_t uid);

/** Charge a request that begins, and take that back when it has ended. */
void spg_quota_begin_work(struct spg_quota *quota, size_t cost);
void spg_quota_end_work(struct spg_quota *quota, size_t cost);

/** What waits to be taken was @before bytes of some session's and is @after. */
void spg_quota_set_output(struct spg_quota *quota, size_t before, size_t after);

struct spg_quota *spg_quota_ref(struct spg_quota *quota);

/** Drop a reference; the last frees. Takes NULL. */
void spg_quota_unref(struct spg_quota *quota);

/** Forget all accounts; those still referenced live on by themselves. */
void spg_quota_orphan(struct spg_quotas *quotas);
