/* SPDX-License-Identifier: MIT */
#include "client/archive_places.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"

/* The folder that was asked for last: those of one folder mostly stand together. */
struct folder {
	struct spg_buf asked, real;
};

/* @folder as it really is, to the last part that exists. */
static void resolve(struct folder *known, const char *folder, size_t n)
{
	char *part = strndup(folder, n), *real = NULL;
	size_t len = n;

	spg_buf_clear(&known->asked);
	spg_buf_clear(&known->real);
	spg_buf_add(&known->asked, folder, n);
	while (part && len > 0 && !(real = realpath(part, NULL))) {
		while (len > 0 && part[len - 1] != '/')
			len--;
		len -= len > 0;
		part[len] = '\0';
	}
	if (!part)
		known->real.failed = true;
	/* "/" is the empty one, behind which a slash comes. */
	if (real && real[1] != '\0')
		spg_buf_puts(&known->real, real);
	spg_buf_add(&known->real, folder + len, n - len);
	free(real);
	free(part);
}

static int resolve_file(struct folder *known, struct spg_payload_file *file)
{
	size_t n = (size_t)(spg_path_base(file->path) - file->path) - 1;
	struct spg_buf path = SPG_BUF_NULL;

	if (n == 0)
		return 0;
	if (known->asked.len != n || memcmp(known->asked.data, file->path, n) != 0)
		resolve(known, file->path, n);
	spg_buf_puts(&path, spg_buf_text(&known->real));
	spg_buf_printf(&path, "/%s", file->name);
	if (path.failed || known->real.failed || known->asked.failed) {
		spg_buf_finish(&path);
		return SPG_ERR_NOMEM;
	}
	free(file->path);
	file->path = spg_buf_take(&path);
	file->name = spg_path_base(file->path);
	return 0;
}

int spg_archive_resolve_places(struct spg_payload *payload)
{
	struct folder known = {SPG_BUF_NULL, SPG_BUF_NULL};
	int err = 0;

	for (size_t i = 0; err == 0 && i < payload->n_files; i++)
		if (payload->files[i].path[0] == '/')
			err = resolve_file(&known, &payload->files[i]);
	spg_buf_finish(&known.asked);
	spg_buf_finish(&known.real);
	return err;
}
