/* SPDX-License-Identifier: MIT */
#include "tests/unit/prover_world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"

static bool wants(void *user, const char *path)
{
	const struct world *w = user;

	return spg_model_wants(w->model, path);
}

static void on_event(void *user, struct spg_event *event)
{
	struct world *w = user;

	if (spg_model_note(w->model, event))
		spg_prover_kick(w->prover, false);
}

static void on_gap(void *user, enum spg_gap_reason reason, int64_t since_ns,
	int64_t until_ns, uint64_t count, const char *detail)
{
	struct world *w = user;

	(void)reason;
	(void)since_ns;
	(void)until_ns;
	(void)count;
	(void)detail;
	spg_model_distrust(w->model, SPG_NO_FILE);
	spg_prover_kick(w->prover, true);
}

static void on_layout(void *user, const struct spg_product *product)
{
	struct world *w = user;
	int index = spg_model_find_product(w->model, product->name);

	spg_model_distrust(w->model, index >= 0 ? (size_t)index : SPG_NO_FILE);
	spg_prover_kick(w->prover, false);
}

static void on_mounts(void *user)
{
	struct world *w = user;

	for (size_t i = 0; i < spg_model_n_products(w->model); i++)
		spg_model_look_again(w->model, i);
	spg_prover_kick(w->prover, false);
}

static void on_exit_of_process(void *user, struct spg_proc_id id)
{
	struct world *w = user;

	spg_model_note_exit(w->model, id);
	spg_prover_kick(w->prover, true);
}

static void on_changes(void *user, struct spg_event_list *changes)
{
	struct world *w = user;

	for (size_t i = 0; i < changes->n; i++) {
		const struct spg_event *event = changes->events[i];

		spg_buf_printf(&w->log, "%s %s;", spg_event_kind_name(event->kind),
			event->kind == SPG_EVENT_VERDICT
				? spg_verdict_name(event->verdict)
				: spg_path_base(event->file->path));
	}
}

static void on_prover_stopped(void *user, bool hangs)
{
	struct world *w = user;

	w->stopped = true;
	w->hangs = hangs;
}

static void on_watch_stopped(void *user)
{
	struct world *w = user;

	w->watch->ops->destroy(w->watch);
	w->watch = NULL;
}

void on_settled(void *user, int err)
{
	struct world *w = user;

	w->n_settled++;
	w->settled_err = err;
}

static void on_done(void *user, int err, const struct spg_proof *proof);

void world_init(struct world *w)
{
	const struct spg_watch_listener listener = {.wants = wants,
		.on_event = on_event,
		.on_gap = on_gap,
		.on_layout = on_layout,
		.on_mounts = on_mounts,
		.on_exit = on_exit_of_process,
		.user = w};
	struct spg_event_list changes = SPG_EVENT_LIST_NULL;

	*w = (struct world){.config = {NEVER_MS, NEVER_MS, NEVER_MS},
		.products = {help_product(),
			help_plain_product("other", "/srv/other", "*")}};
	ck_assert_int_eq(uv_loop_init(&w->loop), 0);
	w->model = spg_model_create(0);
	w->watch = spg_scripted_create(&w->loop, &listener);
	ck_assert(w->model && w->watch);
	ck_assert_int_eq(w->watch->ops->start(w->watch), 0);
	ck_assert_int_eq(spg_prover_start(&w->prover, &w->loop, &w->config, w->model,
				 w->watch, on_changes, w),
		0);
	ck_assert_int_eq(
		spg_model_set_products(w->model, w->products, 2, 1, &changes), 0);
	ck_assert_int_eq(w->watch->ops->set_products(w->watch, w->products, 2), 0);
	spg_event_list_finish(&changes);
	world_is(w, "file a.dll free");
}

void world_begin_stop(struct world *w)
{
	w->stopping = true;
	spg_prover_stop(w->prover, on_prover_stopped, w);
}

void world_stop_prover(struct world *w)
{
	if (!w->stopping)
		world_begin_stop(w);
	while (!w->stopped)
		uv_run(&w->loop, UV_RUN_ONCE);
}

