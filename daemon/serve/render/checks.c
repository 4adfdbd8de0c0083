/* SPDX-License-Identifier: MIT */
/* The answers about several products as one, of the same shape for any number. */
#include <string.h>

#include "daemon/serve/render/parts.h"
#include "daemon/serve/render/render.h"

/* Lists of an answer: their rows name the product when they stand with others'. */
static const char *const lists[] = {"files", "reasons", "next", "remarks"};

#define N_LISTS (sizeof(lists) / sizeof(lists[0]))

/* Move the rows of @from into @to, each with the product's name. */
static int move_rows(json_t *to, json_t *from, json_t *product)
{
	int r = 0;

	for (size_t i = 0; i < json_array_size(from); i++) {
		json_t *row = json_array_get(from, i);

		if (!json_object_get(row, "product"))
			r |= json_object_set(row, "product", product);
		r |= json_array_append(to, row);
	}
	return r;
}

/* Add each number of @from to that in @to. */
static int add_numbers(json_t *to, const json_t *from)
{
	const char *key;
	const json_t *value;
	int r = 0;

	json_object_foreach ((json_t *)from, key, value)
		r |= json_object_set_new(to, key,
			json_integer(json_integer_value(json_object_get(to, key)) +
				     json_integer_value(value)));
	return r;
}

static int take_larger(json_t *to, const json_t *from, const char *key)
{
	json_int_t a = json_integer_value(json_object_get(to, key));
	json_int_t b = json_integer_value(json_object_get(from, key));

	return json_object_set_new(to, key, json_integer(a > b ? a : b));
}

/* Of a proof the whole is as good as its worst part. */
static int add_proof(json_t *to, json_t *from, json_t *product)
{
	json_int_t files = json_integer_value(json_object_get(to, "files")) +
	                   json_integer_value(json_object_get(from, "files"));
	int r = json_object_set(to, "tier", json_object_get(from, "tier"));

	r |= json_object_set_new(to, "files", json_integer(files));
	r |= take_larger(to, from, "took_us");
	r |= take_larger(to, from, "tries");
	if (!json_is_true(json_object_get(from, "complete")))
		r |= json_object_set_new(to, "complete", json_false());
	r |= move_rows(json_object_get(to, "coverage"),
		json_object_get(from, "coverage"), product);
	r |= json_object_del(from, "coverage");
	return r;
}

static int add_answer(json_t *out, json_t *answer)
{
	json_t *product = json_object_get(answer, "product");
	const json_t *payload = json_object_get(answer, "payload");
	json_int_t generation =
		json_integer_value(json_object_get(out, "generation")) +
		json_integer_value(json_object_get(answer, "generation"));
	int r = json_object_set_new(out, "generation", json_integer(generation));

	r |= add_proof(json_object_get(out, "proof"), json_object_get(answer, "proof"),
		product);
	r |= add_numbers(
		json_object_get(out, "counts"), json_object_get(answer, "counts"));
	for (size_t i = 0; i < N_LISTS; i++) {
		r |= move_rows(json_object_get(out, lists[i]),
			json_object_get(answer, lists[i]), product);
		r |= json_object_del(answer, lists[i]);
	}
	if (payload && !json_object_get(out, "payload"))
		r |= json_object_set_new(out, "payload", json_object());
	if (payload)
		r |= add_numbers(json_object_get(out, "payload"), payload);
	return r | json_array_append(json_object_get(out, "products"), answer);
}

json_t *spg_render_checks(json_t *const *answers, size_t n,
	enum spg_verdict_kind verdict, enum spg_verdict_kind without_blocked,
	int64_t at_ns)
{
	json_t *out =
		json_pack("{s:s, s:s, s:O?, s:O?, s:o, s:i, s:{s:n, s:i, s:i, s:i, "
			  "s:b, s:[]}, s:{}, s:[], s:[], s:[], s:[], s:[]}",
			"verdict", spg_verdict_name(verdict), "without_blocked",
			spg_verdict_name(without_blocked), "product",
			n == 1 ? json_object_get(answers[0], "product") : NULL, "title",
			n == 1 ? json_object_get(answers[0], "title") : NULL, "at",
			spg_render_time(at_ns), "generation", 0, "proof", "tier",
			"files", 0, "took_us", 0, "tries", 0, "complete", 1, "coverage",
			"counts", "files", "reasons", "next", "remarks", "products");
	int r = out ? 0 : -1;

	for (size_t i = 0; i < n; i++)
		r |= add_answer(out, answers[i]);
	return spg_render_done(out, r);
}
