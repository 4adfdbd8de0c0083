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
#include "common/platform.h"
#include "common/text.h"
#include "daemon/install/companions.h"
#include "daemon/install/elf/elf.h"
#include "daemon/install/elf/search.h"
#include "daemon/install/leftovers.h"
#include "daemon/proof/worker.h"

#define CHANGED  "it changed while it was read"
/* A step of a reading takes this long, and a moment: whoever asks meanwhile waits. */
#define SLICE_NS (20 * SPG_NS_PER_MS)

struct reading {
	struct spg_background_job job;
	struct reading *next;
	struct spg_catalog *catalog;
	char **paths; /* sorted, each once */
	size_t n_paths;
	atomic_size_t at; /* how many are done */
	atomic_bool cancel;
	struct spg_module_set *set;
	struct spg_product *product; /* a reference; NULL: its files alone are read */
	/* Background thread, once they are: what lies beside them, ... */
	struct spg_leftovers leftovers;
	size_t n_beside;           /* of that, read */
	struct spg_search *search; /* ... and what programs are loaded with */
	/* Background thread: the file that is read in slices, so far; NULL: none. */
	struct spg_module *begun;
	struct spg_digest digest;
	struct spg_pe_signed signature;
	bool keeps;  /* as long as its times are the same, it is what was read */
	bool failed; /* memory was short */
	spg_catalog_done *done;
	const void *user;
};

struct spg_catalog {
	struct spg_prover *prover;
	struct reading *readings; /* loop thread */
	/* Worker thread. */
	struct spg_module **known; /* by path */
	size_t n_known, size_known;
	size_t bytes;
	struct spg_outside outside;
};

/* ---- modules and sets ---- */

