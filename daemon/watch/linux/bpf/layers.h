/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#pragma once
/*
 * The inodes below one of overlayfs: what its programs share is the merged one, what they
 * map lies in a layer. Included by BPF programs only, after kernel.h.
 */
#include "daemon/watch/linux/bpf/inode.h"

/* Lower layers of one overlay that are told; the kernel allows 500, and a file is
 * in few of them. */
#define LAYERS_MAX 500

/* Where to tell about the inodes below a descriptor. */
struct teller {
	struct seq_file *seq;
	struct ovl_entry *lower; /* whose layers are being listed */
	__s32 held;              /* names that it holds of a layer's file */
	__s32 fd;
};

static __always_inline struct ovl_inode *overlay_of(struct inode *inode)
{
	return (void *)inode - bpf_core_field_offset(struct ovl_inode, vfs_inode);
}

/* Names of a merged inode, while those are counted that have a lower file. */
struct merged_names {
	const struct hlist_node *next;
	__s32 n;
};

static long count_merged_name(__u32 i, struct merged_names *names)
{
	const struct hlist_node *node = names->next;
	struct ovl_entry___name *entry;
	struct dentry *name;

	if (!node)
		return 1;
	name = name_at(node);
	entry = BPF_CORE_READ(name, d_fsdata);
	if (entry && BPF_CORE_READ(entry, numlower) > 0)
		names->n++;
	names->next = BPF_CORE_READ(node, next);
	return 0;
}

/* Until 6.3 each name on an overlay holds one of the lower file, besides what the inode
 * holds. */
static __always_inline __s32 names_with_lower(struct inode *inode)
{
	struct merged_names names = {.next = BPF_CORE_READ(inode, i_dentry.first)};

	if (bpf_core_field_exists(struct ovl_entry___name, numlower))
		bpf_loop(NAMES_MAX, count_merged_name, &names, 0);
	return names.n;
}

/* Flexible arrays cannot be indexed across kernel versions by the compiler. */
static __always_inline struct inode *lower_inode(struct ovl_entry *lower, __u32 i)
{
	struct dentry *dentry = NULL;
	__u64 at = (__u64)lower +
	           bpf_core_field_offset(struct ovl_entry, __lowerstack) +
	           i * bpf_core_type_size(struct ovl_path) +
	           bpf_core_field_offset(struct ovl_path, dentry);

	bpf_probe_read_kernel(&dentry, sizeof(dentry), (void *)at);
	return BPF_CORE_READ(dentry, d_inode);
}

/* An overlay on an overlay on an overlay: the kernel refuses to mount it. */
static __always_inline void tell_last(struct teller *teller, struct inode *inode)
{
	struct spg_bpf_inode out = {.fd = teller->fd, .held = teller->held};

	if (!inode)
		return;
	describe(&out, inode);
	if (out.flags & SPG_INODE_OVERLAY)
		out.flags |= SPG_INODE_CUT;
	bpf_seq_write(teller->seq, &out, sizeof(out));
}

/* A layer that holds only data is looked up when it is needed (lowerdata). */
static __always_inline void tell_cut(struct teller *teller)
{
	struct spg_bpf_inode out = {.fd = teller->fd, .flags = SPG_INODE_CUT};

	bpf_seq_write(teller->seq, &out, sizeof(out));
}

static long tell_last_lower(__u32 i, struct teller *teller)
{
	struct ovl_entry *lower = teller->lower;
	struct inode *inode;

	if (i >= BPF_CORE_READ(lower, __numlower))
		return 1;
	inode = lower_inode(lower, i);
	if (inode)
		tell_last(teller, inode);
	else
		tell_cut(teller);
	return 0;
}

/*
 * Tell the real inodes directly below @inode, of an overlay, where each is told
 * by @tell_one and the lower ones by @tell_next in a loop. (bpf_loop(): the
 * verifier follows the body once.)
 */
#define TELL_BELOW(teller, inode, tell_one, tell_next)                                 \
	do {                                                                           \
		struct ovl_inode *oi = overlay_of(inode);                              \
                                                                                       \
		tell_one(teller, BPF_CORE_READ(oi, __upperdentry, d_inode));           \
		if (bpf_core_field_exists(struct ovl_inode, oe)) {                     \
			(teller)->lower = BPF_CORE_READ(oi, oe);                       \
			if ((teller)->lower)                                           \
				bpf_loop(LAYERS_MAX, tell_next, teller, 0);            \
		} else if (bpf_core_field_exists(                                      \
				   struct ovl_inode___path, lowerpath)) {              \
			struct ovl_inode___path *path = (void *)oi;                    \
                                                                                       \
			(teller)->held = 1 + names_with_lower(inode);                  \
			tell_one(teller,                                               \
				BPF_CORE_READ(path, lowerpath.dentry, d_inode));       \
			if (bpf_core_field_exists(struct ovl_inode___path, lowerdata)) \
				tell_one(teller, BPF_CORE_READ(path, lowerdata));      \
		} else if (bpf_core_field_exists(struct ovl_inode___flat, lower)) {    \
			struct ovl_inode___flat *flat = (void *)oi;                    \
                                                                                       \
			(teller)->held = names_with_lower(inode);                      \
			tell_one(teller, BPF_CORE_READ(flat, lower));                  \
			if (bpf_core_field_exists(struct ovl_inode___flat, lowerdata)) \
				tell_one(teller, BPF_CORE_READ(flat, lowerdata));      \
		}                                                                      \
	} while (0)

/* True when this kernel's overlayfs is one we know. */
static __always_inline bool knows_overlay(void)
{
	return bpf_core_type_exists(struct ovl_inode) &&
	       (bpf_core_field_exists(struct ovl_inode, oe) ||
		       bpf_core_field_exists(struct ovl_inode___path, lowerpath) ||
		       bpf_core_field_exists(struct ovl_inode___flat, lower));
}

static __always_inline bool tell(struct teller *teller, struct inode *inode)
{
	struct spg_bpf_inode out = {.fd = teller->fd, .held = teller->held};

	if (!inode)
		return false;
	describe(&out, inode);
	if ((out.flags & SPG_INODE_OVERLAY) && !knows_overlay())
		out.flags |= SPG_INODE_CUT;
	bpf_seq_write(teller->seq, &out, sizeof(out));
	return (out.flags & SPG_INODE_OVERLAY) && knows_overlay();
}

static __always_inline void tell_layer(struct teller *teller, struct inode *inode)
{
	struct teller below = {.seq = teller->seq, .fd = teller->fd, .held = 1};

	if (tell(teller, inode))
		TELL_BELOW(&below, inode, tell_last, tell_last_lower);
}

static long tell_lower(__u32 i, struct teller *teller)
{
	struct ovl_entry *lower = teller->lower;
	struct inode *inode;

	if (i >= BPF_CORE_READ(lower, __numlower))
		return 1;
	inode = lower_inode(lower, i);
	if (inode)
		tell_layer(teller, inode);
	else
		tell_cut(teller);
	return 0;
}
