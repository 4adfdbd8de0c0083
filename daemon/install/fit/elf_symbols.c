/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/elf_symbols.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"

/* ---- names ---- */

struct name {
	const char *text; /* borrowed */
	uint32_t number;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
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
	return symbols->binaries && symbols->imports && symbols->stamps ? 0
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
	free(symbols->first);
	free(symbols->definitions);
	*symbols = (struct spg_elf_symbols){0};
}

static int add_definition(struct spg_elf_symbols *symbols, size_t object,
	uint32_t export, uint32_t number)
{
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

/* ---- scopes ---- */

void spg_elf_symbols_begin_scope(struct spg_elf_symbols *symbols)
{
	symbols->stamp++;
}

void spg_elf_symbols_in_scope(struct spg_elf_symbols *symbols, size_t object)
{
	symbols->stamps[object] = symbols->stamp;
}

const struct spg_elf_definition *spg_elf_symbols_first(
	const struct spg_elf_symbols *symbols, size_t object, uint32_t import)
{
	uint32_t first = symbols->first[symbols->imports[object][import]];

	return first ? &symbols->definitions[first - 1] : NULL;
}

const struct spg_elf_definition *spg_elf_symbols_next(
	const struct spg_elf_symbols *symbols, const struct spg_elf_definition *of)
{
	return of->next ? &symbols->definitions[of->next - 1] : NULL;
}

enum match { NO, PERHAPS, YES };

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
		return YES;
	if (!version)
		return export->first_version ? YES : export->hidden ? NO : PERHAPS;
	if (export->version && strcmp(spg_binary_text(has, export->version),
				       spg_binary_text(needs, version->name)) == 0)
		return YES;
	return !export->version && !version->hidden && !export->hidden ? YES : NO;
}

bool spg_elf_symbols_is_found(const struct spg_elf_symbols *symbols, size_t root,
	size_t object, uint32_t import)
{
	const struct spg_binary *needs = symbols->binaries[object];
	const struct spg_binary_import *wanted = &needs->imports[import];
	const struct spg_elf_definition *definition;
	uint32_t last = UINT32_MAX;
	unsigned n_perhaps = 0;

	if (wanted->weak)
		return true;
	/* Those of one object stand together. */
	for (definition = spg_elf_symbols_first(symbols, object, import); definition;
		definition = spg_elf_symbols_next(symbols, definition)) {
		const struct spg_binary *has = symbols->binaries[definition->object];

		if (definition->object != last && n_perhaps == 1)
			return true;
		if (definition->object != last)
			n_perhaps = 0;
		last = definition->object;
		if (symbols->stamps[last] != symbols->stamp ||
			(wanted->copied && last == root))
			continue;
		switch (matches(
			needs, wanted, has, &has->exports[definition->export])) {
		case YES:
			return true;
		case PERHAPS:
			n_perhaps++;
			break;
		case NO:
			break;
		}
	}
	return n_perhaps == 1;
}
