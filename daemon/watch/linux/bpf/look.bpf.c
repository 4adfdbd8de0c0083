/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Two questions to the kernel, as iterators (Documentation/bpf/bpf_iterators.rst):
 * nothing is attached to a running path, the cost is the reader's alone.
 *
 *   census   what do the counters of these inodes say? Run over the daemon's
 *            own O_PATH descriptors, which hold nothing.
 *   search   who has these inodes open, mapped, or as its executable? Run over
 *            the descriptor tables, address spaces and processes of everybody, or
 *            of some.
 */
#include "daemon/watch/linux/bpf/kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "daemon/watch/linux/bpf/areas.h"
#include "daemon/watch/linux/bpf/record.h"
#include "daemon/watch/linux/bpf/subvolume.h"

/* Lower layers of one overlay that are told; the kernel allows 500, and a file is
 * in few of them. */
#define LAYERS_MAX   500

/* Locks of one inode that are walked to, who waits for them included. */
#define LOCKS_MAX    (1 << 20)

/* Mappings of one file that are walked to, and of one process. */
#define MAPPINGS_MAX (1 << 20)

char programs_license[] SEC("license") = "Dual MIT/GPL";

/* Addresses of the inodes that a search looks for. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 17);
	__type(key, __u64);
	__type(value, __u8);
} targets SEC(".maps");

/* Addresses of address spaces that have one of them mapped. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16);
	__type(key, __u64);
	__type(value, __u8);
} memories SEC(".maps");

/* Also report files that have lost their name. */
bool find_lost;

/* There are memories to look for. */
bool any_memory;

/* SPG_BPF_FILTER_BIT() of every target. */
__u64 filter;
volatile __u64 address;

static __always_inline bool has_any(const struct list_head *head)
{
	const struct list_head *first = BPF_CORE_READ(head, next);

	return first && first != head;
}

static __always_inline void describe(struct spg_bpf_inode *out, struct inode *inode)
{
	struct file_lock_context *locks = BPF_CORE_READ(inode, i_flctx);

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

/*
 * The searches see every open file and every mapping of the machine. What is
 * nobody's business is left after a few loads: no call of a helper, and no look
 * into the table unless a bit says that it may be there.
 */
static __always_inline bool is_target(struct inode *inode)
{
	__u64 key;

	/* The verifier lets nobody compute with a pointer; with a number it does.
	 * Searches run one at a time. */
	address = (__u64)inode;
	key = address;
	return (filter >> SPG_BPF_FILTER_BIT(key) & 1) &&
	       bpf_map_lookup_elem(&targets, &key) != NULL;
}

/* What keeps the open file from going: each descriptor, each mapping, and whatever else
 * has it. */
static __always_inline __s64 references_to(struct file *file)
{
	struct file___counted *counted = (void *)file;

	if (bpf_core_field_exists(struct file, f_ref))
		return BPF_CORE_READ(file, f_ref.refcnt.counter) + 1;
	return BPF_CORE_READ(counted, f_count.counter);
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
	hit->references = references_to(file);
}

static __always_inline bool is_overlay(struct file *file)
{
	return file->f_inode->i_sb->s_magic == OVERLAY_MAGIC;
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
	hit->references = references_to(real);
	bpf_seq_write(seq, hit, sizeof(*hit));
}

struct real_files {
	struct file *at[2];
};

static __always_inline struct real_files real_files_of(struct file *file)
{
	struct real_files real = {};

	if (bpf_core_type_exists(struct ovl_file)) {
		struct ovl_file *of = BPF_CORE_READ(file, private_data);

		real.at[0] = BPF_CORE_READ(of, realfile);
		real.at[1] = BPF_CORE_READ(of, upperfile);
	} else {
		real.at[0] = BPF_CORE_READ(file, private_data);
	}
	return real;
}

static __always_inline void report_overlay(
	struct seq_file *seq, struct spg_bpf_hit *hit, struct file *file)
{
	struct real_files real = real_files_of(file);

	hit->owner = (__u64)file;
	report_real(seq, hit, real.at[0]);
	report_real(seq, hit, real.at[1]);
}

/* Mappings before this one, in the order of the walk, have been told. */
__u32 first_mapping;
__u32 mapping_number;
bool more_mappings; /* some did not fit into this page */

static __always_inline bool is_of_this_page(void)
{
	__u32 number = mapping_number++;

	return number >= first_mapping && number < first_mapping + SPG_BPF_MAPPINGS_MAX;
}

static __always_inline void end_page(void)
{
	if (mapping_number > first_mapping + SPG_BPF_MAPPINGS_MAX)
		more_mappings = true;
}

/* A name that has been taken away (fs/d_path.c: "(deleted)"): what it was. */
static __always_inline void report_name(struct seq_file *seq, struct spg_bpf_hit *hit,
	struct dentry *dentry, bool in_pages)
{
	struct inode *parent;

	if (!dentry || BPF_CORE_READ(dentry, d_hash.pprev) ||
		(in_pages && !is_of_this_page()))
		return;
	parent = BPF_CORE_READ(dentry, d_parent, d_inode);
	hit->parent_ino = BPF_CORE_READ(parent, i_ino);
	hit->parent_sdev = BPF_CORE_READ(parent, i_sb, s_dev);
	hit->parent_gone = BPF_CORE_READ(parent, i_nlink) == 0;
	hit->name[0] = 0;
	if (BPF_CORE_READ(dentry, d_name.len) < SPG_BPF_NAME)
		bpf_probe_read_kernel_str(
			hit->name, SPG_BPF_NAME, BPF_CORE_READ(dentry, d_name.name));
	bpf_seq_write(seq, hit, sizeof(*hit));
}

/* The real file below an overlay's has two names, and may have lost either. */
static __always_inline void report_lost(
	struct seq_file *seq, struct spg_bpf_hit *hit, struct file *file, bool in_pages)
{
	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFREG)
		return;
	hit->inode = (__u64)BPF_CORE_READ(file, f_inode);
	hit->file = (__u64)file;
	hit->sdev = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
	report_name(seq, hit, BPF_CORE_READ(file, f_path.dentry), in_pages);
	if (bpf_core_field_exists(struct backing_file, user_path) &&
		(BPF_CORE_READ(file, f_mode) & FMODE_BACKING)) {
		struct backing_file *backing =
			(void *)file - bpf_core_field_offset(struct backing_file, file);

		report_name(
			seq, hit, BPF_CORE_READ(backing, user_path.dentry), in_pages);
	}
}

