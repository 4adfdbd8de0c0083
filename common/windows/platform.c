/* SPDX-License-Identifier: MIT */
#include "common/platform.h"

#include <windows.h>

#include <shellapi.h>
#include <tlhelp32.h>

#include "common/err.h"
#include "common/windows/users.h"
#include "common/windows/wide.h"

/* The byte that stands for the whole of a lock file, far behind what anybody reads: a
 * lock of Windows keeps others from reading what it covers. */
#define LOCK_BYTE_HIGH 0x7fffffff

int spg_platform_rename_new(const char *from, const char *to)
{
	wchar_t *old = spg_wide_path(from), *new = spg_wide_path(to);
	int r = SPG_ERR_NOMEM;

	if (old && new) {
		r = MoveFileExW(old, new, 0) ? 0 : SPG_ERR_IO;
		if (r < 0 && (GetLastError() == ERROR_ALREADY_EXISTS ||
				     GetLastError() == ERROR_FILE_EXISTS))
			r = SPG_ERR_EXISTS;
		else if (r < 0 && (GetLastError() == ERROR_ACCESS_DENIED ||
					  GetLastError() == ERROR_SHARING_VIOLATION))
			r = SPG_ERR_DENIED;
		else if (r < 0 && GetLastError() == ERROR_FILE_NOT_FOUND)
			r = SPG_ERR_NOT_FOUND;
	}
	free(old);
	free(new);
	return r;
}

int spg_platform_lock(int fd)
{
	OVERLAPPED at = {.OffsetHigh = LOCK_BYTE_HIGH};
	intptr_t handle = _get_osfhandle(fd);

	if (handle == -1)
		return SPG_ERR_IO;
	if (LockFileEx((HANDLE)handle,
		    LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at))
		return 0;
	return GetLastError() == ERROR_LOCK_VIOLATION ||
	                       GetLastError() == ERROR_IO_PENDING
	               ? SPG_ERR_BUSY
	               : SPG_ERR_IO;
}

/* A service begins without any of the three, and what it opens gets no such number: they
 * are the C library's own. A write to them fails. */
int spg_platform_fill_descriptors(void)
{
	return 0;
}

int spg_platform_arguments(int *argc, char ***argv)
{
	int n;
	wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &n);
	char **texts = wide ? calloc((size_t)n + 1, sizeof(*texts)) : NULL;
	int r = texts ? 0 : SPG_ERR_NOMEM;

	for (int i = 0; r == 0 && i < n; i++) {
		texts[i] = spg_wide_to_text(wide[i], wcslen(wide[i]));
		if (!texts[i])
			r = SPG_ERR_NOMEM;
	}
	if (wide)
		LocalFree(wide);
	if (r < 0) {
		for (int i = 0; texts && i < n; i++)
			free(texts[i]);
		free(texts);
		return r;
	}
	*argc = n;
	*argv = texts;
	return 0;
}

void spg_platform_separators(char *path)
{
	for (; *path; path++)
		if (*path == '\\')
			*path = '/';
}

int spg_platform_open_child(int pid)
{
	(void)pid;
	return -1;
}

void spg_platform_ignore_broken_pipes(void)
{
}

struct after {
	unsigned seconds;
	void (*late)(void);
};

static DWORD WINAPI wait_and_call(void *arg)
{
	struct after *after = arg;

	Sleep(after->seconds * 1000);
	after->late();
	return 0;
}

void spg_platform_after(unsigned seconds, void (*late)(void))
{
	static struct after after;
	HANDLE thread;

	after = (struct after){seconds, late};
	thread = CreateThread(NULL, 0, wait_and_call, &after, 0, NULL);
	if (thread)
		CloseHandle(thread);
}

uint64_t spg_platform_descriptor_limit(void)
{
	return 0;
}

/* "C:/", "//server/share/", "/", with either separator. */
size_t spg_platform_root(const char *path)
{
	size_t n;

	if (((path[0] | 0x20) >= 'a' && (path[0] | 0x20) <= 'z') && path[1] == ':')
		return path[2] == '/' || path[2] == '\\' ? 3 : 0;
	/* Alone it is the root of the drive that the program is on. */
	if (strspn(path, "/\\") < 2)
		return strspn(path, "/\\");
	n = 2 + strcspn(path + 2, "/\\");
	if (n == 2 || !path[n])
		return 1;
	n += 1 + strcspn(path + n + 1, "/\\");
	return n + (path[n] != '\0');
}

/* What stands in two columns (Unicode 15, East_Asian_Width W and F) and in none
 * (combining), in ranges that are coarse where nothing else lies between. */
