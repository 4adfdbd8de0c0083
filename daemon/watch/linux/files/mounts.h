/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Which filesystem a path lies on, found in /proc/self/mountinfo by the path's
 * text alone: asking the filesystem itself could hang for ever when it is a
 * network share whose server is gone. Worker  thread.
 *
 * (proc_pid_mountinfo(5). The device there is the superblock's, as in
 * /proc/PID/maps and /proc/locks; stat(2) may report another one on btrfs and
 * overlayfs.)
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum spg_fs_class {
	SPG_FS_LOCAL,   /* the kernel knows every user */
	SPG_FS_OVERLAY, /* local, and the real files lie below */
	SPG_FS_FOREIGN, /* remote or in user space: may hang, has users elsewhere */
};

struct spg_mount {
	int id, parent; /* as the table numbers them */
	char *path;     /* mount point, unescaped */
	char *type;     /* "ext4", "overlay", "fuse.sshfs" */
	char *options; /* of the superblock, escaped: overlayfs names its layers there */
	char *root;    /* the part of the filesystem that is mounted */
	char *source;  /* "/dev/sdb1", or any word */
	bool read_only;    /* this mount */
	bool fs_read_only; /* the filesystem, wherever it is mounted */
	uint64_t dev;      /* the superblock's, as makedev(3) */
	enum spg_fs_class class;
};

struct spg_mounts;

/**
 * Read one line of a mountinfo table, which is overwritten. Returns 0 and *ret, which
 * spg_mount_finish() releases; SPG_ERR_INVALID when it is none; or SPG_ERR_NOMEM.
 */
int spg_mount_parse(char *line, struct spg_mount *ret);
void spg_mount_finish(struct spg_mount *mount);

/** Put back, in place, the bytes that tables of the kernel write as \ooo: blanks, tabs,
 * line breaks, backslashes. */
void spg_mount_unescape(char *text);

/** Read the table. NULL: out of memory, or /proc is not there (logged). */
struct spg_mounts *spg_mounts_create(void);

/**
 * The mounts of the process that started this one, unless they are this one's own: a
 * service manager can give a service a namespace in which more is read-only than
 * elsewhere (systemd.exec(5), ProtectSystem=). Returns 0 and *ret, NULL for its own;
 * SPG_ERR_DENIED when that cannot be told; or another negative spg_err.
 */
int spg_mounts_create_of_parent(struct spg_mounts **ret);

/**
 * The mounts below the root of process @pid. Returns 0 and *ret; SPG_ERR_UNSUPPORTED when
 * that is no mount point, so that nobody says of what class its filesystem is; or another
 * negative spg_err.
 */
int spg_mounts_create_of(int pid, struct spg_mounts **ret);

/** Takes NULL. */
void spg_mounts_destroy(struct spg_mounts *mounts);

/** True when it has changed since it was read; never blocks. Not while another thread
 * uses the table. */
bool spg_mounts_are_stale(struct spg_mounts *mounts);

/** Read it again if it changed since. Returns 0; SPG_MOUNTS_CHANGED when it did;
 * or a negative spg_err: then the old table stays. */
#define SPG_MOUNTS_CHANGED 1
int spg_mounts_refresh(struct spg_mounts *mounts);

/**
 * The mount that @path (absolute, normalised, no symlinks) is on, found as the
 * kernel does: down from the root, over each mount on the way. (The longest
 * mount point is not always it: another mount may cover that one.) Borrowed until
 * the next refresh; NULL only without any mounts.
 */
const struct spg_mount *spg_mounts_find(
	const struct spg_mounts *mounts, const char *path);

/** The mounts in the order of the table; NULL behind the last. Borrowed like those. */
const struct spg_mount *spg_mounts_get(const struct spg_mounts *mounts, size_t index);

/** True when something is mounted at a path below @dir. */
bool spg_mounts_any_below(const struct spg_mounts *mounts, const char *dir);

/**
 * The value of one option of an overlay's superblock, unescaped: "upperdir", or
 * one of the "lowerdir" list (@index from 0, topmost first). NULL when there is
 * none. The caller frees.
 */
char *spg_mount_layer(const struct spg_mount *mount, const char *option, size_t index);

/** The class of a filesystem type. */
enum spg_fs_class spg_fs_classify(const char *type);
