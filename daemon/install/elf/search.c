/* SPDX-License-Identifier: MIT */
#include "daemon/install/elf/search.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/array.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/install/elf/elf.h"
#include "daemon/install/elf/ld_cache.h"
#include "daemon/install/fit/elf_set.h"
#include "daemon/install/fit/namesakes.h"

#define STEP_NS (20 * SPG_NS_PER_MS)

struct identity {
	struct spg_file_id id;
	size_t object;
};

/* Objects: those of the set, and behind them those outside. */
struct spg_search {
	struct spg_module_set *set;
	struct spg_product *product;
	struct spg_outside *outside; /* or NULL */
	struct spg_surroundings *around;
	struct spg_elf_world world;
	/* Once all has been looked at: the set, to load each in mind. */
	struct spg_fit_question question;
	struct spg_fit_module *modules;
	struct spg_elf_set elf;
	struct identity *ids; /* of objects, sorted */
	size_t n_ids, ids_size;
	size_t at;
	/* Of a step: when it ends, has it looked at anything, is there more. */
	int64_t until_ns;
	bool has_looked, late;
	bool failed;
};

/* ---- objects ---- */

static const struct spg_module *module_of(
	const struct spg_search *search, size_t object)
{
	return object < search->set->n
	               ? search->set->modules[object]
	               : search->around->modules[object - search->set->n];
}

static int compare_id(const struct spg_file_id *a, const struct spg_file_id *b)
{
	if (a->dev != b->dev)
		return a->dev < b->dev ? -1 : 1;
	return (a->ino > b->ino) - (a->ino < b->ino);
}

