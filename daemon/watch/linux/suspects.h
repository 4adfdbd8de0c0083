/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Files that an event says were deleted or moved away: perhaps no survey ever
 * saw them at their place, and somebody uses them. The event names the inode by
 * its handle, by which the next survey asks. The loop thread adds, the surveyor's
 * takes; one lock. Bounded: the oldest give way.
 */
#include "daemon/model/product.h"
#include "daemon/watch/linux/layer.h"

struct spg_suspect {
	char *path; /* where it was */
	struct spg_handle handle;
};

struct spg_suspects;

/** NULL: out of memory. */
struct spg_suspects *spg_suspects_create(void);
void spg_suspects_destroy(struct spg_suspects *suspects); /* takes NULL */

/** Add one. Without memory it is left out, as it is when it says nothing. */
void spg_suspects_add(struct spg_suspects *suspects, const char *path,
	const struct spg_handle *handle);

/** Take one whose path is @product's; false when there is none. The caller frees
 * its path. */
bool spg_suspects_take(struct spg_suspects *suspects, const struct spg_product *product,
	struct spg_suspect *ret);
