/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Who is the installer: some processes, the roots, and whoever they started, at
 * any depth.
 *
 * A process belongs to it when a walk along its parents comes to a root. Whoever
 * was found to belong does so for good: it is remembered, with all that the walk
 * came by, and its children belong as well when it has ended. A child whose parent
 * ended before anybody asked goes to the next subreaper above (prctl(2),
 * PR_SET_CHILD_SUBREAPER), which is why an installer should be one.
 *
 * Parents change and pids are used again between two reads: a parent that began
 * after its child is none, and the walk starts anew. Reads /proc/PID/stat and
 * nothing else. Not thread-safe.
 */
#include "common/identity.h"
#include "daemon/watch/linux/guard/ids.h"

enum spg_tree_answer {
	SPG_TREE_STRANGER,
	SPG_TREE_MEMBER,
	SPG_TREE_UNKNOWN, /* it, or one of its parents, could not be read */
};

/* Of one process, for the walk. */
struct spg_tree_stat {
	uint64_t start;
	int32_t parent; /* 0: none */
	char name[64];
};

struct spg_tree {
	struct spg_proc_id roots[64];
	size_t n_roots;
	struct spg_guard_ids members;
	/* Returns 0 or SPG_ERR_NOT_FOUND; NULL: /proc. */
	int (*read)(void *user, int32_t pid, struct spg_tree_stat *ret);
	void *user;
};

#define SPG_TREE_NULL                                                                  \
	{                                                                              \
		.read = NULL                                                           \
	}

/* Remembered at most; then those that have ended are forgotten. */
#define SPG_TREE_MEMBERS_MAX 65536

/** @pid as /proc shows it; SPG_ERR_NOT_FOUND. */
int spg_tree_read(void *user, int32_t pid, struct spg_tree_stat *ret);

/** Add a root. Returns 0, or SPG_ERR_LIMIT. */
int spg_tree_add_root(struct spg_tree *tree, struct spg_proc_id id);

/** Ask for @pid. @ret (or NULL): what was read of it; all zero when it could not
 * be. */
enum spg_tree_answer spg_tree_ask(
	struct spg_tree *tree, int32_t pid, struct spg_tree_stat *ret);

/** Idempotent; takes SPG_TREE_NULL. */
void spg_tree_finish(struct spg_tree *tree);
