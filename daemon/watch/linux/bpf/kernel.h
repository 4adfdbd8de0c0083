/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#pragma once
/*
 * The few fields of kernel structures that the BPF programs read, for the
 * compiler only. Their places in the running kernel come from its BTF when a
 * program is loaded (CO-RE, "BPF Portability and CO-RE" in libbpf's documents),
 * so neither order nor completeness matters here; names and types do. A name
 * behind "___" is another kernel version's view of the same structure.
 *
 * Included by BPF programs only.
 */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

/* linux/bpf.h (UAPI), which needs types that only it may define. */
enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_ANY = 0, BPF_F_NO_PREALLOC = 1 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };
enum { BPF_RB_AVAIL_DATA = 0 };

/* include/linux/fs.h, include/linux/filelock.h, include/linux/dcache.h and
 * others; these have not changed their values. */
#define FMODE_READ      0x1
#define FMODE_WRITE     0x2
#define FMODE_PATH      0x4000
/* One bit until 6.13, the other since; what else they stand for does no harm. */
#define FMODE_BACKING   0x3000000
#define S_IFMT          0170000
#define S_IFREG         0100000
#define S_APPEND        (1 << 2)
#define S_IMMUTABLE     (1 << 3)
#define S_DEAD          (1 << 4)
#define S_VERITY        (1 << 16)
#define FL_POSIX        1
#define FL_FLOCK        2
#define FL_ACCESS       8
#define FL_LEASE        32
#define FL_SLEEP        128
#define FL_OFDLCK       1024
#define F_RDLCK         0
#define F_UNLCK         2
#define EAGAIN          11
#define OVERLAY_MAGIC   0x794c7630
#define BTRFS_MAGIC     0x9123683e
#define TMPFS_MAGIC     0x01021994
#define RAMFS_MAGIC     0x858458f6
#define ANON_MAGIC      0x09041934
#define TRACEFS_MAGIC   0x74726163
/* Before there was an enum for it. */
#define MOUNTED_FLAG    0x10000
/* An error in place of a mount namespace (fs/mount.h): the mount is the kernel's. */
#define MNT_NS_INTERNAL (-22ll)
/* The number of every namespace of detached mounts since 6.17; 0 before. */
#define MNT_NS_ANON_INO 0xeffffff7u

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	long counter;
} atomic_long_t;

struct list_head {
	struct list_head *next, *prev;
};

struct hlist_bl_node {
	struct hlist_bl_node *next, **pprev;
};

struct hlist_node {
	struct hlist_node *next;
};
struct hlist_head {
	struct hlist_node *first;
};

struct lockref {
	int count; /* within a union */
};

struct qstr {
	__u32 len; /* within a union, on every kernel that has BTF */
	const unsigned char *name;
};

enum dentry_flags { DCACHE_MOUNTED = 1 << 15 };

