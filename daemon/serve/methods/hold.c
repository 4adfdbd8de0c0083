/* SPDX-License-Identifier: MIT */
/* The methods of holds: hold.begin, hold.renew, hold.end. Beginning and ending
 * answer when the guard has. */
#include "daemon/serve/methods/methods.h"

#include <inttypes.h>
#include <limits.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/install/hold/hold.h"
#include "daemon/serve/render/parts.h"
#include "daemon/serve/session.h"

static bool get_duration(struct spg_call *call, const json_t *params, int64_t *ret_ns)
{
	double seconds = json_number_value(json_object_get(params, "for"));

	*ret_ns = (int64_t)(seconds * (double)SPG_NS_PER_S);
	if (*ret_ns > 0 && *ret_ns <= SPG_HOLD_MAX_NS)
		return true;
	spg_call_fail(call, SPG_RPC_BAD_PARAMS,
		"a hold can be renewed while it lasts: hold.renew",
		"parameter \"for\" must be a number of seconds, at most %" PRId64,
		SPG_HOLD_MAX_NS / SPG_NS_PER_S);
	return false;
}

/* The product that is named, or the only one. */
static struct spg_product *get_product(struct spg_call *call, const json_t *params)
{
	const struct spg_model *model = call->service->model;
	int index;

	if (!spg_params_product(call, params, &index))
		return NULL;
	if (index < 0 && spg_model_n_products(model) == 1)
		index = 0;
	if (index < 0) {
		spg_call_fail(call, SPG_RPC_BAD_PARAMS, "name the product to be held",
			"there are %zu products: which one?",
			spg_model_n_products(model));
		return NULL;
	}
	return spg_model_product(model, (size_t)index);
}

/* The client first, then "pids". */
static bool get_pids(struct spg_call *call, const json_t *params,
	int32_t ret[SPG_HOLD_PIDS], size_t *ret_n)
{
	const json_t *list = json_object_get(params, "pids");

	ret[0] = call->asker->peer->pid;
	*ret_n = 1;
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_int_t pid = json_integer_value(json_array_get(list, i));

		if (pid <= 0 || pid > INT32_MAX || *ret_n == SPG_HOLD_PIDS) {
			spg_call_fail(call, SPG_RPC_BAD_PARAMS, NULL,
				"parameter \"pids\" must be at most %d numbers of "
				"processes",
				SPG_HOLD_PIDS - 1);
			return false;
		}
		ret[(*ret_n)++] = (int32_t)pid;
	}
	return true;
}

static void refuse_busy(struct spg_call *call, const struct spg_hold *hold)
{
	spg_call_fail(call, SPG_RPC_BUSY,
		"wait until it ends, or end the process that began it",
		"the product is held already, by process %" PRId32,
		hold->process ? hold->process->id.pid : 0);
}

static void refuse(struct spg_call *call, int err)
{
	switch (err) {
	case SPG_ERR_UNSUPPORTED:
		spg_call_fail(call, SPG_RPC_UNSUPPORTED,
			"apply the service pack without a hold, in a maintenance "
			"window",
			"opens cannot be refused on this system");
		break;
	case SPG_ERR_NOT_FOUND:
		spg_call_fail(call, SPG_RPC_BAD_PARAMS,
			"name processes that run, in the daemon's pid namespace",
			"there is no such process: the client's own, or one of "
			"\"pids\"");
		break;
	case SPG_ERR_LIMIT:
		spg_call_fail(call, SPG_RPC_BUSY, "wait until one of them ends",
			"there are too many holds");
		break;
	case SPG_ERR_NOMEM:
		spg_call_fail_nomem(call);
		break;
	default:
		spg_call_fail(call, SPG_RPC_INTERNAL, "the daemon's log says more",
			"the hold cannot begin: %s", spg_err_text(err));
		break;
	}
}

static void on_begun(void *user, struct spg_hold *hold)
{
	struct spg_call *call = user;
	struct spg_buf why = SPG_BUF_NULL;

	if (hold->state != SPG_HOLD_ENDED) {
		spg_call_reply(
			call, json_pack("{s:I, s:o, s:o, s:I, s:I}", "hold",
				      (json_int_t)hold->id, "product",
				      spg_render_text(hold->product->name), "until",
				      spg_render_time(hold->until_ns), "files",
				      (json_int_t)hold->n_files, "directories",
				      (json_int_t)hold->n_directories));
		return;
	}
	spg_text_escape(&why, hold->words, false);
	spg_call_fail(call, SPG_RPC_UNSUPPORTED,
		"spguard doctor says what this system lacks",
		"the hold could not begin: %s", spg_buf_text(&why));
	spg_buf_finish(&why);
	spg_hold_forget(hold);
}

