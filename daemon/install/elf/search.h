/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Finds what the programs of Linux in a set meet outside of it (surroundings.h), by
 * loading them in mind (fit/elf_loader.h) and looking at the disk at every path that this
 * asks for. Libraries are open for the moment in which they are read. Worker or background
 * thread: all of this blocks.
 */
#include "daemon/install/elf/outside.h"
#include "daemon/install/fit/module_set.h"
#include "daemon/model/product.h"

struct spg_search;

/** @set and @product are referred to; @outside: what is known already, borrowed until the
 * search is destroyed, or NULL. NULL: out of memory. */
struct spg_search *spg_search_begin(struct spg_module_set *set,
	struct spg_product *product, struct spg_outside *outside);

/** Look around for 20 ms. Returns 1: there is more; 0; SPG_ERR_NOMEM. */
int spg_search_step(struct spg_search *search);

/** After the last step: what was found becomes the surroundings of the set. */
void spg_search_end(struct spg_search *search);

/** Takes NULL. */
void spg_search_destroy(struct spg_search *search);

/** All of it at once, for a set that nobody else knows yet. Returns 0 or SPG_ERR_NOMEM. */
int spg_search_around(struct spg_module_set *set, struct spg_product *product);
