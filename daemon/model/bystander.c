/* SPDX-License-Identifier: MIT */
#include "daemon/model/bystander.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"

static void finish(struct spg_bystander *bystander)
{
	spg_file_unref(bystander->file);
	free(bystander->place);
	free(bystander->name);
}

int spg_bystanders_add(
	struct spg_bystanders *list, const struct spg_bystander *bystander)
{
	struct spg_bystander copy = *bystander;
	int r = spg_array_reserve(&list->items, list->n, &list->size, sizeof(copy));

	if (r < 0)
		return r;
	copy.place = copy.place ? strdup(copy.place) : NULL;
	copy.name = copy.name ? strdup(copy.name) : NULL;
	copy.file = copy.file ? spg_file_ref(copy.file) : NULL;
	if ((bystander->place && !copy.place) || (bystander->name && !copy.name)) {
		finish(&copy);
		return SPG_ERR_NOMEM;
	}
	list->items[list->n++] = copy;
	return 0;
}

int spg_bystanders_add_all(
	struct spg_bystanders *list, const struct spg_bystanders *from)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->n; i++)
		r = spg_bystanders_add(list, &from->items[i]);
	return r;
}

void spg_bystanders_finish(struct spg_bystanders *list)
{
	for (size_t i = 0; i < list->n; i++)
		finish(&list->items[i]);
	free(list->items);
	*list = (struct spg_bystanders){0};
}
