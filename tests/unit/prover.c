/* SPDX-License-Identifier: MIT */
/* Answers that hold at the moment they are given. */
#include "daemon/proof/prover.h"

#include <check.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "tests/support/suite.h"
#include "tests/unit/prover_world.h"

#define BLOCKED "file a.dll busy; use a.dll scanner open"

static const struct {
	unsigned n; /* surveys that are disturbed */
	enum spg_event_kind kind;
	const char *path;
	const char *world;
	enum spg_verdict_kind verdict;
	unsigned tries;
} storms[] = {
	{0, SPG_EVENT_OPEN, "/srv/bin/a.dll", NULL, SPG_VERDICT_SAFE, 1},
	{1, SPG_EVENT_OPEN, "/srv/bin/a.dll", NULL, SPG_VERDICT_SAFE, 2},
	{SPG_PROOF_TRIES - 1, SPG_EVENT_RENAME, "/srv/bin/a.dll", NULL,
		SPG_VERDICT_SAFE, SPG_PROOF_TRIES},
	{SPG_PROOF_TRIES, SPG_EVENT_OPEN, "/srv/bin/a.dll", NULL, SPG_VERDICT_UNKNOWN,
		SPG_PROOF_TRIES},
	{100, SPG_EVENT_CREATE, "/srv/bin/new.dll", NULL, SPG_VERDICT_UNKNOWN,
		SPG_PROOF_TRIES},
	/* A close can only set free. */
	{100, SPG_EVENT_CLOSE, "/srv/bin/a.dll", NULL, SPG_VERDICT_SAFE, 1},
	/* Somebody else's file. */
	{100, SPG_EVENT_OPEN, "/srv/other/x", NULL, SPG_VERDICT_SAFE, 1},
	{100, SPG_EVENT_OPEN, "/srv/bin/readme.txt", NULL, SPG_VERDICT_SAFE, 1},
	/* Who holds it holds it, whatever else happens. */
	{100, SPG_EVENT_OPEN, "/srv/bin/a.dll", BLOCKED, SPG_VERDICT_BLOCKED, 1},
	/* Unknown for another reason is not proved either. */
	{1, SPG_EVENT_OPEN, "/srv/bin/a.dll", "file a.dll unknown", SPG_VERDICT_UNKNOWN,
		2},
};

START_TEST(storm)
{
	struct world w;
	struct reply reply = {0};

	world_init(&w);
	if (storms[_i].world)
		world_is(&w, storms[_i].world);
	spg_scripted_disturb(
		w.watch, storms[_i].n, storms[_i].kind, storms[_i].path, 4711);
	ask(&w, 0, NULL, &reply);
	ck_assert_uint_eq(reply.n, 0); /* never from within the call */
	run_until_answers(&w, 1);
	ck_assert_int_eq(reply.err, 0);
	ck_assert_int_eq(reply.verdict, storms[_i].verdict);
	ck_assert_uint_eq(reply.tries, storms[_i].tries);
	ck_assert_uint_eq(n_surveys(&w, SPG_SURVEY_FULL), storms[_i].tries);
	if (storms[_i].n >= SPG_PROOF_TRIES &&
		storms[_i].verdict == SPG_VERDICT_UNKNOWN)
		ck_assert_ptr_nonnull(strstr(reply.text, "kept being opened"));
	world_finish(&w);
}
END_TEST

enum trouble { GAP, LAYOUT, LAYOUT_OF_OTHER };

static const struct {
	enum trouble what;
	unsigned tries;
} troubles[] = {
	{GAP, 2},
	{LAYOUT, 2},
	{LAYOUT_OF_OTHER, 1},
};

/* What may have hidden an event disturbs as an event does. */
START_TEST(trouble_meanwhile)
{
	struct world w;
	struct reply reply = {0};

	world_init(&w);
	spg_scripted_hold(w.watch);
	ask(&w, 0, NULL, &reply);
	run_until_held(&w);
	if (troubles[_i].what == GAP)
		spg_scripted_gap(w.watch, SPG_GAP_OVERFLOW);
	else
		spg_scripted_layout(
			w.watch, w.products[troubles[_i].what == LAYOUT ? 0 : 1]);
	spg_scripted_release(w.watch);
	run_until_answers(&w, 1);
	ck_assert_int_eq(reply.verdict, SPG_VERDICT_SAFE);
	ck_assert_uint_eq(reply.tries, troubles[_i].tries);
	world_finish(&w);
}
END_TEST

