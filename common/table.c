/* SPDX-License-Identifier: MIT */
#include "common/table.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/platform.h"
#include "common/text.h"

#define COLUMN_GAP  2
#define COLUMNS_MAX 16

/* Decode the valid UTF-8 sequence of @len bytes at @s. */
static uint32_t code_point(const char *s, size_t len)
{
	static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t code = (unsigned char)s[0] & masks[len];

	for (size_t i = 1; i < len; i++)
		code = code << 6 | ((unsigned char)s[i] & 0x3f);
	return code;
}

/* Bytes of the first character of clean, non-empty @text, and its columns. */
static size_t first_character(const char *text, unsigned *ret_width)
{
	size_t len = spg_text_utf8_length(text, strlen(text));

	*ret_width = len == 0 ? 1 : spg_platform_columns(code_point(text, len));
	return len == 0 ? 1 : len;
}

unsigned spg_display_width(const char *text)
{
	unsigned total = 0, width;

	while (*text) {
		text += first_character(text, &width);
		total += width;
	}
	return total;
}

/* Bytes of the longest head of @text that takes at most @columns. */
static size_t head_bytes(const char *text, unsigned columns, unsigned *ret_width)
{
	size_t bytes = 0;
	unsigned total = 0, width;

	while (text[bytes]) {
		size_t len = first_character(text + bytes, &width);

		if (total + width > columns)
			break;
		bytes += len;
		total += width;
	}
	*ret_width = total;
	return bytes;
}

/* Start of the longest tail of @text that takes at most @columns. */
static const char *tail_start(const char *text, unsigned columns, unsigned *ret_width)
{
	unsigned total = spg_display_width(text), width;

	/* A combining character must not become the first of the tail. */
	while (*text) {
		size_t len = first_character(text, &width);

		if (total <= columns && width > 0)
			break;
		text += len;
		total -= width;
	}
	*ret_width = total;
	return text;
}

static unsigned elide_clean(struct spg_buf *out, const char *text, unsigned width,
	enum spg_table_elide how, bool unicode)
{
	const char *mark = unicode ? "…" : "...";
	unsigned mark_width = unicode ? 1 : 3, head, tail = 0;
	unsigned whole = spg_display_width(text);
	const char *rest = "", *slash;
	size_t bytes;

	if (whole <= width || how == SPG_TABLE_KEEP) {
		spg_buf_puts(out, text);
		return whole;
	}
	if (width <= mark_width) {
		bytes = head_bytes(text, width, &head);
		spg_buf_add(out, text, bytes);
		return head;
	}
	width -= mark_width;
	if (how == SPG_TABLE_MIDDLE) {
		slash = strrchr(text, '/');
		/* The file's own name says most: it stays whole if it can. */
		if (slash && spg_display_width(slash) <= width)
			rest = tail_start(slash, width, &tail);
		else
			rest = tail_start(text, width - width / 2, &tail);
	}
	bytes = head_bytes(text, width - tail, &head);
	spg_buf_add(out, text, bytes);
	spg_buf_puts(out, mark);
	spg_buf_puts(out, rest);
	return head + mark_width + tail;
}

unsigned spg_display_elide(struct spg_buf *out, const char *text, unsigned width,
	enum spg_table_elide how, bool unicode)
{
	struct spg_buf clean = SPG_BUF_NULL;
	unsigned written;

	spg_text_escape(&clean, text, false);
	if (clean.failed)
		out->failed = true;
	written = elide_clean(out, spg_buf_text(&clean), width, how, unicode);
	spg_buf_finish(&clean);
	return written;
}

static void blanks(struct spg_buf *out, unsigned n)
{
	while (n-- > 0)
		spg_buf_putc(out, ' ');
}

