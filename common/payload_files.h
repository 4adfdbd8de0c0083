/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Inside of common/payload.c: the contents of the files of a folder.
 */
#include "common/payload.h"

struct spg_payload_reader {
	struct spg_payload *payload;
	const struct spg_payload_progress *progress; /* NULL: not wanted */
	uint64_t n_bytes;                            /* read of the files before */
	uint64_t bytes_end; /* of the file that is read: not further than this */
};

/** "NAME: WHY" and, behind a line break, @hint (may be NULL). Returns @err. */
int spg_payload_fail(struct spg_buf *error, int err, const char *name, const char *why,
	const char *hint);
int spg_payload_fail_errno(struct spg_buf *error, const char *name, int errnum);
int spg_payload_fail_nomem(struct spg_buf *error);

/**
 * Read the file @name of the folder @parent_fd and add it.
 *
 * @shown  its path for messages; @path: below the payload's folder
 * @there  false: a link to nothing
 */
int spg_payload_add_file(struct spg_payload_reader *reader, int parent_fd,
	const char *name, const char *shown, const char *path, bool there,
	struct spg_buf *error);

/** Sort the files and drop those that are there twice. */
void spg_payload_sort_files(struct spg_payload *payload);

void spg_payload_finish_files(struct spg_payload *payload);
