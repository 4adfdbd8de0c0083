/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The cache in which the dynamic loader of glibc finds libraries by name
 * (/etc/ld.so.cache, ldconfig(8); glibc's sysdeps/generic/dl-cache.h), in the format that
 * begins with "glibc-ld.so.cache1.1", perhaps behind one of before 2.2. Its content is
 * hostile input.
 */
#include <stddef.h>

#include "daemon/install/fit/surroundings.h"

#define SPG_LD_CACHE_BYTES_MAX (64U << 20)

/** Read the system's cache, and what this processor can do, into @around. A system
 * without one, and one that is damaged, has no lines: the loader does without, too.
 * Returns 0 or SPG_ERR_NOMEM. Blocks. */
int spg_ld_cache_read(struct spg_surroundings *around);

/** The @n bytes of a cache at @bytes into @around, whose levels are known. Returns 0,
 * SPG_ERR_INVALID: it is damaged, or none; SPG_ERR_NOMEM. */
int spg_ld_cache_parse(struct spg_surroundings *around, const char *bytes, size_t n);