void world_finish(struct world *w)
{
	if (!w->stopped)
		world_stop_prover(w);
	ck_assert(!w->hangs);
	/* Who still asks is told, and nobody is asked for it. */
	ck_assert_int_eq(
		spg_prover_ask(w->prover, 0, NULL, false, on_done, NULL), SPG_ERR_BUSY);
	ck_assert_int_eq(spg_prover_sync(w->prover, on_settled, w), SPG_ERR_BUSY);
	ck_assert_int_eq(spg_prover_add_job(w->prover, NULL), SPG_ERR_BUSY);
	spg_prover_destroy(w->prover);
	w->watch->ops->stop(w->watch, on_watch_stopped, w);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	ck_assert_ptr_null(w->watch);
	ck_assert_int_eq(uv_loop_close(&w->loop), 0);
	spg_model_destroy(w->model);
	spg_product_unref(w->products[0]);
	spg_product_unref(w->products[1]);
	spg_buf_finish(&w->log);
}

void world_is(struct world *w, const char *text)
{
	spg_scripted_set_world(
		w->watch, help_observe(w->products[0], SPG_SURVEY_FULL, 1, text));
}

static void on_done(void *user, int err, const struct spg_proof *proof)
{
	struct reply *reply = user;

	reply->n++;
	reply->order = ++reply->world->n_answers;
	reply->err = err;
	ck_assert_int_eq(err == 0, proof != NULL);
	if (proof) {
		reply->verdict = proof->verdict->kind;
		reply->tries = proof->tries;
		reply->complete = proof->complete;
		if (proof->waited)
			reply->waited = *proof->waited;
		reply->product = proof->observation->product;
		snprintf(reply->text, sizeof(reply->text), "%s",
			proof->verdict->reasons.n > 0
				? proof->verdict->reasons.items[0].text
				: "");
	}
	if (reply->then)
		reply->then(reply);
}

void ask(struct world *w, size_t index, const char *names, struct reply *reply)
{
	struct spg_selection selection = {.names = NULL};
	char *list[8], *copy = strdup(names ? names : ""), *save = NULL;

	ck_assert_ptr_nonnull(copy);
	for (char *name = strtok_r(copy, " ", &save); name;
		name = strtok_r(NULL, " ", &save))
		list[selection.n_names++] = name;
	selection.names = list;
	reply->world = w;
	ck_assert_int_eq(spg_prover_ask(w->prover, index, names ? &selection : NULL,
				 false, on_done, reply),
		0);
	free(copy);
}

void ask_to_wait(
	struct world *w, int64_t wait_ns, int64_t settle_ns, struct reply *reply)
{
	reply->world = w;
	ck_assert_int_eq(
		spg_prover_wait(w->prover, 0, NULL,
			&(struct spg_wait){wait_ns, settle_ns}, on_done, reply),
		0);
}

void run_until_answers(struct world *w, unsigned n)
{
	while (w->n_answers < n)
		uv_run(&w->loop, UV_RUN_ONCE);
}

void run_until_log(struct world *w, const char *text)
{
	while (!strstr(spg_buf_text(&w->log), text))
		uv_run(&w->loop, UV_RUN_ONCE);
}

void run_until_held(struct world *w)
{
	uv_run(&w->loop, UV_RUN_NOWAIT);
	spg_scripted_wait_held(w->watch);
}

static void count_timer(uv_handle_t *handle, void *arg)
{
	unsigned *n = arg;

	if (handle->type == UV_TIMER && uv_is_active(handle))
		++*n;
}

unsigned count_timers(struct world *w)
{
	unsigned n = 0;

	uv_walk(&w->loop, count_timer, &n);
	return n;
}

unsigned n_surveys(struct world *w, enum spg_survey_depth depth)
{
	struct spg_scripted_seen seen;

	spg_scripted_seen(w->watch, &seen);
	return seen.n_surveys[depth];
}
