/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Files that an event says were deleted or moved away: perhaps no survey ever
 * saw them at their place, and somebody uses them. The event names the inode by
 * its handle, by which the next survey asks; of each product that has the path, for
 * products may share a directory. The loop thread adds, the worker asks; one lock.
 * Bounded: the oldest give way, and are searched for in other ways then.
 */
#include <stdbool.h>
#include <stdint.h>

#include "daemon/model/product.h"
#include "daemon/watch/linux/files/layer.h"

struct spg_deleted_inode {
	char *path; /* where it was */
	struct spg_handle handle;
	uint64_t number; /* in the order they came, from 1 */
};

struct spg_deleted_inodes;

/** NULL: out of memory. */
struct spg_deleted_inodes *spg_deleted_inodes_create(void);
void spg_deleted_inodes_destroy(
	struct spg_deleted_inodes *deleted_inodes); /* takes NULL */

/** Add one. Without memory it gives way at once. */
void spg_deleted_inodes_add(struct spg_deleted_inodes *deleted_inodes, const char *path,
	const struct spg_handle *handle);

/** Some file was deleted or moved away, and its handle is not known: as one that gave
 * way at once. */
void spg_deleted_inodes_add_unnamed(struct spg_deleted_inodes *deleted_inodes);

/** The number of the last one that @product has asked about; 0: of none. */
uint64_t spg_deleted_inodes_asked(
	struct spg_deleted_inodes *deleted_inodes, const struct spg_product *product);

/** True when one gave way after number @after: each product is to search /proc for who
 * uses what has lost its name. */
bool spg_deleted_inodes_gave_way(
	struct spg_deleted_inodes *deleted_inodes, uint64_t after);

/** The first one after number @after whose path is @product's, copied: the caller
 * frees its path. Returns 1; 0 when there is none, and ret->number is that of the last
 * one of all; or SPG_ERR_NOMEM. */
int spg_deleted_inodes_next(struct spg_deleted_inodes *deleted_inodes,
	const struct spg_product *product, uint64_t after,
	struct spg_deleted_inode *ret);

/** @product, of which a reference is taken, has asked about all up to @number. Without
 * memory it asks about them again. */
void spg_deleted_inodes_set_asked(struct spg_deleted_inodes *deleted_inodes,
	struct spg_product *product, uint64_t number);

/** Only @products are left. */
void spg_deleted_inodes_set_products(struct spg_deleted_inodes *deleted_inodes,
	struct spg_product *const *products, size_t n);
