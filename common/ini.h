/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * INI, a line at a time out of a text in memory: sections, "key = value" (or with a
 * colon), and values that go on in an indented line. Knows no section and no key.
 *
 *  - A line that begins with # or ; is a comment, and so is the rest of a line behind a
 *    blank and a semicolon. Comments and empty lines may stand between a value and the
 *    line in which it goes on.
 *  - A line ends with LF or CR LF, the last one also with the text. A byte order mark at
 *    the start of the text is passed over.
 *  - Nothing is cut. What is longer than its bound is a fault, and then what belongs to
 *    it is passed over: the lines of a section whose name is no good are no other
 *    section's, and further lines of a value that was refused are nobody's.
 *
 * Allocates nothing and does no IO. Not thread-safe.
 */
#include <stdbool.h>
#include <stddef.h>

#define SPG_INI_LINE_MAX    65536 /* bytes, without the line's end */
#define SPG_INI_SECTION_MAX 263   /* bytes: "product " or "advice " and a file's name */
#define SPG_INI_KEY_MAX     64    /* bytes */

enum spg_ini_kind {
	SPG_INI_END, /* of the text */
	SPG_INI_SECTION,
	SPG_INI_VALUE,
	SPG_INI_CONTINUED, /* a further line of the value before */
	/* Faults; of these only the line is set. */
	SPG_INI_NO_FORM,      /* no "key = value" and no "[section]" */
	SPG_INI_NUL,          /* a NUL byte: this is no text, or not in UTF-8 */
	SPG_INI_LONG_LINE,    /* longer than SPG_INI_LINE_MAX */
	SPG_INI_LONG_SECTION, /* longer than SPG_INI_SECTION_MAX */
	SPG_INI_LONG_KEY,     /* longer than SPG_INI_KEY_MAX */
};

struct spg_ini_item {
	enum spg_ini_kind kind;
	unsigned line;     /* from 1 on */
	const char *name;  /* the section's, or the key */
	const char *value; /* without blanks around it */
};

struct spg_ini {
	char *at, *end;
	unsigned line;
	const char *key; /* the last one of this section; NULL: none yet */
	bool skips_section, skips_value;
};

/**
 * Begin with @text, @n bytes and a '\0' behind them. It is borrowed until the last item
 * has been used, and changed on the way.
 */
void spg_ini_begin(struct spg_ini *ini, char *text, size_t n);

/** The next item; its strings are part of the text. At the end SPG_INI_END, for ever. */
void spg_ini_next(struct spg_ini *ini, struct spg_ini_item *ret);
