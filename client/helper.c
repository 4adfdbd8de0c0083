/* SPDX-License-Identifier: MIT */
#include "client/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/platform.h"

extern char **environ;

struct helper {
	const char *name;
	pid_t pid;
	int fd;    /* what it prints */
	int pidfd; /* -1: the kernel is older than 5.3 */
	int64_t limit_ns, deadline_ns;
	size_t max_bytes;
};

/* Its words are read by us: no translation. NULL: out of memory. */
static char **make_environment(void)
{
	static char locale[] = "LC_ALL=C", pager[] = "SYSTEMD_PAGER=";
	size_t n = 0, kept = 0;
	char **made;

	while (environ[n])
		n++;
	made = calloc(n + 3, sizeof(*made));
	if (!made)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "LC_ALL=", 7) != 0 &&
			strncmp(environ[i], "LANGUAGE=", 9) != 0 &&
			strncmp(environ[i], "SYSTEMD_PAGER=", 14) != 0)
			made[kept++] = environ[i];
	made[kept++] = locale;
	made[kept] = pager;
	return made;
}

/* Returns 0 or an errno. */
static int spawn(struct helper *helper, char *const argv[], int out)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	char **environment = make_environment();
	int r;

	if (!environment)
		return ENOMEM;
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	/* A group of its own, so that what it starts can be ended with it. */
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
	posix_spawn_file_actions_addopen(
		&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(
		&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	r = posix_spawnp(
		&helper->pid, argv[0], &actions, &attributes, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	free(environment);
	return r;
}

/* Wait for @fd until the deadline. */
static bool wait_for(const struct helper *helper, int fd)
{
	struct pollfd entry = {.fd = fd, .events = POLLIN};

	for (;;) {
		int64_t left = helper->deadline_ns - spg_clock_mono_ns();
		int r;

		if (left <= 0)
			return false;
		r = poll(&entry, 1, (int)(left / SPG_NS_PER_MS) + 1);
		if (r > 0)
			return true;
		if (r < 0 && errno != EINTR)
			return false;
	}
}

/* True: to the end. */
static bool read_all(
	const struct helper *helper, struct spg_buf *ret, struct spg_complaint *why)
{
	size_t total = 0;
	char bytes[65536];
	ssize_t n;

	for (;;) {
		if (!wait_for(helper, helper->fd)) {
			spg_complain(why, "%s gave no answer within %lld s",
				helper->name,
				(long long)(helper->limit_ns / SPG_NS_PER_S));
			return false;
		}
		n = read(helper->fd, bytes, sizeof(bytes));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			spg_complain(why, "%s: %s", helper->name, strerror(errno));
		if (n <= 0)
			return n == 0;
		total += (size_t)n;
		if (total > helper->max_bytes) {
			spg_complain(why, "%s answers with more than %zu bytes",
				helper->name, helper->max_bytes);
			return false;
		}
		for (ssize_t i = 0; i < n; i++)
			bytes[i] = bytes[i] ? bytes[i] : '\1';
		spg_buf_add(ret, bytes, (size_t)n);
	}
}

/* Its exit code. It may go on after it has closed what it prints to. */
static int wait_for_end(const struct helper *helper, bool killed)
{
	int status;

	if (!killed && helper->pidfd >= 0 && !wait_for(helper, helper->pidfd))
		killed = true;
	if (killed)
		(void)kill(-helper->pid, SIGKILL);
	while (waitpid(helper->pid, &status, 0) < 0)
		if (errno != EINTR)
			return SPG_HELPER_FAILED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int spg_helper_run(char *const argv[], int64_t limit_ns, size_t max_bytes,
	struct spg_buf *ret, struct spg_complaint *why)
{
	struct helper helper = {.name = argv[0],
		.limit_ns = limit_ns,
		.deadline_ns = spg_clock_mono_ns() + limit_ns,
		.max_bytes = max_bytes};
	int ends[2], r, code;
	bool whole;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		spg_complain(why, "%s: %s", argv[0], strerror(errno));
		return SPG_HELPER_FAILED;
	}
	r = spawn(&helper, argv, ends[1]);
	close(ends[1]);
	if (r != 0) {
		close(ends[0]);
		if (r == ENOENT)
			return SPG_HELPER_MISSING;
		spg_complain(why, "%s cannot be run: %s", argv[0], strerror(r));
		return SPG_HELPER_FAILED;
	}
	helper.fd = ends[0];
	helper.pidfd = spg_platform_open_child(helper.pid);
	whole = read_all(&helper, ret, why);
	code = wait_for_end(&helper, !whole);
	close(helper.fd);
	if (helper.pidfd >= 0)
		close(helper.pidfd);
	return whole ? code : SPG_HELPER_FAILED;
}
