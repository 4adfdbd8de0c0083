/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/walk.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"
#include "common/windows/wide.h"
#include "daemon/watch/windows/file.h"
#include "daemon/watch/windows/native.h"
#include "daemon/watch/windows/probes.h"
#include "daemon/watch/windows/text.h"

#define DEPTH_MAX          64
#define REMOTE_DEVICE_FLAG 0x10

struct folder {
	const char *path;      /* as the product names it */
	const wchar_t *native; /* the same */
	int depth;
};

static int walk_folder(
	struct spg_win_walk *walk, const char *path, const wchar_t *native, int depth);

static bool is_cancelled(const struct spg_win_walk *walk)
{
	return walk->cancel && atomic_load(walk->cancel);
}

static bool is_wanted(const struct spg_win_walk *walk, const char *path)
{
	return spg_product_has_name(walk->obs->product, spg_win_base(path)) ||
	       (walk->extra && spg_name_set_has_path(walk->extra, path));
}

void spg_win_walk_finish(struct spg_win_walk *walk)
{
	for (size_t i = 0; i < walk->n_walked; i++)
		free(walk->walked[i]);
	free(walk->walked);
	walk->walked = NULL;
	walk->n_walked = walk->size_walked = 0;
}

/* --- what cannot be looked at -------------------------------------------------- */

#define READABLE                                                                       \
	"let the service's account read it; the service runs as LocalSystem unless "   \
	"somebody changed that"

static int lack_at(struct spg_win_walk *walk, enum spg_lack_kind kind, const char *path,
	DWORD error, const char *remedy)
{
	char text[300];

	walk->obs->unlisted = true;
	return spg_observation_add_lack(walk->obs,
		&(struct spg_lack){.kind = kind,
			.file = SPG_NO_FILE,
			.blinds = true,
			.path = path,
			.remedy = {remedy, NULL}},
		"%s: %s", path, spg_win_error(error, text, sizeof(text)));
}

static int lack_missing(struct spg_win_walk *walk, const char *path)
{
	const struct spg_product *product = walk->obs->product;
	const char *origin = "";

	for (size_t i = 0; i < product->n_directories; i++)
		if (strcmp(product->directories[i].path, path) == 0)
			origin = product->directories[i].origin;
	walk->obs->unlisted = true;
	return spg_observation_add_lack(walk->obs,
		&(struct spg_lack){.kind = SPG_LACK_DIRECTORY_MISSING,
			.file = SPG_NO_FILE,
			.blinds = true,
			.path = path,
			.remedy = {"create it, or take it out of the product, or the "
				   "product out of the configuration, then: spguard "
				   "reload",
				SPG_COMMAND_RELOAD}},
		"%s does not exist (%s)", path, origin);
}

static int lack_events(struct spg_win_walk *walk, const char *path, int err)
{
	if (err == SPG_ERR_NOMEM)
		return err;
	return spg_observation_add_lack(walk->obs,
		&(struct spg_lack){.kind = SPG_LACK_DIRECTORY_EVENTS,
			.file = SPG_NO_FILE,
			.blinds = true,
			.path = path,
			.remedy = {"see \"file events\" in: spguard doctor", NULL}},
		"%s cannot be watched: %s", path, spg_err_text(err));
}

static int lack_elsewhere(struct spg_win_walk *walk, const char *path)
{
	return spg_observation_add_lack(walk->obs,
		&(struct spg_lack){.kind = SPG_LACK_USERS_ELSEWHERE,
			.file = SPG_NO_FILE,
			.blinds = true,
			.path = path,
			.remedy = {"run spguardd where the files are served from, and "
				   "ask "
				   "there",
				NULL}},
		"%s is on a network share: users on other machines do not show here",
		path);
}

/* --- files ----------------------------------------------------------------- */

static int add_record(struct spg_win_walk *walk, struct spg_win_file *file)
{
	int r;

	if (!file)
		return SPG_ERR_NOMEM;
	r = spg_observation_add_file(
		walk->obs, &file->base, SPG_PRESENT, SPG_IN_USE_UNKNOWN);
	if (r == 0)
		walk->obs->files[walk->obs->n_files - 1].bytes = file->identity.size;
	spg_file_unref(&file->base);
	return r;
}

