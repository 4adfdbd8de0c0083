/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/placement.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "daemon/install/fit/placement_parts.h"

#define NONE   SPG_PLACE_NONE
#define DOUBLE (SIZE_MAX - 1) /* more than one */

/* --- pairs that support each other ------------------------------------------------- */

static void add_match(struct spg_placing *p, size_t offered, size_t installed)
{
	struct spg_place_match *match = &p->matches[p->n_matches++];

	match->offered = offered;
	match->installed = installed;
	match->folder = p->offered.of[offered];
	match->root = spg_place_root_of(p->offered.texts[match->folder],
		p->installed.texts[p->installed.of[installed]],
		p->question->ignore_case, &match->depth);
}

/* Let pairs support each other, and take those that are chosen. */
static int choose_matches(struct spg_placing *p, size_t n)
{
	struct spg_place_same same;
	size_t n_matches = 0;
	int r;

	for (size_t i = 0; i < n; n_matches += same.n_offered * same.n_installed)
		i = spg_place_names_next(&p->names, i, &same);
	p->matches = calloc(n_matches + 1, sizeof(*p->matches));
	/* Each at most once as claimed and once as one that is left, and what is left
	 * with all that it may be after all. */
	p->ret->candidates = calloc(2 * p->question->n_offered + n_matches + 1,
		sizeof(*p->ret->candidates));
	if (!p->matches || !p->ret->candidates)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < n;) {
		i = spg_place_names_next(&p->names, i, &same);
		for (size_t k = 0; k < same.n_offered * same.n_installed; k++) {
			size_t offered = same.offered[k / same.n_installed];
			size_t installed = same.installed[k % same.n_installed];

			if (!p->taken[installed] && !spg_place_is_exact(p, offered))
				add_match(p, offered, installed);
		}
	}
	r = spg_place_choose(p->matches, p->n_matches, p->question->ignore_case,
		p->question->n_offered, p->question->n_installed, p->claims, p->shapes);
	for (size_t i = 0; i < p->question->n_offered; i++) {
		if (p->claims[i] == NONE)
			continue;
		p->n_claims[p->claims[i]] = 1;
		p->taken[p->claims[i]] = true;
	}
	return r;
}

/* --- what folders tell ---------------------------------------------------------- */

/* How many components the folders of both end in alike. */
static size_t depth_of(const struct spg_placing *p, size_t offered, size_t installed)
{
	size_t depth;

	spg_place_compare_endings(p->offered.texts[p->offered.of[offered]],
		p->installed.texts[p->installed.of[installed]],
		p->question->ignore_case, &depth);
	return depth;
}

static struct spg_place_pair pair_of(
	const struct spg_placing *p, size_t offered, size_t installed)
{
	return (struct spg_place_pair){p->offered.of[offered],
		p->installed.of[installed], depth_of(p, offered, installed) > 0};
}

static int find_homes(struct spg_placing *p)
{
	size_t n = 0;
	int r;

	for (size_t i = 0; i < p->question->n_offered; i++)
		if (p->claims[i] != NONE)
			p->pairs[n++] = pair_of(p, i, p->claims[i]);
	for (size_t i = 0; i < p->n_cells; i++) {
		const struct spg_place_cell *cell = &p->cells[i];

		if (cell->n_offered == 1 && cell->n_installed == 1 &&
			!spg_place_is_exact(p, p->members[cell->offered]))
			p->pairs[n++] = pair_of(p, p->members[cell->offered],
				p->members[cell->installed]);
	}
	r = spg_place_find_homes(&p->offered, &p->installed, p->pairs, n,
		p->question->ignore_case, p->homes);
	for (size_t i = 0; r == 0 && i < p->offered.n; i++)
		if (p->is_exact[i])
			p->homes[i] = spg_place_exact_home(p, i);
	return r;
}

static void anchor(struct spg_placing *p, size_t folder, struct spg_place_text below)
{
	size_t offered =
		spg_place_folders_find(&p->offered, below, p->question->ignore_case);

	if (offered != NONE)
		p->anchors[offered] = p->anchors[offered] == NONE ? folder : DOUBLE;
}

/* Folders of the product whose path below one of its directories is one of the pack. */
static void find_anchors(struct spg_placing *p)
{
	for (size_t i = 0; i < p->offered.n; i++)
		p->anchors[i] = NONE;
	for (size_t i = 0; i < p->installed.n; i++) {
		struct spg_place_text above = p->installed.texts[i];

		for (;;) {
			const char *end =
				p->installed.texts[i].text + p->installed.texts[i].n;
			const char *below = above.text + above.n;

			below += below < end;
			if (spg_place_folders_find(&p->directories, above,
				    p->question->ignore_case) != NONE)
				anchor(p, i,
					(struct spg_place_text){
						below, (size_t)(end - below)});
			if (above.n == 0)
				break;
			while (above.n > 0 && above.text[above.n - 1] != '/')
				above.n--;
			above.n -= above.n > 0;
		}
	}
}

