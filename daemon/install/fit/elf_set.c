/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/elf_set.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/install/fit/namesakes.h"

/* ---- objects ---- */

static int compare_paths(const void *a, const void *b, void *user)
{
	const struct spg_fit_module *modules = user;

	return strcmp(
		modules[*(const size_t *)a].path, modules[*(const size_t *)b].path);
}

static size_t find_module(const struct spg_elf_set *set, const char *path)
{
	const struct spg_fit_module *modules = set->question->modules;
	size_t low = 0, high = set->question->n_modules;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(modules[set->by_path[middle]].path, path);

		if (order == 0)
			return set->by_path[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return SPG_FIT_NONE;
}

/* By whatever name: the loader knows a file by its inode. */
static size_t find_file(const struct spg_elf_set *set, const char *path)
{
	size_t found = find_module(set, path);

	return found != SPG_FIT_NONE && set->question->modules[found].is_link
	               ? find_module(set, set->question->modules[found].real)
	               : found;
}

static bool is_secure(const struct spg_elf_set *set, size_t module)
{
	const struct spg_fit_question *q = set->question;

	return q->around && q->is_searched && q->around->n_secure == q->n_modules &&
	       q->around->secure[q->modules[module].at];
}

struct spg_elf_object spg_elf_set_object(const struct spg_elf_set *set, size_t object)
{
	size_t n = set->question->n_modules;
	const struct spg_module *outside;

	if (object < n) {
		const struct spg_fit_module *module = &set->question->modules[object];

		return (struct spg_elf_object){module->path, module->real,
			module->binary, is_secure(set, object)};
	}
	outside = set->question->around->modules[object - n];
	return (struct spg_elf_object){
		outside->path, outside->real, outside->binary, false};
}

static struct spg_elf_object object(void *user, size_t number)
{
	return spg_elf_set_object(user, number);
}

static size_t find(void *user, const char *path)
{
	return spg_elf_set_find(user, path);
}

size_t spg_elf_set_find(struct spg_elf_set *set, const char *path)
{
	const struct spg_surroundings *around = set->question->around;
	const struct spg_place_looked_at *place;
	char *normal = strdup(path);
	size_t found;

	if (!normal) {
		set->failed = true;
		return SPG_FIT_NONE;
	}
	spg_path_normalise(normal);
	found = find_file(set, normal);
	place = found == SPG_FIT_NONE && around ? spg_surroundings_find(around, normal)
	                                        : NULL;
	free(normal);
	if (found != SPG_FIT_NONE)
		return found;
	if (!place) {
		set->unseen = true;
		return SPG_FIT_NONE;
	}
	if (place->inside)
		return find_file(set, place->inside);
	return place->outside == SPG_FIT_NONE
	               ? SPG_FIT_NONE
	               : set->question->n_modules + place->outside;
}

int spg_elf_set_init(struct spg_elf_set *set, const struct spg_fit_question *question)
{
	const struct spg_surroundings *around = question->around;
	size_t n = question->n_modules;

	*set = (struct spg_elf_set){.question = question};
	set->n_objects = n + (around ? around->n_modules : 0);
	set->by_path = calloc(n + 1, sizeof(set->by_path[0]));
	set->of_set = calloc(n + 1, sizeof(set->of_set[0]));
	if (!set->by_path || !set->of_set)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		set->by_path[i] = i;
		if (question->modules[i].at < n)
			set->of_set[question->modules[i].at] = i;
	}
	qsort_r(set->by_path, n, sizeof(set->by_path[0]), compare_paths,
		(void *)question->modules);
	set->world = (struct spg_elf_world){
		.user = set, .find = find, .object = object, .around = around};
	if (spg_elf_symbols_init(&set->plugins, set->n_objects) < 0)
		return SPG_ERR_NOMEM;
	return spg_elf_symbols_init(&set->symbols, set->n_objects);
}

