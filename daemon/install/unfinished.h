/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What an installer that was ended in the middle leaves behind: the new version of a file,
 * beside it and not yet in its place, by the name that dpkg, rpm or rsync gives it. Pure.
 */
#include <stdbool.h>
#include <stddef.h>

#include "daemon/install/fit/module_set.h"

/* More are not told apart; one is enough for an install to be mixed. */
#define SPG_UNFINISHED_MAX 1000

struct spg_unfinished {
	const struct spg_module *module; /* in its place; borrowed */
	const struct spg_module *beside; /* its new version; borrowed */
};

/** The path that the file at @path would have got, for free(); NULL: it is none that is
 * known to be unfinished, or no memory. */
char *spg_unfinished_target(const char *path);

/**
 * The files of @after whose new version has come to lie beside them since @before (NULL:
 * not known, then there is none) and is another one than they are.
 *
 * @ret  room for SPG_UNFINISHED_MAX
 *
 * Returns how many.
 */
size_t spg_unfinished_find(struct spg_unfinished *ret,
	const struct spg_module_set *before, const struct spg_module_set *after);
