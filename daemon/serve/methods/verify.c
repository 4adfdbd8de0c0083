/* SPDX-License-Identifier: MIT */
/*
 * The method verify: reads what is installed of one product or of all, and answers
 * when each is judged, which the thread for background jobs does. While it reads it can
 * tell how far it is.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "daemon/install/aside.h"
#include "daemon/install/resolution.h"
#include "daemon/install/verify.h"
#include "daemon/proof/worker.h"
#include "daemon/serve/methods/methods.h"
#include "daemon/serve/methods/payload.h"
#include "daemon/serve/render/parts.h"
#include "daemon/serve/render/render.h"
#include "daemon/serve/render/verify.h"
#include "daemon/serve/session.h"

#define PROGRESS_MS 100
/* So often it is judged anew when an install has ended meanwhile; then the answer is of
 * before, and nothing is recorded. */
#define AGAIN_MAX   8
/* What nobody knew to be installed is judged as an install first, if it takes no longer. */
#define LOOK_NS     (5 * SPG_NS_PER_S)

/* What is judged, as it was when that began: no other thread changes any of it. */
struct judging {
	struct spg_background_job job;
	struct verifying *v; /* NULL: the client has gone meanwhile */
	atomic_bool gone;    /* the client has; for the background thread */
	struct spg_product *product;
	struct spg_module_set *set;
	struct spg_expected expected;
	struct spg_install *previous, *accepted; /* or NULL */
	struct spg_module_set *installed;        /* as the tracker knew it; or NULL */
	struct spg_verification verification;
	int err;
};

struct verifying {
	struct spg_call *call;
	json_t *params;  /* a reference */
	char **products; /* names: a reload changes indices */
	size_t n_products, at;
	json_t *answers;
	enum spg_verify_verdict worst;
	int64_t began_ns;        /* monotonic, of this product */
	unsigned n_again;        /* likewise */
	bool looked;             /* likewise: an install was looked for */
	struct judging *judging; /* under way; NULL: none */
	bool settling;           /* the prover's callback is still to come */
	bool gone;               /* the client has gone meanwhile */
	uv_timer_t progress;
	bool wants_progress;
};

static void on_progress_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void destroy(struct verifying *v)
{
	json_decref(v->params);
	json_decref(v->answers);
	for (size_t i = 0; i < v->n_products; i++)
		free(v->products[i]);
	free(v->products);
	v->progress.data = v;
	uv_close((uv_handle_t *)&v->progress, on_progress_closed);
}

static void on_abandon(struct spg_call *call)
{
	struct verifying *v = call->data;

	spg_catalog_forget(call->service->catalog, v);
	spg_tracker_forget(call->service->tracker, v);
	spg_call_drop(call);
	/* The background thread is at it: that frees itself. */
	if (v->judging) {
		atomic_store(&v->judging->gone, true);
		v->judging->v = NULL;
	}
	/* A settling cannot be withdrawn: its callback frees. */
	v->gone = true;
	if (!v->settling)
		destroy(v);
}

static void finish(struct verifying *v, int err)
{
	struct spg_call *call = v->call;

	call->on_abandon = NULL;
	if (err == SPG_ERR_BUSY)
		spg_call_fail(call, SPG_RPC_BUSY, "ask again when it runs",
			"the daemon is stopping");
	else if (err < 0)
		spg_call_fail_nomem(call);
	else
		spg_call_reply(call, json_pack("{s:s, s:O}", "verdict",
					     spg_verify_verdict_name(v->worst),
					     "products", v->answers));
	destroy(v);
}

/* Where the product in hand is now; -1: a reload took it away. */
static int index_now(const struct verifying *v)
{
	return spg_model_find_product(v->call->service->model, v->products[v->at]);
}

