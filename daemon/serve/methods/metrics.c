/* SPDX-License-Identifier: MIT */
/* The method metrics: proves every product, then writes what is measured. */
#include "daemon/serve/methods/methods.h"

#include <stdlib.h>

#include "common/err.h"
#include "daemon/serve/render/exposition.h"
#include "daemon/serve/render/metrics.h"
#include "daemon/serve/session.h"

struct gathering;

/* To the prover about one product; its address is the prover's @user. */
struct question {
	struct gathering *gathering;
	struct spg_metrics_product *into;
	bool pending;
};

struct gathering {
	struct spg_call *call;
	bool openmetrics;
	size_t n_pending, n;
	struct spg_metrics_product *products;
	struct question questions[];
};

static void gathering_destroy(struct gathering *g)
{
	for (size_t i = 0; i < g->n; i++)
		spg_product_unref(g->products[i].product);
	free(g->products);
	free(g);
}

static void withdraw(struct gathering *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->questions[i].pending)
			spg_prover_forget(g->call->service->prover, &g->questions[i]);
}

static void on_abandon(struct spg_call *call)
{
	struct gathering *g = call->data;

	withdraw(g);
	gathering_destroy(g);
	spg_call_drop(call);
}

static json_t *compose(const struct gathering *g)
{
	struct spg_server_counts counts;
	struct spg_buf text = SPG_BUF_NULL;
	json_t *out = NULL;

	spg_session_host_count(g->call->asker->host, &counts);
	spg_metrics_write(
		&text, g->openmetrics, g->call->service, &counts, g->products, g->n);
	if (!text.failed)
		out = json_pack("{s:s, s:s%}", "content_type",
			spg_exposition_media_type(g->openmetrics), "text",
			spg_buf_text(&text), text.len);
	spg_buf_finish(&text);
	return out;
}

static void finish(struct gathering *g)
{
	struct spg_call *call = g->call;

	call->on_abandon = NULL;
	spg_call_reply(call, compose(g));
	gathering_destroy(g);
}

/* Without a proof the product is what it is before one: unknown. */
static void on_proof(void *user, int err, const struct spg_proof *proof)
{
	struct question *q = user;
	struct gathering *g = q->gathering;

	q->pending = false;
	if (err == 0)
		spg_metrics_take(q->into, proof);
	if (--g->n_pending == 0)
		finish(g);
}

void spg_method_metrics(struct spg_call *call, const json_t *params)
{
	const struct spg_service *service = call->service;
	size_t n = spg_model_n_products(service->model);
	struct gathering *g = calloc(1, sizeof(*g) + n * sizeof(g->questions[0]));

	if (g)
		g->products = calloc(n + 1, sizeof(*g->products));
	if (!g || !g->products) {
		free(g);
		spg_call_fail_nomem(call);
		return;
	}
	g->call = call;
	g->openmetrics = json_is_true(json_object_get(params, "openmetrics"));
	g->n = n;
	call->data = g;
	call->on_abandon = on_abandon;
	for (size_t i = 0; i < n; i++) {
		struct spg_metrics_product *into = &g->products[i];

		into->product = spg_product_ref(spg_model_product(service->model, i));
		into->verdict = SPG_VERDICT_UNKNOWN;
		g->questions[i] = (struct question){.gathering = g, .into = into};
		g->questions[i].pending =
			spg_prover_ask(service->prover, i, NULL, false, on_proof,
				&g->questions[i]) == 0;
		g->n_pending += g->questions[i].pending;
	}
	if (g->n_pending == 0)
		finish(g);
}
