/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#pragma once
/*
 * Which subvolume of a btrfs an inode is in: below one superblock inode numbers
 * repeat. Included by BPF programs only, after kernel.h.
 */
/* An inode was met whose filesystem's types were not known when this was loaded. */
bool unknown_type;

static __always_inline struct btrfs_root *btrfs_root_of(struct inode *inode)
{
	struct btrfs_inode *btrfs;

	if (BPF_CORE_READ(inode, i_sb, s_magic) != BTRFS_MAGIC)
		return NULL;
	if (!bpf_core_type_exists(struct btrfs_inode)) {
		unknown_type = true;
		return NULL;
	}
	btrfs = (void *)inode - bpf_core_field_offset(struct btrfs_inode, vfs_inode);
	return BPF_CORE_READ(btrfs, root);
}

static __always_inline __u64 subvolume_of(struct inode *inode)
{
	struct btrfs_root *root = btrfs_root_of(inode);

	return root ? BPF_CORE_READ(root, root_key.objectid) : 0;
}

/* The device by which stat(2) tells the subvolumes apart (fs/btrfs/inode.c,
 * btrfs_getattr()); of all other filesystems the superblock's. */
static __always_inline __u32 stat_device_of(struct inode *inode)
{
	struct btrfs_root *root = btrfs_root_of(inode);

	return root ? BPF_CORE_READ(root, anon_dev) : BPF_CORE_READ(inode, i_sb, s_dev);
}
