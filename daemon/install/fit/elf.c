/* SPDX-License-Identifier: MIT */
/*
 * Programs and libraries of Linux: what each lacks when it is loaded (elf_set.h), against
 * how they are used. A program is judged with all it loads; a library that no program of
 * the product needs is a plugin (elf_plugins.c).
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"
#include "daemon/install/fit/elf_judging.h"
#include "daemon/install/fit/elf_words.h"
#include "daemon/install/fit/module.h"

/* ---- programs ---- */

static bool is_started(const struct spg_fit_module *module)
{
	return module->binary->format != SPG_BINARY_SCRIPT ||
	       spg_module_is_started_script(module->path);
}

/* Whoever starts a program of the product may have its own folders in PATH. */
static bool is_of_product(const struct spg_elf_judging *j, const char *name)
{
	for (size_t i = 0; i < j->question->n_modules; i++) {
		const struct spg_fit_module *module = &j->question->modules[i];

		if (strcmp(module->name, name) == 0 && module->binary &&
			(module->binary->format == SPG_BINARY_SCRIPT ||
				(module->binary->format == SPG_BINARY_ELF &&
					!module->binary->is_dll)))
			return true;
	}
	return false;
}

static int check_interpreter(struct spg_elf_judging *j, size_t module)
{
	const struct spg_fit_module *m = &j->question->modules[module];
	const char *path = spg_binary_text(m->binary, m->binary->interpreter);
	const char *started = NULL;
	size_t found;

	if (!path)
		return 0;
	j->set.unseen = false;
	found = spg_elf_set_find(&j->set, path);
	if (found != SPG_FIT_NONE && m->binary->format == SPG_BINARY_SCRIPT) {
		started = spg_elf_script_env(m->binary);
		found = spg_elf_script_program(&j->set.world, m->binary);
	}
	if (j->set.failed)
		return SPG_ERR_NOMEM;
	if (found != SPG_FIT_NONE || (started && is_of_product(j, started)))
		return 0;
	if (j->set.unseen)
		return spg_elf_tell_unseen(j->work, module);
	return spg_elf_tell_interpreter(j->work, module, started ? started : path,
		started && !strchr(started, '/'), !is_started(m));
}

/* The rules are those of glibc's loader; another one has its own. */
static bool is_of_glibc(const struct spg_binary *binary)
{
	const char *path = spg_binary_text(binary, binary->interpreter);
	const char *name = path ? spg_path_base(path) : NULL;

	return !name || strncmp(name, "ld-linux", 8) == 0 ||
	       strncmp(name, "ld64.so", 7) == 0 || strncmp(name, "ld.so", 5) == 0;
}

/* One made for musl where that is not installed: nobody starts it here. */
static int judge_of_other_loader(struct spg_elf_judging *j, size_t object)
{
	const struct spg_binary *binary = spg_elf_binary_of(j, object);
	const char *path = spg_binary_text(binary, binary->interpreter);
	int err;

	j->set.unseen = false;
	if (strncmp(spg_path_base(path), "ld-musl-", 8) == 0 &&
		spg_elf_set_find(&j->set, path) == SPG_FIT_NONE && !j->set.unseen &&
		!j->set.failed) {
		spg_elf_count_as_foreign(j);
		return 0;
	}
	err = check_interpreter(j, object);
	return err < 0 ? err : spg_elf_tell_other_loader(j->work, object);
}

static int judge_program(struct spg_elf_judging *j, size_t object)
{
	struct spg_elf_root root;
	int err;

	if (!is_of_glibc(spg_elf_binary_of(j, object)))
		return judge_of_other_loader(j, object);
	err = spg_elf_root_load(j, object, &root);
	if (err == 0)
		spg_elf_cover(j, &root);
	if (err == 0 && spg_elf_is_of_elsewhere(j, &root)) {
		spg_elf_count_as_foreign(j);
		spg_elf_root_finish(&root);
		return 0;
	}
	if (err == 0)
		err = check_interpreter(j, object);
	if (err == 0)
		err = spg_elf_excuse(j, &root);
	if (err == 0 && root.is_unseen)
		err = spg_elf_tell_unseen(j->work, object);
	for (size_t i = 0; err == 0 && i < root.loading.n_lacks; i++)
		if (spg_elf_is_to_tell(j, &root, &root.loading.lacks[i]))
			err = spg_elf_tell(j, &root, &root.loading.lacks[i]);
	spg_elf_root_finish(&root);
	return err;
}