static void on_progress(uv_timer_t *timer)
{
	struct verifying *v = timer->data;
	const struct spg_service *service = v->call->service;
	size_t done, total;
	json_t *line;
	char *text;

	if (!spg_catalog_progress(service->catalog, v, &done, &total))
		return;
	line = json_pack("{s:s, s:s, s:{s:s, s:I, s:I}}", "jsonrpc", "2.0", "method",
		"progress", "params", "product", v->products[v->at], "done",
		(json_int_t)done, "total", (json_int_t)total);
	text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	json_decref(line);
	if (text) {
		size_t n = strlen(text);

		text[n] = '\n'; /* in place of its end, which is not sent */
		spg_session_notify(v->call->asker->session, text, n + 1);
	}
	free(text);
}

static void next_product(struct verifying *v);
static void read_product(struct verifying *v);

/* Each file of the service pack was compared, or is none that is installed, as its setup
 * program; with names alone nothing is said. */
static bool is_compared(const struct spg_fit *fit)
{
	return fit->n_same > 0 &&
	       fit->n_same + fit->n_variants + fit->n_missing == fit->n_payload;
}

/* What was found is the product's state now; of a service pack only an administrator
 * may say that it is the right one. An install that runs is compared with it, when it
 * ends. */
static int note_found(struct verifying *v, const struct spg_product *product,
	struct spg_expected *expected, const struct spg_verification *verification)
{
	struct spg_tracker *tracker = v->call->service->tracker;
	bool is_admin = spg_call_is_of_admin(v->call);
	bool applied = is_admin && json_is_true(json_object_get(v->params, "applied"));

	if (expected->n == 0)
		return spg_tracker_verified(
			tracker, product->name, verification, NULL, applied);
	if (!is_admin)
		return 0;
	if (spg_tracker_running(tracker, product->name)) {
		spg_tracker_expect(tracker, product->name, expected);
		return 0;
	}
	if (verification->verdict == SPG_VERIFY_FITS &&
		!is_compared(&verification->fit))
		return 0;
	return spg_tracker_verified(
		tracker, product->name, verification, expected, applied);
}

/* One answer: what an install has left, and nothing has mended, is amiss. */
static enum spg_verify_verdict verdict_of(const struct spg_verification *verification,
	const struct spg_install *unresolved)
{
	enum spg_verify_verdict verdict = verification->verdict;
	enum spg_verify_verdict left = SPG_VERIFY_FITS;

	if (unresolved)
		left = unresolved->outcome == SPG_INSTALL_MIXED ? SPG_VERIFY_MIXED
		                                                : SPG_VERIFY_UNKNOWN;
	return left > verdict ? left : verdict;
}

static int answer(struct verifying *v, const struct spg_product *product,
	struct spg_verification *verification)
{
	const struct spg_tracker *tracker = v->call->service->tracker;
	/* While one runs, it is at work on what the last has left. */
	const struct spg_install *unresolved =
		spg_tracker_running(tracker, product->name)
			? NULL
			: spg_tracker_unresolved(tracker, product->name);

	verification->verdict = verdict_of(verification, unresolved);
	if (verification->verdict > v->worst)
		v->worst = verification->verdict;
	return json_array_append_new(v->answers,
		       spg_render_verification(product, verification, unresolved,
			       spg_clock_mono_ns() - v->began_ns)) < 0
	               ? SPG_ERR_NOMEM
	               : 0;
}

/* ---- judging ---- */

static void judging_destroy(struct judging *judging)
{
	spg_verification_finish(&judging->verification);
	spg_expected_finish(&judging->expected);
	spg_module_set_unref(judging->set);
	spg_module_set_unref(judging->installed);
	spg_install_unref(judging->previous);
	spg_install_unref(judging->accepted);
	spg_product_unref(judging->product);
	free(judging);
}

/* The background thread. */
static bool judge(struct spg_background_job *job)
{
	struct judging *judging = (struct judging *)job;
	const struct spg_verify_past past = {
		.previous = judging->previous, .accepted = judging->accepted};

	if (atomic_load(&judging->gone))
		return false;
	judging->err = spg_verify(&judging->verification, judging->product,
		judging->set, &judging->expected, &past);
	if (judging->err == 0)
		spg_resolution_apply(&judging->verification, judging->accepted);
	return false;
}

