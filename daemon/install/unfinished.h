/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What an installer that was ended in the middle leaves behind: the new version of a file,
 * beside it and not yet in its place, under the name that dpkg, rpm or rsync gives it. Pure.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/install/fit/module_set.h"

/* rsync --delay-updates keeps new versions in a folder of this name, beside the files. */
#define SPG_UNFINISHED_FOLDER ".~tmp~"

/* More are not told apart; one is enough for an install to be mixed. */
#define SPG_UNFINISHED_MAX    1000

struct spg_unfinished {
	const struct spg_module *module; /* in its place; NULL: nothing is. Borrowed */
	const struct spg_module *beside; /* its new version; borrowed */
};

/** The path that the file at @path would have got, for free(). @ret_certain: no other
 * program gives its files such names. NULL: it is none that is known to be unfinished, or
 * no memory. */
char *spg_unfinished_target(const char *path, bool *ret_certain);

/**
 * What lies beside the files of @after (its ->beside) and is another version of them; and
 * what certainly was to become a file that is not there.
 *
 * @before what the product had: its own file, whatever its name, is not rsync's. May be NULL.
 * @known  what lay there when an install was judged last, or spg_unfinished_old(): that
 *         is not told again. NULL: not known.
 * @ret    room for SPG_UNFINISHED_MAX
 *
 * Returns how many.
 */
size_t spg_unfinished_find(struct spg_unfinished *ret,
	const struct spg_module_set *before, const struct spg_module_set *known,
	const struct spg_module_set *after);

/** Those of @beside that have lain there for so long at @now_ns (UTC) that no installer
 * that runs has written them. NULL: out of memory. */
struct spg_module_set *spg_unfinished_old(
	const struct spg_module_set *beside, int64_t now_ns);
