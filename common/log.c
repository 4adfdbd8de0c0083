/* SPDX-License-Identifier: MIT */
#include "common/format.h"
#include "common/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/text.h"

#define TEXT_BYTES   2048
#define FIELDS_BYTES (TEXT_BYTES + 1024)

static struct {
	const char *program;
	enum spg_log_level max_level;
	bool prefix; /* stderr is journald's: a line starts with its priority */
	int fd;      /* to journald's own socket; -1: none */
	struct sockaddr_un journal;
} logger = {.program = "spguard", .max_level = SPG_LOG_INFO, .fd = -1};

void spg_log_init(const char *program, enum spg_log_level max_level)
{
	logger.program = program;
	logger.max_level = max_level;
}

/* JOURNAL_STREAM is inherited by who has redirected stderr since, too. */
static bool is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uint64_t dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%" SCNu64 ":%" SCNu64, &dev, &ino) == 2 &&
	       fstat(fd, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void spg_log_use_journal(const char *path)
{
	logger.prefix = is_journal(STDERR_FILENO);
	if (!logger.prefix || strlen(path) >= sizeof(logger.journal.sun_path))
		return;
	logger.journal.sun_family = AF_UNIX;
	memcpy(logger.journal.sun_path, path, strlen(path) + 1);
	/* Not connected: journald may be started anew. */
	logger.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

bool spg_log_is_journal(void)
{
	return logger.prefix;
}

/* --- the journal's own protocol -------------------------------------------- */

struct fields {
	char bytes[FIELDS_BYTES];
	size_t n;
};

/* The form with a length, in which a value may contain anything. There is room for
 * the longest names that a configuration can have; a longer one is left out. */
static void add_field(struct fields *fields, const char *name, const char *value)
{
	size_t name_len = strlen(name), len;
	unsigned char *at = (unsigned char *)fields->bytes + fields->n;

	if (!value)
		return;
	len = strlen(value);
	if (name_len + len + 10 > sizeof(fields->bytes) - fields->n)
		return;
	memcpy(at, name, name_len);
	at += name_len;
	*at++ = '\n';
	for (unsigned i = 0; i < 8; i++)
		*at++ = (unsigned char)((uint64_t)len >> (8 * i));
	memcpy(at, value, len);
	at += len;
	*at++ = '\n';
	fields->n += name_len + len + 10;
}

/* False when it has to go to stderr. */
static bool send_to_journal(
	enum spg_log_level level, const struct spg_log_about *about, const char *text)
{
	const char priority[] = {(char)('0' + level), '\0'};
	struct fields fields = {.n = 0};
	ssize_t n;

	if (logger.fd < 0)
		return false;
	add_field(&fields, "MESSAGE", text);
	add_field(&fields, "PRIORITY", priority);
	add_field(&fields, "SYSLOG_IDENTIFIER", logger.program);
	if (about) {
		add_field(&fields, "MESSAGE_ID", about->id);
		add_field(&fields, "SPGUARD_PRODUCT", about->product);
		add_field(&fields, "SPGUARD_VERDICT", about->verdict);
		add_field(&fields, "SPGUARD_OUTCOME", about->outcome);
		add_field(&fields, "SPGUARD_GAP", about->gap);
	}
	n = sendto(logger.fd, fields.bytes, fields.n, MSG_NOSIGNAL,
		(const struct sockaddr *)&logger.journal, sizeof(logger.journal));
	return n == (ssize_t)fields.n;
}

/* --- lines ----------------------------------------------------------------- */

static void write_line(enum spg_log_level level, const char *text)
{
	char line[TEXT_BYTES + 64];
	int n;

	if (logger.prefix)
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
		if (!send_to_journal(level, about, text))
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
