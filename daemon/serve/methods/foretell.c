/* SPDX-License-Identifier: MIT */
/*
 * The method foretell: reads what is installed of a product and the files of a service
 * pack, and answers what verify would find after it. The pack is read where the caller
 * says, and counts only when it is what the caller has read there. What is worked out is
 * so on the thread for background jobs.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/install/aside.h"
#include "daemon/install/foretell.h"
#include "daemon/proof/worker.h"
#include "daemon/serve/methods/methods.h"
#include "daemon/serve/methods/payload.h"
#include "daemon/serve/render/parts.h"
#include "daemon/serve/render/render.h"

struct asked {
	struct spg_background_job job;
	struct spg_call *call; /* NULL: the client has gone meanwhile */
	json_t *params;        /* a reference */
	struct spg_product *product;
	struct spg_expected expected;
	struct spg_module_set *installed;
	struct spg_foretelling *foretelling;
	atomic_bool gone; /* the client has; for the background thread */
	int err;          /* of the steps */
	bool busy;        /* a callback that cannot be withdrawn is still to come */
	bool reading;     /* ... and one that can */
};

static const char *root_of(const struct asked *asked)
{
	return spg_params_text(asked->params, "root");
}

static void destroy(struct asked *asked)
{
	spg_foretell_destroy(asked->foretelling);
	spg_module_set_unref(asked->installed);
	spg_expected_finish(&asked->expected);
	spg_product_unref(asked->product);
	json_decref(asked->params);
	free(asked);
}

static void on_abandon(struct spg_call *call)
{
	struct asked *asked = call->data;

	if (asked->reading)
		spg_catalog_forget(call->service->catalog, asked);
	spg_call_drop(call);
	asked->call = NULL;
	atomic_store(&asked->gone, true);
	if (!asked->busy)
		destroy(asked);
}

/* ---- the answer ---- */

static json_t *render_held(const struct spg_foretold *foretold)
{
	json_t *out = json_array();
	int r = 0;

	for (size_t i = 0; i < foretold->n_skips; i++) {
		const struct spg_foretold_skip *skip = &foretold->skips[i];

		if (!skip->replaced)
			continue;
		r |= json_array_append_new(out,
			json_pack("{s:o, s:o}", "path", spg_render_text(skip->path),
				"breaks", spg_render_notes(&skip->breaks)));
	}
	return spg_render_done(out, r);
}

static json_t *render(const struct asked *asked)
{
	const struct spg_foretold *foretold = spg_foretell_result(asked->foretelling);
	json_t *out = json_object();
	int r = 0;

	r |= json_object_set_new(out, "product", spg_render_text(asked->product->name));
	r |= json_object_set_new(out, "at", spg_render_time(spg_clock_wall_ns()));
	r |= json_object_set_new(
		out, "replaced", json_integer((json_int_t)foretold->n_replaced));
	r |= json_object_set_new(
		out, "added", json_integer((json_int_t)foretold->n_added));
	r |= json_object_set_new(
		out, "unplaced", json_integer((json_int_t)foretold->n_unplaced));
	r |= json_object_set_new(
		out, "unseen", json_integer((json_int_t)foretold->n_unseen));
	r |= json_object_set_new(
		out, "checked", json_integer((json_int_t)foretold->n_checked));
	r |= json_object_set_new(out, "findings", spg_render_notes(&foretold->whole));
	r |= json_object_set_new(out, "held", render_held(foretold));
	return spg_render_done(out, r);
}

static void finish(struct asked *asked, int err)
{
	struct spg_call *call = asked->call;

	if (call) {
		call->on_abandon = NULL;
		if (err == SPG_ERR_BUSY)
			spg_call_fail(call, SPG_RPC_BUSY, "ask again when it runs",
				"the daemon is stopping");
		else if (err < 0)
			spg_call_fail_nomem(call);
		else
			spg_call_reply(call, render(asked));
	}
	destroy(asked);
}

/* ---- working it out ---- */

/* The background thread. */
static bool step(struct spg_background_job *job)
{
	struct asked *asked = (struct asked *)job;
	int r = atomic_load(&asked->gone) ? 0 : spg_foretell_step(asked->foretelling);

	if (r < 0)
		asked->err = r;
	return r > 0;
}

static void place(struct spg_background_job *job, char *ret, size_t size)
{
	(void)job;
	if (size > 0)
		*ret = '\0';
}

