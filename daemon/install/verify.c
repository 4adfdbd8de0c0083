/* SPDX-License-Identifier: MIT */
#include "daemon/install/verify.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"

static struct spg_fit_module describe(const struct spg_module *module)
{
	return (struct spg_fit_module){.path = module->path,
		.name = spg_path_base(module->path),
		.pe = module->pe,
		.err = module->pe    ? 0
	               : module->err ? module->err
	                             : SPG_ERR_INVALID,
		.why = module->why ? module->why : "no Windows module",
		.sha256 = module->sha256[0] ? module->sha256 : NULL};
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
			v->modules[v->n_modules++] = describe(module);
		}
	}
	for (size_t i = 0; i < v->set->n; i++)
		if (!listed[i])
			v->modules[v->n_modules++] = describe(v->set->modules[i]);
	free(listed);
	return 0;
}

static struct spg_fit_payload *list_payload(const struct spg_expected *expected)
{
	struct spg_fit_payload *files = calloc(expected->n + 1, sizeof(*files));

	for (size_t i = 0; files && i < expected->n; i++)
		files[i] = (struct spg_fit_payload){.name = expected->files[i].name,
			.version = expected->files[i].version,
			.sha256 = expected->files[i].sha256[0]
		                          ? expected->files[i].sha256
		                          : NULL};
	return files;
}

static enum spg_verify_verdict conclude(const struct spg_verification *v)
{
	if (v->fit.n_findings > 0 || v->fit.n_more > 0)
		return SPG_VERIFY_MIXED;
	if (v->fit.n_gaps > 0 || v->n_modules == 0)
		return SPG_VERIFY_UNKNOWN;
	return v->fit.n_checked > 0 || v->fit.n_same > 0 ? SPG_VERIFY_FITS
	                                                 : SPG_VERIFY_NOT_CHECKED;
}

int spg_verify(struct spg_verification *ret, const struct spg_product *product,
	struct spg_module_set *set, const struct spg_expected *expected)
{
	struct spg_verification v = {
		.set = spg_module_set_ref(set), .fit = SPG_FIT_NULL};
	struct spg_fit_question question = {.ignore_case = product->ignore_case};
	struct spg_fit_payload *payload = NULL;
	int r = list_modules(&v, product);

	if (r == 0 && expected && expected->n > 0) {
		payload = list_payload(expected);
		question.payload = payload;
		question.n_payload = expected->n;
		r = payload ? 0 : SPG_ERR_NOMEM;
	}
	question.modules = v.modules;
	question.n_modules = v.n_modules;
	if (r == 0)
		r = spg_fit(&v.fit, &question);
	free(payload);
	if (r < 0) {
		spg_verification_finish(&v);
		return r;
	}
	v.verdict = conclude(&v);
	*ret = v;
	return 0;
}

void spg_verification_finish(struct spg_verification *verification)
{
	spg_fit_finish(&verification->fit);
	free(verification->modules);
	spg_module_set_unref(verification->set);
	*verification = (struct spg_verification){.fit = SPG_FIT_NULL};
}
