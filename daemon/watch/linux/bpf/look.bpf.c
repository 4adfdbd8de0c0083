/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Two questions to the kernel, as iterators (Documentation/bpf/bpf_iterators.rst):
 * nothing is attached to a running path, the cost is the reader's alone.
 *
 *   census   what do the counters of these inodes say? Run over the daemon's
 *            own O_PATH descriptors, which hold nothing.
 *   search   who has these inodes open, mapped, or as its executable? Run over
 *            the descriptor tables, address spaces and processes of everybody.
 */
#include "daemon/watch/linux/bpf/kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "daemon/watch/linux/bpf/record.h"

/* Lower layers of one overlay that are told; the kernel allows 500, and a file is
 * in few of them. */
#define LAYERS_MAX 500

char programs_license[] SEC("license") = "Dual MIT/GPL";

/* Addresses of the inodes that a search looks for. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 17);
	__type(key, __u64);
	__type(value, __u8);
} targets SEC(".maps");

/* Also report files that have lost their name. */
bool find_lost;

static __always_inline bool has_any(const struct list_head *head)
{
	const struct list_head *first = BPF_CORE_READ(head, next);

	return first && first != head;
}

static __always_inline void describe(struct spg_bpf_inode *out, struct inode *inode)
{
	struct file_lock_context *locks = BPF_CORE_READ(inode, i_flctx);

	out->inode = (__u64)inode;
	out->ino = BPF_CORE_READ(inode, i_ino);
	out->sdev = BPF_CORE_READ(inode, i_sb, s_dev);
	out->generation = BPF_CORE_READ(inode, i_generation);
	out->readers = BPF_CORE_READ(inode, i_readcount.counter);
	out->writers = BPF_CORE_READ(inode, i_writecount.counter);
	out->n_links = BPF_CORE_READ(inode, i_nlink);
	out->flags = 0;
	if (BPF_CORE_READ(inode, i_mapping, i_mmap.rb_root.rb_node))
		out->flags |= SPG_INODE_MAPPED;
	if (BPF_CORE_READ(inode, i_sb, s_magic) == OVERLAY_MAGIC)
		out->flags |= SPG_INODE_OVERLAY;
	if (!locks)
		return;
	if (has_any(&locks->flc_flock))
		out->flags |= SPG_INODE_FLOCK;
	if (has_any(&locks->flc_posix))
		out->flags |= SPG_INODE_POSIX;
	if (has_any(&locks->flc_lease))
		out->flags |= SPG_INODE_LEASE;
}

/* Where to tell about the inodes below a descriptor. */
struct teller {
	struct seq_file *seq;
	struct ovl_entry *lower; /* whose layers are being listed */
	__s32 fd;
};

static __always_inline struct ovl_inode *overlay_of(struct inode *inode)
{
	return (void *)inode - bpf_core_field_offset(struct ovl_inode, vfs_inode);
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
	struct spg_bpf_inode out = {.fd = teller->fd};

	if (!inode)
		return;
	describe(&out, inode);
	if (out.flags & SPG_INODE_OVERLAY)
		out.flags |= SPG_INODE_CUT;
	bpf_seq_write(teller->seq, &out, sizeof(out));
}

static long tell_last_lower(__u32 i, struct teller *teller)
{
	struct ovl_entry *lower = teller->lower;

	if (i >= BPF_CORE_READ(lower, __numlower))
		return 1;
	tell_last(teller, lower_inode(lower, i));
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
		} else if (bpf_core_field_exists(struct ovl_inode___flat, lower)) {    \
			struct ovl_inode___flat *flat = (void *)oi;                    \
                                                                                       \
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
		       bpf_core_field_exists(struct ovl_inode___flat, lower));
}

static __always_inline bool tell(struct teller *teller, struct inode *inode)
{
	struct spg_bpf_inode out = {.fd = teller->fd};

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
	struct teller below = {.seq = teller->seq, .fd = teller->fd};

	if (tell(teller, inode))
		TELL_BELOW(&below, inode, tell_last, tell_last_lower);
}

static long tell_lower(__u32 i, struct teller *teller)
{
	struct ovl_entry *lower = teller->lower;

	if (i >= BPF_CORE_READ(lower, __numlower))
		return 1;
	tell_layer(teller, lower_inode(lower, i));
	return 0;
}

SEC("iter/task_file")
int census(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct teller teller = {};

	if (!ctx->task || !file || !(file->f_mode & FMODE_PATH))
		return 0;
	teller.seq = ctx->meta->seq;
	teller.fd = (__s32)ctx->fd;
	if (tell(&teller, file->f_inode))
		TELL_BELOW(&teller, file->f_inode, tell_layer, tell_lower);
	return 0;
}

