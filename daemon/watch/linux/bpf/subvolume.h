/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#pragma once
/*
 * Which subvolume of a btrfs an inode is in: below one superblock inode numbers
 * repeat. Included by BPF programs only, after kernel.h.
 */
static __always_inline __u64 subvolume_of(struct inode *inode)
{
	struct btrfs_inode *btrfs;

	if (!bpf_core_type_exists(struct btrfs_inode) ||
		BPF_CORE_READ(inode, i_sb, s_magic) != BTRFS_MAGIC)
		return 0;
	btrfs = (void *)inode - bpf_core_field_offset(struct btrfs_inode, vfs_inode);
	return BPF_CORE_READ(btrfs, root, root_key.objectid);
}
