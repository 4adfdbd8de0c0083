/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A service pack that is an archive: .deb, .rpm, .tar and .cpio (.gz .xz .zst .bz2 .lz4
 * .lzma .Z), .zip, .cab, .iso, .7z. What it is tells its content, not its name.
 *
 * It is read by libarchive with the caller's rights and as a stream; unless the caller
 * asks for it nothing is unpacked, but for a module beyond 64 MiB, which lies in an unlinked temporary file while its
 * version is read. A .deb or .rpm is the files that it installs. A .deb, .rpm or .cab in
 * another archive is read too; whatever else lies in one is a file like others, and an
 * archive deeper down is an error.
 *
 * The archive is hostile: time and memory have limits, a path with ".." is refused, and
 * one that is damaged or not complete is an error and never a shorter list.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/archive_unpack.h"
#include "common/buf.h"
#include "common/payload.h"

#define SPG_ARCHIVE_BYTES_MAX (UINT64_C(64) << 30) /* of all files, unpacked */

struct spg_archive_limits {
	size_t entries_max;                      /* 0: SPG_PAYLOAD_FILES_MAX */
	uint64_t bytes_max;                      /* 0: SPG_ARCHIVE_BYTES_MAX */
	const struct spg_archive_unpack *unpack; /* NULL: nothing is unpacked */
	/* Of a package where its files go, and nothing of contents: no size, version or
	 * digest. There may be no file at all, as in one that only needs others. What is
	 * no package is SPG_ARCHIVE_NONE. */
	bool paths_only;
};

#define SPG_ARCHIVE_NONE 1 /* a file, but not of this kind */

/**
 * The files of the archive @path, each with its path in it, or of a package the one that
 * it will have on this machine, version, size and digest.
 * Blocks.
 *
 * @payload   empty; filled on success, else empty
 * @limits    borrowed
 * @progress  borrowed; NULL: not wanted
 * @error     on failure: what is wrong and, in a second line, what to do
 *
 * Returns 0; SPG_ARCHIVE_NONE, also where @path is no regular file; SPG_ERR_CORRUPT;
 * SPG_ERR_UNSUPPORTED (encrypted, of Windows Installer, libarchive is missing); and as
 * spg_payload_read_files().
 */
int spg_archive_read(struct spg_payload *payload, const char *path,
	const struct spg_archive_limits *limits,
	const struct spg_payload_progress *progress, struct spg_buf *error);
