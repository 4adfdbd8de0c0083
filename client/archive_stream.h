/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * One libarchive reader and where its bytes come from: a file, or what another reader
 * unpacks. Inside of archive_payload.c.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/archive_library.h"
#include "common/buf.h"
#include "common/digest.h"

#define SPG_ARCHIVE_CHUNK 65536

/* What all readers of one file share. */
struct spg_archive_job {
	const struct spg_archive_library *lib;
	uint64_t bytes_max;    /* for each of the two */
	uint64_t n_bytes;      /* of files, so far, by all readers */
	uint64_t n_raw;        /* that were unpacked to read archives */
	struct spg_buf shown;  /* what is read: "sp4.zip: i386/a.cab" */
	struct spg_buf *error; /* of the caller */
	int err;               /* the first failure; 0: none yet */
};

/** The first failure counts, and is returned. @hint may be NULL. */
int spg_archive_fail(
	struct spg_archive_job *job, int err, const char *why, const char *hint);
int spg_archive_fail_errno(struct spg_archive_job *job, int errnum);
int spg_archive_fail_nomem(struct spg_archive_job *job);

/* A reader, with its source. */
struct spg_archive_stream {
	struct spg_archive_job *job;
	struct archive *archive; /* NULL: not open */
	bool is_known;           /* its format; until then little may be asked */
	uint64_t *count;         /* of ->job, for what is read */

	int fd; /* the source, borrowed; -1: ->from */
	struct spg_archive_stream *from;
	/* Bytes that were taken from ->from already; borrowed. */
	const void *first;
	size_t n_first;
	struct spg_digest *digest; /* of what is read from it; NULL: not wanted */
	/* Offsets in the source: how far it was read, and where the last byte that is
	 * not 0 ends. */
	uint64_t n_source, n_set;
	char chunk[SPG_ARCHIVE_CHUNK];
};

enum spg_archive_formats {
	SPG_ARCHIVE_RAW,     /* any bytes, unpacked: all filters, no format */
	SPG_ARCHIVE_STREAMS, /* tar, cpio: what has no need of seeking, no filters */
	SPG_ARCHIVE_FILES,   /* and what has */
	SPG_ARCHIVE_AR,
	SPG_ARCHIVE_CAB,
};

/** A stream over the file @fd, or over the entry that @from is at. Heap; NULL: no memory,
 * which @job has. */
struct spg_archive_stream *spg_archive_stream_create(
	struct spg_archive_job *job, int fd, struct spg_archive_stream *from);

/** Begin to read it as @formats, from its beginning. Returns 0 or a spg_err, and
 * SPG_ERR_INVALID without a word in the job where it is of none of them. */
int spg_archive_stream_open(
	struct spg_archive_stream *stream, enum spg_archive_formats formats);

/** The next entry: 0, 1 at the end, or a spg_err. @first: none was read before. */
int spg_archive_stream_next(
	struct spg_archive_stream *stream, struct archive_entry **ret, bool first);

/** Up to @n bytes of the entry: how many, 0 at its end, or a spg_err. */
int spg_archive_stream_read(struct spg_archive_stream *stream, void *buf, size_t n);

/** Read what is left of the entry, so that damage there is seen. Returns 0 or a spg_err. */
int spg_archive_stream_drain(struct spg_archive_stream *stream);

/** At the end of an archive: see whether its source has one too. Zeros may follow the end
 * of a tar, as many as it may be filled up with; another tar would be passed over. Returns
 * 0 or a spg_err. */
int spg_archive_stream_conclude(struct spg_archive_stream *stream);

/** True where a filter of @code (ARCHIVE_FILTER_RPM) unpacks it; 0: any. */
bool spg_archive_stream_has_filter(const struct spg_archive_stream *stream, int code);

/** Takes NULL. */
void spg_archive_stream_destroy(struct spg_archive_stream *stream);
