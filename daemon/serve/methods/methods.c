/* SPDX-License-Identifier: MIT */
#include "daemon/serve/methods/methods.h"

#include <string.h>

#include "common/buf.h"
#include "daemon/serve/contract/contract.h"
#include "daemon/serve/session.h"

/* Owns the call. @params fit the contract: an object or NULL; a parameter may be null,
 * which means absent. Borrowed. */
typedef void spg_method_handler(struct spg_call *call, const json_t *params);

static const struct {
	const char *name;
	spg_method_handler *handle;
} handlers[] = {
	{"hello", spg_method_hello},
	{"check", spg_method_check},
	{"who", spg_method_who},
	{"locks", spg_method_locks},
	{"log", spg_method_log},
	{"installs", spg_method_installs},
	{"installs.accept", spg_method_installs_accept},
	{"verify", spg_method_verify},
	{"foretell", spg_method_foretell},
	{"sidestep.apply", spg_method_sidestep_apply},
	{"sidestep.undo", spg_method_sidestep_undo},
	{"sidestep.list", spg_method_sidestep_list},
	{"sidestep.clean", spg_method_sidestep_clean},
	{"status", spg_method_status},
	{"metrics", spg_method_metrics},
	{"subscribe", spg_method_subscribe},
	{"unsubscribe", spg_method_unsubscribe},
	{"maintenance", spg_method_maintenance},
	{"timeline", spg_method_timeline},
	{"flush", spg_method_flush},
	{"hold.begin", spg_method_hold_begin},
	{"hold.renew", spg_method_hold_renew},
	{"hold.end", spg_method_hold_end},
	{"reload", spg_method_reload},
	{"rpc.discover", spg_method_discover},
};

static spg_method_handler *find_handler(const char *name)
{
	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
		if (strcmp(handlers[i].name, name) == 0)
			return handlers[i].handle;
	return NULL;
}

static bool check_params(struct spg_call *call,
	const struct spg_contract_method *method, const json_t *params)
{
	struct spg_buf error = SPG_BUF_NULL, hint = SPG_BUF_NULL;
	int code = spg_contract_check(method, params, &error, &hint);

	if (code)
		spg_call_fail(
			call, code, spg_buf_text(&hint), "%s", spg_buf_text(&error));
	spg_buf_finish(&error);
	spg_buf_finish(&hint);
	return code == 0;
}

static const char *why_busy(const struct spg_asker *asker, size_t cost)
{
	const struct spg_limits *limits = asker->host->limits;

	if (asker->n_calls >= limits->in_flight)
		return "too many requests of this connection are not answered yet";
	if (asker->quota->n_calls >= limits->uid_calls)
		return "too many requests of your user are not finished yet";
	if (!spg_quota_has_room(asker->quota, limits, cost))
		return "too much that your user asked is not finished yet";
	return NULL;
}

static void refuse_method(struct spg_asker *asker, const struct spg_request *request)
{
	struct spg_buf quoted = SPG_BUF_NULL, message = SPG_BUF_NULL;

	spg_buf_printf(&message, "there is no method \"%s\"",
		spg_params_quote(&quoted, request->method));
	asker->refuse(asker, request->id,
		&(struct spg_rpc_error){SPG_RPC_NO_METHOD, spg_buf_text(&message),
			"rpc.discover lists the methods"});
	spg_buf_finish(&message);
	spg_buf_finish(&quoted);
}

void spg_methods_dispatch(
	struct spg_asker *asker, const struct spg_request *request, size_t cost)
{
	const struct spg_contract_method *method =
		spg_contract_find(asker->host->contract, request->method);
	spg_method_handler *handle = method ? find_handler(method->name) : NULL;
	const char *why = why_busy(asker, cost);
	struct spg_call *call;

	if (why) {
		asker->refuse(asker, request->id,
			&(struct spg_rpc_error){SPG_RPC_BUSY, why,
				"wait for answers before asking more"});
		return;
	}
	if (!handle || (!asker->session && !method->over_http)) {
		refuse_method(asker, request);
		return;
	}
	call = spg_call_create(asker, request->id, cost);
	if (!call) {
		asker->refuse(asker, request->id,
			&(struct spg_rpc_error){
				SPG_RPC_INTERNAL, "out of memory", NULL});
		return;
	}
	if (method->needs_admin && !spg_call_is_of_admin(call)) {
		spg_call_fail(call, SPG_RPC_DENIED,
			"ask as root, or as a member of the group that "
			"\"admin-group\" names",
			"you may not call \"%s\"", method->name);
		return;
	}
	if (check_params(call, method, request->params))
		handle(call, request->params);
}
