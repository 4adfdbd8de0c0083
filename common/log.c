/* SPDX-License-Identifier: MIT */
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	const char *program;
	enum spg_log_level max_level;
	bool journal;
} logger = {"spguard", SPG_LOG_INFO, false};

void spg_log_init(const char *program, enum spg_log_level max_level)
{
	logger.program = program;
	logger.max_level = max_level;
	logger.journal = getenv("JOURNAL_STREAM") != NULL;
}

static void write_line(enum spg_log_level level, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void write_line(enum spg_log_level level, const char *format, va_list args)
{
	char line[2048];
	int saved_errno = errno;
	int head, body;
	size_t len;

	if (logger.journal)
		head = snprintf(line, sizeof(line), "<%d>", (int)level);
	else
		head = snprintf(line, sizeof(line), "%s: %s", logger.program,
			level <= SPG_LOG_ERROR     ? "error: "
			: level == SPG_LOG_WARNING ? "warning: "
						   : "");
	body = vsnprintf(line + head, sizeof(line) - 1 - (size_t)head, format, args);
	if (body < 0)
		return;
	len = (size_t)head + (size_t)body;
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	for (size_t i = (size_t)head; i < len; i++) {
		unsigned char c = (unsigned char)line[i];

		if (c < 0x20 || c == 0x7f)
			line[i] = '?';
	}
	line[len++] = '\n';
	/* Nobody can be told when the log itself cannot be written. */
	if (write(STDERR_FILENO, line, len) < 0)
		errno = saved_errno;
	errno = saved_errno;
}

void spg_log(enum spg_log_level level, const char *format, ...)
{
	va_list args;

	if (level > logger.max_level)
		return;
	va_start(args, format);
	write_line(level, format, args);
	va_end(args);
}

void spg_log_always(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(SPG_LOG_NOTICE, format, args);
	va_end(args);
}
