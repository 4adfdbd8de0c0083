/* SPDX-License-Identifier: MIT */
#include "common/platform.h"

bool spg_platform_has_double_quotes(void)
{
	return true;
}
