/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Questions to the kernel, as iterators (Documentation/bpf/bpf_iterators.rst):
 * nothing is attached to a running path, the cost is the reader's alone.
 *
 *   census   what do the counters of these inodes say? Run over the daemon's
 *            own O_PATH descriptors, which hold nothing.
 *   search   who has these inodes open, mapped, or as its executable? Run over
 *            the descriptor tables, address spaces and processes of everybody, or
 *            of some.
 *
 * and, about what has none of them open, by which mounts they can be seen.
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

/* Names of one inode, mounts of one filesystem, and directories above a file that
 * are walked to. */
#define NAMES_MAX    (1 << 16)
#define MOUNTS_MAX   (1 << 20)
#define PARENTS_MAX  256

/* Probes that one event stands for; more are as good as one. */
#define PROBES_MAX   16

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

SEC("iter/task_file")
int census(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct teller teller = {};

	if (!ctx->task || !file || !(file->f_mode & FMODE_PATH))
		return 0;
	teller.seq = ctx->meta->seq;
	teller.fd = (__s32)ctx->fd;
	teller.held = 1; /* by that descriptor */
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
	hit->n_sharing = BPF_CORE_READ(task, files, count.counter);
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
	if (file->f_inode->i_sb->s_magic != OVERLAY_MAGIC)
		return false;
	if (!knows_overlay())
		unknown_type = true;
	return knows_overlay();
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
	hit->parent_dev = stat_device_of(parent);
	hit->name[0] = 0;
	if (BPF_CORE_READ(dentry, d_name.len) < SPG_BPF_NAME)
		bpf_probe_read_kernel_str(
			hit->name, SPG_BPF_NAME, BPF_CORE_READ(dentry, d_name.name));
	bpf_seq_write(seq, hit, sizeof(*hit));
}

/* Names of an inode, while one is looked for that has been taken away. */
struct lost_name {
	const struct hlist_node *next;
	struct dentry *found;
};

static long look_at_name(__u32 i, struct lost_name *names)
{
	const struct hlist_node *node = names->next;
	struct dentry *name;

	if (!node)
		return 1;
	name = name_at(node);
	if (!BPF_CORE_READ(name, d_hash.pprev)) {
		names->found = name;
		return 1;
	}
	names->next = BPF_CORE_READ(node, next);
	return 0;
}

/* NULL: every name that the kernel has of it is in force. */
static __always_inline struct dentry *lost_name_of(struct inode *inode)
{
	struct lost_name names = {.next = BPF_CORE_READ(inode, i_dentry.first)};

	bpf_loop(NAMES_MAX, look_at_name, &names, 0);
	return names.found;
}

/* The real file below an overlay's has two names, and may have lost either. Until 6.6 it
 * knows only the one that the overlay has for it (fs/open.c, open_with_fake_path()). */
static __always_inline void report_lost(
	struct seq_file *seq, struct spg_bpf_hit *hit, struct file *file, bool in_pages)
{
	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFREG)
		return;
	hit->inode = (__u64)BPF_CORE_READ(file, f_inode);
	hit->file = (__u64)file;
	hit->sdev = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
	report_name(seq, hit, BPF_CORE_READ(file, f_path.dentry), in_pages);
	if (BPF_CORE_READ(file, f_path.dentry, d_inode) != BPF_CORE_READ(file, f_inode))
		report_name(
			seq, hit, lost_name_of(BPF_CORE_READ(file, f_inode)), in_pages);
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

/* The process whose memory is walked. */
struct area_walk {
	struct seq_file *seq;
	struct task_struct *task;
};

/* What is being told of it: mappings of one file, one after the other, as one. (Not in the
 * structure: before 6.6 the verifier follows a loop's body once, with what it begins with,
 * and takes out what it has not come by.) */
static struct spg_bpf_hit area;

static __always_inline void tell_area(struct area_walk *walk)
{
	struct spg_bpf_hit *hit = &area;
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
	struct spg_bpf_hit *hit = &area;
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
	area.file = 0;
	area.fd = -1;
	mapping_number = 0;
	bpf_loop(MAPPINGS_MAX, visit_area, &walk, 0);
	tell_area(&walk);
	end_page();
}

/* Tell who each process is, besides. */
bool tell_who;

static __always_inline void report_who(
	struct seq_file *seq, struct spg_bpf_hit *hit, struct task_struct *task)
{
	hit->kind = SPG_HIT_WHO;
	hit->tgid = hit->tid = hit->who.tgid = task->tgid;
	hit->fd = -1;
	hit->who.start_boottime = task->start_boottime;
	hit->who.exec = task->self_exec_id;
	hit->who.uid = BPF_CORE_READ(task, real_cred, euid.val);
	hit->who.ppid = BPF_CORE_READ(task, real_parent, tgid);
	BPF_CORE_READ_INTO(&hit->who.comm, task, comm);
	bpf_seq_write(seq, hit, sizeof(*hit));
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
	if (tell_who && task->pid == task->tgid)
		report_who(ctx->meta->seq, &hit, task);
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

/* --- what keeps an inode that nobody has open ---------------------------------- */

struct mount_walk {
	struct seq_file *seq;
	struct dentry *name;
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
		 is_below(walk->name, root))
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
	walk.name = BPF_CORE_READ(file, f_path.dentry);
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

/* The uprobes that one perf event stands for. */
static __always_inline void tell_probes(
	struct seq_file *seq, struct spg_bpf_keeper *out, struct perf_event *event)
{
	struct trace_event_call *call = BPF_CORE_READ(event, tp_event);
	const struct list_head *head, *place;

	if (!call || !(BPF_CORE_READ(call, flags) & TRACE_EVENT_FL_UPROBE))
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
			out->kind = SPG_BPF_KEEP_PROBE;
			bpf_seq_write(seq, out, sizeof(*out));
		}
		place = BPF_CORE_READ(place, next);
	}
}

static __always_inline bool is_perf_event(struct file *file)
{
	static const char wanted[] = "[perf_event]";
	char name[sizeof(wanted)];

	if (file->f_inode->i_sb->s_magic != ANON_MAGIC)
		return false;
	bpf_probe_read_kernel_str(
		name, sizeof(name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
	for (unsigned i = 0; i < sizeof(wanted); i++)
		if (name[i] != wanted[i])
			return false;
	return true;
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
	} else if (bpf_core_type_exists(struct trace_uprobe) && is_perf_event(file)) {
		tell_probes(ctx->meta->seq, &out, file->private_data);
	}
	return 0;
}
