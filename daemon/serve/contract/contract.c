/* SPDX-License-Identifier: MIT */
#include "daemon/serve/contract/contract.h"

#include <stdlib.h>
#include <string.h>

#include "common/message.h"
#include "common/text.h"

struct spg_contract {
	json_t *rows; /* of the methods, without their results */
	struct spg_contract_method *methods;
	size_t n;
};

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

json_t *spg_contract_document(void)
{
	json_t *document = json_loadb((const char *)spg_contract_text,
		spg_contract_text_size, JSON_REJECT_DUPLICATES, NULL);
	json_t *info = json_object_get(document, "info");

	if (json_object_set_new(info, "version", json_string(SPG_VERSION)) == 0)
		return document;
	json_decref(document);
	return NULL;
}

/* Put the component in place of what refers to it: nothing else of the document is kept. */
static int resolve_items(const json_t *document, json_t *schema)
{
	static const char components[] = "#/components/schemas/";
	const char *ref = text_of(json_object_get(schema, "items"), "$ref");
	const json_t *schemas =
		json_object_get(json_object_get(document, "components"), "schemas");

	return ref ? json_object_set(schema, "items",
			     json_object_get(schemas, ref + sizeof(components) - 1))
	           : 0;
}

static int take_method(struct spg_contract *c, const json_t *document)
{
	json_t *row = json_array_get(c->rows, c->n);
	const json_t *params = json_object_get(row, "params");
	int r = 0;

	c->methods[c->n++] = (struct spg_contract_method){.name = text_of(row, "name"),
		.needs_admin = json_is_true(json_object_get(row, "x-needs-admin")),
		.over_http = json_is_true(json_object_get(row, "x-over-http")),
		.params = params};
	(void)json_object_del(row, "result");
	for (size_t i = 0; r == 0 && i < json_array_size(params); i++)
		r = resolve_items(
			document, json_object_get(json_array_get(params, i), "schema"));
	return r;
}

struct spg_contract *spg_contract_load(void)
{
	struct spg_contract *c = calloc(1, sizeof(*c));
	json_t *document = spg_contract_document();
	int r = -1;

	if (c && document) {
		c->rows = json_incref(json_object_get(document, "methods"));
		c->methods = calloc(json_array_size(c->rows) + 1, sizeof(*c->methods));
		r = c->methods ? 0 : -1;
	}
	while (r == 0 && c->n < json_array_size(c->rows))
		r = take_method(c, document);
	json_decref(document);
	if (r == 0)
		return c;
	spg_contract_destroy(c);
	return NULL;
}

void spg_contract_destroy(struct spg_contract *contract)
{
	if (!contract)
		return;
	json_decref(contract->rows);
	free(contract->methods);
	free(contract);
}

const struct spg_contract_method *spg_contract_find(
	const struct spg_contract *contract, const char *name)
{
	for (size_t i = 0; i < contract->n; i++)
		if (strcmp(contract->methods[i].name, name) == 0)
			return &contract->methods[i];
	return NULL;
}

static const json_t *find_param(
	const struct spg_contract_method *method, const char *name)
{
	for (size_t i = 0; i < json_array_size(method->params); i++) {
		const json_t *param = json_array_get(method->params, i);

		if (strcmp(text_of(param, "name"), name) == 0)
			return param;
	}
	return NULL;
}

const json_t *spg_contract_param(
	const struct spg_contract_method *method, const char *name)
{
	return json_object_get(find_param(method, name), "schema");
}

const char *spg_contract_type(const json_t *schema)
{
	return text_of(schema, "type");
}

/* --- values ------------------------------------------------------------------ */

static bool is_of(const char *type, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return strcmp(type, "string") == 0;
	case JSON_TRUE:
	case JSON_FALSE:
		return strcmp(type, "boolean") == 0;
	case JSON_INTEGER:
		return strcmp(type, "integer") == 0 || strcmp(type, "number") == 0;
	case JSON_REAL:
		return strcmp(type, "number") == 0;
	case JSON_ARRAY:
		return strcmp(type, "array") == 0;
	case JSON_OBJECT:
		return strcmp(type, "object") == 0;
	case JSON_NULL:
		return strcmp(type, "null") == 0;
	}
	return false;
}

static bool has_type(const json_t *types, const json_t *value)
{
	if (json_is_string(types))
		return is_of(json_string_value(types), value);
	for (size_t i = 0; i < json_array_size(types); i++)
		if (is_of(json_string_value(json_array_get(types, i)), value))
			return true;
	return false;
}

static bool is_in_range(const json_t *schema, const json_t *value)
{
	const json_t *min = json_object_get(schema, "minimum");
	const json_t *max = json_object_get(schema, "maximum");
	double number = json_number_value(value);

	return !json_is_number(value) ||
	       ((!min || number >= json_number_value(min)) &&
		       (!max || number <= json_number_value(max)));
}

static bool fits(const json_t *schema, const json_t *value);

