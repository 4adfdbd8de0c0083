/* SPDX-License-Identifier: MIT */
/* In place of common/windows/quotes.c, where words are expected as a shell of POSIX has
 * them. */
#include "common/platform.h"

bool spg_platform_has_double_quotes(void)
{
	return false;
}
