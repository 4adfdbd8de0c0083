/* SPDX-License-Identifier: MIT */
#pragma once
/* glob(3), of which only the last part of a pattern may have wildcards. The names found
 * are in order. */
#include <stddef.h>

typedef struct {
	size_t gl_pathc;
	char **gl_pathv;
} glob_t;

enum { GLOB_NOSPACE = 1, GLOB_ABORTED, GLOB_NOMATCH };

/** @flags 0, @on_error NULL. */
int glob(const char *pattern, int flags, int (*on_error)(const char *, int),
	glob_t *ret);

void globfree(glob_t *found);
