/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What an install adds to what a survey found: one that runs blocks, one that left
 * a mixed set asks for attention, and a file that was stepped aside from its name
 * is no longer in anybody's way. Plain data, made by daemon/install, kept by the
 * model for each product, read by verdict.c. Loop thread.
 */
#include <stdbool.h>
#include <stddef.h>

#include "common/identity.h"
#include "daemon/model/note.h"

/* A file that was renamed so that setup can write a new one. */
struct spg_stepped_aside {
	struct spg_file_id id;
	char *path, *old_path;
	long long number;
	bool missing; /* nothing is at @path yet */
	bool unsure;  /* the daemon ended in the middle of it, and what became of it
	                 has not been found out yet */
};

struct spg_standing {
	struct spg_notes installing; /* the install that runs; none */
	struct spg_notes unread;     /* what has changed, and is not known yet */
	struct spg_notes mixed;      /* why the set is mixed */
	struct spg_notes next;       /* what to do about that */
	struct spg_notes held;       /* ... and while somebody holds a file */
	struct spg_stepped_aside *aside;
	size_t n_aside, size_aside;
};

#define SPG_STANDING_NULL                                                              \
	{                                                                              \
		SPG_NOTES_NULL                                                         \
	}

/** Idempotent; takes SPG_STANDING_NULL. */
void spg_standing_finish(struct spg_standing *standing);

/** Append a copy. Returns 0 or SPG_ERR_NOMEM. */
int spg_standing_add_aside(
	struct spg_standing *standing, const struct spg_stepped_aside *file);

/** The file stepped aside that has @id, or NULL. Takes NULL. */
const struct spg_stepped_aside *spg_standing_find(
	const struct spg_standing *standing, struct spg_file_id id);
