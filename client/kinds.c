/* SPDX-License-Identifier: MIT */
#include "client/kinds.h"

#include <string.h>

#include "common/kind.h"

static int explain(const struct spg_client *client, const char *name)
{
	struct spg_buf all = SPG_BUF_NULL;
	int code;

	for (int kind = 0; kind < SPG_EVENT_KINDS; kind++)
		spg_buf_printf(&all, "%s%s", kind ? ", " : "",
			spg_event_kind_name((enum spg_event_kind)kind));
	code = spg_client_usage(client, "there is no kind '%s' of event; there are: %s",
		name, spg_buf_text(&all));
	spg_buf_finish(&all);
	return code;
}

bool spg_client_kinds(const struct spg_client *client, const char *text, json_t *params,
	int *ret_exit)
{
	json_t *kinds = json_array();
	bool good = kinds != NULL;

	while (good) {
		size_t len = strcspn(text, ",");
		char name[32] = "";

		memcpy(name, text, len < sizeof(name) ? len : sizeof(name) - 1);
		if (len >= sizeof(name) || spg_event_kind_from_name(name) < 0) {
			*ret_exit = explain(client, name);
			good = false;
			break;
		}
		json_array_append_new(kinds, json_string(name));
		text += len;
		if (!*text++)
			break;
	}
	if (good)
		json_object_set(params, "kinds", kinds);
	json_decref(kinds);
	return good;
}
