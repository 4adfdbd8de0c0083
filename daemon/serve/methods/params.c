/* SPDX-License-Identifier: MIT */
/* What handlers read of their parameters, in one way and with one set of words. */
#include "daemon/serve/methods/methods.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/rfc3339.h"
#include "common/text.h"

const char *spg_params_quote(struct spg_buf *buf, const char *text)
{
	spg_buf_clear(buf);
	spg_text_escape(buf, text, false);
	return buf->len > 200 || buf->failed ? "(a long text)" : spg_buf_text(buf);
}

bool spg_params_time(
	struct spg_call *call, const json_t *params, const char *name, int64_t *ret)
{
	const char *text = spg_params_text(params, name);

	if (!text || spg_rfc3339_parse(text, ret) == 0)
		return true;
	spg_call_fail(call, SPG_RPC_BAD_PARAMS,
		"write times as 2026-11-22T13:00:00Z, with an offset if need be",
		"parameter \"%s\" must be a time in RFC 3339", name);
	return false;
}

const char *spg_params_text(const json_t *params, const char *name)
{
	return json_string_value(json_object_get(params, name));
}

bool spg_params_kinds(struct spg_call *call, const json_t *params, uint32_t *ret)
{
	const json_t *list = json_object_get(params, "kinds");
	uint32_t kinds = 0;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name = json_string_value(json_array_get(list, i));
		struct spg_buf quoted = SPG_BUF_NULL, known = SPG_BUF_NULL;
		int kind = spg_event_kind_from_name(name);

		if (kind >= 0) {
			kinds |= SPG_EVENT_BIT(kind);
			continue;
		}
		spg_buf_puts(&known, "the kinds are: ");
		for (int k = 0; k < SPG_EVENT_KINDS; k++)
			spg_buf_printf(
				&known, "%s%s", k ? ", " : "", spg_event_kind_name(k));
		spg_call_fail(call, SPG_RPC_BAD_PARAMS, spg_buf_text(&known),
			"parameter \"kinds\": there is no kind \"%s\"",
			spg_params_quote(&quoted, name));
		spg_buf_finish(&quoted);
		spg_buf_finish(&known);
		return false;
	}
	*ret = kinds;
	return true;
}

static void list_products(const struct spg_model *model, struct spg_buf *out)
{
	size_t n = spg_model_n_products(model);

	spg_buf_puts(out, n ? "the products are: "
			    : "there is none: add a [product NAME] to the "
			      "configuration");
	for (size_t i = 0; i < n; i++)
		spg_buf_printf(
			out, "%s%s", i ? ", " : "", spg_model_product(model, i)->name);
}

bool spg_params_product(struct spg_call *call, const json_t *params, int *ret)
{
	const struct spg_model *model = call->service->model;
	const char *name = spg_params_text(params, "product");
	struct spg_buf quoted = SPG_BUF_NULL, known = SPG_BUF_NULL;

	*ret = name ? spg_model_find_product(model, name) : -1;
	if (!name || *ret >= 0)
		return true;
	list_products(model, &known);
	spg_call_fail(call, SPG_RPC_NO_PRODUCT, spg_buf_text(&known),
		"there is no product \"%s\"", spg_params_quote(&quoted, name));
	spg_buf_finish(&quoted);
	spg_buf_finish(&known);
	return false;
}

void spg_call_fail_which_product(struct spg_call *call)
{
	struct spg_buf known = SPG_BUF_NULL;

	list_products(call->service->model, &known);
	spg_call_fail(call, SPG_RPC_BAD_PARAMS, spg_buf_text(&known),
		"this is about one product: name it");
	spg_buf_finish(&known);
}

struct spg_product *spg_params_one_product(struct spg_call *call, const json_t *params)
{
	struct spg_model *model = call->service->model;
	int index;

	if (!spg_params_product(call, params, &index))
		return NULL;
	if (index >= 0)
		return spg_model_product(model, (size_t)index);
	if (spg_model_n_products(model) == 1)
		return spg_model_product(model, 0);
	spg_call_fail_which_product(call);
	return NULL;
}

void spg_name_list_finish(struct spg_name_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->names[i]);
	free(list->names);
	free(list->sizes);
	*list = (struct spg_name_list){NULL, NULL, 0};
}

/* Why @text names no file that can be asked about; NULL: it does. */
static const char *find_fault(const char *text, const char **ret_hint)
{
	size_t len = strlen(text);

	if (!spg_path_is_absolute(text) && strchr(text, '/')) {
		*ret_hint = "the daemon does not know the caller's directory";
		return "neither a file name nor an absolute path";
	}
	/* Behind a link it leads where the text does not. */
	if (strstr(text, "/../") || (len >= 3 && strcmp(text + len - 3, "/..") == 0)) {
		*ret_hint = "write the path without \"..\", as the product has it";
		return "a path that goes up";
	}
	return NULL;
}

static uint64_t size_of(const json_t *file)
{
	const json_t *size = json_object_get(file, "size");

	return json_is_integer(size) ? (uint64_t)json_integer_value(size)
	                             : SPG_SIZE_UNKNOWN;
}

bool spg_params_names(struct spg_call *call, const json_t *params, const char *name,
	struct spg_name_list *ret)
{
	const json_t *texts = json_object_get(params, name);
	struct spg_name_list list = {NULL, NULL, 0};
	size_t n = json_array_size(texts);

	if (!json_is_array(texts)) {
		*ret = list;
		return true;
	}
	list.names = calloc(n + 1, sizeof(*list.names));
	list.sizes = calloc(n + 1, sizeof(*list.sizes));
	if (!list.names || !list.sizes)
		goto nomem;
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_array_get(texts, i);
		const char *text = json_string_value(
			json_is_object(item) ? json_object_get(item, "name") : item);
		const char *hint, *fault = find_fault(text, &hint);
		struct spg_buf quoted = SPG_BUF_NULL;

		if (fault) {
			spg_call_fail(call, SPG_RPC_BAD_PARAMS, hint,
				"parameter \"%s\": %s: %s", name, fault,
				spg_params_quote(&quoted, text));
			spg_buf_finish(&quoted);
			spg_name_list_finish(&list);
			return false;
		}
		list.names[list.n] = strdup(text);
		if (!list.names[list.n])
			goto nomem;
		if (spg_path_is_absolute(text))
			spg_path_normalise(list.names[list.n]);
		list.sizes[list.n] = size_of(item);
		list.n++;
	}
	*ret = list;
	return true;
nomem:
	spg_name_list_finish(&list);
	spg_call_fail_nomem(call);
	return false;
}