static size_t bytes_of(const struct spg_module *module)
{
	return sizeof(*module) + strlen(module->path) +
	       (module->real ? strlen(module->real) : 0) +
	       (module->binary ? module->binary->bytes : 0) +
	       (module->binding ? spg_binding_bytes(module->binding) : 0);
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

static bool are_companions_known(const struct spg_module *module)
{
	return !module->binary || !module->binary->is_managed ||
	       module->companions == spg_companions_key(module->path);
}

static void key(struct spg_module *module, const struct stat *st)
{
	module->id = (struct spg_file_id){st->st_dev, st->st_ino};
	module->size = (uint64_t)st->st_size;
	module->mtime_ns = ns_of(st->st_mtim);
	module->ctime_ns = ns_of(st->st_ctim);
	module->executable = (st->st_mode & 0111) != 0;
}

static int say_why(struct spg_module *module, int err, const char *why)
{
	free(module->why);
	module->err = err;
	module->why = strdup(why);
	return module->why ? 0 : SPG_ERR_NOMEM;
}

/* By what it begins with. */
static int read_any(struct spg_module *module, int fd, struct spg_buf *error)
{
	int r = spg_elf_read_fd(&module->binary, fd, error);

	if (r == SPG_ERR_INVALID)
		r = spg_script_read_fd(&module->binary, fd, error);
	if (r == SPG_ERR_INVALID)
		r = spg_pe_read_named_fd(
			&module->binary, fd, spg_path_base(module->path), error);
	return r;
}

static int read_binary(struct spg_module *module, int fd)
{
	struct spg_buf error = SPG_BUF_NULL;
	int r = read_any(module, fd, &error);

	if (r == 0 && module->binary->has_version)
		spg_binary_version_format(
			module->binary->file_version, module->version);
	if (r == 0 && module->binary->is_managed) {
		module->companions = spg_companions_key(module->path);
		r = spg_companions_read(module->path, &module->binding);
	}
	/* Not every file of an application is a program or a library. */
	if (r == SPG_ERR_INVALID)
		r = 0;
	else if (r < 0 && r != SPG_ERR_NOMEM)
		r = say_why(
			module, r, error.len ? spg_buf_text(&error) : spg_err_text(r));
	spg_buf_finish(&error);
	return r;
}

/* What no table of it shows. */
static int check_signature(struct spg_module *module, struct spg_pe_signed *signature)
{
	if (spg_pe_signed_end(signature) || !module->binary)
		return 0;
	module->why = strdup("its content is not what was signed");
	return module->why ? 0 : SPG_ERR_NOMEM;
}

static void add_signed(void *user, const void *bytes, size_t n)
{
	spg_pe_signed_add(user, bytes, n);
}

/* What writes to it later than now is to be told by its times. */
static int begin(struct reading *reading, struct spg_module *module, int fd)
{
	enum spg_times times = spg_platform_times(fd);

	reading->keeps = times == SPG_TIMES_TELL;
	module->written = times == SPG_TIMES_WRITTEN;
	spg_digest_init(&reading->digest);
	spg_digest_also(&reading->digest, add_signed, &reading->signature);
	return spg_pe_signed_begin_fd(&reading->signature, fd);
}

/* When a slice ends; but each reads something. */
struct slice {
	int64_t until_ns;
	uint64_t began;
};

static bool is_in_time(void *user, uint64_t n_bytes)
{
	const struct slice *slice = user;

	return n_bytes == slice->began || spg_clock_mono_ns() < slice->until_ns;
}

/* Read a slice of what is open at @fd. @ret_more: there is more of it. */
static int read_open(
	struct reading *reading, struct spg_module *module, int fd, bool *ret_more)
{
	struct slice slice;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return say_why(module, spg_err_from_errno(errno), strerror(errno));
	if (!reading->begun)
		key(module, &st);
	if (!S_ISREG(st.st_mode))
		return say_why(module, SPG_ERR_INVALID, "not a regular file");
	if (module->size > SPG_CATALOG_FILE_MAX)
		return say_why(module, SPG_ERR_LIMIT,
			"larger than 1 GiB: spguardd does not read it");
	if (!is_as_known(module, &st))
		return say_why(module, SPG_ERR_BUSY, CHANGED);
	r = reading->begun ? 0 : begin(reading, module, fd);
	if (r < 0)
		return r == SPG_ERR_NOMEM ? r : say_why(module, r, spg_err_text(r));
	slice = (struct slice){spg_clock_mono_ns() + SLICE_NS, reading->digest.n_bytes};
	r = spg_digest_fd(&reading->digest, fd, is_in_time, &slice);
	*ret_more = r == SPG_ERR_TIMEOUT;
	if (*ret_more)
		return 0;
	if (r < 0 && r != SPG_ERR_NOMEM)
		return say_why(module, r, spg_err_text(r));
	if (r == 0)
		r = read_binary(module, fd);
	if (r == 0)
		r = check_signature(module, &reading->signature);
	if (r == 0 && fstat(fd, &st) == 0 && !is_as_known(module, &st))
		return say_why(module, SPG_ERR_BUSY, CHANGED);
	spg_digest_text(&reading->digest, module->sha256);
	return r;
}

/* Behind a link that a deployment switches, the release is told by it. */
static void find_real(struct spg_module *module)
{
	char *real = realpath(module->path, NULL);

	if (real && strcmp(real, module->path) != 0)
		module->real = real;
	else
		free(real);
}

/* Returns 0 with *ret, NULL: nothing is there, or it is begun. */
static int read_module(
	struct reading *reading, const char *path, struct spg_module **ret)
{
	struct spg_module *module =
		reading->begun ? reading->begun : spg_module_create(path);
	bool more = false, missing = false;
	int fd, r = 0;

	*ret = NULL;
	if (!module)
		return SPG_ERR_NOMEM;
	/* Without waiting for a lease to be given back, or a pipe's other end. */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0) {
		r = read_open(reading, module, fd, &more);
		close(fd);
	} else if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP ||
		   errno == ENAMETOOLONG) {
		missing = true;
	} else {
		r = say_why(module, spg_err_from_errno(errno), strerror(errno));
	}
	reading->begun = more ? module : NULL;
	if (r < 0 || missing)
		spg_module_unref(module);
	else if (!more)
		*ret = module;
	if (*ret)
		find_real(module);
	return r;
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

