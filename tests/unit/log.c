/* SPDX-License-Identifier: MIT */
/* Lines on stderr, messages in the journal's own protocol, and which of the two. Each
 * test is a process of its own, so stderr and the environment are its own too. */
#include "common/log.h"

#include <check.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/suite.h"

/* A stand-in for journald's socket, and stderr as a pipe. */
struct stand_in {
	char dir[64], path[80];
	int journal, lines;
};

static void begin(struct stand_in *s)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int ends[2];

	snprintf(s->dir, sizeof(s->dir), "/tmp/spguard-log-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/socket", s->dir);
	memcpy(address.sun_path, s->path, strlen(s->path) + 1);
	s->journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(
		bind(s->journal, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
	s->lines = ends[0];
	ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	close(ends[1]);
}

static void name_stderr(void)
{
	char text[64];
	struct stat st;

	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t)st.st_dev,
		(uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", text, 1);
}

static void end(struct stand_in *s)
{
	unlink(s->path);
	rmdir(s->dir);
	close(s->journal);
	close(s->lines);
}

/* What has come; "" when nothing has. */
static const char *come(int fd)
{
	static char text[8192];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* The value of field @name in the datagram of @n bytes, copied; NULL when it is not
 * there once. The whole datagram has to be well-formed. */
static char *field(const char *bytes, size_t n, const char *name)
{
	const char *at = bytes;
	char *found = NULL;

	while (at < bytes + n) {
		const char *line = memchr(at, '\n', (size_t)(bytes + n - at));
		uint64_t len = 0;

		ck_assert_ptr_nonnull(line);
		ck_assert_int_ge(bytes + n - line, 10);
		for (int i = 0; i < 8; i++)
			len |= (uint64_t)(unsigned char)line[1 + i] << (8 * i);
		ck_assert_uint_le(len, (size_t)(bytes + n - line) - 10);
		ck_assert_int_eq(line[9 + len], '\n');
		if ((size_t)(line - at) == strlen(name) &&
			memcmp(at, name, strlen(name)) == 0) {
			ck_assert_ptr_null(found);
			found = strndup(line + 9, len);
		}
		at = line + 10 + len;
	}
	return found;
}

static void expect(const char *bytes, ssize_t n, const char *name, const char *value)
{
	char *found;

	ck_assert_int_gt(n, 0);
	found = field(bytes, (size_t)n, name);
	ck_assert_pstr_eq(found, value);
	free(found);
}

START_TEST(plain_line)
{
	struct stand_in s;

	begin(&s);
	unsetenv("JOURNAL_STREAM");
	spg_log_init("spguardd", SPG_LOG_INFO);
	spg_log_use_system(s.path);
	ck_assert(!spg_log_is_system());
	spg_warning("mind the %s", "gap");
	ck_assert_str_eq(come(s.lines), "spguardd: warning: mind the gap\n");
	spg_log_as(SPG_LOG_NOTICE, SPG_LOG_ID_READY, "ready");
	ck_assert_str_eq(come(s.lines), "spguardd: ready\n");
	spg_debug("nobody wants to know");
	ck_assert_str_eq(come(s.lines), "");
	ck_assert_str_eq(come(s.journal), "");
	end(&s);
}
END_TEST

/* Who redirects stderr inherits the variable all the same. */
START_TEST(journal_of_somebody_else)
{
	struct stand_in s;

	begin(&s);
	setenv("JOURNAL_STREAM", "1:1", 1);
	spg_log_init("spguardd", SPG_LOG_INFO);
	spg_log_use_system(s.path);
	ck_assert(!spg_log_is_system());
	spg_error("here");
	ck_assert_str_eq(come(s.lines), "spguardd: error: here\n");
	end(&s);
}
END_TEST

START_TEST(fields)
{
	const struct spg_log_about about = {.id = SPG_LOG_ID_VERDICT,
		.product = "app\nPRIORITY=0",
		.verdict = "blocked"};
	struct stand_in s;
	char bytes[8192];
	ssize_t n;

	begin(&s);
	name_stderr();
	spg_log_init("spguardd", SPG_LOG_INFO);
	spg_log_use_system(s.path);
	ck_assert(spg_log_is_system());
	spg_log_about(SPG_LOG_NOTICE, &about, "held by %s", "evil\nPRIORITY=0\x1b[2J");
	n = recv(s.journal, bytes, sizeof(bytes), 0);
	expect(bytes, n, "MESSAGE", "held by evil\\x0aPRIORITY=0\\x1b[2J");
	expect(bytes, n, "PRIORITY", "5");
	expect(bytes, n, "SYSLOG_IDENTIFIER", "spguardd");
	expect(bytes, n, "MESSAGE_ID", SPG_LOG_ID_VERDICT);
	expect(bytes, n, "SPGUARD_PRODUCT", "app\nPRIORITY=0");
	expect(bytes, n, "SPGUARD_VERDICT", "blocked");
	expect(bytes, n, "SPGUARD_GAP", NULL);
	ck_assert_str_eq(come(s.lines), "");
	end(&s);
}
END_TEST

/* A message that is too long is cut, never within a character. */
START_TEST(cut)
{
	struct stand_in s;
	char bytes[8192], text[4096] = "";
	size_t n = 0;
	ssize_t got;
	char *message;

	begin(&s);
	name_stderr();
	spg_log_init("spguardd", SPG_LOG_INFO);
	spg_log_use_system(s.path);
	while (n < (size_t)_i)
		text[n++] = 'x';
	while (n + 4 < sizeof(text)) {
		memcpy(text + n, "\xe2\x82\xac", 3);
		n += 3;
	}
	spg_info("%s", text);
	got = recv(s.journal, bytes, sizeof(bytes), 0);
	ck_assert_int_gt(got, 0);
	message = field(bytes, (size_t)got, "MESSAGE");
	ck_assert_ptr_nonnull(message);
	n = strlen(message);
	ck_assert_uint_gt(n, 2000);
	ck_assert_uint_eq((n - (size_t)_i) % 3, 0);
	free(message);
	end(&s);
}
END_TEST

START_TEST(journald_is_away)
{
	struct stand_in s;

	begin(&s);
	name_stderr();
	spg_log_init("spguardd", SPG_LOG_INFO);
	spg_log_use_system(s.path);
	unlink(s.path);
	spg_error("all the same");
	ck_assert_str_eq(come(s.lines), "<3>all the same\n");
	end(&s);
}
END_TEST

START_TEST(lines)
{
	struct stand_in s;

	begin(&s);
	unsetenv("JOURNAL_STREAM");
	spg_log_init("spguardd", SPG_LOG_ERROR);
	spg_log_lines(SPG_LOG_ERROR, "one\ntwo");
	ck_assert_str_eq(come(s.lines), "spguardd: error: one\nspguardd: error: two\n");
	spg_log_always(NULL, "ready");
	ck_assert_str_eq(come(s.lines), "spguardd: ready\n");
	end(&s);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("log");

	tcase_add_test(tc, plain_line);
	tcase_add_test(tc, journal_of_somebody_else);
	tcase_add_test(tc, fields);
	tcase_add_loop_test(tc, cut, 0, 3);
	tcase_add_test(tc, journald_is_away);
	tcase_add_test(tc, lines);
	return spg_run_suite("log", tc);
}
