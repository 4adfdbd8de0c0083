/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Which files lock events are told of, and what they are called. The kernel
 * knows them by superblock, subvolume and inode number and gives back a number of
 * ours.
 *
 * The worker thread adds what an in-use probe shows it and takes out what a full
 * survey finds no more; the loop thread looks up. One lock.
 */
#include <stdint.h>

#include "daemon/model/file.h"
#include "daemon/model/observation.h"
#include "daemon/model/product.h"
#include "daemon/watch/linux/bpf/trace.h"

struct spg_trace_files;

/** @trace is borrowed. NULL: out of memory. */
struct spg_trace_files *spg_trace_files_create(struct spg_trace *trace);
void spg_trace_files_destroy(struct spg_trace_files *files); /* takes NULL */

/** A survey begins. */
void spg_trace_files_begin(struct spg_trace_files *files);

/** @inode is one of the inodes of @file of @product: tell of its locks from now
 * on. Returns 0, SPG_ERR_NOMEM or SPG_ERR_LIMIT: then it is not told of. */
int spg_trace_files_add(struct spg_trace_files *files,
	const struct spg_product *product, const struct spg_bpf_inode *inode,
	struct spg_file *file);

/** The survey @obs has seen all files of its product. The kernel tells no more of what
 * was not added since it began, or was found gone, and is none of those that are there.
 * What was found gone keeps its names until the next such survey, for what the kernel has
 * told already. */
void spg_trace_files_end(
	struct spg_trace_files *files, const struct spg_observation *obs);

/** A file of the inode that was watched as @slot, with a reference for the caller; or
 * NULL. There may be several (hard links, several products): call again with the
 * @cursor that the first call set; it starts as 0. Another inode gets the same number
 * only after thousands had its place. */
struct spg_file *spg_trace_files_find(
	struct spg_trace_files *files, uint32_t slot, size_t *cursor);
