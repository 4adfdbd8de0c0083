/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A product's file on Linux, with everything needed to ask the kernel about
 * it. Worker  thread makes them; immutable afterwards.
 *
 * On most filesystems a file is one inode. On overlayfs it is two or three: the
 * merged one, which programs open, and the real one in the upper or a lower
 * layer, which they map. The kernel's truth about users lies with the real
 * inode: a lease on the merged path is granted while the file is still mapped,
 * and a file opened before it was copied up keeps the lower inode
 * (tests/system/test_filesystems.py). So a file has layers, and every layer is
 * probed and searched for.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "daemon/model/file.h"
#include "daemon/watch/linux/files/mounts.h"

/* What name_to_handle_at(2) gives: finds an inode again after its last name
 * has gone, and never another one that got its number later. */
#define SPG_HANDLE_MAX 64
struct spg_handle {
	int type;
	unsigned n_bytes;   /* 0: this filesystem gives none */
	bool only_compares; /* names the inode, but cannot be opened */
	unsigned char bytes[SPG_HANDLE_MAX];
};

struct spg_layer {
	char *path;            /* without symbolic links; to open it, and its folder */
	char *mount_path;      /* where its filesystem is mounted */
	struct spg_file_id id; /* as stat(2) reports it */
	uint64_t sdev;         /* the superblock's device: maps, locks */
	struct spg_handle handle;
};

struct spg_linux_file {
	struct spg_file base;
	enum spg_fs_class class;
	uint64_t sdev;     /* of the merged file; equals layers[0].sdev elsewhere */
	char *merged_path; /* of an overlay: without symbolic links; else NULL */
	struct spg_layer *layers;
	size_t n_layers, size_layers;
	/* The inodes that have the truth are not all among the layers: the real
	 * files of an overlay could not be found. */
	bool incomplete;
	bool through_link; /* the name is a symbolic link to elsewhere */
};

static inline struct spg_linux_file *spg_linux_file(struct spg_file *file)
{
	return (struct spg_linux_file *)file;
}

static inline struct spg_file_id spg_id_of(const struct stat *st)
{
	return (struct spg_file_id){.dev = st->st_dev, .ino = st->st_ino};
}

/* A file as the walk through a directory found it; texts are borrowed. */
struct spg_place {
	const char *path;      /* as the product names it */
	const char *real_path; /* the same without symbolic links */
	struct stat st;        /* of what the path leads to */
	uint64_t attributes;   /* of it: STATX_ATTR_*, see statx(2) */
	bool through_link;     /* the last component is a symbolic link */
	const struct spg_mount *mount;
};

/**
 * A record for the file at @place. @known (or NULL) is what was there before:
 * if nothing changed, it is returned with another reference instead. Blocks on
 * local disks only. NULL: out of memory.
 */
struct spg_linux_file *spg_linux_file_make(const struct spg_place *place,
	const struct spg_mounts *mounts, struct spg_linux_file *known);

/** Append a layer to a record that is being made. Takes over @path, also on
 * failure. Returns 0, or -1 without memory. */
int spg_linux_file_add_layer(struct spg_linux_file *file, char *path,
	const struct spg_mount *mount, struct spg_file_id id);

/** Take the last one off again. */
void spg_linux_file_drop_layer(struct spg_linux_file *file);

/**
 * A record for an inode that is not at its place any more: @fd is any descriptor
 * of it; of @place the paths and the mount say where it was. NULL: out of memory.
 */
struct spg_linux_file *spg_linux_file_orphan(const struct spg_place *place, int fd);

/**
 * Open the inode that @handle names on the filesystem of the directory @folder_fd,
 * with open(2) @flags. Returns a descriptor, or -1 with errno: ESTALE when it is
 * gone, EOPNOTSUPP when the handle is for comparing only.
 */
int spg_handle_open(int folder_fd, const struct spg_handle *handle, int flags);

/* For a probe that opens the file, without waiting for a peer or a device. */
#define SPG_OPEN_READ (O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
/* For one that only names it: it counts for nothing, and nobody is told. */
#define SPG_OPEN_NAME (O_PATH | O_CLOEXEC)

/**
 * Open layer @index of @file with @flags, one of the above: by its handle if
 * @by_handle is given, else by its path. Returns a descriptor or -1 with errno. By
 * handle, ESTALE means that the inode is gone and every user with it, and ENODEV
 * that its filesystem is not to be found at its place, unmounted or covered.
 */
int spg_layer_open(const struct spg_linux_file *file, size_t index,
	const struct spg_mounts *by_handle, int flags);

/** The handle of a file or directory; n_bytes 0 when there is none. */
void spg_handle_of(int dir_fd, const char *path, int flags, struct spg_handle *ret);
