/* SPDX-License-Identifier: MIT */
/*
 * Holds files, each in one way, as programs of Windows do, until its standard input ends:
 *
 *   holder HOW=FILE...
 *
 * HOW is one of
 *   share-all, share-read, share-none   open for reading, shared so
 *   write                               open for writing, shared with all
 *   attributes                          open for attributes alone
 *   view, writable-view                 a view of data, its handle closed
 *   section                             a section without a view, its handle closed
 *   image                               a view as of a library, its handle closed
 *   lock:START:LENGTH                   open for reading, bytes locked
 *   deleted                             open, then deleted
 *   inherited                           open in a child alone, which got it from here
 *   duplicated                          open in a child alone, which was given a copy
 *   relay:HOW                           held in way HOW by children, without a gap: each starts
 *                                       the next, waits until that one holds it, and ends
 *
 * It says "ready PID", with the pid of the child for the last three, then waits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include <shellapi.h>

#include "common/windows/wide.h"

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

static unsigned long holder_pid;

static void fail(const char *what)
{
	fprintf(stderr, "holder: %s: error %lu\n", what, GetLastError());
	exit(1);
}

static HANDLE open_file(const char *path, DWORD access_mask, DWORD share, BOOL inherit)
{
	SECURITY_ATTRIBUTES security = {sizeof(security), NULL, inherit};
	wchar_t *native = spg_wide_path(path);
	HANDLE file = native ? CreateFileW(native, access_mask, share, &security,
				       OPEN_EXISTING, 0, NULL)
	                     : INVALID_HANDLE_VALUE;

	if (file == INVALID_HANDLE_VALUE)
		fail(path);
	free(native);
	return file;
}

static void map(
	const char *path, DWORD access_mask, DWORD protection, DWORD view, BOOL shown)
{
	HANDLE file = open_file(path, access_mask, SHARE_ALL, FALSE);
	HANDLE section = CreateFileMappingW(file, NULL, protection, 0, 0, NULL);

	if (!section || (shown && !MapViewOfFile(section, view, 0, 0, 0)))
		fail(path);
	if (shown)
		CloseHandle(section);
	CloseHandle(file);
}

static void lock(const char *range, const char *path)
{
	unsigned long long start = 0, length = 1;
	OVERLAPPED at = {.hEvent = NULL};

	if (sscanf(range, "%llu:%llu", &start, &length) != 2)
		fail(range);
	at.Offset = (DWORD)start;
	at.OffsetHigh = (DWORD)(start >> 32);
	if (!LockFileEx(open_file(path, GENERIC_READ, SHARE_ALL, FALSE),
		    LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0,
		    (DWORD)length, (DWORD)(length >> 32), &at))
		fail(path);
}

static void delete_open(const char *path)
{
	wchar_t *native = spg_wide_path(path);

	open_file(path, GENERIC_READ, SHARE_ALL, FALSE);
	if (!native || !DeleteFileW(native))
		fail(path);
	free(native);
}

/* A child that waits as long as this one lives. */
static PROCESS_INFORMATION start_child(BOOL inherit)
{
	STARTUPINFOW info = {.cb = sizeof(info)};
	PROCESS_INFORMATION child;
	wchar_t exe[1024], command[1100];

	GetModuleFileNameW(NULL, exe, 1024);
	swprintf(command, 1100, L"\"%ls\" child %lu", exe, GetCurrentProcessId());
	if (!CreateProcessW(
		    NULL, command, NULL, NULL, inherit, 0, NULL, NULL, &info, &child))
		fail("child");
	holder_pid = child.dwProcessId;
	return child;
}

static void hand_down(const char *path)
{
	HANDLE file = open_file(path, GENERIC_READ, SHARE_ALL, TRUE);

	start_child(TRUE);
	CloseHandle(file);
}

static void hand_over(const char *path)
{
	HANDLE file = open_file(path, GENERIC_READ, SHARE_ALL, FALSE), copy;
	PROCESS_INFORMATION child = start_child(FALSE);

	if (!DuplicateHandle(GetCurrentProcess(), file, child.hProcess, &copy, 0, FALSE,
		    DUPLICATE_SAME_ACCESS))
		fail("DuplicateHandle");
	CloseHandle(file);
}

/* --- from one to the next ------------------------------------------------------ */

