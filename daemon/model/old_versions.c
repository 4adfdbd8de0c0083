/* SPDX-License-Identifier: MIT */
#include "daemon/model/old_versions.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "daemon/model/name_set.h"

/* What gives a name to another file. */
#define REPLACING                                                                      \
	(SPG_EVENT_BIT(SPG_EVENT_CREATE) | SPG_EVENT_BIT(SPG_EVENT_DELETE) |           \
		SPG_EVENT_BIT(SPG_EVENT_RENAME))

static void finish_version(struct spg_old_version *version)
{
	for (size_t i = 0; i < version->n_names; i++)
		free(version->names[i]);
	*version = (struct spg_old_version){0};
}

void spg_old_versions_finish(struct spg_old_versions *versions)
{
	for (size_t i = 0; i < versions->n; i++)
		finish_version(&versions->items[i]);
	free(versions->items);
	*versions = (struct spg_old_versions){0};
}

static int order_ids(struct spg_file_id a, struct spg_file_id b)
{
	if (a.dev != b.dev)
		return a.dev < b.dev ? -1 : 1;
	return a.ino < b.ino ? -1 : a.ino > b.ino;
}

static int order_versions(const void *va, const void *vb)
{
	const struct spg_old_version *a = va, *b = vb;

	return order_ids(a->id, b->id);
}

static int order_files(const void *va, const void *vb)
{
	struct spg_file *const *a = va, *const *b = vb;

	return order_ids((*a)->id, (*b)->id);
}

static struct spg_old_version *find(
	const struct spg_old_versions *versions, struct spg_file_id id)
{
	const struct spg_old_version key = {.id = id};

	return versions->n ? bsearch(&key, versions->items, versions->n, sizeof(key),
				     order_versions)
	                   : NULL;
}

static int add_name(struct spg_old_version *version, const char *name)
{
	char *copy;

	for (size_t i = 0; i < version->n_names; i++)
		if (strcmp(version->names[i], name) == 0)
			return 0;
	copy = strdup(name);
	if (!copy)
		return SPG_ERR_NOMEM;
	if (version->n_names == SPG_OLD_NAMES) {
		free(version->names[0]);
		memmove(version->names, version->names + 1,
			(SPG_OLD_NAMES - 1) * sizeof(version->names[0]));
		version->n_names--;
	}
	version->names[version->n_names++] = copy;
	return 0;
}

/* The name of @version at which another file is now (@present: what is at its place); else
 * that of @file. */
static const char *name_of(const struct spg_old_version *version,
	const struct spg_file *file, const struct spg_name_set *present)
{
	for (size_t k = version->n_names; k-- > 0;)
		if (spg_name_set_has(present, version->names[k]))
			return version->names[k];
	return file->path;
}

/* The paths of files that are at their place; spg_name_set_finish() and free(*ret_paths)
 * when done. */
static int list_present(
	const struct spg_observation *obs, struct spg_name_set *ret, char ***ret_paths)
{
	char **paths = calloc(obs->n_files + 1, sizeof(*paths));
	size_t n = 0;

	*ret_paths = paths;
	if (!paths)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < obs->n_files; i++)
		if (obs->files[i].presence == SPG_PRESENT)
			paths[n++] = obs->files[i].file->path;
	return spg_name_set_init(ret, paths, n, false);
}

/* A replaced file that was not so before: when? */
static void date(struct spg_old_version *version, const struct spg_file *file,
	const struct spg_name_set *present, const struct spg_observation *obs,
	const struct spg_hints *hints, int64_t looked_ns)
{
	version->replaced = true;
	if (looked_ns)
		version->replaced_ns =
			spg_hints_last(hints, name_of(version, file, present),
				SPG_ANY_PID, REPLACING, looked_ns, obs->ended_ns);
}

/* The same records in the same order, and nothing that was replaced. */
static bool is_unchanged(const struct spg_old_versions *versions,
	struct spg_file *const *known, size_t n_known,
	const struct spg_observation *obs)
{
	if (versions->n > 0 || obs->n_files != n_known)
		return false;
	for (size_t i = 0; i < n_known; i++)
		if (obs->files[i].file != known[i] ||
			obs->files[i].presence != SPG_PRESENT)
			return false;
	return true;
}

