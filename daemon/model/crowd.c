/* SPDX-License-Identifier: MIT */
#include "daemon/model/crowd.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"

/* Crowds that are compared with: bounds the time that thousands of loners take. */
#define COMPARED_MAX 256

static bool is_same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool are_alike(const struct spg_process *a, const struct spg_process *b)
{
	if (!is_same_text(a->unit, b->unit) || a->engine != b->engine ||
		!is_same_text(a->container, b->container) ||
		!is_same_text(a->unit_user, b->unit_user))
		return false;
	return a->unit || a->container ||
	       (a->ppid == b->ppid && is_same_text(a->name, b->name));
}

static size_t find(const struct spg_crowds *crowds, const struct spg_seen_use *use)
{
	size_t first = crowds->n > COMPARED_MAX ? crowds->n - COMPARED_MAX : 0;

	for (size_t i = first; i < crowds->n; i++) {
		const struct spg_seen_use *other = crowds->crowds[i].uses[0];

		if (other->file == use->file && other->how == use->how &&
			are_alike(other->process, use->process))
			return i;
	}
	return crowds->n;
}

static int add(struct spg_crowds *crowds, const struct spg_seen_use *use, size_t *ret)
{
	struct spg_crowd *crowd;
	size_t i = find(crowds, use);
	int r = 0;

	if (i == crowds->n) {
		r = spg_array_reserve(&crowds->crowds, crowds->n, &crowds->size,
			sizeof(*crowds->crowds));
		if (r < 0)
			return r;
		crowds->crowds[crowds->n++] = (struct spg_crowd){.n = 0};
	}
	crowd = &crowds->crowds[i];
	if (crowd->n < SPG_CROWD_NAMED)
		crowd->uses[crowd->n] = use;
	crowd->n++;
	*ret = i;
	return 0;
}

int spg_crowds_init(struct spg_crowds *ret, const struct spg_observation *obs,
	bool (*wanted)(const struct spg_seen_use *use, const void *user),
	const void *user)
{
	struct spg_crowds crowds = {0};
	int r = 0;

	crowds.of_use = malloc((obs->n_uses + 1) * sizeof(*crowds.of_use));
	if (!crowds.of_use)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; r == 0 && i < obs->n_uses; i++) {
		crowds.of_use[i] = SIZE_MAX;
		if (wanted(&obs->uses[i], user))
			r = add(&crowds, &obs->uses[i], &crowds.of_use[i]);
	}
	if (r < 0) {
		spg_crowds_finish(&crowds);
		return r;
	}
	*ret = crowds;
	return 0;
}

void spg_crowds_finish(struct spg_crowds *crowds)
{
	free(crowds->crowds);
	free(crowds->of_use);
	*crowds = (struct spg_crowds){0};
}
