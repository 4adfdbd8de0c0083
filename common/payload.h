/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The files of a service pack: what a folder contains, or what a list says.
 *
 * As names: a name is a bare file name, or an absolute path where a list gives
 * one. All are valid UTF-8, sorted by bytes and unique.
 *
 * As files, of a folder only: each with its path below it, version, size and digest.
 * The same name may come in several folders (a language's, a machine's), with the same
 * content or others: which installed file is meant by which, the daemon tells.
 *
 * A payload that cannot be read to its end is an error and never a shorter
 * list, since a file left out would make the answer "safe" worthless. Blocks;
 * not for a loop thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/digest.h"
#include "common/identity.h"

#define SPG_PAYLOAD_FILES_MAX 1000000               /* names, and entries looked at */
#define SPG_PAYLOAD_DEPTH_MAX 64                    /* folders below the first */
#define SPG_PAYLOAD_LIST_MAX  (64U << 20)           /* bytes of a list */
#define SPG_PAYLOAD_LINE_MAX  4096                  /* bytes of a line */
#define SPG_PAYLOAD_PATH_MAX  4096                  /* bytes of a path, in a request */
#define SPG_PAYLOAD_BYTES_MAX (UINT64_C(256) << 30) /* of all files together */

struct spg_payload_file {
	/* Below the folder: "i386/mdbperf.dll"; of a package absolute, where it will be.
	 * Perhaps no UTF-8. */
	char *path;
	const char *name; /* the end of it */
	char *version;    /* "5.5.2650.24"; NULL: it says none */
	uint64_t size;    /* bytes */
	/* "": a link to nothing, which still names a file of the pack. */
	char sha256[SPG_SHA256_TEXT_BYTES];
	/* Of an archive: it is a program or a library. Of a package, with a path where
	 * something is: that, or what is there, by its content or its name. */
	bool is_program;
	/* Of a package: the file that is at its path now; {0, 0}: none, or not known. */
	struct spg_file_id there;
};

struct spg_payload {
	char **names;
	size_t n, size;
	struct spg_payload_file *files; /* by name, then by digest, then by path */
	size_t n_files, files_size;
};

#define SPG_PAYLOAD_NULL                                                               \
	{                                                                              \
		NULL, 0, 0, NULL, 0, 0                                                 \
	}

/* Told how far the reading has come: files begun, bytes of files before and of
 * this one; at least after every MiB. */
struct spg_payload_progress {
	void (*on)(void *user, size_t n_files, uint64_t n_bytes);
	void *user;
};

/** Idempotent; takes SPG_PAYLOAD_NULL. */
void spg_payload_finish(struct spg_payload *payload);

/**
 * The names of all files in @folder and the folders below. Symbolic links are
 * followed, a folder that contains itself is read once. What is neither file
 * nor folder is left out.
 *
 * @payload  empty; filled on success, empty on failure
 * @error    on failure: what is wrong and, in a second line, what to do
 *
 * Returns 0; SPG_ERR_NOT_FOUND, SPG_ERR_DENIED, SPG_ERR_INVALID (not a folder,
 * no file in it, a name that is no UTF-8), SPG_ERR_LIMIT, SPG_ERR_IO,
 * SPG_ERR_NOMEM.
 */
int spg_payload_read_folder(
	struct spg_payload *payload, const char *folder, struct spg_buf *error);

/**
 * As spg_payload_read_folder(), and also read every file.
 *
 * @progress  borrowed; NULL: not wanted
 *
 * Also returns SPG_ERR_BUSY: a file changed while it was read.
 */
int spg_payload_read_files(struct spg_payload *payload, const char *folder,
	const struct spg_payload_progress *progress, struct spg_buf *error);

/* For who reads files from elsewhere than a folder: client/archive_payload.h. */

/** Fill in @file->version from @fd, where the file says one. @shown names it in
 * messages. Returns 0 or a spg_err with @error. */
int spg_payload_read_version(struct spg_payload_file *file, int fd, const char *shown,
	struct spg_buf *error);

/**
 * Add @file, with its name. On success its texts belong to @payload; ->name is filled
 * in. Returns 0; SPG_ERR_INVALID (its name is no UTF-8), SPG_ERR_LIMIT, SPG_ERR_NOMEM.
 */
int spg_payload_add(struct spg_payload *payload, const char *shown,
	struct spg_payload_file *file, struct spg_buf *error);

/**
 * Once all are added, or adding failed with @err: sort, drop double names, refuse an
 * empty payload, and on failure empty it. @label names the whole in messages.
 *
 * Returns @err, 0 or SPG_ERR_INVALID.
 */
int spg_payload_conclude(
	struct spg_payload *payload, const char *label, int err, struct spg_buf *error);

/**
 * The names that the list @path says, one a line ("-": standard input). Blanks
 * around a name, CR LF, a UTF-8 byte order mark, empty lines and lines that
 * begin with '#' are skipped. An absolute path stays as it is; of a relative
 * one, or one written with backslashes, only the last part is kept.
 *
 * Otherwise as spg_payload_read_folder().
 */
int spg_payload_read_list(
	struct spg_payload *payload, const char *path, struct spg_buf *error);

/** As spg_payload_read_list(), from @n bytes at @text; @label names the list
 * in messages. */
int spg_payload_parse_list(struct spg_payload *payload, const char *label,
	const char *text, size_t n, struct spg_buf *error);
