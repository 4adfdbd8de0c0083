/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/index.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"

/* ---- modules ---- */

static int compare_modules(const void *a, const void *b, void *user)
{
	const struct spg_fit_module *modules = user;
	size_t one = *(const size_t *)a, two = *(const size_t *)b;
	int order = spg_fit_compare(spg_fit_whole(modules[one].name),
		spg_fit_whole(modules[two].name), true);

	return order ? order : (one > two) - (one < two);
}

int spg_fit_index_init(
	struct spg_fit_index *index, const struct spg_fit_question *question)
{
	size_t n = question->n_modules;

	*index = (struct spg_fit_index){.question = question};
	if (spg_fit_loader_init(&index->loader, question) < 0)
		return SPG_ERR_NOMEM;
	index->by_name = calloc(n + 1, sizeof(index->by_name[0]));
	index->exports = calloc(n + 1, sizeof(index->exports[0]));
	if (!index->by_name || !index->exports)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < n; i++)
		index->by_name[i] = i;
	/* The modules are only read. */
	qsort_r(index->by_name, n, sizeof(index->by_name[0]), compare_modules,
		(void *)question->modules);
	return 0;
}

void spg_fit_index_finish(struct spg_fit_index *index)
{
	for (size_t i = 0; index->exports && i < index->question->n_modules; i++) {
		free(index->exports[i].by_name);
		free(index->exports[i].by_ordinal);
	}
	spg_fit_loader_finish(&index->loader);
	free(index->exports);
	free(index->by_name);
	index->exports = NULL;
	index->by_name = NULL;
}

/* Place in by_name of the first module called @name, or where it would be. */
static size_t first_called(const struct spg_fit_index *index, struct spg_fit_text name)
{
	size_t low = 0, high = index->question->n_modules;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		size_t module = index->by_name[middle];

		if (spg_fit_compare(
			    spg_fit_whole(index->question->modules[module].name), name,
			    true) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const char *spg_fit_library_name(struct spg_fit_text name, char *buf)
{
	size_t n = name.n < SPG_PE_SYMBOL_MAX ? name.n : SPG_PE_SYMBOL_MAX;

	memcpy(buf, name.text, n);
	memcpy(buf + n, ".dll", sizeof(".dll"));
	if (memchr(buf, '.', n))
		buf[n] = '\0';
	return buf;
}

/* How well @module suits @importer: the greatest is taken, of equals the first; 0: it is
 * not where Windows looks. */
static int suits(const struct spg_fit_index *index, size_t importer, size_t module)
{
	const struct spg_fit_module *modules = index->question->modules;
	const struct spg_pe *pe = modules[module].pe;
	enum spg_fit_place place =
		spg_fit_loader_place(&index->loader, importer, modules[module].path);
	bool agrees = !pe || spg_pe_machines_agree(modules[importer].pe, pe);

	switch (place) {
	case SPG_FIT_OWN:
		return 4;
	case SPG_FIT_PROGRAM:
		return agrees ? 3 : 1;
	case SPG_FIT_CONFIGURED:
		return agrees ? 2 : 0;
	case SPG_FIT_ELSEWHERE:
		break;
	}
	return 0;
}

struct spg_fit_target spg_fit_index_module(
	const struct spg_fit_index *index, size_t importer, struct spg_fit_text name)
{
	const struct spg_fit_question *question = index->question;
	struct spg_fit_target target = {SPG_FIT_NONE, SPG_FIT_NONE, false};
	char buf[SPG_FIT_NAME_BYTES];
	size_t n = 0;
	int best = 0;

	name = spg_fit_whole(spg_fit_library_name(name, buf));
	for (size_t at = first_called(index, name); at < question->n_modules; at++) {
		size_t module = index->by_name[at];
		const struct spg_pe *pe = question->modules[module].pe;
		int rank;

		if (spg_fit_compare(
			    spg_fit_whole(question->modules[module].name), name, true))
			break;
		n++;
		rank = suits(index, importer, module);
		if (rank > best) {
			best = rank;
			target.module = module;
		}
		if (rank == 0 && target.elsewhere == SPG_FIT_NONE && pe &&
			spg_pe_machines_agree(question->modules[importer].pe, pe))
			target.elsewhere = module;
	}
	target.several = n > 1;
	return target;
}

/* ---- exports ---- */

static const char *export_name(const struct spg_pe *pe, uint32_t index)
{
	return spg_pe_text(pe, pe->exports[index].name);
}

static int compare_names(const void *a, const void *b, void *user)
{
	const struct spg_pe *pe = user;

	return strcmp(export_name(pe, *(const uint32_t *)a),
		export_name(pe, *(const uint32_t *)b));
}

static int compare_ordinals(const void *a, const void *b, void *user)
{
	const struct spg_pe *pe = user;
	uint32_t one = pe->exports[*(const uint32_t *)a].ordinal;
	uint32_t two = pe->exports[*(const uint32_t *)b].ordinal;

	return (one > two) - (one < two);
}

static int make_exports(struct spg_fit_exports *exports, const struct spg_pe *pe)
{
	size_t n = pe->n_exports;

	exports->by_name = calloc(n + 1, sizeof(exports->by_name[0]));
	exports->by_ordinal = calloc(n + 1, sizeof(exports->by_ordinal[0]));
	if (!exports->by_name || !exports->by_ordinal)
		return SPG_ERR_NOMEM;
	for (uint32_t i = 0; i < n; i++) {
		exports->by_ordinal[i] = i;
		if (pe->exports[i].name)
			exports->by_name[exports->n_named++] = i;
	}
	qsort_r(exports->by_name, exports->n_named, sizeof(exports->by_name[0]),
		compare_names, (void *)pe);
	qsort_r(exports->by_ordinal, n, sizeof(exports->by_ordinal[0]),
		compare_ordinals, (void *)pe);
	exports->made = true;
	return 0;
}

/* < 0 when the export comes before @symbol. */
static int order_of(
	const struct spg_pe *pe, uint32_t index, const struct spg_fit_symbol *symbol)
{
	uint32_t ordinal = pe->exports[index].ordinal;

	if (symbol->name.text)
		return spg_fit_compare(
			spg_fit_whole(export_name(pe, index)), symbol->name, false);
	return (ordinal > symbol->ordinal) - (ordinal < symbol->ordinal);
}

int spg_fit_index_export(struct spg_fit_index *index, size_t module,
	const struct spg_fit_symbol *symbol, size_t *ret)
{
	const struct spg_pe *pe = index->question->modules[module].pe;
	struct spg_fit_exports *exports = &index->exports[module];
	size_t low = 0, high;
	const uint32_t *sorted;

	if (!exports->made && make_exports(exports, pe) < 0) {
		free(exports->by_name);
		free(exports->by_ordinal);
		*exports = (struct spg_fit_exports){0};
		return SPG_ERR_NOMEM;
	}
	sorted = symbol->name.text ? exports->by_name : exports->by_ordinal;
	high = symbol->name.text ? exports->n_named : pe->n_exports;
	*ret = SPG_FIT_NONE;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = order_of(pe, sorted[middle], symbol);

		if (order == 0) {
			*ret = sorted[middle];
			break;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}
