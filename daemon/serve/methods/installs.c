/* SPDX-License-Identifier: MIT */
/* The method about installs. It answers from the store's callback, after waiting
 * for the end of one that runs if it is asked to. */
#include "daemon/serve/methods/methods.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "daemon/install/tracker.h"
#include "daemon/serve/render/install.h"
#include "daemon/serve/session.h"
#include "daemon/store/records.h"

#define LIMIT_DEFAULT 20

struct asked {
	struct spg_call *call;
	char *product; /* NULL: any */
	int64_t id;    /* 0: any */
	size_t limit;
};

static void asked_destroy(struct asked *asked)
{
	free(asked->product);
	free(asked);
}

/* Of one that runs the database has only the beginning. */
static const struct spg_install *freshest(
	const struct asked *asked, const struct spg_install *install)
{
	const struct spg_install *running =
		spg_tracker_running(asked->call->service->tracker, install->product);

	return running && running->id == install->id ? running : install;
}

static json_t *render(
	const struct asked *asked, struct spg_install *const *installs, size_t n)
{
	json_t *rows = json_array();
	int r = rows ? 0 : -1;

	for (size_t i = 0; i < n; i++)
		r |= json_array_append_new(
			rows, spg_render_install(
				      freshest(asked, installs[i]), asked->id != 0));
	if (!r)
		return json_pack("{s:o}", "installs", rows);
	json_decref(rows);
	return NULL;
}

static void on_installs(
	void *user, int err, struct spg_install *const *installs, size_t n)
{
	struct asked *asked = user;
	struct spg_call *call = asked->call;

	if (spg_call_is_abandoned(call))
		spg_call_drop(call);
	else if (err < 0)
		spg_call_fail_history(call, err);
	else if (asked->id && n == 0)
		spg_call_fail(call, SPG_RPC_BAD_PARAMS, "spguard installs lists them",
			"there is no install %lld", (long long)asked->id);
	else
		spg_call_reply(call, render(asked, installs, n));
	asked_destroy(asked);
}

static void ask_store(struct asked *asked)
{
	spg_store_get_installs(asked->call->service->store,
		&(struct spg_store_install_query){.product = asked->product,
			.id = asked->id,
			.limit = asked->limit,
			.whole = true},
		on_installs, asked);
}

static void on_quiet(void *user, bool running)
{
	struct asked *asked = user;

	(void)running; /* the answer shows it */
	asked->call->on_abandon = NULL;
	ask_store(asked);
}

static void on_abandon(struct spg_call *call)
{
	struct asked *asked = call->data;

	spg_tracker_forget(call->service->tracker, asked);
	asked_destroy(asked);
	spg_call_drop(call);
}

static void wait_for_quiet(struct asked *asked, double seconds)
{
	struct spg_call *call = asked->call;

	call->data = asked;
	call->on_abandon = on_abandon;
	if (spg_tracker_wait(call->service->tracker, asked->product,
		    (int64_t)(seconds * (double)SPG_NS_PER_S), on_quiet, asked) == 0)
		return;
	call->on_abandon = NULL;
	asked_destroy(asked);
	spg_call_fail_nomem(call);
}

void spg_method_installs(struct spg_call *call, const json_t *params)
{
	const json_t *wait = json_object_get(params, "wait");
	json_int_t limit = json_integer_value(json_object_get(params, "limit"));
	const char *product = spg_params_text(params, "product");
	bool ended = json_is_true(json_object_get(params, "ended"));
	struct asked *asked;
	int index;

	if (!spg_params_product(call, params, &index))
		return;
	/* Who says so wrongly has an install judged before it is over. */
	if (ended && !spg_call_is_of_admin(call)) {
		spg_call_fail(call, SPG_RPC_DENIED,
			"ask without \"ended\", as whoever did not start the installer",
			"you may not say that an install has ended");
		return;
	}
	asked = calloc(1, sizeof(*asked));
	if (asked && product)
		asked->product = strdup(product);
	if (!asked || (product && !asked->product)) {
		free(asked);
		spg_call_fail_nomem(call);
		return;
	}
	asked->call = call;
	asked->id = json_integer_value(json_object_get(params, "id"));
	asked->limit = limit > 0 ? (size_t)limit : LIMIT_DEFAULT;
	if (ended)
		spg_tracker_hurry(call->service->tracker, product);
	if (json_is_number(wait))
		wait_for_quiet(asked, json_number_value(wait));
	else
		ask_store(asked);
}

/* ---- accepting what one has left ---- */

void spg_method_installs_accept(struct spg_call *call, const json_t *params)
{
	struct spg_tracker *tracker = call->service->tracker;
	json_int_t id = json_integer_value(json_object_get(params, "id"));
	uid_t uid = call->asker->peer->uid;
	char who[32] = "root";
	int r;

	/* A name would be asked of who may not answer (nsswitch.conf(5)). */
	if (uid != 0)
		snprintf(who, sizeof(who), "user %u", (unsigned)uid);
	r = spg_tracker_accept(tracker, id, who);
	if (r == SPG_ERR_NOT_FOUND)
		spg_call_fail(call, SPG_RPC_BAD_PARAMS,
			"spguard installs lists them; only what the latest of a "
			"product has left can be accepted",
			"install %lld has left nothing that could be accepted",
			(long long)id);
	else if (r == SPG_ERR_BUSY)
		spg_call_fail(call, SPG_RPC_BUSY, "wait for its end: spguard installs",
			"an install of the product is running");
	else if (r < 0)
		spg_call_fail_nomem(call);
	else
		spg_call_reply(call, json_pack("{s:I}", "accepted", id));
}
