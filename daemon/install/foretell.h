/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What verify would find after a service pack: of the set as it would be with all of its
 * files, and with all but one that somebody holds, which setup would skip. Nothing is
 * touched, and nothing is guessed: a file of the pack counts when the daemon has read the
 * very content that the client has described. What did not fit before is not foretold.
 *
 * Pure; any thread may work at one, one at a time. A step takes as long as verify: tens
 * of milliseconds for 2,000 modules.
 */
#include <stdbool.h>
#include <stddef.h>

#include "daemon/install/fit/expected.h"
#include "daemon/install/fit/module_set.h"
#include "daemon/model/note.h"
#include "daemon/model/product.h"

#define SPG_FORETELL_HELD_MAX 256

/* What breaks when setup leaves one file out. */
struct spg_foretold_skip {
	char *path;
	bool replaced;           /* the pack has another file for its place */
	struct spg_notes breaks; /* MISFIT */
};

struct spg_foretold {
	size_t n_replaced, n_added;
	size_t n_unplaced; /* files of the pack of which no folder tells where they go */
	size_t n_unseen;   /* that the daemon could not read as described */
	size_t n_checked;  /* modules whose entry points were looked at */
	struct spg_notes whole; /* what would not fit with all files: MISFIT */
	struct spg_foretold_skip *skips;
	size_t n_skips;
};

struct spg_foretelling;

/**
 * Begin.
 *
 * @installed  what is installed; a reference is taken
 * @expected   the pack's files, taken over and emptied, with their paths
 * @pack       what the daemon read at @root and below; a reference is taken
 * @held       paths of installed files; copied
 *
 * NULL: out of memory.
 */
struct spg_foretelling *spg_foretell_begin(struct spg_product *product,
	struct spg_module_set *installed, struct spg_expected *expected,
	struct spg_module_set *pack, const char *root, const char *const *held,
	size_t n_held);

/** Work at it. Returns 1 when there is more to do, 0 when it is done, SPG_ERR_NOMEM. */
int spg_foretell_step(struct spg_foretelling *foretelling);

/** The result so far. Borrowed. */
const struct spg_foretold *spg_foretell_result(
	const struct spg_foretelling *foretelling);

/** Takes NULL. */
void spg_foretell_destroy(struct spg_foretelling *foretelling);
