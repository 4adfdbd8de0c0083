/* SPDX-License-Identifier: MIT */
#include "client/touched.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/archive_payload.h"
#include "client/helper.h"
#include "client/output.h"
#include "client/profile_files.h"
#include "client/profile_relations.h"
#include "client/progress.h"
#include "common/array.h"
#include "common/err.h"
#include "common/payload.h"
#include "common/text.h"

#define LIST_BYTES_MAX (64U << 20) /* that a package manager prints at once */
#define ASKED_MAX      200         /* packages, at once */

void spg_touched_finish(struct spg_touched *touched)
{
	for (size_t i = 0; i < touched->n_directories; i++) {
		free(touched->directories[i].path);
		free(touched->directories[i].resolved);
	}
	for (size_t i = 0; i < touched->n; i++)
		free(touched->files[i].path);
	for (size_t i = 0; i < touched->n_links; i++) {
		free(touched->links[i].path);
		free(touched->links[i].real);
	}
	free(touched->directories);
	free(touched->links);
	free(touched->files);
	*touched = (struct spg_touched)SPG_TOUCHED_NULL;
}

static bool fail_nomem(struct spg_complaint *why)
{
	spg_complain(why, "out of memory");
	return false;
}

/* ---- directories ---- */

/* @gone: the daemon knows that it is not there. */
static bool add_directory(struct spg_touched *touched, const char *path, bool gone,
	struct spg_complaint *why)
{
	struct spg_watched_directory directory = {NULL, realpath(path, NULL)};

	if (!directory.resolved && gone && (errno == ENOENT || errno == ENOTDIR))
		return true;
	if (!directory.resolved && errno != ENOMEM) {
		spg_complain(why, "%s: %s", path, strerror(errno));
		return false;
	}
	directory.path = directory.resolved ? strdup(path) : NULL;
	if (!directory.path ||
		spg_array_reserve(&touched->directories, touched->n_directories,
			&touched->directories_size, sizeof(directory)) < 0) {
		free(directory.path);
		free(directory.resolved);
		return fail_nomem(why);
	}
	touched->directories[touched->n_directories++] = directory;
	return true;
}

bool spg_touched_take_status(
	struct spg_touched *touched, const json_t *status, struct spg_complaint *why)
{
	const json_t *product, *directory;
	size_t i, k;

	if (!json_is_array(json_object_get(status, "products"))) {
		spg_complain(why, "the daemon's answer has no products");
		return false;
	}
	json_array_foreach (spg_json_list(status, "products"), i, product) {
		json_array_foreach (
			spg_json_list(product, "directories"), k, directory) {
			const char *path = spg_json_text(directory, "path");
			const char *state = spg_json_text(directory, "state");
			bool gone = state && strcmp(state, "missing") == 0;

			if (path && !add_directory(touched, path, gone, why))
				return false;
		}
	}
	return true;
}

/* ---- links ---- */

/* True when @real is @path, through the directory that it is in. */
static bool is_by_directory(
	const struct spg_touched *touched, const char *path, const char *real)
{
	for (size_t i = 0; i < touched->n_directories; i++) {
		const struct spg_watched_directory *directory =
			&touched->directories[i];

		if (spg_path_below(path, directory->path, false) &&
			spg_path_below(real, directory->resolved, false) &&
			strcmp(path + strlen(directory->path),
				real + strlen(directory->resolved)) == 0)
			return true;
	}
	return false;
}

static bool add_link(struct spg_touched *touched, const char *path)
{
	struct spg_watched_link link = {.real = realpath(path, NULL)};
	bool good = link.real || errno != ENOMEM;

	if (link.real && !is_by_directory(touched, path, link.real)) {
		link.path = strdup(path);
		good = link.path && spg_array_reserve(&touched->links, touched->n_links,
					    &touched->links_size, sizeof(link)) == 0;
		if (good) {
			touched->links[touched->n_links++] = link;
			return true;
		}
	}
	free(link.path);
	free(link.real);
	return good;
}

static int compare_links(const void *a, const void *b)
{
	const struct spg_watched_link *one = a, *two = b;

	return strcmp(one->real, two->real);
}

bool spg_touched_take_files(
	struct spg_touched *touched, const json_t *who, struct spg_complaint *why)
{
	const json_t *file;
	size_t i;

