/* SPDX-License-Identifier: MIT */
#include "daemon/host/packages.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/host/linux/asked.h"
#include "daemon/host/linux/dpkg.h"
#include "daemon/host/linux/rpm.h"

/* Where rpm keeps its database, the first that is there. */
static const char *const rpm_places[] = {"/usr/lib/sysimage/rpm", "/var/lib/rpm"};

#define RPM_PLACES (sizeof(rpm_places) / sizeof(rpm_places[0]))

enum phase { PHASE_DPKG, PHASE_RPM, PHASE_READ };

struct spg_package_database {
	struct spg_package_place place;
	struct spg_dpkg *dpkg;
	struct spg_rpm *rpm[RPM_PLACES]; /* the first that is there counts */
	/* Of the reading that runs. */
	struct spg_asked asked;
	struct spg_packages *known, *found;
	struct spg_rpm *from; /* NULL: there is none */
	enum phase phase;
};

/* ---- places ---- */

void spg_package_place_finish(struct spg_package_place *place)
{
	free(place->root);
	free(place->admin);
	free(place->rpm);
	*place = (struct spg_package_place)SPG_PACKAGE_PLACE_NULL;
}

int spg_package_place_copy(
	struct spg_package_place *ret, const struct spg_package_place *place)
{
	struct spg_package_place copy = SPG_PACKAGE_PLACE_NULL;

	copy.root = strdup(place->root);
	copy.admin = place->admin ? strdup(place->admin) : NULL;
	copy.rpm = place->rpm ? strdup(place->rpm) : NULL;
	if (copy.root && !copy.admin == !place->admin && !copy.rpm == !place->rpm) {
		*ret = copy;
		return 0;
	}
	spg_package_place_finish(&copy);
	return SPG_ERR_NOMEM;
}

static bool is_equal(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

bool spg_package_place_equal(
	const struct spg_package_place *a, const struct spg_package_place *b)
{
	return is_equal(a->root, b->root) && is_equal(a->admin, b->admin) &&
	       is_equal(a->rpm, b->rpm);
}

enum option { OPTION_ROOT, OPTION_INSTDIR, OPTION_ADMINDIR, OPTION_DBPATH, OPTIONS };

static const struct {
	const char *word;
	enum option option;
	const char *of; /* whose it is; NULL: anybody's */
} options[] = {
	{"--root", OPTION_ROOT, NULL},
	{"--installroot", OPTION_ROOT, NULL},
	{"--instdir", OPTION_INSTDIR, "dpkg"},
	{"--admindir", OPTION_ADMINDIR, "dpkg"},
	{"--dbpath", OPTION_DBPATH, "rpm"},
	{"-r", OPTION_ROOT, "rpm"},
};

/* Set @ret to the value when the word at @word of @n bytes is an option, which may have it
 * in the next word. */
static int find_option(const char *program, const char *word, size_t n,
	const char **ret, size_t *ret_n)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		size_t n_word = strlen(options[i].word);

		if ((options[i].of && strcmp(options[i].of, program) != 0) ||
			n < n_word || strncmp(word, options[i].word, n_word) != 0)
			continue;
		if (n > n_word && word[n_word] == '=') {
			*ret = word + n_word + 1;
			*ret_n = n - n_word - 1;
			return (int)options[i].option;
		}
		if (n == n_word && word[n] == ' ') {
			*ret = word + n + 1;
			*ret_n = strcspn(*ret, " ");
			return (int)options[i].option;
		}
	}
	return OPTIONS;
}

/* A relative path is nobody's but the process's own. */
static int take_value(char **values, int option, const char *value, size_t n)
{
	if (n == 0 || value[0] != '/' || n >= PATH_MAX)
		return 0;
	free(values[option]);
	values[option] = strndup(value, n);
	if (!values[option])
		return SPG_ERR_NOMEM;
	spg_path_normalise(values[option]);
	return 0;
}

static char *join(const char *root, const char *path)
{
	struct spg_buf buf = SPG_BUF_NULL;

	spg_buf_printf(&buf, "%s%s", root, path);
	return spg_buf_take(&buf);
}

static int make_place(char **values, struct spg_package_place *ret)
{
	const char *root = values[OPTION_ROOT] ? values[OPTION_ROOT] : "";
	const char *files = values[OPTION_INSTDIR] ? values[OPTION_INSTDIR] : root;
	const char *dbpath = values[OPTION_DBPATH];
	struct spg_package_place place = SPG_PACKAGE_PLACE_NULL;
	bool failed;

	root = strcmp(root, "/") == 0 ? "" : root;
	files = strcmp(files, "/") == 0 ? "" : files;
	if (!*root && !*files && !values[OPTION_ADMINDIR] && !dbpath)
		return 0;
	place.root = strdup(files);
	place.admin = values[OPTION_ADMINDIR] ? strdup(values[OPTION_ADMINDIR])
	                                      : join(root, "/var/lib/dpkg");
	place.rpm = dbpath ? join(root, dbpath) : NULL;
	failed = !place.root || !place.admin || (dbpath && !place.rpm);
	if (failed)
		spg_package_place_finish(&place);
	else
		*ret = place;
	return failed ? SPG_ERR_NOMEM : 1;
}

