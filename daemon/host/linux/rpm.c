/* SPDX-License-Identifier: MIT */
#include "daemon/host/linux/rpm.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include "common/array.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"

/* Rows of a table. */
#define PACKAGES_MAX 200000
#define HITS_MAX     2000000
/* A statement that goes on for so long meets what is no database of rpm. */
#define STUCK_NS     (2 * SPG_NS_PER_S)
/* Of SQLite's machine, between two looks at the clock. */
#define OPS          20000

/* A package, by hnum. */
struct row {
	int64_t hnum;
	char *name;
	bool wanted; /* its version */
	size_t index;
};

/* A file that may be one of those asked about: its last part is. */
struct hit {
	int64_t hnum, file;
};

enum phase { PHASE_NAMES, PHASE_BASES, PHASE_HEADERS, PHASE_DONE };

struct spg_rpm {
	char *path;
	struct stat st; /* of the database, when reading it began */
	struct spg_asked *asked;
	const struct spg_packages *known;
	enum phase phase;
	size_t at; /* of the phase */
	struct row *rows;
	size_t n_rows, size_rows;
	const char **bases; /* asked's; NULL: not sorted yet */
	struct hit *hits;   /* by hnum once all are there */
	size_t n_hits, size_hits, at_hit;
	int64_t stuck_ns; /* when the statement that runs is given up */
};

static void forget(struct spg_rpm *rpm)
{
	for (size_t i = 0; i < rpm->n_rows; i++)
		free(rpm->rows[i].name);
	free(rpm->rows);
	free(rpm->hits);
	free(rpm->bases);
	rpm->bases = NULL;
	rpm->rows = NULL;
	rpm->hits = NULL;
	rpm->n_rows = rpm->size_rows = rpm->n_hits = rpm->size_hits = 0;
	rpm->at = rpm->at_hit = 0;
}

struct spg_rpm *spg_rpm_create(const char *path)
{
	struct spg_rpm *rpm = calloc(1, sizeof(*rpm));

	if (rpm)
		rpm->path = strdup(path);
	if (rpm && rpm->path)
		return rpm;
	free(rpm);
	return NULL;
}

void spg_rpm_destroy(struct spg_rpm *rpm)
{
	if (!rpm)
		return;
	forget(rpm);
	free(rpm->path);
	free(rpm);
}

void spg_rpm_begin(
	struct spg_rpm *rpm, struct spg_asked *asked, const struct spg_packages *known)
{
	forget(rpm);
	rpm->asked = asked;
	rpm->known = known;
	rpm->phase = PHASE_NAMES;
}

