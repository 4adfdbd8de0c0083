/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/guard/ids.h"

#include <stdlib.h>

#include "common/err.h"

static bool is_free(const struct spg_guard_id *slot)
{
	return slot->a == 0 && slot->b == 0 && slot->c == 0;
}

static bool is_same(const struct spg_guard_id *slot, struct spg_guard_id id)
{
	return slot->a == id.a && slot->b == id.b && slot->c == id.c;
}

/* Where @id is, or belongs; there is always a free slot. */
static struct spg_guard_id *find(
	const struct spg_guard_ids *ids, struct spg_guard_id id)
{
	uint64_t hash = id.a * UINT64_C(0x9e3779b97f4a7c15);
	size_t at;

	hash = (hash ^ id.b) * UINT64_C(0xff51afd7ed558ccd);
	hash = (hash ^ id.c) * UINT64_C(0xc4ceb9fe1a85ec53);
	at = (size_t)(hash ^ hash >> 32) & (ids->size - 1);
	while (!is_free(&ids->slots[at]) && !is_same(&ids->slots[at], id))
		at = (at + 1) & (ids->size - 1);
	return &ids->slots[at];
}

static int grow(struct spg_guard_ids *ids)
{
	struct spg_guard_ids bigger = {.size = ids->size ? ids->size * 2 : 64};

	bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
	if (!bigger.slots)
		return SPG_ERR_NOMEM;
	bigger.n = ids->n;
	for (size_t i = 0; i < ids->size; i++)
		if (!is_free(&ids->slots[i]))
			*find(&bigger, ids->slots[i]) = ids->slots[i];
	free(ids->slots);
	*ids = bigger;
	return 0;
}

int spg_guard_ids_add(struct spg_guard_ids *ids, struct spg_guard_id id)
{
	struct spg_guard_id *slot;

	if (ids->n * 2 >= ids->size && grow(ids) < 0)
		return SPG_ERR_NOMEM;
	slot = find(ids, id);
	if (!is_free(slot))
		return 1;
	*slot = id;
	ids->n++;
	return 0;
}

bool spg_guard_ids_has(const struct spg_guard_ids *ids, struct spg_guard_id id)
{
	return ids->size > 0 && !is_free(find(ids, id));
}

void spg_guard_ids_finish(struct spg_guard_ids *ids)
{
	free(ids->slots);
	*ids = (struct spg_guard_ids)SPG_GUARD_IDS_NULL;
}