/* --- within a cell -------------------------------------------------------------- */

static void claim(struct spg_placing *p, const struct spg_place_cell *cell, size_t file)
{
	size_t folder = p->offered.of[file];
	const struct spg_place_home *home = &p->homes[folder];
	size_t found = spg_place_find_installed(p, p->names.of[file], home->folder);

	if (found == NONE || p->cell_of[found] != (size_t)(cell - p->cells))
		found = spg_place_find_installed(
			p, p->names.of[file], p->anchors[folder]);
	if (found != NONE && p->cell_of[found] == (size_t)(cell - p->cells)) {
		p->claims[file] = found;
		p->n_claims[found]++;
	} else {
		p->gone[file] =
			spg_place_is_exact(p, file) ||
			(home->sure && (cell->depth == 0 || cell->depth < home->depth));
	}
}

static bool is_claimed(const struct spg_placing *p, size_t installed)
{
	return p->n_claims[installed] == 1;
}

static bool has_claimed(const struct spg_placing *p, size_t file)
{
	return p->claims[file] != NONE && is_claimed(p, p->claims[file]);
}

static void take_claimed(struct spg_placing *p, size_t file)
{
	struct spg_placement *ret = p->ret;

	ret->installed[p->claims[file]] =
		(struct spg_place_choice){p->ret->n_candidates, 1};
	ret->candidates[p->ret->n_candidates++] = file;
	ret->offered[file].kind = SPG_PLACE_FOUND;
	ret->offered[file].installed = p->claims[file];
}

static int compare_indices(const void *a, const void *b)
{
	size_t one = *(const size_t *)a, two = *(const size_t *)b;

	return (one > two) - (one < two);
}

/* What an installed file that is left may be; returns how many. */
static size_t list_candidates(struct spg_placing *p, const struct spg_place_cell *cell)
{
	const size_t *files = &p->members[cell->offered];
	size_t first = p->ret->n_candidates;

	for (size_t i = 0; i < cell->n_offered; i++)
		if (!p->gone[files[i]] && !has_claimed(p, files[i]))
			p->ret->candidates[p->ret->n_candidates++] = files[i];
	/* One that has its place may have another, unless its home is the only one. */
	for (size_t i = 0; p->ret->n_candidates == first && i < cell->n_offered; i++)
		if (has_claimed(p, files[i]) &&
			(cell->depth > 0 || !p->homes[p->offered.of[files[i]]].sure))
			p->ret->candidates[p->ret->n_candidates++] = files[i];
	qsort(&p->ret->candidates[first], p->ret->n_candidates - first,
		sizeof(p->ret->candidates[0]), compare_indices);
	return p->ret->n_candidates - first;
}

static void settle_cell(struct spg_placing *p, const struct spg_place_cell *cell)
{
	const size_t *files = &p->members[cell->offered];
	const size_t *installed = &p->members[cell->installed];
	size_t first, n, left = NONE;

	for (size_t i = 0; i < cell->n_offered; i++)
		if (has_claimed(p, files[i]))
			take_claimed(p, files[i]);
	first = p->ret->n_candidates;
	n = list_candidates(p, cell);
	for (size_t i = 0; i < cell->n_installed; i++) {
		if (is_claimed(p, installed[i]))
			continue;
		p->ret->installed[installed[i]] = (struct spg_place_choice){first, n};
		if (left == NONE)
			left = installed[i];
	}
	for (size_t i = first; left != NONE && i < first + n; i++) {
		struct spg_place *place = &p->ret->offered[p->ret->candidates[i]];

		if (place->kind == SPG_PLACE_FOUND)
			continue;
		place->kind = n == 1 ? SPG_PLACE_FOUND : SPG_PLACE_AMONG;
		place->installed = n == 1 ? left : NONE;
	}
}

/* May @installed, which has no counterpart, be @file after all, which has one? Not where
 * a copy of several folders or a longer name tells its place. */
static bool may_be_too(const struct spg_placing *p, size_t file, size_t installed)
{
	size_t own = p->claims[file], depth;

	if (own == NONE || !p->taken[own])
		return false;
	if (p->shapes[file] == SPG_PLACE_LOOSE)
		return true;
	depth = depth_of(p, file, installed);
	return p->shapes[file] == SPG_PLACE_SHAPED && depth > 0 &&
	       depth >= depth_of(p, file, own);
}

