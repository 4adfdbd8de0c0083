/* SPDX-License-Identifier: MIT */
/* The methods about the history: log, flush. Both answer from the store's
 * callbacks, which come in any case; a call whose client has gone meanwhile
 * goes nowhere (see call.h). */
#include "daemon/serve/methods/methods.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/rfc3339.h"
#include "daemon/serve/render/render.h"

#define LOG_LIMIT_DEFAULT 200

void spg_call_fail_history(struct spg_call *call, int err)
{
	struct spg_store_status status;

	if (spg_call_is_abandoned(call)) {
		spg_call_drop(call);
		return;
	}
	spg_store_status(call->service->store, &status);
	if (err == SPG_ERR_BUSY && status.faulty)
		spg_call_fail(call, SPG_RPC_BUSY, "ask again; nothing is lost by that",
			"the history waits: %s", status.why);
	else if (err == SPG_ERR_BUSY)
		spg_call_fail(call, SPG_RPC_BUSY, "ask again when it runs",
			"the daemon is stopping");
	else if (status.stopped)
		spg_call_fail(call, SPG_RPC_INTERNAL,
			"writing is tried again by itself; see spguard doctor",
			"history is stopped: %s",
			status.why[0] ? status.why : spg_err_text(err));
	else
		spg_call_fail(call, SPG_RPC_INTERNAL, "the daemon's log says more",
			"the history could not be used: %s", spg_err_text(err));
}

static void on_page(void *user, int err, struct spg_store_page *page)
{
	struct spg_call *call = user;
	json_t *events, *result;
	int r;

	if (err < 0 || spg_call_is_abandoned(call)) {
		spg_call_fail_history(call, err);
		return;
	}
	events = json_array();
	r = events ? 0 : -1;
	for (size_t i = 0; i < page->events.n; i++)
		r |= json_array_append_new(
			events, spg_render_event(page->events.events[i]));
	if (r) {
		json_decref(events);
		spg_call_fail_nomem(call);
		return;
	}
	result = json_pack("{s:o, s:b}", "events", events, "more", page->more);
	spg_call_reply(call, result);
}

static bool read_times(
	struct spg_call *call, const json_t *params, struct spg_store_query *query)
{
	if (!spg_params_time(call, params, "since", &query->since_ns) ||
		!spg_params_time(call, params, "until", &query->until_ns))
		return false;
	if (!query->since_ns || !query->until_ns || query->since_ns <= query->until_ns)
		return true;
	spg_call_fail(call, SPG_RPC_BAD_PARAMS, "swap them",
		"parameter \"until\" must not be earlier than \"since\"");
	return false;
}

/* All digits: a pid; else a name. */
static void read_process(const char *text, struct spg_store_query *query)
{
	char *end;
	long pid;

	if (!text || !text[0])
		return;
	pid = strtol(text, &end, 10);
	if (text[strspn(text, "0123456789")] == '\0' && pid > 0 && pid <= INT32_MAX)
		query->pid = (int32_t)pid;
	else
		query->process_name = text;
}

void spg_method_log(struct spg_call *call, const json_t *params)
{
	struct spg_store_query query = {.limit = LOG_LIMIT_DEFAULT};
	json_int_t limit = json_integer_value(json_object_get(params, "limit"));
	struct spg_name_list paths;
	int product;

	if (!read_times(call, params, &query) ||
		!spg_params_kinds(call, params, &query.kinds) ||
		!spg_params_product(call, params, &product) ||
		!spg_params_names(call, params, "paths", &paths))
		return;
	query.paths = (const char *const *)paths.names;
	query.n_paths = paths.n;
	query.product = spg_params_text(params, "product");
	query.before_id = json_integer_value(json_object_get(params, "before"));
	read_process(spg_params_text(params, "process"), &query);
	if (limit > SPG_STORE_PAGE_MAX)
		query.limit = SPG_STORE_PAGE_MAX;
	else if (limit > 0)
		query.limit = (size_t)limit;
	spg_store_query(call->service->store, &query, on_page, call);
	spg_name_list_finish(&paths);
}

struct flush {
	struct spg_call *call;
	int64_t last_id;
};

static void flush_fail(struct flush *flush, int err)
{
	spg_call_fail_history(flush->call, err);
	free(flush);
}

static void on_flushed(void *user, int err)
{
	struct flush *flush = user;

	if (err < 0) {
		flush_fail(flush, err);
		return;
	}
	spg_call_reply(flush->call, json_pack("{s:b, s:I}", "flushed", 1, "last_id",
					    (json_int_t)flush->last_id));
	free(flush);
}

static void on_settled(void *user, int err)
{
	struct flush *flush = user;

	if (err < 0 || spg_call_is_abandoned(flush->call)) {
		flush_fail(flush, err);
		return;
	}
	flush->last_id = flush->call->service->counters->last_id;
	spg_store_flush(flush->call->service->store, on_flushed, flush);
}

void spg_method_flush(struct spg_call *call, const json_t *params)
{
	struct flush *flush = calloc(1, sizeof(*flush));

	(void)params;
	if (!flush) {
		spg_call_fail_nomem(call);
		return;
	}
	flush->call = call;
	if (spg_prover_sync(call->service->prover, on_settled, flush) < 0) {
		free(flush);
		spg_call_fail_nomem(call);
	}
}