SEC("iter/task_file")
int search_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct spg_bpf_hit hit = {};
	bool overlay, wanted;

	if (!task || !file || (file->f_mode & FMODE_PATH))
		return 0;
	wanted = is_target(file->f_inode);
	overlay = is_overlay(file);
	if (!wanted && !overlay && !find_lost)
		return 0;
	fill(&hit, task, file);
	hit.references--; /* the iterator's own */
	hit.fd = (__s32)ctx->fd;
	hit.kind = SPG_HIT_FD;
	if (wanted)
		bpf_seq_write(ctx->meta->seq, &hit, sizeof(hit));
	if (overlay)
		report_overlay(ctx->meta->seq, &hit, file);
	if (!find_lost)
		return 0;
	hit.kind = SPG_HIT_LOST_FD;
	if (!wanted)
		report_lost(ctx->meta->seq, &hit, file, false);
	if (overlay) {
		struct real_files real = real_files_of(file);

		report_lost(ctx->meta->seq, &hit, real.at[0], false);
	}
	return 0;
}

/* The kernel keeps the mappings of a file in a tree (mm/interval_tree.c). It is
 * walked here without its lock: what changes meanwhile shows when the findings are
 * compared with the counters. */
struct tree_walk {
	struct seq_file *seq;
	struct inode *inode;
};

/* Red-black trees of 2^32 nodes are no deeper than twice that; each node leaves one
 * that is still to be seen. */
#define DEPTH_MAX 128
__u32 branch_depth; /* how many are still to be seen; see list_depth below */
__u64 branches[DEPTH_MAX];

static __always_inline void push_branch(struct rb_node *node)
{
	__u32 depth = branch_depth;

	if (!node || depth >= DEPTH_MAX)
		return;
	branches[depth & (DEPTH_MAX - 1)] = (__u64)node;
	branch_depth = depth + 1;
}

static long visit_mapping(__u32 i, struct tree_walk *walk)
{
	struct spg_bpf_hit hit = {.kind = SPG_HIT_MAPPING, .fd = -1, .n_mappings = 1};
	struct vm_area_struct *vma;
	struct rb_node *node;
	__u32 depth = branch_depth;
	struct file *file;

	if (depth == 0)
		return 1;
	branch_depth = depth - 1;
	node = (void *)branches[(depth - 1) & (DEPTH_MAX - 1)];
	push_branch(BPF_CORE_READ(node, rb_left));
	push_branch(BPF_CORE_READ(node, rb_right));
	if (!is_of_this_page())
		return 0;
	vma = (void *)node - bpf_core_field_offset(struct vm_area_struct, shared.rb);
	file = BPF_CORE_READ(vma, vm_file);
	hit.inode = (__u64)walk->inode;
	hit.file = (__u64)file;
	hit.memory = (__u64)BPF_CORE_READ(vma, vm_mm);
	hit.start = BPF_CORE_READ(vma, vm_start);
	hit.end = BPF_CORE_READ(vma, vm_end);
	hit.mode = BPF_CORE_READ(file, f_mode) & (FMODE_READ | FMODE_WRITE);
	hit.references = references_to(file);
	bpf_seq_write(walk->seq, &hit, sizeof(hit));
	return 0;
}

