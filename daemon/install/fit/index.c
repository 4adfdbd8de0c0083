/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/index.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"

/* ---- modules ---- */

int spg_fit_index_init(
	struct spg_fit_index *index, const struct spg_fit_question *question)
{
	size_t n = question->n_modules;

	*index = (struct spg_fit_index){.question = question};
	if (spg_fit_loader_init(&index->loader, question) < 0)
		return SPG_ERR_NOMEM;
	index->exports = calloc(n + 1, sizeof(index->exports[0]));
	if (!index->exports ||
		spg_fit_namesakes_init(&index->modules, n, question->ignore_case) < 0)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < n; i++)
		index->modules.files[i].path = question->modules[i].path;
	spg_fit_namesakes_sort(&index->modules);
	return 0;
}

void spg_fit_index_finish(struct spg_fit_index *index)
{
	for (size_t i = 0; index->exports && i < index->question->n_modules; i++) {
		free(index->exports[i].by_name);
		free(index->exports[i].by_ordinal);
	}
	spg_fit_loader_finish(&index->loader);
	spg_fit_namesakes_finish(&index->modules);
	free(index->exports);
	index->exports = NULL;
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

/* How well @module in another folder suits @importer: the greatest is taken, of equals
 * the first; 0: it is not where Windows looks. */
static int suits(const struct spg_fit_index *index, const struct spg_binary *importer,
	const struct spg_fit_module *module)
{
	bool agrees =
		!module->binary || spg_binary_machines_agree(importer, module->binary);

	switch (spg_fit_loader_place(&index->loader, importer, module->path)) {
	case SPG_FIT_PROGRAM:
		return agrees ? 3 : 1;
	case SPG_FIT_CONFIGURED:
		return agrees ? 2 : 0;
	case SPG_FIT_ELSEWHERE:
		break;
	}
	return 0;
}

/* Which of the @n modules at @first such an importer finds. */
static struct spg_fit_answer choose(const struct spg_fit_index *index,
	const struct spg_binary *importer, size_t first, size_t n)
{
	struct spg_fit_answer answer = {
		.importer = importer, .found = SPG_FIT_NONE, .elsewhere = SPG_FIT_NONE};
	int best = 0;

	for (size_t at = first; at < first + n; at++) {
		size_t i = index->modules.files[at].index;
		const struct spg_fit_module *module = &index->question->modules[i];
		int rank = suits(index, importer, module);

		if (rank > best || (rank > 0 && rank == best && i < answer.found)) {
			best = rank;
			answer.found = i;
		}
		if (rank == 0 && i < answer.elsewhere && module->binary &&
			spg_binary_machines_agree(importer, module->binary))
			answer.elsewhere = i;
	}
	return answer;
}

struct spg_fit_target spg_fit_index_module(
	struct spg_fit_index *index, size_t importer, struct spg_fit_text name)
{
	const struct spg_fit_module *module = &index->question->modules[importer];
	struct spg_fit_target target = {SPG_FIT_NONE, SPG_FIT_NONE, false};
	const struct spg_fit_answer *known;
	struct spg_fit_answer answer;
	char buf[SPG_FIT_NAME_BYTES];
	size_t first, n, own;

	name = spg_fit_whole(spg_fit_library_name(name, buf));
	n = spg_fit_namesakes_find(&index->modules, name, &first);
	if (n == 0)
		return target;
	target.several = n > 1;
	own = spg_fit_namesakes_beside(&index->modules, first, n, module->path);
	if (own != SPG_FIT_NONE) {
		target.module = index->modules.files[own].index;
		return target;
	}
	known = spg_fit_namesakes_recall(&index->modules, first, module->binary);
	answer = known ? *known : choose(index, module->binary, first, n);
	if (!known)
		spg_fit_namesakes_remember(&index->modules, first, &answer);
	target.module = answer.found;
	target.elsewhere = answer.elsewhere;
	return target;
}

/* ---- exports ---- */

static const char *export_name(const struct spg_binary *binary, uint32_t index)
{
	return spg_binary_text(binary, binary->exports[index].name);
}

static int compare_names(const void *a, const void *b, void *user)
{
	const struct spg_binary *binary = user;

	return strcmp(export_name(binary, *(const uint32_t *)a),
		export_name(binary, *(const uint32_t *)b));
}

static int compare_ordinals(const void *a, const void *b, void *user)
{
	const struct spg_binary *binary = user;
	uint32_t one = binary->exports[*(const uint32_t *)a].ordinal;
	uint32_t two = binary->exports[*(const uint32_t *)b].ordinal;

	return (one > two) - (one < two);
}

static int make_exports(
	struct spg_fit_exports *exports, const struct spg_binary *binary)
{
	size_t n = binary->n_exports;

	exports->by_name = calloc(n + 1, sizeof(exports->by_name[0]));
	exports->by_ordinal = calloc(n + 1, sizeof(exports->by_ordinal[0]));
	if (!exports->by_name || !exports->by_ordinal)
		return SPG_ERR_NOMEM;
	for (uint32_t i = 0; i < n; i++) {
		exports->by_ordinal[i] = i;
		if (binary->exports[i].name)
			exports->by_name[exports->n_named++] = i;
	}
	qsort_r(exports->by_name, exports->n_named, sizeof(exports->by_name[0]),
		compare_names, (void *)binary);
	qsort_r(exports->by_ordinal, n, sizeof(exports->by_ordinal[0]),
		compare_ordinals, (void *)binary);
	exports->made = true;
	return 0;
}

/* < 0 when the export comes before @symbol. */
static int order_of(const struct spg_binary *binary, uint32_t index,
	const struct spg_fit_symbol *symbol)
{
	uint32_t ordinal = binary->exports[index].ordinal;

	if (symbol->name.text)
		return spg_fit_compare(
			spg_fit_whole(export_name(binary, index)), symbol->name, false);
	return (ordinal > symbol->ordinal) - (ordinal < symbol->ordinal);
}

int spg_fit_index_export(struct spg_fit_index *index, size_t module,
	const struct spg_fit_symbol *symbol, size_t *ret)
{
	const struct spg_binary *binary = index->question->modules[module].binary;
	struct spg_fit_exports *exports = &index->exports[module];
	size_t low = 0, high;
	const uint32_t *sorted;

	if (!exports->made && make_exports(exports, binary) < 0) {
		free(exports->by_name);
		free(exports->by_ordinal);
		*exports = (struct spg_fit_exports){0};
		return SPG_ERR_NOMEM;
	}
	sorted = symbol->name.text ? exports->by_name : exports->by_ordinal;
	high = symbol->name.text ? exports->n_named : binary->n_exports;
	*ret = SPG_FIT_NONE;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = order_of(binary, sorted[middle], symbol);

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
