/* SPDX-License-Identifier: MIT */
/* Folders of a service pack and of a product: which is which. */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"
#include "daemon/install/fit/placement_folders.h"

struct spg_place_text spg_place_folder_of(const char *path)
{
	size_t n = (size_t)(spg_path_base(path) - path);

	return (struct spg_place_text){path, n > 0 ? n - 1 : 0};
}

int spg_place_compare(struct spg_place_text a, struct spg_place_text b, bool fold)
{
	return spg_name_compare_parts(a.text, a.n, b.text, b.n, fold);
}

enum { COMPONENT_END = -1, BEHIND_END = -2 };

/* Take the last character off @text; a component's end comes before everything, but for
 * what is behind the end. */
static int take_last(struct spg_place_text *text, bool *ended, bool fold)
{
	size_t len;
	uint32_t c;

	if (text->n == 0) {
		int end = *ended ? BEHIND_END : COMPONENT_END;

		*ended = true;
		return end;
	}
	c = spg_name_last(text->text, text->n, fold, &len);
	text->n -= len;
	return c == '/' ? COMPONENT_END : (int)c;
}

int spg_place_compare_endings(
	struct spg_place_text a, struct spg_place_text b, bool fold, size_t *ret_common)
{
	bool a_ended = false, b_ended = false;
	size_t common = 0;
	int order = 0;

	/* Behind an absolute path's first slash, and an empty one, is no component. */
	while (order == 0 && (a.n > 0 || b.n > 0)) {
		int one = take_last(&a, &a_ended, fold);
		int two = take_last(&b, &b_ended, fold);

		order = (one > two) - (one < two);
		if (order == 0 && (one == COMPONENT_END || (a.n == 0 && b.n == 0)))
			common++;
	}
	/* One ends where a component of the other does. */
	if (ret_common)
		*ret_common = common;
	return order;
}

/* The folder above. */
static struct spg_place_text above(struct spg_place_text folder)
{
	while (folder.n > 0 && folder.text[folder.n - 1] != '/')
		folder.n--;
	folder.n -= folder.n > 0;
	return folder;
}

struct spg_place_root spg_place_root_of(struct spg_place_text offered,
	struct spg_place_text installed, bool fold, size_t *ret_depth)
{
	struct spg_place_root root = {offered, installed};

	spg_place_compare_endings(offered, installed, fold, ret_depth);
	for (size_t i = 0; i < *ret_depth; i++) {
		root.offered = above(root.offered);
		root.installed = above(root.installed);
	}
	return root;
}

int spg_place_root_compare(
	const struct spg_place_root *a, const struct spg_place_root *b, bool fold)
{
	int order = spg_place_compare(a->offered, b->offered, fold);

	return order ? order : spg_place_compare(a->installed, b->installed, fold);
}

/* --- folders, each once --------------------------------------------------------- */

struct sorting {
	const char *const *paths;
	bool fold;
};

static int compare_folders(const void *a, const void *b, void *user)
{
	const struct sorting *sorting = user;
	size_t one = *(const size_t *)a, two = *(const size_t *)b;
	int order = spg_place_compare(spg_place_folder_of(sorting->paths[one]),
		spg_place_folder_of(sorting->paths[two]), sorting->fold);

	return order ? order : (one > two) - (one < two);
}

int spg_place_folders_init(struct spg_place_folders *folders, const char *const *paths,
	size_t n, bool fold)
{
	struct sorting sorting = {paths, fold};
	size_t *order = calloc(n + 1, sizeof(*order));

	*folders = (struct spg_place_folders){
		.texts = calloc(n + 1, sizeof(*folders->texts)),
		.of = calloc(n + 1, sizeof(*folders->of))};
	if (!order || !folders->texts || !folders->of) {
		free(order);
		return SPG_ERR_NOMEM;
	}
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof(*order), compare_folders, &sorting);
	for (size_t i = 0; i < n; i++) {
		struct spg_place_text text = spg_place_folder_of(paths[order[i]]);

		if (i == 0 ||
			spg_place_compare(folders->texts[folders->n - 1], text, fold))
			folders->texts[folders->n++] = text;
		folders->of[order[i]] = folders->n - 1;
	}
	free(order);
	return 0;
}

