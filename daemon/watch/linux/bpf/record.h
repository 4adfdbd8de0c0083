/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#pragma once
/*
 * What the BPF programs hand to user space: plain records of fixed layout,
 * included by both sides. Pointers are kernel addresses used as names only;
 * they never leave the daemon.
 */
#ifndef __bpf__
#include <linux/types.h>
#endif

#define SPG_BPF_COMM 16

/* What names an inode for as long as its filesystem is mounted. */
struct spg_bpf_inode_key {
	__u64 ino;
	__u64 subvolume; /* of btrfs, where numbers repeat; else 0 */
	__u32 sdev; /* of the superblock, as the kernel encodes it (20 bits minor) */
	__u32 generation; /* another one when the number is used again */
};

/* --- look.bpf.c: in-use probe ------------------------------------------------ */

#define SPG_INODE_MAPPED  0x1  /* somebody maps it */
#define SPG_INODE_FLOCK   0x2  /* somebody holds a flock(2) lock */
#define SPG_INODE_POSIX   0x4  /* ... a POSIX or OFD lock */
#define SPG_INODE_LEASE   0x8  /* ... a lease */
#define SPG_INODE_OVERLAY 0x10 /* a merged inode of overlayfs: more follow */
#define SPG_INODE_CUT     0x20 /* what lies below it could not be listed */
#define SPG_INODE_COVERED 0x40 /* something is mounted on one of its names */
/* The kernel is one before 6.5: who opens a layer's file through the overlay holds the
 * merged name only (fs/open.c, open_with_fake_path()), and the overlay may hold a name in
 * a layer more than once. */
#define SPG_INODE_FAKED   0x80

#define SPG_INODE_SEALED  0x100 /* immutable, append only, or of fs-verity */

/* Nobody can count the references in this kernel. */
#define SPG_BPF_UNCOUNTED (-1)

/* One inode behind an O_PATH descriptor of our own; of an overlay the merged
 * one first and then every real one below it. */
struct spg_bpf_inode {
	__u64 inode; /* its address: its name in a search */
	struct spg_bpf_inode_key key;
	__s32 fd;      /* the descriptor of ours */
	__s32 readers; /* struct files open for reading only */
	__s32 writers; /* open for writing; below 0: processes that execute it */
	__u32 flags;   /* SPG_INODE_* */
	__u32 n_links;
	/* References to its names in the kernel's memory (struct dentry, d_lockref)
	 * beyond those that a filesystem in memory needs: each open file holds one, so
	 * does each descriptor of ours, and whoever keeps it otherwise. */
	__s32 names;
	__s32 held; /* of those: by the descriptor, or by the overlay above it */
};

/* --- look.bpf.c: search ------------------------------------------------ */

/* Which of 64 bits stands for an inode at address @a. */
#define SPG_BPF_FILTER_BIT(a) (((a) >> 6 ^ (a) >> 12 ^ (a) >> 18) & 63)

enum spg_bpf_hit_kind {
	/* A descriptor is open on one of the inodes; or on a file of an overlay
	 * whose real file below is: then @file is that one. */
	SPG_HIT_FD,
	SPG_HIT_MAPPING,     /* mapped */
	SPG_HIT_EXE,         /* main executable, or the real file below it */
	SPG_HIT_MEMORY,      /* a process has one of the address spaces */
	SPG_HIT_DELETED_FD,  /* a descriptor of a regular file without a name */
	SPG_HIT_DELETED_MAP, /* a mapping of one */
	SPG_HIT_DELETED_EXE, /* an executable that is one */
	SPG_HIT_WHO,         /* a process that was to be looked at */
};

#define SPG_BPF_NAME         128

/* Mappings of one file, or of one process, that fit into an iterator's buffer. */
#define SPG_BPF_MAPPINGS_MAX 100

/* A process as the kernel itself has it: what differs from another time is another
 * process, or another program in it. */
struct spg_bpf_who {
	__u64 start_boottime; /* ns since boot */
	__u64 exec;           /* counts up with each execve(2) */
	__u32 uid;            /* effective */
	__s32 ppid, tgid;
	__u32 reserved;
	char comm[SPG_BPF_COMM];
};