static bool is_of_any(struct spg_product *const *products, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (spg_product_has_path(products[i], path))
			return true;
	return false;
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

/* Take the file at @path into @set, or begin to. */
static int take(struct reading *reading, struct spg_module_set *set, const char *path)
{
	struct spg_catalog *catalog = reading->catalog;
	struct spg_module *module =
		reading->begun
			? NULL
			: spg_module_find(catalog->known, catalog->n_known, path, NULL);
	struct stat st;
	int r = 0;

	if (spg_array_reserve(
		    &set->modules, set->n, &set->size, sizeof(struct spg_module *)) < 0)
		return SPG_ERR_NOMEM;
	if (module && stat(path, &st) == 0 && is_as_known(module, &st) &&
		are_companions_known(module)) {
		set->modules[set->n++] = spg_module_ref(module);
		return 0;
	}
	r = read_module(reading, path, &module);
	if (r < 0 || reading->begun)
		return r;
	set->n_read++;
	if (!module) {
		forget_module(catalog, path);
		return 0;
	}
	if (reading->keeps)
		keep_module(catalog, module);
	else
		forget_module(catalog, path);
	set->modules[set->n++] = module;
	return 0;
}

static bool has_programs_of_linux(const struct spg_module_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->modules[i]->binary &&
			set->modules[i]->binary->format != SPG_BINARY_PE)
			return true;
	return false;
}

/* What its programs are loaded with, once all files are read. True: there is more. */
static bool look_around(struct reading *reading)
{
	int r;

	if (!reading->search && !has_programs_of_linux(reading->set))
		return false;
	if (!reading->search)
		reading->search = spg_search_begin(
			reading->set, reading->product, &reading->catalog->outside);
	r = reading->search ? spg_search_step(reading->search) : SPG_ERR_NOMEM;
	if (r == 0)
		spg_search_end(reading->search);
	if (r < 0)
		reading->failed = true;
	return r > 0;
}

/* What installers have left beside the files, once these are read. Returns 1: there is
 * more of it; 0; or SPG_ERR_NOMEM. */
static int look_beside(struct reading *reading)
{
	struct spg_leftovers *leftovers = &reading->leftovers;
	struct spg_module_set *set = reading->set;
	int r = 0;

	if (!leftovers->product)
		r = spg_leftovers_begin(leftovers, reading->product,
			(const char *const *)reading->paths, reading->n_paths);
	if (r == 0 && !set->beside)
		r = spg_leftovers_step(leftovers);
	if (r != 0)
		return r;
	if (!set->beside)
		set->beside = spg_module_set_create();
	if (!set->beside)
		return SPG_ERR_NOMEM;
	if (reading->n_beside < leftovers->paths.n) {
		r = take(reading, set->beside,
			leftovers->paths.items[reading->n_beside]);
		reading->n_beside += !reading->begun;
	}
	return r < 0 ? r : reading->n_beside < leftovers->paths.n;
}

/* What else is to be known of a product's files. */
static bool look_further(struct reading *reading)
{
	int r = look_beside(reading);

	if (r < 0)
		reading->failed = true;
	return r > 0 || (r == 0 && look_around(reading));
}

static bool step(struct spg_background_job *job)
{
	struct reading *reading = (struct reading *)job;
	size_t at = atomic_load(&reading->at);

	if (atomic_load(&reading->cancel))
		return false;
	if (at == reading->n_paths)
		return reading->product && look_further(reading);
	if (take(reading, reading->set, reading->paths[at]) < 0)
		reading->failed = true;
	else if (reading->begun)
		return true;
	atomic_store(&reading->at, at + 1);
	return !reading->failed && (at + 1 < reading->n_paths || reading->product);
}

static void place(struct spg_background_job *job, char *ret, size_t size)
{
	const struct reading *reading = (const struct reading *)job;
	size_t at = atomic_load(&reading->at);

	snprintf(ret, size, "%s",
		at < reading->n_paths ? reading->paths[at]
		: reading->product    ? reading->product->directories[0].path
				      : "");
}

/* ---- readings; loop thread ---- */

