/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/match.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"
#include "common/windows/wide.h"
#include "daemon/watch/windows/file.h"
#include "daemon/watch/windows/probes.h"
#include "daemon/watch/windows/text.h"
#include "daemon/watch/windows/uses.h"

static int order(const void *a, const void *b)
{
	const struct spg_match_target *x = a, *y = b;

	if (x->identity.id.ino != y->identity.id.ino)
		return x->identity.id.ino < y->identity.id.ino ? -1 : 1;
	return (x->file > y->file) - (x->file < y->file);
}

int spg_match_init(struct spg_match *match, const struct spg_survey_request *request,
	struct spg_observation *obs)
{
	*match = (struct spg_match){.request = request, .obs = obs};
	match->targets = calloc(obs->n_files + 1, sizeof(*match->targets));
	if (!match->targets)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < obs->n_files; i++) {
		struct spg_file *file = obs->files[i].file;
		struct spg_win_file *own = spg_win_file_of(file);

		/* Nothing is known of one without an identity: no index is 0. */
		if (file->id.ino == 0)
			continue;
		match->targets[match->n_targets].file = i;
		match->targets[match->n_targets].identity =
			own ? own->identity : (struct spg_win_identity){.id = file->id};
		match->n_targets++;
	}
	qsort(match->targets, match->n_targets, sizeof(*match->targets), order);
	return 0;
}

void spg_match_finish(struct spg_match *match)
{
	free(match->targets);
	match->targets = NULL;
}

size_t spg_match_file(const struct spg_match *match, size_t target)
{
	return match->targets[target].file;
}

static size_t first_with(const struct spg_match *match, uint64_t ino)
{
	size_t low = 0, high = match->n_targets;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (match->targets[middle].identity.id.ino < ino)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t spg_match_next(const struct spg_match *match,
	const struct spg_win_identity *identity, size_t after)
{
	size_t at =
		after == SPG_NO_FILE ? first_with(match, identity->id.ino) : after + 1;

	for (; at < match->n_targets; at++) {
		const struct spg_win_identity *target = &match->targets[at].identity;

		if (target->id.ino != identity->id.ino)
			break;
		if (spg_win_is_same(target, identity))
			return at;
	}
	return SPG_NO_FILE;
}

/* --- old versions ------------------------------------------------------------- */

/* A file of the survey by what was known of @path before: it may have another name now, or
 * none. SPG_NO_FILE: nothing was. */
static size_t find_before(const struct spg_match *match, const char *path,
	const struct spg_win_identity *now)
{
	const struct spg_survey_scope *scope = match->request->scope;

	for (size_t i = 0; i < scope->n_known; i++) {
		const struct spg_file *known = scope->known[i];

		if (known->id.ino == 0 || !spg_win_same_path(known->path, path) ||
			(now && spg_file_id_equal(known->id, now->id)))
			continue;
		for (size_t k = 0; k < match->obs->n_files; k++)
			if (spg_file_id_equal(match->obs->files[k].file->id, known->id))
				return k;
	}
	return SPG_NO_FILE;
}

/* For an old version of which only the name is known. No volume has the number 0. */
static struct spg_win_identity made_up(const char *path)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (; *path; path++)
		h = (h ^ (unsigned char)*path) * UINT64_C(1099511628211);
	return (struct spg_win_identity){.id = {0, h | 1}, .n_links = 0};
}

static int add_old(
	struct spg_match *match, const char *path, const wchar_t *native, size_t *ret)
{
	struct spg_win_identity identity = made_up(path);
	struct spg_win_file *file;
	int r;

	for (size_t i = 0; i < match->obs->n_files; i++)
		if (spg_file_id_equal(match->obs->files[i].file->id, identity.id)) {
			*ret = i;
			return 0;
		}
	file = spg_win_file_create(path, native, &identity, false);
	if (!file)
		return SPG_ERR_NOMEM;
	r = spg_observation_add_file(
		match->obs, &file->base, SPG_REPLACED, SPG_IN_USE_YES);
	spg_file_unref(&file->base);
	*ret = match->obs->n_files - 1;
	return r;
}

/* Like spg_product_covers(), but a process writes the names of directories as it likes,
 * and gets what it means: C:/EXCHSRVR/BIN. */
