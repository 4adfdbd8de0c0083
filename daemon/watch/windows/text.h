/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Paths and text between spguard, which has UTF-8, and Windows, which has UTF-16. What is
 * no valid UTF-16 becomes U+FFFD: such a name can be shown, not opened. Thread-safe.
 */
#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

/* Between the parts of a path inside spguard. Both are read. */
#define SPG_WIN_SEPARATOR '/'

/** @text as UTF-16; the caller frees. NULL: out of memory. */
wchar_t *spg_win_wide(const char *text);

/** @n characters at @text as UTF-8; the caller frees. NULL: out of memory. */
char *spg_win_utf8(const wchar_t *text, size_t n);

/** The absolute path @path as Windows opens it whatever its length: "\\?\C:\dir\file",
 * "\\?\UNC\server\share\file". The caller frees. NULL: out of memory. */
wchar_t *spg_win_native(const char *path);

/** @path, as an NT or a Win32 path names a file, as one that can be opened: a drive letter
 * where the volume has one, else by the volume's device. The caller frees. NULL: out of
 * memory. */
wchar_t *spg_win_from_device(const wchar_t *path);

/** The path inside spguard for a native one, without "\\?\". The caller frees. NULL: out of
 * memory. */
char *spg_win_path(const wchar_t *native);

/** @dir and @name as one path; the caller frees. NULL: out of memory. */
char *spg_win_join(const char *dir, const char *name);

/** The last part of @path, after either separator. */
const char *spg_win_base(const char *path);

/** Are they one path, without regard to case and separators? Letters as Windows compares
 * them. */
bool spg_win_same_path(const char *a, const char *b);

/** What the system says of @error (GetLastError()), without a line break, into @ret. */
const char *spg_win_error(unsigned long error, char *ret, size_t size);
