/* SPDX-License-Identifier: MIT */
#include "daemon/install/leftovers.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/install/unfinished.h"

static int add_folder(struct spg_leftovers *l, const char *path, size_t n)
{
	const char *latest =
		l->folders.n > 0 ? l->folders.items[l->folders.n - 1] : NULL;
	char *folder;
	int r;

	/* Paths of one folder mostly come one after the other. */
	if (latest && strlen(latest) == n && memcmp(latest, path, n) == 0)
		return 0;
	folder = strndup(path, n);
	r = folder ? spg_texts_add(&l->folders, folder) : SPG_ERR_NOMEM;
	free(folder);
	return r;
}

int spg_leftovers_begin(struct spg_leftovers *l, const struct spg_product *product,
	const char *const *paths, size_t n)
{
	int r = 0;

	l->product = product;
	for (size_t i = 0; r == 0 && i < n; i++) {
		size_t n_folder = (size_t)(spg_path_base(paths[i]) - paths[i]);

		if (n_folder > 0)
			r = add_folder(l, paths[i], n_folder);
	}
	spg_texts_sort(&l->folders);
	return r;
}

/* Keep @path if it was to become a file of the product. */
static int note(struct spg_leftovers *l, const char *path)
{
	bool certain;
	char *target = spg_unfinished_target(path, &certain);
	bool is_of_it = target && spg_product_has_path(l->product, target);

	free(target);
	return is_of_it ? spg_texts_add(&l->paths, path) : 0;
}

/* @folder ends with its slash; @delayed: it is that of rsync --delay-updates. */
static int list(struct spg_leftovers *l, const char *folder, bool delayed)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	struct spg_buf path = SPG_BUF_NULL;
	int r = 0;

	while (dir && r == 0 && l->paths.n < SPG_LEFTOVERS_MAX &&
		(entry = readdir(dir))) {
		spg_buf_clear(&path);
		spg_buf_printf(&path, "%s%s", folder, entry->d_name);
		if (!delayed && strcmp(entry->d_name, SPG_UNFINISHED_FOLDER) == 0) {
			spg_buf_putc(&path, '/');
			r = path.failed ? SPG_ERR_NOMEM
			                : list(l, spg_buf_text(&path), true);
		} else {
			r = path.failed ? SPG_ERR_NOMEM : note(l, spg_buf_text(&path));
		}
	}
	if (dir)
		closedir(dir);
	spg_buf_finish(&path);
	return r;
}

int spg_leftovers_step(struct spg_leftovers *l)
{
	int r = l->at < l->folders.n ? list(l, l->folders.items[l->at++], false) : 0;

	if (r < 0)
		return r;
	if (l->at < l->folders.n)
		return 1;
	spg_texts_sort(&l->paths);
	return 0;
}

void spg_leftovers_finish(struct spg_leftovers *l)
{
	spg_texts_finish(&l->folders);
	spg_texts_finish(&l->paths);
}
