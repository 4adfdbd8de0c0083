/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Files that an event says were deleted or moved away: perhaps no survey ever
 * saw them at their place, and somebody uses them. The event names the inode by
 * its handle, by which the next survey asks; of each product that has the path, for
 * products may share a directory. The loop thread adds, the surveyor's asks; one lock.
 * Bounded: the oldest give way, and are searched for in other ways then.
 */
#include <stdbool.h>
#include <stdint.h>

#include "daemon/model/product.h"
#include "daemon/watch/linux/files/layer.h"

struct spg_suspect {
	char *path; /* where it was */
	struct spg_handle handle;
	uint64_t number; /* in the order they came, from 1 */
};

struct spg_suspects;

/** NULL: out of memory. */
struct spg_suspects *spg_suspects_create(void);
void spg_suspects_destroy(struct spg_suspects *suspects); /* takes NULL */

/** Add one. Without memory it gives way at once. */
void spg_suspects_add(struct spg_suspects *suspects, const char *path,
	const struct spg_handle *handle);

/** Some file was deleted or moved away, and its handle is not known: as one that gave
 * way at once. */
void spg_suspects_add_unnamed(struct spg_suspects *suspects);

/** The number of the last one that @product has asked about; 0: of none. */
uint64_t spg_suspects_asked(
	struct spg_suspects *suspects, const struct spg_product *product);

/** True when one gave way after number @after: each product is to search /proc for who
 * uses what has lost its name. */
bool spg_suspects_gave_way(struct spg_suspects *suspects, uint64_t after);

/** The first one after number @after whose path is @product's, copied: the caller
 * frees its path. Returns 1; 0 when there is none, and ret->number is that of the last
 * one of all; or SPG_ERR_NOMEM. */
int spg_suspects_next(struct spg_suspects *suspects, const struct spg_product *product,
	uint64_t after, struct spg_suspect *ret);

/** @product, of which a reference is taken, has asked about all up to @number. Without
 * memory it asks about them again. */
void spg_suspects_set_asked(
	struct spg_suspects *suspects, struct spg_product *product, uint64_t number);

/** Only @products are left. */
void spg_suspects_set_products(
	struct spg_suspects *suspects, struct spg_product *const *products, size_t n);
