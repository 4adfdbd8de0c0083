/* SPDX-License-Identifier: MIT */
#include "daemon/model/install_status.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"

void spg_standing_finish(struct spg_standing *standing)
{
	spg_notes_finish(&standing->installing);
	spg_notes_finish(&standing->unread);
	spg_notes_finish(&standing->mixed);
	spg_notes_finish(&standing->next);
	spg_notes_finish(&standing->held);
	for (size_t i = 0; i < standing->n_aside; i++) {
		free(standing->aside[i].path);
		free(standing->aside[i].old_path);
	}
	free(standing->aside);
	*standing = (struct spg_standing)SPG_STANDING_NULL;
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
