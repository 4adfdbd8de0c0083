/* SPDX-License-Identifier: MIT */
#include "client/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "client/terminal.h"
#include "common/format.h"
#include "common/message.h"
#include "common/table.h"
#include "common/text.h"

#define WIDTH_MIN   20
#define NOT_WRAPPED (1U << 30)

void spg_complaint_finish(struct spg_complaint *complaint)
{
	spg_buf_finish(&complaint->why);
	spg_buf_finish(&complaint->hint);
}

static void put(struct spg_buf *buf, const char *format, va_list args) SPG_PRINTF(2, 0);

static void put(struct spg_buf *buf, const char *format, va_list args)
{
	char *text = NULL;

	if (vasprintf(&text, format, args) < 0) {
		buf->failed = true;
		return;
	}
	spg_buf_add(buf, text, strlen(text));
	free(text);
}

void spg_complain(struct spg_complaint *complaint, const char *format, ...)
{
	va_list args;

	spg_buf_clear(&complaint->why);
	spg_buf_clear(&complaint->hint);
	complaint->heading = 0;
	complaint->code = 0;
	va_start(args, format);
	put(&complaint->why, format, args);
	va_end(args);
}

void spg_complain_no_daemon(
	struct spg_complaint *complaint, const char *what, const char *path)
{
	static const char heading[] = "no daemon: ";

	spg_complain(complaint, "%s%s %s", heading, what, path);
	complaint->heading = sizeof(heading) - 1;
}

void spg_complaint_hint(struct spg_complaint *complaint, const char *format, ...)
{
	va_list args;

	if (complaint->hint.len)
		spg_buf_putc(&complaint->hint, '\n');
	va_start(args, format);
	put(&complaint->hint, format, args);
	va_end(args);
}

/* Columns of the terminal that stderr is; without one lines are not broken. */
static unsigned width_of_stderr(void)
{
	unsigned width = spg_terminal_size(STDERR_FILENO, NULL);

	return width < WIDTH_MIN ? NOT_WRAPPED : width;
}

/* Append @text to @out: every line escaped and wrapped, the first behind @first,
 * all in the same column. */
static void put_lines(struct spg_buf *out, const char *first, const char *text)
{
	unsigned indent = (unsigned)strlen(first), width = width_of_stderr();

	while (*text) {
		size_t len = strcspn(text, "\n");
		char *line = strndup(text, len);

		if (!line) {
			out->failed = true;
			return;
		}
		spg_display_wrap(out, line, first, indent, width);
		free(line);
		text += len + (text[len] == '\n');
		first = "";
	}
}

/* Escaped, but for the ends of lines. */
static void put_text(struct spg_buf *out, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		char *line = strndup(text, len);

		if (!line) {
			out->failed = true;
			return;
		}
		spg_text_escape(out, line, false);
		free(line);
		text += len;
		if (*text)
			spg_buf_putc(out, *text++);
	}
}

void spg_complaint_print_json(const struct spg_complaint *complaint)
{
	struct spg_buf why = SPG_BUF_NULL, hint = SPG_BUF_NULL;
	json_t *error;

	put_text(&why, spg_buf_text(&complaint->why));
	put_text(&hint, spg_buf_text(&complaint->hint));
	error = json_pack("{s:{s:i, s:s, s:s*}}", "error", "code",
		complaint->code ? complaint->code : SPG_RPC_NO_ANSWER, "message",
		why.len ? spg_buf_text(&why) : "out of memory", "hint",
		hint.len ? spg_buf_text(&hint) : NULL);
	if (error && json_dumpf(error, stdout, JSON_COMPACT) == 0)
		putchar('\n');
	json_decref(error);
	spg_buf_finish(&why);
	spg_buf_finish(&hint);
}

void spg_complaint_print(const struct spg_complaint *complaint, const char *program)
{
	struct spg_buf out = SPG_BUF_NULL, name = SPG_BUF_NULL;

	spg_buf_printf(&name, "%s: ", program);
	put_lines(&out, spg_buf_text(&name),
		complaint->why.len ? spg_buf_text(&complaint->why) : "out of memory");
	put_lines(&out, "hint: ", spg_buf_text(&complaint->hint));
	fputs(spg_buf_text(&out), stderr);
	spg_buf_finish(&out);
	spg_buf_finish(&name);
}