int spg_package_place_parse(const char *cmdline, struct spg_package_place *ret)
{
	char *values[OPTIONS] = {NULL}, program[32];
	const char *word = cmdline;
	size_t n = strcspn(word, " ");
	int r = 0;

	snprintf(program, sizeof(program), "%.*s", (int)(n < PATH_MAX ? n : 0), word);
	memmove(program, spg_path_base(program), strlen(spg_path_base(program)) + 1);
	for (; r == 0 && *word; word += n + (word[n] != '\0')) {
		const char *value;
		size_t n_value;
		int option;

		n = strcspn(word, " ");
		option = find_option(program, word, n, &value, &n_value);
		if (option != OPTIONS)
			r = take_value(values, option, value, n_value);
	}
	if (r == 0)
		r = make_place(values, ret);
	for (int i = 0; i < OPTIONS; i++)
		free(values[i]);
	return r;
}

/* ---- databases ---- */

static int create_rpm(struct spg_package_database *db, const char *root)
{
	for (size_t i = 0; i < (db->place.rpm ? 1 : RPM_PLACES); i++) {
		char *path = db->place.rpm ? join("", db->place.rpm)
		                           : join(root, rpm_places[i]);

		if (path)
			db->rpm[i] = spg_rpm_create(path);
		free(path);
		if (!db->rpm[i])
			return SPG_ERR_NOMEM;
	}
	return 0;
}

static int fill(struct spg_package_database *db, const struct spg_package_place *place)
{
	const char *root = place ? place->root : "";
	char *admin;

	db->place.root = strdup(root);
	admin = place && place->admin ? strdup(place->admin)
	                              : join(root, "/var/lib/dpkg");
	db->place.admin = admin;
	if (place && place->rpm)
		db->place.rpm = strdup(place->rpm);
	if (!db->place.root || !admin || (place && place->rpm && !db->place.rpm))
		return SPG_ERR_NOMEM;
	db->dpkg = spg_dpkg_create(admin);
	return db->dpkg ? create_rpm(db, root) : SPG_ERR_NOMEM;
}

struct spg_package_database *spg_package_database_create(
	const struct spg_package_place *place)
{
	struct spg_package_database *db = calloc(1, sizeof(*db));

	if (!db || fill(db, place) == 0)
		return db;
	spg_package_database_destroy(db);
	return NULL;
}

static void end_reading(struct spg_package_database *db)
{
	spg_asked_finish(&db->asked);
	spg_packages_unref(db->known);
	spg_packages_unref(db->found);
	db->known = NULL;
	db->found = NULL;
}

void spg_package_database_destroy(struct spg_package_database *db)
{
	if (!db)
		return;
	end_reading(db);
	spg_dpkg_destroy(db->dpkg);
	for (size_t i = 0; i < RPM_PLACES; i++)
		spg_rpm_destroy(db->rpm[i]);
	spg_package_place_finish(&db->place);
	free(db);
}

int spg_package_database_begin(struct spg_package_database *db,
	const char *const *paths, size_t n, struct spg_packages *known)
{
	int r;

	end_reading(db);
	db->found = spg_packages_create();
	if (!db->found)
		return SPG_ERR_NOMEM;
	db->known = spg_packages_ref(known);
	db->phase = PHASE_DPKG;
	r = spg_asked_init(&db->asked, db->place.root, paths, n);
	if (r < 0) {
		end_reading(db);
		return r;
	}
	spg_dpkg_begin(db->dpkg, &db->asked);
	db->from = NULL;
	for (size_t i = 0; i < RPM_PLACES && !db->from; i++)
		if (db->rpm[i] && spg_rpm_is_there(db->rpm[i]))
			db->from = db->rpm[i];
	if (db->from)
		spg_rpm_begin(db->from, &db->asked, db->known);
	return 0;
}

int spg_package_database_step(
	struct spg_package_database *db, int64_t until_ns, const char **ret_why)
{
	int r = 0;

	if (db->phase == PHASE_DPKG) {
		r = spg_dpkg_step(db->dpkg, db->found, until_ns, ret_why);
		if (r == 0)
			db->phase = PHASE_RPM;
	}
	if (r == 0 && db->phase == PHASE_RPM && db->from)
		r = spg_rpm_step(db->from, db->found, until_ns, ret_why);
	if (r == 0)
		db->phase = PHASE_READ;
	return r;
}

struct spg_packages *spg_package_database_take(struct spg_package_database *db)
{
	struct spg_packages *found = db->found;

	db->found = NULL;
	end_reading(db);
	if (found && spg_packages_sort(found) == 0)
		return found;
	spg_packages_unref(found);
	return NULL;
}