static void settle_left(struct spg_placing *p, size_t n)
{
	struct spg_place_same same;

	for (size_t i = 0; i < n;) {
		i = spg_place_names_next(&p->names, i, &same);
		for (size_t k = 0; k < same.n_installed; k++) {
			struct spg_place_choice *choice =
				&p->ret->installed[same.installed[k]];

			if (choice->n > 0)
				continue;
			choice->first = p->ret->n_candidates;
			for (size_t f = 0; f < same.n_offered; f++)
				if (may_be_too(p, same.offered[f], same.installed[k]))
					p->ret->candidates[p->ret->n_candidates++] =
						same.offered[f];
			choice->n = p->ret->n_candidates - choice->first;
			qsort(&p->ret->candidates[choice->first], choice->n,
				sizeof(p->ret->candidates[0]), compare_indices);
		}
	}
}

static void settle_cells(struct spg_placing *p)
{
	for (size_t i = 0; i < p->question->n_offered; i++)
		if (p->claims[i] != NONE)
			take_claimed(p, i);
	for (size_t i = 0; i < p->n_cells; i++) {
		const struct spg_place_cell *cell = &p->cells[i];

		for (size_t k = 0; k < cell->n_offered; k++)
			if (cell->depth == 0 || cell->n_offered > 1 ||
				spg_place_is_exact(p, p->members[cell->offered + k]))
				claim(p, cell, p->members[cell->offered + k]);
		settle_cell(p, cell);
	}
}

/* --- the answer ----------------------------------------------------------------- */

static void describe_folders(struct spg_placing *p)
{
	struct spg_placement *ret = p->ret;

	ret->n_folders = p->offered.n;
	for (size_t i = 0; i < p->offered.n; i++) {
		struct spg_place_folder *folder = &ret->folders[i];
		size_t home = p->homes[i].folder;

		folder->path = p->offered.texts[i].text;
		folder->path_n = p->offered.texts[i].n;
		if (home == NONE)
			continue;
		folder->home = p->installed.texts[home].text;
		folder->home_n = p->installed.texts[home].n;
		folder->sure = p->homes[i].sure;
	}
	for (size_t i = 0; i < p->question->n_offered; i++) {
		struct spg_place *place = &ret->offered[i];
		size_t home = p->homes[p->offered.of[i]].folder;

		place->folder = p->offered.of[i];
		ret->folders[place->folder].n++;
		ret->folders[place->folder].n_present += place->kind == SPG_PLACE_FOUND;
		if (place->kind == SPG_PLACE_NOWHERE &&
			(home != NONE || spg_place_is_exact(p, i)) &&
			spg_place_find_installed(p, p->names.of[i], home) == NONE)
			place->kind = SPG_PLACE_ABSENT;
		place->outside = place->kind == SPG_PLACE_NOWHERE &&
		                 p->question->offered[i][0] == '/';
		ret->n_outside += place->outside;
	}
}

static int prepare(struct spg_placing *p)
{
	const struct spg_placement_question *q = p->question;
	size_t n = q->n_offered + q->n_installed;
	struct spg_placement *ret = p->ret;
	int r;

	p->names = (struct spg_place_names){
		q->offered, q->installed, q->n_offered, n, q->ignore_case, NULL, NULL};
	r = spg_place_names_init(&p->names);
	if (r == 0)
		r = spg_place_folders_init(
			&p->offered, q->offered, q->n_offered, q->ignore_case);
	if (r == 0)
		r = spg_place_folders_init(
			&p->installed, q->installed, q->n_installed, q->ignore_case);
	p->directories.texts =
		calloc(q->n_directories + 1, sizeof(*p->directories.texts));
	p->homes = calloc(p->offered.n + 1, sizeof(*p->homes));
	p->anchors = calloc(p->offered.n + 1, sizeof(*p->anchors));
	p->exact = calloc(p->offered.n + 1, sizeof(*p->exact));
	p->is_exact = calloc(p->offered.n + 1, sizeof(*p->is_exact));
	p->next = calloc(n + 1, sizeof(*p->next));
	p->stack = calloc(n + 1, sizeof(*p->stack));
	p->cells = calloc(n + 1, sizeof(*p->cells));
	p->members = calloc(n + 1, sizeof(*p->members));
	p->cell_of = calloc(q->n_installed + 1, sizeof(*p->cell_of));
	p->by_folder = calloc(q->n_installed + 1, sizeof(*p->by_folder));
	p->claims = calloc(q->n_offered + 1, sizeof(*p->claims));
	p->n_claims = calloc(q->n_installed + 1, sizeof(*p->n_claims));
	p->shapes = calloc(q->n_offered + 1, sizeof(*p->shapes));
	p->taken = calloc(q->n_installed + 1, sizeof(*p->taken));
	p->gone = calloc(q->n_offered + 1, sizeof(*p->gone));
	p->pairs = calloc(n + 1, sizeof(*p->pairs));
	ret->offered = calloc(q->n_offered + 1, sizeof(*ret->offered));
	ret->installed = calloc(q->n_installed + 1, sizeof(*ret->installed));
	ret->folders = calloc(p->offered.n + 1, sizeof(*ret->folders));
	if (r < 0 || !p->directories.texts || !p->homes || !p->anchors || !p->exact ||
		!p->is_exact || !p->next || !p->stack || !p->cells || !p->members ||
		!p->cell_of || !p->by_folder || !p->claims || !p->n_claims ||
		!p->gone || !p->pairs || !ret->offered || !ret->installed ||
		!p->shapes || !p->taken || !ret->folders)
		return SPG_ERR_NOMEM;
	ret->n_offered = q->n_offered;
	ret->n_installed = q->n_installed;
	return 0;
}

