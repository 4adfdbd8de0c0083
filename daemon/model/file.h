/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A file of a product as one survey found it: an immutable, reference-counted
 * record, so that model, worker and store share the path instead of copying
 * it for every event. A file whose identity, links or place changed is a new
 * record. The watch backend makes them and may embed this struct as the first
 * member of its own (then @release frees the rest).
 */
#include <stdatomic.h>
#include <stdint.h>

#include "common/identity.h"

struct spg_file {
	atomic_uint refs;
	char *path;            /* absolute; bytes as on disk: escape before showing */
	struct spg_file_id id; /* {0, 0}: nothing is there, see spg_presence */
	uint32_t n_links;
	void (*release)(struct spg_file *file); /* frees all but @path; never NULL */
};

/** A plain record with one reference; for tests, the scripted backend and
 * files that are not there. NULL: out of memory. */
struct spg_file *spg_file_create(const char *path, struct spg_file_id id);

/** Prepare an embedded record, copying @path. Returns 0 or SPG_ERR_NOMEM. */
int spg_file_init(struct spg_file *file, const char *path, struct spg_file_id id,
	void (*release)(struct spg_file *));

/** Take another reference; returns @file. NULL gives NULL. */
struct spg_file *spg_file_ref(struct spg_file *file);

/** Drop one; the last frees. Takes NULL. */
void spg_file_unref(struct spg_file *file);
