/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/elf_symbols.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"

/* ---- names ---- */

struct name {
	const char *bytes; /* borrowed */
	uint32_t number;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->bytes, ((const struct name *)b)->bytes);
}

static int number_of(struct spg_elf_symbols *symbols, const char *text, uint32_t *ret)
{
	struct name wanted = {text, (uint32_t)symbols->n_names}, *made;
	struct name *const *known = tfind(&wanted, &symbols->tree, compare_names);

	if (known) {
		*ret = (*known)->number;
		return 0;
	}
	if (spg_array_reserve(&symbols->first, symbols->n_names, &symbols->names_size,
		    sizeof(symbols->first[0])) < 0)
		return SPG_ERR_NOMEM;
	made = malloc(sizeof(*made));
	if (!made)
		return SPG_ERR_NOMEM;
	*made = wanted;
	if (!tsearch(made, &symbols->tree, compare_names)) {
		free(made);
		return SPG_ERR_NOMEM;
	}
	symbols->first[symbols->n_names++] = 0;
	*ret = wanted.number;
	return 0;
}

/* ---- objects ---- */

int spg_elf_symbols_init(struct spg_elf_symbols *symbols, size_t n_objects)
{
	*symbols = (struct spg_elf_symbols){.n_objects = n_objects};
	symbols->binaries = calloc(n_objects + 1, sizeof(symbols->binaries[0]));
	symbols->imports = calloc(n_objects + 1, sizeof(symbols->imports[0]));
	symbols->stamps = calloc(n_objects + 1, sizeof(symbols->stamps[0]));
	symbols->order = calloc(n_objects + 1, sizeof(symbols->order[0]));
	return symbols->binaries && symbols->imports && symbols->stamps &&
	                       symbols->order
	               ? 0
	               : SPG_ERR_NOMEM;
}

void spg_elf_symbols_finish(struct spg_elf_symbols *symbols)
{
	for (size_t i = 0; symbols->imports && i < symbols->n_objects; i++)
		free(symbols->imports[i]);
	tdestroy(symbols->tree, free);
	free(symbols->binaries);
	free(symbols->imports);
	free(symbols->stamps);
	free(symbols->order);
	free(symbols->first);
	free(symbols->definitions);
	*symbols = (struct spg_elf_symbols){0};
}

static int add_definition(struct spg_elf_symbols *symbols, size_t object,
	uint32_t export, uint32_t number)
{
	uint32_t at = symbols->first[number];
	unsigned n = 0;

	while (at && n < SPG_ELF_SAME_NAME_MAX &&
		symbols->definitions[at - 1].object == object) {
		at = symbols->definitions[at - 1].next;
		n++;
	}
	if (n == SPG_ELF_SAME_NAME_MAX)
		return 0;
	if (spg_array_reserve(&symbols->definitions, symbols->n_definitions,
		    &symbols->definitions_size, sizeof(symbols->definitions[0])) < 0)
		return SPG_ERR_NOMEM;
	symbols->definitions[symbols->n_definitions++] = (struct spg_elf_definition){
		(uint32_t)object, export, symbols->first[number]};
	symbols->first[number] = (uint32_t)symbols->n_definitions;
	return 0;
}

int spg_elf_symbols_add(
	struct spg_elf_symbols *symbols, size_t object, const struct spg_binary *binary)
{
	uint32_t *imports, number;
	int err = 0;

	if (symbols->binaries[object])
		return 0;
	imports = calloc((size_t)binary->n_imports + 1, sizeof(imports[0]));
	if (!imports)
		return SPG_ERR_NOMEM;
	symbols->imports[object] = imports;
	for (uint32_t i = 0; err == 0 && i < binary->n_imports; i++)
		err = number_of(symbols,
			spg_binary_text(binary, binary->imports[i].name), &imports[i]);
	for (uint32_t i = 0; err == 0 && i < binary->n_exports; i++) {
		err = number_of(symbols,
			spg_binary_text(binary, binary->exports[i].name), &number);
		if (err == 0)
			err = add_definition(symbols, object, i, number);
	}
	if (err == 0)
		symbols->binaries[object] = binary;
	return err;
}

int spg_elf_symbols_want(struct spg_elf_symbols *symbols, size_t object,
	const struct spg_binary *binary, uint32_t import)
{
	uint32_t *imports = symbols->imports[object];

	if (!imports) {
		imports = malloc(((size_t)binary->n_imports + 1) * sizeof(imports[0]));
		if (!imports)
			return SPG_ERR_NOMEM;
		for (uint32_t i = 0; i < binary->n_imports; i++)
			imports[i] = UINT32_MAX;
		symbols->imports[object] = imports;
		symbols->binaries[object] = binary;
	}
	return number_of(symbols, spg_binary_text(binary, binary->imports[import].name),
		&imports[import]);
}