static void place(struct spg_background_job *job, char *ret, size_t size)
{
	(void)job;
	if (size > 0)
		*ret = '\0';
}

/* Is all as it was when the judging began? A reload, an install that has ended and an
 * administrator may have changed it. The product is there. */
static bool is_current(const struct verifying *v, const struct judging *judging)
{
	const struct spg_service *service = v->call->service;
	const struct spg_tracker *tracker = service->tracker;
	const char *product = judging->product->name;

	return spg_model_product(service->model, (size_t)index_now(v)) ==
	               judging->product &&
	       spg_tracker_unresolved(tracker, product) == judging->previous &&
	       spg_tracker_accepted(tracker, product) == judging->accepted &&
	       spg_tracker_installed(tracker, product) == judging->installed;
}

static int take(struct verifying *v, struct judging *judging)
{
	int r = 0;

	if (is_current(v, judging))
		r = note_found(v, judging->product, &judging->expected,
			&judging->verification);
	return r == 0 ? answer(v, judging->product, &judging->verification) : r;
}

static bool is_to_be_done_again(struct verifying *v, const struct judging *judging)
{
	return index_now(v) < 0 ||
	       (!is_current(v, judging) && v->n_again++ < AGAIN_MAX);
}

static void on_judged(struct spg_background_job *job, bool complete)
{
	struct judging *judging = (struct judging *)job;
	struct verifying *v = judging->v;
	int err = complete ? judging->err : SPG_ERR_BUSY;
	bool again = false;

	if (v) {
		v->judging = NULL;
		again = err == 0 && is_to_be_done_again(v, judging);
		if (err == 0 && !again)
			err = take(v, judging);
	}
	judging_destroy(judging);
	if (!v)
		return;
	if (err < 0) {
		finish(v, err);
		return;
	}
	if (again) {
		read_product(v);
		return;
	}
	v->at++;
	next_product(v);
}

static struct spg_install *hold(const struct spg_install *install)
{
	/* Judged, so that nothing but the count of its references changes. */
	return install ? spg_install_ref((struct spg_install *)install) : NULL;
}

static int fill(
	struct judging *judging, const struct verifying *v, struct spg_module_set *set)
{
	const struct spg_service *service = v->call->service;
	const struct spg_tracker *tracker = service->tracker;
	size_t index = (size_t)index_now(v);
	struct spg_product *product = spg_model_product(service->model, index);
	struct spg_module_set *installed =
		spg_tracker_installed(tracker, product->name);
	int r = spg_params_payload(v->params, product, &judging->expected);

	if (r < 0)
		return r;
	spg_payload_mark_elsewhere(service->model, index, &judging->expected);
	judging->product = spg_product_ref(product);
	judging->set =
		spg_aside_leave_out(set, spg_model_standing(service->model, index));
	judging->previous = hold(spg_tracker_unresolved(tracker, product->name));
	judging->accepted = hold(spg_tracker_accepted(tracker, product->name));
	judging->installed = installed ? spg_module_set_ref(installed) : NULL;
	return judging->set ? 0 : SPG_ERR_NOMEM;
}

static int begin_judging(struct verifying *v, struct spg_module_set *set)
{
	struct judging *judging = calloc(1, sizeof(*judging));
	int r;

	if (!judging)
		return SPG_ERR_NOMEM;
	judging->job = (struct spg_background_job){
		.step = judge, .done = on_judged, .place = place};
	judging->v = v;
	judging->expected = (struct spg_expected)SPG_EXPECTED_NULL;
	judging->verification = (struct spg_verification){.fit = SPG_FIT_NULL};
	r = fill(judging, v, set);
	if (r == 0)
		r = spg_prover_add_job(v->call->service->prover, &judging->job);
	if (r < 0)
		judging_destroy(judging);
	else
		v->judging = judging;
	return r;
}

/* ---- reading ---- */

static void on_looked(void *user, bool running)
{
	(void)running; /* then it is compared with the pack at its end */
	read_product(user);
}

/* What is there and what was known to be there are not the same: an install that no event
 * told has its say first. */
