/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/changes.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/windows/wide.h"
#include "daemon/watch/windows/identity.h"
#include "daemon/watch/windows/text.h"

#define CHANGES_MAX  65536
#define RECORD_BYTES (offsetof(FILE_NOTIFY_INFORMATION, FileName))

void spg_win_changes_init(struct spg_win_changes *changes)
{
	*changes = (struct spg_win_changes){.lock = SRWLOCK_INIT};
	changes->end = &changes->first;
}

void spg_win_change_free(struct spg_win_change *change)
{
	if (!change)
		return;
	free(change->path);
	free(change->new_path);
	free(change);
}

/* With the lock. */
static void forget_all(struct spg_win_changes *changes)
{
	while (changes->first) {
		struct spg_win_change *next = changes->first->next;

		spg_win_change_free(changes->first);
		changes->first = next;
	}
	changes->end = &changes->first;
	changes->n = 0;
}

void spg_win_changes_finish(struct spg_win_changes *changes)
{
	forget_all(changes);
}

/* Memory for this one is there from the start: an overflow has to be told. */
static struct spg_win_change *overflow_of(struct spg_win_change *change)
{
	free(change->path);
	free(change->new_path);
	*change = (struct spg_win_change){
		.kind = SPG_WIN_CHANGE_OVERFLOW, .at_ns = spg_clock_wall_ns()};
	return change;
}

static void append(struct spg_win_changes *changes, struct spg_win_change *change)
{
	AcquireSRWLockExclusive(&changes->lock);
	if (changes->n >= CHANGES_MAX) {
		forget_all(changes);
		change = overflow_of(change);
	}
	*changes->end = change;
	changes->end = &change->next;
	changes->n++;
	ReleaseSRWLockExclusive(&changes->lock);
}

struct spg_win_change *spg_win_changes_take(struct spg_win_changes *changes)
{
	struct spg_win_change *change;

	AcquireSRWLockExclusive(&changes->lock);
	change = changes->first;
	if (change) {
		changes->first = change->next;
		if (!changes->first)
			changes->end = &changes->first;
		changes->n--;
	}
	ReleaseSRWLockExclusive(&changes->lock);
	return change;
}

bool spg_win_changes_are_empty(struct spg_win_changes *changes)
{
	bool empty;

	AcquireSRWLockExclusive(&changes->lock);
	empty = !changes->first;
	ReleaseSRWLockExclusive(&changes->lock);
	return empty;
}

void spg_win_changes_note(struct spg_win_changes *changes,
	enum spg_win_change_kind kind, const char *path)
{
	struct spg_win_change *change = calloc(1, sizeof(*change));

	/* Nothing can be done: the daemon is about to fail elsewhere. */
	if (!change)
		return;
	change->kind = kind;
	change->at_ns = spg_clock_wall_ns();
	change->path = path ? strdup(path) : NULL;
	append(changes, path && !change->path ? overflow_of(change) : change);
}

/* --- one record ---------------------------------------------------------------- */

static char *path_of(const char *folder, const FILE_NOTIFY_INFORMATION *record)
{
	char *name = spg_wide_to_text(
		record->FileName, record->FileNameLength / sizeof(wchar_t));
	char *path = name ? spg_win_join(folder, name) : NULL;

	free(name);
	return path;
}

/* What it is now, if it is there. */
static void look_at(struct spg_win_change *change, bool *ret_directory)
{
	const char *path = change->new_path ? change->new_path : change->path;
	wchar_t *native = spg_wide_path(path);
	struct spg_win_identity identity;

	*ret_directory = false;
	if (native && spg_win_identify_path(native, true, &identity)) {
		change->id = identity.id;
		*ret_directory = identity.attributes & FILE_ATTRIBUTE_DIRECTORY;
	}
	free(native);
}

static enum spg_event_kind kind_of(DWORD action)
{
	switch (action) {
	case FILE_ACTION_ADDED:
		return SPG_EVENT_CREATE;
	case FILE_ACTION_REMOVED:
		return SPG_EVENT_DELETE;
	case FILE_ACTION_MODIFIED:
		return SPG_EVENT_MODIFY;
	default:
		return SPG_EVENT_RENAME;
	}
}

/* Whether what went was a directory nobody says: both are told then. */
static void tell(
	struct spg_win_changes *changes, struct spg_win_change *change, bool names_only)
{
	bool directory;

	look_at(change, &directory);
	if (change->event != SPG_EVENT_MODIFY &&
		(directory || names_only || change->event == SPG_EVENT_DELETE ||
			change->event == SPG_EVENT_RENAME)) {
		spg_win_changes_note(changes, SPG_WIN_CHANGE_DIRECTORY, change->path);
		if (change->new_path)
			spg_win_changes_note(
				changes, SPG_WIN_CHANGE_DIRECTORY, change->new_path);
	}
	if (strchr(spg_win_base(change->path), '~'))
		spg_win_changes_note(changes, SPG_WIN_CHANGE_ANYTHING, change->path);
	if (names_only || directory)
		spg_win_change_free(change);
	else
		append(changes, change);
}

/* The record after @record; NULL: none, or it would not be within the buffer. */
static const FILE_NOTIFY_INFORMATION *follow(
	const FILE_NOTIFY_INFORMATION *record, const char *end)
{
	const char *next = (const char *)record + record->NextEntryOffset;

	if (record->NextEntryOffset == 0 || end - next < (ptrdiff_t)RECORD_BYTES)
		return NULL;
	return (const void *)next;
}

static bool is_whole(const FILE_NOTIFY_INFORMATION *record, const char *end)
{
	return end - (const char *)record->FileName >=
	       (ptrdiff_t)record->FileNameLength;
}

/* Returns the last record that it took. */
static const FILE_NOTIFY_INFORMATION *take(struct spg_win_changes *changes,
	const char *folder, const FILE_NOTIFY_INFORMATION *record, const char *end,
	bool names_only)
{
	struct spg_win_change *change = calloc(1, sizeof(*change));
	const FILE_NOTIFY_INFORMATION *next = follow(record, end);
	bool pair = record->Action == FILE_ACTION_RENAMED_OLD_NAME && next &&
	            next->Action == FILE_ACTION_RENAMED_NEW_NAME && is_whole(next, end);

	if (!change)
		return pair ? next : record;
	change->kind = SPG_WIN_CHANGE_FILE;
	change->event = kind_of(record->Action);
	change->at_ns = spg_clock_wall_ns();
	change->path = path_of(folder, record);
	if (pair)
		change->new_path = path_of(folder, next);
	else if (record->Action == FILE_ACTION_RENAMED_OLD_NAME)
		change->event = SPG_EVENT_DELETE;
	else if (record->Action == FILE_ACTION_RENAMED_NEW_NAME)
		change->event = SPG_EVENT_CREATE;
	if (!change->path || (pair && !change->new_path))
		append(changes, overflow_of(change));
	else
		tell(changes, change, names_only);
	return pair ? next : record;
}

void spg_win_changes_read(struct spg_win_changes *changes, const char *folder,
	const void *data, size_t bytes, bool names_only)
{
	const char *end = (const char *)data + bytes;
	const FILE_NOTIFY_INFORMATION *record = data;

	if (bytes < RECORD_BYTES) {
		spg_win_changes_note(changes, SPG_WIN_CHANGE_OVERFLOW, NULL);
		return;
	}
	while (record && is_whole(record, end))
		record = follow(take(changes, folder, record, end, names_only), end);
}
