/* SPDX-License-Identifier: MIT */
#include "daemon/host/descriptors.h"

#include <sys/resource.h>

#include "common/log.h"

/* The soft limit is historic. */
void spg_descriptors_raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		spg_debug("the limit of descriptors stays as it is");
}
