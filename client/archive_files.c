/* SPDX-License-Identifier: MIT */
#include "client/archive_files.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"

#define NONE      SIZE_MAX
#define HOPS_MAX  40         /* as Linux, path_resolution(7) */
#define LEFT_MAX  4096       /* the same */
#define STEPS_MAX (1U << 23) /* components that all links together lead through */

static void finish_file(struct spg_archive_file *file)
{
	free(file->target);
	free(file->file.path);
	free(file->file.version);
}

void spg_archive_files_finish(struct spg_archive_files *files)
{
	for (size_t i = 0; i < files->n; i++)
		finish_file(&files->files[i]);
	free(files->files);
	*files = (struct spg_archive_files)SPG_ARCHIVE_FILES_NULL;
}

int spg_archive_files_add(
	struct spg_archive_files *files, const struct spg_archive_file *file)
{
	struct spg_archive_file copy = *file;

	if (spg_array_reserve(&files->files, files->n, &files->size, sizeof(*file)) <
		0) {
		finish_file(&copy);
		return SPG_ERR_NOMEM;
	}
	copy.order = files->n;
	files->files[files->n++] = copy;
	return 0;
}

/* --- finding -------------------------------------------------------------------- */

static int compare_to(const struct spg_archive_file *file, size_t within,
	const char *path, size_t order)
{
	int result;

	if (file->within != within)
		return file->within < within ? -1 : 1;
	result = strcmp(file->file.path, path);
	if (result)
		return result;
	return (file->order > order) - (file->order < order);
}

static int compare_files(const void *a, const void *b)
{
	const struct spg_archive_file *two = b;

	return compare_to(a, two->within, two->file.path, two->order);
}

/* The last of @path that came before @order. */
static size_t find_before(const struct spg_archive_files *files, size_t within,
	const char *path, size_t order)
{
	size_t low = 0, high = files->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_to(&files->files[middle], within, path, order) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || files->files[low - 1].within != within ||
		strcmp(files->files[low - 1].file.path, path) != 0)
		return NONE;
	return low - 1;
}

static size_t find(
	const struct spg_archive_files *files, size_t within, const char *path)
{
	return find_before(files, within, path, SIZE_MAX);
}

/* Is there anything below @path? */
static bool has_below(
	const struct spg_archive_files *files, size_t within, struct spg_buf *path)
{
	size_t len = path->len, low = 0, high = files->n;
	bool found;

	spg_buf_putc(path, '/');
	while (!path->failed && low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_to(&files->files[middle], within, path->data, 0) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	found = !path->failed && low < files->n && files->files[low].within == within &&
	        strlen(files->files[low].file.path) > len &&
	        memcmp(files->files[low].file.path, path->data, len + 1) == 0;
	if (!path->failed) {
		path->len = len;
		path->data[len] = '\0';
	}
	return found;
}

/* --- links ---------------------------------------------------------------------- */

static int copy_content(
	struct spg_archive_file *to, const struct spg_archive_file *from)
{
	char *version = from->file.version ? strdup(from->file.version) : NULL;

	if (from->file.version && !version)
		return SPG_ERR_NOMEM;
	free(to->file.version);
	to->file.version = version;
	to->file.size = from->file.size;
	to->file.is_program = from->file.is_program;
	memcpy(to->file.sha256, from->file.sha256, sizeof(to->file.sha256));
	to->is_read = from->is_read;
	return 0;
}

/* Hard links, in the order in which they came: cpio has the content with the last of
 * them, tar with the first. @order: their indices by it. */
static int resolve_hard(struct spg_archive_files *files, const size_t *order)
{
	int err = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; err == 0 && i < files->n; i++) {
			struct spg_archive_file *file = &files->files[order[i]];
			size_t at;

			if (file->kind != SPG_ARCHIVE_HARD || !file->target ||
				file->is_read != (pass == 0))
				continue;
			at = find_before(
				files, file->within, file->target, file->order);
			if (at == NONE)
				continue;
			if (pass == 1)
				err = copy_content(file, &files->files[at]);
			else if (files->files[at].file.size == 0)
				err = copy_content(&files->files[at], file);
		}
	}
	return err;
}

static int resolve_all_hard(struct spg_archive_files *files)
{
	size_t *order = calloc(files->n + 1, sizeof(*order));
	int err;

	if (!order)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < files->n; i++)
		order[files->files[i].order] = i;
	err = resolve_hard(files, order);
	free(order);
	return err;
}

/* The last of each path stays. */
static void drop_doubles(struct spg_archive_files *files)
{
	size_t kept = 0;

	for (size_t i = 0; i < files->n; i++) {
		struct spg_archive_file *file = &files->files[i];

		if (kept && files->files[kept - 1].within == file->within &&
			strcmp(files->files[kept - 1].file.path, file->file.path) == 0)
			finish_file(&files->files[--kept]);
		files->files[kept++] = *file;
	}
	files->n = kept;
}

/* A path that is followed, component by component. */
struct following {
	const struct spg_archive_files *files;
	size_t within;
	struct spg_buf done, left;
	size_t at; /* in left: components that are to come */
	unsigned n_hops;
};

