/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#pragma once
/*
 * The locks of the inodes looked for, and who waits for them: the program "read_locks".
 * Included by BPF programs only, after kernel.h.
 */
#include "daemon/watch/linux/bpf/inode.h"
#include "daemon/watch/linux/bpf/target.h"

/* Locks of one inode that are walked to, who waits for them included. */
#define LOCKS_MAX (1 << 20)

/* Locks before this one, in the order of the lists, have been told. */
__u32 first_lock;

/*
 * Walks an inode's lists of locks and, from each lock, those of who waits for it; who
 * waits for the same as another one waits behind that one, and so on.
 */
struct lock_walk {
	struct seq_file *seq;
	struct inode *inode;
	bool lease;
};

/* How many lists are being walked; of each where it begins, and where the walk is.
 * (Not in the structure: the verifier would follow every number they can be.) */
#define WAITING_DEEP 64
__u32 list_depth;
__u64 list_heads[WAITING_DEEP], list_places[WAITING_DEEP];
__u32 lock_number;

/* Where a lock's common part lies in the structure of this kernel. */
#define LOCK_OFFSET(core, flat)                                                        \
	(bpf_core_type_exists(struct file_lock_core)                                   \
			? bpf_core_field_offset(struct file_lock_core, core)           \
			: bpf_core_field_offset(struct file_lock___flat, flat))

static __always_inline void tell_lock(struct lock_walk *walk, __u64 lock, bool waits)
{
	struct spg_bpf_held out = {.inode = (__u64)walk->inode, .waits = waits};
	__u32 flags;

	out.number = lock_number++;
	if (out.number < first_lock || out.number >= first_lock + SPG_BPF_HELD_MAX)
		return;
	if (bpf_core_type_exists(struct file_lock_core)) {
		struct file_lock *typed = (void *)lock;

		flags = BPF_CORE_READ(typed, c.flc_flags);
		out.owner = (__u64)BPF_CORE_READ(typed, c.flc_owner);
		out.file = (__u64)BPF_CORE_READ(typed, c.flc_file);
		out.type = BPF_CORE_READ(typed, c.flc_type);
		out.tgid = BPF_CORE_READ(typed, c.flc_pid);
		out.start = BPF_CORE_READ(typed, fl_start);
		out.end = BPF_CORE_READ(typed, fl_end);
	} else {
		struct file_lock___flat *flat = (void *)lock;

		flags = BPF_CORE_READ(flat, fl_flags);
		out.owner = (__u64)BPF_CORE_READ(flat, fl_owner);
		out.file = (__u64)BPF_CORE_READ(flat, fl_file);
		out.type = BPF_CORE_READ(flat, fl_type);
		out.tgid = BPF_CORE_READ(flat, fl_pid);
		out.start = BPF_CORE_READ(flat, fl_start);
		out.end = BPF_CORE_READ(flat, fl_end);
	}
	if (walk->lease) {
		out.start = 0;
		out.end = 0x7fffffffffffffff;
	}
	out.kind = walk->lease         ? SPG_BPF_LEASE
	           : flags & FL_OFDLCK ? SPG_BPF_OFD
	           : flags & FL_FLOCK  ? SPG_BPF_FLOCK
	                               : SPG_BPF_POSIX;
	bpf_seq_write(walk->seq, &out, sizeof(out));
}

static __always_inline void push_list(__u64 head)
{
	const struct list_head *list = (void *)head;
	__u32 depth = list_depth;

	if (depth >= WAITING_DEEP)
		return;
	list_heads[depth & (WAITING_DEEP - 1)] = head;
	list_places[depth & (WAITING_DEEP - 1)] = (__u64)BPF_CORE_READ(list, next);
	list_depth = depth + 1;
}

static long visit_lock(__u32 i, struct lock_walk *walk)
{
	const struct list_head *place;
	__u32 depth = list_depth - 1;
	__u64 lock;

	if (list_depth == 0)
		return 1;
	place = (void *)list_places[depth & (WAITING_DEEP - 1)];
	if (!place || (__u64)place == list_heads[depth & (WAITING_DEEP - 1)]) {
		list_depth = depth;
		return 0;
	}
	list_places[depth & (WAITING_DEEP - 1)] = (__u64)BPF_CORE_READ(place, next);
	lock = (__u64)place -
	       (depth == 0 ? LOCK_OFFSET(flc_list, fl_list)
			   : LOCK_OFFSET(flc_blocked_member, fl_blocked_member));
	tell_lock(walk, lock, depth > 0);
	push_list(lock + LOCK_OFFSET(flc_blocked_requests, fl_blocked_requests));
	return 0;
}

static __always_inline void visit_list(
	struct lock_walk *walk, const struct list_head *head, bool lease)
{
	walk->lease = lease;
	list_depth = 0;
	push_list((__u64)head);
	bpf_loop(LOCKS_MAX, visit_lock, walk, 0);
}

/* Over our own descriptors, like the in-use probe: the locks of each target, once, however
 * many of them lead to it. (The kernel calls again for what its buffer had no room for.) */
SEC("iter/task_file")
int read_locks(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct file_lock_context *locks;
	struct lock_walk walk = {};
	__u32 *teller;

	if (!ctx->task || !file || !(file->f_mode & FMODE_PATH))
		return 0;
	teller = find_target(file->f_inode);
	if (!teller)
		return 0;
	if (*teller == 0)
		*teller = ctx->fd + 1;
	if (*teller != ctx->fd + 1)
		return 0;
	locks = file->f_inode->i_flctx;
	if (!locks)
		return 0;
	walk.seq = ctx->meta->seq;
	walk.inode = file->f_inode;
	lock_number = 0;
	visit_list(&walk, &locks->flc_flock, false);
	visit_list(&walk, &locks->flc_posix, false);
	visit_list(&walk, &locks->flc_lease, true);
	return 0;
}