static size_t position(const struct spg_search *search, const struct spg_file_id *id)
{
	size_t low = 0, high = search->n_ids;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_id(&search->ids[middle].id, id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static size_t find_id(const struct spg_search *search, const struct spg_file_id *id)
{
	size_t at = position(search, id);

	return at < search->n_ids && compare_id(&search->ids[at].id, id) == 0
	               ? search->ids[at].object
	               : SPG_FIT_NONE;
}

static int add_id(
	struct spg_search *search, const struct spg_file_id *id, size_t object)
{
	size_t at = position(search, id);

	if (spg_array_reserve(&search->ids, search->n_ids, &search->ids_size,
		    sizeof(search->ids[0])) < 0)
		return SPG_ERR_NOMEM;
	memmove(search->ids + at + 1, search->ids + at,
		(search->n_ids - at) * sizeof(search->ids[0]));
	search->ids[at] = (struct identity){*id, object};
	search->n_ids++;
	return 0;
}

/* ---- looking ---- */

static int read_outside(struct spg_module *module, int fd)
{
	struct spg_buf error = SPG_BUF_NULL;
	int err = spg_elf_read_fd(&module->binary, fd, &error);

	if (err < 0 && err != SPG_ERR_NOMEM) {
		module->err = err;
		module->why =
			strdup(error.len ? spg_buf_text(&error) : spg_err_text(err));
		err = module->why ? 0 : SPG_ERR_NOMEM;
	}
	spg_buf_finish(&error);
	return err;
}

/* Read what is open at @fd, or was not to be opened for @why. */
static int make_outside(struct spg_module **ret, const char *path,
	const struct stat *st, int fd, int why)
{
	struct spg_module *module = spg_module_create(path);
	char *real;
	int err = 0;

	if (!module)
		return SPG_ERR_NOMEM;
	if (fd >= 0) {
		module->id = (struct spg_file_id){st->st_dev, st->st_ino};
		err = read_outside(module, fd);
	} else {
		module->err = spg_err_from_errno(why);
		module->why = strdup(strerror(why));
		err = module->why ? 0 : SPG_ERR_NOMEM;
	}
	real = realpath(path, NULL);
	if (real && strcmp(real, path) != 0)
		module->real = real;
	else
		free(real);
	*ret = module;
	return err;
}

static int add_outside(struct spg_search *search, const char *path,
	const struct stat *st, int fd, int why)
{
	struct spg_surroundings *around = search->around;
	struct spg_module *module = NULL;
	int err = 0;

	if (search->outside && fd >= 0)
		module = spg_outside_find(search->outside, path, st);
	if (module) {
		spg_module_ref(module);
	} else {
		err = make_outside(&module, path, st, fd, why);
		if (err == 0 && search->outside && fd >= 0)
			spg_outside_keep(search->outside, module, st);
	}
	if (err == 0)
		err = spg_array_reserve(&around->modules, around->n_modules,
			&around->modules_size, sizeof(struct spg_module *));
	if (err == 0 && fd >= 0)
		err = add_id(search, &module->id, search->set->n + around->n_modules);
	if (err < 0) {
		spg_module_unref(module);
		return err;
	}
	around->modules[around->n_modules++] = module;
	return 0;
}

/* The file of the set at @path, which may have been named in another way, as
 * "bin/../lib/libfoo.so.1": by where its folder leads, or else by where all of it does. A
 * set that is to be has files that are not on the disk, or others than there, in the place
 * of links too. */
static const char *find_inside(const struct spg_search *search, const char *path)
{
	const struct spg_module *module = NULL;
	const char *base = spg_path_base(path);
	char *folder = strndup(path, (size_t)(base - path)), *whole = NULL;
	char *real = folder ? realpath(folder, NULL) : NULL;
	struct spg_buf text = SPG_BUF_NULL;

	if (real) {
		spg_buf_printf(&text, "%s/%s", real, base);
		if (!text.failed)
			module = spg_module_set_find(search->set, spg_buf_text(&text));
	}
	if (!module)
		whole = realpath(path, NULL);
	if (whole)
		module = spg_module_set_find(search->set, whole);
	spg_buf_finish(&text);
	free(whole);
	free(real);
	free(folder);
	return module ? module->path : NULL;
}

static int note_object(struct spg_search *search, const char *path, size_t object)
{
	bool inside = object != SPG_FIT_NONE && object < search->set->n;

	return spg_surroundings_note(search->around, path,
		inside ? search->set->modules[object]->path : NULL,
		inside || object == SPG_FIT_NONE ? SPG_FIT_NONE
						 : object - search->set->n);
}

static bool is_nothing(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP ||
	       error == ENAMETOOLONG;
}

/* The path comes out of a file: whatever it leads to, a device or a pipe is not opened,
 * which may be all that it needs to do something. @ret_why: an errno, 0: none. */
static bool is_regular(const char *path, int *ret_why)
{
	struct stat st;

	*ret_why = stat(path, &st) < 0 ? errno : 0;
	return *ret_why ? !is_nothing(*ret_why) : S_ISREG(st.st_mode);
}

/* What is there by the time it is opened is the file that is held by then. */
static int open_regular(const char *path, struct stat *ret, int *ret_why)
{
	int held = open(path, O_PATH | O_CLOEXEC), fd = -1;
	char name[64];

	*ret_why = errno;
	if (held < 0)
		return -1;
	*ret_why = EACCES;
	if (fstat(held, ret) == 0 && S_ISREG(ret->st_mode)) {
		snprintf(name, sizeof(name), "/proc/self/fd/%d", held);
		fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
		*ret_why = errno;
	}
	close(held);
	return fd;
}

static int look_at(struct spg_search *search, const char *path)
{
	const char *inside = find_inside(search, path);
	size_t object = SPG_FIT_NONE;
	int fd, why, err = 0;
	struct stat st;

	if (inside)
		return spg_surroundings_note(
			search->around, path, inside, SPG_FIT_NONE);
	if (!is_regular(path, &why))
		return note_object(search, path, SPG_FIT_NONE);
	fd = why ? -1 : open_regular(path, &st, &why);
	if (fd >= 0)
		object = find_id(search, &(struct spg_file_id){st.st_dev, st.st_ino});
	if (object == SPG_FIT_NONE) {
		object = search->set->n + search->around->n_modules;
		err = add_outside(search, path, &st, fd, why);
	}
	if (fd >= 0)
		close(fd);
	return err < 0 ? err : note_object(search, path, object);
}

/* The step is over, and comes back to this path. */
static bool is_late(struct spg_search *search)
{
	int64_t now_ns = spg_clock_mono_ns();

	/* It has come by all that is known before, which is no looking. */
	if (!search->has_looked)
		search->until_ns = now_ns + STEP_NS;
	search->has_looked = true;
	return now_ns >= search->until_ns;
}

static size_t number_of(const struct spg_search *search, const char *path)
{
	size_t at;

	return spg_module_find(search->set->modules, search->set->n, path, &at)
	               ? at
	               : SPG_FIT_NONE;
}

static size_t find(void *user, const char *path)
{
	struct spg_search *search = user;
	const struct spg_place_looked_at *place;
	size_t object = SPG_FIT_NONE;
	char *normal = strdup(path);

	if (!normal) {
		search->failed = true;
		return SPG_FIT_NONE;
	}
	spg_path_normalise(normal);
	object = number_of(search, normal);
	place = object == SPG_FIT_NONE ? spg_surroundings_find(search->around, normal)
	                               : NULL;
	if (object == SPG_FIT_NONE && !place) {
		if (search->around->n_places >= SPG_LOOKED_AT_MAX ||
			search->around->n_modules >= SPG_OUTSIDE_MODULES_MAX)
			search->around->is_partial = true;
		else if (is_late(search))
			search->late = true;
		else if (look_at(search, normal) < 0)
			search->failed = true;
		place = spg_surroundings_find(search->around, normal);
	}
	free(normal);
	if (!place)
		return object;
	if (place->inside)
		return number_of(search, place->inside);
	return place->outside == SPG_FIT_NONE ? SPG_FIT_NONE
	                                      : search->set->n + place->outside;
}

static struct spg_elf_object object(void *user, size_t number)
{
	const struct spg_search *search = user;
	const struct spg_module *module = module_of(search, number);

	return (struct spg_elf_object){module->path, module->real, module->binary,
		number < search->set->n && search->around->secure[number]};
}

/* ---- step by step ---- */

static int begin(struct spg_search *search)
{
	int err = spg_ld_cache_read(search->around);

	search->around->secure = calloc(search->set->n + 1, sizeof(bool));
	if (!search->around->secure)
		return SPG_ERR_NOMEM;
	search->around->n_secure = search->set->n;
	for (size_t i = 0; err == 0 && i < search->set->n; i++)
		if (search->set->modules[i]->id.ino)
			err = add_id(search, &search->set->modules[i]->id, i);
	search->world = (struct spg_elf_world){.user = search,
		.find = find,
		.object = object,
		.around = search->around,
		.library_path = (const char *const *)search->product->library_path,
		.n_library_path = search->product->n_library_path};
	return err;
}

struct spg_search *spg_search_begin(struct spg_module_set *set,
	struct spg_product *product, struct spg_outside *outside)
{
	struct spg_search *search = calloc(1, sizeof(*search));

	if (!search)
		return NULL;
	search->set = spg_module_set_ref(set);
	search->product = spg_product_ref(product);
	search->outside = outside;
	search->around = spg_surroundings_create();
	if (search->around && begin(search) == 0)
		return search;
	spg_search_destroy(search);
	return NULL;
}

static int load(struct spg_search *search, size_t root)
{
	const struct spg_binary *binary =
		root == SPG_FIT_NONE ? NULL : module_of(search, root)->binary;
	struct spg_elf_scope scope;
	int err;

	if (!binary || binary->format != SPG_BINARY_ELF)
		return 0;
	err = spg_elf_scope_find(&scope, &search->world, root);
	spg_elf_scope_finish(&scope);
	return err;
}

/* The interpreter of a script loads the plugins of its language; that of a program is the
 * loader. */
static int load_interpreter(struct spg_search *search, const struct spg_binary *binary)
{
	find(search, spg_binary_text(binary, binary->interpreter));
	return binary->format == SPG_BINARY_SCRIPT
	               ? load(search, spg_elf_script_program(&search->world, binary))
	               : 0;
}

/* security/commoncap.c and fs/exec.c: such a program's loader is told AT_SECURE, unless
 * nobody gains by it: it is root who starts it. */
static bool runs_with_more_rights(const struct spg_module *module)
{
	struct statvfs fs;
	struct stat st;

	if (!module->binary || module->binary->format != SPG_BINARY_ELF ||
		module->binary->is_dll || stat(module->path, &st) < 0 ||
		!S_ISREG(st.st_mode))
		return false;
	if (!(st.st_mode & S_ISUID) &&
		(st.st_mode & (S_ISGID | S_IXGRP)) != (S_ISGID | S_IXGRP) &&
		getxattr(module->path, "security.capability", NULL, 0) <= 0)
		return false;
	return statvfs(module->path, &fs) == 0 && !(fs.f_flag & ST_NOSUID);
}

static int look_around(struct spg_search *search, size_t at)
{
	size_t n = search->set->n;
	const struct spg_binary *binary;
	int err;

	if (at >= n)
		return load(search, find(search, search->product->hosts[at - n]));
	binary = search->set->modules[at]->binary;
	search->around->secure[at] = runs_with_more_rights(search->set->modules[at]);
	err = binary && binary->interpreter ? load_interpreter(search, binary) : 0;
	return err < 0 ? err : load(search, at);
}

static int begin_loading(struct spg_search *search)
{
	struct spg_module_set *set = search->set;

	search->modules = calloc(set->n + 1, sizeof(search->modules[0]));
	search->around->loadings =
		calloc(set->n + 1, sizeof(search->around->loadings[0]));
	if (!search->modules || !search->around->loadings)
		return SPG_ERR_NOMEM;
	search->around->n_loadings = set->n;
	for (size_t i = 0; i < set->n; i++)
		search->modules[i] = (struct spg_fit_module){.at = i,
			.path = set->modules[i]->path,
			.name = spg_path_base(set->modules[i]->path),
			.real = set->modules[i]->real,
			.is_link = spg_module_set_is_link(set, set->modules[i]),
			.binary = set->modules[i]->binary};
	search->question = (struct spg_fit_question){.modules = search->modules,
		.n_modules = set->n,
		.around = search->around,
		.is_searched = true};
	return spg_elf_set_init(&search->elf, &search->question);
}

static int find_lacks(struct spg_search *search, size_t at)
{
	const struct spg_fit_module *module;
	int err = search->modules ? 0 : begin_loading(search);

	if (err < 0)
		return err;
	module = &search->modules[at];
	if (module->is_link || !module->binary ||
		module->binary->format != SPG_BINARY_ELF)
		return 0;
	return spg_elf_set_load(&search->elf, at,
		(const char *const *)search->product->library_path,
		search->product->n_library_path, &search->around->loadings[at]);
}

int spg_search_step(struct spg_search *search)
{
	size_t n_around = search->set->n + search->product->n_hosts;
	size_t n = n_around + search->set->n;

	search->until_ns = spg_clock_mono_ns() + STEP_NS;
	search->has_looked = false;
	search->late = false;
	while (search->at < n && !search->late) {
		int err = search->at < n_around
		                  ? look_around(search, search->at)
		                  : find_lacks(search, search->at - n_around);

		if (err < 0 || search->failed)
			return SPG_ERR_NOMEM;
		if (!search->late)
			search->at++;
		search->late |= spg_clock_mono_ns() >= search->until_ns;
	}
	return search->at < n;
}

void spg_search_end(struct spg_search *search)
{
	spg_surroundings_unref(search->set->around);
	search->set->around = spg_surroundings_ref(search->around);
	search->set->is_searched = true;
}

void spg_search_destroy(struct spg_search *search)
{
	if (!search)
		return;
	spg_surroundings_unref(search->around);
	spg_module_set_unref(search->set);
	spg_product_unref(search->product);
	spg_elf_set_finish(&search->elf);
	free(search->modules);
	free(search->ids);
	free(search);
}

int spg_search_around(struct spg_module_set *set, struct spg_product *product)
{
	struct spg_search *search = spg_search_begin(set, product, NULL);
	int err = search ? 1 : SPG_ERR_NOMEM;

	while (err > 0)
		err = spg_search_step(search);
	if (err == 0)
		spg_search_end(search);
	spg_search_destroy(search);
	return err;
}
