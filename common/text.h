/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Text that may be hostile, and names that compare by a product's rules.
 *
 * Names, paths and command lines of other processes are bytes chosen by
 * somebody else. Before they reach a terminal, a log or JSON they pass through
 * spg_text_escape(). Thread-safe: no state.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

/**
 * Append @text so that it is valid UTF-8 on one line, and shows all that there is:
 * control characters, bytes that are no UTF-8, line separators, marks of direction and
 * whatever else is invisible become \xNN per byte; a backslash becomes "\\" only when
 * @escape_backslash (text meant to be reversed), else it stays.
 */
void spg_text_escape(struct spg_buf *out, const char *text, bool escape_backslash);

/** The same into @ret, @size bytes with the '\0', cut at a whole character where it does
 * not fit; a backslash stays. Needs no memory. */
void spg_text_escape_into(char *ret, size_t size, const char *text);

/** True when @text needs no change by spg_text_escape(.., false). */
bool spg_text_is_clean(const char *text);

/**
 * Length in bytes of the valid UTF-8 sequence at @text (1..4), 0 when the
 * bytes there are no valid sequence; @n bytes may be read.
 */
size_t spg_text_utf8_length(const char *text, size_t n);

/** True when all @n bytes at @text are valid UTF-8. */
bool spg_text_is_utf8(const char *text, size_t n);

/**
 * Append @text as one word for this system's shell. For that of POSIX: unchanged when it is plain, else in single
 * quotes. What spg_text_escape() would escape is written by printf(1), so that the word
 * still is @text; line breaks at its end alone get lost.
 */
void spg_text_shell_quote(struct spg_buf *out, const char *text);

/*
 * Names by a product's rule: byte by byte, or with @ignore_case by Unicode's simple
 * case folding (common/fold.h), without a locale. A byte that is no UTF-8 is a character
 * of its own.
 */

/** True when they are one name: spg_name_compare() is 0. */
bool spg_name_equal(const char *a, const char *b, bool ignore_case);

/** < 0, 0 or > 0: a total order. */
int spg_name_compare(const char *a, const char *b, bool ignore_case);

/** The same of @n_a and @n_b bytes, which need not end in a '\0'. */
int spg_name_compare_parts(
	const char *a, size_t n_a, const char *b, size_t n_b, bool ignore_case);

/** With how many of its @n bytes @name says all of @start, @n_start bytes; SIZE_MAX when
 * it begins otherwise. With @ignore_case that may be more or less than @n_start. */
size_t spg_name_begin(const char *name, size_t n, const char *start, size_t n_start,
	bool ignore_case);

/** The last character of @text, @n > 0 bytes, as compared; @ret_len gets its bytes. */
uint32_t spg_name_last(const char *text, size_t n, bool ignore_case, size_t *ret_len);

/**
 * Match @name against a glob: '*', '?', '[a-z]' and '[!a-z]', each character one of
 * UTF-8. A '*' does not match '/'. With @ignore_case a set has each character of which
 * it has another case. Time is bounded by strlen(pattern) * strlen(name).
 */
bool spg_name_match(const char *pattern, const char *name, bool ignore_case);

/** True when @pattern has no wildcard, so that it names one file. */
bool spg_name_is_literal(const char *pattern);

/** Bytes of a product's name. */
#define SPG_PRODUCT_NAME_MAX 64

/** True when @name may be a product's: letters a-z, digits, '_', '-' and '.'. */
bool spg_name_is_product(const char *name);

/** The part of @path after its last '/'; @path itself without one. */
const char *spg_path_base(const char *path);

/** True when @path begins with the root of its system. */
bool spg_path_is_absolute(const char *path);

/**
 * True when @path lies below directory @dir (or is @dir, if @or_equal), by
 * whole components. Both are absolute and normalised.
 */
bool spg_path_below(const char *path, const char *dir, bool or_equal);

/** True when @path is a name in directory @dir itself. The same. */
bool spg_path_directly_in(const char *path, const char *dir);

/** True for "/run/NAME/FILE", whose directory a service makes for itself. */
bool spg_path_is_runtime(const char *path);

/**
 * Put @path into normal form in place: duplicate slashes, "." components and
 * trailing slashes go; ".." stays, since a symlink may precede it.
 */
void spg_path_normalise(char *path);
