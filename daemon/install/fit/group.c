/* SPDX-License-Identifier: MIT */
/* Versions by company and product. */
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/install/fit/parts.h"

static int compare_texts(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int compare_products(const struct spg_binary *one, const struct spg_binary *two)
{
	int order = compare_texts(spg_binary_text(one, one->company_name),
		spg_binary_text(two, two->company_name));

	return order ? order
	             : compare_texts(spg_binary_text(one, one->product_name),
			       spg_binary_text(two, two->product_name));
}

/* Those that say no version come first. */
static int compare_versions(const struct spg_binary *one, const struct spg_binary *two)
{
	if (one->has_version != two->has_version)
		return one->has_version ? 1 : -1;
	for (size_t i = 0; i < 4; i++)
		if (one->file_version[i] != two->file_version[i])
			return one->file_version[i] < two->file_version[i] ? -1 : 1;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct spg_binary *one = *(const struct spg_binary *const *)a;
	const struct spg_binary *two = *(const struct spg_binary *const *)b;
	int order = compare_products(one, two);

	return order ? order : compare_versions(one, two);
}

static bool copy(const struct spg_binary *binary, uint32_t from, char **ret)
{
	struct spg_buf text = SPG_BUF_NULL;

	if (!from)
		return true;
	spg_text_escape(&text, spg_binary_text(binary, from), false);
	*ret = spg_buf_take(&text);
	return *ret != NULL;
}

/* @pes are the modules of one product, by version. */
static int count_versions(
	struct spg_fit_group *group, const struct spg_binary *const *pes, size_t n)
{
	group->versions = calloc(n, sizeof(group->versions[0]));
	if (!group->versions)
		return SPG_ERR_NOMEM;
	group->n = n;
	for (size_t i = 0; i < n; i++) {
		struct spg_fit_version *version;

		if (i == 0 || compare_versions(pes[i - 1], pes[i]) != 0) {
			version = &group->versions[group->n_versions++];
			if (pes[i]->has_version)
				spg_binary_version_format(
					pes[i]->file_version, version->text);
		}
		group->versions[group->n_versions - 1].n++;
	}
	return 0;
}

static int add_group(struct spg_fit *fit, const struct spg_binary *const *pes, size_t n)
{
	struct spg_fit_group *group;

	if (spg_array_reserve(&fit->groups, fit->n_groups, &fit->groups_size,
		    sizeof(fit->groups[0])) < 0)
		return SPG_ERR_NOMEM;
	group = &fit->groups[fit->n_groups++];
	*group = (struct spg_fit_group){0};
	if (!copy(pes[0], pes[0]->company_name, &group->company) ||
		!copy(pes[0], pes[0]->product_name, &group->product))
		return SPG_ERR_NOMEM;
	return count_versions(group, pes, n);
}

int spg_fit_group(struct spg_fit_work *work)
{
	const struct spg_fit_question *question = work->question;
	const struct spg_binary **pes = calloc(question->n_modules + 1, sizeof(*pes));
	size_t n = 0, start = 0;
	int err = pes ? 0 : SPG_ERR_NOMEM;

	for (size_t i = 0; err == 0 && i < question->n_modules; i++)
		if (question->modules[i].binary &&
			question->modules[i].binary->format == SPG_BINARY_PE)
			pes[n++] = question->modules[i].binary;
	if (n)
		qsort(pes, n, sizeof(*pes), compare);
	for (size_t i = 1; err == 0 && i <= n; i++) {
		if (i < n && compare_products(pes[start], pes[i]) == 0)
			continue;
		err = add_group(work->fit, pes + start, i - start);
		start = i;
	}
	free(pes);
	return err;
}
