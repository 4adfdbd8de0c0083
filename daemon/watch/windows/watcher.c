/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/watcher.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "common/err.h"
#include "daemon/watch/windows/identity.h"
#include "daemon/watch/windows/watches.h"

#define KEY_WATCH   0
#define KEY_REQUEST 1
/* For what is pending to come back at the end; then its memory is left. */
#define STOP_MS     2000

enum request_kind { ARM, KEEP, MARK, STOP };

struct request {
	enum request_kind kind;
	const char *path;
	const wchar_t *native;
	bool names_only;
	char *const *dirs;
	size_t n_dirs;
	int result;
	HANDLE done;
};

struct spg_win_watcher {
	HANDLE port, thread;
	HANDLE passed; /* set whenever a mark has passed */
	struct spg_win_changes *changes;
	void (*on_change)(void *user);
	void *user;
	SRWLOCK lock; /* the list */
	struct spg_win_watch *watches;
	size_t n_pending;
	atomic_uint_fast64_t asked, reached;
	bool stopping;
};

static void unlink_watch(struct spg_win_watcher *w, struct spg_win_watch *watch)
{
	struct spg_win_watch **at = &w->watches;

	AcquireSRWLockExclusive(&w->lock);
	while (*at && *at != watch)
		at = &(*at)->next;
	if (*at)
		*at = watch->next;
	ReleaseSRWLockExclusive(&w->lock);
}

/* It comes back once more, unless nothing is pending. */
static void retire(struct spg_win_watcher *w, struct spg_win_watch *watch)
{
	unlink_watch(w, watch);
	if (watch->pending)
		spg_win_watch_close(watch);
	else
		spg_win_watch_free(watch);
}

static struct spg_win_watch *find(struct spg_win_watcher *w, const wchar_t *native)
{
	for (struct spg_win_watch *watch = w->watches; watch; watch = watch->next)
		if (CompareStringOrdinal(watch->native, -1, native, -1, TRUE) ==
			CSTR_EQUAL)
			return watch;
	return NULL;
}

/* Not every system tells that a directory was deleted: another one may have its name. */
static bool is_still_there(const struct spg_win_watch *watch)
{
	struct spg_win_identity watched, now;

	return spg_win_identify(watch->dir, &watched) &&
	       spg_win_identify_path(watch->native, false, &now) &&
	       spg_file_id_equal(watched.id, now.id);
}

static int arm(struct spg_win_watcher *w, const struct request *request)
{
	struct spg_win_watch *before = find(w, request->native), *watch;
	int r;

	if (before && !is_still_there(before)) {
		retire(w, before);
		before = NULL;
	}
	if (before && (request->names_only || !before->names_only))
		return 0;
	r = spg_win_watch_open(
		w->port, request->path, request->native, request->names_only, &watch);
	if (r < 0)
		return r;
	w->n_pending++;
	if (before)
		retire(w, before);
	AcquireSRWLockExclusive(&w->lock);
	watch->next = w->watches;
	w->watches = watch;
	ReleaseSRWLockExclusive(&w->lock);
	return 0;
}

static bool is_kept(const struct spg_win_watch *watch, const struct request *request)
{
	for (size_t i = 0; i < request->n_dirs; i++)
		if (spg_win_is_at_or_below(watch->path, request->dirs[i]) ||
			spg_win_is_at_or_below(request->dirs[i], watch->path))
			return true;
	return false;
}

static void keep(struct spg_win_watcher *w, const struct request *request)
{
	struct spg_win_watch *watch = w->watches, *next;

	for (; watch; watch = next) {
		next = watch->next;
		if (!request || !is_kept(watch, request))
			retire(w, watch);
	}
}

static void on_request(struct spg_win_watcher *w, struct request *request)
{
	switch (request->kind) {
	case ARM:
		request->result = arm(w, request);
		break;
	case KEEP:
		keep(w, request);
		break;
	case STOP:
		w->stopping = true;
		keep(w, NULL);
		break;
	case MARK:
		break;
	}
	SetEvent(request->done);
}

/* A watch came back. */
static void on_read(struct spg_win_watcher *w, struct spg_win_watch *watch, DWORD bytes,
	DWORD error)
{
	watch->pending = false;
	if (watch->closing) {
		w->n_pending--;
		spg_win_watch_free(watch);
		return;
	}
	if (error == ERROR_SUCCESS || error == ERROR_NOTIFY_ENUM_DIR) {
		spg_win_changes_read(w->changes, watch->path, watch->buffer,
			error == ERROR_SUCCESS ? bytes : 0, watch->names_only);
		error = spg_win_watch_continue(watch) < 0 ? ERROR_ACCESS_DENIED
		                                          : ERROR_SUCCESS;
	}
	/* The directory was deleted, or its volume went. */
	if (error != ERROR_SUCCESS) {
		spg_win_changes_note(w->changes, SPG_WIN_CHANGE_LOST, watch->path);
		w->n_pending--;
		retire(w, watch);
	}
	w->on_change(w->user);
}

