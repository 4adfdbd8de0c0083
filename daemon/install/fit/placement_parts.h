/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Inside of placement.c: what its parts share while files are placed.
 */
#include "daemon/install/fit/placement_names.h"
#include "daemon/install/fit/placement_roots.h"

struct spg_placement;
struct spg_placement_question;

/* Files of both sides with one number: those of the pack first. */
struct spg_place_list {
	size_t first, last, n; /* linked by spg_placing.next */
};

/* Files of one name whose paths end in the same @depth folders. While they are sorted
 * by endings, such sets lie within each other. */
struct spg_place_set {
	size_t depth; /* SPG_PLACE_NONE: one file alone */
	struct spg_place_list offered, installed;
};

/* Files that may be each other's counterpart: there are no better ones for any. */
struct spg_place_cell {
	size_t depth;
	size_t offered, n_offered, installed, n_installed; /* in spg_placing.members */
};

struct spg_placing {
	const struct spg_placement_question *question;
	struct spg_placement *ret;
	struct spg_place_folders offered, installed, directories;
	struct spg_place_home *homes; /* of each folder of the pack */
	size_t *anchors; /* of each: the product's folder of the same relative path */
	/* Of each, a package's: it lies in the product by its path from the root; and the
	 * folder with installed files that it is, or none. */
	bool *is_exact;
	size_t *exact;
	struct spg_place_names names;
	struct spg_place_match *matches;
	size_t n_matches;
	enum spg_place_shape *shapes; /* of each of the pack: what tells its claim */
	size_t *next;
	struct spg_place_set *stack;
	size_t n_stack;
	struct spg_place_cell *cells;
	size_t n_cells;
	size_t *members, n_members;
	size_t *cell_of;   /* of each installed file, or none */
	size_t *by_folder; /* installed files by name and folder */
	size_t *claims;    /* of each file of the pack: an installed one, or none */
	bool *taken;       /* of each installed file: claimed before there were cells */
	size_t *n_claims;  /* of each installed file */
	bool *gone;        /* of each of the pack: it goes where none of the cell is */
	struct spg_place_pair *pairs;
};

/** The installed file of @name in @folder of the product; SPG_PLACE_NONE: there is none,
 * or no such folder. */
size_t spg_place_find_installed(
	const struct spg_placing *p, size_t name, size_t folder);

/** Claim, first of all, what is installed where a package says that its files go. */
void spg_place_claim_exact(struct spg_placing *p);

/** True where the file @offered of the pack goes into the product where its path says,
 * from the root. */
bool spg_place_is_exact(const struct spg_placing *p, size_t offered);

/** The home of such a folder of the pack. */
struct spg_place_home spg_place_exact_home(const struct spg_placing *p, size_t folder);

/** Sort the files that are not taken into cells. */
void spg_place_find_cells(struct spg_placing *p);
