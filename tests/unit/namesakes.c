/* SPDX-License-Identifier: MIT */
/* Which of many files of one name a module finds. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/text.h"
#include "daemon/install/fit/fit.h"
#include "tests/support/pe_make.h"
#include "tests/support/suite.h"

#define N_FILES 40
#define N_GONE  6
#define NONE    SIZE_MAX
#define FROM(module)                                                                   \
	((const struct pe_make_module[]){                                              \
		{module, (const char *const[]){"x", NULL}, false}, {NULL}})

static const char *const directories[] = {"/b"};

struct scene {
	char paths[N_FILES][24], gone[N_GONE][24];
	const char *gone_paths[N_GONE];
	struct spg_fit_module modules[N_FILES];
	struct spg_binary *pes[N_FILES];
	struct spg_fit_question question;
	struct spg_fit fit;
};

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static const char *random_folder(uint32_t *seed)
{
	static const char *const folders[] = {"/a", "/A", "/b", "/c", "/c/d", "/e"};

	return folders[next_random(seed) % 6];
}

/* A third are called lib.dll, of which every module needs x that none exports. */
static void add(struct scene *scene, size_t i, uint32_t *seed)
{
	static const uint16_t machines[] = {0x14c, 0x8664, 0xaa64};
	uint16_t machine = machines[next_random(seed) % 3];
	bool is_lib = next_random(seed) % 3 == 0, is_exe = next_random(seed) % 3 == 0;
	const char *folder = random_folder(seed);
	char version[24];

	snprintf(version, sizeof(version), "1.0.0.%zu", i);
	if (is_lib)
		snprintf(scene->paths[i], sizeof(scene->paths[i]), "%s/%s", folder,
			next_random(seed) % 2 ? "lib.dll" : "LIB.dll");
	else
		snprintf(scene->paths[i], sizeof(scene->paths[i]), "%s/user%zu.dll",
			folder, i);
	scene->pes[i] = pe_make(&(struct pe_make){.is_exe = !is_lib && is_exe,
		.is_pe32plus = machine != 0x14c,
		.machine = machine,
		.version = version,
		.modules = is_lib ? NULL : FROM("lib.dll")});
	scene->pes[i]->is_x64_too = machine == 0xaa64 && next_random(seed) % 2;
	scene->modules[i] = (struct spg_fit_module){.path = scene->paths[i],
		.name = spg_path_base(scene->paths[i]),
		.binary = scene->pes[i]};
}

static void make(struct scene *scene, uint32_t seed)
{
	memset(scene, 0, sizeof(*scene));
	scene->question = (struct spg_fit_question){.modules = scene->modules,
		.n_modules = N_FILES,
		.ignore_case = next_random(&seed) % 2,
		.directories = directories,
		.n_directories = 1,
		.gone = scene->gone_paths,
		.n_gone = next_random(&seed) % 3 ? 0 : N_GONE};
	for (size_t i = 0; i < N_FILES; i++)
		add(scene, i, &seed);
	for (size_t i = 0; i < N_GONE; i++) {
		snprintf(scene->gone[i], sizeof(scene->gone[i]), "%s/Lib.dll",
			random_folder(&seed));
		scene->gone_paths[i] = scene->gone[i];
	}
	ck_assert_int_eq(spg_fit(&scene->fit, &scene->question), 0);
}

static void finish(struct scene *scene)
{
	spg_fit_finish(&scene->fit);
	for (size_t i = 0; i < N_FILES; i++)
		spg_binary_destroy(scene->pes[i]);
}

/* ---- what is so, the long way ---- */

static bool is_in_one_folder(const struct scene *scene, const char *a, const char *b)
{
	size_t n = (size_t)(spg_path_base(a) - a);

	if (n != (size_t)(spg_path_base(b) - b))
		return false;
	return (scene->question.ignore_case ? strncasecmp(a, b, n)
					    : strncmp(a, b, n)) == 0;
}

/* How well a file at @path, for the machine of @pe (NULL: any), suits @importer. */
static int rank(const struct scene *scene, size_t importer, const char *path,
	const struct spg_binary *pe)
{
	const struct spg_binary *own = scene->pes[importer];
	bool agrees = !pe || spg_binary_machines_agree(own, pe);

	if (is_in_one_folder(scene, scene->paths[importer], path))
		return 4;
	for (size_t i = 0; own->is_dll && i < N_FILES; i++)
		if (!scene->pes[i]->is_dll &&
			is_in_one_folder(scene, scene->paths[i], path) &&
			spg_binary_machines_agree(own, scene->pes[i]))
			return agrees ? 3 : 1;
	return agrees && is_in_one_folder(scene, path, "/b/") ? 2 : 0;
}

static size_t choose(const struct scene *scene, size_t importer, size_t *ret_elsewhere)
{
	size_t found = NONE;
	int best = 0;

	*ret_elsewhere = NONE;
	for (size_t i = 0; i < N_FILES; i++) {
		int is;

		if (strcasecmp(scene->modules[i].name, "lib.dll") != 0)
			continue;
		is = rank(scene, importer, scene->paths[i], scene->pes[i]);
		if (is > best) {
			best = is;
			found = i;
		}
		if (is == 0 && *ret_elsewhere == NONE &&
			spg_binary_machines_agree(scene->pes[importer], scene->pes[i]))
			*ret_elsewhere = i;
	}
	return found;
}

