/* SPDX-License-Identifier: MIT */
#include "client/start_types.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/array.h"
#include "common/buf.h"
#include "common/text.h"

/* Of one line, and of lines: nobody has more services. */
#define LINE_MAX_BYTES 1024
#define SERVICES_MAX   100000

extern char **environ;

/* Run systemctl with its output into a pipe. Returns its pid, or -1. */
static pid_t start(FILE **ret)
{
	char *argv[] = {"systemctl", "--root=/", "--no-legend", "--no-pager", "--plain",
		"--type=service", "list-unit-files", NULL};
	posix_spawn_file_actions_t actions;
	int pipe_fds[2], failed;
	pid_t pid = -1;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -1;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(
		&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	failed = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(pipe_fds[1]);
	*ret = failed ? NULL : fdopen(pipe_fds[0], "r");
	if (*ret)
		return pid;
	close(pipe_fds[0]);
	if (!failed)
		waitpid(pid, NULL, 0);
	return -1;
}

/* "NAME.service STATE PRESET": the first two. */
static bool take_line(struct spg_start_types *types, char *line)
{
	char *rest = line, *name = strsep(&rest, " \t\n"), *type;

	while (rest && (*rest == ' ' || *rest == '\t'))
		rest++;
	type = strsep(&rest, " \t\n");
	if (!name[0] || !type || !type[0])
		return true;
	if (spg_array_reserve(&types->services, types->n, &types->size,
		    sizeof(*types->services)) < 0)
		return false;
	types->services[types->n] = (struct spg_start_type){strdup(name), strdup(type)};
	types->n++;
	return types->services[types->n - 1].service &&
	       types->services[types->n - 1].type;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct spg_start_type *)a)->service,
		((const struct spg_start_type *)b)->service);
}

bool spg_start_types_read(struct spg_start_types *ret)
{
	char line[LINE_MAX_BYTES];
	bool whole = true;
	FILE *out;
	pid_t pid = start(&out);
	int status = -1;

	if (pid < 0)
		return false;
	while (whole && fgets(line, sizeof(line), out))
		whole = ret->n < SERVICES_MAX && take_line(ret, line);
	fclose(out);
	if (waitpid(pid, &status, 0) == pid && whole && WIFEXITED(status) &&
		WEXITSTATUS(status) == 0) {
		if (ret->n > 0)
			qsort(ret->services, ret->n, sizeof(*ret->services),
				compare_names);
		return true;
	}
	spg_start_types_finish(ret);
	return false;
}

static int tell(struct spg_texts *ret, const char *service, const char *before,
	const char *after)
{
	struct spg_buf buf = SPG_BUF_NULL;
	int r;

	spg_text_escape(&buf, service, false);
	spg_buf_puts(&buf, !before ? " is new: " : " was ");
	if (before)
		spg_text_escape(&buf, before, false);
	if (before)
		spg_buf_puts(&buf, after ? ", is " : ", and is gone");
	if (after)
		spg_text_escape(&buf, after, false);
	r = buf.failed ? -1 : spg_texts_add(ret, spg_buf_text(&buf));
	spg_buf_finish(&buf);
	return r;
}

size_t spg_start_types_compare(const struct spg_start_types *before,
	const struct spg_start_types *after, struct spg_texts *ret)
{
	size_t b = 0, a = 0, n = ret->n;

	while (b < before->n || a < after->n) {
		const struct spg_start_type *was =
			b < before->n ? &before->services[b] : NULL;
		const struct spg_start_type *is =
			a < after->n ? &after->services[a] : NULL;
		int order = !was ? 1 : !is ? -1 : strcmp(was->service, is->service);

		b += order <= 0;
		a += order >= 0;
		if (order == 0 && strcmp(was->type, is->type) == 0)
			continue;
		if (tell(ret, (order <= 0 ? was : is)->service,
			    order <= 0 ? was->type : NULL,
			    order >= 0 ? is->type : NULL) < 0)
			break;
	}
	return ret->n - n;
}

void spg_start_types_finish(struct spg_start_types *types)
{
	for (size_t i = 0; i < types->n; i++) {
		free(types->services[i].service);
		free(types->services[i].type);
	}
	free(types->services);
	*types = (struct spg_start_types)SPG_START_TYPES_NULL;
}