/* More events than one look at the queue takes are not forgotten. */
START_TEST(drain_in_parts)
{
	struct world w;
	struct reply reply = {0};

	world_init(&w);
	spg_scripted_set_drain_budget(w.watch, 1);
	for (int i = 0; i < 100; i++)
		spg_scripted_queue(
			w.watch, help_event(SPG_EVENT_OPEN, 1, "a.dll", "scanner"));
	ask(&w, 0, NULL, &reply);
	run_until_answers(&w, 1);
	ck_assert_int_eq(reply.verdict, SPG_VERDICT_SAFE);
	ck_assert_uint_eq(reply.tries, 2);
	world_finish(&w);
}
END_TEST

/* Whoever asks while a survey runs gets an answer of the next one. */
START_TEST(asked_meanwhile)
{
	struct world w;
	struct reply replies[4] = {{0}};
	struct spg_scripted_seen seen;

	world_init(&w);
	spg_scripted_hold(w.watch);
	ask(&w, 0, NULL, &replies[0]);
	run_until_held(&w);
	world_is(&w, "file a.dll free; file readme.txt busy; "
		     "use readme.txt scanner open");
	ask(&w, 0, "readme.txt", &replies[1]);
	ask(&w, 1, NULL, &replies[2]);
	ask(&w, 0, "a.dll new.dll", &replies[3]);
	uv_run(&w.loop, UV_RUN_NOWAIT);
	ck_assert_uint_eq(w.n_answers, 0);
	spg_scripted_release(w.watch);
	run_until_answers(&w, 3);
	spg_scripted_seen(w.watch, &seen);
	ck_assert_uint_eq(seen.n_surveys[SPG_SURVEY_FULL], 2);
	ck_assert_str_eq(seen.product, "exchange");
	ck_assert_uint_eq(seen.n_extra_names, 3);
	run_until_answers(&w, 4);
	ck_assert_uint_eq(replies[0].order, 1);
	ck_assert_uint_eq(replies[1].order, 2);
	ck_assert_uint_eq(replies[3].order, 3);
	ck_assert_uint_eq(replies[2].order, 4);
	ck_assert_int_eq(replies[0].verdict, SPG_VERDICT_SAFE);
	ck_assert_int_eq(replies[1].verdict, SPG_VERDICT_BLOCKED);
	ck_assert_int_eq(replies[3].verdict, SPG_VERDICT_SAFE);
	ck_assert_ptr_eq(replies[2].product, w.products[1]);
	ck_assert_int_eq(replies[2].verdict, SPG_VERDICT_UNKNOWN);
	/* The payload's other names leave no trace. */
	ck_assert_str_eq(spg_buf_text(&w.log), "verdict safe;verdict unknown;");
	ck_assert_uint_eq(n_surveys(&w, SPG_SURVEY_FULL), 3);
	world_finish(&w);
}
END_TEST

static void on_done_ignored(void *user, int err, const struct spg_proof *proof)
{
	struct world *w = user;

	(void)proof;
	ck_assert_int_eq(err, 0);
	w->n_answers++;
}

START_TEST(find_users)
{
	struct world w;
	struct spg_scripted_seen seen;

	world_init(&w);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(
			spg_prover_ask(w.prover, 0, NULL, i == 0, on_done_ignored, &w),
			0);
		run_until_answers(&w, i + 1);
		spg_scripted_seen(w.watch, &seen);
		ck_assert_int_eq(seen.find_users, i == 0);
	}
	world_finish(&w);
}
END_TEST

static void ask_again(struct reply *reply)
{
	if (reply->n < 3)
		ask(reply->world, 0, NULL, reply);
}