/* Its session goes, and the hold with it (spg_holds_drop_owner()): it calls nobody. */
static void on_abandon(struct spg_call *call)
{
	spg_call_drop(call);
}

void spg_method_hold_begin(struct spg_call *call, const json_t *params)
{
	int32_t pids[SPG_HOLD_PIDS];
	struct spg_hold_request request = {.owner = call->asker->session, .pids = pids};
	struct spg_hold *hold = NULL;
	int r;

	if (!call->service->holds) {
		refuse(call, SPG_ERR_UNSUPPORTED);
		return;
	}
	if (!get_duration(call, params, &request.for_ns) ||
		!get_pids(call, params, pids, &request.n_pids))
		return;
	request.product = get_product(call, params);
	if (!request.product)
		return;
	r = spg_holds_begin(call->service->holds, &request, &hold);
	if (r == SPG_ERR_BUSY) {
		refuse_busy(call, hold);
	} else if (r < 0) {
		refuse(call, r);
	} else {
		hold->on_begun = on_begun;
		hold->begun_user = call;
		call->on_abandon = on_abandon;
	}
}

static struct spg_hold *get_hold(struct spg_call *call, const json_t *params)
{
	json_int_t id = json_integer_value(json_object_get(params, "hold"));
	struct spg_hold *hold = NULL;

	if (call->service->holds)
		hold = spg_holds_find(
			call->service->holds, (uint64_t)id, call->asker->session);
	if (!hold)
		spg_call_fail(call, SPG_RPC_BAD_PARAMS,
			"hold.begin gives the number; it is for its connection only",
			"parameter \"hold\": there is none with number %lld",
			(long long)id);
	return hold;
}

void spg_method_hold_renew(struct spg_call *call, const json_t *params)
{
	struct spg_hold *hold;
	int64_t for_ns;

	if (!get_duration(call, params, &for_ns))
		return;
	hold = get_hold(call, params);
	if (!hold)
		return;
	if (hold->state != SPG_HOLD_ACTIVE) {
		spg_call_fail(call, SPG_RPC_BUSY, "begin another one",
			"the hold has ended: %s", hold->words);
		return;
	}
	spg_hold_renew(hold, for_ns);
	spg_call_reply(call, json_pack("{s:I, s:o}", "hold", (json_int_t)hold->id,
				     "until", spg_render_time(hold->until_ns)));
}

static json_t *render_who(const struct spg_hold *hold)
{
	json_t *out = json_array();
	int r = 0;

	for (size_t i = 0; i < hold->n_who; i++) {
		const struct spg_hold_who *row = &hold->who[i];

		r |= json_array_append_new(
			out, json_pack("{s:I, s:o, s:o, s:o, s:o, s:b, s:I}", "pid",
				     (json_int_t)row->process->id.pid, "name",
				     spg_render_text(row->process->name), "user",
				     spg_render_text(row->process->user), "unit",
				     spg_render_text(row->process->unit), "path",
				     spg_render_text(row->file->path), "executes",
				     row->executes, "times", (json_int_t)row->times));
	}
	return spg_render_done(out, r);
}

static json_t *render_strays(const struct spg_hold *hold)
{
	json_t *out = json_array();
	int r = 0;

	for (size_t i = 0; i < hold->n_strays; i++)
		r |= json_array_append_new(out, spg_render_text(hold->strays[i]));
	return spg_render_done(out, r);
}

static void on_ended(void *user, struct spg_hold *hold)
{
	struct spg_call *call = user;

	spg_call_reply(
		call, json_pack("{s:I, s:o, s:o, s:s, s:o, s:I, s:I, s:o, s:o}", "hold",
			      (json_int_t)hold->id, "product",
			      spg_render_text(hold->product->name), "ended",
			      spg_render_time(hold->ended_ns), "cause",
			      spg_hold_cause_name(hold->cause), "text",
			      spg_render_text(hold->words), "refused",
			      (json_int_t)hold->n_refused, "untold",
			      (json_int_t)hold->n_untold, "who", render_who(hold),
			      "not_stopped", render_strays(hold)));
	spg_hold_forget(hold);
}

void spg_method_hold_end(struct spg_call *call, const json_t *params)
{
	struct spg_hold *hold = get_hold(call, params);

	if (!hold)
		return;
	if (hold->on_ended || hold->on_begun) {
		spg_call_fail(call, SPG_RPC_BUSY, "wait for the answer",
			"the hold is about to begin or end already");
		return;
	}
	hold->on_ended = on_ended;
	hold->ended_user = call;
	call->on_abandon = on_abandon;
	spg_hold_end(hold);
}
