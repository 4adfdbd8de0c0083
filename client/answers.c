/* SPDX-License-Identifier: MIT */
#include "client/answers.h"

#include <string.h>

#include "client/output.h"

static const char *const lists[] = {"files", "reasons", "next", "remarks"};

#define N_LISTS (sizeof(lists) / sizeof(lists[0]))

/* The rows of @list that are about @product. */
static json_t *rows_of(const json_t *list, const char *product)
{
	json_t *out = json_array(), *row;
	size_t i;

	json_array_foreach (list, i, row) {
		const char *name = spg_json_text(row, "product");

		if (name && product && strcmp(name, product) == 0)
			json_array_append(out, row);
	}
	return out;
}

static json_t *answer_of(const json_t *result, const json_t *row)
{
	const char *product = spg_json_text(row, "product");
	json_t *out = json_copy((json_t *)row);
	const json_t *proof = json_object_get(row, "proof");
	json_t *copy = json_is_object(proof) ? json_copy((json_t *)proof) : NULL;

	for (size_t i = 0; i < N_LISTS; i++)
		if (!json_object_get(row, lists[i]))
			json_object_set_new(out, lists[i],
				rows_of(spg_json_list(result, lists[i]), product));
	if (copy && !json_object_get(copy, "coverage"))
		json_object_set_new(copy, "coverage",
			rows_of(spg_json_list(
					json_object_get(result, "proof"), "coverage"),
				product));
	if (copy)
		json_object_set_new(out, "proof", copy);
	return out;
}

json_t *spg_answers_split(const json_t *result)
{
	const json_t *products = json_object_get(result, "products");
	json_t *out = json_array(), *row;
	size_t i;

	if (!products) {
		json_array_append(out, (json_t *)result);
		return out;
	}
	json_array_foreach (products, i, row)
		json_array_append_new(out, json_is_object(row) ? answer_of(result, row)
							       : json_incref(row));
	return out;
}
