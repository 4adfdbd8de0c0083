/* SPDX-License-Identifier: MIT */
#include "client/output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/terminal.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/rfc3339.h"
#include "common/text.h"
#include "common/time_text.h"

#define WIDTH_DEFAULT 80
#define WIDTH_MIN     20
#define WIDTH_MAX     1000

/* Times so young are told without their year, as ls(1) does. */
#define RECENT_NS     (180 * 24 * 3600 * SPG_NS_PER_S)

static unsigned terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	long width = (long)spg_terminal_size(STDOUT_FILENO, NULL);

	if (width <= 0 && columns)
		width = strtol(columns, NULL, 10);
	if (width <= 0 || width > WIDTH_MAX)
		return WIDTH_DEFAULT;
	return width < WIDTH_MIN ? WIDTH_MIN : (unsigned)width;
}

static bool environment_allows_color(void)
{
	const char *no_color = getenv("NO_COLOR"); /* no-color.org */

	return !(no_color && *no_color) && spg_terminal_has_colors();
}

void spg_output_init(struct spg_output *out, bool allow_color, bool utc)
{
	*out = (struct spg_output){.utc = utc};
	out->unicode = spg_terminal_begin();
	out->terminal = isatty(STDOUT_FILENO);
	out->color = out->terminal && allow_color && environment_allows_color();
	out->width = out->terminal ? terminal_width() : WIDTH_DEFAULT;
	out->table_width = out->terminal ? out->width : 0;
	out->now_ns = spg_clock_wall_ns();
}

void spg_output_finish(struct spg_output *out)
{
	spg_buf_finish(&out->text);
}

static void complain(struct spg_output *out, int errnum)
{
	if (!out->unwritable)
		fprintf(stderr, "spguard: cannot write the answer: %s\n",
			errnum == EBADF ? "standard output is closed"
					: strerror(errnum));
	out->unwritable = true;
}

bool spg_output_is_written(struct spg_output *out)
{
	if (fflush(stdout) != 0)
		complain(out, errno);
	else if (ferror(stdout))
		complain(out, EIO);
	return !out->unwritable;
}

int spg_output_flush(struct spg_output *out)
{
	int err = 0;

	if (out->text.failed) {
		fputs("spguard: out of memory\n", stderr);
		err = SPG_ERR_NOMEM;
	} else if (out->text.len &&
		   (fwrite(out->text.data, 1, out->text.len, stdout) != out->text.len ||
			   fflush(stdout) != 0)) {
		complain(out, errno);
		err = SPG_ERR_IO;
	}
	spg_buf_clear(&out->text);
	return err;
}

void spg_output_raw(struct spg_output *out, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0) {
		out->text.failed = true;
		return;
	}
	spg_buf_puts(&out->text, text);
	free(text);
}

void spg_output_text(struct spg_output *out, const char *style, const char *text)
{
	if (style && out->color)
		spg_buf_printf(&out->text, "\033[%sm", style);
	spg_text_escape(&out->text, text, false);
	if (style && out->color)
		spg_buf_puts(&out->text, "\033[0m");
}

void spg_output_wrap(
	struct spg_output *out, const char *first, unsigned indent, const char *text)
{
	spg_display_wrap(&out->text, text, first, indent, out->width);
}

void spg_output_marked(struct spg_output *out, const char *mark_style, const char *mark,
	unsigned indent, const char *style, const char *text)
{
	struct spg_buf lines = SPG_BUF_NULL;
	unsigned used = spg_display_width(mark);

	spg_display_wrap(&lines, text, NULL, indent, out->width);
	spg_output_text(out, mark_style, mark);
	if (style && out->color)
		spg_buf_printf(&out->text, "\033[%sm", style);
	/* The mark takes the place of the first line's blanks. */
	if (lines.len > used)
		spg_buf_add(&out->text, lines.data + used, lines.len - used - 1);
	if (style && out->color)
		spg_buf_puts(&out->text, "\033[0m");
	spg_buf_putc(&out->text, '\n');
	if (lines.failed)
		out->text.failed = true;
	spg_buf_finish(&lines);
}

static bool is_safe_json(const char *text)
{
	/* Line breaks are ours: those in strings are escaped by JSON itself. */
	for (; *text; text += strcspn(text, "\n")) {
		struct spg_buf line = SPG_BUF_NULL;
		bool clean;

		text += *text == '\n';
		spg_buf_add(&line, text, strcspn(text, "\n"));
		clean = !line.failed && spg_text_is_clean(spg_buf_text(&line));
		spg_buf_finish(&line);
		if (!clean)
			return false;
	}
	return true;
}

