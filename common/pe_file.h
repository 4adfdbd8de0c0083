/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The PE reader (pe_reader.h) on a file of this system. It is read with pread
 * and never mapped: a mapping would make the reader one of the file's holders
 * for as long as it lasts, and die of SIGBUS when the file is shortened.
 */
#include "common/pe_reader.h"
#include "common/pe_signed.h"

/**
 * As spg_pe_read(), from @fd, a regular file open for reading; its position
 * stays. A file that becomes shorter meanwhile gives SPG_ERR_BUSY.
 */
int spg_pe_read_fd(struct spg_binary **ret, int fd, struct spg_buf *error);

/** As spg_pe_signed_begin(), from @fd. */
int spg_pe_signed_begin_fd(struct spg_pe_signed *ret, int fd);

/**
 * As spg_pe_read_fd(), but what stands under the name of a module (@name, bare) and
 * is none gives SPG_ERR_CORRUPT, unless it may be meant (common/pe_other.h).
 */
int spg_pe_read_named_fd(
	struct spg_binary **ret, int fd, const char *name, struct spg_buf *error);
