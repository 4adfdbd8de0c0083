/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A payload placed among the files of a product: see daemon/install/fit/placement.h.
 * Pure.
 */
#include "daemon/install/fit/expected.h"
#include "daemon/model/product.h"

/** The directories of @product for a placement; free() it. NULL: out of memory. */
const char **spg_places_directories(const struct spg_product *product);

/**
 * Place @expected among the files of @set, of @product. Its texts and @expected are
 * borrowed as long as @ret is used.
 *
 * Returns 0; then spg_expected_places_finish(); or SPG_ERR_NOMEM.
 */
int spg_places_make(struct spg_expected_places *ret, const struct spg_product *product,
	const struct spg_expected *expected, const struct spg_module_set *set);

/** The same among the @n files at @paths. */
int spg_places_make_of(struct spg_expected_places *ret,
	const struct spg_product *product, const struct spg_expected *expected,
	const char *const *paths, size_t n);