static void on_worked_out(struct spg_background_job *job, bool complete)
{
	struct asked *asked = (struct asked *)job;

	asked->busy = false;
	finish(asked, complete ? asked->err : SPG_ERR_BUSY);
}

static int begin(struct asked *asked, struct spg_module_set *pack)
{
	const json_t *names = json_object_get(asked->params, "held");
	size_t n = json_array_size(names);
	const char **held = calloc(n + 1, sizeof(*held));
	int r;

	if (!held)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < n; i++)
		held[i] = json_string_value(json_array_get(names, i));
	asked->foretelling = spg_foretell_begin(asked->product, asked->installed,
		&asked->expected, pack, root_of(asked), held, n);
	free(held);
	if (!asked->foretelling)
		return SPG_ERR_NOMEM;
	asked->job = (struct spg_background_job){
		.step = step, .done = on_worked_out, .place = place};
	r = spg_prover_add_job(asked->call->service->prover, &asked->job);
	asked->busy = r == 0;
	return r;
}

/* ---- reading ---- */

static void on_pack(void *user, int err, struct spg_module_set *pack)
{
	struct asked *asked = user;

	asked->reading = false;
	if (err == 0)
		err = begin(asked, pack);
	if (err < 0)
		finish(asked, err);
}

static void free_paths(char **paths, size_t n)
{
	for (size_t i = 0; paths && i < n; i++)
		free(paths[i]);
	free(paths);
}

static int read_pack(struct asked *asked)
{
	size_t n = asked->expected.n;
	char **paths = calloc(n + 1, sizeof(*paths));
	int r = paths ? 0 : SPG_ERR_NOMEM;

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct spg_buf path = SPG_BUF_NULL;

		spg_buf_printf(
			&path, "%s/%s", root_of(asked), asked->expected.files[i].path);
		paths[i] = spg_buf_take(&path);
		r = paths[i] ? 0 : SPG_ERR_NOMEM;
	}
	if (r == 0)
		r = spg_catalog_read(asked->call->service->catalog,
			(const char *const *)paths, n, on_pack, asked);
	free_paths(paths, n);
	asked->reading = r == 0;
	return r;
}

static void on_installed(void *user, int err, struct spg_module_set *set)
{
	struct asked *asked = user;
	const struct spg_model *model = asked->call->service->model;
	int index = spg_model_find_product(model, asked->product->name);

	asked->reading = false;
	if (err == 0) {
		asked->installed = spg_aside_leave_out(set,
			index < 0 ? NULL : spg_model_standing(model, (size_t)index));
		err = asked->installed ? read_pack(asked) : SPG_ERR_NOMEM;
	}
	if (err < 0)
		finish(asked, err);
}

/* Which files there are is known now. */
static void on_settled(void *user, int err)
{
	struct asked *asked = user;
	const struct spg_service *service;
	int index;

	asked->busy = false;
	if (!asked->call) {
		destroy(asked);
		return;
	}
	service = asked->call->service;
	index = spg_model_find_product(service->model, asked->product->name);
	if (err != SPG_ERR_BUSY)
		err = index < 0 ? SPG_ERR_BUSY
		                : spg_catalog_read_product(service->catalog,
					  service->model, (size_t)index, NULL,
					  on_installed, asked);
	asked->reading = err == 0;
	if (err < 0)
		finish(asked, err);
}

void spg_method_foretell(struct spg_call *call, const json_t *params)
{
	struct spg_product *product = spg_params_one_product(call, params);
	const char *root = spg_params_text(params, "root");
	struct asked *asked;
	int r;

	if (!product)
		return;
	if (!spg_path_is_absolute(root)) {
		spg_call_fail(call, SPG_RPC_BAD_PARAMS,
			"write the path from the top, as spguardd sees it",
			"parameter \"root\": the folder of the service pack is no "
			"absolute path");
		return;
	}
	asked = calloc(1, sizeof(*asked));
	if (!asked) {
		spg_call_fail_nomem(call);
		return;
	}
	asked->call = call;
	asked->params = json_incref((json_t *)params);
	asked->product = spg_product_ref(product);
	call->data = asked;
	call->on_abandon = on_abandon;
	r = spg_params_payload(params, product, &asked->expected);
	if (r == 0)
		r = spg_prover_sync(call->service->prover, on_settled, asked);
	asked->busy = r == 0;
	if (r < 0)
		finish(asked, r);
}
