/* SPDX-License-Identifier: MIT */
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/format.h"
#include "common/log_sink.h"
#include "common/text.h"

#define TEXT_BYTES 2048

static struct {
	const char *program;
	enum spg_log_level max_level;
	bool is_system; /* the system's log is there: a line starts with its priority */
} logger = {.program = "spguard", .max_level = SPG_LOG_INFO};

void spg_log_init(const char *program, enum spg_log_level max_level)
{
	logger.program = program;
	logger.max_level = max_level;
}

void spg_log_use_system(const char *where)
{
	logger.is_system = spg_log_sink_open(logger.program, where);
}

bool spg_log_is_system(void)
{
	return logger.is_system;
}

/* --- lines ----------------------------------------------------------------- */

static void write_line(enum spg_log_level level, const char *text)
{
	char line[TEXT_BYTES + 64];
	int n;

	if (logger.is_system)
		n = snprintf(line, sizeof(line), "<%d>%s\n", (int)level, text);
	else
		n = snprintf(line, sizeof(line), "%s: %s%s\n", logger.program,
			level <= SPG_LOG_ERROR     ? "error: "
			: level == SPG_LOG_WARNING ? "warning: "
						   : "",
			text);
	if (n <= 0)
		return;
	if ((size_t)n >= sizeof(line)) {
		n = sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	/* Nobody can be told when the log itself cannot be written. */
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

/* A long text may have been cut within a character: journald would take it for
 * binary data. */
static void cut_clean(char *text)
{
	size_t n = strlen(text), back = 0;

	if (n < TEXT_BYTES - 1)
		return;
	while (back < 3 && ((unsigned char)text[n - 1 - back] & 0xc0) == 0x80)
		back++;
	if ((unsigned char)text[n - 1 - back] >= 0xc0)
		text[n - 1 - back] = '\0';
}

static void put(enum spg_log_level level, const struct spg_log_about *about,
	const char *format, va_list args) SPG_PRINTF(3, 0);

static void put(enum spg_log_level level, const struct spg_log_about *about,
	const char *format, va_list args)
{
	char raw[TEXT_BYTES], text[TEXT_BYTES];
	int saved_errno = errno;

	if (vsnprintf(raw, sizeof(raw), format, args) >= 0) {
		cut_clean(raw);
		spg_text_escape_into(text, sizeof(text), raw);
		if (!spg_log_sink_put(logger.program, level, about, text))
			write_line(level, text);
	}
	errno = saved_errno;
}

void spg_log(enum spg_log_level level, const char *format, ...)
{
	va_list args;

	if (level > logger.max_level)
		return;
	va_start(args, format);
	put(level, NULL, format, args);
	va_end(args);
}

void spg_log_about(enum spg_log_level level, const struct spg_log_about *about,
	const char *format, ...)
{
	va_list args;

	if (level > logger.max_level)
		return;
	va_start(args, format);
	put(level, about, format, args);
	va_end(args);
}

void spg_log_lines(enum spg_log_level level, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		spg_log(level, "%.*s", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

void spg_log_always(const struct spg_log_about *about, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put(SPG_LOG_NOTICE, about, format, args);
	va_end(args);
}