/* ---- all ---- */

static int check_scripts(struct spg_elf_judging *j)
{
	const struct spg_fit_question *q = j->question;
	int err = 0;

	for (size_t i = 0; err == 0 && i < q->n_modules; i++)
		if (q->modules[i].binary && !q->modules[i].is_link &&
			q->modules[i].binary->format == SPG_BINARY_SCRIPT)
			err = check_interpreter(j, i);
	return err;
}

static int judge_all(struct spg_elf_judging *j)
{
	size_t n = j->question->n_modules;
	bool *is_needed = calloc(j->set.n_objects + 1, sizeof(is_needed[0]));
	int err = is_needed ? check_scripts(j) : SPG_ERR_NOMEM;

	for (size_t i = 0; err == 0 && i < n; i++)
		if (spg_elf_is_module(j, i) && !j->question->modules[i].binary->is_dll)
			err = judge_program(j, i);
	/* Those that others need are judged with them. */
	for (size_t i = 0; err == 0 && i < n; i++) {
		struct spg_elf_root root;

		if (!spg_elf_is_module(j, i) || j->covered[i])
			continue;
		err = spg_elf_root_load(j, i, &root);
		for (size_t k = 1; err == 0 && k < root.loading.n; k++)
			is_needed[root.loading.objects[k]] = true;
		if (err == 0)
			err = spg_elf_set_want(&j->set, &root.loading);
		spg_elf_root_finish(&root);
	}
	if (err == 0)
		err = spg_elf_set_find_definitions(&j->set);
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; err == 0 && i < n; i++)
			if (spg_elf_is_module(j, i) && !j->covered[i] &&
				(round || !is_needed[i]))
				err = spg_elf_judge_plugin(j, i);
	free(is_needed);
	return err;
}

static bool has_any(const struct spg_fit_question *question)
{
	for (size_t i = 0; i < question->n_modules; i++)
		if (question->modules[i].binary &&
			question->modules[i].binary->format != SPG_BINARY_PE)
			return true;
	return false;
}

/* Nobody has looked around: nothing is known of what they need. */
static int tell_all_unseen(const struct spg_elf_judging *j)
{
	int err = 0;

	for (size_t i = 0; err == 0 && i < j->question->n_modules; i++)
		if (spg_elf_is_module(j, i))
			err = spg_elf_tell_unseen(j->work, i);
	return err;
}

int spg_fit_elf(struct spg_fit_work *work)
{
	struct spg_elf_judging j = {.work = work, .question = work->question};
	int err;

	if (!has_any(work->question))
		return 0;
	if (!work->question->around)
		return tell_all_unseen(&j);
	err = spg_elf_set_init(&j.set, work->question);
	j.covered = calloc(j.set.n_objects + 1, sizeof(j.covered[0]));
	j.told = calloc(j.set.n_objects + 1, sizeof(j.told[0]));
	j.hinted = calloc(work->question->n_modules + 1, sizeof(j.hinted[0]));
	if (!j.covered || !j.told || !j.hinted)
		err = SPG_ERR_NOMEM;
	if (err == 0)
		err = spg_elf_know_former(&j);
	if (err == 0)
		err = judge_all(&j);
	for (size_t i = 0; j.told && i < j.set.n_objects; i++)
		free(j.told[i]);
	free(j.told);
	free(j.former);
	free(j.hinted);
	free(j.covered);
	spg_elf_set_finish(&j.set);
	return err;
}
