/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Where the contents of an archive's files are kept: each once, as a file that is called by
 * its digest (SHA-256, in hexadecimal), which only its user can read.
 */
#include <stdint.h>

struct spg_archive_unpack {
	int directory_fd;   /* borrowed */
	uint64_t bytes_max; /* of all together */
};
