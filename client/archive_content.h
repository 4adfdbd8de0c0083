/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The content of one file of an archive as it comes: its digest and, of what may be a
 * module, its version, for which the whole file has to be at hand; and a copy, where one is wanted. Inside of archive_payload.c.
 */
#include <stdbool.h>
#include <stddef.h>

#include "client/archive_stream.h"
#include "client/archive_unpack.h"
#include "common/digest.h"
#include "common/payload.h"

struct spg_archive_content {
	struct spg_archive_job *job;
	struct spg_digest digest;
	int memory_fd, file_fd; /* -1: not needed yet; each is used again and again */
	bool keeps, in_file;
	bool begun, is_program;
	const struct spg_archive_unpack *unpack; /* NULL: nothing is unpacked */
	int unpack_fd;                           /* of this one; -1: not yet */
	uint64_t n_unpacked;                     /* bytes of all */
};

/** @unpack  borrowed; may be NULL */
void spg_archive_content_init(struct spg_archive_content *content,
	struct spg_archive_job *job, const struct spg_archive_unpack *unpack);

/** Begin with the next file. */
void spg_archive_content_begin(struct spg_archive_content *content);

/** Returns 0 or a spg_err, which the job has too. */
int spg_archive_content_add(
	struct spg_archive_content *content, const void *bytes, size_t n);

/** Fill in what @file says. The same. */
int spg_archive_content_end(
	struct spg_archive_content *content, struct spg_payload_file *file);

/** Idempotent. */
void spg_archive_content_finish(struct spg_archive_content *content);
