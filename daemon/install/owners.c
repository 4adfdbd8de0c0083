/* SPDX-License-Identifier: MIT */
#include "daemon/install/owners.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/platform.h"
#include "daemon/proof/worker.h"

/* Databases that are known at one time: the system's, and those of other roots. */
#define DATABASES_MAX 8
/* A step of a reading, and a moment. */
#define SLICE_NS      (5 * SPG_NS_PER_MS)
/* A reading, without the time that surveys take meanwhile: an install waits for it. */
#define PATIENCE_NS   (3 * SPG_NS_PER_S)

struct database {
	struct spg_package_place place;     /* root NULL: the system's */
	struct spg_package_database *files; /* background thread, while it is read */
	struct spg_packages *last;          /* NULL: nothing is known */
	bool told;                          /* that it cannot be read */
};

/* Somebody waits for a reading. */
struct request {
	struct request *next;
	struct database *database;
	bool running; /* the reading that runs is for it */
	spg_owners_done *done;
	void *user;
};

struct reading {
	struct spg_background_job job;
	struct spg_owners *owners;
	struct database *database;
	const char **paths; /* of all products; sorted in the first step */
	size_t n;
	struct spg_file **files; /* references */
	size_t n_files;
	struct spg_packages *known; /* a reference, or NULL */
	/* Background thread. */
	bool begun;
	int64_t spent_ns;
	const char *why;
	struct spg_packages *found; /* NULL: it could not be read */
};

struct spg_owners {
	struct spg_prover *prover;
	const struct spg_model *model;
	struct database databases[DATABASES_MAX];
	size_t n_databases;
	struct request *requests; /* in order */
	struct reading *reading;  /* one at a time; NULL: none */
};

/* ---- the background thread ---- */

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Each path once. */
static void sort_paths(struct reading *reading)
{
	size_t kept = 0;

	qsort(reading->paths, reading->n_files, sizeof(char *), compare_paths);
	for (size_t i = 0; i < reading->n_files; i++)
		if (kept == 0 ||
			strcmp(reading->paths[kept - 1], reading->paths[i]) != 0)
			reading->paths[kept++] = reading->paths[i];
	reading->n = kept;
}

static int read_some(struct reading *reading, int64_t until_ns)
{
	struct spg_package_database *files = reading->database->files;
	int r = 0;

	reading->why = "out of memory";
	if (!reading->begun) {
		sort_paths(reading);
		r = spg_package_database_begin(
			files, reading->paths, reading->n, reading->known);
	}
	reading->begun = true;
	if (r == 0)
		r = spg_package_database_step(files, until_ns, &reading->why);
	if (r != 0)
		return r;
	reading->found = spg_package_database_take(files);
	return reading->found ? 0 : SPG_ERR_NOMEM;
}

static bool step(struct spg_background_job *job)
{
	struct reading *reading = (struct reading *)job;
	int64_t now_ns = spg_clock_mono_ns();
	int r = read_some(reading, now_ns + SLICE_NS);

	reading->spent_ns += spg_clock_mono_ns() - now_ns;
	if (r > 0 && reading->spent_ns > PATIENCE_NS) {
		reading->why = "it takes too long";
		r = SPG_ERR_TIMEOUT;
	}
	return r > 0;
}

/* ---- readings ---- */

static void reading_destroy(struct reading *reading)
{
	for (size_t i = 0; i < reading->n_files; i++)
		spg_file_unref(reading->files[i]);
	free(reading->files);
	free(reading->paths);
	spg_packages_unref(reading->known);
	spg_packages_unref(reading->found);
	free(reading);
}

/* The files of all products. */
static int gather(struct reading *reading, const struct spg_model *model)
{
	size_t n_all = 0, n;

	for (size_t i = 0; i < spg_model_n_products(model); i++) {
		(void)spg_model_files(model, i, &n);
		n_all += n;
	}
	reading->files = calloc(n_all + 1, sizeof(struct spg_file *));
	reading->paths = calloc(n_all + 1, sizeof(char *));
	if (!reading->files || !reading->paths)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < spg_model_n_products(model); i++) {
		struct spg_file *const *files = spg_model_files(model, i, &n);

		for (size_t f = 0; f < n; f++) {
			reading->paths[reading->n_files] = files[f]->path;
			reading->files[reading->n_files++] = spg_file_ref(files[f]);
		}
	}
	return 0;
}

static void begin_next(struct spg_owners *owners);

/* Those who waited for the reading that has ended; they may ask again at once. */
static void answer(struct spg_owners *owners, struct spg_packages *packages)
{
	struct request **at = &owners->requests, *ended = NULL, **end = &ended;

	while (*at) {
		struct request *request = *at;

		if (!request->running) {
			at = &request->next;
			continue;
		}
		*at = request->next;
		request->next = NULL;
		*end = request;
		end = &request->next;
	}
	while (ended) {
		struct request *request = ended;

		ended = request->next;
		if (request->done)
			request->done(request->user, packages);
		free(request);
	}
}