static bool has_properties(const json_t *schema, const json_t *object)
{
	const json_t *properties = json_object_get(schema, "properties");
	const json_t *required = json_object_get(schema, "required");
	const char *key;
	const json_t *value;

	for (size_t i = 0; i < json_array_size(required); i++)
		if (!json_object_get(
			    object, json_string_value(json_array_get(required, i))))
			return false;
	/* The macro wants no const; nothing is changed. */
	json_object_foreach ((json_t *)object, key, value) {
		const json_t *property = json_object_get(properties, key);

		if (!property || !fits(property, value))
			return false;
	}
	return true;
}

/* All but the length of a list, which is told apart. */
static bool fits(const json_t *schema, const json_t *value)
{
	const json_t *items;

	if (!has_type(json_object_get(schema, "type"), value) ||
		!is_in_range(schema, value))
		return false;
	if (json_is_string(value))
		return json_string_length(value) >=
		       (size_t)json_integer_value(json_object_get(schema, "minLength"));
	if (json_is_object(value))
		return has_properties(schema, value);
	items = json_object_get(schema, "items");
	for (size_t i = 0; i < json_array_size(value); i++)
		if (!fits(items, json_array_get(value, i)))
			return false;
	return true;
}

/* --- words ------------------------------------------------------------------- */

/* What a list has, as its plural without the "s". */
static const char *element_of(const json_t *schema)
{
	const json_t *items = json_object_get(schema, "items");
	const char *title = text_of(items, "title");

	return title                                              ? title
	       : strcmp(spg_contract_type(items), "integer") == 0 ? "whole number"
	                                                          : "text";
}

static void put_type(const json_t *schema, struct spg_buf *out)
{
	static const struct {
		const char *type, *words;
	} words[] = {{"string", "text"}, {"boolean", "true or false"},
		{"integer", "a whole number"}, {"number", "a number"}};
	const char *type = spg_contract_type(schema);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(type, words[i].type) == 0)
			spg_buf_puts(out, words[i].words);
	if (strcmp(type, "array") == 0)
		spg_buf_printf(out, "a list of %ss", element_of(schema));
}

static void put_range(const json_t *schema, struct spg_buf *out)
{
	const json_t *min = json_object_get(schema, "minimum");
	const json_t *max = json_object_get(schema, "maximum");

	if (min && max)
		spg_buf_printf(out, " from %.0f to %.0f", json_number_value(min),
			json_number_value(max));
}

static int check_param(const json_t *param, const json_t *value, struct spg_buf *error,
	struct spg_buf *hint)
{
	const json_t *schema = json_object_get(param, "schema");
	const char *name = text_of(param, "name");
	json_int_t max = json_integer_value(json_object_get(schema, "maxItems"));

	if (!fits(schema, value)) {
		spg_buf_printf(error, "parameter \"%s\" must be ", name);
		put_type(schema, error);
		if (has_type(json_object_get(schema, "type"), value))
			put_range(schema, error);
		spg_buf_puts(hint, text_of(param, "summary"));
		return SPG_RPC_BAD_PARAMS;
	}
	if (max > 0 && json_array_size(value) > (size_t)max) {
		spg_buf_printf(error, "parameter \"%s\" may have %lld %ss at most",
			name, (long long)max, element_of(schema));
		spg_buf_puts(hint, "ask in several requests");
		return SPG_RPC_TOO_LARGE;
	}
	return 0;
}

static int refuse_unknown(const struct spg_contract_method *method, const char *name,
	struct spg_buf *error, struct spg_buf *hint)
{
	size_t n = json_array_size(method->params);
	struct spg_buf clean = SPG_BUF_NULL;

	spg_text_escape(&clean, name, false);
	spg_buf_printf(error, "method \"%s\" has no parameter \"%s\"", method->name,
		clean.len > 200 || clean.failed ? "(a long text)"
						: spg_buf_text(&clean));
	spg_buf_finish(&clean);
	spg_buf_puts(hint, n ? "it takes: " : "it takes none");
	for (size_t i = 0; i < n; i++)
		spg_buf_printf(hint, "%s%s", i ? ", " : "",
			text_of(json_array_get(method->params, i), "name"));
	return SPG_RPC_BAD_PARAMS;
}

int spg_contract_check(const struct spg_contract_method *method, const json_t *params,
	struct spg_buf *error, struct spg_buf *hint)
{
	const char *name;
	const json_t *value;
	int r = 0;

	json_object_foreach ((json_t *)params, name, value) {
		const json_t *param = find_param(method, name);

		if (!param)
			return refuse_unknown(method, name, error, hint);
		if (!json_is_null(value))
			r = check_param(param, value, error, hint);
		if (r)
			return r;
	}
	for (size_t i = 0; i < json_array_size(method->params); i++) {
		const json_t *param = json_array_get(method->params, i);

		name = text_of(param, "name");
		value = json_object_get(params, name);
		if (!json_is_true(json_object_get(param, "required")) ||
			(value && !json_is_null(value)))
			continue;
		spg_buf_printf(error, "parameter \"%s\" is missing: ", name);
		put_type(json_object_get(param, "schema"), error);
		spg_buf_puts(hint, text_of(param, "summary"));
		return SPG_RPC_BAD_PARAMS;
	}
	return 0;
}