int spg_elf_symbols_offer(
	struct spg_elf_symbols *symbols, size_t object, const struct spg_binary *binary)
{
	int err = 0;

	symbols->binaries[object] = binary;
	for (uint32_t i = 0; err == 0 && i < binary->n_exports; i++) {
		struct name name = {
			spg_binary_text(binary, binary->exports[i].name), 0};
		struct name *const *known = tfind(&name, &symbols->tree, compare_names);

		if (known)
			err = add_definition(symbols, object, i, (*known)->number);
	}
	return err;
}

/* ---- scopes ---- */

void spg_elf_symbols_begin_scope(struct spg_elf_symbols *symbols)
{
	symbols->stamp++;
	symbols->n_in_scope = 0;
}

void spg_elf_symbols_in_scope(struct spg_elf_symbols *symbols, size_t object)
{
	symbols->stamps[object] = symbols->stamp;
	symbols->order[object] = symbols->n_in_scope++;
}

const struct spg_elf_definition *spg_elf_symbols_first(
	const struct spg_elf_symbols *symbols, size_t object, uint32_t import)
{
	const uint32_t *numbers = symbols->imports[object];
	uint32_t first = numbers && numbers[import] != UINT32_MAX
	                         ? symbols->first[numbers[import]]
	                         : 0;

	return first ? &symbols->definitions[first - 1] : NULL;
}

const struct spg_elf_definition *spg_elf_symbols_next(
	const struct spg_elf_symbols *symbols, const struct spg_elf_definition *of)
{
	return of->next ? &symbols->definitions[of->next - 1] : NULL;
}

enum match { NO, PERHAPS, YES, FATAL };

static bool is_library_of(const struct spg_binary *has, const struct spg_binary *needs,
	const struct spg_binary_version *version)
{
	const char *soname = spg_binary_text(has, has->soname);

	return soname && strcmp(soname, spg_binary_text(needs, version->module)) == 0;
}

/* PERHAPS: when it is the only one of its object. */
static enum match matches(const struct spg_binary *needs,
	const struct spg_binary_import *import, const struct spg_binary *has,
	const struct spg_binary_export *export)
{
	const struct spg_binary_version *version =
		import->version ? &needs->versions[import->version - 1] : NULL;

	if (export->undefined && !import->by_address)
		return NO;
	if (!has->has_versions)
		return version && is_library_of(has, needs, version) ? FATAL : YES;
	if (!version)
		return export->first_version ? YES : export->hidden ? NO : PERHAPS;
	if (export->version && strcmp(spg_binary_text(has, export->version),
				       spg_binary_text(needs, version->name)) == 0)
		return YES;
	return !export->version && !version->hidden && !export->hidden ? YES : NO;
}

/* How far the search has come: the first that matches ends it. */
struct search {
	uint32_t first; /* place in the scope; UINT32_MAX: none yet */
	bool fatal;     /* and there it ends the program */
	uint32_t perhaps_at;
	unsigned n_perhaps;
};

static void take_match(struct search *s, uint32_t at, enum match match)
{
	if (match == NO || at >= s->first)
		return;
	if (match != PERHAPS) {
		s->first = at;
		s->fatal = match == FATAL;
		return;
	}
	if (s->perhaps_at != at)
		s->n_perhaps = 0;
	s->perhaps_at = at;
	s->n_perhaps++;
}

/* The definitions of one object are over. */
static void end_object(struct search *s)
{
	if (s->n_perhaps == 1 && s->perhaps_at < s->first) {
		s->first = s->perhaps_at;
		s->fatal = false;
	}
	s->n_perhaps = 0;
}

bool spg_elf_symbols_is_found(const struct spg_elf_symbols *symbols, size_t root,
	size_t object, uint32_t import)
{
	const struct spg_binary *needs = symbols->binaries[object];
	const struct spg_binary_import *wanted = &needs->imports[import];
	struct search search = {.first = UINT32_MAX};
	const struct spg_elf_definition *d;
	uint32_t last = UINT32_MAX;

	if (wanted->weak)
		return true;
	/* Those of one object stand together. */
	for (d = spg_elf_symbols_first(symbols, object, import); d;
		d = spg_elf_symbols_next(symbols, d)) {
		const struct spg_binary *has = symbols->binaries[d->object];

		if (d->object != last)
			end_object(&search);
		last = d->object;
		if (symbols->stamps[last] == symbols->stamp &&
			!(wanted->copied && last == root))
			take_match(&search, symbols->order[last],
				matches(needs, wanted, has, &has->exports[d->export]));
	}
	end_object(&search);
	return search.first != UINT32_MAX && !search.fatal;
}