struct inode;
struct dentry {
	__u32 d_flags;
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	void *d_fsdata;
	struct lockref d_lockref;
	union {
		struct hlist_node d_alias;
	} d_u;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct ns_common {
	__u32 inum;
};
struct mnt_namespace {
	struct ns_common ns;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct mnt_namespace *mnt_ns;
	struct mount *mnt_next_for_sb;
	int mnt_id;
};

/* Before 6.18. */
struct mount___listed {
	struct list_head mnt_instance;
};
struct super_block___listed {
	struct list_head s_mounts;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct super_block {
	__u32 s_dev;
	unsigned long s_magic;
	struct mount *s_mounts;
};

struct rb_root {
	void *rb_node;
};
struct rb_root_cached {
	struct rb_root rb_root;
};

struct address_space {
	struct rb_root_cached i_mmap;
};

struct file_lock_context {
	struct list_head flc_flock, flc_posix, flc_lease;
};

struct inode {
	__u16 i_mode;
	unsigned int i_flags;
	struct super_block *i_sb;
	struct address_space *i_mapping;
	unsigned long i_ino;
	__u32 i_nlink;
	__u32 i_generation;
	struct hlist_head i_dentry; /* within a union */
	atomic_t i_writecount;
	atomic_t i_readcount;
	struct file_lock_context *i_flctx;
	void *i_private;
};

/* Since 6.13 a reference count that is one less than the references. */
typedef struct {
	atomic_long_t refcnt;
} file_ref_t;

struct file {
	file_ref_t f_ref;
	__u32 f_mode;
	void *private_data;
	struct inode *f_inode;
	struct path f_path;
};

/* Until 6.12. */
struct file___counted {
	atomic_long_t f_count;
};

/* The real file below an overlay's knows how its user calls it (since 6.5). */
struct backing_file {
	struct file file;
	struct path user_path;
};

/* fs/overlayfs: since 6.13; before, private_data was the real file itself. */
struct ovl_file {
	struct file *realfile, *upperfile;
};

struct ovl_path {
	struct dentry *dentry;
};

/* fs/overlayfs/ovl_entry.h since 6.4. */
struct ovl_entry {
	unsigned int __numlower;
	struct ovl_path __lowerstack[];
};
struct ovl_inode {
	struct inode vfs_inode;
	struct dentry *__upperdentry;
	struct ovl_entry *oe;
};

/* fs/btrfs. */
struct btrfs_key {
	__u64 objectid;
};
struct btrfs_root {
	struct btrfs_key root_key;
	__u32 anon_dev;
};
struct btrfs_inode {
	struct btrfs_root *root;
	struct inode vfs_inode;
};

/* From 6.0 to 6.3: a file has one lower layer, and one with its data where only metadata
 * was copied up. */
struct ovl_inode___path {
	struct inode *lowerdata;
	struct ovl_path lowerpath;
};

/* What belongs to a name on an overlay, until 6.3. */
struct ovl_entry___name {
	unsigned int numlower;
};

/* Before 6.0. */
struct ovl_inode___flat {
	struct inode *lower, *lowerdata;
};

/* Since 6.9 the common part of locks and leases is a structure of its own. */
struct file_lock_core {
	struct list_head flc_list;             /* of the inode's locks */
	struct list_head flc_blocked_requests; /* who waits for it */
	struct list_head flc_blocked_member;   /* in the list of whom it waits for */
	void *flc_owner;
	__u32 flc_flags;
	__u8 flc_type;
	__s32 flc_pid;
	struct file *flc_file;
};
struct file_lock {
	struct file_lock_core c;
	__s64 fl_start, fl_end;
};
struct file_lease {
	struct file_lock_core c;
};
struct file_lock___flat {
	struct list_head fl_list, fl_blocked_requests, fl_blocked_member;
	void *fl_owner;
	__u32 fl_flags;
	__u8 fl_type;
	__s32 fl_pid;
	struct file *fl_file;
	__s64 fl_start, fl_end;
};

/* lib/maple_tree.c, since 6.1: a tree of ranges. The two kinds of its nodes that have
 * several slots. */
struct maple_metadata {
	unsigned char end; /* the last slot that is used */
};
struct maple_range_64 {
	unsigned long pivot[15];
	void *slot[16]; /* the last one may be the metadata instead */
	struct maple_metadata meta;
};
struct maple_arange_64 {
	void *slot[10];
	struct maple_metadata meta;
};
struct maple_tree {
	void *ma_root;
};

struct mm_struct {
	struct maple_tree mm_mt; /* of struct vm_area_struct */
	struct file *exe_file;
};

struct rb_node {
	struct rb_node *rb_left, *rb_right;
};

struct vm_area_struct {
	unsigned long vm_start, vm_end;
	struct mm_struct *vm_mm;
	struct file *vm_file;
	struct {
		struct rb_node rb; /* in the tree of its file's mappings */
	} shared;
};

/* kernel/trace/trace_probe.h, trace_uprobe.c. */
struct trace_event_call {
	int flags;
};
/* The second bit in 6.1, the first by now; what else they stand for has no path to one of
 * the inodes. */
enum { TRACE_EVENT_FL_UPROBE = 64 | 128 };
struct trace_probe_event {
	struct trace_event_call call;
	struct list_head probes;
};
struct trace_probe {
	struct list_head list;
};
struct trace_uprobe {
	struct path path;
	struct trace_probe tp;
};
struct perf_event {
	struct trace_event_call *tp_event;
};
/* kernel/trace/trace.h: what an event's "enable" in tracefs is for. */
struct trace_event_file {
	struct trace_event_call *event_call;
};

/* include/linux/bpf.h, kernel/bpf/syscall.c; since 6.6 kernel/trace/bpf_trace.c. */
enum bpf_link_type { BPF_LINK_TYPE_PERF_EVENT = 7, BPF_LINK_TYPE_UPROBE_MULTI = 12 };
struct bpf_link {
	__u32 id;
	enum bpf_link_type type;
};
struct bpf_perf_link {
	struct bpf_link link;
	struct file *perf_file;
};
struct bpf_uprobe_multi_link {
	struct path path;
	struct bpf_link link;
};

typedef struct {
	__u32 val;
} kuid_t;

struct cred {
	kuid_t uid, euid;
};

/* The inode of a process's pidfd, since 6.9 (pidfs). */
struct pid {
	__u64 ino;
};

#define SIGNAL_GROUP_EXIT 0x4

struct signal_struct {
	atomic_t live;
	int group_exit_code;
	__u32 flags;
};

struct files_struct {
	atomic_t count; /* threads and processes that share it */
};
struct task_struct {
	__s32 pid, tgid;
	int exit_code;
	struct task_struct *real_parent, *group_leader;
	struct mm_struct *mm;
	struct files_struct *files;
	struct pid *thread_pid;
	struct signal_struct *signal;
	const struct cred *real_cred, *cred;
	__u64 start_boottime, self_exec_id;
	char comm[16];
};

struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};
struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute pop
