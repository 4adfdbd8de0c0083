/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Which files a profile is about: those that a process keeps in use for as long as it
 * runs, programs and libraries, whatever their format; and which directories the whole
 * system shares. Reads files and directories; blocks.
 */
#include <stdbool.h>
#include <stddef.h>

#include "client/error.h"
#include "common/texts.h"

/* What SPG_MODULE_* mean for the patterns of a profile. */
enum spg_module {
	SPG_MODULE_NONE,
	SPG_MODULE_UNIX,    /* ELF, a JAR, an image of Java's modules */
	SPG_MODULE_WINDOWS, /* a PE file, whose name compares without case */
};

/** What the file at @path is; a symbolic link is none. */
enum spg_module spg_module_at(const char *path);

/** True for /usr/bin and its like, which programs of everybody share. @path is resolved. */
bool spg_directory_is_common(const char *path);

/** @path with all links of its directory resolved, but not its last part; to be freed.
 * NULL: there is no such directory. */
char *spg_resolve_directory_of(const char *path);

/**
 * The modules in @directory and below.
 *
 * @ret          their paths, appended
 * @has_windows  set when one of them is of Windows, else left alone
 *
 * Returns false after it complained: the directory cannot be read, or there is more in
 * it than a profile is for.
 */
bool spg_modules_below(const char *directory, struct spg_texts *ret, bool *has_windows,
	struct spg_complaint *why);

/** The names in @directory itself, appended to @ret; none when it cannot be read. False:
 * out of memory. */
bool spg_names_in(const char *directory, struct spg_texts *ret);
