/* SPDX-License-Identifier: MIT */
#include "daemon/install/verify.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"
#include "daemon/install/places.h"

static struct spg_fit_module describe(const struct spg_module_set *set, size_t at)
{
	const struct spg_module *module = set->modules[at];

	return (struct spg_fit_module){.at = at,
		.path = module->path,
		.name = spg_path_base(module->path),
		.real = module->real,
		.is_link = spg_module_set_is_link(set, module),
		.binary = module->binary,
		.err = module->binary ? 0
	               : module->err  ? module->err
	                              : SPG_ERR_INVALID,
		.why = module->why || module->binary
	                       ? module->why
	                       : "neither a program nor a library",
		.sha256 = module->sha256[0] ? module->sha256 : NULL,
		.binding = module->binding};
}

/* In the order in which the product names its directories. */
static int list_modules(struct spg_verification *v, const struct spg_product *product)
{
	bool *listed = calloc(v->set->n + 1, sizeof(*listed));

	v->modules = calloc(v->set->n + 1, sizeof(*v->modules));
	if (!listed || !v->modules) {
		free(listed);
		return SPG_ERR_NOMEM;
	}
	for (size_t d = 0; d < product->n_directories; d++) {
		for (size_t i = 0; i < v->set->n; i++) {
			const struct spg_module *module = v->set->modules[i];

			if (listed[i] || !spg_path_below(module->path,
						 product->directories[d].path, false))
				continue;
			listed[i] = true;
			v->modules[v->n_modules++] = describe(v->set, i);
		}
	}
	for (size_t i = 0; i < v->set->n; i++)
		if (!listed[i])
			v->modules[v->n_modules++] = describe(v->set, i);
	free(listed);
	return 0;
}

static size_t list_deleted(const char **paths, const struct spg_install *install,
	const struct spg_module_set *set)
{
	size_t n = 0;

	for (size_t i = 0; install && i < install->n_files; i++)
		if (install->files[i].change == SPG_CHANGE_DELETED &&
			!spg_module_set_find(set, install->files[i].path))
			paths[n++] = install->files[i].path;
	return n;
}

/* What was there before, and is not in @set. */
static const char **list_gone(const struct spg_module_set *set,
	const struct spg_verify_past *past, size_t *ret_n)
{
	const struct spg_module_set *before = past ? past->before : NULL;
	const struct spg_install *installs[] = {
		past ? past->previous : NULL, past ? past->accepted : NULL};
	size_t max = before ? before->n : 0, n = 0;
	const char **paths;

	for (size_t i = 0; i < 2; i++)
		max += installs[i] ? installs[i]->n_files : 0;
	paths = calloc(max + 1, sizeof(*paths));

	for (size_t i = 0; paths && before && i < before->n; i++)
		if (!spg_module_set_find(set, before->modules[i]->path))
			paths[n++] = before->modules[i]->path;
	for (size_t i = 0; paths && i < 2; i++)
		n += list_deleted(paths + n, installs[i], set);
	*ret_n = n;
	return paths;
}

/* What installs have found amiss. */
static struct spg_fit_told *list_told(const struct spg_verify_past *past, size_t *ret_n)
{
	const struct spg_install *installs[] = {
		past ? past->previous : NULL, past ? past->accepted : NULL};
	struct spg_fit_told *told;
	size_t max = 0, n = 0;

	for (size_t i = 0; i < 2; i++)
		max += installs[i] ? installs[i]->findings.n : 0;
	told = calloc(max + 1, sizeof(*told));
	for (size_t i = 0; told && i < 2; i++)
		for (size_t k = 0; installs[i] && k < installs[i]->findings.n; k++) {
			const struct spg_note *note = &installs[i]->findings.items[k];

			if (note->kind == SPG_REASON_MISFIT && note->file)
				told[n++] =
					(struct spg_fit_told){note->file, note->text};
		}
	*ret_n = n;
	return told;
}

static struct spg_fit_payload *list_payload(
	const struct spg_product *product, const struct spg_expected *expected)
{
	struct spg_fit_payload *files = calloc(expected->n + 1, sizeof(*files));

	for (size_t i = 0; files && i < expected->n; i++)
		files[i] = (struct spg_fit_payload){.name = expected->files[i].name,
			.path = expected->files[i].path,
			.foreign =
				expected->files[i].elsewhere ||
				!spg_product_has_name(product, expected->files[i].name),
			.version = expected->files[i].version,
			.sha256 = expected->files[i].sha256[0]
		                          ? expected->files[i].sha256
		                          : NULL};
	return files;
}

enum spg_verify_verdict spg_verification_conclude(const struct spg_verification *v)
{
	if (v->fit.n_findings + v->fit.n_more > v->n_accepted)
		return SPG_VERIFY_MIXED;
	if (v->fit.n_gaps > 0 || v->n_modules == 0)
		return SPG_VERIFY_UNKNOWN;
	return v->fit.n_checked > 0 || v->fit.n_same > 0 ? SPG_VERIFY_FITS
	                                                 : SPG_VERIFY_NOT_CHECKED;
}

int spg_verify(struct spg_verification *ret, const struct spg_product *product,
	struct spg_module_set *set, const struct spg_expected *expected,
	const struct spg_verify_past *past)
{
	struct spg_verification v = {
		.set = spg_module_set_ref(set), .fit = SPG_FIT_NULL};
	struct spg_fit_question question = {.ignore_case = product->ignore_case,
		.flat = !product->recursive,
		.n_directories = product->n_directories,
		.library_path = (const char *const *)product->library_path,
		.n_library_path = product->n_library_path,
		.patterns = (const char *const *)product->patterns,
		.n_patterns = product->n_patterns,
		.around = set->around,
		.is_searched = set->is_searched,
		.hosts = (const char *const *)product->hosts,
		.n_hosts = product->n_hosts,
		.outside = (const char *const *)product->outside,
		.n_outside = product->n_outside,
		.before = past ? past->before : NULL};
	struct spg_fit_payload *payload = NULL;
	const char **directories = spg_places_directories(product);
	const char **gone = list_gone(set, past, &question.n_gone);
	struct spg_fit_told *told = list_told(past, &question.n_told);
	int r = directories && gone && told ? list_modules(&v, product) : SPG_ERR_NOMEM;

	question.directories = directories;
	question.gone = gone;
	question.told = told;
	if (r == 0 && expected && expected->n > 0) {
		payload = list_payload(product, expected);
		question.payload = payload;
		question.n_payload = expected->n;
		r = payload ? 0 : SPG_ERR_NOMEM;
	}
	question.modules = v.modules;
	question.n_modules = v.n_modules;
	if (r == 0)
		r = spg_fit(&v.fit, &question);
	free(payload);
	free(directories);
	free(gone);
	free(told);
	if (r < 0) {
		spg_verification_finish(&v);
		return r;
	}
	v.verdict = spg_verification_conclude(&v);
	*ret = v;
	return 0;
}

const char *spg_verification_path(
	const struct spg_verification *verification, const struct spg_finding *finding)
{
	return finding->path ? finding->path
	                     : verification->modules[finding->module].path;
}

void spg_verification_finish(struct spg_verification *verification)
{
	spg_fit_finish(&verification->fit);
	free(verification->modules);
	spg_module_set_unref(verification->set);
	*verification = (struct spg_verification){.fit = SPG_FIT_NULL};
}