/* A name that is listed and leads to nothing that can be opened. */
static int add_unopened(
	struct spg_win_walk *walk, const char *path, const wchar_t *native, DWORD error)
{
	switch (spg_probe_there(native)) {
	case SPG_PROBE_GONE:
		return 0;
	case SPG_PROBE_PENDING:
		return add_record(walk, spg_win_file_create(path, native, NULL, true));
	default:
		return lack_at(walk, SPG_LACK_LINK, path, error, READABLE);
	}
}

/* @native may be a file, or a link to one. */
static int visit_file(
	struct spg_win_walk *walk, const char *path, const wchar_t *native)
{
	struct spg_win_identity identity;

	if (!spg_win_identify_path(native, false, &identity))
		return add_unopened(walk, path, native, GetLastError());
	if (identity.attributes & FILE_ATTRIBUTE_DIRECTORY)
		return 0;
	return add_record(walk, spg_win_file_create(path, native, &identity,
					spg_probe_there(native) == SPG_PROBE_PENDING));
}

static int visit(struct spg_win_walk *walk, const struct folder *folder,
	const WIN32_FIND_DATAW *found)
{
	char *name = spg_wide_to_text(found->cFileName, wcslen(found->cFileName));
	char *path = name ? spg_win_join(folder->path, name) : NULL;
	wchar_t *native = spg_win_join_native(folder->native, found->cFileName);
	int r = path && native ? 0 : SPG_ERR_NOMEM;

	if (r == 0 && (found->dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)) {
		if (walk->obs->product->recursive)
			r = walk_folder(walk, path, native, folder->depth + 1);
	} else if (r == 0 && is_wanted(walk, path)) {
		r = visit_file(walk, path, native);
	}
	free(name);
	free(path);
	free(native);
	return r;
}

/* --- directories -------------------------------------------------------------- */

static int list(struct spg_win_walk *walk, const struct folder *folder)
{
	wchar_t *pattern = malloc((wcslen(folder->native) + 3) * sizeof(*pattern));
	size_t n = wcslen(folder->native);
	WIN32_FIND_DATAW found;
	DWORD error = ERROR_SUCCESS;
	HANDLE search;
	int r = 0;

	if (!pattern)
		return SPG_ERR_NOMEM;
	wcscpy(pattern, folder->native);
	wcscpy(pattern + n, n > 0 && pattern[n - 1] == L'\\' ? L"*" : L"\\*");
	search = FindFirstFileExW(pattern, FindExInfoBasic, &found,
		FindExSearchNameMatch, NULL, FIND_FIRST_EX_LARGE_FETCH);
	free(pattern);
	if (search == INVALID_HANDLE_VALUE)
		error = GetLastError();
	while (error == ERROR_SUCCESS && r == 0) {
		if (is_cancelled(walk))
			r = SPG_ERR_TIMEOUT;
		else if (wcscmp(found.cFileName, L".") != 0 &&
			 wcscmp(found.cFileName, L"..") != 0)
			r = visit(walk, folder, &found);
		if (r == 0 && !FindNextFileW(search, &found))
			error = GetLastError();
	}
	if (search != INVALID_HANDLE_VALUE)
		FindClose(search);
	/* The root of a volume may be empty: it has no "." either. */
	if (r < 0 || error == ERROR_NO_MORE_FILES || error == ERROR_FILE_NOT_FOUND)
		return r;
	return lack_at(
		walk, SPG_LACK_DIRECTORY_UNREADABLE, folder->path, error, READABLE);
}

/* True when it was listed by another of its names: a link may lead back up. Its files are
 * the same, unless somebody asks about them by this name. */
static bool was_walked(
	const struct spg_win_walk *walk, const char *path, const char *final)
{
	if (walk->extra && spg_name_set_any_below(walk->extra, path))
		return false;
	for (size_t i = 0; i < walk->n_walked; i++)
		if (strcmp(walk->walked[i], final) == 0)
			return true;
	return false;
}

