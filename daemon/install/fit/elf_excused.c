/* SPDX-License-Identifier: MIT */
/*
 * Libraries that a product needs and that stand elsewhere (libraries-outside): which
 * symbols that nobody here defines may be theirs.
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"
#include "daemon/install/fit/elf_judging.h"
#include "daemon/install/fit/elf_words.h"
#include "daemon/install/fit/module_set.h"

/* ---- what the product defined before ---- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* One that has moved outside since has taken its symbols along. */
static bool is_counted(const struct spg_elf_judging *j, const struct spg_module *module)
{
	const struct spg_binary *binary = module->binary;
	const char *soname;

	if (!binary || binary->format != SPG_BINARY_ELF)
		return false;
	soname = spg_binary_text(binary, binary->soname);
	return !spg_elf_is_outside(
		j->question, soname ? soname : spg_path_base(module->path));
}

int spg_elf_know_former(struct spg_elf_judging *j)
{
	const struct spg_module_set *before = j->question->before;
	size_t n = 0;

	if (!before || j->question->n_outside == 0)
		return 0;
	for (size_t i = 0; i < before->n; i++)
		if (is_counted(j, before->modules[i]))
			n += before->modules[i]->binary->n_exports;
	j->former = calloc(n + 1, sizeof(j->former[0]));
	if (!j->former)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < before->n; i++) {
		const struct spg_binary *binary = before->modules[i]->binary;

		if (!is_counted(j, before->modules[i]))
			continue;
		for (uint32_t k = 0; k < binary->n_exports; k++)
			j->former[j->n_former++] =
				spg_binary_text(binary, binary->exports[k].name);
	}
	qsort(j->former, j->n_former, sizeof(j->former[0]), compare_names);
	return 0;
}

/* ---- who needs a library that is not here ---- */

/* A library that is loaded, by one of its names. */
struct known {
	const char *name;
	size_t at; /* its place */
};

/* What one of all that is loaded needs. */
struct closure {
	const struct spg_elf_loading *loading;
	struct known *known; /* by name */
	size_t n_known;
	bool *reached; /* per place */
	size_t *queue;
};

static int compare_known(const void *a, const void *b)
{
	return strcmp(((const struct known *)a)->name, ((const struct known *)b)->name);
}

static void finish_closure(struct closure *c)
{
	free(c->known);
	free(c->reached);
	free(c->queue);
}

static int begin_closure(const struct spg_elf_judging *j,
	const struct spg_elf_loading *loading, struct closure *c)
{
	*c = (struct closure){.loading = loading};
	c->known = calloc(2 * loading->n, sizeof(c->known[0]));
	c->reached = calloc(loading->n, sizeof(c->reached[0]));
	c->queue = calloc(loading->n, sizeof(c->queue[0]));
	if (!c->known || !c->reached || !c->queue)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < loading->n; i++) {
		struct spg_elf_object object =
			spg_elf_set_object(&j->set, loading->objects[i]);
		const char *soname =
			spg_binary_text(object.binary, object.binary->soname);

		c->known[c->n_known++] = (struct known){spg_path_base(object.path), i};
		if (soname)
			c->known[c->n_known++] = (struct known){soname, i};
	}
	qsort(c->known, c->n_known, sizeof(c->known[0]), compare_known);
	return 0;
}

/* What the one at @at needs, directly and through others, into @c->reached. True when one
 * of that is not here. */
static bool reach(const struct spg_elf_judging *j, struct closure *c, size_t at)
{
	size_t n = 1;

	memset(c->reached, 0, c->loading->n * sizeof(c->reached[0]));
	c->queue[0] = at;
	c->reached[at] = true;
	for (size_t i = 0; i < n; i++) {
		const struct spg_binary *binary =
			spg_elf_binary_of(j, c->loading->objects[c->queue[i]]);

		for (uint32_t k = 0; k < binary->n_modules; k++) {
			const struct known wanted = {
				spg_binary_text(binary, binary->modules[k].name), 0};
			const struct known *next = bsearch(&wanted, c->known,
				c->n_known, sizeof(wanted), compare_known);

			if (!next && binary->modules[k].optional)
				continue;
			if (!next)
				return true;
			if (!c->reached[next->at])
				c->queue[n++] = next->at;
			c->reached[next->at] = true;
		}
	}
	return false;
}

