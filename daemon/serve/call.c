/* SPDX-License-Identifier: MIT */
#include "daemon/serve/call.h"

#include <stdarg.h>
#include <stdlib.h>

#include "common/err.h"

struct spg_call *spg_call_create(struct spg_asker *asker, json_t *id, size_t cost)
{
	struct spg_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->asker = asker;
	call->service = asker->service;
	call->quota = spg_quota_ref(asker->quota);
	spg_quota_begin_work(call->quota, cost);
	call->cost = cost;
	call->id = json_incref(id);
	call->next = asker->calls;
	if (call->next)
		call->next->prev = call;
	asker->calls = call;
	asker->n_calls++;
	return call;
}

bool spg_call_is_of_admin(const struct spg_call *call)
{
	const struct spg_peer *peer = call->asker ? call->asker->peer : NULL;

	return peer && call->service->is_admin(
			       call->service->user, peer->uid, peer->gid, peer->pid);
}

static void detach(struct spg_call *call)
{
	struct spg_asker *asker = call->asker;

	if (!asker)
		return;
	if (call->prev)
		call->prev->next = call->next;
	else
		asker->calls = call->next;
	if (call->next)
		call->next->prev = call->prev;
	call->prev = call->next = NULL;
	asker->n_calls--;
	call->asker = NULL;
}

void spg_call_drop(struct spg_call *call)
{
	detach(call);
	spg_quota_end_work(call->quota, call->cost);
	spg_quota_unref(call->quota);
	json_decref(call->id);
	free(call);
}

void spg_call_reply(struct spg_call *call, json_t *result)
{
	struct spg_asker *asker = call->asker;

	if (asker && !result) {
		spg_call_fail_nomem(call);
		return;
	}
	if (asker)
		asker->answer(asker, call->id, result);
	json_decref(result);
	spg_call_drop(call);
	if (asker)
		asker->settle(asker);
}

void spg_call_fail(
	struct spg_call *call, int code, const char *hint, const char *format, ...)
{
	struct spg_asker *asker = call->asker;
	char *text = NULL;
	va_list args;
	int n;

	if (asker) {
		va_start(args, format);
		n = vasprintf(&text, format, args);
		va_end(args);
		if (n < 0)
			text = NULL;
		asker->refuse(asker, call->id,
			&(struct spg_rpc_error){
				code, text ? text : "out of memory", hint});
		free(text);
	}
	spg_call_drop(call);
	if (asker)
		asker->settle(asker);
}

void spg_call_fail_nomem(struct spg_call *call)
{
	spg_call_fail(call, SPG_RPC_INTERNAL, "try again when memory is free", "%s",
		spg_err_text(SPG_ERR_NOMEM));
}

void spg_call_abandon_all(struct spg_call **list)
{
	while (*list) {
		struct spg_call *call = *list;

		detach(call);
		if (call->on_abandon)
			call->on_abandon(call);
	}
}
