/* SPDX-License-Identifier: MIT */
#include "client/event_line.h"

#include "client/describe.h"

#define KIND_WIDTH  11
#define WHO_WIDTH   18
#define WHO_LEAST   6
#define FILE_WIDTH  14 /* at least */

#define NOT_WRAPPED (1U << 30)

static void pad(struct spg_buf *line, unsigned used, unsigned width)
{
	for (; used < width; used++)
		spg_buf_putc(line, ' ');
}

/* Append @text in @width columns. */
static void put_column(struct spg_output *out, const char *style, const char *text,
	unsigned width, enum spg_table_elide how)
{
	unsigned used;

	if (style && out->color)
		spg_buf_printf(&out->text, "\033[%sm", style);
	used = spg_display_elide(&out->text, text, out->terminal ? width : NOT_WRAPPED,
		how, out->unicode);
	if (style && out->color)
		spg_buf_puts(&out->text, "\033[0m");
	pad(&out->text, used, width);
	spg_buf_puts(&out->text, "  ");
}

void spg_event_line_tell(struct spg_output *out, const json_t *event)
{
	struct spg_event_text text;
	unsigned used, fixed, who = WHO_WIDTH;

	spg_describe_event(out, event, &text);
	if (text.is_mark) {
		spg_output_marked(
			out, NULL, "", 0, text.style, spg_buf_text(&text.detail));
		spg_event_text_finish(&text);
		return;
	}
	/* Time, event, who, details; the file's path gets the rest. The time of
	 * another day is long: where there is little room, the name gives way. */
	used = spg_display_width(spg_buf_text(&text.time)) + 2 + KIND_WIDTH + 2 + 2;
	if (out->terminal) {
		who = out->table_width > used + FILE_WIDTH
		              ? out->table_width - used - FILE_WIDTH
		              : 0;
		who = who < WHO_LEAST ? WHO_LEAST : who > WHO_WIDTH ? WHO_WIDTH : who;
	}
	used += who;
	fixed = used + FILE_WIDTH + 2;
	put_column(out, NULL, spg_buf_text(&text.time), 0, SPG_TABLE_KEEP);
	put_column(
		out, text.style, spg_buf_text(&text.kind), KIND_WIDTH, SPG_TABLE_END);
	put_column(out, NULL, spg_buf_text(&text.who), who, SPG_TABLE_END);
	if (out->terminal) {
		unsigned detail = spg_display_width(spg_buf_text(&text.detail));
		unsigned room = out->table_width > fixed ? out->table_width - fixed : 0;

		detail = detail < room ? detail : room;
		room = out->table_width > used + detail + 2
		               ? out->table_width - used - detail - 2
		               : 0;
		room = room < FILE_WIDTH ? FILE_WIDTH : room;
		spg_display_elide(&out->text, spg_buf_text(&text.file), room,
			SPG_TABLE_MIDDLE, out->unicode);
		if (detail)
			spg_output_raw(out, "  ");
		spg_display_elide(&out->text, spg_buf_text(&text.detail), detail,
			SPG_TABLE_END, out->unicode);
	} else {
		spg_output_text(out, NULL, spg_buf_text(&text.file));
		spg_output_raw(out, "  ");
		spg_output_text(out, NULL, spg_buf_text(&text.detail));
	}
	while (out->text.len && out->text.data[out->text.len - 1] == ' ')
		out->text.data[--out->text.len] = '\0';
	spg_output_raw(out, "\n");
	spg_event_text_finish(&text);
}

void spg_event_line_dropped(struct spg_output *out, int64_t n)
{
	struct spg_buf line = SPG_BUF_NULL;

	spg_buf_puts(&line, "-- ");
	spg_output_count(&line, n);
	spg_buf_puts(&line, n == 1 ? " event" : " events");
	spg_buf_puts(
		&line, " dropped, this reader was too slow; spguard log has them --");
	spg_output_text(out, SPG_STYLE_CARE, spg_buf_text(&line));
	spg_output_raw(out, "\n");
	spg_buf_finish(&line);
}
