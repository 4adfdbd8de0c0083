/* SPDX-License-Identifier: MIT */
#include "common/texts.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"

int spg_texts_add(struct spg_texts *texts, const char *text)
{
	char *copy = strdup(text);

	if (!copy || spg_array_reserve(&texts->items, texts->n, &texts->size,
			     sizeof(*texts->items)) < 0) {
		free(copy);
		return SPG_ERR_NOMEM;
	}
	texts->items[texts->n++] = copy;
	return 0;
}

int spg_texts_add_new(struct spg_texts *texts, const char *text)
{
	for (size_t i = 0; i < texts->n; i++)
		if (strcmp(texts->items[i], text) == 0)
			return 0;
	return spg_texts_add(texts, text);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void spg_texts_sort(struct spg_texts *texts)
{
	size_t kept = 0;

	if (texts->n > 0)
		qsort(texts->items, texts->n, sizeof(char *), compare);
	for (size_t i = 0; i < texts->n; i++) {
		if (kept > 0 && strcmp(texts->items[kept - 1], texts->items[i]) == 0)
			free(texts->items[i]);
		else
			texts->items[kept++] = texts->items[i];
	}
	texts->n = kept;
}

bool spg_texts_has(const struct spg_texts *texts, const char *text)
{
	return texts->n > 0 &&
	       bsearch(&text, texts->items, texts->n, sizeof(char *), compare) != NULL;
}

void spg_texts_finish(struct spg_texts *texts)
{
	for (size_t i = 0; i < texts->n; i++)
		free(texts->items[i]);
	free(texts->items);
	*texts = (struct spg_texts)SPG_TEXTS_NULL;
}