void spg_place_folders_finish(struct spg_place_folders *folders)
{
	free(folders->texts);
	free(folders->of);
	*folders = (struct spg_place_folders){NULL, 0, NULL};
}

size_t spg_place_folders_find(const struct spg_place_folders *folders,
	struct spg_place_text folder, bool fold)
{
	size_t low = 0, high = folders->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (spg_place_compare(folders->texts[middle], folder, fold) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < folders->n &&
	                       spg_place_compare(folders->texts[low], folder, fold) == 0
	               ? low
	               : SPG_PLACE_NONE;
}

/* --- homes ---------------------------------------------------------------------- */

static int compare_pairs(const void *a, const void *b)
{
	const struct spg_place_pair *one = a, *two = b;

	if (one->offered != two->offered)
		return one->offered < two->offered ? -1 : 1;
	return (one->installed > two->installed) - (one->installed < two->installed);
}

/* The folder that most of @n pairs of one folder of the pack have. */
struct favourite {
	size_t folder, votes;
	bool tied;
};

static void vote(struct favourite *favourite, size_t folder, size_t votes)
{
	if (votes == 0 || votes < favourite->votes)
		return;
	favourite->tied = votes == favourite->votes;
	favourite->folder = folder;
	favourite->votes = votes;
}

static bool wins(const struct favourite *favourite)
{
	return favourite->votes > 0 && !favourite->tied;
}

/* Those called alike count first: a file that strayed to another folder makes no
 * home of that. */
static void choose(
	const struct spg_place_pair *pairs, size_t n, struct spg_place_home *ret)
{
	struct favourite near = {0}, any = {0};
	size_t end;

	for (size_t i = 0; i < n; i = end) {
		size_t n_near = 0;

		for (end = i; end < n && pairs[end].installed == pairs[i].installed;
			end++)
			n_near += pairs[end].near;
		vote(&near, pairs[i].installed, n_near);
		vote(&any, pairs[i].installed, end - i);
	}
	if (wins(&near) && 2 * near.votes >= n) {
		ret->folder = near.folder;
		ret->sure = true;
	} else if (wins(&any) && 2 * any.votes > n) {
		ret->folder = any.folder;
	}
}

static int compare_roots(const void *a, const void *b, void *user)
{
	return spg_place_root_compare(a, b, *(const bool *)user);
}

static bool has_root(const struct spg_place_root *roots, size_t n,
	struct spg_place_root root, bool fold)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_roots(&roots[middle], &root, &fold) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && compare_roots(&roots[low], &root, &fold) == 0;
}

int spg_place_find_homes(const struct spg_place_folders *offered,
	const struct spg_place_folders *installed, struct spg_place_pair *pairs,
	size_t n, bool fold, struct spg_place_home *ret)
{
	struct spg_place_root *roots = calloc(offered->n + 1, sizeof(*roots));
	size_t n_roots = 0, end;

	if (!roots)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < offered->n; i++)
		ret[i] = (struct spg_place_home){SPG_PLACE_NONE, 0, false};
	qsort(pairs, n, sizeof(*pairs), compare_pairs);
	for (size_t i = 0; i < n; i = end) {
		size_t folder = pairs[i].offered;
		struct spg_place_home *home = &ret[folder];

		for (end = i; end < n && pairs[end].offered == folder; end++)
			;
		choose(&pairs[i], end - i, home);
		if (!home->sure)
			continue;
		roots[n_roots++] = spg_place_root_of(offered->texts[folder],
			installed->texts[home->folder], fold, &home->depth);
	}
	qsort_r(roots, n_roots, sizeof(*roots), compare_roots, &fold);
	for (size_t i = 0; i < offered->n; i++) {
		struct spg_place_root root = {offered->texts[i], {NULL, 0}};

		if (ret[i].sure || ret[i].folder == SPG_PLACE_NONE)
			continue;
		root.installed = installed->texts[ret[i].folder];
		ret[i].sure = has_root(roots, n_roots, root, fold);
	}
	free(roots);
	return 0;
}
