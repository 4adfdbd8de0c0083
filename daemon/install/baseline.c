/* SPDX-License-Identifier: MIT */
#include "daemon/install/baseline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/text.h"

static bool is_module(const struct spg_module *module)
{
	return module->binary || module->was_module;
}

/* Returns false when memory is short. */
static bool add(
	struct spg_installed *change, const struct spg_module *module, bool gone)
{
	struct spg_installed_file *file = spg_installed_add(change, module->path,
		!gone && module->version[0] ? module->version : NULL);

	if (!file)
		return false;
	file->gone = gone;
	file->is_module = is_module(module);
	memcpy(file->sha256, module->sha256, sizeof(file->sha256));
	return true;
}

static bool is_same(const struct spg_module *then, const struct spg_module *now)
{
	return !now->sha256[0] || strcmp(then->sha256, now->sha256) == 0;
}

static bool add_changes(struct spg_installed *change, const struct spg_module_set *kept,
	const struct spg_module_set *now)
{
	bool ok = true;

	for (size_t i = 0; ok && i < now->n; i++) {
		const struct spg_module *then =
			spg_module_set_find(kept, now->modules[i]->path);

		if (!then || !is_same(then, now->modules[i]))
			ok = add(change, now->modules[i], false);
	}
	for (size_t i = 0; ok && kept && i < kept->n; i++)
		if (!spg_module_set_find(now, kept->modules[i]->path))
			ok = add(change, kept->modules[i], true);
	return ok;
}

struct spg_installed *spg_baseline_change(const char *name, const char *scope,
	const struct spg_module_set *kept, const struct spg_module_set *now)
{
	struct spg_installed *change =
		spg_installed_create(name, scope, spg_clock_wall_ns());

	if (!change)
		return NULL;
	change->whole = !kept;
	if (add_changes(change, kept, now))
		return change;
	spg_installed_destroy(change);
	return NULL;
}

static struct spg_module *make_module(const struct spg_installed_file *file)
{
	struct spg_module *module = spg_module_create(file->path);

	if (!module)
		return NULL;
	module->was_module = file->is_module;
	memcpy(module->sha256, file->sha256, sizeof(module->sha256));
	if (file->version)
		snprintf(module->version, sizeof(module->version), "%s", file->version);
	return module;
}

struct spg_module_set *spg_baseline_set(const struct spg_installed *installed)
{
	struct spg_module_set *set = spg_module_set_create();

	if (!set)
		return NULL;
	set->modules = calloc(installed->n + 1, sizeof(struct spg_module *));
	set->size = set->modules ? installed->n + 1 : 0;
	for (size_t i = 0; set->modules && i < installed->n; i++) {
		struct spg_module *module = make_module(&installed->files[i]);

		if (!module)
			break;
		set->modules[set->n++] = module;
	}
	if (set->modules && set->n == installed->n)
		return set;
	spg_module_set_unref(set);
	return NULL;
}

char *spg_baseline_scope(const struct spg_product *product)
{
	struct spg_buf scope = SPG_BUF_NULL;
	char *text = NULL;

	spg_buf_printf(&scope, "%s%s", product->recursive ? "recursive" : "",
		product->ignore_case ? " ignore-case" : "");
	for (size_t i = 0; i < product->n_directories; i++)
		spg_buf_printf(&scope, "\ndirectory %s", product->directories[i].path);
	for (size_t i = 0; i < product->n_patterns; i++)
		spg_buf_printf(&scope, "\nfiles %s", product->patterns[i]);
	if (!scope.failed)
		text = strdup(spg_buf_text(&scope));
	spg_buf_finish(&scope);
	return text;
}

static bool has_any(const struct spg_module_set *set, const char *directory)
{
	for (size_t i = 0; i < set->n; i++)
		if (spg_path_below(set->modules[i]->path, directory, false))
			return true;
	return false;
}

bool spg_baseline_is_comparable(const struct spg_product *product,
	const struct spg_module_set *then, const struct spg_module_set *now)
{
	for (size_t d = 0; d < product->n_directories; d++) {
		const char *directory = product->directories[d].path;

		if (has_any(then, directory) && !has_any(now, directory))
			return false;
	}
	return true;
}