static void reading_destroy(struct reading *reading)
{
	for (size_t i = 0; i < reading->n_paths; i++)
		free(reading->paths[i]);
	free(reading->paths);
	spg_module_unref(reading->begun);
	spg_leftovers_finish(&reading->leftovers);
	spg_search_destroy(reading->search);
	spg_product_unref(reading->product);
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
	spg_outside_finish(&catalog->outside);
	free(catalog);
}

/* @product: NULL, or whose files they are. */
static int start(struct spg_catalog *catalog, const char *const *paths, size_t n,
	struct spg_product *product, spg_catalog_done *done, void *user)
{
	struct reading *reading = calloc(1, sizeof(*reading));
	int r;

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
	reading->product = product ? spg_product_ref(product) : NULL;
	reading->done = done;
	reading->user = user;
	reading->next = catalog->readings;
	catalog->readings = reading;
	r = spg_prover_add_job(catalog->prover, &reading->job);
	if (r < 0) {
		catalog->readings = reading->next;
		reading_destroy(reading);
	}
	return r;
}

int spg_catalog_read(struct spg_catalog *catalog, const char *const *paths, size_t n,
	spg_catalog_done *done, void *user)
{
	return start(catalog, paths, n, NULL, done, user);
}

int spg_catalog_read_product(struct spg_catalog *catalog, const struct spg_model *model,
	size_t index, const struct spg_module_set *known, spg_catalog_done *done,
	void *user)
{
	struct spg_product *product = spg_model_product(model, index);
	size_t n, n_known = known ? known->n : 0;
	struct spg_file *const *files = spg_model_files(model, index, &n);
	const char **paths = calloc(n + n_known + 1, sizeof(*paths));
	int r;

	if (!paths)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < n; i++)
		paths[i] = files[i]->path;
	for (size_t i = 0; i < n_known; i++)
		if (spg_product_has_path(product, known->modules[i]->path))
			paths[n++] = known->modules[i]->path;
	r = start(catalog, paths, n, product, done, user);
	free(paths);
	return r;
}

/* ---- what no product has any more ---- */

struct trimming {
	struct spg_background_job job;
	struct spg_catalog *catalog;
	size_t n_products;
	struct spg_product *products[]; /* references */
};

static bool trim(struct spg_background_job *job)
{
	struct trimming *trimming = (struct trimming *)job;
	struct spg_catalog *catalog = trimming->catalog;
	size_t kept = 0;

	for (size_t i = 0; i < catalog->n_known; i++) {
		struct spg_module *module = catalog->known[i];

		if (is_of_any(trimming->products, trimming->n_products, module->path)) {
			catalog->known[kept++] = module;
			continue;
		}
		catalog->bytes -= bytes_of(module);
		spg_module_unref(module);
	}
	catalog->n_known = kept;
	spg_outside_finish(&catalog->outside);
	return false;
}

static void place_nowhere(struct spg_background_job *job, char *ret, size_t size)
{
	(void)job;
	snprintf(ret, size, "%s", "");
}

static void trimming_destroy(struct spg_background_job *job, bool complete)
{
	struct trimming *trimming = (struct trimming *)job;

	for (size_t i = 0; i < trimming->n_products; i++)
		spg_product_unref(trimming->products[i]);
	free(trimming);
	if (complete)
		spg_platform_release_memory();
}

void spg_catalog_trim(struct spg_catalog *catalog, const struct spg_model *model)
{
	size_t n = spg_model_n_products(model);
	struct trimming *trimming =
		calloc(1, sizeof(*trimming) + n * sizeof(trimming->products[0]));

	if (!trimming)
		return;
	trimming->job = (struct spg_background_job){
		.step = trim, .done = trimming_destroy, .place = place_nowhere};
	trimming->catalog = catalog;
	for (size_t i = 0; i < n; i++)
		trimming->products[trimming->n_products++] =
			spg_product_ref(spg_model_product(model, i));
	if (spg_prover_add_job(catalog->prover, &trimming->job) < 0)
		trimming_destroy(&trimming->job, false);
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