	if (!json_is_array(json_object_get(who, "files"))) {
		spg_complain(why, "the daemon's answer has no files");
		return false;
	}
	json_array_foreach (spg_json_list(who, "files"), i, file) {
		const char *path = spg_json_text(file, "path");

		if (path && !add_link(touched, path))
			return fail_nomem(why);
	}
	if (touched->n_links > 1)
		qsort(touched->links, touched->n_links, sizeof(*touched->links),
			compare_links);
	return true;
}

/* Index of the first link that leads to @path, or of what would follow it. */
static size_t find_link(const struct spg_touched *touched, const char *path)
{
	size_t low = 0, high = touched->n_links;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(touched->links[middle].real, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_linked(const struct spg_touched *touched, size_t at, const char *path)
{
	return at < touched->n_links && strcmp(touched->links[at].real, path) == 0;
}

/* ---- files ---- */

static bool add_file(struct spg_touched *touched, const char *path, size_t change)
{
	struct spg_touched_file file = {.path = strdup(path), .change = change};

	if (file.path && spg_array_reserve(&touched->files, touched->n, &touched->size,
				 sizeof(file)) == 0) {
		touched->files[touched->n++] = file;
		return true;
	}
	free(file.path);
	return false;
}

static bool is_watched(const struct spg_touched *touched, const char *path)
{
	for (size_t i = 0; i < touched->n_directories; i++)
		if (spg_path_below(path, touched->directories[i].resolved, false))
			return true;
	return is_linked(touched, find_link(touched, path), path);
}

/* @path, resolved but for its last part, as each product names it. */
static bool take_path(struct spg_touched *touched, const char *path, size_t change)
{
	bool good = true;

	for (size_t i = 0; good && i < touched->n_directories; i++) {
		const struct spg_watched_directory *directory =
			&touched->directories[i];
		struct spg_buf named = SPG_BUF_NULL;

		if (!spg_path_below(path, directory->resolved, false))
			continue;
		spg_buf_printf(&named, "%s/%s", directory->path,
			path + strlen(directory->resolved));
		good = !named.failed;
		if (good) {
			spg_path_normalise(named.data);
			good = add_file(touched, named.data, change);
		}
		spg_buf_finish(&named);
	}
	for (size_t i = find_link(touched, path); good && is_linked(touched, i, path);
		i++)
		good = add_file(touched, touched->links[i].path, change);
	return good;
}

static int compare_files(const void *a, const void *b)
{
	const struct spg_touched_file *one = a, *two = b;
	int order = strcmp(one->path, two->path);

	return order ? order
	             : (one->change > two->change) - (one->change < two->change);
}

static void sort_files(struct spg_touched *touched)
{
	size_t kept = 0;

	if (touched->n == 0)
		return;
	qsort(touched->files, touched->n, sizeof(*touched->files), compare_files);
	for (size_t i = 1; i < touched->n; i++) {
		if (strcmp(touched->files[i].path, touched->files[kept].path) == 0)
			free(touched->files[i].path);
		else
			touched->files[++kept] = touched->files[i];
	}
	touched->n = kept + 1;
}

const struct spg_touched_file *spg_touched_find(
	const struct spg_touched *touched, const char *path)
{
	size_t low = 0, high = touched->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(touched->files[middle].path, path);

		if (order == 0)
			return &touched->files[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* ---- what comes ---- */

static bool read_package(struct spg_touched *touched, const char *path, size_t change,
	struct spg_complaint *why)
{
	const struct spg_archive_limits limits = {.paths_only = true};
	struct spg_payload payload = SPG_PAYLOAD_NULL;
	struct spg_buf error = SPG_BUF_NULL;
	int err = spg_archive_read(&payload, path, &limits, NULL, &error);
	bool good = err == 0;

	if (err == SPG_ARCHIVE_NONE) {
		spg_complain(why, "%s: no package that can be read", path);
	} else if (err < 0) {
		/* Its advice is for who gave --payload. */
		if (error.len)
			error.data[strcspn(error.data, "\n")] = '\0';
		spg_complain(why, "%s", error.len ? error.data : spg_err_text(err));
	}
	for (size_t i = 0; good && i < payload.n_files; i++) {
		good = take_path(touched, payload.files[i].path, change);
		if (!good)
			fail_nomem(why);
	}
	spg_buf_finish(&error);
	spg_payload_finish(&payload);
	return good;
}

/* ---- what goes ---- */

/* A line of dpkg-query's or rpm's list. What is no file any more needs no question. */
static bool take_listed(struct spg_touched *touched, const char *line, size_t change)
{
	const char *path = spg_package_path_of_line(line);
	char *resolved = path ? spg_resolve_directory_of(path) : NULL;
	bool good = true;
	struct stat st;

	if (path && !resolved && errno == ENOMEM)
		return false;
	if (resolved && is_watched(touched, resolved) && lstat(resolved, &st) == 0 &&
		!S_ISDIR(st.st_mode))
		good = take_path(touched, resolved, change);
	free(resolved);
	return good;
}

/* The lists of several packages have an empty line between them. */
static bool take_lists(struct spg_touched *touched, char *text, const size_t *changes,
	size_t n, struct spg_complaint *why)
{
	char *line;
	size_t at = 0;

	while ((line = strsep(&text, "\n"))) {
		if (!*line && at + 1 < n)
			at++;
		else if (*line && !take_listed(touched, line, changes[at]))
			return fail_nomem(why);
	}
	return true;
}

static bool ask_manager(struct spg_touched *touched,
	const struct spg_transaction *transaction, enum spg_transaction_source source,
	const size_t *changes, size_t n, struct spg_complaint *why)
{
	static const char *const words[][3] = {
		[SPG_FROM_APT] = {"dpkg-query", "-L", "--"},
		[SPG_FROM_DNF] = {"rpm", "-ql", "--"},
	};
	char *argv[ASKED_MAX + 4] = {NULL};
	struct spg_buf text = SPG_BUF_NULL;
	bool good = false;
	int code;

	for (size_t i = 0; i < 3; i++)
		argv[i] = (char *)words[source][i];
	for (size_t i = 0; i < n; i++)
		argv[3 + i] = transaction->changes[changes[i]].old;
	code = spg_helper_run(argv, touched->limit_ns, LIST_BYTES_MAX, &text, why);
	if (code == SPG_HELPER_MISSING)
		spg_complain(why, "there is no %s", argv[0]);
	else if (code > 0)
		spg_complain(why,
			"%s does not list the files of what is installed: %s%s",
			argv[0], argv[3], n > 1 ? ", ..." : "");
	else if (code == 0 && text.failed)
		fail_nomem(why);
	else if (code == 0)
		good = text.len == 0 || take_lists(touched, text.data, changes, n, why);
	spg_buf_finish(&text);
	return good;
}

static bool read_installed(struct spg_touched *touched,
	const struct spg_transaction *transaction, enum spg_transaction_source source,
	struct spg_complaint *why)
{
	/* rpm does not say where the list of the next package begins. */
	size_t at_once = source == SPG_FROM_APT ? ASKED_MAX : 1, n = 0;
	size_t changes[ASKED_MAX];

	for (size_t i = 0; i < transaction->n; i++) {
		if (transaction->changes[i].old)
			changes[n++] = i;
		if (n < at_once && !(n > 0 && i + 1 == transaction->n))
			continue;
		if (n > 0 &&
			!ask_manager(touched, transaction, source, changes, n, why))
			return false;
		n = 0;
	}
	return true;
}

bool spg_touched_read(struct spg_touched *touched,
	const struct spg_transaction *transaction, enum spg_transaction_source source,
	struct spg_complaint *why)
{
	struct spg_progress progress;
	char text[SPG_PROGRESS_BYTES];
	bool good = true;

	spg_progress_begin(&progress, false);
	for (size_t i = 0; good && i < transaction->n; i++) {
		const struct spg_change *change = &transaction->changes[i];

		snprintf(text, sizeof(text), "reading the packages: %zu of %zu", i + 1,
			transaction->n);
		spg_progress_tell(&progress, text);
		if (change->file)
			good = read_package(touched, change->file, i, why);
	}
	spg_progress_end(&progress);
	if (!good || !read_installed(touched, transaction, source, why))
		return false;
	sort_files(touched);
	return true;
}
