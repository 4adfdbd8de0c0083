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

/* What says that two roots are the same place. */
enum spg_place_shape {
	SPG_PLACE_LOOSE,  /* names of files alone */
	SPG_PLACE_SHAPED, /* and the name of a folder */
	SPG_PLACE_COPIED, /* and several folders of the pack with what is in them */
};

struct spg_place_match {
	size_t offered, installed; /* files */
	size_t folder;             /* of the pack */
	struct spg_place_root root;
	size_t depth; /* components that their folders' paths end in alike */

	/* Filled in by spg_place_choose(). */
	size_t support; /* pairs with these roots */
	enum spg_place_shape shape;
};

/**
 * Choose pairs: of those of a file the one that more others support than each other,
 * roots that folders tell before those that only names of files do.
 *
 * @matches              all pairs of the names in question; sorted anew
 * @ret_claims           for each of the @n_offered files its installed one, or left as
 *                       it is
 * @ret_shapes           what says so, where @ret_claims is set
 *
 * Returns 0 or SPG_ERR_NOMEM.
 */
int spg_place_choose(struct spg_place_match *matches, size_t n, bool fold,
	size_t n_offered, size_t n_installed, size_t *ret_claims,
	enum spg_place_shape *ret_shapes);
