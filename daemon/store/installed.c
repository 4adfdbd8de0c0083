/* SPDX-License-Identifier: MIT */
/* What is installed of each product, written when it changes and read at the start. */
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"
#include "daemon/store/records.h"
#include "daemon/store/rows.h"
#include "daemon/store/writer.h"

struct put {
	struct spg_installed *installed;
	void (*done)(void *user, int err);
};

static int put_file(
	struct spg_db *db, const char *product, const struct spg_installed_file *file)
{
	if (file->gone)
		return spg_db_run(
			db, SPG_SQL_INSTALLED_FILE_REMOVE, "zz", product, file->path);
	return spg_db_run(db, SPG_SQL_INSTALLED_FILE_PUT, "zzzzi", product, file->path,
		file->version, file->sha256[0] ? file->sha256 : NULL,
		(int64_t)file->is_module);
}

static int put_installed(struct spg_db *db, void *data)
{
	const struct spg_installed *in = ((struct put *)data)->installed;
	int r = spg_db_run(
		db, SPG_SQL_INSTALLED_PUT, "zzi", in->product, in->scope, in->at_ns);

	if (r == 0 && in->whole)
		r = spg_db_run(db, SPG_SQL_INSTALLED_FILES_CLEAR, "z", in->product);
	for (size_t i = 0; r == 0 && i < in->n; i++)
		r = put_file(db, in->product, &in->files[i]);
	return r;
}

static void put_done(void *user, int err, void *data)
{
	const struct put *put = data;

	if (put->done)
		put->done(user, err);
}

static void put_release(void *data)
{
	struct put *put = data;

	spg_installed_destroy(put->installed);
	free(put);
}

void spg_store_put_installed(struct spg_store *store, struct spg_installed *installed,
	void (*done)(void *user, int err), void *user)
{
	struct put *put = calloc(1, sizeof(*put));

	if (!put) {
		spg_installed_destroy(installed);
		if (done)
			done(user, SPG_ERR_NOMEM);
		return;
	}
	*put = (struct put){installed, done};
	spg_store_submit(store,
		&(struct spg_job){.run = put_installed,
			.writes = true,
			.waits = true,
			.done = put_done,
			.release = put_release,
			.data = put},
		user);
}

/* ---- reading ---- */

static int file_row(void *user, sqlite3_stmt *s)
{
	struct spg_installed *installed = user;
	const char *path = spg_row_text(s, 0);
	struct spg_installed_file *file;

	if (!path)
		return 0;
	file = spg_installed_add(installed, path, spg_row_text(s, 1));
	if (!file)
		return SPG_ERR_NOMEM;
	spg_row_sha256(file->sha256, s, 2);
	file->is_module = sqlite3_column_int(s, 3) != 0;
	return 0;
}

static int set_row(void *user, sqlite3_stmt *s)
{
	struct spg_store_records *records = user;
	const char *product = spg_row_text(s, 0), *scope = spg_row_text(s, 1);
	struct spg_installed *installed;

	if (!product || !scope)
		return 0;
	if (spg_array_reserve(&records->installed, records->n_installed,
		    &records->size_installed, sizeof(struct spg_installed *)) < 0)
		return SPG_ERR_NOMEM;
	installed = spg_installed_create(product, scope, sqlite3_column_int64(s, 2));
	if (!installed)
		return SPG_ERR_NOMEM;
	installed->whole = true;
	records->installed[records->n_installed++] = installed;
	return 0;
}

int spg_db_load_installed(struct spg_db *db, struct spg_store_records *records)
{
	int r = 0;
	sqlite3_stmt *s = spg_db_bind(db, SPG_SQL_INSTALLED, &r, "");

	if (s)
		r = spg_rows_each(db, s, set_row, records);
	for (size_t i = 0; r == 0 && i < records->n_installed; i++) {
		struct spg_installed *installed = records->installed[i];

		s = spg_db_bind(
			db, SPG_SQL_INSTALLED_FILES, &r, "z", installed->product);
		if (s)
			r = spg_rows_each(db, s, file_row, installed);
	}
	return r;
}