static void tell(struct database *database, const char *why)
{
	const char *root = database->place.root;

	if (!database->told)
		spg_notice("of which packages files are is not known%s%s: %s",
			root && *root ? " below " : "", root ? root : "", why);
	database->told = true;
}

static void end(struct spg_background_job *job, bool complete)
{
	struct reading *reading = (struct reading *)job;
	struct spg_owners *owners = reading->owners;
	struct database *database = reading->database;
	bool first = !database->last;

	owners->reading = NULL;
	/* While the daemon stops nobody is answered. */
	if (!complete) {
		reading_destroy(reading);
		return;
	}
	spg_packages_unref(database->last);
	database->last = spg_packages_ref(reading->found);
	if (reading->found)
		database->told = false;
	else
		tell(database, reading->why);
	reading_destroy(reading);
	/* The lists of all packages were read. */
	if (first)
		spg_platform_release_memory();
	answer(owners, database->last);
	begin_next(owners);
}

/* Returns 0: it runs; or a negative spg_err. */
static int begin_reading(struct spg_owners *owners, struct database *database)
{
	struct reading *reading = calloc(1, sizeof(*reading));
	int r = reading ? gather(reading, owners->model) : SPG_ERR_NOMEM;

	if (reading) {
		reading->job = (struct spg_background_job){.step = step, .done = end};
		reading->owners = owners;
		reading->database = database;
		reading->known = spg_packages_ref(database->last);
	}
	if (r == 0)
		r = spg_prover_add_job(owners->prover, &reading->job);
	if (r == 0)
		owners->reading = reading;
	else if (reading)
		reading_destroy(reading);
	return r;
}

static void begin_next(struct spg_owners *owners)
{
	struct database *database;
	int r;

	if (owners->reading || !owners->requests)
		return;
	database = owners->requests->database;
	for (struct request *at = owners->requests; at; at = at->next)
		at->running = at->database == database;
	r = begin_reading(owners, database);
	if (r == 0)
		return;
	answer(owners, NULL);
	/* While the daemon stops, all of them. */
	begin_next(owners);
}

/* ---- asking ---- */

struct spg_owners *spg_owners_create(
	struct spg_prover *prover, const struct spg_model *model)
{
	struct spg_owners *owners = calloc(1, sizeof(*owners));

	if (!owners)
		return NULL;
	owners->prover = prover;
	owners->model = model;
	owners->databases[0].files = spg_package_database_create(NULL);
	owners->n_databases = 1;
	if (owners->databases[0].files)
		return owners;
	free(owners);
	return NULL;
}

void spg_owners_destroy(struct spg_owners *owners)
{
	if (!owners)
		return;
	while (owners->requests) {
		struct request *request = owners->requests;

		owners->requests = request->next;
		free(request);
	}
	for (size_t i = 0; i < owners->n_databases; i++) {
		spg_package_place_finish(&owners->databases[i].place);
		spg_package_database_destroy(owners->databases[i].files);
		spg_packages_unref(owners->databases[i].last);
	}
	free(owners);
}

static struct database *find(
	const struct spg_owners *owners, const struct spg_package_place *place)
{
	for (size_t i = 0; i < owners->n_databases; i++) {
		const struct database *database = &owners->databases[i];

		if (place ? database->place.root &&
					spg_package_place_equal(&database->place, place)
			  : !database->place.root)
			return (struct database *)database;
	}
	return NULL;
}

struct spg_packages *spg_owners_known(
	const struct spg_owners *owners, const struct spg_package_place *place)
{
	const struct database *database = find(owners, place);

	return database ? database->last : NULL;
}

static int add_database(struct spg_owners *owners,
	const struct spg_package_place *place, struct database **ret)
{
	struct database *database = &owners->databases[owners->n_databases];

	if (owners->n_databases == DATABASES_MAX)
		return SPG_ERR_LIMIT;
	*database = (struct database){.files = spg_package_database_create(place)};
	if (!database->files || spg_package_place_copy(&database->place, place) < 0) {
		spg_package_database_destroy(database->files);
		return SPG_ERR_NOMEM;
	}
	owners->n_databases++;
	*ret = database;
	return 0;
}

int spg_owners_read(struct spg_owners *owners, const struct spg_package_place *place,
	spg_owners_done *done, void *user)
{
	struct database *database = find(owners, place);
	struct request *request, **at = &owners->requests;
	int r = 0;

	if (!database)
		r = add_database(owners, place, &database);
	if (r < 0)
		return r;
	request = calloc(1, sizeof(*request));
	if (!request)
		return SPG_ERR_NOMEM;
	request->database = database;
	request->done = done;
	request->user = user;
	/* The first begins at once, and nobody is called from within this. */
	if (!owners->reading) {
		request->running = true;
		r = begin_reading(owners, database);
		if (r < 0) {
			free(request);
			return r;
		}
	}
	while (*at)
		at = &(*at)->next;
	*at = request;
	return 0;
}