/* What is remembered of @seen: the names it had, where they are not all one. */
static int remember(struct spg_old_versions *to,
	const struct spg_old_versions *versions, struct spg_file *const *sorted,
	size_t n_known, const struct spg_seen_file *seen)
{
	const struct spg_old_version *was = find(versions, seen->file->id);
	struct spg_old_version *is = &to->items[to->n];
	struct spg_file *const *before = n_known ? bsearch(&seen->file, sorted, n_known,
							   sizeof(*sorted), order_files)
	                                         : NULL;
	bool replaced = seen->presence == SPG_REPLACED;
	int r = 0;

	if (seen->presence == SPG_GONE)
		return 0;
	if (!was && !replaced &&
		(!before || strcmp((*before)->path, seen->file->path) == 0))
		return 0;
	*is = (struct spg_old_version){.id = seen->file->id};
	to->n++;
	for (size_t i = 0; r == 0 && was && i < was->n_names; i++)
		r = add_name(is, was->names[i]);
	if (r == 0 && before)
		r = add_name(is, (*before)->path);
	if (r == 0)
		r = add_name(is, seen->file->path);
	if (was && replaced) {
		is->replaced = was->replaced;
		is->replaced_ns = was->replaced_ns;
	}
	return r;
}

int spg_old_versions_note(struct spg_old_versions *versions,
	struct spg_file *const *known, size_t n_known,
	const struct spg_observation *obs, const struct spg_hints *hints,
	int64_t looked_ns)
{
	struct spg_old_versions now = {0};
	struct spg_name_set present = SPG_NAME_SET_NULL;
	char **paths = NULL;
	struct spg_file **sorted;
	int r = 0;

	if (is_unchanged(versions, known, n_known, obs))
		return 0;
	now.items = calloc(obs->n_files + 1, sizeof(*now.items));
	sorted = calloc(n_known + 1, sizeof(*sorted));
	r = now.items && sorted ? list_present(obs, &present, &paths) : SPG_ERR_NOMEM;
	if (r == 0 && n_known > 0)
		memcpy(sorted, known, n_known * sizeof(*sorted));
	if (r == 0)
		qsort(sorted, n_known, sizeof(*sorted), order_files);
	for (size_t i = 0; r == 0 && i < obs->n_files; i++) {
		size_t n = now.n;

		r = remember(&now, versions, sorted, n_known, &obs->files[i]);
		if (r == 0 && now.n > n && obs->files[i].presence == SPG_REPLACED &&
			!now.items[n].replaced)
			date(&now.items[n], obs->files[i].file, &present, obs, hints,
				looked_ns);
	}
	spg_name_set_finish(&present);
	free(paths);
	free(sorted);
	if (r < 0) {
		spg_old_versions_finish(&now);
		return r;
	}
	qsort(now.items, now.n, sizeof(*now.items), order_versions);
	spg_old_versions_finish(versions);
	*versions = now;
	return 0;
}

int spg_old_versions_name(
	const struct spg_old_versions *versions, struct spg_observation *obs)
{
	struct spg_name_set present = SPG_NAME_SET_NULL;
	char **paths = NULL;
	int r = versions->n > 0 ? list_present(obs, &present, &paths) : 0;

	for (size_t i = 0; r == 0 && versions->n > 0 && i < obs->n_files; i++) {
		struct spg_seen_file *seen = &obs->files[i];
		const struct spg_old_version *version =
			seen->presence == SPG_REPLACED ? find(versions, seen->file->id)
						       : NULL;
		struct spg_file *named;
		const char *name;

		if (!version)
			continue;
		seen->replaced_ns = version->replaced_ns;
		name = name_of(version, seen->file, &present);
		if (strcmp(name, seen->file->path) == 0)
			continue;
		named = spg_file_create(name, seen->file->id);
		if (named) {
			spg_file_unref(seen->file);
			seen->file = named;
		} else {
			r = SPG_ERR_NOMEM;
		}
	}
	spg_name_set_finish(&present);
	free(paths);
	return r;
}
