/* SPDX-License-Identifier: MIT */
/* The methods about steps aside: sidestep.apply, .undo, .list, .clean. What was
 * begun is done although the client has gone; then its answer goes nowhere. */
#include "daemon/install/sidestep/sidestep.h"
#include "common/err.h"
#include "daemon/serve/methods/methods.h"
#include "daemon/serve/methods/payload.h"
#include "daemon/serve/render/install.h"
#include "daemon/serve/render/parts.h"
#include "daemon/serve/session.h"

static void fail(struct spg_call *call, int err)
{
	if (err == SPG_ERR_NOT_FOUND)
		spg_call_fail(call, SPG_RPC_BAD_PARAMS,
			"spguard sidestep --list has the numbers, spguard check --all "
			"the files",
			"there is no such file in a product, or no such step");
	else if (err == SPG_ERR_NOMEM)
		spg_call_fail_nomem(call);
	else
		spg_call_fail_history(call, err);
}

static json_t *next_steps(const struct spg_sidestep *steps, size_t n)
{
	static struct spg_note note = {.kind = SPG_STEP_INSTALL,
		.text = "run the service pack now; then: spguard check"};
	struct spg_notes next = {.items = &note};

	for (size_t i = 0; i < n; i++)
		if (steps[i].state == SPG_SIDESTEP_RENAMED)
			next.n = 1;
	return spg_render_notes(&next);
}

static void on_done(void *user, int err, const struct spg_sidestep *steps, size_t n)
{
	struct spg_call *call = user;
	json_t *rows;
	int r = 0;

	if (spg_call_is_abandoned(call)) {
		spg_call_drop(call);
		return;
	}
	if (err < 0 && (n == 0 || err == SPG_ERR_NOT_FOUND)) {
		fail(call, err);
		return;
	}
	rows = json_array();
	for (size_t i = 0; i < n; i++)
		r |= json_array_append_new(rows, spg_render_sidestep(&steps[i]));
	if (r) {
		json_decref(rows);
		spg_call_fail_nomem(call);
		return;
	}
	spg_call_reply(call, json_pack("{s:o, s:o}", "sidesteps", rows, "next",
				     next_steps(steps, n)));
}

static void ask(struct spg_call *call, const struct spg_sidestep_request *request)
{
	if (spg_sidesteps_ask(call->service->sidesteps, request, on_done, call) < 0)
		spg_call_fail_nomem(call);
}

void spg_method_sidestep_apply(struct spg_call *call, const json_t *params)
{
	struct spg_sidestep_request request = {.verb = SPG_SIDESTEP_APPLY,
		.product = spg_params_text(params, "product"),
		.dry_run = json_is_true(json_object_get(params, "dry_run")),
		.uid = call->asker->peer->uid};
	struct spg_name_list paths;
	int index;

	if (!spg_params_payload_paths(call, params) ||
		!spg_params_product(call, params, &index) ||
		!spg_params_names(call, params, "paths", &paths))
		return;
	if (paths.n == 0) {
		spg_name_list_finish(&paths);
		spg_call_fail(call, SPG_RPC_BAD_PARAMS, "name the held files",
			"parameter \"paths\" is empty");
		return;
	}
	if (spg_params_expect(call, params, index)) {
		request.paths = paths.names;
		request.n_paths = paths.n;
		ask(call, &request);
	}
	spg_name_list_finish(&paths);
}

void spg_method_sidestep_undo(struct spg_call *call, const json_t *params)
{
	ask(call, &(struct spg_sidestep_request){.verb = SPG_SIDESTEP_UNDO,
			  .id = json_integer_value(json_object_get(params, "id")),
			  .uid = call->asker->peer->uid});
}

void spg_method_sidestep_list(struct spg_call *call, const json_t *params)
{
	(void)params;
	ask(call, &(struct spg_sidestep_request){.verb = SPG_SIDESTEP_LIST});
}

void spg_method_sidestep_clean(struct spg_call *call, const json_t *params)
{
	ask(call, &(struct spg_sidestep_request){.verb = SPG_SIDESTEP_CLEAN,
			  .id = json_integer_value(json_object_get(params, "id")),
			  .uid = call->asker->peer->uid});
}
