/* SPDX-License-Identifier: MIT */
/* What the next install of a product should bring, for the next start. */
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"
#include "daemon/store/records.h"
#include "daemon/store/rows.h"
#include "daemon/store/writer.h"

struct put {
	char *product;
	struct spg_expected expected;
	void (*done)(void *user, int err);
};

static int put_expected(struct spg_db *db, void *data)
{
	const struct put *put = data;
	int r = spg_db_run(db, SPG_SQL_EXPECTED_CLEAR, "z", put->product);

	for (size_t i = 0; r == 0 && i < put->expected.n; i++) {
		const struct spg_expected_file *file = &put->expected.files[i];

		r = spg_db_run(db, SPG_SQL_EXPECTED_ADD, "zizzzi", put->product,
			(int64_t)i, file->path, file->version,
			file->sha256[0] ? file->sha256 : NULL,
			(int64_t)file->elsewhere);
	}
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

	spg_expected_finish(&put->expected);
	free(put->product);
	free(put);
}

static struct put *make_put(const char *product, const struct spg_expected *expected)
{
	struct put *put = calloc(1, sizeof(*put));

	if (!put)
		return NULL;
	put->product = strdup(product);
	if (put->product && spg_expected_copy(expected, &put->expected) == 0)
		return put;
	put_release(put);
	return NULL;
}

void spg_store_put_expected(struct spg_store *store, const char *product,
	const struct spg_expected *expected, void (*done)(void *user, int err),
	void *user)
{
	struct put *put = make_put(product, expected);

	if (!put) {
		if (done)
			done(user, SPG_ERR_NOMEM);
		return;
	}
	put->done = done;
	spg_store_submit(store,
		&(struct spg_job){.run = put_expected,
			.writes = true,
			.waits = true,
			.done = put_done,
			.release = put_release,
			.data = put},
		user);
}

/* ---- reading ---- */

static struct spg_store_expected *add_product(
	struct spg_store_records *records, const char *product)
{
	struct spg_store_expected *last;

	if (records->n_expected > 0) {
		last = &records->expected[records->n_expected - 1];
		if (strcmp(last->product, product) == 0)
			return last;
	}
	if (spg_array_reserve(&records->expected, records->n_expected,
		    &records->size_expected, sizeof(*records->expected)) < 0)
		return NULL;
	last = &records->expected[records->n_expected];
	*last = (struct spg_store_expected){.product = strdup(product)};
	if (!last->product)
		return NULL;
	records->n_expected++;
	return last;
}

static int file_row(void *user, sqlite3_stmt *s)
{
	const char *product = spg_row_text(s, 0), *path = spg_row_text(s, 1);
	struct spg_store_expected *of;
	int r;

	if (!product || !path)
		return 0;
	of = add_product(user, product);
	if (!of)
		return SPG_ERR_NOMEM;
	r = spg_expected_add(
		&of->expected, path, spg_row_text(s, 2), spg_row_text(s, 3));
	if (r == 0)
		of->expected.files[of->expected.n - 1].elsewhere =
			sqlite3_column_int(s, 4) != 0;
	return r;
}

int spg_db_load_expected(struct spg_db *db, struct spg_store_records *records)
{
	int r = 0;
	sqlite3_stmt *s = spg_db_bind(db, SPG_SQL_EXPECTED, &r, "");

	return s ? spg_rows_each(db, s, file_row, records) : r;
}
