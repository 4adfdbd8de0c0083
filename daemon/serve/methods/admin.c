/* SPDX-License-Identifier: MIT */
/* The methods about the daemon and the connection: hello, status, reload,
 * subscribe, unsubscribe, rpc.discover. All answer at once. */
#include "daemon/serve/methods/methods.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"
#include "daemon/serve/contract/contract.h"
#include "daemon/serve/render/parts.h"
#include "daemon/serve/render/render.h"
#include "daemon/serve/session.h"

/* Of the messages and methods; moves on when old clients would misread. */
#define PROTOCOL 1

static json_t *product_names(const struct spg_model *model)
{
	json_t *out = json_array();
	int r = out ? 0 : -1;

	for (size_t i = 0; i < spg_model_n_products(model); i++)
		r |= json_array_append_new(
			out, spg_render_text(spg_model_product(model, i)->name));
	if (!r)
		return out;
	json_decref(out);
	return NULL;
}

void spg_method_hello(struct spg_call *call, const json_t *params)
{
	const struct spg_service *service = call->service;

	(void)params;
	spg_call_reply(
		call, json_pack("{s:s, s:s, s:i, s:I, s:s, s:b, s:o}", "name",
			      "spguardd", "version", SPG_VERSION, "protocol", PROTOCOL,
			      "pid", (json_int_t)uv_os_getpid(), "tier",
			      service->watch->tier, "admin", spg_call_is_of_admin(call),
			      "products", product_names(service->model)));
}

void spg_method_status(struct spg_call *call, const json_t *params)
{
	struct spg_server_counts counts;

	(void)params;
	spg_session_host_count(call->asker->host, &counts);
	spg_call_reply(call, spg_render_status(call->service, &counts));
}

/* The lines of @problems, each made clean; the breaks between them stay. */
static void clean_lines(struct spg_buf *out, char *problems)
{
	char *line, *rest = problems;

	while ((line = strsep(&rest, "\n"))) {
		if (!line[0])
			continue;
		if (out->len)
			spg_buf_putc(out, '\n');
		spg_text_escape(out, line, false);
	}
}

/* A reload whose products are being looked at. */
struct reloaded {
	struct spg_call *call;
	json_t *notes;
};

static void reply_reloaded(struct spg_call *call, json_t *notes)
{
	spg_call_reply(
		call, json_pack("{s:b, s:o, s:o}", "reloaded", 1, "products",
			      product_names(call->service->model), "notes", notes));
}

/* Also when a look hangs: the configuration is in force all the same. */
static void on_looked_at(void *user, int err)
{
	struct reloaded *reloaded = user;

	(void)err;
	reply_reloaded(reloaded->call, reloaded->notes);
	free(reloaded);
}

/* Who asks next shall not be told of new products that nothing is known of them. */
static void reply_when_looked_at(struct spg_call *call, json_t *notes)
{
	struct reloaded *reloaded = malloc(sizeof(*reloaded));

	if (reloaded)
		*reloaded = (struct reloaded){call, notes};
	if (!reloaded ||
		spg_prover_sync(call->service->prover, on_looked_at, reloaded) < 0) {
		free(reloaded);
		reply_reloaded(call, notes);
	}
}

void spg_method_reload(struct spg_call *call, const json_t *params)
{
	const struct spg_service *service = call->service;
	struct spg_buf problems = SPG_BUF_NULL, message = SPG_BUF_NULL;
	int r = service->reload(service->user, &problems);

	(void)params;
	if (r == 0) {
		reply_when_looked_at(call, spg_render_lines(spg_buf_text(&problems)));
	} else {
		if (problems.data)
			clean_lines(&message, problems.data);
		if (!message.len)
			spg_buf_puts(&message, spg_err_text(r));
		spg_call_fail(call, SPG_RPC_INTERNAL,
			r == SPG_ERR_INVALID
				? "correct the configuration and reload again; until "
				  "then the old one goes on"
				: "the old configuration goes on; the daemon's log "
				  "says more",
			"%s", spg_buf_text(&message));
	}
	spg_buf_finish(&problems);
	spg_buf_finish(&message);
}

void spg_method_subscribe(struct spg_call *call, const json_t *params)
{
	struct spg_session *session = call->asker->session;
	struct spg_session_host *host = call->asker->host;
	const char *product = spg_params_text(params, "product");
	uint32_t kinds;
	int index;

	if (!spg_params_kinds(call, params, &kinds) ||
		!spg_params_product(call, params, &index))
		return;
	if (session->subscriber.n >= host->limits->subscriptions) {
		spg_call_fail(call, SPG_RPC_BUSY, "unsubscribe from others first",
			"a connection has %zu subscriptions at most",
			host->limits->subscriptions);
		return;
	}
	if (spg_subscriber_add(&session->subscriber, host->last_subscription + 1,
		    product, kinds) < 0) {
		spg_call_fail_nomem(call);
		return;
	}
	host->last_subscription++;
	spg_call_reply(call, json_pack("{s:I}", "subscription",
				     (json_int_t)host->last_subscription));
}

void spg_method_unsubscribe(struct spg_call *call, const json_t *params)
{
	json_int_t number = json_integer_value(json_object_get(params, "subscription"));

	if (spg_subscriber_remove(&call->asker->session->subscriber, number))
		spg_call_reply(call, json_object());
	else
		spg_call_fail(call, SPG_RPC_BAD_PARAMS,
			"subscribe gives the number; it holds for its connection only",
			"parameter \"subscription\": there is none with number %lld",
			(long long)number);
}

void spg_method_discover(struct spg_call *call, const json_t *params)
{
	(void)params;
	spg_call_reply(call, spg_contract_document());
}