void spg_elf_set_finish(struct spg_elf_set *set)
{
	free(set->by_path);
	free(set->of_set);
	set->by_path = set->of_set = NULL;
	spg_elf_symbols_finish(&set->symbols);
	spg_elf_symbols_finish(&set->plugins);
}

/* ---- loading ---- */

static int add_lack(struct spg_elf_loading *loading, const struct spg_elf_lack *lack)
{
	if (spg_array_reserve(&loading->lacks, loading->n_lacks, &loading->lacks_size,
		    sizeof(*lack)) < 0)
		return SPG_ERR_NOMEM;
	loading->lacks[loading->n_lacks++] = *lack;
	return 0;
}

static bool defines(const struct spg_binary *binary, const char *version)
{
	for (uint32_t i = 0; i < binary->n_defined; i++)
		if (strcmp(spg_binary_text(binary, binary->defined[i]), version) == 0)
			return true;
	return false;
}

/* A library without any versions gives every one, as the loader sees it. */
static int look_for_version(const struct spg_elf_set *set, size_t who, uint32_t index,
	size_t from, struct spg_elf_loading *loading)
{
	const struct spg_binary *binary = spg_elf_set_object(set, who).binary;
	const struct spg_binary *library = spg_elf_set_object(set, from).binary;
	const struct spg_binary_version *version = &binary->versions[index];

	if (version->weak || library->n_defined == 0 ||
		defines(library, spg_binary_text(binary, version->name)))
		return 0;
	return add_lack(
		loading, &(struct spg_elf_lack){SPG_ELF_NO_VERSION, who, index, from});
}

static int look_for_versions(const struct spg_elf_set *set,
	const struct spg_elf_scope *scope, size_t at, struct spg_elf_loading *loading)
{
	size_t who = scope->loaded[at].object;
	const struct spg_binary *binary = spg_elf_set_object(set, who).binary;
	int err = 0;

	for (uint32_t i = 0; err == 0 && i < binary->n_versions; i++) {
		size_t from = spg_elf_scope_named(
			scope, spg_binary_text(binary, binary->versions[i].module));

		if (from != SPG_FIT_NONE)
			err = look_for_version(
				set, who, i, scope->loaded[from].object, loading);
	}
	return err;
}

static void begin_scope(
	struct spg_elf_symbols *symbols, const struct spg_elf_loading *loading)
{
	spg_elf_symbols_begin_scope(symbols);
	for (size_t i = 0; i < loading->n; i++)
		spg_elf_symbols_in_scope(symbols, loading->objects[i]);
}

static int add_symbols(struct spg_elf_set *set, const struct spg_elf_loading *loading)
{
	int err = 0;

	for (size_t i = 0; err == 0 && i < loading->n; i++)
		err = spg_elf_symbols_add(&set->symbols, loading->objects[i],
			spg_elf_set_object(set, loading->objects[i]).binary);
	begin_scope(&set->symbols, loading);
	return err;
}

static int look_for_symbols(
	struct spg_elf_set *set, size_t who, struct spg_elf_loading *loading)
{
	uint32_t n = spg_elf_set_object(set, who).binary->n_imports;
	int err = 0;

	for (uint32_t i = 0; err == 0 && i < n; i++)
		if (!spg_elf_symbols_is_found(
			    &set->symbols, loading->objects[0], who, i))
			err = add_lack(
				loading, &(struct spg_elf_lack){SPG_ELF_NO_SYMBOL, who,
						 i, SPG_FIT_NONE});
	return err;
}

static int look_for_all_symbols(
	struct spg_elf_set *set, struct spg_elf_loading *loading)
{
	int err = add_symbols(set, loading);

	for (size_t i = 0; err == 0 && i < loading->n; i++)
		err = look_for_symbols(set, loading->objects[i], loading);
	return err;
}

static int take(const struct spg_elf_set *set, const struct spg_elf_scope *scope,
	struct spg_elf_loading *loading)
{
	int err = 0;

