/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Text laid out in the columns of a terminal: tables that fit a width, wrapped
 * paragraphs, elided names.
 *
 * Widths are terminal columns: wide characters take two, combining ones none
 * (wcwidth(3); set LC_CTYPE to a UTF-8 locale first, else every character
 * counts as one). Everything given here may be hostile: it is escaped by
 * spg_text_escape() before it is measured or written. Not thread-safe.
 */
#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"

/* How a column gives way when the table is too wide. */
enum spg_table_elide {
	SPG_TABLE_KEEP,   /* it does not */
	SPG_TABLE_END,    /* the end of a text goes: "Microsoft Exch…" */
	SPG_TABLE_MIDDLE, /* the middle, and of a path the folders:
	                     "/srv/e…/Mdbperf.dll" */
};

struct spg_table_column {
	const char *title; /* plain ASCII; borrowed for the table's life */
	bool right;        /* aligned right: numbers */
	enum spg_table_elide elide;
	unsigned min_width; /* is not elided below that */
};

/* A cell, or a line that spans all columns. */
struct spg_table_cell {
	char *text;        /* escaped */
	const char *style; /* SGR parameters such as "1;31"; NULL plain; borrowed */
	unsigned width;
	bool span;
};

/* Filled cell by cell, rendered once. After an allocation failed, `failed`
 * stays set, adding does nothing and rendering fails. */
struct spg_table {
	const struct spg_table_column *columns; /* borrowed */
	size_t n_columns;
	struct spg_table_cell *cells;
	size_t n_cells, size_cells;
	bool failed;
};

#define SPG_TABLE_NULL                                                                 \
	{                                                                              \
		NULL, 0, NULL, 0, 0, false                                             \
	}

/* How to write. */
struct spg_table_view {
	unsigned width;  /* columns that a line may take; 0: no limit */
	unsigned indent; /* blanks in front of every line */
	bool color;      /* write styles */
	bool unicode;    /* "…" marks what was elided; else "..." */
};

/** An empty table; @columns are borrowed for its life. */
void spg_table_init(struct spg_table *table, const struct spg_table_column *columns,
	size_t n_columns);

/** Idempotent; takes SPG_TABLE_NULL. */
void spg_table_finish(struct spg_table *table);

/** Add the next cell of the current row, or the first of a new one. NULL as
 * @text is an empty cell. */
void spg_table_add(struct spg_table *table, const char *style, const char *text);

/** Fill the current row, if one is begun, and add a line over all columns; it
 * is wrapped when too long, and does not widen the table. */
void spg_table_add_span(struct spg_table *table, const char *style, const char *text);

/** Number of rows, spans included. */
size_t spg_table_n_rows(const struct spg_table *table);

/**
 * Append the table to @out: titles (unless all are empty) and rows, two blanks
 * between columns, no blanks at the end of a line. Columns give way down to
 * their least width; if that is not enough, lines are longer than @view->width.
 * @out fails when the table has.
 */
void spg_table_render(const struct spg_table *table, const struct spg_table_view *view,
	struct spg_buf *out);

/** Columns that clean @text takes on a terminal. */
unsigned spg_display_width(const char *text);

/**
 * Append @text, escaped, cut to @width columns in the given way, and return
 * the columns written.
 */
unsigned spg_display_elide(struct spg_buf *out, const char *text, unsigned width,
	enum spg_table_elide how, bool unicode);

/**
 * Append @text as a paragraph of lines of at most @width columns, with a line
 * break at its end. The first line begins with @first (or blanks when NULL; it
 * is at most @indent columns wide and padded to that), the others with @indent
 * blanks. A word longer than a line is not broken, so that it can be copied.
 */
void spg_display_wrap(struct spg_buf *out, const char *text, const char *first,
	unsigned indent, unsigned width);