void spg_display_wrap(struct spg_buf *out, const char *text, const char *first,
	unsigned indent, unsigned width)
{
	struct spg_buf clean = SPG_BUF_NULL;
	unsigned column = first ? spg_display_width(first) : 0;
	bool line_empty = true;
	const char *word;

	spg_text_escape(&clean, text, false);
	if (clean.failed)
		out->failed = true;
	spg_buf_puts(out, first ? first : "");
	blanks(out, column < indent ? indent - column : 0);
	column = column < indent ? indent : column;
	for (word = spg_buf_text(&clean); *word;) {
		size_t len = strcspn(word, " ");
		unsigned word_width = 0, w;

		for (size_t i = 0; i < len; word_width += w)
			i += first_character(word + i, &w);
		if (len && !line_empty && column + 1 + word_width > width) {
			spg_buf_putc(out, '\n');
			blanks(out, indent);
			column = indent;
			line_empty = true;
		}
		if (len && !line_empty) {
			spg_buf_putc(out, ' ');
			column++;
		}
		if (len) {
			spg_buf_add(out, word, len);
			column += word_width;
			line_empty = false;
		}
		word += len + (word[len] == ' ');
	}
	spg_buf_putc(out, '\n');
	spg_buf_finish(&clean);
}

void spg_table_init(struct spg_table *table, const struct spg_table_column *columns,
	size_t n_columns)
{
	*table = (struct spg_table)SPG_TABLE_NULL;
	table->columns = columns;
	table->n_columns = n_columns;
	if (n_columns > COLUMNS_MAX)
		table->failed = true;
}

void spg_table_finish(struct spg_table *table)
{
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i].text);
	free(table->cells);
	*table = (struct spg_table)SPG_TABLE_NULL;
}

static void add_cell(
	struct spg_table *table, const char *style, const char *text, bool span)
{
	struct spg_buf clean = SPG_BUF_NULL;
	struct spg_table_cell *cell;

	if (table->failed)
		return;
	if (spg_array_reserve(&table->cells, table->n_cells, &table->size_cells,
		    sizeof(*cell)) < 0) {
		table->failed = true;
		return;
	}
	spg_text_escape(&clean, text ? text : "", false);
	cell = &table->cells[table->n_cells];
	cell->width = spg_display_width(spg_buf_text(&clean));
	cell->style = style;
	cell->span = span;
	cell->text = spg_buf_take(&clean);
	if (!cell->text) {
		table->failed = true;
		return;
	}
	table->n_cells++;
}

/* Cells of the last row that are there; 0 when it is complete. */
static size_t cells_begun(const struct spg_table *table)
{
	size_t n = 0;

	for (size_t i = table->n_cells; i > 0 && !table->cells[i - 1].span; i--)
		n++;
	return n % table->n_columns;
}

void spg_table_add(struct spg_table *table, const char *style, const char *text)
{
	add_cell(table, style, text, false);
}

void spg_table_add_span(struct spg_table *table, const char *style, const char *text)
{
	while (!table->failed && cells_begun(table) != 0)
		add_cell(table, NULL, "", false);
	add_cell(table, style, text, true);
}

size_t spg_table_n_rows(const struct spg_table *table)
{
	size_t rows = 0, in_row = 0;

	for (size_t i = 0; i < table->n_cells; i++) {
		if (table->cells[i].span) {
			rows++;
			in_row = 0;
		} else if (in_row++ % table->n_columns == 0) {
			rows++;
		}
	}
	return rows;
}

/* The width of every column: what it needs, then less while it is too much. */
static void fit(const struct spg_table *table, const struct spg_table_view *view,
	unsigned *widths)
{
	unsigned total = view->indent + COLUMN_GAP * (unsigned)(table->n_columns - 1);
	size_t column = 0;

	for (size_t i = 0; i < table->n_columns; i++)
		widths[i] = spg_display_width(table->columns[i].title);
	for (size_t i = 0; i < table->n_cells; i++) {
		if (table->cells[i].span) {
			column = 0;
			continue;
		}
		if (table->cells[i].width > widths[column])
			widths[column] = table->cells[i].width;
		column = (column + 1) % table->n_columns;
	}
	for (size_t i = 0; i < table->n_columns; i++)
		total += widths[i];
	while (view->width && total > view->width) {
		size_t widest = table->n_columns;

		for (size_t i = 0; i < table->n_columns; i++)
			if (table->columns[i].elide != SPG_TABLE_KEEP &&
				widths[i] > table->columns[i].min_width &&
				widths[i] > 1 &&
				(widest == table->n_columns ||
					widths[i] > widths[widest]))
				widest = i;
		if (widest == table->n_columns)
			return;
		/* Down to the second widest at once would be faster; lines are short. */
		widths[widest]--;
		total--;
	}
}

