/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/watches.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/windows/wide.h"
#include "daemon/watch/windows/text.h"

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

static int translate(DWORD error)
{
	switch (error) {
	case ERROR_FILE_NOT_FOUND:
	case ERROR_PATH_NOT_FOUND:
	case ERROR_DIRECTORY:
		return SPG_ERR_NOT_FOUND;
	case ERROR_ACCESS_DENIED:
		return SPG_ERR_DENIED;
	case ERROR_NO_SYSTEM_RESOURCES:
	case ERROR_NONPAGED_SYSTEM_RESOURCES:
	case ERROR_TOO_MANY_OPEN_FILES:
		return SPG_ERR_LIMIT;
	case ERROR_NOT_ENOUGH_MEMORY:
	case ERROR_OUTOFMEMORY:
		return SPG_ERR_NOMEM;
	default:
		return SPG_ERR_IO;
	}
}

int spg_win_watch_continue(struct spg_win_watch *watch)
{
	DWORD filter = FILE_NOTIFY_CHANGE_DIR_NAME;

	if (!watch->names_only)
		filter |= FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_SIZE |
		          FILE_NOTIFY_CHANGE_LAST_WRITE;
	watch->overlapped = (OVERLAPPED){.hEvent = NULL};
	if (!ReadDirectoryChangesW(watch->dir, watch->buffer, sizeof(watch->buffer),
		    FALSE, filter, NULL, &watch->overlapped, NULL))
		return translate(GetLastError());
	watch->pending = true;
	return 0;
}

int spg_win_watch_open(HANDLE port, const char *path, const wchar_t *native,
	bool names_only, struct spg_win_watch **ret)
{
	struct spg_win_watch *watch = calloc(1, sizeof(*watch));
	int r = 0;

	if (!watch)
		return SPG_ERR_NOMEM;
	watch->names_only = names_only;
	watch->path = strdup(path);
	watch->native = _wcsdup(native);
	watch->dir = CreateFileW(native, FILE_LIST_DIRECTORY, SHARE_ALL, NULL,
		OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OVERLAPPED, NULL);
	if (watch->dir == INVALID_HANDLE_VALUE)
		r = translate(GetLastError());
	else if (!watch->path || !watch->native ||
		 !CreateIoCompletionPort(watch->dir, port, 0, 0))
		r = SPG_ERR_NOMEM;
	else
		r = spg_win_watch_continue(watch);
	if (r < 0) {
		if (watch->dir != INVALID_HANDLE_VALUE)
			CloseHandle(watch->dir);
		watch->dir = NULL;
		spg_win_watch_free(watch);
		return r;
	}
	*ret = watch;
	return 0;
}

void spg_win_watch_close(struct spg_win_watch *watch)
{
	watch->closing = true;
	if (watch->dir) {
		CancelIoEx(watch->dir, &watch->overlapped);
		CloseHandle(watch->dir);
	}
	watch->dir = NULL;
}

void spg_win_watch_free(struct spg_win_watch *watch)
{
	if (!watch)
		return;
	if (watch->dir)
		CloseHandle(watch->dir);
	free(watch->path);
	free(watch->native);
	free(watch);
}

bool spg_win_is_at_or_below(const char *path, const char *dir)
{
	wchar_t *wide_path = spg_wide_path(path), *wide_dir = spg_wide_path(dir);
	size_t n = wide_dir ? wcslen(wide_dir) : 0;
	bool below = false;

	while (n > 0 && wide_dir[n - 1] == L'\\')
		n--;
	if (wide_path && wide_dir && wcslen(wide_path) >= n)
		below = CompareStringOrdinal(wide_path, (int)n, wide_dir, (int)n,
				TRUE) == CSTR_EQUAL &&
		        (wide_path[n] == L'\0' || wide_path[n] == L'\\');
	free(wide_path);
	free(wide_dir);
	return below;
}
