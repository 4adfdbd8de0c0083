/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/selftest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "common/err.h"
#include "common/windows/wide.h"
#include "daemon/watch/windows/helper.h"
#include "daemon/watch/windows/probes.h"
#include "daemon/watch/windows/scratch.h"
#include "daemon/watch/windows/services.h"
#include "daemon/watch/windows/text.h"
#include "daemon/watch/windows/views.h"
#include "daemon/watch/windows/watcher.h"

#define EVENT_TRIES   40
#define EVENT_WAIT_MS 50

struct rows {
	struct spg_mechanism *items;
	size_t n;
};

/* @spared: another means does its work, less well. */
static void add(struct rows *rows, enum spg_mechanism_kind kind, const char *name,
	bool works, bool spared, const char *detail, const char *remedy)
{
	struct spg_mechanism *row = &rows->items[rows->n++];

	*row = (struct spg_mechanism){
		.kind = kind, .name = name, .works = works, .spared = spared};
	snprintf(row->detail, sizeof(row->detail), "%s", detail);
	snprintf(row->remedy, sizeof(row->remedy), "%s", works ? "" : remedy);
}

#define AS_SERVICE "run spguardd as a service (LocalSystem), or as an administrator"

/* --- handles ---------------------------------------------------------------------- */

static bool has_open(const struct spg_win_reading *reading,
	const struct spg_scratch *scratch, const wchar_t *name, int32_t pid)
{
	struct spg_win_identity file;

	if (!spg_scratch_identify(scratch, name, &file))
		return false;
	for (size_t i = 0; i < reading->n_opens; i++)
		if (reading->opens[i].pid == pid &&
			spg_win_is_same(&reading->opens[i].file, &file))
			return true;
	return false;
}

static bool is_anybodys(const struct spg_win_reading *reading,
	const struct spg_scratch *scratch, const wchar_t *name)
{
	struct spg_win_identity file;

	if (!spg_scratch_identify(scratch, name, &file))
		return true;
	for (size_t i = 0; i < reading->n_opens; i++)
		if (spg_win_is_same(&reading->opens[i].file, &file))
			return true;
	return false;
}

static void try_handles(struct spg_win_tools *tools, const struct spg_scratch *scratch,
	int32_t child, struct rows *rows)
{
	struct spg_win_reading reading = {.opens = NULL};
	int r = spg_win_handles_read(tools->handles, NULL, NULL, &reading);
	bool found = r == 0 && has_open(&reading, scratch, SPG_HELD_SHARED, child) &&
	             has_open(&reading, scratch, SPG_HELD_ALONE, child) &&
	             has_open(&reading, scratch, SPG_HELD_LOCKED, child);
	bool innocent = r == 0 && !is_anybodys(&reading, scratch, SPG_HELD_FREE);

	tools->proofs.handles = found && innocent;
	add(rows, SPG_MECHANISM_OPEN, "handle table", found, false,
		r < 0   ? "the system gives no table of handles"
		: found ? "found who had files open, whatever they shared"
			: "did not find who had a file open",
		AS_SERVICE);
	add(rows, SPG_MECHANISM_INNOCENCE, "not a holder", innocent, false,
		innocent ? "a file that nobody has is free"
			 : "a file that nobody has was found open",
		"report this: it is a bug of spguard");
	spg_win_reading_finish(&reading);
}

/* --- views ------------------------------------------------------------------------ */

static bool has_view(const struct spg_win_mapping *mapping,
	const struct spg_win_identity *file, int32_t pid, bool image)
{
	for (size_t i = 0; i < mapping->n_views; i++) {
		const struct spg_win_view *view = &mapping->views[i];
		const struct spg_win_mapped *name = &mapping->names[view->name];

		if (view->pid == pid && view->image == image && name->found &&
			spg_win_is_same(&name->file, file))
			return true;
	}
	return false;
}

static bool is_running(const struct spg_win_mapping *mapping, int32_t child)
{
	struct spg_win_identity program;
	wchar_t path[1024];
	DWORD n = GetModuleFileNameW(NULL, path, 1024);

	return n > 0 && n < 1024 && spg_win_identify_path(path, false, &program) &&
	       has_view(mapping, &program, child, true);
}

