/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/elf_judging.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"
#include "daemon/install/fit/elf_words.h"

bool spg_elf_is_module(const struct spg_elf_judging *j, size_t module)
{
	const struct spg_binary *binary = j->question->modules[module].binary;

	return binary && binary->format == SPG_BINARY_ELF &&
	       !j->question->modules[module].is_link;
}

const struct spg_binary *spg_elf_binary_of(
	const struct spg_elf_judging *j, size_t object)
{
	return spg_elf_set_object(&j->set, object).binary;
}

/* Has it been told of that object? Then not again. */
static int note_told(
	struct spg_elf_judging *j, const struct spg_elf_lack *lack, bool *ret_was)
{
	const struct spg_binary *b = spg_elf_binary_of(j, lack->object);
	size_t at = lack->index;
	uint8_t *told = j->told[lack->object];

	if (!told) {
		told = calloc(
			(size_t)b->n_modules + b->n_versions + b->n_imports + 1, 1);
		if (!told)
			return SPG_ERR_NOMEM;
		j->told[lack->object] = told;
	}
	if (lack->kind != SPG_ELF_NO_LIBRARY)
		at += b->n_modules;
	if (lack->kind == SPG_ELF_NO_SYMBOL)
		at += b->n_versions;
	*ret_was = told[at];
	told[at] = 1;
	return 0;
}

/* ---- loading one ---- */

void spg_elf_root_finish(struct spg_elf_root *root)
{
	spg_elf_loading_finish(&root->loading);
	free(root->is_own);
	for (size_t i = 0; i < root->n_assumed; i++)
		free(root->assumed[i]);
	free(root->directories);
}

/* A library of that name in another folder of the product: whoever starts the program may
 * tell the loader to look there. */
static size_t find_elsewhere(struct spg_elf_judging *j, const struct spg_elf_lack *lack)
{
	const struct spg_binary *needs = spg_elf_binary_of(j, lack->object);
	const char *name = spg_binary_text(needs, needs->modules[lack->index].name);
	const struct spg_fit_namesakes *modules = &j->work->index.modules;
	size_t first, n = spg_fit_namesakes_find(modules, spg_fit_whole(name), &first);

	for (size_t at = first; at < first + n; at++) {
		size_t i = modules->files[at].index;
		const struct spg_fit_module *module = &j->question->modules[i];

		if (strcmp(module->name, name) == 0 && module->binary &&
			spg_binary_machines_agree(module->binary, needs))
			return i;
	}
	return SPG_FIT_NONE;
}

static int assume(struct spg_elf_judging *j, struct spg_elf_root *root, size_t library)
{
	const char *path = j->question->modules[library].path;
	char *folder = strndup(path, (size_t)(spg_path_base(path) - path));

	if (!folder)
		return SPG_ERR_NOMEM;
	root->assumed[root->n_assumed++] = folder;
	root->directories[root->n_directories++] = folder;
	return 0;
}

/* Of a program nobody knows whether it starts; a plugin is loaded by one that may have the
 * library already. */
static int tell_elsewhere(struct spg_elf_judging *j, const struct spg_elf_root *root,
	const struct spg_elf_lack *lack, size_t library)
{
	bool is_program = root->object < j->question->n_modules &&
	                  !spg_elf_binary_of(j, root->object)->is_dll;

	return spg_elf_tell_elsewhere(
		j->work, &j->set, root->object, lack, library, !is_program);
}

/* Folders for libraries that are not found, but are in the product: how many more. */
static int assume_more(struct spg_elf_judging *j, struct spg_elf_root *root)
{
	size_t before = root->n_assumed;
	int err = 0;

	/* Nobody tells the loader of one that runs with more rights. */
	if (spg_elf_set_object(&j->set, root->object).is_secure)
		return 0;
	for (size_t i = 0; err == 0 && i < root->loading.n_lacks; i++) {
		const struct spg_elf_lack *lack = &root->loading.lacks[i];
		size_t library;

		if (lack->kind != SPG_ELF_NO_LIBRARY ||
			root->n_assumed >= SPG_ELF_ASSUMED_MAX)
			continue;
		library = find_elsewhere(j, lack);
		if (library == SPG_FIT_NONE)
			continue;
		/* Of many that need it, one is enough. */
		if (!j->hinted[library])
			err = tell_elsewhere(j, root, lack, library);
		j->hinted[library] = true;
		if (err == 0)
			err = assume(j, root, library);
	}
	return err < 0 ? err : root->n_assumed > before;
}

int spg_elf_root_load(
	struct spg_elf_judging *j, size_t object, struct spg_elf_root *ret)
{
	size_t n = j->question->n_library_path;
	int err;

