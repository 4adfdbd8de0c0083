/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a watch has read, on its way from the thread that reads to the loop thread: a queue
 * with a bound, beyond which all that is in it becomes one overflow.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <windows.h>

#include "common/identity.h"
#include "common/kind.h"

enum spg_win_change_kind {
	SPG_WIN_CHANGE_FILE,
	SPG_WIN_CHANGE_DIRECTORY, /* one came or went, or what may be one */
	SPG_WIN_CHANGE_ANYTHING,  /* a short name: nobody knows whose */
	SPG_WIN_CHANGE_OVERFLOW,
	SPG_WIN_CHANGE_LOST, /* a watch has ended */
};

struct spg_win_change {
	enum spg_win_change_kind kind;
	enum spg_event_kind event; /* FILE */
	int64_t at_ns;             /* UTC */
	char *path, *new_path;     /* the latter of a rename; or NULL */
	struct spg_file_id id;     /* {0, 0}: not known */
	struct spg_win_change *next;
};

struct spg_win_changes {
	SRWLOCK lock;
	struct spg_win_change *first, **end;
	size_t n;
};

void spg_win_changes_init(struct spg_win_changes *changes);
void spg_win_changes_finish(struct spg_win_changes *changes);

/** Parse @bytes at @data, as ReadDirectoryChangesW filled them in for @folder, and append
 * what they say. 0 bytes: an overflow. Out of memory is one too. */
void spg_win_changes_read(struct spg_win_changes *changes, const char *folder,
	const void *data, size_t bytes, bool names_only);

/** Append one without a file. */
void spg_win_changes_note(struct spg_win_changes *changes,
	enum spg_win_change_kind kind, const char *path);

/** The next one, or NULL; the caller frees it by spg_win_change_free(). */
struct spg_win_change *spg_win_changes_take(struct spg_win_changes *changes);

void spg_win_change_free(struct spg_win_change *change);

bool spg_win_changes_are_empty(struct spg_win_changes *changes);
