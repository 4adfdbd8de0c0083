/* SPDX-License-Identifier: MIT */
/* The files of one name as a tree of their paths' endings, from the longest up. */
#include "daemon/install/fit/placement_parts.h"

#define NONE SPG_PLACE_NONE

static void append(struct spg_placing *p, struct spg_place_list *list,
	const struct spg_place_list *more)
{
	if (more->n == 0)
		return;
	if (list->n > 0)
		p->next[list->last] = more->first;
	else
		list->first = more->first;
	list->last = more->last;
	list->n += more->n;
}

static void move_to_members(struct spg_placing *p, struct spg_place_list *list)
{
	size_t file = list->first;

	for (size_t i = 0; i < list->n; i++, file = p->next[file])
		p->members[p->n_members++] = spg_place_is_installed(&p->names, file)
		                                     ? file - p->names.n_offered
		                                     : file;
	list->n = 0;
}

/* Those left in @set have no better counterparts than each other. */
static void close_set(struct spg_placing *p, struct spg_place_set *set)
{
	struct spg_place_cell cell = {.depth = set->depth,
		.n_offered = set->offered.n,
		.n_installed = set->installed.n};

	if (set->offered.n == 0 || set->installed.n == 0)
		return;
	cell.offered = p->n_members;
	move_to_members(p, &set->offered);
	cell.installed = p->n_members;
	move_to_members(p, &set->installed);
	for (size_t i = 0; i < cell.n_installed; i++)
		p->cell_of[p->members[cell.installed + i]] = p->n_cells;
	p->cells[p->n_cells++] = cell;
}

/* Close all sets deeper than @depth; what is left belongs to the one around them. */
static void close_down_to(struct spg_placing *p, size_t depth)
{
	while (p->n_stack > 0 && p->stack[p->n_stack - 1].depth > depth) {
		struct spg_place_set *set = &p->stack[p->n_stack - 1];
		struct spg_place_set *around = p->n_stack > 1 ? set - 1 : NULL;

		close_set(p, set);
		if (!around || around->depth < depth) {
			set->depth = depth;
			return;
		}
		append(p, &around->offered, &set->offered);
		append(p, &around->installed, &set->installed);
		p->n_stack--;
	}
}

static void push_file(struct spg_placing *p, size_t file)
{
	struct spg_place_set *set = &p->stack[p->n_stack++];
	struct spg_place_list alone = {file, file, 1};

	*set = (struct spg_place_set){.depth = NONE};
	if (spg_place_is_installed(&p->names, file))
		set->installed = alone;
	else
		set->offered = alone;
}

static void end_name(struct spg_placing *p)
{
	if (p->n_stack == 0)
		return;
	close_down_to(p, 0);
	close_set(p, &p->stack[0]);
	p->n_stack = 0;
}

static bool is_taken(const struct spg_placing *p, size_t file)
{
	return spg_place_is_installed(&p->names, file)
	               ? p->taken[file - p->names.n_offered]
	               : p->claims[file] != NONE;
}

void spg_place_find_cells(struct spg_placing *p)
{
	size_t last = NONE;

	for (size_t i = 0; i < p->names.n; i++) {
		size_t file = p->names.order[i], common = 0;

		if (is_taken(p, file))
			continue;
		if (last != NONE && p->names.of[last] == p->names.of[file])
			spg_place_compare_endings(spg_place_path(&p->names, last),
				spg_place_path(&p->names, file), p->names.fold,
				&common);
		if (common == 0)
			end_name(p);
		else
			close_down_to(p, common - 1);
		push_file(p, file);
		last = file;
	}
	end_name(p);
}