static void put_json(struct spg_output *out, const json_t *value, size_t indent)
{
	/* 15 figures give a decimal number back as it was written. */
	size_t flags = JSON_ENCODE_ANY | JSON_INDENT(indent) | JSON_REAL_PRECISION(15);
	char *text = json_dumps(value, flags);

	/* C1 controls and text direction marks are valid in JSON: on a terminal
	 * write them as \u escapes, which mean the same. */
	if (text && out->terminal && !is_safe_json(text)) {
		free(text);
		text = json_dumps(value, flags | JSON_ENSURE_ASCII);
		for (char *c = text; c && *c; c++)
			if (*c == 0x7f)
				*c = '?'; /* DEL, which jansson leaves as it is */
	}
	if (!text) {
		out->text.failed = true;
		return;
	}
	spg_buf_puts(&out->text, text);
	spg_buf_putc(&out->text, '\n');
	free(text);
}

void spg_output_json(struct spg_output *out, const json_t *value)
{
	put_json(out, value, out->terminal ? 2 : 0);
}

void spg_output_json_line(struct spg_output *out, const json_t *value)
{
	put_json(out, value, 0);
}

void spg_output_table(struct spg_output *out, struct spg_table *table, unsigned indent)
{
	struct spg_table_view view = {
		.width = out->table_width,
		.indent = indent,
		.color = out->color,
		.unicode = out->unicode,
	};

	spg_table_render(table, &view, &out->text);
	spg_table_finish(table);
}

void spg_output_time(const struct spg_output *out, struct spg_buf *buf,
	const char *rfc3339, bool milliseconds)
{
	enum spg_time_style style;
	char text[SPG_TIME_TEXT_BYTES];
	int64_t ns;

	if (!rfc3339 || spg_rfc3339_parse(rfc3339, &ns) < 0 || ns < 0) {
		spg_buf_puts(buf, "?");
		return;
	}
	if (spg_time_same_day(ns, out->now_ns, out->utc))
		style = milliseconds ? SPG_TIME_CLOCK_MS : SPG_TIME_CLOCK;
	else if (milliseconds)
		style = SPG_TIME_FULL_MS;
	else if (ns < out->now_ns && out->now_ns - ns < RECENT_NS)
		style = SPG_TIME_SHORT;
	else
		style = SPG_TIME_DATE;
	spg_time_format(ns, style, out->utc, text);
	spg_buf_puts(buf, text);
}

void spg_output_duration(const struct spg_output *out, struct spg_buf *buf, int64_t ns)
{
	char text[SPG_TIME_TEXT_BYTES];
	const char *micro;

	spg_duration_format(ns, text);
	micro = out->unicode ? NULL : strstr(text, "µ");
	if (micro) {
		spg_buf_add(buf, text, (size_t)(micro - text));
		spg_buf_printf(buf, "u%s", micro + strlen("µ"));
	} else {
		spg_buf_puts(buf, text);
	}
}

void spg_output_count(struct spg_buf *buf, int64_t number)
{
	char digits[32];
	size_t n = (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)number);
	size_t sign = number < 0;

	for (size_t i = 0; i < n; i++) {
		if (i > sign && (n - i) % 3 == 0)
			spg_buf_putc(buf, ',');
		spg_buf_putc(buf, digits[i]);
	}
}

void spg_output_bytes(struct spg_buf *buf, int64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		spg_buf_printf(buf, "%lld bytes", (long long)bytes);
		return;
	}
	for (; value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
		value /= 1024;
	spg_buf_printf(buf, value < 10 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

const char *spg_json_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

int64_t spg_json_number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	double real = json_real_value(value);

	if (json_is_integer(value))
		return json_integer_value(value);
	return json_is_real(value) && real > -9e18 && real < 9e18 ? (int64_t)real : 0;
}

bool spg_json_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

const json_t *spg_json_list(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_array(value) ? value : NULL;
}

int64_t spg_json_time(const json_t *object, const char *key)
{
	const char *text = spg_json_text(object, key);
	int64_t ns;

	return text && spg_rfc3339_parse(text, &ns) == 0 && ns > 0 ? ns : 0;
}
