/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Reads a Windows program or library; see binary.h for what comes of it. Any thread.
 */
#include "common/buf.h"
#include "common/pe.h"

/**
 * Read a file. Blocks as long as @source does.
 *
 * @ret    on success the caller's, for spg_binary_destroy()
 * @error  on failure: what is wrong, in words without the file's name
 *
 * Returns 0, then see spg_binary.status; SPG_ERR_INVALID when this is no PE file
 * (text, ELF, a 16-bit program); SPG_ERR_CORRUPT when it is one whose headers
 * are damaged or that was cut off; SPG_ERR_LIMIT; SPG_ERR_NOMEM; what
 * @source->read returned.
 */
int spg_pe_read(struct spg_binary **ret, const struct spg_pe_source *source,
	struct spg_buf *error);
