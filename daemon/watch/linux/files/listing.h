/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Listing a directory that may never answer (bounded.h). Any thread.
 */
#include <stddef.h>
#include <sys/stat.h>

struct spg_listed_file {
	char *name;
	struct stat st; /* of what the name leads to */
};

struct spg_listing {
	struct spg_listed_file *files; /* regular files only */
	size_t n, size;
	int errnum; /* 0, or why the directory could not be listed */
	char *dir;
};

/**
 * List the regular files of @dir within @timeout_ms. Returns 0 and *ret (empty
 * with errnum set when the system refused), which spg_listing_destroy() frees;
 * SPG_ERR_TIMEOUT when it did not answer, now or for an earlier caller; or
 * SPG_ERR_NOMEM.
 */
int spg_list_bounded(const char *dir, unsigned timeout_ms, struct spg_listing **ret);

void spg_listing_destroy(struct spg_listing *listing); /* takes NULL */
