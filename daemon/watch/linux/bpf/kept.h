/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#pragma once
/*
 * What keeps an inode that nobody has open: mounts, layers of overlays, uprobes, and
 * descriptors that only name it. The programs "search_mounts", "search_keepers" and
 * "search_probes".
 * Included by BPF programs only, after kernel.h.
 */
#include "daemon/watch/linux/bpf/inode.h"
#include "daemon/watch/linux/bpf/target.h"

/* Mounts of one filesystem, and directories above a file that are walked to. */
#define MOUNTS_MAX  (1 << 20)
#define PARENTS_MAX 256

/* Probes that one event stands for; more are as good as one. */
#define PROBES_MAX  16

struct mount_walk {
	struct seq_file *seq;
	struct inode *inode;
	struct mount *next;
	const struct list_head *end; /* before 6.18 */
};

static __always_inline bool is_below(struct dentry *name, struct dentry *root)
{
	for (int i = 0; i < PARENTS_MAX && name; i++) {
		struct dentry *parent;

		if (name == root)
			return true;
		parent = BPF_CORE_READ(name, d_parent);
		if (parent == name)
			return false;
		name = parent;
	}
	return false;
}

/* Whatever name our descriptor has: an overlay may know the inode by another one, also by
 * one that has been taken away. */
struct name_search {
	const struct hlist_node *next;
	struct dentry *root;
	bool found;
};

static long visit_name(__u32 i, struct name_search *search)
{
	const struct hlist_node *node = search->next;

	if (!node || search->found)
		return 1;
	search->found = is_below(name_at(node), search->root);
	search->next = BPF_CORE_READ(node, next);
	return 0;
}

static __always_inline bool has_name_below(struct inode *inode, struct dentry *root)
{
	struct name_search search = {
		.next = BPF_CORE_READ(inode, i_dentry.first), .root = root};

	bpf_loop(NAMES_MAX, visit_name, &search, 0);
	return search.found;
}

static __always_inline __u32 space_of(struct mount *mount)
{
	struct mnt_namespace *space = BPF_CORE_READ(mount, mnt_ns);
	__u32 number;

	if (!space || (__s64)space == MNT_NS_INTERNAL)
		return 0;
	number = BPF_CORE_READ(space, ns.inum);
	return number == MNT_NS_ANON_INO ? 0 : number;
}

static __always_inline void tell_mount(struct mount_walk *walk, struct mount *mount)
{
	struct dentry *root = BPF_CORE_READ(mount, mnt.mnt_root);
	struct spg_bpf_keeper out = {
		.inode = (__u64)walk->inode, .object = (__u64)mount};

	if (BPF_CORE_READ(root, d_inode) == walk->inode)
		out.kind = SPG_BPF_KEEP_MOUNT;
	else if ((__s64)BPF_CORE_READ(mount, mnt_ns) == MNT_NS_INTERNAL &&
		 has_name_below(walk->inode, root))
		out.kind = SPG_BPF_KEEP_LAYER;
	else
		return;
	out.space = space_of(mount);
	out.id = BPF_CORE_READ(mount, mnt_id);
	bpf_seq_write(walk->seq, &out, sizeof(out));
}

static __always_inline struct mount *listed_mount(const struct list_head *place)
{
	return (void *)place -
	       bpf_core_field_offset(struct mount___listed, mnt_instance);
}

static long visit_mount(__u32 i, struct mount_walk *walk)
{
	struct mount *mount = walk->next;

	if (!mount)
		return 1;
	tell_mount(walk, mount);
	if (bpf_core_field_exists(struct mount, mnt_next_for_sb)) {
		walk->next = BPF_CORE_READ(mount, mnt_next_for_sb);
	} else {
		struct mount___listed *listed = (void *)mount;
		const struct list_head *next = BPF_CORE_READ(listed, mnt_instance.next);

		walk->next = !next || next == walk->end ? NULL : listed_mount(next);
	}
	return 0;
}

/*
 * Over our own descriptors: by which mounts of its filesystem each target can be seen,
 * in whatever namespace. The list is read without its lock; a change of it meanwhile
 * shows when the references are counted again.
 */
SEC("iter/task_file")
int search_mounts(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct mount_walk walk = {};
	struct super_block *sb;

	if (!ctx->task || !file || !(file->f_mode & FMODE_PATH) ||
		!is_target(file->f_inode))
		return 0;
	sb = file->f_inode->i_sb;
	walk.seq = ctx->meta->seq;
	walk.inode = file->f_inode;
	if (bpf_core_field_exists(struct mount, mnt_next_for_sb)) {
		walk.next = BPF_CORE_READ(sb, s_mounts);
	} else {
		struct super_block___listed *listed = (void *)sb;
		const struct list_head *first = BPF_CORE_READ(listed, s_mounts.next);

		walk.end = (void *)listed +
		           bpf_core_field_offset(struct super_block___listed, s_mounts);
		walk.next = first && first != walk.end ? listed_mount(first) : NULL;
	}
	bpf_loop(MOUNTS_MAX, visit_mount, &walk, 0);
	return 0;
}

/* The uprobes that one event stands for. */
static __always_inline void tell_probes(
	struct seq_file *seq, struct spg_bpf_keeper *out, struct trace_event_call *call)
{
	const struct list_head *head, *place;

