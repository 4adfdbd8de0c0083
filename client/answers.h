/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The answer to "check" about any number of products, taken apart again.
 */
#include <jansson.h>

/**
 * The answer about each product in @result, as if only that had been asked about: a new
 * array, empty without products. What has no "products" is an answer by itself. NULL:
 * out of memory.
 */
json_t *spg_answers_split(const json_t *result);
