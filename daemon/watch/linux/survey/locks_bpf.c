/* SPDX-License-Identifier: MIT */
/*
 * Locks as the inodes have them. Whom a lock belongs to is named by its owner: the
 * descriptor table of a POSIX lock, the open file of all others, which several
 * processes may share.
 */
#include <stdlib.h>

#include "common/array.h"
#include "common/err.h"
#include "daemon/watch/linux/survey/counted.h"
#include "daemon/watch/linux/survey/locks.h"

struct held_list {
	struct spg_bpf_held *held;
	size_t n, size;
};

static int on_held(void *user, const struct spg_bpf_held *held)
{
	struct held_list *list = user;
	int r = spg_array_reserve(
		&list->held, list->n, &list->size, sizeof(*list->held));

	if (r == 0)
		list->held[list->n++] = *held;
	return r;
}

static int add_lock(
	struct spg_survey *s, size_t file, const struct spg_bpf_held *held, size_t use)
{
	struct spg_observation *obs = s->obs;
	struct spg_seen_lock lock = {.file = file,
		.kind = (enum spg_lock_kind)held->kind,
		.mode = held->type == 1 ? SPG_LOCK_WRITE : SPG_LOCK_READ,
		.state = held->waits ? SPG_LOCK_WAITING : SPG_LOCK_HELD,
		.start = held->start,
		.end = held->end,
		.owner = held->owner};

	/* A flock has no range; the kernel says so with a whole one. */
	if (use != SPG_NO_FILE) {
		lock.process = obs->uses[use].process;
		obs->uses[use].how |= held->waits ? SPG_USE_WAITING : SPG_USE_LOCKED;
	}
	return spg_observation_add_lock(obs, &lock);
}

static bool is_owner(const struct spg_bpf_hit *hit, const struct spg_bpf_held *held)
{
	if (hit->kind != SPG_HIT_FD || hit->inode != held->inode)
		return false;
	return held->owner == (held->kind == SPG_BPF_POSIX ? hit->table : hit->file);
}

/* A lock of @file, for everybody who has it. */
static int add_for_owners(
	struct spg_survey *s, size_t file, const struct spg_bpf_held *held)
{
	const struct spg_counted_files *c = s->counted;
	bool found = false;
	int r = 0;

	/* Who waits is one thread, whoever else has the open file. */
	if (held->waits)
		return add_lock(
			s, file, held, spg_locks_find_use(s->obs, file, held->tgid));
	for (size_t i = 0; r == 0 && i < c->n_hits; i++) {
		size_t use;

		if (!is_owner(&c->hits[i], held))
			continue;
		use = spg_locks_find_use(s->obs, file, c->hits[i].tgid);
		if (use == SPG_NO_FILE)
			continue;
		found = true;
		r = add_lock(s, file, held, use);
	}
	/* In flight, or of the kernel. */
	return r == 0 && !found ? add_lock(s, file, held, SPG_NO_FILE) : r;
}

/* Addresses of the inodes that have locks. The caller frees; NULL: out of memory. */
static uint64_t *list_locked(const struct spg_counted_files *c, size_t *ret_n)
{
	uint64_t *inodes = calloc(c->n_inodes + 1, sizeof(*inodes));
	size_t n = 0;

	for (size_t i = 0; inodes && i < c->n_inodes; i++)
		if ((c->inodes[i].flags &
			    (SPG_INODE_FLOCK | SPG_INODE_POSIX | SPG_INODE_LEASE)) &&
			(n == 0 || inodes[n - 1] != c->inodes[i].inode))
			inodes[n++] = c->inodes[i].inode;
	*ret_n = n;
	return inodes;
}

int spg_read_locks_bpf(struct spg_survey *s)
{
	const struct spg_counted_files *c = s->counted;
	struct held_list list = {0};
	size_t n;
	uint64_t *inodes = list_locked(c, &n);
	int r = inodes ? 0 : SPG_ERR_NOMEM;

	if (r == 0 && n > 0)
		r = spg_look_locks(s->tools->look, inodes, n, on_held, &list);
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		const struct spg_counted *inode =
			spg_counted_find(c, list.held[i].inode);

		/* A lease that is being broken may have become none. */
		if (list.held[i].type == 2)
			continue;
		for (; r == 0 && inode && inode < c->inodes + c->n_inodes &&
			inode->inode == list.held[i].inode;
			inode++)
			r = add_for_owners(s, inode->file, &list.held[i]);
	}
	/* A merged inode without a name: an old version that only is in flight. */
	for (size_t i = 0; i < s->obs->n_files; i++) {
		struct spg_seen_file *seen = &s->obs->files[i];

		seen->locks_unread =
			spg_linux_file(seen->file)->class == SPG_FS_OVERLAY &&
			seen->presence == SPG_REPLACED && !spg_counted_has_merged(c, i);
		seen->nobody_waits = seen->locks_unread && !c->unopened;
	}
	free(inodes);
	free(list.held);
	spg_locks_sort(s->obs);
	return r;
}
