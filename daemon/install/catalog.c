/* SPDX-License-Identifier: MIT */
#include "daemon/install/catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/array.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/err.h"
#include "common/pe_file.h"
#include "common/text.h"
#include "daemon/proof/worker.h"

struct reading {
	struct spg_background_job job;
	struct reading *next;
	struct spg_catalog *catalog;
	char **paths; /* sorted, each once */
	size_t n_paths;
	atomic_size_t at; /* how many are done */
	atomic_bool cancel;
	struct spg_module_set *set;
	bool failed; /* memory was short */
	spg_catalog_done *done;
	const void *user;
};

struct spg_catalog {
	struct spg_prover *prover;
	struct reading *readings; /* loop thread */
	/* Worker  thread. */
	struct spg_module **known; /* by path */
	size_t n_known, size_known;
	size_t bytes;
};

/* ---- modules and sets ---- */

static size_t bytes_of(const struct spg_module *module)
{
	return sizeof(*module) + strlen(module->path) +
	       (module->pe ? module->pe->bytes : 0);
}

/* ---- reading a file; worker thread ---- */

static int64_t ns_of(struct timespec time)
{
	return time.tv_sec * SPG_NS_PER_S + time.tv_nsec;
}

static bool is_as_known(const struct spg_module *module, const struct stat *st)
{
	return module->id.dev == st->st_dev && module->id.ino == st->st_ino &&
	       module->size == (uint64_t)st->st_size &&
	       module->mtime_ns == ns_of(st->st_mtim) &&
	       module->ctime_ns == ns_of(st->st_ctim);
}

static void key(struct spg_module *module, const struct stat *st)
{
	module->id = (struct spg_file_id){st->st_dev, st->st_ino};
	module->size = (uint64_t)st->st_size;
	module->mtime_ns = ns_of(st->st_mtim);
	module->ctime_ns = ns_of(st->st_ctim);
}

static int say_why(struct spg_module *module, int err, const char *why)
{
	free(module->why);
	module->err = err;
	module->why = strdup(why);
	return module->why ? 0 : SPG_ERR_NOMEM;
}

static int read_pe(struct spg_module *module, int fd)
{
	struct spg_buf error = SPG_BUF_NULL;
	int r = spg_pe_read_fd(&module->pe, fd, &error);

	if (r == 0 && module->pe->has_version)
		spg_pe_version_format(module->pe->file_version, module->version);
	/* Not every file of an application is a Windows module. */
	if (r == SPG_ERR_INVALID)
		r = 0;
	else if (r < 0 && r != SPG_ERR_NOMEM)
		r = say_why(
			module, r, error.len ? spg_buf_text(&error) : spg_err_text(r));
	spg_buf_finish(&error);
	return r;
}

/* Read what is open at @fd. */
static int read_open(struct spg_module *module, int fd)
{
	struct stat before, after;
	int r;

	if (fstat(fd, &before) < 0)
		return say_why(module, spg_err_from_errno(errno), strerror(errno));
	key(module, &before);
	if (!S_ISREG(before.st_mode))
		return say_why(module, SPG_ERR_INVALID, "not a regular file");
	if (module->size > SPG_CATALOG_FILE_MAX)
		return say_why(module, SPG_ERR_LIMIT,
			"larger than 1 GiB: too large to be read while others wait");
	r = spg_digest_fd(fd, module->sha256, NULL, NULL, NULL);
	if (r < 0 && r != SPG_ERR_NOMEM)
		return say_why(module, r, spg_err_text(r));
	if (r == 0)
		r = read_pe(module, fd);
	if (r == 0 && fstat(fd, &after) == 0 && !is_as_known(module, &after)) {
		module->sha256[0] = '\0';
		r = say_why(module, SPG_ERR_BUSY, "it changed while it was read");
	}
	return r;
}

/* Returns 0 with *ret, NULL: nothing is there. */
static int read_module(const char *path, struct spg_module **ret)
{
	struct spg_module *module = spg_module_create(path);
	int fd, r;

	*ret = NULL;
	if (!module)
		return SPG_ERR_NOMEM;
	/* Without waiting for a lease to be given back, or a pipe's other end. */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0) {
		r = read_open(module, fd);
		close(fd);
	} else if (errno == ENOENT || errno == ENOTDIR) {
		spg_module_unref(module);
		return 0;
	} else {
		r = say_why(module, spg_err_from_errno(errno), strerror(errno));
	}
	if (r < 0) {
		spg_module_unref(module);
		return r;
	}
	*ret = module;
	return 0;
}

/* ---- the cache; worker thread ---- */

static void forget_module(struct spg_catalog *catalog, const char *path)
{
	size_t at;
	struct spg_module *module =
		spg_module_find(catalog->known, catalog->n_known, path, &at);

	if (!module)
		return;
	catalog->bytes -= bytes_of(module);
	spg_module_unref(module);
	catalog->n_known--;
	memmove(catalog->known + at, catalog->known + at + 1,
		(catalog->n_known - at) * sizeof(*catalog->known));
}

/* What does not fit is not kept: it is only read again. */
static void keep_module(struct spg_catalog *catalog, struct spg_module *module)
{
	size_t bytes = bytes_of(module), at;

	forget_module(catalog, module->path);
	if (module->err || catalog->bytes + bytes > SPG_CATALOG_BYTES_MAX ||
		spg_array_reserve(&catalog->known, catalog->n_known,
			&catalog->size_known, sizeof(struct spg_module *)) < 0)
		return;
	(void)spg_module_find(catalog->known, catalog->n_known, module->path, &at);
	memmove(catalog->known + at + 1, catalog->known + at,
		(catalog->n_known - at) * sizeof(*catalog->known));
	catalog->known[at] = spg_module_ref(module);
	catalog->n_known++;
	catalog->bytes += bytes;
}