static bool waits_for_look(struct verifying *v, struct spg_module_set *set)
{
	struct spg_tracker *tracker = v->call->service->tracker;
	const char *product = v->products[v->at];

	if (v->looked || !spg_tracker_compare(tracker, product, set) ||
		spg_tracker_wait(tracker, product, LOOK_NS, on_looked, v) < 0)
		return false;
	v->looked = true;
	return true;
}

static void on_read(void *user, int err, struct spg_module_set *set)
{
	struct verifying *v = user;

	uv_timer_stop(&v->progress);
	/* A reload meanwhile may have taken the product away. */
	if (err == 0 && index_now(v) < 0) {
		v->at++;
		next_product(v);
		return;
	}
	if (err == 0 && waits_for_look(v, set))
		return;
	if (err == 0)
		err = begin_judging(v, set);
	if (err < 0)
		finish(v, err);
}

static void read_product(struct verifying *v)
{
	const struct spg_service *service = v->call->service;

	if (index_now(v) < 0) {
		v->at++;
		next_product(v);
		return;
	}
	if (spg_catalog_read_product(service->catalog, service->model,
		    (size_t)index_now(v), NULL, on_read, v) < 0) {
		finish(v, SPG_ERR_NOMEM);
		return;
	}
	if (v->wants_progress)
		uv_timer_start(&v->progress, on_progress, PROGRESS_MS, PROGRESS_MS);
}

static void next_product(struct verifying *v)
{
	if (v->at == v->n_products) {
		finish(v, 0);
		return;
	}
	v->began_ns = spg_clock_mono_ns();
	v->n_again = 0;
	v->looked = false;
	read_product(v);
}

/* Which files there are is known now. */
static void on_settled(void *user, int err)
{
	struct verifying *v = user;

	v->settling = false;
	if (v->gone)
		destroy(v);
	else if (err == SPG_ERR_BUSY)
		finish(v, err);
	else
		next_product(v);
}

/* With a service pack and no product named: those that have any of its files. */
static int choose_products(struct verifying *v, int product)
{
	const struct spg_model *model = v->call->service->model;
	size_t n = spg_model_n_products(model);

	v->products = calloc(n + 1, sizeof(*v->products));
	if (!v->products)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		struct spg_expected expected;
		bool concerned;

		if (product >= 0 && (size_t)product != i)
			continue;
		if (spg_params_payload(
			    v->params, spg_model_product(model, i), &expected) < 0)
			return SPG_ERR_NOMEM;
		concerned = product >= 0 || expected.n == 0 ||
		            spg_payload_concerns(model, i, &expected);
		spg_expected_finish(&expected);
		if (!concerned)
			continue;
		v->products[v->n_products] = strdup(spg_model_product(model, i)->name);
		if (!v->products[v->n_products])
			return SPG_ERR_NOMEM;
		v->n_products++;
	}
	return 0;
}

void spg_method_verify(struct spg_call *call, const json_t *params)
{
	struct verifying *v;
	int product, r;

	if (!spg_params_payload_paths(call, params) ||
		!spg_params_product(call, params, &product))
		return;
	v = calloc(1, sizeof(*v));
	if (!v) {
		spg_call_fail_nomem(call);
		return;
	}
	v->call = call;
	v->params = params ? json_incref((json_t *)params) : json_object();
	v->answers = json_array();
	v->wants_progress = json_is_true(json_object_get(params, "progress"));
	uv_timer_init(call->service->loop, &v->progress);
	v->progress.data = v;
	r = v->params && v->answers ? choose_products(v, product) : SPG_ERR_NOMEM;
	if (r == 0 && v->n_products == 0) {
		spg_call_fail(call, SPG_RPC_NO_PRODUCT,
			"name it with \"product\", or see whether this is its service "
			"pack",
			"no product has a file of this service pack");
		destroy(v);
		return;
	}
	call->data = v;
	call->on_abandon = on_abandon;
	v->settling = true;
	if (r < 0 || spg_prover_sync(call->service->prover, on_settled, v) < 0)
		finish(v, SPG_ERR_NOMEM);
}