static void release(struct spg_placing *p)
{
	spg_place_folders_finish(&p->offered);
	spg_place_folders_finish(&p->installed);
	spg_place_folders_finish(&p->directories);
	free(p->homes);
	free(p->anchors);
	free(p->exact);
	free(p->is_exact);
	spg_place_names_finish(&p->names);
	free(p->next);
	free(p->stack);
	free(p->cells);
	free(p->members);
	free(p->cell_of);
	free(p->by_folder);
	free(p->claims);
	free(p->n_claims);
	free(p->gone);
	free(p->matches);
	free(p->shapes);
	free(p->taken);
	free(p->pairs);
}

static int compare_texts(const void *a, const void *b, void *user)
{
	return spg_place_compare(*(const struct spg_place_text *)a,
		*(const struct spg_place_text *)b, *(const bool *)user);
}

static void begin(struct spg_placing *p)
{
	const struct spg_placement_question *q = p->question;
	bool fold = q->ignore_case;

	for (size_t i = 0; i < q->n_directories; i++) {
		struct spg_place_text text = {
			q->directories[i], strlen(q->directories[i])};

		if (text.n == 1) /* "/", of which every path is below */
			text.n = 0;
		p->directories.texts[i] = text;
	}
	p->directories.n = q->n_directories;
	qsort_r(p->directories.texts, p->directories.n, sizeof(*p->directories.texts),
		compare_texts, &fold);
	for (size_t i = 0; i < q->n_offered; i++) {
		p->claims[i] = NONE;
		p->ret->offered[i].installed = NONE;
	}
	for (size_t i = 0; i < q->n_installed; i++) {
		p->cell_of[i] = NONE;
		p->by_folder[i] = i;
	}
}

static void mark_named(struct spg_placing *p)
{
	const size_t *of = p->names.of;
	size_t n = p->names.n, end;

	for (size_t i = 0; i < n; i = end) {
		bool named = false;

		for (end = i;
			end < n && of[p->names.order[end]] == of[p->names.order[i]];
			end++)
			named = named ||
			        spg_place_is_installed(&p->names, p->names.order[end]);
		for (size_t k = i; k < end; k++)
			if (!spg_place_is_installed(&p->names, p->names.order[k]))
				p->ret->offered[p->names.order[k]].named = named;
	}
}

int spg_placement_make(
	struct spg_placement *ret, const struct spg_placement_question *question)
{
	size_t n = question->n_offered + question->n_installed;
	struct spg_placement made = SPG_PLACEMENT_NULL;
	struct spg_placing p = {.question = question, .ret = &made};
	int r = prepare(&p);

	if (r == 0) {
		begin(&p);
		mark_named(&p);
		spg_place_claim_exact(&p);
		r = choose_matches(&p, n);
	}
	if (r == 0) {
		spg_place_find_cells(&p);
		r = find_homes(&p);
	}
	if (r == 0) {
		find_anchors(&p);
		settle_cells(&p);
		settle_left(&p, n);
		describe_folders(&p);
		*ret = made;
	} else {
		spg_placement_finish(&made);
	}
	release(&p);
	return r;
}

void spg_placement_finish(struct spg_placement *placement)
{
	free(placement->offered);
	free(placement->installed);
	free(placement->candidates);
	free(placement->folders);
	*placement = (struct spg_placement)SPG_PLACEMENT_NULL;
}
