/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Text at the edge to Windows: UTF-8 inside, UTF-16 there. What is returned is the
 * caller's, for free(); NULL: out of memory (errno is ENOMEM), or no valid text
 * (EILSEQ). Thread-safe.
 */
#include <stddef.h>
#include <wchar.h>

wchar_t *spg_wide(const char *text);

/** @n units; unpaired surrogates become U+FFFD. */
char *spg_wide_to_text(const wchar_t *wide, size_t n);

/**
 * A path as every call of Windows takes it, of any length: absolute, with "\\?\" before
 * it and '\' between its parts.
 */
wchar_t *spg_wide_path(const char *path);

/** The way back: "\\?\C:\x", "\\?\UNC\server\x" and "C:\x" become "C:/x", "//server/x". */
char *spg_wide_to_path(const wchar_t *wide, size_t n);

/** The path of an open file; NULL when there is none. @handle: a HANDLE. */
char *spg_wide_handle_path(void *handle);