static bool was_there(const struct scene *scene, size_t importer)
{
	for (size_t i = 0; i < scene->question.n_gone; i++)
		if (rank(scene, importer, scene->gone[i], NULL) > 0)
			return true;
	return false;
}

static const struct spg_finding *finding_of(const struct scene *scene, size_t module)
{
	for (size_t i = 0; i < scene->fit.n_findings; i++)
		if (scene->fit.findings[i].module == module)
			return &scene->fit.findings[i];
	return NULL;
}

static const char *hint_of(const struct scene *scene, size_t module)
{
	for (size_t i = 0; i < scene->fit.n_hints; i++)
		if (scene->fit.hints[i].module == module)
			return scene->fit.hints[i].text;
	return NULL;
}

/* The version in @text says which file is meant. */
static void check_version(const char *text, size_t index)
{
	const char *version = text ? strstr(text, "1.0.0.") : NULL;

	ck_assert_ptr_nonnull(version);
	ck_assert_uint_eq(strtoul(version + strlen("1.0.0."), NULL, 10), index);
}

static void check_importer(const struct scene *scene, size_t importer)
{
	size_t elsewhere, found = choose(scene, importer, &elsewhere);
	const struct spg_finding *finding = finding_of(scene, importer);

	if (found != NONE) {
		ck_assert_ptr_nonnull(finding);
		ck_assert_int_eq(
			finding->kind, spg_binary_machines_agree(
					       scene->pes[importer], scene->pes[found])
					       ? SPG_FINDING_MISSING_EXPORT
					       : SPG_FINDING_ARCHITECTURE);
		check_version(finding->from_version, found);
	} else if (was_there(scene, importer)) {
		ck_assert_ptr_nonnull(finding);
		ck_assert_int_eq(finding->kind, SPG_FINDING_MISSING_MODULE);
	} else {
		ck_assert_ptr_null(finding);
		if (elsewhere == NONE)
			ck_assert_ptr_null(hint_of(scene, importer));
		else
			check_version(hint_of(scene, importer), elsewhere);
	}
}

START_TEST(as_by_comparing_all)
{
	struct scene scene;

	make(&scene, 246337 + (uint32_t)_i * 977);
	for (size_t i = 0; i < N_FILES; i++)
		if (scene.pes[i]->n_modules > 0)
			check_importer(&scene, i);
	finish(&scene);
}
END_TEST

/* ---- thousands ---- */

#define N_FOLDERS 5000

static size_t put(struct spg_fit_module *modules, size_t n, const char *path,
	const struct spg_binary *pe)
{
	modules[n] = (struct spg_fit_module){.path = strdup(path), .binary = pe};
	ck_assert_ptr_nonnull(modules[n].path);
	modules[n].name = spg_path_base(modules[n].path);
	return n + 1;
}

/* Of one name in as many folders, and as many that are gone; each folder has who wants
 * it, and another who does not find it. Each with each would be 100,000,000. */
START_TEST(thousands)
{
	struct spg_fit_module *modules = calloc(4 * N_FOLDERS, sizeof(*modules));
	const char **gone = calloc(N_FOLDERS, sizeof(*gone));
	struct spg_binary *lib = pe_make(&(struct pe_make){
		.exports = &(struct pe_make_export){"x", 1, NULL}, .n_exports = 1});
	struct spg_binary *user =
		pe_make(&(struct pe_make){.modules = FROM("lib.dll")});
	struct spg_binary *stray =
		pe_make(&(struct pe_make){.modules = FROM("old.dll")});
	struct spg_fit fit = SPG_FIT_NULL;
	size_t n = 0;

	for (unsigned i = 0; i < N_FOLDERS; i++) {
		char path[40];

		snprintf(path, sizeof(path), "/app/%u/lib.dll", i);
		n = put(modules, n, path, lib);
		snprintf(path, sizeof(path), "/app/%u/user.dll", i);
		n = put(modules, n, path, user);
		snprintf(path, sizeof(path), "/app/other-%u/user.dll", i);
		n = put(modules, n, path, user);
		snprintf(path, sizeof(path), "/app/other-%u/stray.dll", i);
		n = put(modules, n, path, stray);
		snprintf(path, sizeof(path), "/app/%s%u/old.dll", i % 2 ? "" : "other-",
			i);
		gone[i] = strdup(path);
		ck_assert_ptr_nonnull(gone[i]);
	}
	ck_assert_int_eq(spg_fit(&fit, &(struct spg_fit_question){.modules = modules,
					       .n_modules = n,
					       .gone = gone,
					       .n_gone = N_FOLDERS}),
		0);
	ck_assert_uint_eq(fit.n_checked, n);
	ck_assert_uint_eq(fit.n_hints, SPG_FIT_HINTS_MAX);
	ck_assert_uint_eq(fit.n_findings, N_FOLDERS / 2);
	for (size_t i = 0; i < fit.n_findings; i++)
		ck_assert_str_eq(fit.findings[i].from, "old.dll");
	spg_fit_finish(&fit);
	for (size_t i = 0; i < n; i++)
		free((char *)modules[i].path);
	for (size_t i = 0; i < N_FOLDERS; i++)
		free((char *)gone[i]);
	free(modules);
	free(gone);
	spg_binary_destroy(lib);
	spg_binary_destroy(user);
	spg_binary_destroy(stray);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("namesakes");

	tcase_add_loop_test(tc, as_by_comparing_all, 0, 200);
	tcase_add_test(tc, thousands);
	return spg_run_suite("namesakes", tc);
}