/* Put @target before what is left. */
static void put_before(struct following *f, const char *target)
{
	struct spg_buf left = SPG_BUF_NULL;

	spg_buf_puts(&left, target);
	spg_buf_putc(&left, '/');
	spg_buf_puts(&left, spg_buf_text(&f->left) + f->at);
	spg_buf_finish(&f->left);
	f->left = left;
	f->at = 0;
}

/* Leave the last component. False: there is none. */
static bool go_up(struct following *f)
{
	size_t len = f->done.len;

	if (len == 0)
		return false;
	while (len > 0 && f->done.data[len - 1] != '/')
		len--;
	f->done.len = len - (len > 0);
	f->done.data[f->done.len] = '\0';
	return true;
}

/* One component. False: it leads out of the archive. */
static bool follow_one(struct following *f, const char *name, size_t n, bool rooted)
{
	const struct spg_archive_file *file;
	size_t at;

	if (n == 0 || (n == 1 && name[0] == '.'))
		return true;
	if (n == 2 && memcmp(name, "..", 2) == 0)
		return go_up(f);
	if (f->done.len > 0 || rooted)
		spg_buf_putc(&f->done, '/');
	spg_buf_add(&f->done, name, n);
	at = f->done.failed ? NONE : find(f->files, f->within, f->done.data);
	file = at == NONE ? NULL : &f->files->files[at];
	if (!file || file->kind != SPG_ARCHIVE_SYMBOLIC)
		return true;
	if (++f->n_hops > HOPS_MAX || file->target[0] == '\0')
		return false;
	if (file->target[0] == '/') {
		if (!rooted)
			return false;
		spg_buf_clear(&f->done);
	} else {
		go_up(f);
	}
	put_before(f, file->target);
	return true;
}

enum end { NOWHERE, AT_FILE, AT_FOLDER };

/* Where all components led. */
static enum end find_end(struct following *f, size_t *ret)
{
	size_t at;

	if (f->done.len == 0)
		return AT_FOLDER; /* the archive's own */
	at = find(f->files, f->within, f->done.data);
	if (at == NONE)
		return has_below(f->files, f->within, &f->done) ? AT_FOLDER : NOWHERE;
	*ret = at;
	return f->files->files[at].kind == SPG_ARCHIVE_FOLDER ? AT_FOLDER : AT_FILE;
}

/* Follow the link @from to its end: a spg_err, or which end, with *@ret of a file. */
static int follow(const struct spg_archive_files *files, size_t from, unsigned *n_steps,
	size_t *ret)
{
	const struct spg_archive_file *link = &files->files[from];
	struct following f = {.files = files, .within = link->within};
	bool rooted = link->file.path[0] == '/', inside = true;
	int end = NOWHERE;

	spg_buf_puts(&f.left, link->file.path);
	while (inside && !f.left.failed && !f.done.failed && f.at < f.left.len &&
		f.left.len - f.at <= LEFT_MAX && ++*n_steps <= STEPS_MAX) {
		const char *name = f.left.data + f.at;
		size_t n = strcspn(name, "/");

		f.at += n + (name[n] == '/');
		inside = follow_one(&f, name, n, rooted);
	}
	if (f.left.failed || f.done.failed)
		end = SPG_ERR_NOMEM;
	else if (*n_steps > STEPS_MAX)
		end = SPG_ERR_LIMIT;
	else if (inside && f.at == f.left.len)
		end = find_end(&f, ret);
	spg_buf_finish(&f.left);
	spg_buf_finish(&f.done);
	return end;
}

static int resolve_symbolic(struct spg_archive_files *files)
{
	unsigned n_steps = 0;

	for (size_t i = 0; i < files->n; i++) {
		struct spg_archive_file *file = &files->files[i];
		size_t at = i;
		int end = NOWHERE;

		if (file->kind == SPG_ARCHIVE_SYMBOLIC)
			end = follow(files, i, &n_steps, &at);
		if (end < 0)
			return end;
		file->leads_to_folder = end == AT_FOLDER;
		if (end == AT_FILE && at != i &&
			copy_content(file, &files->files[at]) < 0)
			return SPG_ERR_NOMEM;
	}
	return 0;
}

/* --- the service pack ------------------------------------------------------------ */

int spg_archive_files_move(struct spg_archive_files *files, struct spg_payload *payload,
	const char *shown, struct spg_buf *error)
{
	int err;

	if (files->n > 0)
		qsort(files->files, files->n, sizeof(files->files[0]), compare_files);
	err = resolve_all_hard(files);
	drop_doubles(files);
	if (err == 0)
		err = resolve_symbolic(files);
	if (err < 0)
		spg_buf_puts(error, err == SPG_ERR_LIMIT ? "too many links in it"
							 : "out of memory");
	for (size_t i = 0; err == 0 && i < files->n; i++) {
		struct spg_archive_file *file = &files->files[i];

		if (file->kind == SPG_ARCHIVE_FOLDER || file->leads_to_folder)
			continue;
		err = spg_payload_add(payload, shown, &file->file, error);
		if (err == 0)
			file->file = (struct spg_payload_file){.path = NULL};
	}
	return err;
}
