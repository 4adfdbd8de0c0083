/* SPDX-License-Identifier: MIT */
#include "daemon/model/file.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"

static void release_plain(struct spg_file *file)
{
	free(file);
}

int spg_file_init(struct spg_file *file, const char *path, struct spg_file_id id,
	void (*release)(struct spg_file *))
{
	char *copy = strdup(path);

	if (!copy)
		return SPG_ERR_NOMEM;
	atomic_init(&file->refs, 1);
	file->path = copy;
	file->id = id;
	file->n_links = 1;
	file->release = release;
	return 0;
}

struct spg_file *spg_file_create(const char *path, struct spg_file_id id)
{
	struct spg_file *file = calloc(1, sizeof(*file));

	if (file && spg_file_init(file, path, id, release_plain) < 0) {
		free(file);
		return NULL;
	}
	return file;
}

struct spg_file *spg_file_ref(struct spg_file *file)
{
	if (file)
		atomic_fetch_add_explicit(&file->refs, 1, memory_order_relaxed);
	return file;
}

void spg_file_unref(struct spg_file *file)
{
	if (!file ||
		atomic_fetch_sub_explicit(&file->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(file->path);
	file->release(file);
}