/* Take the file at @path into the set of @reading. */
static int take(struct reading *reading, const char *path)
{
	struct spg_catalog *catalog = reading->catalog;
	struct spg_module_set *set = reading->set;
	struct spg_module *module =
		spg_module_find(catalog->known, catalog->n_known, path, NULL);
	struct stat st;
	int r = 0;

	if (spg_array_reserve(
		    &set->modules, set->n, &set->size, sizeof(struct spg_module *)) < 0)
		return SPG_ERR_NOMEM;
	if (module && stat(path, &st) == 0 && is_as_known(module, &st)) {
		set->modules[set->n++] = spg_module_ref(module);
		return 0;
	}
	r = read_module(path, &module);
	if (r < 0)
		return r;
	set->n_read++;
	if (!module) {
		forget_module(catalog, path);
		return 0;
	}
	keep_module(catalog, module);
	set->modules[set->n++] = module;
	return 0;
}

static bool step(struct spg_background_job *job)
{
	struct reading *reading = (struct reading *)job;
	size_t at = atomic_load(&reading->at);

	if (at == reading->n_paths || atomic_load(&reading->cancel))
		return false;
	if (take(reading, reading->paths[at]) < 0)
		reading->failed = true;
	atomic_store(&reading->at, at + 1);
	return !reading->failed && at + 1 < reading->n_paths;
}

static void place(struct spg_background_job *job, char *ret, size_t size)
{
	const struct reading *reading = (const struct reading *)job;
	size_t at = atomic_load(&reading->at);

	snprintf(ret, size, "%s", at < reading->n_paths ? reading->paths[at] : "");
}

/* ---- readings; loop thread ---- */

static void reading_destroy(struct reading *reading)
{
	for (size_t i = 0; i < reading->n_paths; i++)
		free(reading->paths[i]);
	free(reading->paths);
	spg_module_set_unref(reading->set);
	free(reading);
}

static void end(struct spg_background_job *job, bool complete)
{
	struct reading *reading = (struct reading *)job;
	struct reading **link = &reading->catalog->readings;

	while (*link != reading)
		link = &(*link)->next;
	*link = reading->next;
	if (reading->done)
		reading->done((void *)reading->user,
			!complete         ? SPG_ERR_BUSY
			: reading->failed ? SPG_ERR_NOMEM
					  : 0,
			complete && !reading->failed ? reading->set : NULL);
	reading_destroy(reading);
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int copy_paths(struct reading *reading, const char *const *paths, size_t n)
{
	size_t kept = 0;

	reading->paths = calloc(n + 1, sizeof(char *));
	if (!reading->paths)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		reading->paths[i] = strdup(paths[i]);
		if (!reading->paths[i])
			return SPG_ERR_NOMEM;
		reading->n_paths++;
	}
	qsort(reading->paths, n, sizeof(char *), compare_paths);
	for (size_t i = 0; i < n; i++) {
		if (kept && strcmp(reading->paths[kept - 1], reading->paths[i]) == 0)
			free(reading->paths[i]);
		else
			reading->paths[kept++] = reading->paths[i];
	}
	reading->n_paths = kept;
	return 0;
}

struct spg_catalog *spg_catalog_create(struct spg_prover *prover)
{
	struct spg_catalog *catalog = calloc(1, sizeof(*catalog));

	if (catalog)
		catalog->prover = prover;
	return catalog;
}

void spg_catalog_destroy(struct spg_catalog *catalog)
{
	if (!catalog)
		return;
	for (size_t i = 0; i < catalog->n_known; i++)
		spg_module_unref(catalog->known[i]);
	free(catalog->known);
	free(catalog);
}

int spg_catalog_read(struct spg_catalog *catalog, const char *const *paths, size_t n,
	spg_catalog_done *done, void *user)
{
	struct reading *reading = calloc(1, sizeof(*reading));

	if (!reading)
		return SPG_ERR_NOMEM;
	reading->set = spg_module_set_create();
	if (!reading->set || copy_paths(reading, paths, n) < 0) {
		reading_destroy(reading);
		return SPG_ERR_NOMEM;
	}
	reading->job =
		(struct spg_background_job){.step = step, .done = end, .place = place};
	reading->catalog = catalog;
	reading->done = done;
	reading->user = user;
	reading->next = catalog->readings;
	catalog->readings = reading;
	spg_prover_add_job(catalog->prover, &reading->job);
	return 0;
}

int spg_catalog_read_product(struct spg_catalog *catalog, const struct spg_model *model,
	size_t index, spg_catalog_done *done, void *user)
{
	size_t n;
	struct spg_file *const *files = spg_model_files(model, index, &n);
	const char **paths = calloc(n + 1, sizeof(*paths));
	int r;

	if (!paths)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < n; i++)
		paths[i] = files[i]->path;
	r = spg_catalog_read(catalog, paths, n, done, user);
	free(paths);
	return r;
}

bool spg_catalog_progress(const struct spg_catalog *catalog, const void *user,
	size_t *ret_done, size_t *ret_total)
{
	for (const struct reading *r = catalog->readings; r; r = r->next) {
		if (r->user != user || !r->done)
			continue;
		*ret_done = atomic_load(&r->at);
		*ret_total = r->n_paths;
		return true;
	}
	return false;
}

void spg_catalog_forget(struct spg_catalog *catalog, const void *user)
{
	for (struct reading *r = catalog->readings; r; r = r->next) {
		if (r->user != user)
			continue;
		r->done = NULL;
		atomic_store(&r->cancel, true);
	}
}
