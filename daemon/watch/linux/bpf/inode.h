/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#pragma once
/*
 * What the kernel counts of an inode: who has it open, its locks, and the references to
 * its names. Included by BPF programs only, after kernel.h.
 */
#include "daemon/watch/linux/bpf/record.h"
#include "daemon/watch/linux/bpf/subvolume.h"

/* Names of one inode that are walked to. */
#define NAMES_MAX (1 << 16)

static __always_inline bool has_any(const struct list_head *head)
{
	const struct list_head *first = BPF_CORE_READ(head, next);

	return first && first != head;
}

static __always_inline struct dentry *name_at(const struct hlist_node *node)
{
	return (void *)node - bpf_core_field_offset(struct dentry, d_u.d_alias);
}

/* The inode's names in memory, while they are counted. */
struct names {
	const struct hlist_node *next;
	__s32 n;
	bool pinned; /* each that has not been taken away holds itself */
	bool covered;
};

static __always_inline __u32 mounted_flag(void)
{
	return bpf_core_enum_value_exists(enum dentry_flags, DCACHE_MOUNTED)
	               ? bpf_core_enum_value(enum dentry_flags, DCACHE_MOUNTED)
	               : MOUNTED_FLAG;
}

static __always_inline void count_name(struct names *names)
{
	const struct hlist_node *node = names->next;
	struct dentry *name = name_at(node);
	int n = BPF_CORE_READ(name, d_lockref.count);

	if (n > 0)
		names->n += n;
	if (names->pinned && n > 0 && BPF_CORE_READ(name, d_hash.pprev))
		names->n--;
	if (BPF_CORE_READ(name, d_flags) & mounted_flag())
		names->covered = true;
	names->next = BPF_CORE_READ(node, next);
}

static long count_next_name(__u32 i, struct names *names)
{
	if (!names->next)
		return 1;
	count_name(names);
	return 0;
}

/*
 * Whoever keeps an inode that can be seen by others keeps one of its names: an open
 * file, a mount, a layer of an overlay, a uprobe (which has a path from the moment it
 * is defined), a walk along a path. (tests/system/test_keepers.py)
 */
static __always_inline void count_names(
	struct spg_bpf_inode *out, struct inode *inode, unsigned long magic)
{
	struct names names = {.pinned = magic == TMPFS_MAGIC || magic == RAMFS_MAGIC};

	if (!bpf_core_field_exists(struct dentry, d_lockref.count) ||
		!bpf_core_field_exists(struct dentry, d_u.d_alias) ||
		!bpf_core_field_exists(struct inode, i_dentry)) {
		out->names = SPG_BPF_UNCOUNTED;
		return;
	}
	names.next = BPF_CORE_READ(inode, i_dentry.first);
	if (names.next)
		count_name(&names);
	if (names.next)
		bpf_loop(NAMES_MAX, count_next_name, &names, 0);
	out->names = names.n;
	if (names.covered)
		out->flags |= SPG_INODE_COVERED;
}

static __always_inline void describe(struct spg_bpf_inode *out, struct inode *inode)
{
	struct file_lock_context *locks = BPF_CORE_READ(inode, i_flctx);
	unsigned long magic = BPF_CORE_READ(inode, i_sb, s_magic);

	out->inode = (__u64)inode;
	out->key.ino = BPF_CORE_READ(inode, i_ino);
	out->key.sdev = BPF_CORE_READ(inode, i_sb, s_dev);
	out->key.subvolume = subvolume_of(inode);
	out->key.generation = BPF_CORE_READ(inode, i_generation);
	out->readers = BPF_CORE_READ(inode, i_readcount.counter);
	out->writers = BPF_CORE_READ(inode, i_writecount.counter);
	out->n_links = BPF_CORE_READ(inode, i_nlink);
	out->flags = 0;
	if (BPF_CORE_READ(inode, i_mapping, i_mmap.rb_root.rb_node))
		out->flags |= SPG_INODE_MAPPED;
	if (magic == OVERLAY_MAGIC)
		out->flags |= SPG_INODE_OVERLAY;
	if (BPF_CORE_READ(inode, i_flags) & (S_IMMUTABLE | S_APPEND | S_VERITY))
		out->flags |= SPG_INODE_SEALED;
	if (!bpf_core_type_exists(struct backing_file))
		out->flags |= SPG_INODE_FAKED;
	count_names(out, inode, magic);
	if (!locks)
		return;
	if (has_any(&locks->flc_flock))
		out->flags |= SPG_INODE_FLOCK;
	if (has_any(&locks->flc_posix))
		out->flags |= SPG_INODE_POSIX;
	if (has_any(&locks->flc_lease))
		out->flags |= SPG_INODE_LEASE;
}
