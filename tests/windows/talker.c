/* SPDX-License-Identifier: MIT */
/*
 * Connections to a named pipe, for a test that writes what no client would:
 *
 *   talker PIPE
 *
 * It obeys the lines of its standard input, and answers each with one line. N counts the
 * connections from 0; DATA is what stands on the rest of the line, "\xHH" is a byte.
 *
 *   open                "open N", or "error CODE"
 *   send N DATA         "sent", "ended" when the other side has closed, "stuck" when
 *   file N PATH         nothing has been taken for half a minute; what a file has
 *   read N              "line TEXT", "end" or "stuck"
 *   close N             "closed"
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "common/windows/wide.h"

#define CONNECTIONS 1024
#define LINE_BYTES  (64 * 1024)
#define STUCK_MS    30000
#define CHUNK       65536

struct connection {
	HANDLE pipe; /* NULL: closed */
	char *in;
	size_t n, room;
};

static struct connection connections[CONNECTIONS];
static int n_connections;

static void answer(const char *text)
{
	puts(text);
	fflush(stdout);
}

static void open_one(const wchar_t *name)
{
	HANDLE pipe = INVALID_HANDLE_VALUE;
	ULONGLONG end = GetTickCount64() + STUCK_MS;
	DWORD error;

	do {
		pipe = CreateFileW(name, GENERIC_READ | FILE_WRITE_DATA, 0, NULL,
			OPEN_EXISTING,
			FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT |
				SECURITY_IDENTIFICATION,
			NULL);
		error = GetLastError();
		if (pipe == INVALID_HANDLE_VALUE && error == ERROR_PIPE_BUSY)
			WaitNamedPipeW(name, 50);
	} while (pipe == INVALID_HANDLE_VALUE && error == ERROR_PIPE_BUSY &&
		 GetTickCount64() < end);
	if (pipe == INVALID_HANDLE_VALUE || n_connections == CONNECTIONS) {
		printf("error %lu\n", error);
	} else {
		connections[n_connections].pipe = pipe;
		printf("open %d\n", n_connections++);
	}
	fflush(stdout);
}

/* Wait for what has been begun. NULL, or how it failed. */
static const char *finish(HANDLE pipe, OVERLAPPED *at, BOOL begun, DWORD *ret_n)
{
	const char *failure = NULL;

	if (!begun && GetLastError() != ERROR_IO_PENDING)
		return "ended";
	if (WaitForSingleObject(at->hEvent, STUCK_MS) != WAIT_OBJECT_0) {
		CancelIo(pipe);
		failure = "stuck";
	}
	if (!GetOverlappedResult(pipe, at, ret_n, TRUE) && !failure)
		failure = "ended";
	return failure;
}

static const char *write_all(struct connection *c, const char *data, size_t n)
{
	OVERLAPPED at = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
	const char *failure = NULL;

	while (n > 0 && !failure) {
		DWORD done = 0, part = n < CHUNK ? (DWORD)n : CHUNK;
		BOOL begun = WriteFile(c->pipe, data, part, NULL, &at);

		failure = finish(c->pipe, &at, begun, &done);
		data += done;
		n -= done;
	}
	CloseHandle(at.hEvent);
	return failure ? failure : "sent";
}

/* In place; returns the number of bytes. */
static size_t decode(char *text)
{
	size_t n = 0;
	unsigned byte;

	for (const char *at = text; *at; n++) {
		if (sscanf(at, "\\x%2x", &byte) == 1) {
			text[n] = (char)byte;
			at += 4;
		} else {
			text[n] = *at++;
		}
	}
	return n;
}

static const char *write_file(struct connection *c, const char *path)
{
	static char data[4 << 20];
	wchar_t *native = spg_wide_path(path);
	FILE *file = native ? _wfopen(native, L"rb") : NULL;
	const char *said = "error";

	if (file) {
		said = write_all(c, data, fread(data, 1, sizeof(data), file));
		fclose(file);
	}
	free(native);
	return said;
}

static const char *read_more(struct connection *c)
{
	OVERLAPPED at = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
	const char *failure = "error";
	DWORD done = 0;

	if (c->room - c->n < CHUNK) {
		c->room = c->room * 2 + CHUNK;
		c->in = realloc(c->in, c->room);
	}
	if (c->in) {
		BOOL begun = ReadFile(c->pipe, c->in + c->n, CHUNK, NULL, &at);

		failure = finish(c->pipe, &at, begun, &done);
		c->n += done;
	}
	CloseHandle(at.hEvent);
	return failure;
}

static void read_line(struct connection *c)
{
	const char *failure = NULL;
	char *end;

	while (!(end = c->n ? memchr(c->in, '\n', c->n) : NULL)) {
		failure = read_more(c);
		if (failure) {
			answer(strcmp(failure, "ended") == 0 ? "end" : failure);
			return;
		}
	}
	printf("line %.*s\n", (int)(end - c->in), c->in);
	fflush(stdout);
	c->n -= (size_t)(end + 1 - c->in);
	memmove(c->in, end + 1, c->n);
}

static void close_one(struct connection *c)
{
	CloseHandle(c->pipe);
	free(c->in);
	*c = (struct connection){.pipe = NULL};
	answer("closed");
}

static void obey(const wchar_t *name, char *line)
{
	char *number = strchr(line, ' '), *rest = NULL;
	struct connection *c = NULL;

	if (strcmp(line, "open") == 0) {
		open_one(name);
		return;
	}
	if (number) {
		long i = strtol(number, &rest, 10);

		if (i >= 0 && i < n_connections && connections[i].pipe)
			c = &connections[i];
		rest += *rest == ' ';
	}
	if (!c)
		answer("error");
	else if (strncmp(line, "send ", 5) == 0)
		answer(write_all(c, rest, decode(rest)));
	else if (strncmp(line, "file ", 5) == 0)
		answer(write_file(c, rest));
	else if (strncmp(line, "read ", 5) == 0)
		read_line(c);
	else if (strncmp(line, "close ", 6) == 0)
		close_one(c);
	else
		answer("error");
}

int main(int argc, char **argv)
{
	static char line[LINE_BYTES];
	wchar_t *name = argc == 2 ? spg_wide(argv[1]) : NULL;

	if (!name) {
		fputs("usage: talker PIPE\n", stderr);
		return 2;
	}
	for (wchar_t *at = name; *at; at++)
		if (*at == '/')
			*at = '\\';
	answer("ready");
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\r\n")] = '\0';
		obey(name, line);
	}
	return 0;
}
