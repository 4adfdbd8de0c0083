/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Reading rows of the database; the store's thread.
 */
#include <string.h>

#include "common/digest.h"
#include "daemon/store/database.h"

/** The text in @column, or NULL; SQLite's until the next step. */
static inline const char *spg_row_text(sqlite3_stmt *s, int column)
{
	return (const char *)sqlite3_column_text(s, column);
}

/** Into @ret, of SPG_SHA256_TEXT_BYTES, the digest in @column if it is one. */
static inline void spg_row_sha256(char *ret, sqlite3_stmt *s, int column)
{
	const char *text = spg_row_text(s, column);

	if (text && strlen(text) == SPG_SHA256_TEXT_BYTES - 1)
		memcpy(ret, text, SPG_SHA256_TEXT_BYTES);
}

/** Step @s through its rows and reset it; @row may fail, and ends it then. Returns 0 or a
 * negative spg_err. */
static inline int spg_rows_each(struct spg_db *db, sqlite3_stmt *s,
	int (*row)(void *user, sqlite3_stmt *s), void *user)
{
	int rc, r = 0;

	while (r == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW)
		r = row(user, s);
	if (r == 0 && rc != SQLITE_DONE)
		r = spg_db_fail(db, rc, "read");
	sqlite3_reset(s);
	return r;
}
