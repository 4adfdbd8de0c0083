/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Questions to the kernel, as iterators (Documentation/bpf/bpf_iterators.rst):
 * nothing is attached to a running path, the cost is the reader's alone.
 *
 *   in_use   what do the counters of these inodes say? Run over the daemon's
 *            own O_PATH descriptors, which hold nothing.
 *   search   who has these inodes open, mapped, or as its executable? Run over
 *            the descriptor tables, address spaces and processes of everybody, or
 *            of some.
 *
 * and, about what has none of them open, by which mounts they can be seen (kept.h). The
 * locks are read in held.h.
 */
#include "daemon/watch/linux/bpf/kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "daemon/watch/linux/bpf/areas.h"
#include "daemon/watch/linux/bpf/held.h"
#include "daemon/watch/linux/bpf/kept.h"
#include "daemon/watch/linux/bpf/layers.h"
#include "daemon/watch/linux/bpf/record.h"
#include "daemon/watch/linux/bpf/subvolume.h"
#include "daemon/watch/linux/bpf/target.h"

/* Mappings of one file that are walked to, and of one process. */
#define MAPPINGS_MAX (1 << 20)

char programs_license[] SEC("license") = "Dual MIT/GPL";

/* Addresses of address spaces that have one of them mapped. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16);
	__type(key, __u64);
	__type(value, __u8);
} memories SEC(".maps");

/* Also report files that have lost their name. */
bool find_deleted;

/* There are memories to look for. */
bool any_memory;

SEC("iter/task_file")
int in_use(struct bpf_iter__task_file *ctx)
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

/* What keeps the open file from going: each descriptor, each mapping, and whatever else
 * has it. */
static __always_inline __s64 references_to(struct file *file)
{
	struct file___counted *counted = (void *)file;

	if (bpf_core_field_exists(struct file, f_ref))
		return BPF_CORE_READ(file, f_ref.refcnt.counter) + 1;
	return BPF_CORE_READ(counted, f_count.counter);
}

/* Before 6.5 it does not show; then it counts as one. */
static __always_inline bool is_backing(struct file *file)
{
	return !bpf_core_type_exists(struct backing_file) ||
	       (BPF_CORE_READ(file, f_mode) & FMODE_BACKING);
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
	hit->backing = is_backing(file);
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
	hit->backing = true;
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

/* Directories above a lost name that were removed too. */
#define GONE_MAX       64

#define NAMES_TOO_LONG (2 * SPG_BPF_NAME)

/* The way up from a name that has been taken away: a removed directory stays where it
 * was as long as something that was in it is in use (fs/dcache.c, __dentry_kill()). (Not
 * in a structure: see @area below.) */
static __u64 way_up; /* the struct dentry whose name comes next */
static __u32 way_length;
static char way_names[2 * SPG_BPF_NAME];

/* Add one name. Returns 1 when its directory has not been removed. */
static long climb(__u32 i, void *unused)
{
	struct dentry *name = (void *)way_up, *parent = BPF_CORE_READ(name, d_parent);
	__u32 at = way_length;
	struct inode *inode;
	long n = -1;

	if (at < SPG_BPF_NAME && BPF_CORE_READ(name, d_name.len) < SPG_BPF_NAME)
		n = bpf_probe_read_kernel_str(&way_names[at & (SPG_BPF_NAME - 1)],
			SPG_BPF_NAME, BPF_CORE_READ(name, d_name.name));
	way_length = n > 0 ? at + (__u32)n : NAMES_TOO_LONG;
	way_up = (__u64)parent;
	inode = BPF_CORE_READ(parent, d_inode);
	return n <= 0 || parent == BPF_CORE_READ(parent, d_parent) ||
	       (inode && !(BPF_CORE_READ(inode, i_flags) & S_DEAD));
}

/* A name that has been taken away (fs/d_path.c: "(deleted)"): what it was. */
static __always_inline void report_name(struct seq_file *seq, struct spg_bpf_hit *hit,
	struct dentry *dentry, bool in_pages)
{
	struct inode *parent;

	if (!dentry || BPF_CORE_READ(dentry, d_hash.pprev) ||
		(in_pages && !is_of_this_page()))
		return;
	hit->parent_gone = BPF_CORE_READ(dentry, d_parent, d_inode, i_nlink) == 0;
	way_up = (__u64)dentry;
	way_length = 0;
	if (bpf_loop(GONE_MAX, climb, NULL, 0) == GONE_MAX)
		way_length = NAMES_TOO_LONG;
	parent = BPF_CORE_READ((struct dentry *)way_up, d_inode);
	hit->parent_ino = BPF_CORE_READ(parent, i_ino);
	hit->parent_sdev = BPF_CORE_READ(parent, i_sb, s_dev);
	hit->parent_dev = stat_device_of(parent);
	if (way_length >= SPG_BPF_NAME)
		way_names[0] = way_length = 0;
	way_names[way_length & (SPG_BPF_NAME - 1)] = 0;
	bpf_probe_read_kernel(hit->name, SPG_BPF_NAME, way_names);
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
	if (!wanted && !overlay && !find_deleted)
		return 0;
	fill(&hit, task, file);
	hit.references--; /* the iterator's own */
	hit.fd = (__s32)ctx->fd;
	hit.kind = SPG_HIT_FD;
	if (wanted)
		bpf_seq_write(ctx->meta->seq, &hit, sizeof(hit));
	if (overlay)
		report_overlay(ctx->meta->seq, &hit, file);
	if (!find_deleted)
		return 0;
	hit.kind = SPG_HIT_DELETED_FD;
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
	hit.backing = is_backing(file);
	bpf_seq_write(walk->seq, &hit, sizeof(hit));
	return 0;
}

/* Over our own descriptors, like the in_use: the mappings of each target. */
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
	if (hit->kind == SPG_HIT_DELETED_MAP)
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
	if (!wanted && !find_deleted)
		return 0;
	fill(hit, walk->task, file);
	hit->kind = wanted ? SPG_HIT_MAPPING : SPG_HIT_DELETED_MAP;
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
	if (find_deleted && !is_target(file->f_inode)) {
		hit.kind = SPG_HIT_DELETED_EXE;
		report_lost(ctx->meta->seq, &hit, file, false);
	}
	return 0;
}
