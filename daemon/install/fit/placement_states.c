/* SPDX-License-Identifier: MIT */
/* From what installed files are to what became of the files of the pack. */
#include <stdlib.h>

#include "common/err.h"
#include "daemon/install/fit/placement.h"

static void raise(unsigned char *state, unsigned char to)
{
	if (*state < to)
		*state = to;
}

static void take_known(const struct spg_placement *placement,
	const struct spg_place_result *results, unsigned char *ret)
{
	for (size_t i = 0; i < placement->n_installed; i++) {
		const struct spg_place_choice *choice = &placement->installed[i];
		const struct spg_place_result *result = &results[i];
		size_t n = choice->n == 1 ? 1 : result->n;
		size_t first = choice->n == 1 ? choice->first : result->first;

		for (size_t k = first; k < first + n; k++)
			raise(&ret[placement->candidates[k]], result->state);
	}
}

/* An installed file that equals none of several stands for one that is not there. @next
 * has for each first of several where to go on. */
static void take_others(const struct spg_placement *placement,
	const struct spg_place_result *results, size_t *next, unsigned char *ret)
{
	for (size_t i = 0; i < placement->n_installed; i++) {
		const struct spg_place_choice *choice = &placement->installed[i];
		size_t *at = &next[choice->first];

		if (choice->n < 2 || results[i].n > 0)
			continue;
		while (*at < choice->n &&
			ret[placement->candidates[choice->first + *at]])
			++*at;
		if (*at < choice->n)
			ret[placement->candidates[choice->first + *at]] =
				results[i].state;
	}
}

bool spg_placement_concerns(const struct spg_placement *placement, size_t offered)
{
	return !placement->offered[offered].outside ||
	       placement->n_outside == placement->n_offered;
}

int spg_placement_states(const struct spg_placement *placement,
	const struct spg_place_result *results, unsigned char *ret)
{
	size_t *next = calloc(placement->n_candidates + 1, sizeof(*next));

	if (!next)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < placement->n_offered; i++)
		ret[i] = 0;
	take_known(placement, results, ret);
	take_others(placement, results, next, ret);
	for (size_t i = 0; i < placement->n_offered; i++) {
		const struct spg_place *place = &placement->offered[i];

		if (ret[i])
			continue;
		if (place->kind == SPG_PLACE_ABSENT || !place->named)
			ret[i] = SPG_PLACE_MISSING;
		else
			ret[i] = SPG_PLACE_VARIANT;
	}
	free(next);
	return 0;
}
