/* SPDX-License-Identifier: MIT */
#include "daemon/model/standing.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"

static void drop_texts(char **texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
	free(texts);
}

void spg_standing_finish(struct spg_standing *standing)
{
	free(standing->installing);
	drop_texts(standing->mixed, standing->n_mixed);
	drop_texts(standing->next, standing->n_next);
	for (size_t i = 0; i < standing->n_aside; i++) {
		free(standing->aside[i].path);
		free(standing->aside[i].old_path);
	}
	free(standing->aside);
	*standing = (struct spg_standing)SPG_STANDING_NULL;
}

static int add_text(char ***texts, size_t *n, size_t *size, const char *text)
{
	char *copy = strdup(text);

	if (!copy || spg_array_reserve(texts, *n, size, sizeof(**texts)) < 0) {
		free(copy);
		return SPG_ERR_NOMEM;
	}
	(*texts)[(*n)++] = copy;
	return 0;
}

int spg_standing_add_mixed(struct spg_standing *standing, const char *why)
{
	return add_text(
		&standing->mixed, &standing->n_mixed, &standing->size_mixed, why);
}

int spg_standing_add_next(struct spg_standing *standing, const char *step)
{
	return add_text(&standing->next, &standing->n_next, &standing->size_next, step);
}

int spg_standing_add_aside(
	struct spg_standing *standing, const struct spg_stepped_aside *file)
{
	struct spg_stepped_aside copy = *file;

	copy.path = strdup(file->path);
	copy.old_path = strdup(file->old_path);
	if (!copy.path || !copy.old_path ||
		spg_array_reserve(&standing->aside, standing->n_aside,
			&standing->size_aside, sizeof(*standing->aside)) < 0) {
		free(copy.path);
		free(copy.old_path);
		return SPG_ERR_NOMEM;
	}
	standing->aside[standing->n_aside++] = copy;
	return 0;
}

const struct spg_stepped_aside *spg_standing_find(
	const struct spg_standing *standing, struct spg_file_id id)
{
	for (size_t i = 0; standing && i < standing->n_aside; i++)
		if (spg_file_id_equal(standing->aside[i].id, id))
			return &standing->aside[i];
	return NULL;
}
