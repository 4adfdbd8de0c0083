/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What goes to standard output: collected as text, then written at once.
 *
 * Knows the terminal (colour, width, character set) and the reader's time zone.
 * Everything that comes from elsewhere is escaped by the functions here and in
 * common/table.h; only spg_output_raw() takes text as it is.
 */
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "common/buf.h"
#include "common/format.h"
#include "common/table.h"

/* SGR parameters; the colours that every terminal has. */
#define SPG_STYLE_GOOD   "1;32"
#define SPG_STYLE_CARE   "1;33"
#define SPG_STYLE_BAD    "1;31"
#define SPG_STYLE_STRONG "1"
#define SPG_STYLE_WEAK   "2"
#define SPG_STYLE_HOW    "31"
#define SPG_STYLE_PLACE  "36"

struct spg_output {
	struct spg_buf text;
	bool terminal; /* standard output is one */
	bool color;
	bool unicode; /* the locale's character set is UTF-8 */
	bool utc;
	unsigned width;       /* for sentences */
	unsigned table_width; /* for tables; 0: no limit, so that a pipe gets all */
	int64_t now_ns;       /* UTC */
	bool unwritable; /* standard output took less than everything, which was said */
};

/** Look at standard output and the environment. @allow_color: --no-color was
 * not given. Calls setlocale(3) for LC_CTYPE. */
void spg_output_init(struct spg_output *out, bool allow_color, bool utc);

/** Idempotent. */
void spg_output_finish(struct spg_output *out);

/** Write what was collected, and forget it. Returns 0, SPG_ERR_NOMEM, or
 * SPG_ERR_IO, and then a message went to stderr. */
int spg_output_flush(struct spg_output *out);

/** Whether all that went to stdout, by whatever way, was written; says so if not. */
bool spg_output_is_written(struct spg_output *out);

/** Append printf(3) text that is ours, arguments included. */
void spg_output_raw(struct spg_output *out, const char *format, ...) SPG_PRINTF(2, 3);

/** Append @text escaped, in @style (NULL: plain). */
void spg_output_text(struct spg_output *out, const char *style, const char *text);

/** Append a wrapped paragraph, escaped; @first as in spg_display_wrap(). */
void spg_output_wrap(
	struct spg_output *out, const char *first, unsigned indent, const char *text);

/** Append a wrapped paragraph behind @mark, which is at most @indent columns
 * wide and written in @mark_style; the paragraph is in @style. */
void spg_output_marked(struct spg_output *out, const char *mark_style, const char *mark,
	unsigned indent, const char *style, const char *text);

/** Append @value: indented on a terminal, else on one line. */
void spg_output_json(struct spg_output *out, const json_t *value);

/** Append @value on one line, whatever stdout is. */
void spg_output_json_line(struct spg_output *out, const json_t *value);

/** Append @table, indented, and release it. */
void spg_output_table(struct spg_output *out, struct spg_table *table, unsigned indent);

/* ---- pieces of text, appended to @buf ---- */

/** A time of JSON as a reader wants it: the clock for today, else the day, with
 * the clock unless that is long ago; with @milliseconds all of it. "?" for what
 * is no time. */
void spg_output_time(const struct spg_output *out, struct spg_buf *buf,
	const char *rfc3339, bool milliseconds);

/** A duration in the terminal's character set. */
void spg_output_duration(const struct spg_output *out, struct spg_buf *buf, int64_t ns);

/** "12,345". */
void spg_output_count(struct spg_buf *buf, int64_t number);

/** "1.2 MiB". */
void spg_output_bytes(struct spg_buf *buf, int64_t bytes);

/* ---- members of JSON objects; NULL, 0, false, empty when absent or of another
 *      type, so that an odd answer never does harm ---- */

const char *spg_json_text(const json_t *object, const char *key);
int64_t spg_json_number(const json_t *object, const char *key);
bool spg_json_true(const json_t *object, const char *key);
const json_t *spg_json_list(const json_t *object, const char *key);

/** Nanoseconds UTC of a member that is a time after 1970; else 0. */
int64_t spg_json_time(const json_t *object, const char *key);
