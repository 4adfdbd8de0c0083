/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "common/err.h"
#include "common/windows/wide.h"
#include "daemon/watch/windows/helper.h"
#include "daemon/watch/windows/text.h"

wchar_t *spg_scratch_path(const struct spg_scratch *scratch, const wchar_t *name)
{
	return spg_win_join_native(scratch->dir, name);
}

bool spg_scratch_create(const struct spg_scratch *scratch, const wchar_t *name)
{
	static const char bytes[4096] = "spguard\r\n";
	wchar_t *path = spg_scratch_path(scratch, name);
	HANDLE file =
		path ? CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL)
		     : INVALID_HANDLE_VALUE;
	DWORD done = 0;
	bool made = file != INVALID_HANDLE_VALUE &&
	            WriteFile(file, bytes, sizeof(bytes), &done, NULL) &&
	            done == sizeof(bytes);

	if (file != INVALID_HANDLE_VALUE)
		CloseHandle(file);
	free(path);
	return made;
}

bool spg_scratch_identify(const struct spg_scratch *scratch, const wchar_t *name,
	struct spg_win_identity *ret)
{
	wchar_t *path = spg_scratch_path(scratch, name);
	bool done = path && spg_win_identify_path(path, false, ret);

	free(path);
	return done;
}

/* A copy of this program serves as library: it is one that surely fits the system. */
static bool copy_program(const struct spg_scratch *scratch)
{
	wchar_t program[1024];
	DWORD n = GetModuleFileNameW(NULL, program, 1024);
	wchar_t *path = spg_scratch_path(scratch, SPG_HELD_IMAGE);
	bool made = path && n > 0 && n < 1024 && CopyFileW(program, path, TRUE);

	free(path);
	return made;
}

int spg_scratch_make(struct spg_scratch *scratch, const char *parent)
{
	static const wchar_t *const names[] = {SPG_HELD_SHARED, SPG_HELD_ALONE,
		SPG_HELD_LOCKED, SPG_HELD_MAPPED, SPG_HELD_FREE};
	char name[64];
	char *path;
	bool made;

	snprintf(name, sizeof(name), "selftest-%lu-%llx",
		(unsigned long)GetCurrentProcessId(),
		(unsigned long long)GetTickCount64());
	path = spg_win_join(parent, name);
	scratch->dir = path ? spg_wide_path(path) : NULL;
	free(path);
	if (!scratch->dir)
		return SPG_ERR_NOMEM;
	if (!CreateDirectoryW(scratch->dir, NULL)) {
		free(scratch->dir);
		scratch->dir = NULL;
		return SPG_ERR_IO;
	}
	made = copy_program(scratch);
	for (size_t i = 0; made && i < sizeof(names) / sizeof(names[0]); i++)
		made = spg_scratch_create(scratch, names[i]);
	return made ? 0 : SPG_ERR_IO;
}

static void remove_files(const struct spg_scratch *scratch)
{
	wchar_t *pattern = spg_scratch_path(scratch, L"*");
	WIN32_FIND_DATAW found;
	HANDLE search =
		pattern ? FindFirstFileW(pattern, &found) : INVALID_HANDLE_VALUE;

	while (search != INVALID_HANDLE_VALUE) {
		wchar_t *path = spg_scratch_path(scratch, found.cFileName);

		if (path && !(found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY))
			DeleteFileW(path);
		free(path);
		if (!FindNextFileW(search, &found))
			break;
	}
	if (search != INVALID_HANDLE_VALUE)
		FindClose(search);
	free(pattern);
}

void spg_scratch_remove(struct spg_scratch *scratch)
{
	DWORD error = GetLastError();

	if (!scratch->dir)
		return;
	remove_files(scratch);
	RemoveDirectoryW(scratch->dir);
	free(scratch->dir);
	scratch->dir = NULL;
	SetLastError(error);
}