START_TEST(ask_from_answer)
{
	struct world w;
	struct reply reply = {.then = ask_again};

	world_init(&w);
	ask(&w, 0, NULL, &reply);
	run_until_answers(&w, 3);
	ck_assert_uint_eq(reply.n, 3);
	ck_assert_uint_eq(n_surveys(&w, SPG_SURVEY_FULL), 3);
	world_finish(&w);
}
END_TEST

static void set_products(struct world *w, struct spg_product *const *products, size_t n)
{
	struct spg_event_list changes = SPG_EVENT_LIST_NULL;

	ck_assert_int_eq(spg_model_set_products(w->model, products, n, 2, &changes), 0);
	ck_assert_int_eq(w->watch->ops->set_products(w->watch, products, n), 0);
	spg_event_list_finish(&changes);
}

/* A survey of the profile before a reload answers nobody. */
START_TEST(reload_meanwhile)
{
	struct world w;
	struct reply reply = {0};
	struct spg_product *again = help_product();

	world_init(&w);
	spg_scripted_hold(w.watch);
	ask(&w, 0, NULL, &reply);
	run_until_held(&w);
	set_products(&w, &again, 1);
	world_is(&w, BLOCKED);
	spg_scripted_release(w.watch);
	run_until_answers(&w, 1);
	ck_assert_int_eq(reply.err, 0);
	ck_assert_ptr_eq(reply.product, again);
	ck_assert_int_eq(reply.verdict, SPG_VERDICT_BLOCKED);
	ck_assert_uint_eq(n_surveys(&w, SPG_SURVEY_FULL), 2);
	ck_assert_str_eq(spg_buf_text(&w.log), "use-begin a.dll;verdict blocked;");
	world_finish(&w);
	spg_product_unref(again);
}
END_TEST

/* The product is gone: for whom its survey runs, and for whom none has begun. */
START_TEST(reload_away)
{
	struct world w;
	struct reply replies[3] = {{0}};

	world_init(&w);
	spg_scripted_hold(w.watch);
	ask(&w, 0, NULL, &replies[0]);
	run_until_held(&w);
	ask(&w, 0, "a.dll", &replies[1]);
	ask_to_wait(&w, INT64_MAX, 0, &replies[2]);
	set_products(&w, &w.products[1], 1);
	spg_scripted_release(w.watch);
	run_until_answers(&w, 3);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(replies[i].err, SPG_ERR_NOT_FOUND);
	ck_assert_uint_eq(n_surveys(&w, SPG_SURVEY_FULL), 1);
	ck_assert_str_eq(spg_buf_text(&w.log), "");
	world_finish(&w);
}
END_TEST

/* A survey that fails fails those it was for, and is made up for. */
START_TEST(survey_fails)
{
	struct world w;
	struct reply replies[2] = {{0}};

	world_init(&w);
	ask(&w, 0, NULL, &replies[0]);
	run_until_answers(&w, 1);
	ck_assert(!spg_model_is_dirty(w.model, 0));
	spg_scripted_fail(w.watch, SPG_ERR_NOMEM);
	ask(&w, 0, NULL, &replies[0]);
	run_until_answers(&w, 2);
	ck_assert_int_eq(replies[0].err, SPG_ERR_NOMEM);
	ck_assert(spg_model_is_dirty(w.model, 0));
	ask(&w, 0, NULL, &replies[1]);
	run_until_answers(&w, 3);
	ck_assert_int_eq(replies[1].verdict, SPG_VERDICT_SAFE);
	world_finish(&w);
}
END_TEST