struct spg_bpf_hit {
	__u64 inode; /* its address; 0 in a SPG_HIT_MEMORY or SPG_HIT_WHO */
	__u64 file;  /* the struct file's */
	__u64 owner; /* of an overlay's real file: the merged one that has it; or 0 */
	__u64 table; /* the descriptor table's: who shares it shares POSIX locks */
	__u32 n_sharing; /* that table: threads and processes */
	__u32 backing; /* @file is an overlay's own for one of its files (since 6.5) */
	__u64 memory;  /* the address space's */
	__u64 start, end; /* of a mapping, the first of several */
	__s64 references; /* to @file, the search's own left out */
	__u32 kind;
	__u32 n_mappings; /* of @file, one after the other in that address space */
	__s32 tgid, tid;  /* in the first pid namespace */
	__s32 fd;
	__u32 mode; /* FMODE_READ 1, FMODE_WRITE 2 */
	__u32 sdev; /* as in struct spg_bpf_inode_key */
	union {
		/* Of one that has lost its name: what that was ("": too long to tell),
		 * then the names of the directories above it that were removed too,
		 * each ended by a zero, and an empty one; and the inode of the first
		 * directory that was not. @parent_dev: as stat(2) reports it, which is
		 * another one than the superblock's where the subvolume is known. */
		struct {
			__u32 parent_sdev, parent_dev;
			__u32 parent_gone; /* its own directory was removed */
			__u64 parent_ino;
			char name[SPG_BPF_NAME];
		};
		struct spg_bpf_who who; /* of a SPG_HIT_WHO */
	};
};

/* --- look.bpf.c: keepers ----------------------------------------------- */

enum spg_bpf_keeper_kind {
	SPG_BPF_KEEP_MOUNT, /* a mount whose root is the file itself */
	/* A mount of the kernel's own, mostly of an overlay's layer, whose root is
	 * above the file. It keeps the file only if the overlay has looked it up. */
	SPG_BPF_KEEP_LAYER,
	SPG_BPF_KEEP_NAME,  /* a descriptor that only names it (O_PATH) */
	SPG_BPF_KEEP_PROBE, /* a uprobe in it */
};

/* What keeps one of the inodes without having it open. */
struct spg_bpf_keeper {
	__u64 inode;  /* its address */
	__u64 object; /* the struct mount's, the struct file's, or, of a probe, what has
	               * its own reference to the file's name */
	__u64 mount;  /* of a KEEP_NAME: the mount that it was opened through */
	__u32 kind;
	__u32 space; /* of mounts: the number of the namespace; 0: in none of its own */
	__u32 link;  /* of probes: the number of the BPF link; 0: of none */
	__u32 reserved;
	__s32 id; /* of mounts: as in mountinfo; else our own descriptor, if @tgid is 0 */
	__s32 tgid; /* of others' descriptors */
};

/* --- look.bpf.c: locks ------------------------------------------------- */

/* A lock on one of the inodes, or somebody's waiting for one. */
struct spg_bpf_held {
	__u64 inode;      /* its address */
	__u64 owner;      /* as in struct spg_bpf_lock */
	__u64 file;       /* the struct file that it was asked for by */
	__s64 start, end; /* bytes, both included */
	__u32 number;     /* in the order of the lists */
	__s32 tgid;       /* who asked for it, in the first pid namespace */
	__u8 kind;        /* enum spg_bpf_lock_kind */
	__u8 type;        /* F_RDLCK 0, F_WRLCK 1 */
	__u8 waits;
	__u8 reserved[5];
};

/* Records of one inode that fit into an iterator's buffer. */
#define SPG_BPF_HELD_MAX       400

/* --- trace.bpf.c: locks ------------------------------------------------ */

/* Which of the bits of a filter stands for inode number @ino. */
#define SPG_BPF_INODE_BITS     65536
#define SPG_BPF_INODE_BIT(ino) (((ino) ^ (ino) >> 16) & (SPG_BPF_INODE_BITS - 1))

/* With the numbers of enum spg_lock_kind, which BPF programs cannot include. */
enum spg_bpf_lock_kind {
	SPG_BPF_FLOCK,
	SPG_BPF_POSIX,
	SPG_BPF_OFD,
	SPG_BPF_LEASE,
};

/* One call of a lock function on a watched inode. */
struct spg_bpf_lock {
	__u64 at_ns; /* CLOCK_MONOTONIC */
	__u64 owner; /* what the lock belongs to: a descriptor table (POSIX), else a
	                struct file */
	__u64 key;   /* the pidfs inode of the process that called; 0 unknown */
	__s64 start, end; /* bytes, both included */
	__u32 slot;       /* as told to spg_trace_watch() */
	__s32 tgid;       /* of the caller, in the first pid namespace */
	__s32 result;     /* 0; 1: it waits; below 0: minus errno */
	__u8 kind;
	__u8 type; /* F_RDLCK 0, F_WRLCK 1, F_UNLCK 2 */
	__u8 reserved[2];
};

/* --- trace.bpf.c: processes -------------------------------------------- */

/* Longer paths lose their beginning. */
#define SPG_BPF_EXE_MAX 256

struct spg_bpf_process {
	__u64 start_boottime; /* ns since boot */
	__u64 key;            /* the pidfs inode; 0 before Linux 6.9 */
	__u32 uid;            /* effective */
	__s32 ppid;
	__u32 exe_at;    /* where the path begins in @exe; it ends at the end */
	__u32 exe_whole; /* 0: its beginning did not fit, or could not be read */
	__u32 ended;
	__u32 wait_status; /* then: as wait(2) has it */
	char comm[SPG_BPF_COMM];
	char exe[2 * SPG_BPF_EXE_MAX];
};