	loading->objects = calloc(scope->n + 1, sizeof(loading->objects[0]));
	if (!loading->objects)
		return SPG_ERR_NOMEM;
	for (; loading->n < scope->n; loading->n++)
		loading->objects[loading->n] = scope->loaded[loading->n].object;
	for (size_t i = 0; err == 0 && i < scope->n_missing; i++) {
		const struct spg_elf_missing *missing = &scope->missing[i];

		err = add_lack(loading, &(struct spg_elf_lack){SPG_ELF_NO_LIBRARY,
						scope->loaded[missing->at].object,
						missing->needed, missing->unfit});
	}
	for (size_t at = 0; err == 0 && at < scope->n; at++)
		err = look_for_versions(set, scope, at, loading);
	return err;
}

int spg_elf_set_load(struct spg_elf_set *set, size_t root,
	const char *const *directories, size_t n_directories,
	struct spg_elf_loading *ret)
{
	struct spg_elf_scope scope;
	int err;

	*ret = (struct spg_elf_loading)SPG_ELF_LOADING_NULL;
	set->world.library_path = directories;
	set->world.n_library_path = n_directories;
	set->unseen = false;
	err = spg_elf_scope_find(&scope, &set->world, root);
	if (err == 0)
		err = take(set, &scope, ret);
	ret->is_unseen = set->unseen || scope.is_partial;
	spg_elf_scope_finish(&scope);
	if (err == 0)
		err = look_for_all_symbols(set, ret);
	return set->failed ? SPG_ERR_NOMEM : err;
}

/* ---- a plugin in its program ---- */

static bool is_in(const struct spg_elf_loading *loading, size_t object)
{
	for (size_t i = 0; i < loading->n; i++)
		if (loading->objects[i] == object)
			return true;
	return false;
}

/* The one that is loaded as @name; SPG_FIT_NONE. */
static size_t named(const struct spg_elf_set *set,
	const struct spg_elf_loading *loading, const char *name)
{
	for (size_t i = 1; name && i < loading->n; i++) {
		const struct spg_binary *binary =
			spg_elf_set_object(set, loading->objects[i]).binary;
		const char *soname = spg_binary_text(binary, binary->soname);

		if (soname && strcmp(soname, name) == 0)
			return loading->objects[i];
	}
	return SPG_FIT_NONE;
}

/* The host's, and of the plugin's those that have no namesake there: these are from
 * place @host->n on. */
static int join(const struct spg_elf_set *set, const struct spg_elf_loading *host,
	const struct spg_elf_loading *plugin, struct spg_elf_loading *ret)
{
	ret->objects = calloc(host->n + plugin->n, sizeof(ret->objects[0]));
	if (!ret->objects)
		return SPG_ERR_NOMEM;
	for (; ret->n < host->n; ret->n++)
		ret->objects[ret->n] = host->objects[ret->n];
	for (size_t i = 0; i < plugin->n; i++) {
		size_t object = plugin->objects[i];
		const struct spg_binary *binary =
			spg_elf_set_object(set, object).binary;

		if (!is_in(host, object) &&
			(i == 0 || named(set, host,
					   spg_binary_text(binary, binary->soname)) ==
					   SPG_FIT_NONE))
			ret->objects[ret->n++] = object;
	}
	return 0;
}

static bool has_namesake(const struct spg_elf_set *set,
	const struct spg_elf_loading *host, const struct spg_elf_loading *plugin)
{
	for (size_t i = 1; i < plugin->n; i++) {
		size_t object = plugin->objects[i], other;
		const struct spg_binary *binary =
			spg_elf_set_object(set, object).binary;

		other = named(set, host, spg_binary_text(binary, binary->soname));
		if (other != SPG_FIT_NONE && other != object)
			return true;
	}
	return false;
}

