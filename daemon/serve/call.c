/* SPDX-License-Identifier: MIT */
#include "daemon/serve/call.h"

#include <stdarg.h>
#include <stdlib.h>

#include "common/err.h"
#include "daemon/serve/server.h"
#include "daemon/serve/session.h"

struct spg_call *spg_call_create(
	struct spg_session *session, json_t *id, size_t n_bytes)
{
	struct spg_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->session = session;
	call->service = session->host->service;
	call->account = spg_account_ref(session->account);
	call->account->n_calls++;
	call->account->n_bytes += n_bytes;
	call->n_bytes = n_bytes;
	call->id = json_incref(id);
	call->next = session->calls;
	if (call->next)
		call->next->prev = call;
	session->calls = call;
	session->n_calls++;
	return call;
}

static void detach(struct spg_call *call)
{
	struct spg_session *session = call->session;

	if (!session)
		return;
	if (call->prev)
		call->prev->next = call->next;
	else
		session->calls = call->next;
	if (call->next)
		call->next->prev = call->prev;
	call->prev = call->next = NULL;
	session->n_calls--;
	call->session = NULL;
}

void spg_call_drop(struct spg_call *call)
{
	detach(call);
	call->account->n_calls--;
	call->account->n_bytes -= call->n_bytes;
	spg_account_unref(call->account);
	json_decref(call->id);
	free(call);
}

void spg_call_reply(struct spg_call *call, json_t *result)
{
	struct spg_session *session = call->session;

	if (session && !result) {
		spg_call_fail_nomem(call);
		return;
	}
	if (session)
		spg_session_answer(session, call->id, result);
	json_decref(result);
	spg_call_drop(call);
	if (session)
		spg_session_settle(session);
}

void spg_call_fail(
	struct spg_call *call, int code, const char *hint, const char *format, ...)
{
	struct spg_session *session = call->session;
	char *text = NULL;
	va_list args;
	int n;

	if (session) {
		va_start(args, format);
		n = vasprintf(&text, format, args);
		va_end(args);
		if (n < 0)
			text = NULL;
		spg_session_refuse(session, call->id,
			&(struct spg_rpc_error){
				code, text ? text : "out of memory", hint});
		free(text);
	}
	spg_call_drop(call);
	if (session)
		spg_session_settle(session);
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
