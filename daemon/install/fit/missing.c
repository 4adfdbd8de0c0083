/* SPDX-License-Identifier: MIT */
/* Libraries that are imported, and are not where Windows looks for them. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/install/fit/parts.h"

int spg_fit_add_hint(struct spg_fit_work *work, size_t module, struct spg_buf *text)
{
	struct spg_fit *fit = work->fit;
	struct spg_fit_gap hint = {module, NULL};

	if (fit->n_hints >= SPG_FIT_HINTS_MAX) {
		spg_buf_finish(text);
		return 0;
	}
	hint.text = spg_buf_take(text);
	if (hint.text && spg_array_reserve(&fit->hints, fit->n_hints, &fit->hints_size,
				 sizeof(hint)) == 0) {
		fit->hints[fit->n_hints++] = hint;
		return 0;
	}
	free(hint.text);
	return SPG_ERR_NOMEM;
}

static void put_importer(
	const struct spg_fit_work *work, size_t importer, struct spg_buf *text)
{
	spg_text_escape(text, work->question->modules[importer].name, false);
	spg_buf_puts(text, " needs ");
}

static void put_when(struct spg_buf *text, bool delayed)
{
	if (delayed)
		spg_buf_puts(text, ", when it is first called");
}

/* ---- files that were there ---- */

int spg_fit_sort_gone(struct spg_fit_work *work)
{
	const struct spg_fit_question *question = work->question;

	if (spg_fit_namesakes_init(
		    &work->gone, question->n_gone, question->ignore_case) < 0)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < question->n_gone; i++)
		work->gone.files[i].path = question->gone[i];
	spg_fit_namesakes_sort(&work->gone);
	return 0;
}

/* Which of the @n at @first, in another folder, was looked for by such an importer. */
static size_t choose_gone(const struct spg_fit_work *work,
	const struct spg_binary *importer, size_t first, size_t n)
{
	for (size_t at = first; at < first + n; at++)
		if (spg_fit_loader_place(&work->index.loader, importer,
			    work->gone.files[at].path) != SPG_FIT_ELSEWHERE)
			return at;
	return SPG_FIT_NONE;
}

/* The path of a library @name that was where @importer's is looked for. */
static const char *find_gone(
	struct spg_fit_work *work, size_t importer, const char *name)
{
	const struct spg_fit_module *module = &work->question->modules[importer];
	const struct spg_fit_answer *known;
	size_t first, found,
		n = spg_fit_namesakes_find(&work->gone, spg_fit_whole(name), &first);

	if (n == 0)
		return NULL;
	found = spg_fit_namesakes_beside(&work->gone, first, n, module->path);
	if (found != SPG_FIT_NONE)
		return work->gone.files[found].path;
	known = spg_fit_namesakes_recall(&work->gone, first, module->binary);
	found = known ? known->found : choose_gone(work, module->binary, first, n);
	if (!known)
		spg_fit_namesakes_remember(&work->gone, first,
			&(struct spg_fit_answer){
				.importer = module->binary, .found = found});
	return found == SPG_FIT_NONE ? NULL : work->gone.files[found].path;
}

/* ---- what is said ---- */

/* "dsamain.exe needs mdbperf.dll, which is gone: it was in /srv/bin" */
static int tell_gone(struct spg_fit_work *work, const struct spg_fit_missing *missing,
	const char *path)
{
	struct spg_fit_text folder = {path, (size_t)(spg_path_base(path) - path)};
	char *copy = strndup(folder.text, folder.n);
	struct spg_buf text = SPG_BUF_NULL;

	if (!copy)
		return SPG_ERR_NOMEM;
	spg_path_normalise(copy);
	put_importer(work, missing->importer, &text);
	spg_text_escape(&text, spg_path_base(path), false);
	spg_buf_puts(&text, ", which is gone: it was in ");
	spg_text_escape(&text, copy, false);
	put_when(&text, missing->delayed);
	free(copy);
	return spg_fit_add(work, SPG_FINDING_MISSING_MODULE, missing->importer, NULL,
		spg_path_base(path), NULL, &text);
}

/* A file of that name that Windows does not find. */
static int hint_elsewhere(
	struct spg_fit_work *work, const struct spg_fit_missing *missing)
{
	struct spg_buf text = SPG_BUF_NULL;

	put_importer(work, missing->importer, &text);
	spg_fit_put_module(&text, &work->question->modules[missing->elsewhere], true);
	spg_buf_puts(&text, ", if the loader looks there (library-path)");
	return spg_fit_add_hint(work, missing->importer, &text);
}

