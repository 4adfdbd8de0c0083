/* SPDX-License-Identifier: MIT */
#include "daemon/serve/limits.h"

#include <sys/resource.h>

bool spg_descriptors_are_short(int fd, size_t kept)
{
	struct rlimit limit;

	/* The lowest free number is given out: a high one means few are left. */
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return false;
	if (kept > limit.rlim_cur / 2)
		kept = limit.rlim_cur / 2;
	return (rlim_t)fd >= limit.rlim_cur - kept;
}