struct row_writer {
	const struct spg_table *table;
	const struct spg_table_view *view;
	struct spg_buf *out;
	unsigned pending; /* blanks owed; never written at the end of a line */
};

static void write_cell(struct row_writer *w, size_t column, unsigned width,
	const char *style, const char *text)
{
	const struct spg_table_column *c = &w->table->columns[column];
	struct spg_buf fitted = SPG_BUF_NULL;
	unsigned used = elide_clean(&fitted, text, width, c->elide, w->view->unicode);
	unsigned pad = used < width ? width - used : 0;

	if (fitted.failed)
		w->out->failed = true;
	if (used) {
		blanks(w->out, w->pending + (c->right ? pad : 0));
		w->pending = c->right ? 0 : pad;
		if (style && w->view->color)
			spg_buf_printf(w->out, "\033[%sm", style);
		spg_buf_puts(w->out, spg_buf_text(&fitted));
		if (style && w->view->color)
			spg_buf_puts(w->out, "\033[0m");
	} else {
		w->pending += width;
	}
	w->pending += COLUMN_GAP;
	spg_buf_finish(&fitted);
}

static void write_titles(struct row_writer *w, const unsigned *widths)
{
	bool any = false;

	for (size_t i = 0; i < w->table->n_columns; i++)
		any = any || w->table->columns[i].title[0];
	if (!any)
		return;
	w->pending = w->view->indent;
	for (size_t i = 0; i < w->table->n_columns; i++)
		write_cell(w, i, widths[i], "2", w->table->columns[i].title);
	spg_buf_putc(w->out, '\n');
}

static void write_span(struct row_writer *w, const struct spg_table_cell *cell)
{
	bool styled = cell->style && w->view->color;
	struct spg_buf lines = SPG_BUF_NULL;

	/* Wrapping joins blanks, so a name that fits is written as it is. */
	if (w->view->width == 0 || w->view->indent + cell->width <= w->view->width) {
		blanks(&lines, w->view->indent);
		spg_buf_puts(&lines, cell->text);
		spg_buf_putc(&lines, '\n');
	} else {
		spg_display_wrap(
			&lines, cell->text, NULL, w->view->indent, w->view->width);
	}
	if (styled)
		spg_buf_printf(w->out, "\033[%sm", cell->style);
	if (lines.len)
		spg_buf_add(w->out, lines.data, lines.len - 1);
	if (styled)
		spg_buf_puts(w->out, "\033[0m");
	spg_buf_putc(w->out, '\n');
	if (lines.failed)
		w->out->failed = true;
	spg_buf_finish(&lines);
}

void spg_table_render(const struct spg_table *table, const struct spg_table_view *view,
	struct spg_buf *out)
{
	struct row_writer w = {table, view, out, 0};
	unsigned widths[COLUMNS_MAX];
	size_t column = 0;

	if (table->failed) {
		out->failed = true;
		return;
	}
	fit(table, view, widths);
	write_titles(&w, widths);
	for (size_t i = 0; i < table->n_cells; i++) {
		const struct spg_table_cell *cell = &table->cells[i];

		if (cell->span) {
			write_span(&w, cell);
			column = 0;
			continue;
		}
		if (column == 0)
			w.pending = view->indent;
		write_cell(&w, column, widths[column], cell->style, cell->text);
		column = (column + 1) % table->n_columns;
		if (column == 0 || i + 1 == table->n_cells)
			spg_buf_putc(out, '\n');
	}
}
