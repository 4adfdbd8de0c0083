/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The watched directories: one overlapped ReadDirectoryChangesW each, all on one completion
 * port. The thread of events.c owns them.
 *
 * An open watch keeps the directories above it from being renamed, as any open handle does
 * on Windows; itself it may be renamed or deleted.
 */
#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

#include <windows.h>

#define SPG_WATCH_BUFFER_BYTES 65536 /* the most that a network share takes */

struct spg_win_watch {
	OVERLAPPED overlapped; /* first: the port gives it back */
	HANDLE dir;
	char *path;
	wchar_t *native;
	bool names_only; /* only directories that come and go in it matter */
	bool closing;    /* freed when what is pending has come back */
	bool pending;
	struct spg_win_watch *next;
	DWORD buffer[SPG_WATCH_BUFFER_BYTES / sizeof(DWORD)];
};

/** Open the directory and begin to watch it. Returns 0; SPG_ERR_NOMEM; SPG_ERR_DENIED;
 * SPG_ERR_NOT_FOUND; SPG_ERR_LIMIT; or SPG_ERR_IO. */
int spg_win_watch_open(HANDLE port, const char *path, const wchar_t *native,
	bool names_only, struct spg_win_watch **ret);

/** Begin again, after what was there has been read. The same errors. */
int spg_win_watch_continue(struct spg_win_watch *watch);

/** Have it come back from the port for the last time; free it then. Without anything
 * pending it never does. */
void spg_win_watch_close(struct spg_win_watch *watch);

void spg_win_watch_free(struct spg_win_watch *watch);

/** True when @path is @dir or below it, without regard to case and kind of separators. */
bool spg_win_is_at_or_below(const char *path, const char *dir);
