/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/fit.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/install/fit/parts.h"

const char *spg_fit_module_version(const struct spg_fit_module *module, char *ret)
{
	if (!module->binary || !module->binary->has_version)
		return NULL;
	return spg_binary_version_format(module->binary->file_version, ret);
}

void spg_fit_put_module(
	struct spg_buf *out, const struct spg_fit_module *module, bool with_directory)
{
	char version[SPG_BINARY_VERSION_TEXT_BYTES];
	char *directory;

	spg_text_escape(out, module->name, false);
	if (spg_fit_module_version(module, version))
		spg_buf_printf(out, " %s", version);
	if (!with_directory)
		return;
	directory = strndup(
		module->path, (size_t)(spg_path_base(module->path) - module->path));
	if (!directory) {
		out->failed = true;
		return;
	}
	spg_path_normalise(directory);
	spg_buf_puts(out, " in ");
	spg_text_escape(out, directory, false);
	free(directory);
}

/* *@ret is NULL for NULL. */
static bool copy_escaped(const char *text, char **ret)
{
	struct spg_buf copy = SPG_BUF_NULL;

	*ret = NULL;
	if (!text)
		return true;
	spg_text_escape(&copy, text, false);
	spg_buf_puts(&copy, ""); /* an empty text is one */
	*ret = spg_buf_take(&copy);
	return *ret != NULL;
}

static void finish_finding(struct spg_finding *finding)
{
	free(finding->path);
	free(finding->needs);
	free(finding->from);
	free(finding->from_version);
	free(finding->text);
}

int spg_fit_add(struct spg_fit_work *work, enum spg_finding_kind kind, size_t module,
	const char *needs, const char *from, const char *from_version,
	struct spg_buf *text)
{
	struct spg_fit *fit = work->fit;
	struct spg_finding finding = {.kind = kind, .module = module};
	bool ok;

	if (fit->n_findings >= SPG_FIT_FINDINGS_MAX) {
		spg_buf_finish(text);
		fit->n_more++;
		return 0;
	}
	finding.text = spg_buf_take(text);
	ok = finding.text && copy_escaped(needs, &finding.needs) &&
	     copy_escaped(from, &finding.from) &&
	     copy_escaped(from_version, &finding.from_version) &&
	     spg_array_reserve(&fit->findings, fit->n_findings, &fit->findings_size,
		     sizeof(finding)) == 0;
	if (!ok) {
		spg_buf_finish(text);
		finish_finding(&finding);
		return SPG_ERR_NOMEM;
	}
	fit->findings[fit->n_findings++] = finding;
	return 0;
}

int spg_fit_add_payload(struct spg_fit_work *work, enum spg_finding_kind kind,
	size_t module, size_t of, const char *version, struct spg_buf *text)
{
	size_t n = work->fit->n_findings;
	int err = spg_fit_add(work, kind, module, NULL, "service pack", version, text);

	if (err == 0 && work->fit->n_findings > n)
		work->fit->findings[n].of = of;
	return err;
}

int spg_fit_add_absent(struct spg_fit_work *work, char *path, const char *version,
	struct spg_buf *text)
{
	size_t n = work->fit->n_findings;
	int err = SPG_ERR_NOMEM;

	if (path)
		err = spg_fit_add(work, SPG_FINDING_NOT_INSTALLED, SPG_FIT_NO_MODULE,
			NULL, "service pack", version, text);
	else
		spg_buf_finish(text);
	if (err == 0 && work->fit->n_findings > n)
		work->fit->findings[n].path = path;
	else
		free(path);
	return err;
}

static int compare_findings(const void *a, const void *b)
{
	const struct spg_finding *one = a, *two = b;

	return (one->module > two->module) - (one->module < two->module);
}

int spg_fit(struct spg_fit *ret, const struct spg_fit_question *question)
{
	struct spg_fit_work work = {.question = question, .fit = ret};
	int err = spg_fit_index_init(&work.index, question);

	work.blamed = calloc(question->n_modules + 1, sizeof(work.blamed[0]));
	if (!work.blamed)
		err = SPG_ERR_NOMEM;
	if (err == 0)
		err = spg_fit_sort_payload(&work);
	if (err == 0)
		err = spg_fit_sort_gone(&work);
	if (err == 0)
		err = spg_fit_entry_points(&work);
	if (err == 0)
		err = spg_fit_elf(&work);
	if (err == 0)
		err = spg_fit_assemblies(&work);
	if (err == 0)
		err = spg_fit_against_payload(&work);
	if (err == 0)
		err = spg_fit_group(&work);
	/* glibc's qsort keeps the order of equals; where one does not, only the
	 * order of one file's findings is another. */
	if (err == 0 && ret->n_findings)
		qsort(ret->findings, ret->n_findings, sizeof(ret->findings[0]),
			compare_findings);
	if (err < 0)
		spg_fit_finish(ret);
	spg_fit_index_finish(&work.index);
	free(work.payload);
	spg_fit_namesakes_finish(&work.gone);
	spg_placement_finish(&work.placement);
	free(work.blamed);
	return err;
}

/* The sentence names the file, and all that differs from another finding. */
bool spg_finding_equal(const struct spg_finding *a, const struct spg_finding *b)
{
	return a->kind == b->kind && strcmp(a->text, b->text) == 0;
}

bool spg_fit_was_told(
	const struct spg_fit_question *question, const char *path, const char *text)
{
	for (size_t i = 0; i < question->n_told; i++)
		if (strcmp(question->told[i].path, path) == 0 &&
			strcmp(question->told[i].text, text) == 0)
			return true;
	return false;
}

bool spg_fit_has_gap(const struct spg_fit *fit, const struct spg_fit_gap *gap)
{
	for (size_t i = 0; i < fit->n_gaps; i++)
		if (strcmp(fit->gaps[i].text, gap->text) == 0)
			return true;
	return false;
}

void spg_fit_finish(struct spg_fit *fit)
{
	for (size_t i = 0; i < fit->n_findings; i++)
		finish_finding(&fit->findings[i]);
	for (size_t i = 0; i < fit->n_gaps; i++)
		free(fit->gaps[i].text);
	for (size_t i = 0; i < fit->n_hints; i++)
		free(fit->hints[i].text);
	for (size_t i = 0; i < fit->n_groups; i++) {
		free(fit->groups[i].company);
		free(fit->groups[i].product);
		free(fit->groups[i].versions);
	}
	free(fit->findings);
	free(fit->gaps);
	free(fit->hints);
	free(fit->groups);
	*fit = (struct spg_fit)SPG_FIT_NULL;
}
