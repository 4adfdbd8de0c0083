/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Inside of placement.c: the files of both sides by name.
 */
#include "daemon/install/fit/placement_folders.h"

/* Pairs of one name that are weighed against those of others; of more the ending of
 * their paths decides at once. */
#define SPG_PLACE_SAME_MAX 16

/* A file is a number: those of the pack come first. All texts are borrowed. */
struct spg_place_names {
	const char *const *offered, *const *installed;
	size_t n_offered, n; /* of the pack, of both */
	bool fold;
	size_t *order; /* all by the ending of their paths: those of one name together */
	size_t *of;    /* of each file: a number for its name */
};

/* Files of one name; none, where there are too many pairs to weigh. */
struct spg_place_same {
	size_t offered[SPG_PLACE_SAME_MAX], installed[SPG_PLACE_SAME_MAX];
	size_t n_offered, n_installed; /* of those installed the index */
};

/** The caller has filled in the borrowed part. Returns 0 or SPG_ERR_NOMEM; finish in
 * either case. */
int spg_place_names_init(struct spg_place_names *names);
void spg_place_names_finish(struct spg_place_names *names);

bool spg_place_is_installed(const struct spg_place_names *names, size_t file);

struct spg_place_text spg_place_path(const struct spg_place_names *names, size_t file);

/** The files of the name that begins at @from in names->order; returns where the next
 * one begins. */
size_t spg_place_names_next(
	const struct spg_place_names *names, size_t from, struct spg_place_same *ret);