/* A module that is not installed, and that the service pack brings. */
static int tell_not_installed(struct spg_fit_work *work,
	const struct spg_fit_missing *missing, const struct spg_fit_payload *file)
{
	struct spg_buf text = SPG_BUF_NULL;

	put_importer(work, missing->importer, &text);
	spg_text_escape(&text, spg_path_base(file->name), false);
	spg_buf_puts(&text, ", which the service pack has and which is not installed");
	put_when(&text, missing->delayed);
	return spg_fit_add(work, SPG_FINDING_MISSING_MODULE, missing->importer, NULL,
		spg_path_base(file->name), file->version, &text);
}

static int tell_nowhere(
	struct spg_fit_work *work, const struct spg_fit_missing *missing)
{
	struct spg_buf text = SPG_BUF_NULL;

	put_importer(work, missing->importer, &text);
	spg_text_escape(&text, missing->name, false);
	spg_buf_puts(&text, ", which is neither here nor a part of Windows");
	return spg_fit_add(work, SPG_FINDING_MISSING_MODULE, missing->importer, NULL,
		missing->name, NULL, &text);
}

/* ---- what is missed ---- */

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n > m && strcasecmp(name + n - m, suffix) == 0;
}

static bool matches_any(const char *const *patterns, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (spg_name_match(patterns[i], name, true))
			return true;
	return false;
}

/* With every machine, or with the compiler's runtime. */
static bool is_brought(const char *name)
{
	return spg_fit_is_of_windows(name) || spg_fit_is_runtime(name);
}

/* Does nobody else bring the library? A file whose name the product does not have may be
 * there unseen; a program is there before its plugins are; what is bound when it is first
 * called is often left out on purpose. */
static bool is_missed(
	const struct spg_fit_question *question, const struct spg_fit_missing *missing)
{
	const char *name = missing->name;

	return !missing->delayed && !has_suffix(name, ".exe") && !is_brought(name) &&
	       !matches_any(question->outside, question->n_outside, name) &&
	       matches_any(question->patterns, question->n_patterns, name);
}

static const struct spg_fit_payload *find_in_payload(
	const struct spg_fit_work *work, const char *name)
{
	const struct spg_fit_text text = {name, strlen(name)};
	size_t at = spg_fit_payload_find(work, text, true);

	return at == SPG_FIT_NONE ? NULL : &work->question->payload[work->payload[at]];
}

/* One module may name a library in several import descriptors. */
static bool is_told(
	const struct spg_fit_work *work, size_t importer, const char *library)
{
	const struct spg_fit *fit = work->fit;

	for (size_t i = fit->n_findings; i > 0; i--) {
		const struct spg_finding *finding = &fit->findings[i - 1];

		if (finding->module != importer)
			break;
		if (finding->kind == SPG_FINDING_MISSING_MODULE && finding->from &&
			strcasecmp(finding->from, library) == 0)
			return true;
	}
	return false;
}

int spg_fit_library_missing(
	struct spg_fit_work *work, const struct spg_fit_missing *missing)
{
	const char *gone = find_gone(work, missing->importer, missing->name);
	const struct spg_fit_payload *file;

	if (is_told(work, missing->importer, missing->name))
		return 0;
	/* Windows may have one of that name too, but the product came with its own. */
	if (gone)
		return tell_gone(work, missing, gone);
	if (missing->elsewhere != SPG_FIT_NONE)
		return is_brought(missing->name) ? 0 : hint_elsewhere(work, missing);
	file = find_in_payload(work, missing->name);
	if (file)
		return tell_not_installed(work, missing, file);
	return is_missed(work->question, missing) ? tell_nowhere(work, missing) : 0;
}

int spg_fit_elf_library_missing(
	struct spg_fit_work *work, size_t importer, const char *name, const char *gone)
{
	const struct spg_fit_missing missing = {.importer = importer, .name = name};
	const struct spg_fit_payload *file = find_in_payload(work, name);
	struct spg_buf text = SPG_BUF_NULL;

	if (gone)
		return tell_gone(work, &missing, gone);
	if (file)
		return tell_not_installed(work, &missing, file);
	put_importer(work, importer, &text);
	spg_text_escape(&text, name, false);
	spg_buf_puts(&text, ", which is nowhere");
	return spg_fit_add(
		work, SPG_FINDING_MISSING_MODULE, importer, NULL, name, NULL, &text);
}

int spg_fit_assembly_missing(
	struct spg_fit_work *work, size_t importer, const char *name)
{
	static const char *const endings[] = {".dll", ".exe"};
	struct spg_buf file = SPG_BUF_NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(endings) / sizeof(endings[0]); i++) {
		const char *gone;

		spg_buf_clear(&file);
		spg_buf_printf(&file, "%s%s", name, endings[i]);
		gone = file.failed ? NULL
		                   : find_gone(work, importer, spg_buf_text(&file));
		if (!gone)
			continue;
		r = tell_gone(
			work, &(struct spg_fit_missing){.importer = importer}, gone);
		break;
	}
	if (file.failed)
		r = SPG_ERR_NOMEM;
	spg_buf_finish(&file);
	return r;
}
