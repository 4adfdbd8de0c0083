/* SPDX-License-Identifier: MIT */
/* Sockets of the service manager. Each test is a process of its own; descriptors from
 * FIRST on are laid out as systemd does from 3 on, where here others are. */
#include "daemon/host/activation.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "tests/support/suite.h"

#define FIRST 60

/* One letter a descriptor: 'u' AF_UNIX, 'i' AF_INET, both listening; 'c' one
 * that does not listen, 'd' datagrams, 'f' a file. */
static int make(char kind)
{
	int domain = kind == 'i' ? AF_INET : AF_UNIX;
	int fd;

	if (kind == 'f')
		return open("/dev/null", O_RDONLY);
	fd = socket(domain, kind == 'd' ? SOCK_DGRAM : SOCK_STREAM, 0);
	ck_assert_int_ge(fd, 0);
	if (kind == 'u') {
		/* autobind, unix(7) */
		struct sockaddr address = {.sa_family = AF_UNIX};

		ck_assert_int_eq(bind(fd, &address, sizeof(address.sa_family)), 0);
	}
	if (kind == 'u' || kind == 'i')
		ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

static void hand_over(const char *kinds, const char *names, long pid)
{
	int n = (int)strlen(kinds);
	char text[32];

	for (int i = 0; i < n; i++) {
		int fd = make(kinds[i]), high = fcntl(fd, F_DUPFD, 100 + i);

		close(fd);
		ck_assert_int_ge(high, 0);
	}
	for (int i = 0; i < n; i++) {
		ck_assert_int_eq(dup2(100 + i, FIRST + i), FIRST + i);
		close(100 + i);
	}
	snprintf(text, sizeof(text), "%d", n);
	setenv("LISTEN_FDS", text, 1);
	snprintf(text, sizeof(text), "%ld", pid);
	setenv("LISTEN_PID", text, 1);
	if (names)
		setenv("LISTEN_FDNAMES", names, 1);
	else
		unsetenv("LISTEN_FDNAMES");
}

static const struct {
	const char *kinds, *names;
	int r, local, http;
} rows[] = {
	{"", "", 0, -1, -1},
	{"u", "local", 0, FIRST, -1},
	{"i", "http", 0, -1, FIRST},
	{"iu", "http:local", 0, FIRST + 1, FIRST},
	/* A web server in front may talk to a path. */
	{"uu", "http:local", 0, FIRST + 1, FIRST},
	{"u", NULL, 0, FIRST, -1},
	{"ui", "unknown:unknown", 0, FIRST, FIRST + 1},
	{"iu", "spguardd-http.socket:spguardd.socket", 0, FIRST + 1, FIRST},
	{"iu", "http", 0, FIRST + 1, FIRST},
	{"u", "other", 0, -1, -1},
	{"uu", "local:local", SPG_ERR_INVALID, 0, 0},
	{"uu", NULL, SPG_ERR_INVALID, 0, 0},
	{"c", "local", SPG_ERR_INVALID, 0, 0},
	{"d", "local", SPG_ERR_INVALID, 0, 0},
	{"f", "local", SPG_ERR_INVALID, 0, 0},
};

START_TEST(names)
{
	hand_over(rows[_i].kinds, rows[_i].names, (long)getpid());
	ck_assert_int_eq(spg_activation_begin(FIRST), rows[_i].r);
	ck_assert_ptr_null(getenv("LISTEN_FDS"));
	ck_assert_ptr_null(getenv("LISTEN_PID"));
	ck_assert_ptr_null(getenv("LISTEN_FDNAMES"));
	if (rows[_i].r < 0)
		return;
	for (int i = 0; rows[_i].kinds[i]; i++)
		ck_assert_int_eq(fcntl(FIRST + i, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(spg_activation_take(SPG_ACTIVATION_LOCAL), rows[_i].local);
	ck_assert_int_eq(spg_activation_take(SPG_ACTIVATION_HTTP), rows[_i].http);
	/* Each is given once. */
	ck_assert_int_eq(spg_activation_take(SPG_ACTIVATION_LOCAL), -1);
}
END_TEST

START_TEST(of_another_process)
{
	hand_over("u", "local", (long)getpid() + 1);
	ck_assert_int_eq(spg_activation_begin(FIRST), 0);
	ck_assert_int_eq(spg_activation_take(SPG_ACTIVATION_LOCAL), -1);
	ck_assert_ptr_null(getenv("LISTEN_FDS"));
	ck_assert_int_eq(fcntl(FIRST, F_GETFD), 0);
}
END_TEST

START_TEST(nobody_takes_it)
{
	hand_over("ui", "local:http", (long)getpid());
	ck_assert_int_eq(spg_activation_begin(FIRST), 0);
	ck_assert_int_eq(spg_activation_take(SPG_ACTIVATION_LOCAL), FIRST);
	spg_activation_end();
	ck_assert_int_ge(fcntl(FIRST, F_GETFD), 0);
	ck_assert_int_eq(fcntl(FIRST + 1, F_GETFD), -1);
}
END_TEST

START_TEST(another_path)
{
	char text[512] = "";
	int ends[2];

	hand_over("u", "local", (long)getpid());
	ck_assert_int_eq(spg_activation_begin(FIRST), 0);
	ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
	ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	spg_activation_expect(FIRST, "/run/spguard/spguard.sock");
	ck_assert_int_gt(read(ends[0], text, sizeof(text) - 1), 0);
	ck_assert_ptr_nonnull(
		strstr(text, "clients look for /run/spguard/spguard.sock"));
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("activation");

	spg_add_rows(tc, names, rows);
	tcase_add_test(tc, of_another_process);
	tcase_add_test(tc, another_path);
	tcase_add_test(tc, nobody_takes_it);
	return spg_run_suite("activation", tc);
}