static __always_inline bool is_target(struct inode *inode)
{
	__u64 key = (__u64)inode;

	return bpf_map_lookup_elem(&targets, &key) != NULL;
}

/* A regular file whose name has been taken away (fs/d_path.c: "(deleted)"). */
static __always_inline bool is_lost(struct file *file)
{
	return find_lost &&
	       (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) == S_IFREG &&
	       !BPF_CORE_READ(file, f_path.dentry, d_hash.pprev);
}

static __always_inline void fill(
	struct spg_bpf_hit *hit, struct task_struct *task, struct file *file)
{
	hit->inode = (__u64)BPF_CORE_READ(file, f_inode);
	hit->file = (__u64)file;
	hit->table = (__u64)task->files;
	hit->memory = (__u64)task->mm;
	hit->tgid = task->tgid;
	hit->tid = task->pid;
	hit->fd = -1;
	hit->mode = BPF_CORE_READ(file, f_mode) & (FMODE_READ | FMODE_WRITE);
	hit->sdev = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
}

static __always_inline bool is_overlay(struct file *file)
{
	return BPF_CORE_READ(file, f_inode, i_sb, s_magic) == OVERLAY_MAGIC;
}

/* The real files that an open file of an overlay keeps, whichever overlay. */
static __always_inline void report_real(
	struct seq_file *seq, struct spg_bpf_hit *hit, struct file *real)
{
	if (!real || !is_target(BPF_CORE_READ(real, f_inode)))
		return;
	hit->inode = (__u64)BPF_CORE_READ(real, f_inode);
	hit->file = (__u64)real;
	hit->mode = BPF_CORE_READ(real, f_mode) & (FMODE_READ | FMODE_WRITE);
	bpf_seq_write(seq, hit, sizeof(*hit));
}

static __always_inline void report_overlay(
	struct seq_file *seq, struct spg_bpf_hit *hit, struct file *file)
{
	if (bpf_core_type_exists(struct ovl_file)) {
		struct ovl_file *of = BPF_CORE_READ(file, private_data);

		report_real(seq, hit, BPF_CORE_READ(of, realfile));
		report_real(seq, hit, BPF_CORE_READ(of, upperfile));
	} else {
		report_real(seq, hit, BPF_CORE_READ(file, private_data));
	}
}

SEC("iter/task_file")
int search_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct spg_bpf_hit hit = {};
	bool wanted, overlay;

	if (!task || !file || (file->f_mode & FMODE_PATH))
		return 0;
	wanted = is_target(file->f_inode);
	overlay = is_overlay(file);
	if (!wanted && !overlay && !is_lost(file))
		return 0;
	fill(&hit, task, file);
	hit.fd = (__s32)ctx->fd;
	hit.kind = SPG_HIT_FD;
	if (overlay)
		report_overlay(ctx->meta->seq, &hit, file);
	if (!wanted && !is_lost(file))
		return 0;
	hit.inode = (__u64)file->f_inode;
	hit.file = (__u64)file;
	hit.mode = file->f_mode & (FMODE_READ | FMODE_WRITE);
	if (!wanted)
		hit.kind = SPG_HIT_LOST_FD;
	bpf_seq_write(ctx->meta->seq, &hit, sizeof(hit));
	return 0;
}

SEC("iter/task_vma")
int search_mappings(struct bpf_iter__task_vma *ctx)
{
	struct task_struct *task = ctx->task;
	struct vm_area_struct *vma = ctx->vma;
	struct spg_bpf_hit hit = {};
	struct file *file;
	bool wanted;

	if (!task || !vma)
		return 0;
	file = vma->vm_file;
	if (!file)
		return 0;
	wanted = is_target(file->f_inode);
	if (!wanted && !is_lost(file))
		return 0;
	fill(&hit, task, file);
	hit.kind = wanted ? SPG_HIT_MAPPING : SPG_HIT_LOST_MAP;
	hit.start = vma->vm_start;
	hit.end = vma->vm_end;
	bpf_seq_write(ctx->meta->seq, &hit, sizeof(hit));
	return 0;
}

SEC("iter/task")
int search_executables(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct spg_bpf_hit hit = {};
	struct file *file;

	if (!task)
		return 0;
	file = BPF_CORE_READ(task, mm, exe_file);
	if (!file)
		return 0;
	fill(&hit, task, file);
	hit.kind = SPG_HIT_EXE;
	if (is_target(BPF_CORE_READ(file, f_inode)))
		bpf_seq_write(ctx->meta->seq, &hit, sizeof(hit));
	if (is_overlay(file))
		report_overlay(ctx->meta->seq, &hit, file);
	return 0;
}
