/* SPDX-License-Identifier: MIT */
#include "common/windows/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include <sddl.h>

#include "common/clock.h"
#include "common/rfc3339.h"
#include "common/windows/wide.h"

/* The system and administrators, also for what is made in it: a line may name anybody's
 * files and programs. */
#define RULES L"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"

static struct {
	SRWLOCK lock;
	wchar_t *path, *old_path; /* NULL: there is none */
	HANDLE file;
	int64_t size;
} log_file = {.lock = SRWLOCK_INIT, .file = INVALID_HANDLE_VALUE};

/* With the folders above it; those have the rights that Windows gives them. */
static void make_folder(wchar_t *path)
{
	SECURITY_ATTRIBUTES rules = {.nLength = sizeof(rules)};

	/* Behind "\\?\C:\". */
	for (wchar_t *at = path + (wcslen(path) > 7 ? 7 : wcslen(path)); *at; at++) {
		if (*at != L'\\')
			continue;
		*at = L'\0';
		(void)CreateDirectoryW(path, NULL);
		*at = L'\\';
	}
	if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(
		    RULES, SDDL_REVISION_1, &rules.lpSecurityDescriptor, NULL))
		return;
	(void)CreateDirectoryW(path, &rules);
	LocalFree(rules.lpSecurityDescriptor);
}

/* With the lock. Others may read it and take it away meanwhile. */
static bool open_file(void)
{
	LARGE_INTEGER size;

	log_file.file =
		CreateFileW(log_file.path, FILE_APPEND_DATA | FILE_READ_ATTRIBUTES,
			FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
			OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
	if (log_file.file == INVALID_HANDLE_VALUE)
		return false;
	log_file.size = GetFileSizeEx(log_file.file, &size) ? size.QuadPart : 0;
	return true;
}

static void turn_over(void)
{
	CloseHandle(log_file.file);
	log_file.file = INVALID_HANDLE_VALUE;
	/* Where somebody keeps the old one from being replaced, the new one begins anew:
	 * a log must not fill the disk. */
	if (!MoveFileExW(log_file.path, log_file.old_path, MOVEFILE_REPLACE_EXISTING))
		(void)DeleteFileW(log_file.path);
	(void)open_file();
}

static wchar_t *path_of(const char *folder, const char *program, const char *end)
{
	wchar_t *wide = NULL;
	char *path;

	if (asprintf(&path, "%s/%s.log%s", folder, program, end) < 0)
		return NULL;
	wide = spg_wide_path(path);
	free(path);
	return wide;
}

bool spg_log_file_open(const char *folder, const char *program)
{
	wchar_t *wide = spg_wide_path(folder);
	bool is_open = false;

	if (wide)
		make_folder(wide);
	free(wide);
	AcquireSRWLockExclusive(&log_file.lock);
	if (!log_file.path)
		log_file.path = path_of(folder, program, "");
	if (!log_file.old_path)
		log_file.old_path = path_of(folder, program, ".1");
	if (log_file.path && log_file.old_path)
		is_open = log_file.file != INVALID_HANDLE_VALUE || open_file();
	ReleaseSRWLockExclusive(&log_file.lock);
	return is_open;
}

static const char *name_of(enum spg_log_level level)
{
	switch (level) {
	case SPG_LOG_ERROR:
		return "error";
	case SPG_LOG_WARNING:
		return "warning";
	case SPG_LOG_NOTICE:
		return "notice";
	case SPG_LOG_INFO:
		return "info";
	case SPG_LOG_DEBUG:
		return "debug";
	}
	return "info";
}

/* With the lock. */
static bool write_line(const char *line, size_t n)
{
	DWORD written = 0;

	if (log_file.file == INVALID_HANDLE_VALUE && (!log_file.path || !open_file()))
		return false;
	if (log_file.size + (int64_t)n > SPG_LOG_FILE_BYTES_MAX)
		turn_over();
	if (log_file.file == INVALID_HANDLE_VALUE ||
		!WriteFile(log_file.file, line, (DWORD)n, &written, NULL) ||
		written != n)
		return false;
	log_file.size += written;
	return true;
}

bool spg_log_file_put(enum spg_log_level level, const char *text)
{
	char time[SPG_RFC3339_SIZE], *line;
	bool done;
	int n;

	spg_rfc3339_format(spg_clock_wall_ns(), time);
	n = asprintf(&line, "%s %s: %s\r\n", time, name_of(level), text);
	if (n < 0)
		return false;
	AcquireSRWLockExclusive(&log_file.lock);
	done = write_line(line, (size_t)n);
	ReleaseSRWLockExclusive(&log_file.lock);
	free(line);
	return done;
}