static int look_for_named_versions(
	const struct spg_elf_set *set, size_t who, struct spg_elf_loading *loading)
{
	const struct spg_binary *binary = spg_elf_set_object(set, who).binary;
	int err = 0;

	for (uint32_t i = 0; err == 0 && i < binary->n_versions; i++) {
		size_t from = named(set, loading,
			spg_binary_text(binary, binary->versions[i].module));

		if (from != SPG_FIT_NONE)
			err = look_for_version(set, who, i, from, loading);
	}
	return err;
}

int spg_elf_set_load_into(struct spg_elf_set *set, const struct spg_elf_loading *host,
	const struct spg_elf_loading *plugin, struct spg_elf_loading *ret)
{
	int err;

	*ret = (struct spg_elf_loading)SPG_ELF_LOADING_NULL;
	if (!has_namesake(set, host, plugin))
		return 0;
	err = join(set, host, plugin, ret);
	for (size_t i = host->n; err == 0 && i < ret->n; i++)
		err = look_for_named_versions(set, ret->objects[i], ret);
	if (err == 0)
		err = add_symbols(set, ret);
	for (size_t i = host->n; err == 0 && i < ret->n; i++)
		err = look_for_symbols(set, ret->objects[i], ret);
	return err;
}

/* ---- what is known already ---- */

static size_t translate(const struct spg_elf_set *set, size_t object)
{
	return object < set->question->n_modules ? set->of_set[object] : object;
}

bool spg_elf_set_recall(const struct spg_elf_set *set, size_t root,
	struct spg_elf_loading *ret, int *err)
{
	const struct spg_surroundings *around = set->question->around;
	size_t n = set->question->n_modules;
	const struct spg_elf_loading *known;

	*ret = (struct spg_elf_loading)SPG_ELF_LOADING_NULL;
	*err = 0;
	if (!around || !set->question->is_searched || around->n_loadings != n ||
		root >= n)
		return false;
	known = &around->loadings[set->question->modules[root].at];
	if (known->n == 0)
		return false;
	ret->objects = calloc(known->n, sizeof(ret->objects[0]));
	ret->lacks = calloc(known->n_lacks + 1, sizeof(ret->lacks[0]));
	if (!ret->objects || !ret->lacks) {
		*err = SPG_ERR_NOMEM;
		return true;
	}
	for (; ret->n < known->n; ret->n++)
		ret->objects[ret->n] = translate(set, known->objects[ret->n]);
	for (; ret->n_lacks < known->n_lacks; ret->n_lacks++) {
		struct spg_elf_lack *lack = &ret->lacks[ret->n_lacks];

		*lack = known->lacks[ret->n_lacks];
		lack->object = translate(set, lack->object);
		if (lack->other != SPG_FIT_NONE)
			lack->other = translate(set, lack->other);
	}
	ret->is_unseen = known->is_unseen;
	return true;
}

int spg_elf_set_want(struct spg_elf_set *set, const struct spg_elf_loading *loading)
{
	int err = 0;

	for (size_t i = 0; err == 0 && i < loading->n_lacks; i++) {
		const struct spg_elf_lack *lack = &loading->lacks[i];

		if (lack->kind == SPG_ELF_NO_SYMBOL)
			err = spg_elf_symbols_want(&set->plugins, lack->object,
				spg_elf_set_object(set, lack->object).binary,
				lack->index);
	}
	return err;
}

int spg_elf_set_find_definitions(struct spg_elf_set *set)
{
	int err = 0;

	for (size_t i = 0; set->plugins.tree && err == 0 && i < set->n_objects; i++) {
		const struct spg_binary *binary = spg_elf_set_object(set, i).binary;

		if (binary && binary->format == SPG_BINARY_ELF &&
			!(i < set->question->n_modules &&
				set->question->modules[i].is_link))
			err = spg_elf_symbols_offer(&set->plugins, i, binary);
	}
	return err;
}

bool spg_elf_set_has_symbol(struct spg_elf_set *set,
	const struct spg_elf_loading *loading, size_t object, uint32_t import)
{
	begin_scope(&set->plugins, loading);
	return spg_elf_symbols_is_found(
		&set->plugins, loading->objects[0], object, import);
}
