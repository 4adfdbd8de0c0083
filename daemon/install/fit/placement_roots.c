/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/placement_roots.h"

#include <stdlib.h>

#include "common/err.h"

static int compare_roots(const void *a, const void *b, void *user)
{
	const struct spg_place_match *one = a, *two = b;

	return spg_place_root_compare(&one->root, &two->root, *(const bool *)user);
}

static void count_support(struct spg_place_match *matches, size_t n, bool fold)
{
	size_t end;

	qsort_r(matches, n, sizeof(*matches), compare_roots, &fold);
	for (size_t i = 0; i < n; i = end) {
		enum spg_place_shape shape = SPG_PLACE_LOOSE;

		for (end = i; end < n &&
			      compare_roots(&matches[i], &matches[end], &fold) == 0;
			end++) {
			if (matches[end].folder != matches[i].folder)
				shape = SPG_PLACE_COPIED;
			else if (matches[end].depth > 0 && shape == SPG_PLACE_LOOSE)
				shape = SPG_PLACE_SHAPED;
		}
		for (size_t k = i; k < end; k++) {
			matches[k].support = end - i;
			matches[k].shape = shape;
		}
	}
}

static bool is_shaped(const struct spg_place_match *match)
{
	return match->shape != SPG_PLACE_LOOSE;
}

/* What is best supported comes first. */
static int compare_support(const void *a, const void *b)
{
	const struct spg_place_match *one = a, *two = b;

	if (is_shaped(one) != is_shaped(two))
		return is_shaped(one) ? -1 : 1;
	if (one->support != two->support)
		return one->support > two->support ? -1 : 1;
	if (one->offered != two->offered)
		return one->offered < two->offered ? -1 : 1;
	return (one->installed > two->installed) - (one->installed < two->installed);
}

static bool is_as_good(const struct spg_place_match *a, const struct spg_place_match *b)
{
	return is_shaped(a) == is_shaped(b) && a->support == b->support;
}

/* Pairs of one support: those that no other of them contests. A file that is contested
 * is left to others to judge, and so is what is supported less. */
static void choose_level(const struct spg_place_match *matches, size_t n,
	unsigned char *offered, unsigned char *installed, size_t *ret_claims,
	enum spg_place_shape *ret_shapes)
{
	enum { OPEN, ONCE, SEVERAL, CLOSED };

	for (size_t i = 0; i < n; i++) {
		unsigned char *one = &offered[matches[i].offered];
		unsigned char *two = &installed[matches[i].installed];

		if (*one == CLOSED || *two == CLOSED)
			continue;
		*one += *one < SEVERAL;
		*two += *two < SEVERAL;
	}
	for (size_t i = 0; i < n; i++) {
		if (offered[matches[i].offered] != ONCE ||
			installed[matches[i].installed] != ONCE)
			continue;
		ret_claims[matches[i].offered] = matches[i].installed;
		ret_shapes[matches[i].offered] = matches[i].shape;
	}
	for (size_t i = 0; i < n; i++) {
		if (offered[matches[i].offered] != OPEN)
			offered[matches[i].offered] = CLOSED;
		if (installed[matches[i].installed] != OPEN)
			installed[matches[i].installed] = CLOSED;
	}
}

int spg_place_choose(struct spg_place_match *matches, size_t n, bool fold,
	size_t n_offered, size_t n_installed, size_t *ret_claims,
	enum spg_place_shape *ret_shapes)
{
	unsigned char *offered = calloc(n_offered + 1, 1);
	unsigned char *installed = calloc(n_installed + 1, 1);
	size_t end;

	if (!offered || !installed) {
		free(offered);
		free(installed);
		return SPG_ERR_NOMEM;
	}
	count_support(matches, n, fold);
	qsort(matches, n, sizeof(*matches), compare_support);
	/* Without shape, one that no other supports tells nothing. */
	for (size_t i = 0; i < n && (matches[i].support > 1 || is_shaped(&matches[i]));
		i = end) {
		for (end = i; end < n && is_as_good(&matches[i], &matches[end]); end++)
			;
		choose_level(&matches[i], end - i, offered, installed, ret_claims,
			ret_shapes);
	}
	free(offered);
	free(installed);
	return 0;
}
