/* SPDX-License-Identifier: MIT */
#include "common/log_sink.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Where journald listens, systemd-journald.service(8). */
#define JOURNAL      "/run/systemd/journal/socket"
#define FIELDS_BYTES 3072

static struct {
	int fd; /* to journald's own socket; -1: none */
	struct sockaddr_un address;
} journal = {.fd = -1};

/* JOURNAL_STREAM is inherited by who has redirected stderr since, too. */
static bool is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uint64_t dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%" SCNu64 ":%" SCNu64, &dev, &ino) == 2 &&
	       fstat(fd, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

/* A message that journald does not take goes to stderr, which is its own as well. */
bool spg_log_sink_open(const char *program, const char *where)
{
	const char *path = where ? where : JOURNAL;

	(void)program;
	if (!is_journal(STDERR_FILENO))
		return false;
	if (strlen(path) >= sizeof(journal.address.sun_path))
		return true;
	journal.address.sun_family = AF_UNIX;
	memcpy(journal.address.sun_path, path, strlen(path) + 1);
	/* Not connected: journald may be started anew. */
	journal.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return true;
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

bool spg_log_sink_put(const char *program, enum spg_log_level level,
	const struct spg_log_about *about, const char *text)
{
	const char priority[] = {(char)('0' + level), '\0'};
	struct fields fields = {.n = 0};
	ssize_t n;

	if (journal.fd < 0)
		return false;
	add_field(&fields, "MESSAGE", text);
	add_field(&fields, "PRIORITY", priority);
	add_field(&fields, "SYSLOG_IDENTIFIER", program);
	if (about) {
		add_field(&fields, "MESSAGE_ID", about->id);
		add_field(&fields, "SPGUARD_PRODUCT", about->product);
		add_field(&fields, "SPGUARD_VERDICT", about->verdict);
		add_field(&fields, "SPGUARD_OUTCOME", about->outcome);
		add_field(&fields, "SPGUARD_GAP", about->gap);
	}
	n = sendto(journal.fd, fields.bytes, fields.n, MSG_NOSIGNAL,
		(const struct sockaddr *)&journal.address, sizeof(journal.address));
	return n == (ssize_t)fields.n;
}
