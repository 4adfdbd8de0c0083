/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What an archive says about its files, entry after entry, and the service pack that
 * they are once the last one is known: a path that comes again replaces the earlier
 * one, a hard link is the file that it links to, and so is a symbolic link whose target
 * is in the archive. Plain data, no IO.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/payload.h"

enum spg_archive_kind {
	SPG_ARCHIVE_FILE,
	SPG_ARCHIVE_FOLDER, /* tells whether a link leads to a file */
	SPG_ARCHIVE_HARD,   /* may bring the content for both itself */
	SPG_ARCHIVE_SYMBOLIC,
};

struct spg_archive_file {
	enum spg_archive_kind kind;
	bool is_read;         /* ->file has the content */
	bool leads_to_folder; /* filled in */
	size_t within; /* the archive, or one in it: paths are compared inside of one */
	size_t order;  /* filled in */
	char *target; /* of a link: normalised of a hard one, as it is of a symbolic one */
	struct spg_payload_file file;
};

struct spg_archive_files {
	struct spg_archive_file *files;
	size_t n, size;
};

#define SPG_ARCHIVE_FILES_NULL                                                         \
	{                                                                              \
		NULL, 0, 0                                                             \
	}

/** Idempotent; takes SPG_ARCHIVE_FILES_NULL. */
void spg_archive_files_finish(struct spg_archive_files *files);

/** Append @file, whose texts are taken over, also on failure. Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_archive_files_add(
	struct spg_archive_files *files, const struct spg_archive_file *file);

/**
 * Move all into @payload. @shown names the archive in messages.
 *
 * Returns 0 or what spg_payload_add() does, with @error.
 */
int spg_archive_files_move(struct spg_archive_files *files, struct spg_payload *payload,
	const char *shown, struct spg_buf *error);