static bool covers(const struct spg_product *product, const char *path)
{
	const char *base = spg_path_base(path);

	for (size_t i = 0; i < product->n_directories; i++) {
		const char *dir = product->directories[i].path;
		size_t n_dir = strlen(dir), n;

		n_dir -= n_dir > 0 && dir[n_dir - 1] == '/'; /* that of a drive */
		n = spg_name_begin(path, strlen(path), dir, n_dir, true);
		if (n == SIZE_MAX || path[n] != '/')
			continue;
		if (product->recursive || base == path + n + 1)
			return true;
	}
	return false;
}

static bool is_of_product(const struct spg_match *match, const char *path)
{
	const struct spg_survey_request *request = match->request;
	bool covered = covers(request->product, path);

	if (covered && spg_product_has_name(request->product, spg_path_base(path)))
		return true;
	for (size_t i = 0; i < request->n_extra_names; i++)
		if (spg_win_same_path(request->extra_names[i], path) ||
			(covered && spg_name_equal(request->extra_names[i],
					    spg_win_base(path),
					    request->product->ignore_case)))
			return true;
	return false;
}

/* A survey of some files is about old versions of these alone, one of locks about none. */
static bool is_asked(const struct spg_match *match, const char *path)
{
	const struct spg_survey_scope *scope = match->request->scope;

	if (scope->depth != SPG_SURVEY_FILES)
		return scope->depth == SPG_SURVEY_FULL;
	for (size_t i = 0; i < scope->n_paths; i++)
		if (spg_win_same_path(scope->paths[i], path))
			return true;
	return false;
}

/* Add a use of each file that was known of @path before: which one it is of nothing tells.
 * @ret_any: there was one. */
static int use_before(struct spg_match *match, struct spg_win_users *users,
	const char *path, const struct spg_win_mapped *name, int32_t pid, bool *ret_any)
{
	const struct spg_survey_scope *scope = match->request->scope;
	int r = 0;

	*ret_any = false;
	for (size_t i = 0; i < scope->n_known && r == 0; i++) {
		const struct spg_file *known = scope->known[i];

		if (known->id.ino == 0 || !spg_win_same_path(known->path, path) ||
			(name->found && spg_file_id_equal(known->id, name->file.id)))
			continue;
		for (size_t k = 0; k < match->obs->n_files && r == 0; k++)
			if (spg_file_id_equal(
				    match->obs->files[k].file->id, known->id)) {
				r = spg_win_users_add(users, k, pid, SPG_USE_MAPPED);
				*ret_any = true;
			}
	}
	return r;
}

/* Add the use of an old version of what is, or was, at @path. @ret_any: it was added. */
static int use_old(struct spg_match *match, struct spg_win_users *users,
	const char *path, const struct spg_win_mapped *name,
	const struct spg_win_view *view, bool *ret_any)
{
	size_t file;
	int r = 0;

	*ret_any = false;
	if (!is_of_product(match, path) || !is_asked(match, path))
		return 0;
	r = use_before(match, users, path, name, view->pid, ret_any);
	if (r < 0 || *ret_any)
		return r;
	r = add_old(match, path, name->native, &file);
	if (r == 0)
		r = spg_win_users_add(users, file, view->pid, SPG_USE_MAPPED);
	*ret_any = r == 0;
	return r;
}

/* Nothing is at @path, which is none of the product. A link may lead there from one of its
 * paths: then it is a file that was known by its own name, and is at no path any more. */
static int use_linked(struct spg_match *match, struct spg_win_users *users,
	const char *path, const struct spg_win_view *view)
{
	const struct spg_observation *obs = match->obs;
	int r = 0;

	for (size_t i = 0; r == 0 && i < obs->n_files; i++)
		if (obs->files[i].presence == SPG_REPLACED &&
			spg_name_equal(spg_path_base(obs->files[i].file->path),
				spg_path_base(path), true))
			r = spg_win_users_add(users, i, view->pid, SPG_USE_MAPPED);
	return r;
}

/* Nothing is at the name any more. */
static int use_missing(struct spg_match *match, struct spg_win_users *users,
	const struct spg_win_mapped *name, const struct spg_win_view *view)
{
	char *path = spg_wide_to_path(name->native, wcslen(name->native));
	bool any;
	int r = path ? use_old(match, users, path, name, view, &any) : SPG_ERR_NOMEM;

	if (r == 0 && !any)
		r = use_linked(match, users, path, view);
	free(path);
	return r;
}