/* A disk that does not answer: unknown, with the place, until it does. */
START_TEST(deadline)
{
	struct world w;
	struct reply replies[4] = {{0}};

	world_init(&w);
	w.config.deadline_ms = 1;
	spg_prover_configure(w.prover, &w.config);
	spg_scripted_set_place(w.watch, "/mnt/dead/a.dll");
	spg_scripted_hold(w.watch);
	ask(&w, 0, NULL, &replies[0]);
	ask(&w, 1, NULL, &replies[1]);
	run_until_answers(&w, 2);
	spg_scripted_wait_held(w.watch);
	ask(&w, 0, "a.dll", &replies[2]);
	run_until_answers(&w, 3);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(replies[i].err, 0);
		ck_assert_int_eq(replies[i].verdict, SPG_VERDICT_UNKNOWN);
		ck_assert(!replies[i].complete);
		ck_assert_ptr_nonnull(
			strstr(replies[i].text, "/mnt/dead/a.dll has not answered"));
	}
	ck_assert_uint_eq(n_surveys(&w, SPG_SURVEY_FULL), 1);
	w.config.deadline_ms = NEVER_MS;
	spg_prover_configure(w.prover, &w.config);
	spg_scripted_release(w.watch);
	/* Asked before the loop knows that it has ended. */
	ask(&w, 0, NULL, &replies[3]);
	run_until_answers(&w, 4);
	while (replies[3].verdict != SPG_VERDICT_SAFE) {
		ask(&w, 0, NULL, &replies[3]);
		run_until_answers(&w, w.n_answers + 1);
	}
	ck_assert(replies[3].complete);
	world_finish(&w);
}
END_TEST

/* It ends when a change frees the file, or has become free by itself. */
START_TEST(wait_for_change)
{
	struct world w;
	struct reply reply = {0};

	world_init(&w);
	w.config.debounce_ms = 1;
	spg_prover_configure(w.prover, &w.config);
	world_is(&w, BLOCKED);
	ask_to_wait(&w, 3600 * SPG_NS_PER_S, 0, &reply);
	run_until_log(&w, "verdict blocked;");
	ck_assert_uint_eq(reply.n, 0);
	world_is(&w, "file a.dll free");
	spg_scripted_queue(w.watch, help_event(SPG_EVENT_CLOSE, 1, "a.dll", "scanner"));
	ck_assert_int_eq(w.watch->ops->drain(w.watch, true), 0);
	run_until_answers(&w, 1);
	ck_assert_int_eq(reply.verdict, SPG_VERDICT_SAFE);
	ck_assert_str_eq(spg_buf_text(&w.log),
		"use-begin a.dll;verdict blocked;use-end a.dll;verdict safe;");
	world_finish(&w);
}
END_TEST

static const struct {
	int64_t wait_ns;
	const char *world;
	enum spg_verdict_kind verdict;
	unsigned min_surveys;
} waits[] = {
	{0, "file a.dll free", SPG_VERDICT_SAFE, 1},
	{-1, "file a.dll free", SPG_VERDICT_SAFE, 1},
	{INT64_MAX, "file a.dll free", SPG_VERDICT_SAFE, 1},
	{0, BLOCKED, SPG_VERDICT_BLOCKED, 1},
	{INT64_MIN, BLOCKED, SPG_VERDICT_BLOCKED, 1},
	/* One last look when the time is up. */
	{20 * SPG_NS_PER_MS, BLOCKED, SPG_VERDICT_BLOCKED, 2},
	{20 * SPG_NS_PER_MS, "file a.dll unknown", SPG_VERDICT_UNKNOWN, 2},
};

START_TEST(wait_for_time)
{
	struct world w;
	struct reply reply = {0};

	world_init(&w);
	world_is(&w, waits[_i].world);
	ask_to_wait(&w, waits[_i].wait_ns, 0, &reply);
	run_until_answers(&w, 1);
	ck_assert_int_eq(reply.err, 0);
	ck_assert_int_eq(reply.verdict, waits[_i].verdict);
	ck_assert_uint_ge(n_surveys(&w, SPG_SURVEY_FULL), waits[_i].min_surveys);
	world_finish(&w);
}
END_TEST