	if (!bpf_core_type_exists(struct trace_uprobe) || !call ||
		!(BPF_CORE_READ(call, flags) & TRACE_EVENT_FL_UPROBE))
		return;
	head = (void *)call - bpf_core_field_offset(struct trace_probe_event, call) +
	       bpf_core_field_offset(struct trace_probe_event, probes);
	place = BPF_CORE_READ(head, next);
	for (int i = 0; i < PROBES_MAX && place && place != head; i++) {
		struct trace_uprobe *probe =
			(void *)place - bpf_core_field_offset(struct trace_uprobe, tp) -
			bpf_core_field_offset(struct trace_probe, list);
		struct inode *inode = BPF_CORE_READ(probe, path.dentry, d_inode);

		if (is_target(inode)) {
			out->inode = (__u64)inode;
			out->object = (__u64)probe;
			out->kind = SPG_BPF_KEEP_PROBE;
			bpf_seq_write(seq, out, sizeof(*out));
		}
		place = BPF_CORE_READ(place, next);
	}
}

/* @file: what a descriptor is of; of a link, what the link is to. */
static __always_inline void tell_event(
	struct seq_file *seq, struct spg_bpf_keeper *out, struct file *file)
{
	struct perf_event *event = BPF_CORE_READ(file, private_data);

	tell_probes(seq, out, BPF_CORE_READ(event, tp_event));
}

static __always_inline void tell_link(
	struct seq_file *seq, struct spg_bpf_keeper *out, struct bpf_link *link)
{
	enum bpf_link_type type = BPF_CORE_READ(link, type);

	out->link = BPF_CORE_READ(link, id);

	if (type == BPF_LINK_TYPE_PERF_EVENT &&
		bpf_core_type_exists(struct bpf_perf_link)) {
		struct bpf_perf_link *to_event =
			(void *)link -
			bpf_core_field_offset(struct bpf_perf_link, link);

		tell_event(seq, out, BPF_CORE_READ(to_event, perf_file));
	} else if (type == BPF_LINK_TYPE_UPROBE_MULTI &&
		   bpf_core_type_exists(struct bpf_uprobe_multi_link)) {
		struct bpf_uprobe_multi_link *multi =
			(void *)link -
			bpf_core_field_offset(struct bpf_uprobe_multi_link, link);
		struct inode *inode = BPF_CORE_READ(multi, path.dentry, d_inode);

		if (!is_target(inode))
			return;
		out->inode = (__u64)inode;
		out->object = (__u64)link;
		out->kind = SPG_BPF_KEEP_PROBE;
		bpf_seq_write(seq, out, sizeof(*out));
	}
}

/* What a descriptor of no file is of. */
enum anonymous { ANON_OTHER, ANON_PERF_EVENT, ANON_BPF_LINK };

#define IS_CALLED(name, wanted)                                                        \
	({                                                                             \
		bool is_ = true;                                                       \
		_Pragma("unroll") for (unsigned i_ = 0; i_ < sizeof(wanted); i_++)     \
			is_ = is_ && (name)[i_] == (wanted)[i_];                       \
		is_;                                                                   \
	})

static __always_inline enum anonymous what_is(struct file *file)
{
	char name[16] = {};

	if (file->f_inode->i_sb->s_magic != ANON_MAGIC)
		return ANON_OTHER;
	bpf_probe_read_kernel_str(
		name, sizeof(name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
	if (IS_CALLED(name, "[perf_event]"))
		return ANON_PERF_EVENT;
	/* Older kernels have the second name. */
	return IS_CALLED(name, "bpf_link") || IS_CALLED(name, "bpf-link")
	               ? ANON_BPF_LINK
	               : ANON_OTHER;
}

static __always_inline void tell_anonymous(
	struct seq_file *seq, struct spg_bpf_keeper *out, struct file *file)
{
	switch (what_is(file)) {
	case ANON_PERF_EVENT:
		tell_event(seq, out, file);
		break;
	case ANON_BPF_LINK:
		tell_link(seq, out, file->private_data);
		break;
	case ANON_OTHER:
		break;
	}
}

/* What everybody's descriptors keep without having it open. */
SEC("iter/task_file")
int search_keepers(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct spg_bpf_keeper out = {};

	if (!task || !file)
		return 0;
	out.object = (__u64)file;
	out.tgid = task->tgid;
	if (is_target(file->f_inode)) {
		struct vfsmount *mount = BPF_CORE_READ(file, f_path.mnt);

		if (file->f_mode & (FMODE_READ | FMODE_WRITE))
			return 0;
		out.inode = (__u64)file->f_inode;
		out.kind = SPG_BPF_KEEP_NAME;
		out.mount = (__u64)((void *)mount -
				    bpf_core_field_offset(struct mount, mnt));
		bpf_seq_write(ctx->meta->seq, &out, sizeof(out));
	} else {
		tell_anonymous(ctx->meta->seq, &out, file);
	}
	return 0;
}

/* Over our own descriptors: the probes of the links that we have opened by their numbers,
 * and of the events whose "enable" in tracefs we have opened. */
SEC("iter/task_file")
int search_probes(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct spg_bpf_keeper out = {.id = (__s32)ctx->fd};

	if (!ctx->task || !file)
		return 0;
	if (file->f_inode->i_sb->s_magic == TRACEFS_MAGIC) {
		struct trace_event_file *event =
			BPF_CORE_READ(file, f_inode, i_private);

		tell_probes(ctx->meta->seq, &out, BPF_CORE_READ(event, event_call));
	} else {
		tell_anonymous(ctx->meta->seq, &out, file);
	}
	return 0;
}