static void try_views(struct spg_win_tools *tools, const struct spg_scratch *scratch,
	int32_t child, struct rows *rows)
{
	struct spg_win_mapping mapping = {.views = NULL};
	struct spg_win_processes processes = {NULL, 0};
	struct spg_win_identity data, image;
	int r = spg_win_processes_read(&processes);

	if (r == 0)
		r = spg_win_views_read(&processes, NULL, &mapping);
	tools->proofs.images =
		r == 0 && spg_scratch_identify(scratch, SPG_HELD_IMAGE, &image) &&
		has_view(&mapping, &image, child, true) && is_running(&mapping, child);
	tools->proofs.data_views =
		r == 0 && spg_scratch_identify(scratch, SPG_HELD_MAPPED, &data) &&
		has_view(&mapping, &data, child, false);
	add(rows, SPG_MECHANISM_EXECUTING, "programs and libraries",
		tools->proofs.images, false,
		tools->proofs.images
			? "found who ran a program and had a library loaded"
			: "did not find who had a library loaded",
		AS_SERVICE);
	add(rows, SPG_MECHANISM_MAPPED, "views of data", tools->proofs.data_views,
		false,
		tools->proofs.data_views
			? "found who had a file mapped and its handle closed"
			: "did not find who had a file mapped",
		AS_SERVICE);
	spg_win_mapping_finish(&mapping);
	spg_win_processes_finish(&processes);
}

/* --- probes ------------------------------------------------------------------------ */

/* Is @child, or where @child is 0 nobody, in the filesystem's list? Negative: no list. */
static int has_user(
	const struct spg_scratch *scratch, const wchar_t *name, int32_t child)
{
	wchar_t *native = spg_scratch_path(scratch, name);
	int32_t *pids = NULL;
	size_t n = 0;
	int r = native ? spg_probe_users(native, &pids, &n) : SPG_ERR_NOMEM;
	bool found = child == 0 && n == 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		found = found || pids[i] == child;
	free(pids);
	free(native);
	return r < 0 ? r : found;
}

static void try_users(struct spg_win_tools *tools, const struct spg_scratch *scratch,
	int32_t child, struct rows *rows)
{
	int shared = has_user(scratch, SPG_HELD_SHARED, child);
	bool open = shared == 1 && has_user(scratch, SPG_HELD_ALONE, child) == 1;
	bool image = has_user(scratch, SPG_HELD_IMAGE, child) == 1;
	bool data = has_user(scratch, SPG_HELD_MAPPED, child) == 1;
	bool unused = has_user(scratch, SPG_HELD_FREE, 0) == 1;

	tools->proofs.users = open && image && data && unused;
	add(rows, SPG_MECHANISM_USER_LIST, "file's list of users", tools->proofs.users,
		true,
		tools->proofs.users ? "named who had a file open, loaded and mapped, "
				      "and a file free"
		: shared < 0        ? "this system does not give it"
		: !open             ? "did not name who had a file open"
		: !image            ? "did not name who had a library loaded"
		: !data ? "did not name who had a file mapped and its handle closed"
			: "named users of a file that nobody had",
		"keep the state directory on NTFS, on Windows Vista or later");
}

static enum spg_probe write_probe(
	const struct spg_scratch *scratch, const wchar_t *name)
{
	wchar_t *native = spg_scratch_path(scratch, name);
	enum spg_probe probe = native ? spg_probe_write(native) : SPG_PROBE_REFUSED;

	free(native);
	return probe;
}

static void try_write_probe(struct spg_win_tools *tools,
	const struct spg_scratch *scratch, struct rows *rows)
{
	bool works = write_probe(scratch, SPG_HELD_IMAGE) == SPG_PROBE_BUSY &&
	             write_probe(scratch, SPG_HELD_ALONE) == SPG_PROBE_BUSY &&
	             write_probe(scratch, SPG_HELD_FREE) == SPG_PROBE_FREE;

	tools->proofs.write_probe = works;
	add(rows, SPG_MECHANISM_WRITE_PROBE, "write probe", works, true,
		works ? "told a library in use from a free file"
		      : "did not tell a library in use from a free file",
		"keep the state directory on a local NTFS volume");
}

static bool lock_probe(const struct spg_scratch *scratch, const wchar_t *name,
	struct spg_probe_range *ret)
{
	wchar_t *native = spg_scratch_path(scratch, name);
	bool done = native && spg_probe_lock(native, ret) == 0;

	free(native);
	return done;
}

