/* SPDX-License-Identifier: MIT */
#include "daemon/model/sidestep.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"

void spg_sidestep_finish(struct spg_sidestep *sidestep)
{
	free(sidestep->product);
	free(sidestep->path);
	free(sidestep->old_path);
	free(sidestep->detail);
	*sidestep = (struct spg_sidestep){0};
}

int spg_sidestep_copy(const struct spg_sidestep *from, struct spg_sidestep *to)
{
	*to = *from;
	to->product = from->product ? strdup(from->product) : NULL;
	to->path = from->path ? strdup(from->path) : NULL;
	to->old_path = from->old_path ? strdup(from->old_path) : NULL;
	to->detail = from->detail ? strdup(from->detail) : NULL;
	if (!to->product == !from->product && !to->path == !from->path &&
		!to->old_path == !from->old_path && !to->detail == !from->detail)
		return 0;
	spg_sidestep_finish(to);
	return SPG_ERR_NOMEM;
}