/* Start number @n of the relay, and wait until it holds the file or @root ends. */
static void start_next(
	const char *how, const char *path, unsigned long root, unsigned long n)
{
	STARTUPINFOW info = {.cb = sizeof(info)};
	wchar_t exe[1024], command[3000], name[64];
	HANDLE waited[2] = {NULL, OpenProcess(SYNCHRONIZE, FALSE, root)};
	PROCESS_INFORMATION child;

	swprintf(name, 64, L"spguard-relay-%lu-%lu", root, n);
	waited[0] = CreateEventW(NULL, TRUE, FALSE, name);
	GetModuleFileNameW(NULL, exe, 1024);
	swprintf(command, 3000, L"\"%ls\" relay %hs %hs %lu %lu", exe, how, path, root,
		n);
	if (!waited[0] || !waited[1] ||
		!CreateProcessW(
			NULL, command, NULL, NULL, FALSE, 0, NULL, NULL, &info, &child))
		fail("relay");
	WaitForMultipleObjects(2, waited, FALSE, INFINITE);
	holder_pid = child.dwProcessId;
}

static void hold(const char *how, const char *path);

/* Hold it, say so, hand it on, and end; the last one is told by the end of @root. */
static void run_relay(
	const char *how, const char *path, unsigned long root, unsigned long n)
{
	wchar_t name[64];
	HANDLE held, first = OpenProcess(SYNCHRONIZE, FALSE, root);

	hold(how, path);
	swprintf(name, 64, L"spguard-relay-%lu-%lu", root, n);
	held = OpenEventW(EVENT_MODIFY_STATE, FALSE, name);
	if (held)
		SetEvent(held);
	if (first && WaitForSingleObject(first, 10) == WAIT_TIMEOUT)
		start_next(how, path, root, n + 1);
}

static void hold(const char *how, const char *path)
{
	if (strcmp(how, "share-all") == 0)
		open_file(path, GENERIC_READ, SHARE_ALL, FALSE);
	else if (strcmp(how, "share-read") == 0)
		open_file(path, GENERIC_READ, FILE_SHARE_READ, FALSE);
	else if (strcmp(how, "share-none") == 0)
		open_file(path, GENERIC_READ, 0, FALSE);
	else if (strcmp(how, "write") == 0)
		open_file(path, GENERIC_READ | GENERIC_WRITE, SHARE_ALL, FALSE);
	else if (strcmp(how, "attributes") == 0)
		open_file(path, FILE_READ_ATTRIBUTES, SHARE_ALL, FALSE);
	else if (strcmp(how, "view") == 0)
		map(path, GENERIC_READ, PAGE_READONLY, FILE_MAP_READ, TRUE);
	else if (strcmp(how, "writable-view") == 0)
		map(path, GENERIC_READ | GENERIC_WRITE, PAGE_READWRITE,
			FILE_MAP_ALL_ACCESS, TRUE);
	else if (strcmp(how, "section") == 0)
		map(path, GENERIC_READ, PAGE_READONLY, FILE_MAP_READ, FALSE);
	else if (strcmp(how, "image") == 0)
		map(path, GENERIC_READ, PAGE_READONLY | SEC_IMAGE, FILE_MAP_READ, TRUE);
	else if (strncmp(how, "lock:", 5) == 0)
		lock(how + 5, path);
	else if (strcmp(how, "deleted") == 0)
		delete_open(path);
	else if (strcmp(how, "inherited") == 0)
		hand_down(path);
	else if (strcmp(how, "duplicated") == 0)
		hand_over(path);
	else if (strncmp(how, "relay:", 6) == 0)
		start_next(how + 6, path, GetCurrentProcessId(), 1);
	else
		fail(how);
}

/* As UTF-8; those of main() are in the code page of the system. */
static char **take_arguments(int *ret_n)
{
	wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), ret_n);
	char **text = calloc((size_t)*ret_n + 1, sizeof(*text));

	for (int i = 0; text && i < *ret_n; i++)
		text[i] = spg_wide_to_text(wide[i], wcslen(wide[i]));
	if (!text)
		fail("arguments");
	return text;
}

int main(void)
{
	int argc;
	char **argv = take_arguments(&argc), line[64];

	if (argc == 3 && strcmp(argv[1], "child") == 0) {
		HANDLE parent = OpenProcess(SYNCHRONIZE, FALSE, (DWORD)atol(argv[2]));

		if (parent)
			WaitForSingleObject(parent, INFINITE);
		return 0;
	}
	if (argc == 6 && strcmp(argv[1], "relay") == 0) {
		run_relay(argv[2], argv[3], strtoul(argv[4], NULL, 10),
			strtoul(argv[5], NULL, 10));
		return 0;
	}
	holder_pid = GetCurrentProcessId();
	for (int i = 1; i < argc; i++) {
		char *equals = strchr(argv[i], '=');

		if (!equals)
			fail(argv[i]);
		*equals = '\0';
		hold(argv[i], equals + 1);
	}
	printf("ready %lu\n", holder_pid);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		;
	return 0;
}