/* Where @native leads to, without links; NULL: that cannot be told. */
static char *final_path(const wchar_t *native)
{
	HANDLE handle = CreateFileW(native, FILE_READ_ATTRIBUTES,
		FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
		OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
	char *path;

	if (handle == INVALID_HANDLE_VALUE)
		return NULL;
	path = spg_wide_handle_path(handle);
	CloseHandle(handle);
	return path;
}

static bool is_remote(const wchar_t *native)
{
	struct spg_nt_fs_device device = {0, 0};
	IO_STATUS_BLOCK io;
	HANDLE handle = CreateFileW(native, FILE_READ_ATTRIBUTES,
		FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
		OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);

	if (handle == INVALID_HANDLE_VALUE)
		return false;
	(void)NtQueryVolumeInformationFile(
		handle, &io, &device, sizeof(device), SPG_FS_DEVICE);
	CloseHandle(handle);
	return device.characteristics & REMOTE_DEVICE_FLAG;
}

/* Takes over @final. */
static int enter(struct spg_win_walk *walk, const struct folder *folder, char *final)
{
	int r = spg_array_reserve(&walk->walked, walk->n_walked, &walk->size_walked,
		sizeof(*walk->walked));

	if (r < 0) {
		free(final);
		return r;
	}
	walk->walked[walk->n_walked++] = final;
	if (walk->progress)
		walk->progress(walk->user, folder->path);
	if (walk->events) {
		r = spg_win_events_arm(walk->events, folder->path, folder->native);
		/* Only the one above tells that this one was renamed. */
		if (r == 0 && folder->depth == 0)
			r = spg_win_events_await(walk->events, folder->path);
		if (r < 0)
			r = lack_events(walk, folder->path, r);
	}
	if (r == 0 && folder->depth == 0 && is_remote(folder->native))
		r = lack_elsewhere(walk, folder->path);
	return r == 0 ? list(walk, folder) : r;
}

static int open_failed(
	struct spg_win_walk *walk, const struct folder *folder, DWORD error)
{
	bool gone = error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND;
	int r;

	if (!gone)
		return lack_at(walk, SPG_LACK_DIRECTORY_UNREADABLE, folder->path, error,
			READABLE);
	/* One below was deleted since it was listed: an event tells, or it is a link to
	 * nothing. */
	if (folder->depth > 0)
		return 0;
	r = walk->events ? spg_win_events_await(walk->events, folder->path) : 0;
	if (r < 0)
		r = lack_events(walk, folder->path, r);
	return r == 0 ? lack_missing(walk, folder->path) : r;
}

static int walk_folder(
	struct spg_win_walk *walk, const char *path, const wchar_t *native, int depth)
{
	struct folder folder = {.path = path, .native = native, .depth = depth};
	struct spg_win_identity identity;
	char *final;

	if (depth > DEPTH_MAX)
		return lack_at(walk, SPG_LACK_DIRECTORY_UNREADABLE, path,
			ERROR_FILENAME_EXCED_RANGE,
			"take it out of the product: directories are nested too deep");
	if (!spg_win_identify_path(native, false, &identity))
		return open_failed(walk, &folder, GetLastError());
	if (!(identity.attributes & FILE_ATTRIBUTE_DIRECTORY))
		return lack_at(walk, SPG_LACK_DIRECTORY_UNREADABLE, path,
			ERROR_DIRECTORY, "name its directory instead");
	final = final_path(native);
	/* By its own name then: links that lead back up end at DEPTH_MAX. */
	if (!final)
		final = strdup(path);
	if (!final)
		return SPG_ERR_NOMEM;
	if (!was_walked(walk, path, final))
		return enter(walk, &folder, final);
	free(final);
	return 0;
}

int spg_win_walk_all(struct spg_win_walk *walk)
{
	const struct spg_product *product = walk->obs->product;
	int r = 0;

	for (size_t i = 0; r == 0 && i < product->n_directories; i++) {
		const char *path = product->directories[i].path;
		wchar_t *native = spg_wide_path(path);

		r = native ? walk_folder(walk, path, native, 0) : SPG_ERR_NOMEM;
		free(native);
	}
	return r;
}

int spg_win_walk_some(struct spg_win_walk *walk, char *const *paths, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		wchar_t *native = spg_wide_path(paths[i]);

		if (!native)
			return SPG_ERR_NOMEM;
		if (walk->progress)
			walk->progress(walk->user, paths[i]);
		r = is_cancelled(walk) ? SPG_ERR_TIMEOUT
		                       : visit_file(walk, paths[i], native);
		free(native);
	}
	return r;
}
