/* SPDX-License-Identifier: MIT */
#include "daemon/serve/http/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"

/* As jansson wants it. */
static bool is_utf8(const char *text)
{
	size_t n = strlen(text), length = 1;

	for (; n > 0 && length > 0; text += length, n -= length)
		length = spg_text_utf8_length(text, n);
	return length > 0;
}

static json_t *read_bool(const char *text)
{
	static const char *const yes[] = {"", "1", "true", "yes"};
	static const char *const no[] = {"0", "false", "no"};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		if (strcmp(text, yes[i]) == 0)
			return json_true();
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (strcmp(text, no[i]) == 0)
			return json_false();
	return json_string(text);
}

static json_t *read_integer(const char *text)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	return !*text || *end || errno ? json_string(text) : json_integer(value);
}

static json_t *read_number(const char *text)
{
	json_t *value = read_integer(text), *real = NULL;
	char *end;
	double number;

	if (!json_is_string(value))
		return value;
	number = strtod(text, &end);
	/* NULL for what is not finite, which JSON does not have. */
	if (*text && !*end)
		real = json_real(number);
	if (!real)
		return value;
	json_decref(value);
	return real;
}

static json_t *read_value(const json_t *schema, const char *text)
{
	const char *type = schema ? spg_contract_type(schema) : "string";

	if (strcmp(type, "boolean") == 0)
		return read_bool(text);
	if (strcmp(type, "integer") == 0)
		return read_integer(text);
	if (strcmp(type, "number") == 0)
		return read_number(text);
	return json_string(text);
}

int spg_http_query_add(json_t *params, const struct spg_contract_method *method,
	const char *name, const char *text)
{
	const json_t *schema = method ? spg_contract_param(method, name) : NULL;
	const json_t *items = json_object_get(schema, "items");
	const char *element = items ? spg_contract_type(items) : "";
	bool is_list = items && strcmp(element, "object") != 0;
	json_t *value, *list;

	text = text ? text : "";
	if (!is_utf8(text) || !is_utf8(name))
		return SPG_ERR_INVALID;
	if (!is_list && json_object_get(params, name))
		return SPG_ERR_EXISTS; /* an answer about one would pass for both */
	value = read_value(is_list ? items : schema, text);
	if (!is_list)
		return json_object_set_new(params, name, value) < 0 ? SPG_ERR_NOMEM : 0;
	list = json_object_get(params, name);
	if (!list) {
		list = json_array();
		if (json_object_set_new(params, name, list) < 0) {
			json_decref(value);
			return SPG_ERR_NOMEM;
		}
	}
	return json_array_append_new(list, value) < 0 ? SPG_ERR_NOMEM : 0;
}
