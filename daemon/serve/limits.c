/* SPDX-License-Identifier: MIT */
#include "daemon/serve/limits.h"

#include "common/platform.h"

bool spg_descriptors_are_short(int fd, size_t kept)
{
	uint64_t limit = spg_platform_descriptor_limit();

	/* The lowest free number is given out: a high one means few are left. */
	if (limit == 0)
		return false;
	if (kept > limit / 2)
		kept = limit / 2;
	return (uint64_t)fd >= limit - kept;
}