/* Take what the port has: a read, a request, or a mark, which is empty. Returns false when
 * nothing came in time. */
static bool take(struct spg_win_watcher *w, DWORD timeout_ms)
{
	OVERLAPPED *overlapped = NULL;
	ULONG_PTR key = 0;
	DWORD bytes = 0, error = ERROR_SUCCESS;
	bool got = GetQueuedCompletionStatus(
		w->port, &bytes, &key, &overlapped, timeout_ms);

	if (!got)
		error = GetLastError();
	if (!overlapped)
		return got;
	if (key == KEY_REQUEST)
		on_request(w, (struct request *)overlapped);
	else
		on_read(w, (struct spg_win_watch *)overlapped, bytes, error);
	return true;
}

/* A mark passes when the port has been found empty after it was set. */
static void pass_marks(struct spg_win_watcher *w)
{
	uint_fast64_t asked = atomic_load(&w->asked);

	if (atomic_load(&w->reached) == asked)
		return;
	while (take(w, 0))
		;
	atomic_store(&w->reached, asked);
	SetEvent(w->passed);
}

static DWORD WINAPI run(void *arg)
{
	struct spg_win_watcher *w = arg;
	ULONGLONG until = 0;

	while (!w->stopping) {
		/* A mark comes as a packet without anything else. */
		(void)take(w, INFINITE);
		pass_marks(w);
	}
	until = GetTickCount64() + STOP_MS;
	while (w->n_pending > 0 && GetTickCount64() < until)
		(void)take(w, 100);
	return 0;
}

int spg_win_watcher_start(struct spg_win_watcher **ret, struct spg_win_changes *changes,
	void (*on_change)(void *user), void *user)
{
	struct spg_win_watcher *w = calloc(1, sizeof(*w));

	if (!w)
		return SPG_ERR_NOMEM;
	*w = (struct spg_win_watcher){.changes = changes,
		.on_change = on_change,
		.user = user,
		.lock = SRWLOCK_INIT};
	w->port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
	w->passed = CreateEventW(NULL, FALSE, FALSE, NULL);
	if (w->port && w->passed)
		w->thread = CreateThread(NULL, 0, run, w, 0, NULL);
	if (!w->thread) {
		if (w->port)
			CloseHandle(w->port);
		if (w->passed)
			CloseHandle(w->passed);
		free(w);
		return SPG_ERR_IO;
	}
	*ret = w;
	return 0;
}

static int ask(struct spg_win_watcher *w, struct request *request)
{
	request->done = CreateEventW(NULL, TRUE, FALSE, NULL);
	if (!request->done)
		return SPG_ERR_NOMEM;
	request->result = SPG_ERR_NOMEM;
	if (PostQueuedCompletionStatus(
		    w->port, 0, KEY_REQUEST, (OVERLAPPED *)(void *)request))
		WaitForSingleObject(request->done, INFINITE);
	CloseHandle(request->done);
	return request->result;
}

int spg_win_watcher_arm(struct spg_win_watcher *watcher, const char *path,
	const wchar_t *native, bool names_only)
{
	struct request request = {
		.kind = ARM, .path = path, .native = native, .names_only = names_only};

	return ask(watcher, &request);
}

void spg_win_watcher_keep(struct spg_win_watcher *watcher, char *const *dirs, size_t n)
{
	struct request request = {.kind = KEEP, .dirs = dirs, .n_dirs = n};

	(void)ask(watcher, &request);
}

uint64_t spg_win_watcher_mark(struct spg_win_watcher *watcher)
{
	uint64_t mark = atomic_fetch_add(&watcher->asked, 1) + 1;

	PostQueuedCompletionStatus(watcher->port, 0, KEY_WATCH, NULL);
	return mark;
}

bool spg_win_watcher_passed(
	struct spg_win_watcher *watcher, uint64_t mark, unsigned timeout_ms)
{
	ULONGLONG until = GetTickCount64() + timeout_ms, now = 0;

	while (atomic_load(&watcher->reached) < mark) {
		now = GetTickCount64();
		if (now >= until)
			return false;
		WaitForSingleObject(watcher->passed, (DWORD)(until - now));
	}
	return true;
}

size_t spg_win_watcher_count(struct spg_win_watcher *watcher, const char *path)
{
	size_t n = 0;

	AcquireSRWLockShared(&watcher->lock);
	for (struct spg_win_watch *watch = watcher->watches; watch; watch = watch->next)
		n += !watch->names_only && spg_win_is_at_or_below(watch->path, path);
	ReleaseSRWLockShared(&watcher->lock);
	return n;
}

void spg_win_watcher_stop(struct spg_win_watcher *watcher)
{
	struct request request = {.kind = STOP};

	if (!watcher)
		return;
	(void)ask(watcher, &request);
	WaitForSingleObject(watcher->thread, INFINITE);
	CloseHandle(watcher->thread);
	CloseHandle(watcher->port);
	CloseHandle(watcher->passed);
	free(watcher);
}