/* Over our own descriptors, like the census: the mappings of each target. */
SEC("iter/task_file")
int search_trees(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct tree_walk walk = {};

	if (!ctx->task || !file || !(file->f_mode & FMODE_PATH) ||
		!is_target(file->f_inode))
		return 0;
	walk.seq = ctx->meta->seq;
	walk.inode = file->f_inode;
	branch_depth = 0;
	mapping_number = 0;
	push_branch(file->f_inode->i_mapping->i_mmap.rb_root.rb_node);
	bpf_loop(MAPPINGS_MAX, visit_mapping, &walk, 0);
	end_page();
	return 0;
}

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
		out.type = BPF_CORE_READ(typed, c.flc_type);
		out.tgid = BPF_CORE_READ(typed, c.flc_pid);
		out.start = BPF_CORE_READ(typed, fl_start);
		out.end = BPF_CORE_READ(typed, fl_end);
	} else {
		struct file_lock___flat *flat = (void *)lock;

		flags = BPF_CORE_READ(flat, fl_flags);
		out.owner = (__u64)BPF_CORE_READ(flat, fl_owner);
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

/* Over our own descriptors, like the census: the locks of each target. */
SEC("iter/task_file")
int read_locks(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct file_lock_context *locks;
	struct lock_walk walk = {};

	if (!ctx->task || !file || !(file->f_mode & FMODE_PATH) ||
		!is_target(file->f_inode))
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

/* Look through the memory of every process, besides. */
bool walk_memory;

/* The process whose memory is walked, and what is being told of it: mappings of one file,
 * one after the other, as one. */
struct area_walk {
	struct seq_file *seq;
	struct task_struct *task;
	struct spg_bpf_hit hit;
};

static __always_inline void tell_area(struct area_walk *walk)
{
	struct spg_bpf_hit *hit = &walk->hit;
	struct file *file = (void *)hit->file;

	if (!file)
		return;
	if (hit->kind == SPG_HIT_LOST_MAP)
		report_lost(walk->seq, hit, file, true);
	else if (is_of_this_page())
		bpf_seq_write(walk->seq, hit, sizeof(*hit));
	hit->file = 0;
}

static long visit_area(__u32 i, struct area_walk *walk)
{
	struct spg_bpf_hit *hit = &walk->hit;
	struct vm_area_struct *vma;
	struct file *file;
	bool wanted;
	__u64 inode;

	if (!next_area(&vma))
		return 1;
	if (!vma)
		return 0;
	file = BPF_CORE_READ(vma, vm_file);
	if (file && (__u64)file == hit->file) {
		hit->n_mappings++;
		return 0;
	}
	tell_area(walk);
	if (!file)
		return 0;
	inode = (__u64)BPF_CORE_READ(file, f_inode);
	wanted = (filter >> SPG_BPF_FILTER_BIT(inode) & 1) &&
	         bpf_map_lookup_elem(&targets, &inode);
	if (!wanted && !find_lost)
		return 0;
	fill(hit, walk->task, file);
	hit->kind = wanted ? SPG_HIT_MAPPING : SPG_HIT_LOST_MAP;
	hit->n_mappings = 1;
	hit->start = BPF_CORE_READ(vma, vm_start);
	hit->end = BPF_CORE_READ(vma, vm_end);
	return 0;
}

/* Threads share their memory: one of them is enough, and the leader may have gone. */
static __always_inline bool has_memory_of_its_own(struct task_struct *task)
{
	return task->pid == task->tgid ||
	       BPF_CORE_READ(task, group_leader, mm) != task->mm;
}

static __always_inline void walk_areas(struct seq_file *seq, struct task_struct *task)
{
	struct area_walk walk = {.seq = seq, .task = task};

	enter_tree(&BPF_CORE_READ(task, mm)->mm_mt);
	mapping_number = 0;
	bpf_loop(MAPPINGS_MAX, visit_area, &walk, 0);
	tell_area(&walk);
	end_page();
}

SEC("iter/task")
int search_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct spg_bpf_hit hit = {};
	struct mm_struct *mm;
	struct file *file;

	if (!task)
		return 0;
	mm = task->mm;
	if (!mm)
		return 0;
	address = (__u64)mm;
	if (any_memory) {
		__u64 key = address;

		if (bpf_map_lookup_elem(&memories, &key)) {
			hit.kind = SPG_HIT_MEMORY;
			hit.memory = key;
			hit.table = (__u64)task->files;
			hit.tgid = task->tgid;
			hit.tid = task->pid;
			hit.fd = -1;
			bpf_seq_write(ctx->meta->seq, &hit, sizeof(hit));
		}
	}
	if (walk_memory && has_memory_of_its_own(task))
		walk_areas(ctx->meta->seq, task);
	/* The rest was told with the first page. */
	if (first_mapping > 0)
		return 0;
	file = mm->exe_file;
	if (!file)
		return 0;
	fill(&hit, task, file);
	hit.kind = SPG_HIT_EXE;
	if (is_target(file->f_inode))
		bpf_seq_write(ctx->meta->seq, &hit, sizeof(hit));
	if (is_overlay(file))
		report_overlay(ctx->meta->seq, &hit, file);
	if (find_lost && !is_target(file->f_inode)) {
		hit.kind = SPG_HIT_LOST_EXE;
		report_lost(ctx->meta->seq, &hit, file, false);
	}
	return 0;
}