	*ret = (struct spg_elf_root){.object = object, .host = SPG_FIT_NONE};
	ret->directories = calloc(n + SPG_ELF_ASSUMED_MAX, sizeof(ret->directories[0]));
	if (!ret->directories)
		return SPG_ERR_NOMEM;
	for (; ret->n_directories < n; ret->n_directories++)
		ret->directories[ret->n_directories] =
			j->question->library_path[ret->n_directories];
	do {
		spg_elf_loading_finish(&ret->loading);
		if (ret->n_assumed > 0 ||
			!spg_elf_set_recall(&j->set, object, &ret->loading, &err))
			err = spg_elf_set_load(&j->set, object, ret->directories,
				ret->n_directories, &ret->loading);
		/* In the product's own folders what was not looked at is not there. */
		if (ret->n_assumed == 0)
			ret->is_unseen = ret->loading.is_unseen;
		if (err == 0)
			err = assume_more(j, ret);
	} while (err > 0);
	for (size_t i = 0; err == 0 && i < ret->loading.n_lacks; i++)
		if (ret->loading.lacks[i].kind == SPG_ELF_NO_LIBRARY)
			ret->lacks_library = true;
	return err;
}

/* ---- telling ---- */

/* A symbol of a version that is told to be missing as a whole. */
static bool is_of_missing_version(const struct spg_elf_judging *j,
	const struct spg_elf_root *root, const struct spg_elf_lack *lack)
{
	const struct spg_binary *binary = spg_elf_binary_of(j, lack->object);
	uint32_t version = binary->imports[lack->index].version;

	for (size_t i = 0; version && i < root->loading.n_lacks; i++) {
		const struct spg_elf_lack *other = &root->loading.lacks[i];

		if (other->kind == SPG_ELF_NO_VERSION &&
			other->object == lack->object && other->index == version - 1)
			return true;
	}
	return false;
}

/* Who of @root lacks the library that should have the symbol, as far as is known: one
 * without a version may be of any that is missing. */
static bool is_of_missing_library(const struct spg_elf_judging *j,
	const struct spg_elf_root *root, const struct spg_elf_lack *lack)
{
	const struct spg_binary *binary = spg_elf_binary_of(j, lack->object);
	uint32_t version = binary->imports[lack->index].version;

	if (!root->lacks_library || version == 0)
		return root->lacks_library && !spg_elf_is_own_symbol(j, root, lack);
	for (size_t i = 0; i < root->loading.n_lacks; i++) {
		const struct spg_elf_lack *other = &root->loading.lacks[i];
		const struct spg_binary *needs = spg_elf_binary_of(j, other->object);

		if (other->kind == SPG_ELF_NO_LIBRARY &&
			strcmp(spg_binary_text(
				       needs, needs->modules[other->index].name),
				spg_binary_text(binary,
					binary->versions[version - 1].module)) == 0)
			return true;
	}
	return false;
}

/* Where libraries are missing nobody knows what they would define. */
bool spg_elf_is_to_tell(const struct spg_elf_judging *j,
	const struct spg_elf_root *root, const struct spg_elf_lack *lack)
{
	return lack->kind != SPG_ELF_NO_SYMBOL ||
	       (!is_of_missing_library(j, root, lack) &&
		       !is_of_missing_version(j, root, lack));
}

int spg_elf_tell(struct spg_elf_judging *j, const struct spg_elf_root *root,
	const struct spg_elf_lack *lack)
{
	struct spg_elf_telling telling = {j->work, &j->set, &root->loading,
		root->object, root->host, root->hosted};
	bool was;
	int err = note_told(j, lack, &was);

	if (err < 0 || was)
		return err;
	switch (lack->kind) {
	case SPG_ELF_NO_LIBRARY:
		return spg_elf_tell_library(&telling, lack);
	case SPG_ELF_NO_VERSION:
		return spg_elf_tell_version(&telling, lack);
	case SPG_ELF_NO_SYMBOL:
		break;
	}
	return spg_elf_tell_symbol(&telling, lack);
}

void spg_elf_cover(struct spg_elf_judging *j, const struct spg_elf_root *root)
{
	for (size_t i = 0; i < root->loading.n; i++)
		j->covered[root->loading.objects[i]] = true;
}

/* Made for musl: where that is not installed, nobody starts it here. */
static bool needs_other_c_library(const struct spg_binary *binary)
{
	for (uint32_t i = 0; i < binary->n_modules; i++)
		if (strncmp(spg_binary_text(binary, binary->modules[i].name),
			    "libc.musl-", 10) == 0)
			return true;
	return false;
}

/* For another machine than this one, whose libraries are not here: nobody can tell. */
bool spg_elf_is_of_elsewhere(
	const struct spg_elf_judging *j, const struct spg_elf_root *root)
{
	const struct spg_binary *self =
		j->question->around ? j->question->around->self : NULL;

	if (!self || !root->lacks_library)
		return false;
	return needs_other_c_library(spg_elf_binary_of(j, root->object)) ||
	       !spg_binary_machines_agree(self, spg_elf_binary_of(j, root->object));
}

void spg_elf_count_as_foreign(struct spg_elf_judging *j)
{
	j->work->fit->n_foreign++;
	if (j->work->fit->n_checked)
		j->work->fit->n_checked--;
}