/* ---- the database ---- */

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Returns 0 with @ret_st, or SPG_ERR_NOT_FOUND; SPG_ERR_BUSY: rpm is writing it. */
static int look(const struct spg_rpm *rpm, struct stat *ret_st)
{
	char path[PATH_MAX];
	struct stat wal;

	if ((size_t)snprintf(path, sizeof(path), "%s/rpmdb.sqlite-wal", rpm->path) >=
		sizeof(path))
		return SPG_ERR_NOT_FOUND;
	if (stat(path, &wal) == 0 && wal.st_size > 0)
		return SPG_ERR_BUSY;
	path[strlen(path) - strlen("-wal")] = '\0';
	if (stat(path, ret_st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? SPG_ERR_NOT_FOUND
		                                           : spg_err_from_errno(errno);
	return S_ISREG(ret_st->st_mode) ? 0 : SPG_ERR_INVALID;
}

bool spg_rpm_is_there(const struct spg_rpm *rpm)
{
	struct stat st;

	return look(rpm, &st) != SPG_ERR_NOT_FOUND;
}

/* Immutable: neither locks nor a log, which would be written to. */
static int open_database(const struct spg_rpm *rpm, sqlite3 **ret)
{
	struct spg_buf uri = SPG_BUF_NULL;
	int rc = SQLITE_NOMEM;

	spg_buf_puts(&uri, "file:");
	for (const char *c = rpm->path; *c; c++) {
		if (strchr("%?#", *c))
			spg_buf_printf(&uri, "%%%02x", (unsigned char)*c);
		else
			spg_buf_putc(&uri, *c);
	}
	spg_buf_puts(&uri, "/rpmdb.sqlite?immutable=1");
	if (!uri.failed)
		rc = sqlite3_open_v2(spg_buf_text(&uri), ret,
			SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX,
			NULL);
	spg_buf_finish(&uri);
	if (rc == SQLITE_OK) {
		sqlite3_limit(*ret, SQLITE_LIMIT_LENGTH, SPG_RPM_HEADER_MAX);
		sqlite3_db_config(*ret, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
		sqlite3_db_config(*ret, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
		return 0;
	}
	sqlite3_close(*ret);
	*ret = NULL;
	return rc == SQLITE_NOMEM ? SPG_ERR_NOMEM : SPG_ERR_CORRUPT;
}

static int is_stuck(void *user)
{
	const struct spg_rpm *rpm = user;

	return spg_clock_mono_ns() >= rpm->stuck_ns;
}

/* Step @s through its rows. @row returns 0, a negative spg_err, or 1: stop. */
static int each_row(struct spg_rpm *rpm, sqlite3_stmt *s,
	int (*row)(struct spg_rpm *rpm, sqlite3_stmt *s, void *user), void *user)
{
	int rc = SQLITE_DONE, r = 0;

	rpm->stuck_ns = spg_clock_mono_ns() + STUCK_NS;
	while (r == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW)
		r = row(rpm, s, user);
	sqlite3_reset(s);
	if (r < 0)
		return r;
	if (rc == SQLITE_ROW || rc == SQLITE_DONE)
		return 0;
	return rc == SQLITE_NOMEM ? SPG_ERR_NOMEM : SPG_ERR_CORRUPT;
}

static int prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret)
{
	int rc = sqlite3_prepare_v2(db, sql, -1, ret, NULL);

	return rc == SQLITE_OK      ? 0
	       : rc == SQLITE_NOMEM ? SPG_ERR_NOMEM
	                            : SPG_ERR_CORRUPT;
}

/* ---- which packages there are ---- */

static bool has_version(const struct spg_packages *known, const char *name)
{
	size_t at = known ? spg_packages_find(known, name) : SPG_PACKAGE_NONE;

	for (; at != SPG_PACKAGE_NONE && at < known->n; at++) {
		if (strcmp(known->items[at].name, name) != 0)
			return false;
		if (known->items[at].version)
			return true;
	}
	return false;
}

static int name_row(struct spg_rpm *rpm, sqlite3_stmt *s, void *user)
{
	const char *name = (const char *)sqlite3_column_text(s, 0);
	struct row row = {
		.hnum = sqlite3_column_int64(s, 1), .index = SPG_PACKAGE_NONE};

	(void)user;
	if (!name)
		return 0;
	if (rpm->n_rows == PACKAGES_MAX)
		return SPG_ERR_LIMIT;
	if (spg_array_reserve(&rpm->rows, rpm->n_rows, &rpm->size_rows, sizeof(row)) <
		0)
		return SPG_ERR_NOMEM;
	row.name = strdup(name);
	if (!row.name)
		return SPG_ERR_NOMEM;
	row.wanted = has_version(rpm->known, name);
	rpm->rows[rpm->n_rows++] = row;
	return 0;
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *one = a, *other = b;

	return (one->hnum > other->hnum) - (one->hnum < other->hnum);
}

static int read_names(struct spg_rpm *rpm, sqlite3 *db)
{
	sqlite3_stmt *s = NULL;
	int r = prepare(db, "SELECT key, hnum FROM Name", &s);

	if (r == 0)
		r = each_row(rpm, s, name_row, NULL);
	sqlite3_finalize(s);
	if (rpm->n_rows)
		qsort(rpm->rows, rpm->n_rows, sizeof(struct row), compare_rows);
	return r;
}

/* ---- which have a file with one of the names ---- */

static int base_row(struct spg_rpm *rpm, sqlite3_stmt *s, void *user)
{
	(void)user;
	if (rpm->n_hits == HITS_MAX)
		return SPG_ERR_LIMIT;
	if (spg_array_reserve(
		    &rpm->hits, rpm->n_hits, &rpm->size_hits, sizeof(struct hit)) < 0)
		return SPG_ERR_NOMEM;
	rpm->hits[rpm->n_hits++] =
		(struct hit){sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1)};
	return 0;
}

static int compare_bases(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The last parts of the paths asked about, sorted. */
static int sort_bases(struct spg_rpm *rpm)
{
	size_t n = rpm->asked->n;

	rpm->bases = calloc(n + 1, sizeof(*rpm->bases));
	if (!rpm->bases)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < n; i++)
		rpm->bases[i] = rpm->asked->files[i].base;
	qsort(rpm->bases, n, sizeof(*rpm->bases), compare_bases);
	return 0;
}

static int compare_hits(const void *a, const void *b)
{
	const struct hit *one = a, *other = b;

	if (one->hnum != other->hnum)
		return one->hnum > other->hnum ? 1 : -1;
	return (one->file > other->file) - (one->file < other->file);
}

static int read_bases(struct spg_rpm *rpm, sqlite3 *db, int64_t until_ns)
{
	sqlite3_stmt *s = NULL;
	int r = rpm->bases ? 0 : sort_bases(rpm);

	if (r == 0)
		r = prepare(db, "SELECT hnum, idx FROM Basenames WHERE key = ?1", &s);
	while (r == 0 && rpm->at < rpm->asked->n) {
		const char *base = rpm->bases[rpm->at++];

		if (rpm->at > 1 && strcmp(rpm->bases[rpm->at - 2], base) == 0)
			continue;
		sqlite3_bind_text(s, 1, base, -1, SQLITE_STATIC);
		r = each_row(rpm, s, base_row, NULL);
		if (r == 0 && spg_clock_mono_ns() >= until_ns)
			break;
	}
	sqlite3_finalize(s);
	if (r == 0 && rpm->at < rpm->asked->n)
		return 1;
	if (rpm->n_hits)
		qsort(rpm->hits, rpm->n_hits, sizeof(struct hit), compare_hits);
	return r;
}

/* ---- their headers ---- */

struct taken {
	const struct spg_rpm *rpm;
	struct spg_packages *packages;
	struct row *row;
};

static int own(void *user, size_t file)
{
	const struct taken *taken = user;

	return spg_packages_own(taken->packages, taken->rpm->asked->files[file].path,
		taken->row->index);
}

static char *version_of(const struct spg_rpm_header *header)
{
	struct spg_buf version = SPG_BUF_NULL;

	if (header->has_epoch)
		spg_buf_printf(&version, "%u:", header->epoch);
	spg_buf_printf(&version, "%s%s%s", header->version, header->release ? "-" : "",
		header->release ? header->release : "");
	return spg_buf_take(&version);
}

/* Whatever name a header gives itself, the table's is the one that is asked for. */
static int take_header(
	struct spg_rpm *rpm, struct taken *taken, const struct spg_rpm_header *header)
{
	char *version = version_of(header);
	int r = 0;

	if (version)
		taken->row->index =
			spg_packages_add(taken->packages, taken->row->name, version);
	free(version);
	if (taken->row->index == SPG_PACKAGE_NONE)
		return SPG_ERR_NOMEM;
	for (; r == 0 && rpm->at_hit < rpm->n_hits &&
		rpm->hits[rpm->at_hit].hnum == taken->row->hnum;
		rpm->at_hit++) {
		int64_t file = rpm->hits[rpm->at_hit].file;
		const char *dir, *base;

		if (file >= 0 && spg_rpm_header_file(header, (size_t)file, &dir, &base))
			r = spg_asked_find(rpm->asked, dir, strlen(dir), base,
				strlen(base), own, taken);
	}
	return r;
}

static int blob_row(struct spg_rpm *rpm, sqlite3_stmt *s, void *user)
{
	const unsigned char *blob = sqlite3_column_blob(s, 0);
	struct spg_rpm_header header;
	int r;

	if (!blob)
		return 0;
	r = spg_rpm_header_parse(&header, blob, (size_t)sqlite3_column_bytes(s, 0));
	if (r == 0 && header.version)
		r = take_header(rpm, user, &header);
	spg_rpm_header_finish(&header);
	return r == SPG_ERR_INVALID ? 0 : r;
}

static int read_header(struct spg_rpm *rpm, sqlite3_stmt *s, struct row *row,
	struct spg_packages *packages)
{
	struct taken taken = {rpm, packages, row};
	int r = 0;

	/* Numbers that the table of names does not have. */
	while (rpm->at_hit < rpm->n_hits && rpm->hits[rpm->at_hit].hnum < row->hnum)
		rpm->at_hit++;
	if (row->wanted || (rpm->at_hit < rpm->n_hits &&
				   rpm->hits[rpm->at_hit].hnum == row->hnum)) {
		sqlite3_bind_int64(s, 1, row->hnum);
		r = each_row(rpm, s, blob_row, &taken);
	}
	if (r == 0 && row->index == SPG_PACKAGE_NONE &&
		spg_packages_add(packages, row->name, NULL) == SPG_PACKAGE_NONE)
		r = SPG_ERR_NOMEM;
	return r;
}

static int read_headers(struct spg_rpm *rpm, sqlite3 *db, struct spg_packages *packages,
	int64_t until_ns)
{
	sqlite3_stmt *s = NULL;
	int r = prepare(db, "SELECT blob FROM Packages WHERE hnum = ?1 LIMIT 1", &s);

	while (r == 0 && rpm->at < rpm->n_rows) {
		r = read_header(rpm, s, &rpm->rows[rpm->at++], packages);
		if (r == 0 && rpm->at < rpm->n_rows && spg_clock_mono_ns() >= until_ns)
			r = 1;
	}
	sqlite3_finalize(s);
	return r;
}

/* ---- steps ---- */

static int read_some(struct spg_rpm *rpm, sqlite3 *db, struct spg_packages *packages,
	int64_t until_ns)
{
	int r = 0;

	while (r == 0 && rpm->phase != PHASE_DONE) {
		if (rpm->phase == PHASE_NAMES)
			r = read_names(rpm, db);
		else if (rpm->phase == PHASE_BASES)
			r = read_bases(rpm, db, until_ns);
		else
			r = read_headers(rpm, db, packages, until_ns);
		if (r == 0) {
			rpm->phase++;
			rpm->at = 0;
		}
	}
	return r;
}

int spg_rpm_step(struct spg_rpm *rpm, struct spg_packages *ret, int64_t until_ns,
	const char **ret_why)
{
	sqlite3 *db = NULL;
	struct stat st;
	int r = look(rpm, &st);

	*ret_why = "rpm is writing its database";
	if (r == 0 && rpm->n_rows > 0 && !is_same(&st, &rpm->st))
		r = SPG_ERR_BUSY;
	rpm->st = st;
	if (r == 0) {
		*ret_why = "rpm's database cannot be read";
		r = open_database(rpm, &db);
	}
	if (db) {
		sqlite3_progress_handler(db, OPS, is_stuck, rpm);
		rpm->stuck_ns = spg_clock_mono_ns() + STUCK_NS;
	}
	if (r == 0)
		r = read_some(rpm, db, ret, until_ns);
	sqlite3_close(db);
	if (r == 0 && (look(rpm, &st) < 0 || !is_same(&st, &rpm->st))) {
		*ret_why = "rpm is writing its database";
		r = SPG_ERR_BUSY;
	}
	if (r <= 0)
		forget(rpm);
	return r;
}
