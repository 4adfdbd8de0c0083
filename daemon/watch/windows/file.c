/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/file.h"

#include <stdlib.h>

static void release(struct spg_file *file)
{
	struct spg_win_file *own = (struct spg_win_file *)file;

	free(own->native);
	free(own);
}

struct spg_win_file *spg_win_file_create(const char *path, const wchar_t *native,
	const struct spg_win_identity *identity, bool pending)
{
	struct spg_win_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	if (identity)
		file->identity = *identity;
	file->pending = pending;
	file->native = _wcsdup(native);
	if (!file->native ||
		spg_file_init(&file->base, path, file->identity.id, release) < 0) {
		free(file->native);
		free(file);
		return NULL;
	}
	file->base.n_links = file->identity.n_links;
	return file;
}

struct spg_win_file *spg_win_file_of(struct spg_file *file)
{
	return file->release == release ? (struct spg_win_file *)file : NULL;
}
