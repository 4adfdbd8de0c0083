/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <stdbool.h>

#include <windows.h>

#include "common/windows/wide.h"

struct spg_posix_dir {
	HANDLE search;
	WIN32_FIND_DATAW found;
	bool ahead; /* @found has not been returned yet */
	struct dirent entry;
	int fd;
};

static DIR *open_path(const char *path)
{
	DIR *dir = calloc(1, sizeof(*dir));
	size_t size = strlen(path) + 3;
	char *all = malloc(size);
	wchar_t *wide = NULL;

	if (dir && all) {
		snprintf(all, size, "%s/*", path);
		wide = spg_wide_path(all);
	}
	free(all);
	if (!wide) {
		free(dir);
		return NULL;
	}
	dir->fd = -1;
	dir->search = FindFirstFileExW(
		wide, FindExInfoBasic, &dir->found, FindExSearchNameMatch, NULL, 0);
	free(wide);
	dir->ahead = dir->search != INVALID_HANDLE_VALUE;
	if (!dir->ahead) {
		DWORD error = GetLastError();

		free(dir);
		errno = error == ERROR_ACCESS_DENIED ? EACCES
		        : error == ERROR_DIRECTORY   ? ENOTDIR
		                                     : ENOENT;
		return NULL;
	}
	return dir;
}

DIR *opendir(const char *path)
{
	return open_path(path);
}

DIR *fdopendir(int fd)
{
	intptr_t handle = _get_osfhandle(fd);
	char *path = handle == -1 ? NULL : spg_wide_handle_path((HANDLE)handle);
	DIR *dir = path ? open_path(path) : NULL;

	free(path);
	if (dir)
		dir->fd = fd;
	return dir;
}

static bool fill(struct dirent *ret, const WIN32_FIND_DATAW *found)
{
	char *name = spg_wide_to_text(found->cFileName, wcslen(found->cFileName));

	if (!name || strlen(name) >= sizeof(ret->d_name)) {
		free(name);
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(ret->d_name, name, strlen(name) + 1);
	free(name);
	ret->d_type = found->dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT
	                      ? DT_UNKNOWN
	              : found->dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY ? DT_DIR
	                                                                   : DT_REG;
	return true;
}

struct dirent *readdir(DIR *dir)
{
	if (!dir->ahead && !FindNextFileW(dir->search, &dir->found)) {
		if (GetLastError() != ERROR_NO_MORE_FILES)
			errno = EIO;
		return NULL;
	}
	dir->ahead = false;
	return fill(&dir->entry, &dir->found) ? &dir->entry : NULL;
}

int closedir(DIR *dir)
{
	FindClose(dir->search);
	if (dir->fd >= 0)
		close(dir->fd);
	free(dir);
	return 0;
}