/* A wait outlasts a disk that takes long: it ends at its time or when safe. */
START_TEST(wait_through_deadline)
{
	struct world w;
	struct reply reply = {0}, other = {0};

	world_init(&w);
	w.config.deadline_ms = 1;
	spg_prover_configure(w.prover, &w.config);
	spg_scripted_hold(w.watch);
	ask_to_wait(&w, 3600 * SPG_NS_PER_S, 0, &reply);
	ask(&w, 0, NULL, &other);
	run_until_answers(&w, 1);
	ck_assert_uint_eq(other.n, 1);
	ck_assert_int_eq(other.verdict, SPG_VERDICT_UNKNOWN);
	ck_assert_uint_eq(reply.n, 0);
	w.config.deadline_ms = NEVER_MS;
	spg_prover_configure(w.prover, &w.config);
	spg_scripted_release(w.watch);
	run_until_answers(&w, 2);
	ck_assert_int_eq(reply.err, 0);
	ck_assert_int_eq(reply.verdict, SPG_VERDICT_SAFE);
	world_finish(&w);
}
END_TEST

static void forget_self(struct reply *reply)
{
	spg_prover_forget(reply->world->prover, reply);
}

/* Forgotten while queued, in flight, parked, and from within an answer. */
START_TEST(forget)
{
	struct world w;
	struct reply kept[2] = {{0}, {.then = forget_self}}, gone[3] = {{0}};

	world_init(&w);
	world_is(&w, BLOCKED);
	ask_to_wait(&w, 3600 * SPG_NS_PER_S, 0, &gone[0]);
	run_until_log(&w, "verdict blocked;");
	spg_scripted_hold(w.watch);
	ask(&w, 0, NULL, &gone[1]);
	ask(&w, 0, NULL, &kept[0]);
	ask(&w, 0, NULL, &kept[1]);
	ask(&w, 0, NULL, &kept[1]);
	run_until_held(&w);
	ask(&w, 0, NULL, &gone[2]);
	for (int i = 0; i < 3; i++)
		spg_prover_forget(w.prover, &gone[i]);
	spg_prover_forget(w.prover, &w); /* who never asked */
	spg_scripted_release(w.watch);
	run_until_answers(&w, 2);
	uv_run(&w.loop, UV_RUN_NOWAIT);
	ck_assert_uint_eq(kept[0].n, 1);
	ck_assert_uint_eq(kept[1].n, 1);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(gone[i].n, 0);
	world_finish(&w);
	ck_assert_uint_eq(w.n_answers, 2);
}
END_TEST

/* It takes longer than answers may in one turn of the loop; and the file that was looked
 * at comes into use. */
static void take_long(struct reply *reply)
{
	int64_t until_ns = spg_clock_mono_ns() + 10 * SPG_NS_PER_MS;

	while (spg_clock_mono_ns() < until_ns)
		;
	spg_scripted_gap(reply->world->watch, SPG_GAP_OVERFLOW);
}

START_TEST(many_answers_take_turns)
{
	struct reply first = {.then = take_long}, second = {0};
	struct world w;

	world_init(&w);
	ask(&w, 0, NULL, &first);
	ask(&w, 0, NULL, &second);
	run_until_answers(&w, 1);
	ck_assert_uint_eq(w.n_answers, 1);
	run_until_answers(&w, 2);
	/* One look answers both: it was true when it ended. */
	ck_assert_int_eq(first.verdict, SPG_VERDICT_SAFE);
	ck_assert_int_eq(second.verdict, SPG_VERDICT_SAFE);
	ck_assert_uint_eq(second.tries, 1);
	ck_assert_uint_eq(n_surveys(&w, SPG_SURVEY_FULL), 1);
	world_finish(&w);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("prover");

	spg_add_rows(tc, storm, storms);
	spg_add_rows(tc, trouble_meanwhile, troubles);
	tcase_add_test(tc, drain_in_parts);
	tcase_add_test(tc, asked_meanwhile);
	tcase_add_test(tc, find_users);
	tcase_add_test(tc, many_answers_take_turns);
	tcase_add_test(tc, ask_from_answer);
	tcase_add_test(tc, reload_meanwhile);
	tcase_add_test(tc, reload_away);
	tcase_add_test(tc, survey_fails);
	tcase_add_test(tc, deadline);
	tcase_add_test(tc, wait_for_change);
	spg_add_rows(tc, wait_for_time, waits);
	tcase_add_test(tc, wait_through_deadline);
	tcase_add_test(tc, forget);
	return spg_run_suite("prover", tc);
}
