/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/guard/tree.h"

#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "daemon/watch/linux/proc/proc.h"

/* Ancestors of a process. Deeper trees exist on purpose only. */
#define DEPTH_MAX 256
/* Walks that a change under way disturbed. */
#define TRIES_MAX 8

int spg_tree_read(void *user, int32_t pid, struct spg_tree_stat *ret)
{
	int fd = spg_proc_open(pid), r;

	(void)user;
	if (fd < 0)
		return SPG_ERR_NOT_FOUND;
	r = spg_proc_stat(fd, &ret->start, &ret->parent, NULL, ret->name);
	close(fd);
	return r;
}

static int read_one(const struct spg_tree *tree, int32_t pid, struct spg_tree_stat *ret)
{
	*ret = (struct spg_tree_stat){.start = 0};
	return tree->read ? tree->read(tree->user, pid, ret)
	                  : spg_tree_read(NULL, pid, ret);
}

int spg_tree_add_root(struct spg_tree *tree, struct spg_proc_id id)
{
	if (tree->n_roots == sizeof(tree->roots) / sizeof(tree->roots[0]))
		return SPG_ERR_LIMIT;
	tree->roots[tree->n_roots++] = id;
	return 0;
}

static struct spg_guard_id key_of(struct spg_proc_id id)
{
	return (struct spg_guard_id){.a = (uint64_t)id.pid, .b = id.start};
}

static bool belongs(const struct spg_tree *tree, struct spg_proc_id id)
{
	for (size_t i = 0; i < tree->n_roots; i++)
		if (spg_proc_id_equal(tree->roots[i], id))
			return true;
	return spg_guard_ids_has(&tree->members, key_of(id));
}

/* Keep only those that live: they alone can still ask, or be a parent. */
static void forget_ended(struct spg_tree *tree)
{
	struct spg_guard_ids living = SPG_GUARD_IDS_NULL;

	for (size_t i = 0; i < tree->members.size; i++) {
		const struct spg_guard_id *id = &tree->members.slots[i];
		struct spg_tree_stat stat;

		if (id->a != 0 && read_one(tree, (int32_t)id->a, &stat) == 0 &&
			stat.start == id->b && spg_guard_ids_add(&living, *id) < 0)
			break;
	}
	spg_guard_ids_finish(&tree->members);
	tree->members = living;
}

static void remember(struct spg_tree *tree, const struct spg_proc_id *chain, size_t n)
{
	if (tree->members.n + n > SPG_TREE_MEMBERS_MAX)
		forget_ended(tree);
	if (tree->members.n + n > SPG_TREE_MEMBERS_MAX)
		return;
	/* Without memory they are walked for again. */
	for (size_t i = 0; i < n; i++)
		(void)spg_guard_ids_add(&tree->members, key_of(chain[i]));
}

/* One walk. UNKNOWN: something changed under way. */
static enum spg_tree_answer walk(
	struct spg_tree *tree, int32_t pid, struct spg_tree_stat *ret)
{
	struct spg_proc_id chain[DEPTH_MAX];
	struct spg_tree_stat stat;
	uint64_t child_start = UINT64_MAX;

	for (size_t n = 0; n < DEPTH_MAX; n++) {
		if (read_one(tree, pid, &stat) < 0 || stat.start > child_start)
			return SPG_TREE_UNKNOWN;
		if (n == 0)
			*ret = stat;
		chain[n] = (struct spg_proc_id){.pid = pid, .start = stat.start};
		if (belongs(tree, chain[n])) {
			remember(tree, chain, n);
			return SPG_TREE_MEMBER;
		}
		if (stat.parent <= 0)
			return SPG_TREE_STRANGER;
		child_start = stat.start;
		pid = stat.parent;
	}
	return SPG_TREE_STRANGER;
}

enum spg_tree_answer spg_tree_ask(
	struct spg_tree *tree, int32_t pid, struct spg_tree_stat *ret)
{
	struct spg_tree_stat own = {.start = 0};
	enum spg_tree_answer answer = SPG_TREE_UNKNOWN;

	for (int i = 0; i < TRIES_MAX && answer == SPG_TREE_UNKNOWN && pid > 0; i++)
		answer = walk(tree, pid, &own);
	if (ret)
		*ret = own;
	return answer;
}

void spg_tree_finish(struct spg_tree *tree)
{
	spg_guard_ids_finish(&tree->members);
	tree->n_roots = 0;
}
