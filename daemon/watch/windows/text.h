/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Paths as this backend needs them beyond common/windows/wide.h. "Native" is a path that
 * every call of Windows takes, with "\\?\" before it. Thread-safe.
 */
#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

/** @path, as an NT or a Win32 path names a file, as one that can be opened: a drive letter
 * where the volume has one, else by the volume's device. The caller frees. NULL: out of
 * memory. */
wchar_t *spg_win_from_device(const wchar_t *path);

/** @dir and @name as one path; the caller frees. NULL: out of memory. */
char *spg_win_join(const char *dir, const char *name);

/** The native path of @name in the native @dir: byte by byte, since a name need not be valid
 * text. The caller frees. NULL: out of memory. */
wchar_t *spg_win_join_native(const wchar_t *dir, const wchar_t *name);

/** The last part of @path, after either separator. */
const char *spg_win_base(const char *path);

/** Are they one path, without regard to case and separators? Letters as Windows compares
 * them. */
bool spg_win_same_path(const char *a, const char *b);

/** What the system says of @error (GetLastError()), without a line break, into @ret. */
const char *spg_win_error(unsigned long error, char *ret, size_t size);
