/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/namesakes.h"

#include <stdlib.h>

#include "common/err.h"
#include "common/text.h"

int spg_fit_namesakes_init(struct spg_fit_namesakes *namesakes, size_t n, bool fold)
{
	*namesakes = (struct spg_fit_namesakes){.n = n, .fold = fold};
	namesakes->files = calloc(n + 1, sizeof(*namesakes->files));
	namesakes->answers = calloc(n + 1, sizeof(struct spg_fit_answer *));
	for (size_t i = 0; namesakes->files && i < n; i++)
		namesakes->files[i].index = i;
	return namesakes->files && namesakes->answers ? 0 : SPG_ERR_NOMEM;
}

static int compare_names(const struct spg_fit_file *file, struct spg_fit_text name)
{
	return spg_fit_compare(spg_fit_whole(spg_path_base(file->path)), name, true);
}

static int compare_folders(
	const struct spg_fit_file *file, struct spg_fit_text folder, bool fold)
{
	return spg_fit_compare(spg_fit_folder(file->path), folder, fold);
}

static int compare_files(const void *a, const void *b, void *user)
{
	const struct spg_fit_namesakes *namesakes = user;
	const struct spg_fit_file *one = a, *two = b;
	int order = compare_names(one, spg_fit_whole(spg_path_base(two->path)));

	if (order == 0)
		order = compare_folders(
			one, spg_fit_folder(two->path), namesakes->fold);
	return order ? order : (one->index > two->index) - (one->index < two->index);
}

void spg_fit_namesakes_sort(struct spg_fit_namesakes *namesakes)
{
	qsort_r(namesakes->files, namesakes->n, sizeof(*namesakes->files),
		compare_files, namesakes);
}

void spg_fit_namesakes_finish(struct spg_fit_namesakes *namesakes)
{
	for (size_t i = 0; namesakes->answers && i < namesakes->n; i++) {
		while (namesakes->answers[i]) {
			struct spg_fit_answer *first = namesakes->answers[i];

			namesakes->answers[i] = first->next;
			free(first);
		}
	}
	free(namesakes->answers);
	free(namesakes->files);
	*namesakes = (struct spg_fit_namesakes){0};
}

/* The first place from @low on, before @high, that is not before @name, or where @behind
 * is set the first behind it. */
static size_t bound(const struct spg_fit_namesakes *namesakes, size_t low,
	struct spg_fit_text name, bool behind)
{
	size_t high = namesakes->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare_names(&namesakes->files[middle], name);

		if (order < 0 || (behind && order == 0))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t spg_fit_namesakes_find(const struct spg_fit_namesakes *namesakes,
	struct spg_fit_text name, size_t *ret)
{
	*ret = bound(namesakes, 0, name, false);
	return bound(namesakes, *ret, name, true) - *ret;
}

size_t spg_fit_namesakes_beside(const struct spg_fit_namesakes *namesakes, size_t first,
	size_t n, const char *path)
{
	struct spg_fit_text folder = spg_fit_folder(path);
	size_t low = first, high = first + n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_folders(
			    &namesakes->files[middle], folder, namesakes->fold) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < first + n && compare_folders(&namesakes->files[low], folder,
					  namesakes->fold) == 0
	               ? low
	               : SPG_FIT_NONE;
}

static bool is_like(const struct spg_binary *a, const struct spg_binary *b)
{
	return a->machine == b->machine && a->is_x64_too == b->is_x64_too &&
	       a->is_dll == b->is_dll;
}

const struct spg_fit_answer *spg_fit_namesakes_recall(
	const struct spg_fit_namesakes *namesakes, size_t first,
	const struct spg_binary *importer)
{
	const struct spg_fit_answer *answer = namesakes->answers[first];

	while (answer && !is_like(answer->importer, importer))
		answer = answer->next;
	return answer;
}

void spg_fit_namesakes_remember(struct spg_fit_namesakes *namesakes, size_t first,
	const struct spg_fit_answer *answer)
{
	struct spg_fit_answer *copy = malloc(sizeof(*copy));

	if (!copy)
		return;
	*copy = *answer;
	copy->next = namesakes->answers[first];
	namesakes->answers[first] = copy;
}
