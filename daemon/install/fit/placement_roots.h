/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Inside of placement.c: which pairs of files the most others support.
 *
 * A pack is mostly a copy of the product's folders below a root of its own. Each pair of
 * files of one name tells two roots, below which both lie at the same path; the right
 * ones are told by most. So a folder's name that comes twice by chance (/srv/bin/bin)
 * misleads nobody.
 */
#include "daemon/install/fit/placement_folders.h"

struct spg_place_match {
	size_t offered, installed; /* files */
	struct spg_place_root root;
	bool near; /* their folders are called alike */

	/* Filled in by spg_place_choose(). */
	size_t support; /* pairs with these roots */
	bool shaped;    /* some of them are near: folders say so */
};

/**
 * Choose pairs: of those of a file the one that more others support than each other,
 * roots that folders tell before those that only names of files do.
 *
 * @matches              all pairs of the names in question; sorted anew
 * @ret_claims           for each of the @n_offered files its installed one, or left as
 *                       it is
 * @ret_shaped           whether folders tell that, where @ret_claims is set
 *
 * Returns 0 or SPG_ERR_NOMEM.
 */
int spg_place_choose(struct spg_place_match *matches, size_t n, bool fold,
	size_t n_offered, size_t n_installed, size_t *ret_claims, bool *ret_shaped);
