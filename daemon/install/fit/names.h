/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Inside of fit.c: names of modules, symbols and folders, as Windows compares them.
 */
#include <stdbool.h>
#include <stddef.h>

/** Text that need not end in '\0'. */
struct spg_fit_text {
	const char *text;
	size_t n;
};

/** All of @text. */
struct spg_fit_text spg_fit_whole(const char *text);

/** The folder of @path, with the slash at its end. */
struct spg_fit_text spg_fit_folder(const char *path);

/** Compare texts as names of files: by spg_name_compare(), the case ignored when @fold. */
int spg_fit_compare(struct spg_fit_text a, struct spg_fit_text b, bool fold);

/** Take @start off the beginning of @text, compared likewise; false: it begins
 * otherwise, and stays. */
bool spg_fit_take(struct spg_fit_text *text, struct spg_fit_text start, bool fold);

/** True when @name begins with @with, ASCII letters folded. */
bool spg_fit_begins(const char *name, const char *with);
