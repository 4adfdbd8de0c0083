/* SPDX-License-Identifier: MIT */
/* Files of a package, whose paths are those where they are installed. */
#include <stdlib.h>

#include "daemon/install/fit/placement.h"
#include "daemon/install/fit/placement_parts.h"

static int compare_places(const void *a, const void *b, void *user)
{
	const struct spg_placing *p = user;
	size_t one = *(const size_t *)a, two = *(const size_t *)b;
	size_t n_offered = p->question->n_offered;

	if (p->names.of[n_offered + one] != p->names.of[n_offered + two])
		return p->names.of[n_offered + one] < p->names.of[n_offered + two] ? -1
		                                                                   : 1;
	if (p->installed.of[one] != p->installed.of[two])
		return p->installed.of[one] < p->installed.of[two] ? -1 : 1;
	return (one > two) - (one < two);
}

size_t spg_place_find_installed(const struct spg_placing *p, size_t name, size_t folder)
{
	const size_t *name_of = p->names.of + p->question->n_offered;
	size_t low = 0, high = p->question->n_installed;

	while (low < high) {
		size_t middle = low + (high - low) / 2, file = p->by_folder[middle];

		if (name_of[file] < name ||
			(name_of[file] == name && p->installed.of[file] < folder))
			low = middle + 1;
		else
			high = middle;
	}
	if (low == p->question->n_installed)
		return SPG_PLACE_NONE;
	low = p->by_folder[low];
	return name_of[low] == name && p->installed.of[low] == folder ? low
	                                                              : SPG_PLACE_NONE;
}

bool spg_place_is_exact(const struct spg_placing *p, size_t offered)
{
	return p->is_exact[p->offered.of[offered]];
}

/* Is @folder, absolute, one of the product's directories or, unless it is flat, below one? */
static bool is_in_product(const struct spg_placing *p, struct spg_place_text folder)
{
	for (;;) {
		if (spg_place_folders_find(&p->directories, folder,
			    p->question->ignore_case) != SPG_PLACE_NONE)
			return true;
		if (folder.n == 0 || p->question->flat)
			return false;
		while (folder.text[folder.n - 1] != '/')
			folder.n--;
		folder.n--;
	}
}

struct spg_place_home spg_place_exact_home(const struct spg_placing *p, size_t folder)
{
	struct spg_place_home home = {.folder = p->exact[folder]};

	home.sure = home.folder != SPG_PLACE_NONE;
	if (home.sure)
		spg_place_compare_endings(p->offered.texts[folder],
			p->installed.texts[home.folder], p->question->ignore_case,
			&home.depth);
	return home;
}

/* Of two packages that have the same path either may be meant. */
void spg_place_claim_exact(struct spg_placing *p)
{
	bool fold = p->question->ignore_case;
	size_t n = p->question->n_offered;

	qsort_r(p->by_folder, p->question->n_installed, sizeof(*p->by_folder),
		compare_places, p);
	for (size_t i = 0; i < p->offered.n; i++) {
		struct spg_place_text text = p->offered.texts[i];
		bool is_absolute = text.n > 0 && text.text[0] == '/';

		p->exact[i] =
			is_absolute ? spg_place_folders_find(&p->installed, text, fold)
				    : SPG_PLACE_NONE;
		p->is_exact[i] = is_absolute && (p->exact[i] != SPG_PLACE_NONE ||
							is_in_product(p, text));
	}
	for (size_t i = 0; i < n; i++) {
		size_t found = spg_place_find_installed(
			p, p->names.of[i], p->exact[p->offered.of[i]]);

		if (found == SPG_PLACE_NONE)
			continue;
		p->claims[i] = found;
		p->n_claims[found]++;
	}
	for (size_t i = 0; i < n; i++) {
		if (p->claims[i] == SPG_PLACE_NONE)
			continue;
		if (p->n_claims[p->claims[i]] == 1) {
			p->taken[p->claims[i]] = true;
			p->shapes[i] = SPG_PLACE_COPIED;
		} else {
			p->claims[i] = SPG_PLACE_NONE;
		}
	}
	for (size_t i = 0; i < p->question->n_installed; i++)
		p->n_claims[i] = p->taken[i];
}
