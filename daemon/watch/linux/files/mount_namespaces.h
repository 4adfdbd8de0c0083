/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The mount namespaces of the machine, each by a process that lives in it, and what is
 * mounted there (mount_namespaces(7), proc_pid_mountinfo(5)). A namespace that only a
 * descriptor or a mount of its own keeps has no process, and is not among them; nor is
 * that of a thread alone. Worker  thread.
 *
 * Nothing here waits for a remote filesystem: paths in another namespace are followed as
 * far as the kernel has them in memory, which is the case for all that is mounted. What it
 * has not (nor ever a symbolic link on an overlay) is read from local filesystems only.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "daemon/watch/linux/files/mounts.h"

/* Different root directories of the processes of one namespace. */
#define SPG_SPACE_ROOTS 8

struct spg_space_root {
	int32_t pid; /* the oldest process seen that has it */
	uint64_t dev, ino, mount;
	bool is_whole; /* no chroot(2): the namespace's own root */
};

struct spg_space {
	uint32_t number; /* of the namespace: its inode's */
	/* The oldest process seen in it, rather one that is in no chroot(2). While
	 * spg_space_read() calls, and after it was ended by a call, the one whose table
	 * it reads. */
	int32_t pid;
	bool here;   /* the daemon's own; comes first */
	int root_fd; /* while spg_space_read() calls: the root of @pid, or -1 */
	bool hides;  /* when it was read: no process shows all that is mounted there */
	struct spg_space_root roots[SPG_SPACE_ROOTS];
	size_t n_roots;
};

struct spg_spaces {
	struct spg_space *list;
	size_t n, size;
};

#define SPG_SPACES_NULL                                                                \
	{                                                                              \
		NULL, 0, 0                                                             \
	}

/** Find them. Returns 0, SPG_ERR_IO or SPG_ERR_NOMEM. */
int spg_spaces_find(struct spg_spaces *spaces);
void spg_spaces_finish(struct spg_spaces *spaces); /* idempotent */

/** The one with this number, or NULL. */
struct spg_space *spg_spaces_get(const struct spg_spaces *spaces, uint32_t number);

/**
 * Call @each for every mount in @space until it returns something else than 0, which is
 * returned; the mount is borrowed for the call. Its path is below the root of @space->pid:
 * a process in a chroot(2) shows only what lies in there, so all different roots of the
 * namespace are looked at, unless one shows everything. When a process has gone, another
 * one takes its place; a namespace without any has no mounts. Returns 0 or SPG_ERR_NOMEM
 * as well.
 */
int spg_space_read(struct spg_space *space,
	int (*each)(void *user, const struct spg_mount *mount), void *user);

/** The root directory of @space as a descriptor (O_PATH), or -1. */
int spg_space_root(const struct spg_space *space);

/** A descriptor (O_PATH) of what is at @path (absolute) below the root @root_fd; or -1 with
 * errno: EAGAIN when it is not in memory. */
int spg_space_open(int root_fd, const char *path);

/** What is at @path (absolute) below the root @root_fd: device, inode number and mode; and
 * (or NULL) the number of the mount that shows it. False: it is not there, or (errno EAGAIN) not
 * in memory. */
bool spg_space_stat(int root_fd, const char *path, struct stat *ret, int *ret_mount);

/** The names below the root of one process. */
struct spg_space_names {
	int root_fd;               /* borrowed; or -1: nothing is found */
	int32_t pid;               /* whose it is */
	struct spg_mounts *mounts; /* NULL until they are needed */
	bool has_tried;
};

/** As spg_space_stat(); and what is not in memory is read from a disk, unless it lies on
 * a filesystem that may hang, or behind one. */
bool spg_space_names_stat(
	struct spg_space_names *names, const char *path, struct stat *ret);
void spg_space_names_finish(struct spg_space_names *names); /* idempotent */
