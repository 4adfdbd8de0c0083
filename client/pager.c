/* SPDX-License-Identifier: MIT */
#include "client/pager.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* What sh(1) returns for a program that is not there, or is none. */
#define NOT_EXECUTABLE 126
#define NOT_FOUND      127

/* The command line of the pager; NULL: none is wanted. */
static const char *pager_command(void)
{
	const char *command = getenv("SPGUARD_PAGER");

	if (!command)
		command = getenv("PAGER");
	if (!command)
		command = "less";
	return !*command || strcmp(command, "cat") == 0 ? NULL : command;
}

/* Does the text go over the end of the terminal? One line is the shell's. */
static bool is_long(const struct spg_output *out)
{
	const char *at = spg_buf_text(&out->text);
	struct winsize size;
	unsigned lines = 0;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0)
		return false;
	for (at = strchr(at, '\n'); at && lines < size.ws_row;
		at = strchr(at + 1, '\n'))
		lines++;
	return lines >= size.ws_row;
}

static void run_pager(const char *command, const int pipe_fds[2])
{
	if (dup2(pipe_fds[0], STDIN_FILENO) < 0)
		_exit(NOT_EXECUTABLE);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	/* F: not for what fits after all; R: colours; X: leave it on the screen. */
	setenv("LESS", "FRX+G", 0);
	setenv("LESSCHARSET", "utf-8", 0);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(NOT_FOUND);
}

/* Until all is written, or the reader has gone. */
static void feed(int fd, const struct spg_buf *text)
{
	size_t written = 0;

	while (written < text->len) {
		ssize_t n = write(fd, text->data + written, text->len - written);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		written += (size_t)n;
	}
}

/* True when a pager has shown the text. */
static bool show(const char *command, const struct spg_buf *text)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, old_pipe, old_int, old_quit;
	int fds[2], status = 0;
	pid_t pid;

	if (pipe(fds) < 0)
		return false;
	pid = fork();
	if (pid == 0)
		run_pager(command, fds);
	/* Ctrl-C is the pager's, which may go on after it; we outlive it. */
	sigaction(SIGINT, &ignore, &old_int);
	sigaction(SIGQUIT, &ignore, &old_quit);
	sigaction(SIGPIPE, &ignore, &old_pipe);
	close(fds[0]);
	if (pid > 0)
		feed(fds[1], text);
	close(fds[1]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	sigaction(SIGINT, &old_int, NULL);
	sigaction(SIGQUIT, &old_quit, NULL);
	sigaction(SIGPIPE, &old_pipe, NULL);
	return pid > 0 &&
	       !(WIFEXITED(status) && (WEXITSTATUS(status) == NOT_FOUND ||
					      WEXITSTATUS(status) == NOT_EXECUTABLE));
}

int spg_pager_flush(struct spg_output *out)
{
	const char *command = pager_command();

	if (command && out->terminal && isatty(STDIN_FILENO) && !out->text.failed &&
		is_long(out) && show(command, &out->text))
		spg_buf_clear(&out->text);
	return spg_output_flush(out);
}