/* Does it find all that it finds in what it needs itself? Then it was linked with all that
 * it uses; else it relies on others that are loaded with it. */
static bool stands_alone(
	struct spg_elf_judging *j, const struct closure *c, size_t object)
{
	const struct spg_elf_loading *loading = c->loading;
	struct spg_elf_symbols *symbols = &j->set.symbols;
	size_t n_lacks = 0, n_alone = 0;

	for (size_t i = 0; i < loading->n_lacks; i++)
		n_lacks += loading->lacks[i].kind == SPG_ELF_NO_SYMBOL &&
		           loading->lacks[i].object == object;
	spg_elf_symbols_begin_scope(symbols);
	for (size_t i = 0; i < loading->n; i++)
		if (c->reached[i])
			spg_elf_symbols_in_scope(symbols, loading->objects[i]);
	for (uint32_t k = 0; k < spg_elf_binary_of(j, object)->n_imports; k++)
		n_alone += !spg_elf_symbols_is_found(
			symbols, loading->objects[0], object, k);
	return n_alone == n_lacks;
}

static int find_own(
	struct spg_elf_judging *j, struct spg_elf_root *root, struct closure *c)
{
	const struct spg_elf_loading *loading = &root->loading;
	size_t last = SPG_FIT_NONE;
	int err = 0;

	for (size_t i = 0; err == 0 && i < loading->n; i++)
		err = spg_elf_symbols_add(&j->set.symbols, loading->objects[i],
			spg_elf_binary_of(j, loading->objects[i]));
	for (size_t i = 0; err == 0 && i < loading->n_lacks; i++) {
		size_t at = 0;

		if (loading->lacks[i].kind != SPG_ELF_NO_SYMBOL ||
			loading->lacks[i].object == last)
			continue;
		last = loading->lacks[i].object;
		while (loading->objects[at] != last)
			at++;
		root->is_own[at] = !reach(j, c, at) && stands_alone(j, c, last);
	}
	return err;
}

static bool has_symbols(const struct spg_elf_loading *loading)
{
	return loading->n_lacks > 0 &&
	       loading->lacks[loading->n_lacks - 1].kind == SPG_ELF_NO_SYMBOL;
}

int spg_elf_excuse(struct spg_elf_judging *j, struct spg_elf_root *root)
{
	const struct spg_elf_loading *loading = &root->loading;
	struct closure c;
	int err;

	if (!root->lacks_library || !has_symbols(loading))
		return 0;
	for (size_t i = 0; i < loading->n_lacks; i++) {
		const struct spg_binary *needs =
			spg_elf_binary_of(j, loading->lacks[i].object);

		/* What else is missing is told, and may have defined anything. */
		if (loading->lacks[i].kind == SPG_ELF_NO_LIBRARY &&
			(loading->lacks[i].other != SPG_FIT_NONE ||
				!spg_elf_is_outside(j->question,
					spg_binary_text(needs,
						needs->modules[loading->lacks[i].index]
							.name))))
			return 0;
	}
	root->is_own = calloc(loading->n, sizeof(root->is_own[0]));
	err = begin_closure(j, loading, &c);
	if (err == 0)
		err = root->is_own ? find_own(j, root, &c) : SPG_ERR_NOMEM;
	finish_closure(&c);
	return err;
}

bool spg_elf_was_own_symbol(const struct spg_elf_judging *j,
	const struct spg_elf_root *root, const struct spg_elf_lack *lack)
{
	const struct spg_binary *binary = spg_elf_binary_of(j, lack->object);
	const char *name = spg_binary_text(binary, binary->imports[lack->index].name);
	const struct spg_elf_telling telling = {
		j->work, &j->set, &root->loading, root->object, root->host};

	return (j->former && bsearch(&name, j->former, j->n_former,
				     sizeof(j->former[0]), compare_names)) ||
	       spg_elf_was_told(&telling, lack);
}

bool spg_elf_is_own_symbol(const struct spg_elf_judging *j,
	const struct spg_elf_root *root, const struct spg_elf_lack *lack)
{
	if (!root->is_own)
		return false;
	for (size_t i = 0; i < root->loading.n; i++)
		if (root->loading.objects[i] == lack->object && root->is_own[i])
			return true;
	return spg_elf_was_own_symbol(j, root, lack);
}
