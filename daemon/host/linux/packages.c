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
#include "daemon/host/linux/bounded.h"
#include "daemon/host/linux/dpkg.h"
#include "daemon/host/linux/rpm.h"

/* Where rpm keeps its database, the first that is there. */
static const char *const rpm_places[] = {"/usr/lib/sysimage/rpm", "/var/lib/rpm"};

#define RPM_PLACES (sizeof(rpm_places) / sizeof(rpm_places[0]))

/* A disk that does not answer for so long is one of a server that is gone. */
#define ANSWER_MS  10000

enum phase { PHASE_PLACES, PHASE_DPKG, PHASE_RPM, PHASE_READ };

/* What reads; a thread of its own looks at the disk for it (bounded.h), and has it for good
 * when the disk does not answer. */
struct reader {
	struct spg_package_place place;
	struct spg_dpkg *dpkg;
	struct spg_rpm *rpm[RPM_PLACES]; /* the first that is there counts */
	/* Of the reading that runs. */
	struct spg_asked asked;
	struct spg_packages *known, *found;
	struct spg_rpm *from; /* NULL: there is none */
	enum phase phase;
};

struct spg_package_database {
	struct spg_package_place place; /* root NULL: the system's */
	struct reader *reader;          /* NULL: the last one was left behind */
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

/* ---- a reader ---- */

static int create_rpm(struct reader *reader, const char *root)
{
	for (size_t i = 0; i < (reader->place.rpm ? 1 : RPM_PLACES); i++) {
		char *path = reader->place.rpm ? join("", reader->place.rpm)
		                               : join(root, rpm_places[i]);

		if (path)
			reader->rpm[i] = spg_rpm_create(path);
		free(path);
		if (!reader->rpm[i])
			return SPG_ERR_NOMEM;
	}
	return 0;
}

static int fill(struct reader *reader, const struct spg_package_place *place)
{
	const char *root = place->root ? place->root : "";
	char *admin = place->admin ? strdup(place->admin) : join(root, "/var/lib/dpkg");

	reader->place.root = strdup(root);
	reader->place.admin = admin;
	if (place->rpm)
		reader->place.rpm = strdup(place->rpm);
	if (!reader->place.root || !admin || (place->rpm && !reader->place.rpm))
		return SPG_ERR_NOMEM;
	reader->dpkg = spg_dpkg_create(admin);
	return reader->dpkg ? create_rpm(reader, root) : SPG_ERR_NOMEM;
}

static void end_reading(struct reader *reader)
{
	spg_asked_finish(&reader->asked);
	spg_packages_unref(reader->known);
	spg_packages_unref(reader->found);
	reader->known = NULL;
	reader->found = NULL;
}

static void reader_destroy(struct reader *reader)
{
	if (!reader)
		return;
	end_reading(reader);
	spg_dpkg_destroy(reader->dpkg);
	for (size_t i = 0; i < RPM_PLACES; i++)
		spg_rpm_destroy(reader->rpm[i]);
	spg_package_place_finish(&reader->place);
	free(reader);
}

static struct reader *reader_create(const struct spg_package_place *place)
{
	struct reader *reader = calloc(1, sizeof(*reader));

	if (!reader || fill(reader, place) == 0)
		return reader;
	reader_destroy(reader);
	return NULL;
}

/* Where the files are, and which databases there are. */
static int look(struct reader *reader)
{
	int r = spg_asked_look(&reader->asked);

	if (r < 0)
		return r;
	spg_dpkg_begin(reader->dpkg, &reader->asked);
	reader->from = NULL;
	for (size_t i = 0; i < RPM_PLACES && !reader->from; i++)
		if (reader->rpm[i] && spg_rpm_is_there(reader->rpm[i]))
			reader->from = reader->rpm[i];
	if (reader->from)
		spg_rpm_begin(reader->from, &reader->asked, reader->known);
	reader->phase = PHASE_DPKG;
	return 0;
}

static int read_some(struct reader *reader, int64_t until_ns, const char **ret_why)
{
	int r = 0;

	*ret_why = "out of memory";
	if (reader->phase == PHASE_PLACES)
		r = look(reader);
	if (r == 0 && reader->phase == PHASE_DPKG) {
		r = spg_dpkg_step(reader->dpkg, reader->found, until_ns, ret_why);
		if (r == 0)
			reader->phase = PHASE_RPM;
	}
	if (r == 0 && reader->phase == PHASE_RPM && reader->from)
		r = spg_rpm_step(reader->from, reader->found, until_ns, ret_why);
	if (r == 0)
		reader->phase = PHASE_READ;
	return r;
}

/* ---- databases ---- */

struct turn {
	struct reader *reader;
	int64_t until_ns;
	const char *why;
	int r;
};

static void take_turn(void *arg)
{
	struct turn *turn = arg;

	turn->r = read_some(turn->reader, turn->until_ns, &turn->why);
}

/* Of a turn that came late. */
static void turn_destroy(void *arg)
{
	struct turn *turn = arg;

	reader_destroy(turn->reader);
	free(turn);
}

struct spg_package_database *spg_package_database_create(
	const struct spg_package_place *place)
{
	struct spg_package_database *db = calloc(1, sizeof(*db));

	if (db && (!place || spg_package_place_copy(&db->place, place) == 0))
		db->reader = reader_create(&db->place);
	if (db && db->reader)
		return db;
	spg_package_database_destroy(db);
	return NULL;
}

void spg_package_database_destroy(struct spg_package_database *db)
{
	if (!db)
		return;
	reader_destroy(db->reader);
	spg_package_place_finish(&db->place);
	free(db);
}

int spg_package_database_begin(struct spg_package_database *db,
	const char *const *paths, size_t n, struct spg_packages *known)
{
	struct reader *reader;

	if (!db->reader)
		db->reader = reader_create(&db->place);
	reader = db->reader;
	if (!reader)
		return SPG_ERR_NOMEM;
	end_reading(reader);
	reader->phase = PHASE_PLACES;
	reader->known = spg_packages_ref(known);
	reader->found = spg_packages_create();
	if (reader->found &&
		spg_asked_init(&reader->asked, reader->place.root, paths, n) == 0)
		return 0;
	end_reading(reader);
	return SPG_ERR_NOMEM;
}

int spg_package_database_step(
	struct spg_package_database *db, int64_t until_ns, const char **ret_why)
{
	struct turn *turn = calloc(1, sizeof(*turn));
	int r = SPG_ERR_NOMEM;

	*ret_why = "out of memory";
	if (!turn)
		return r;
	*turn = (struct turn){.reader = db->reader, .until_ns = until_ns};
	r = spg_bounded_call(
		db->reader->place.admin, ANSWER_MS, take_turn, turn_destroy, turn);
	if (r == SPG_ERR_TIMEOUT) {
		db->reader = NULL;
		*ret_why = "a disk does not answer";
		return r;
	}
	if (r == 0) {
		r = turn->r;
		*ret_why = turn->why;
	}
	free(turn);
	return r;
}

struct spg_packages *spg_package_database_take(struct spg_package_database *db)
{
	struct spg_packages *found = db->reader->found;

	db->reader->found = NULL;
	end_reading(db->reader);
	if (found && spg_packages_sort(found) == 0)
		return found;
	spg_packages_unref(found);
	return NULL;
}
