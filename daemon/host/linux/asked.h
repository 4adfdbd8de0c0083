/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The files that a database of packages is asked about. The database may write their
 * paths otherwise (/lib/x of /usr/lib/x): they are one file when the last part is the same
 * and the directories before it lead to the same place. Background thread: it looks at
 * the disk.
 */
#include <stddef.h>
#include <stdint.h>

/* Directories that are remembered; those beyond are looked up each time. */
#define SPG_ASKED_DIRECTORIES_MAX 65536

struct spg_asked_file {
	char *path;
	const char *base;   /* in @path */
	const char *parent; /* where its directory is; NULL: nowhere */
	size_t next;        /* with the same hash of both; SIZE_MAX: none */
};

struct spg_asked_directory {
	char *path, *real; /* real NULL: it is not there */
};

struct spg_asked {
	char *root; /* what the database's paths are below */
	struct spg_asked_file *files;
	size_t n;
	size_t *buckets, n_buckets; /* by parent and base; a power of two */
	unsigned char *bases;       /* a bit each, by base: most others are none */
	size_t n_bits;              /* a power of two */
	struct spg_asked_directory *directories;
	size_t n_directories, n_slots; /* a power of two */
	char *last;                    /* beyond the memory */
	uint64_t key; /* the same for the same files in the same places */
};

#define SPG_ASKED_NULL                                                                 \
	{                                                                              \
		NULL                                                                   \
	}

/** The @n sorted @paths are copied. @root: "" or an absolute path. Returns 0 or
 * SPG_ERR_NOMEM; spg_asked_finish() follows either. */
int spg_asked_init(
	struct spg_asked *asked, const char *root, const char *const *paths, size_t n);

/** Look where their directories are, once, before anything is found. Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_asked_look(struct spg_asked *asked);

void spg_asked_finish(struct spg_asked *asked); /* idempotent */

/** Call @hit for each file that the database calls @dir and @base, of so many bytes, @dir
 * with or without the last '/'. Returns 0, SPG_ERR_NOMEM, or what @hit returned below 0. */
int spg_asked_find(struct spg_asked *asked, const char *dir, size_t n_dir,
	const char *base, size_t n_base, int (*hit)(void *user, size_t file),
	void *user);
