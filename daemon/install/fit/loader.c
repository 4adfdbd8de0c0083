/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/loader.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"
#include "common/text.h"
#include "daemon/install/fit/names.h"
#include "daemon/install/fit/windows_libraries.h"

/* ---- folders ---- */

static int compare_folders(const char *a, const char *b, bool fold)
{
	return spg_fit_compare(spg_fit_folder(a), spg_fit_folder(b), fold);
}

/* By folders, then by machines. */
static int compare_programs(const void *a, const void *b, void *user)
{
	const struct spg_fit_question *question = user;
	const struct spg_fit_module *one = &question->modules[*(const size_t *)a];
	const struct spg_fit_module *two = &question->modules[*(const size_t *)b];
	int order = compare_folders(one->path, two->path, question->ignore_case);

	if (order == 0)
		order = one->binary->machine - two->binary->machine;
	return order ? order : one->binary->is_x64_too - two->binary->is_x64_too;
}

/* Of one folder, one for each machine. */
static void drop_equal_programs(struct spg_fit_loader *loader)
{
	size_t kept = 0;

	for (size_t i = 0; i < loader->n_programs; i++)
		if (kept == 0 ||
			compare_programs(&loader->programs[kept - 1],
				&loader->programs[i], (void *)loader->question) != 0)
			loader->programs[kept++] = loader->programs[i];
	loader->n_programs = kept;
}

int spg_fit_loader_init(
	struct spg_fit_loader *loader, const struct spg_fit_question *question)
{
	*loader = (struct spg_fit_loader){.question = question};
	loader->programs = calloc(question->n_modules + 1, sizeof(size_t));
	if (!loader->programs)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < question->n_modules; i++)
		if (question->modules[i].binary &&
			question->modules[i].binary->format == SPG_BINARY_PE &&
			!question->modules[i].binary->is_dll)
			loader->programs[loader->n_programs++] = i;
	/* The question is only read. */
	qsort_r(loader->programs, loader->n_programs, sizeof(size_t), compare_programs,
		(void *)question);
	drop_equal_programs(loader);
	return 0;
}

void spg_fit_loader_finish(struct spg_fit_loader *loader)
{
	free(loader->programs);
	loader->programs = NULL;
}

/* Is there a program that can load @importer in the folder of @path? */
static bool is_of_a_program(const struct spg_fit_loader *loader,
	const struct spg_binary *importer, const char *path)
{
	const struct spg_fit_question *question = loader->question;
	const struct spg_fit_module *modules = question->modules;
	size_t low = 0, high = loader->n_programs;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_folders(modules[loader->programs[middle]].path, path,
			    question->ignore_case) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < loader->n_programs; low++) {
		const struct spg_fit_module *program = &modules[loader->programs[low]];

		if (compare_folders(program->path, path, question->ignore_case) != 0)
			break;
		if (spg_binary_machines_agree(program->binary, importer))
			return true;
	}
	return false;
}

static bool is_one_of(
	const char *const *folders, size_t n, struct spg_fit_text folder, bool fold)
{
	for (size_t i = 0; i < n; i++)
		if (spg_fit_compare(folder, spg_fit_whole(folders[i]), fold) == 0)
			return true;
	return false;
}

static bool is_configured(const struct spg_fit_question *question, const char *path)
{
	struct spg_fit_text folder = spg_fit_folder(path);

	if (folder.n > 1)
		folder.n--; /* the slash, which only "/" has */
	return is_one_of(question->directories, question->n_directories, folder,
		       question->ignore_case) ||
	       is_one_of(question->library_path, question->n_library_path, folder,
		       question->ignore_case);
}

enum spg_fit_place spg_fit_loader_place(const struct spg_fit_loader *loader,
	const struct spg_binary *importer, const char *path)
{
	/* A program looks in its own folder, not in that of another one. */
	if (importer->is_dll && is_of_a_program(loader, importer, path))
		return SPG_FIT_PROGRAM;
	return is_configured(loader->question, path) ? SPG_FIT_CONFIGURED
	                                             : SPG_FIT_ELSEWHERE;
}

/* ---- libraries that are not the product's ---- */

bool spg_fit_is_of_windows(const char *name)
{
	size_t low = 0, high = spg_n_windows_libraries;

	/* "API sets": names that Windows itself resolves to libraries of its own. */
	if (spg_fit_begins(name, "api-ms-") || spg_fit_begins(name, "ext-ms-"))
		return true;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcasecmp(spg_windows_libraries[middle], name);

		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

bool spg_fit_is_runtime(const char *name)
{
	static const char *const begin[] = {"msvcp", "msvcr", "vcruntime", "vccorlib",
		"concrt", "vcomp", "vcamp", "ucrtbase", "mfc", "mfcm", "atl"};

	for (size_t i = 0; i < sizeof(begin) / sizeof(begin[0]); i++) {
		size_t n = strlen(begin[i]);

		/* With a version behind it: "msvcp140_1.dll", "vcomp.dll". */
		if (spg_fit_begins(name, begin[i]) &&
			(name[n] == '.' || name[n] == '_' ||
				(name[n] >= '0' && name[n] <= '9') ||
				strcasecmp(name + n, "d.dll") == 0))
			return true;
	}
	return false;
}
