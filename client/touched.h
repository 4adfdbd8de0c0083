/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The files that a transaction would replace or remove in the products' directories.
 */
#include <stdint.h>

#include <jansson.h>

#include "client/error.h"
#include "client/transaction.h"

struct spg_touched_file {
	char *path;    /* as the product names it */
	size_t change; /* of the transaction: index */
};

struct spg_touched {
	/* The products' directories: as they are configured, and resolved. */
	struct spg_watched_directory {
		char *path, *resolved;
	} * directories;
	size_t n_directories, directories_size;
	/* Their files that are elsewhere, behind links; by ->real. */
	struct spg_watched_link {
		char *path, *real;
	} * links;
	size_t n_links, links_size;
	struct spg_touched_file *files; /* by path, each once */
	size_t n, size;
	int64_t limit_ns; /* for each question to the package manager */
};

#define SPG_TOUCHED_NULL                                                               \
	{                                                                              \
		NULL, 0, 0, NULL, 0, 0, NULL, 0, 0, 0                                  \
	}

/** Idempotent; takes SPG_TOUCHED_NULL. */
void spg_touched_finish(struct spg_touched *touched);

/** Take the directories from @status, the daemon's answer, without those that are not
 * there: nobody uses a file in them. Returns false after the complaint. */
bool spg_touched_take_status(
	struct spg_touched *touched, const json_t *status, struct spg_complaint *why);

/** Take the products' files that are elsewhere from @who, the daemon's answer with all
 * files; after the directories. Returns false after the complaint. */
bool spg_touched_take_files(
	struct spg_touched *touched, const json_t *who, struct spg_complaint *why);

/**
 * Add the files of each package that comes, and of each that is installed and goes or is
 * replaced, as @source's package manager lists them. Blocks: reads the packages.
 *
 * Returns false after the complaint: then nothing is known.
 */
bool spg_touched_read(struct spg_touched *touched,
	const struct spg_transaction *transaction, enum spg_transaction_source source,
	struct spg_complaint *why);

/** What @path, of an answer, belongs to; NULL: it was not asked about. */
const struct spg_touched_file *spg_touched_find(
	const struct spg_touched *touched, const char *path);