unsigned spg_platform_columns(uint32_t code)
{
	static const struct {
		uint32_t first, last;
		unsigned columns;
	} ranges[] = {{0x0300, 0x036f, 0}, {0x0483, 0x0489, 0}, {0x0591, 0x05bd, 0},
		{0x0610, 0x061a, 0}, {0x064b, 0x065f, 0}, {0x1100, 0x115f, 2},
		{0x1ab0, 0x1aff, 0}, {0x1dc0, 0x1dff, 0}, {0x200b, 0x200f, 0},
		{0x20d0, 0x20ff, 0}, {0x2e80, 0x303e, 2}, {0x3041, 0x33ff, 2},
		{0x3400, 0x4dbf, 2}, {0x4e00, 0x9fff, 2}, {0xa000, 0xa4cf, 2},
		{0xac00, 0xd7a3, 2}, {0xf900, 0xfaff, 2}, {0xfe00, 0xfe0f, 0},
		{0xfe20, 0xfe2f, 0}, {0xfe30, 0xfe6f, 2}, {0xff00, 0xff60, 2},
		{0xffe0, 0xffe6, 2}, {0x1f300, 0x1f64f, 2}, {0x1f900, 0x1f9ff, 2},
		{0x20000, 0x3fffd, 2}};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return ranges[i].columns;
	return 1;
}

/* Who installs is an account with rights of its own here, no number: not looked up. */
int spg_platform_find_user(const char *name, struct spg_platform_user *ret)
{
	(void)name;
	(void)ret;
	return SPG_ERR_UNSUPPORTED;
}

void spg_platform_user_finish(struct spg_platform_user *user)
{
	*user = (struct spg_platform_user){.name = NULL};
}

/* Of common/windows/posix.h: 0 for who has all rights here. */
uid_t geteuid(void)
{
	uint32_t uid = SPG_WINDOWS_NOBODY;
	HANDLE token;

	if (OpenProcessToken(
		    GetCurrentProcess(), TOKEN_QUERY | TOKEN_DUPLICATE, &token)) {
		(void)spg_windows_token_user(token, &uid, NULL);
		CloseHandle(token);
	}
	return uid;
}

/* By the client's process. */
int spg_platform_peer(intptr_t connection, struct spg_peer *ret)
{
	HANDLE process, token = NULL;
	ULONG pid;
	int r = SPG_ERR_IO;

	if (!GetNamedPipeClientProcessId((HANDLE)connection, &pid))
		return SPG_ERR_IO;
	*ret = (struct spg_peer){.pid = (int32_t)pid};
	process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid);
	if (process && OpenProcessToken(process, TOKEN_QUERY | TOKEN_DUPLICATE, &token))
		r = spg_windows_token_user(token, &ret->uid, &ret->gid);
	if (token)
		CloseHandle(token);
	if (process)
		CloseHandle(process);
	return r;
}

/* By what the client let the pipe know of its user (ImpersonateNamedPipeClient). */
bool spg_platform_confirms(intptr_t connection, const struct spg_peer *peer)
{
	uint32_t uid = SPG_WINDOWS_NOBODY, gid;
	HANDLE token = NULL;
	bool is_known = false;

	if (!ImpersonateNamedPipeClient((HANDLE)connection))
		return false;
	if (OpenThreadToken(
		    GetCurrentThread(), TOKEN_QUERY | TOKEN_DUPLICATE, TRUE, &token)) {
		is_known = spg_windows_token_user(token, &uid, &gid) == 0;
		CloseHandle(token);
	}
	/* As somebody else, nothing may go on. */
	if (!RevertToSelf())
		abort();
	return is_known && uid == peer->uid;
}

/* A client that has closed its end: nothing more can be read, and no pipe has one side
 * that is closed alone. */
bool spg_platform_is_gone(intptr_t connection)
{
	DWORD available;

	return !PeekNamedPipe((HANDLE)connection, NULL, 0, NULL, &available, NULL);
}

/* Connections over TCP count for one user: whose they are, Windows tells by process
 * only. */
bool spg_platform_knows_tcp_users(void)
{
	return false;
}

int spg_platform_tcp_user(int fd, uint32_t *ret)
{
	(void)fd;
	(void)ret;
	return SPG_ERR_NOT_FOUND;
}

static int32_t parent_of(HANDLE snapshot, int32_t pid)
{
	PROCESSENTRY32W entry = {.dwSize = sizeof(entry)};

	if (!Process32FirstW(snapshot, &entry))
		return 0;
	do {
		if ((int32_t)entry.th32ProcessID == pid)
			return (int32_t)entry.th32ParentProcessID;
	} while (Process32NextW(snapshot, &entry));
	return 0;
}

size_t spg_platform_lineage(int32_t pid, int32_t *ret, size_t max)
{
	HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
	size_t n = 0;

	if (snapshot == INVALID_HANDLE_VALUE)
		return 0;
	/* A parent that has ended may have left its number to anybody: @max ends a
	 * circle. */
	for (; pid > 4 && n < max; pid = parent_of(snapshot, pid))
		ret[n++] = pid;
	CloseHandle(snapshot);
	return n;
}

void spg_platform_release_memory(void)
{
	(void)HeapCompact(GetProcessHeap(), 0);
}

/* Who writes has to share the file with who reads it, and closes it. */
enum spg_times spg_platform_times(int fd)
{
	(void)fd;
	return SPG_TIMES_TELL;
}
