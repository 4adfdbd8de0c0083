/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include <shellapi.h>

#include "common/err.h"
#include "daemon/watch/watch.h"

#define PATH_W      1024
#define PATIENCE_MS 10000
#define SHARE_ALL   (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

/* --- the child ------------------------------------------------------------------ */

static HANDLE open_in(const wchar_t *dir, const wchar_t *name, DWORD share)
{
	wchar_t path[PATH_W];

	swprintf(path, PATH_W, L"%ls\\%ls", dir, name);
	return CreateFileW(path, GENERIC_READ, share, NULL, OPEN_EXISTING, 0, NULL);
}

/* A view that stays, of a file whose handles are closed. */
static bool map(const wchar_t *dir, const wchar_t *name, DWORD protection)
{
	HANDLE file = open_in(dir, name, SHARE_ALL), section = NULL;
	void *view = NULL;

	if (file == INVALID_HANDLE_VALUE)
		return false;
	section = CreateFileMappingW(file, NULL, protection, 0, 0, NULL);
	if (section)
		view = MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0);
	if (section)
		CloseHandle(section);
	CloseHandle(file);
	return view != NULL;
}

static bool lock(const wchar_t *dir)
{
	HANDLE file = open_in(dir, SPG_HELD_LOCKED, SHARE_ALL);
	OVERLAPPED at = {.Offset = SPG_HELD_LOCK_START};

	return file != INVALID_HANDLE_VALUE &&
	       LockFileEx(file, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0,
		       SPG_HELD_LOCK_END - SPG_HELD_LOCK_START + 1, 0, &at);
}

static bool hold(const wchar_t *dir)
{
	return open_in(dir, SPG_HELD_SHARED, SHARE_ALL) != INVALID_HANDLE_VALUE &&
	       open_in(dir, SPG_HELD_ALONE, 0) != INVALID_HANDLE_VALUE && lock(dir) &&
	       map(dir, SPG_HELD_MAPPED, PAGE_READONLY) &&
	       map(dir, SPG_HELD_IMAGE, PAGE_READONLY | SEC_IMAGE);
}

int spg_watch_helper(int argc, char **argv)
{
	wchar_t **wide;
	int n;
	DWORD done;
	char byte;

	(void)argv;
	if (argc != 3)
		return -1;
	/* The C library's arguments are in the code page of the system. */
	wide = CommandLineToArgvW(GetCommandLineW(), &n);
	if (!wide || n != 3 || wcscmp(wide[1], SPG_HELPER_ARGUMENT) != 0) {
		LocalFree(wide);
		return -1;
	}
	byte = hold(wide[2]) ? 'y' : 'n';
	LocalFree(wide);
	if (WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), &byte, 1, &done, NULL))
		while (ReadFile(
			       GetStdHandle(STD_INPUT_HANDLE), &byte, 1, &done, NULL) &&
			done > 0)
			;
	return 0;
}

/* --- who starts it ---------------------------------------------------------------- */

struct pipes {
	HANDLE said, said_end, go, go_end; /* ours, and the child's */
};

static void close_one(HANDLE *handle)
{
	if (*handle)
		CloseHandle(*handle);
	*handle = NULL;
}

static bool make_pipes(struct pipes *pipes)
{
	SECURITY_ATTRIBUTES inherit = {sizeof(inherit), NULL, TRUE};

	return CreatePipe(&pipes->said, &pipes->said_end, &inherit, 0) &&
	       CreatePipe(&pipes->go_end, &pipes->go, &inherit, 0) &&
	       SetHandleInformation(pipes->said, HANDLE_FLAG_INHERIT, 0) &&
	       SetHandleInformation(pipes->go, HANDLE_FLAG_INHERIT, 0);
}

/* Of all handles that may be inherited only its two are. */
static bool create(
	wchar_t *command, const struct pipes *pipes, PROCESS_INFORMATION *ret)
{
	HANDLE inherited[2] = {pipes->said_end, pipes->go_end};
	STARTUPINFOEXW info = {.StartupInfo = {.cb = sizeof(info),
				       .dwFlags = STARTF_USESTDHANDLES,
				       .hStdInput = pipes->go_end,
				       .hStdOutput = pipes->said_end,
				       .hStdError = pipes->said_end}};
	SIZE_T size = 0;
	bool made = false;

	InitializeProcThreadAttributeList(NULL, 1, 0, &size);
	info.lpAttributeList = malloc(size);
	if (!info.lpAttributeList ||
		!InitializeProcThreadAttributeList(info.lpAttributeList, 1, 0, &size)) {
		free(info.lpAttributeList);
		return false;
	}
	if (UpdateProcThreadAttribute(info.lpAttributeList, 0,
		    PROC_THREAD_ATTRIBUTE_HANDLE_LIST, inherited, sizeof(inherited),
		    NULL, NULL))
		made = CreateProcessW(NULL, command, NULL, NULL, TRUE,
			CREATE_NO_WINDOW | EXTENDED_STARTUPINFO_PRESENT, NULL, NULL,
			&info.StartupInfo, ret);
	DeleteProcThreadAttributeList(info.lpAttributeList);
	free(info.lpAttributeList);
	return made;
}

/* Wait until it has said that it holds the files. */
static bool await(const struct pipes *pipes, HANDLE process)
{
	ULONGLONG until = GetTickCount64() + PATIENCE_MS;
	DWORD n = 0;
	char byte = 'n';

	while (GetTickCount64() < until) {
		if (!PeekNamedPipe(pipes->said, NULL, 0, NULL, &n, NULL))
			return false;
		if (n > 0)
			return ReadFile(pipes->said, &byte, 1, &n, NULL) && byte == 'y';
		if (WaitForSingleObject(process, 10) == WAIT_OBJECT_0)
			return false;
	}
	return false;
}

int spg_win_helper_start(const wchar_t *dir, struct spg_win_helper *ret)
{
	struct pipes pipes = {NULL, NULL, NULL, NULL};
	PROCESS_INFORMATION info;
	wchar_t exe[PATH_W], command[3 * PATH_W];
	DWORD n = GetModuleFileNameW(NULL, exe, PATH_W);
	int r = SPG_ERR_IO;

	*ret = (struct spg_win_helper){.pid = 0};
	swprintf(command, 3 * PATH_W, L"\"%ls\" " SPG_HELPER_ARGUMENT L" \"%ls\"", exe,
		dir);
	if (n > 0 && n < PATH_W && make_pipes(&pipes) &&
		create(command, &pipes, &info)) {
		CloseHandle(info.hThread);
		close_one(&pipes.said_end);
		close_one(&pipes.go_end);
		*ret = (struct spg_win_helper){.process = info.hProcess,
			.go = pipes.go,
			.pid = (int32_t)info.dwProcessId};
		pipes.go = NULL;
		r = await(&pipes, info.hProcess) ? 0 : SPG_ERR_IO;
	}
	close_one(&pipes.said);
	close_one(&pipes.said_end);
	close_one(&pipes.go);
	close_one(&pipes.go_end);
	return r;
}

void spg_win_helper_end(struct spg_win_helper *helper)
{
	if (helper->go)
		CloseHandle(helper->go);
	if (helper->process) {
		if (WaitForSingleObject(helper->process, PATIENCE_MS) != WAIT_OBJECT_0)
			TerminateProcess(helper->process, 1);
		CloseHandle(helper->process);
	}
	*helper = (struct spg_win_helper){.pid = 0};
}