static void try_locks(struct spg_win_tools *tools, const struct spg_scratch *scratch,
	struct rows *rows)
{
	struct spg_probe_range held, unheld;
	bool works = lock_probe(scratch, SPG_HELD_LOCKED, &held) && held.locked &&
	             held.start == SPG_HELD_LOCK_START &&
	             held.end == SPG_HELD_LOCK_END &&
	             lock_probe(scratch, SPG_HELD_SHARED, &unheld) && !unheld.locked;

	tools->proofs.locks = works;
	add(rows, SPG_MECHANISM_LOCKED, "locks of bytes (LockFileEx)", works, true,
		works ? "found the range that was locked"
		      : "did not find what was locked",
		"files with locks show as open; keep the state directory on a local "
		"NTFS volume");
}

static void try_services(struct spg_win_tools *tools, struct rows *rows)
{
	struct spg_win_services services = {NULL, 0};
	int r = spg_win_services_read(&services);

	tools->proofs.services = r == 0 && services.n > 0;
	add(rows, SPG_MECHANISM_SERVICES, "services", tools->proofs.services, true,
		tools->proofs.services ? "the Service Control Manager names them"
				       : "the Service Control Manager names none",
		AS_SERVICE);
	spg_win_services_finish(&services);
}

/* --- events ------------------------------------------------------------------------ */

static void on_change(void *user)
{
	(void)user;
}

/* Does a new file show? */
static bool saw_file(struct spg_win_watcher *watcher, struct spg_win_changes *changes,
	const char *name)
{
	bool saw = false;

	for (int i = 0; i < EVENT_TRIES && !saw; i++) {
		struct spg_win_change *change;

		(void)spg_win_watcher_passed(
			watcher, spg_win_watcher_mark(watcher), EVENT_WAIT_MS);
		while ((change = spg_win_changes_take(changes))) {
			saw = saw ||
			      (change->kind == SPG_WIN_CHANGE_FILE &&
				      change->event == SPG_EVENT_CREATE &&
				      strcmp(spg_win_base(change->path), name) == 0);
			spg_win_change_free(change);
		}
		if (!saw)
			Sleep(EVENT_WAIT_MS);
	}
	return saw;
}

static void try_events(const struct spg_scratch *scratch, struct rows *rows)
{
	struct spg_win_changes changes;
	struct spg_win_watcher *watcher = NULL;
	char *dir = spg_wide_to_path(scratch->dir, wcslen(scratch->dir));
	bool works = false;

	spg_win_changes_init(&changes);
	if (dir && spg_win_watcher_start(&watcher, &changes, on_change, NULL) == 0 &&
		spg_win_watcher_arm(watcher, dir, scratch->dir, false) == 0 &&
		spg_scratch_create(scratch, L"event"))
		works = saw_file(watcher, &changes, "event");
	spg_win_watcher_stop(watcher);
	spg_win_changes_finish(&changes);
	free(dir);
	add(rows, SPG_MECHANISM_FILE_EVENTS, "file events", works, false,
		works ? "ReadDirectoryChangesW told of a file that was created"
		      : "ReadDirectoryChangesW did not tell of a file that was created",
		"keep the state directory on a local NTFS volume");
}

size_t spg_win_selftest_run(struct spg_win_tools *tools, const char *scratch_dir,
	struct spg_mechanism *rows)
{
	struct spg_scratch scratch = SPG_SCRATCH_NULL;
	struct spg_win_helper child = {.pid = 0};
	struct rows to = {rows, 0};
	char text[120], detail[160] = "its scratch files cannot be made: ";
	int r = spg_scratch_make(&scratch, scratch_dir);

	tools->proofs = (struct spg_win_proofs){.handles = false};
	if (r == 0) {
		snprintf(detail, sizeof(detail), "its child does not hold them: ");
		r = spg_win_helper_start(scratch.dir, &child);
	}
	if (r < 0) {
		strncat(detail, spg_win_error(GetLastError(), text, sizeof(text)),
			sizeof(detail) - strlen(detail) - 1);
		add(&to, SPG_MECHANISM_SELF_TEST, "self-test", false, false, detail,
			"make the state directory writable, with some space left");
	} else {
		try_events(&scratch, &to);
		try_handles(tools, &scratch, child.pid, &to);
		try_views(tools, &scratch, child.pid, &to);
		try_users(tools, &scratch, child.pid, &to);
		try_write_probe(tools, &scratch, &to);
		try_locks(tools, &scratch, &to);
		try_services(tools, &to);
	}
	spg_win_helper_end(&child);
	spg_scratch_remove(&scratch);
	return to.n;
}
