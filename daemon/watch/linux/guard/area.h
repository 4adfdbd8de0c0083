/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a guard guards: the files of a product, and the fanotify marks that make the
 * kernel ask before one is opened or executed.
 *
 * Directories have a mark each, which tells of all their files; so does a file that
 * has other names (hard links), or that a symbolic link of the product leads to.
 * A file is the product's by its name, or by its identity if it was there when the
 * directories were listed: then it stays so under another name. An inode number
 * that is used again is told apart by the file's birth (statx(2), stx_btime).
 *
 * Only directories are opened here, without FAN_ONDIR in any mark: nobody is asked
 * for them. While marks are set, openers wait for whatever this does: see @breathe.
 */
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/model/product.h"
#include "daemon/watch/linux/guard/ids.h"

/* Directories, as /proc names them and as the product does, where that differs. */
struct spg_guard_alias {
	char *real, *named;
};

struct spg_guard_area {
	const struct spg_product *product;
	int group;                        /* fanotify; borrowed */
	struct spg_guard_ids files;       /* the product's */
	struct spg_guard_ids directories; /* marked */
	struct spg_guard_ids inodes;      /* files with a mark of their own */
	struct spg_guard_ids seen;        /* directories of the walk that runs */
	char **paths;                     /* to be marked */
	size_t n_paths, size_paths;
	struct spg_guard_alias *aliases;
	size_t n_aliases, size_aliases;
	size_t n_files; /* found by the last walk */
	char why[300];  /* after an error, in words */
	/* Called every now and then during a walk: answer those who wait. Returns
	 * false to break it off. */
	bool (*breathe)(void *user);
	void *user;
};

/**
 * Find directories and files, and mark what is not marked yet: first all is listed,
 * then all is marked, so that no opener waits for the first walk. Returns 0;
 * SPG_ERR_NOT_FOUND when no directory is there; SPG_ERR_TIMEOUT when @breathe broke
 * it off; SPG_ERR_UNSUPPORTED, SPG_ERR_LIMIT, SPG_ERR_IO or SPG_ERR_NOMEM.
 */
int spg_guard_area_walk(struct spg_guard_area *area);

/** True when the file behind @fd is one of the product's. @path gets its path as
 * the product names it, @ret_id who it is. */
bool spg_guard_area_has(const struct spg_guard_area *area, int fd, char path[PATH_MAX],
	struct spg_guard_id *ret_id);

/** Idempotent; not the group. */
void spg_guard_area_finish(struct spg_guard_area *area);
