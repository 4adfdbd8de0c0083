/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Inside of placement.c: the folders of both sides, and which is which.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPG_PLACE_NONE SIZE_MAX /* no folder, no file */

/* A folder, as a part of a path without its last slash. */
struct spg_place_text {
	const char *text;
	size_t n;
};

/* The folders of one side, each once. */
struct spg_place_folders {
	struct spg_place_text *texts; /* sorted by spg_place_compare() */
	size_t n;
	size_t *of; /* for each file */
};

/* Two folders have a file of which there is no second choice. */
struct spg_place_pair {
	size_t offered, installed; /* folders */
	bool near;                 /* they are called alike */
};

/* Where the files of a folder of the pack go. */
struct spg_place_home {
	size_t folder; /* of the product; SPG_PLACE_NONE: nothing tells it */
	size_t depth;  /* how many components their paths end in alike */
	bool sure;
};

/** The folder of @path: "" of a bare name. */
struct spg_place_text spg_place_folder_of(const char *path);

/** By spg_name_compare(), the case ignored when @fold. */
int spg_place_compare(struct spg_place_text a, struct spg_place_text b, bool fold);

/**
 * The order of two paths read from their end, so that those that end in the same
 * components stand together. @ret_common (may be NULL) gets how many they share.
 */
int spg_place_compare_endings(struct spg_place_text a, struct spg_place_text b,
	bool fold, size_t *ret_common);

/* A folder of the pack and one of the product, below which folders are called alike. */
struct spg_place_root {
	struct spg_place_text offered, installed;
};

/** What is left of two folders without the @ret_depth components that both end in. */
struct spg_place_root spg_place_root_of(struct spg_place_text offered,
	struct spg_place_text installed, bool fold, size_t *ret_depth);

int spg_place_root_compare(
	const struct spg_place_root *a, const struct spg_place_root *b, bool fold);

/** List the folders of @n @paths. Returns 0 or SPG_ERR_NOMEM; finish in either case. */
int spg_place_folders_init(struct spg_place_folders *folders, const char *const *paths,
	size_t n, bool fold);
void spg_place_folders_finish(struct spg_place_folders *folders);

/** Index of @folder; SPG_PLACE_NONE: there is none. */
size_t spg_place_folders_find(const struct spg_place_folders *folders,
	struct spg_place_text folder, bool fold);

/** The home of each folder of @offered, from @n @pairs, which are sorted. @ret has room
 * for each. Returns 0 or SPG_ERR_NOMEM. */
int spg_place_find_homes(const struct spg_place_folders *offered,
	const struct spg_place_folders *installed, struct spg_place_pair *pairs,
	size_t n, bool fold, struct spg_place_home *ret);