/* --- views ------------------------------------------------------------------- */

/* May the process have mapped what was at the name before? Then another file was known
 * there, or the one that is there was made after the process. */
static bool may_be_old(const struct spg_match *match, const struct spg_win_users *users,
	const struct spg_win_mapped *name, const struct spg_win_view *view, size_t file)
{
	const struct spg_win_process *process =
		spg_win_processes_find(&users->processes, view->pid);

	return find_before(match, match->obs->files[file].file->path, &name->file) !=
	               SPG_NO_FILE ||
	       (process && name->file.created > process->id.start);
}

/* A program or library that another process has loaded cannot be opened for writing: where
 * that may be done, the view must be of an old version. */
static int use_image(struct spg_match *match, struct spg_win_users *users,
	const struct spg_win_mapped *name, const struct spg_win_view *view, size_t file,
	bool *ret_old)
{
	enum spg_probe probe = spg_probe_write(name->native);
	bool any = false;
	int r = 0;

	if (probe == SPG_PROBE_GONE || probe == SPG_PROBE_FREE)
		r = use_old(match, users, match->obs->files[file].file->path, name,
			view, &any);
	*ret_old = any && probe == SPG_PROBE_FREE;
	return r;
}

/* Of data nothing tells which version it is: it counts for both. */
static int use_data(struct spg_match *match, struct spg_win_users *users,
	const struct spg_win_mapped *name, const struct spg_win_view *view, size_t file)
{
	bool any;

	return use_before(match, users, match->obs->files[file].file->path, name,
		view->pid, &any);
}

/* Its name leads to file @file of the survey, which may have been put there since. */
static int use_present(struct spg_match *match, const struct spg_win_tools *tools,
	struct spg_win_users *users, const struct spg_win_mapped *name,
	const struct spg_win_view *view, size_t file)
{
	bool old = false;
	int r = 0;

	if (!view->image)
		r = use_data(match, users, name, view, file);
	else if (tools->proofs.write_probe &&
		 may_be_old(match, users, name, view, file))
		r = use_image(match, users, name, view, file, &old);
	return r < 0 || old ? r
	                    : spg_win_users_add(users, file, view->pid, SPG_USE_MAPPED);
}

static bool is_missing(uint32_t error)
{
	return error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND ||
	       error == ERROR_INVALID_NAME || error == ERROR_BAD_PATHNAME;
}

/* Its name cannot be opened, and may be that of a file of the survey. */
static int use_by_name(struct spg_match *match, struct spg_win_users *users,
	const struct spg_win_mapped *name, const struct spg_win_view *view)
{
	char *path = spg_wide_to_path(name->native, wcslen(name->native));
	int r = 0;
	bool any = false;

	if (!path)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; r == 0 && i < match->obs->n_files; i++)
		if (spg_win_same_path(match->obs->files[i].file->path, path)) {
			r = spg_win_users_add(users, i, view->pid, SPG_USE_MAPPED);
			any = true;
		}
	/* It may be another name of one of them. */
	if (!any && !users->unresolved) {
		users->unresolved = path;
		path = NULL;
	}
	free(path);
	return r;
}

int spg_match_view(struct spg_match *match, const struct spg_win_tools *tools,
	struct spg_win_users *users, const struct spg_win_mapped *name,
	const struct spg_win_view *view)
{
	size_t at = SPG_NO_FILE;
	int r = 0;

	if (!name->found)
		return is_missing(name->error) ? use_missing(match, users, name, view)
		                               : use_by_name(match, users, name, view);
	while (r == 0 && (at = spg_match_next(match, &name->file, at)) != SPG_NO_FILE)
		r = use_present(
			match, tools, users, name, view, spg_match_file(match, at));
	return r;
}

int spg_match_views(struct spg_match *match, const struct spg_win_tools *tools,
	struct spg_win_users *users, const struct spg_win_mapping *mapping)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < mapping->n_views; i++) {
		const struct spg_win_view *view = &mapping->views[i];

		r = spg_match_view(
			match, tools, users, &mapping->names[view->name], view);
	}
	return r;
}
