/* SPDX-License-Identifier: MIT */
/* A wait for "safe" ends when the files have stayed free. */
#include <check.h>
#include <string.h>

#include "common/clock.h"
#include "tests/support/suite.h"
#include "tests/unit/prover_world.h"

#define BLOCKED "file a.dll busy; use a.dll scanner open"
#define HOUR_NS (3600 * SPG_NS_PER_S)

/* The product has been safe for a while: there is nothing to wait for. */
START_TEST(free_for_long)
{
	struct world w;
	struct reply reply = {0};
	int64_t safe_ns;

	world_init(&w);
	ask(&w, 0, NULL, &reply);
	run_until_answers(&w, 1);
	safe_ns = spg_clock_mono_ns();
	while (spg_clock_mono_ns() - safe_ns < SPG_NS_PER_MS)
		;
	ask_to_wait(&w, HOUR_NS, SPG_NS_PER_MS, &reply);
	run_until_answers(&w, 2);
	ck_assert_int_eq(reply.verdict, SPG_VERDICT_SAFE);
	ck_assert_uint_eq(n_surveys(&w, SPG_SURVEY_FULL), 2);
	ck_assert_int_ge(reply.waited.free_ns, SPG_NS_PER_MS);
	ck_assert_int_eq(reply.waited.settle_ns, SPG_NS_PER_MS);
	ck_assert_uint_eq(reply.waited.n_returns, 0);
	world_finish(&w);
}
END_TEST

/* Whoever was there before the question may have gone a moment ago. */
START_TEST(free_for_a_moment)
{
	struct world w;
	struct reply reply = {0};

	world_init(&w);
	ask_to_wait(&w, 0, 20 * SPG_NS_PER_MS, &reply);
	run_until_answers(&w, 1);
	ck_assert_int_eq(reply.verdict, SPG_VERDICT_SAFE);
	ck_assert_uint_ge(n_surveys(&w, SPG_SURVEY_FULL), 2);
	ck_assert_int_ge(reply.waited.free_ns, 20 * SPG_NS_PER_MS);
	world_finish(&w);
}
END_TEST

/* The daemon has noticed the end before anybody asks: that was a moment ago, too. */
START_TEST(ended_a_moment_ago)
{
	struct world w;
	struct reply reply = {0};
	unsigned n;

	world_init(&w);
	w.config.debounce_ms = 1;
	spg_prover_configure(w.prover, &w.config);
	world_is(&w, BLOCKED);
	ask(&w, 0, NULL, &reply);
	run_until_answers(&w, 1);
	world_is(&w, "file a.dll free");
	spg_scripted_queue(w.watch, help_event(SPG_EVENT_CLOSE, 1, "a.dll", "scanner"));
	ck_assert_int_eq(w.watch->ops->drain(w.watch, true), 0);
	spg_prover_kick(w.prover, true);
	run_until_log(&w, "verdict safe;");
	n = n_surveys(&w, SPG_SURVEY_FULL);
	ask_to_wait(&w, HOUR_NS, HOUR_NS, &reply);
	ask(&w, 0, NULL, &reply);
	run_until_answers(&w, 2);
	ck_assert_uint_gt(n_surveys(&w, SPG_SURVEY_FULL), n);
	uv_run(&w.loop, UV_RUN_NOWAIT);
	ck_assert_uint_eq(w.n_answers, 2);
	spg_prover_forget(w.prover, &reply);
	world_finish(&w);
}
END_TEST

/* Ask to wait for a moment, in which the files are free but do not settle; and let that
 * moment pass. */
static void wait_a_moment(struct world *w, struct reply *reply)
{
	int64_t asked_ns;

	world_init(w);
	w->config.debounce_ms = 1;
	spg_prover_configure(w->prover, &w->config);
	ask_to_wait(w, SPG_NS_PER_MS, HOUR_NS, reply);
	asked_ns = spg_clock_mono_ns();
	run_until_log(w, "verdict safe;");
	while (spg_clock_mono_ns() - asked_ns <= SPG_NS_PER_MS)
		uv_run(&w->loop, UV_RUN_NOWAIT);
	ck_assert_uint_eq(reply->n, 0);
}

static void opened(struct world *w)
{
	spg_scripted_queue(w->watch, help_event(SPG_EVENT_OPEN, 1, "a.dll", "scanner"));
	ck_assert_int_eq(w->watch->ops->drain(w->watch, true), 0);
}

/* A supervisor starts it again: the files were never safe. */
START_TEST(comes_back)
{
	struct world w;
	struct reply reply = {0};

	wait_a_moment(&w, &reply);
	world_is(&w, BLOCKED);
	opened(&w);
	run_until_answers(&w, 1);
	ck_assert_int_eq(reply.verdict, SPG_VERDICT_BLOCKED);
	ck_assert_int_eq(reply.waited.free_ns, 0);
	ck_assert_uint_eq(reply.waited.n_returns, 1);
	world_finish(&w);
}
END_TEST

/* No look finds it, and yet it was there: an event tells. */
START_TEST(comes_and_goes)
{
	struct world w;
	struct reply reply = {0};

	wait_a_moment(&w, &reply);
	opened(&w);
	run_until_answers(&w, 1);
	ck_assert_int_eq(reply.verdict, SPG_VERDICT_ATTENTION);
	ck_assert_uint_eq(reply.waited.n_returns, 1);
	ck_assert_ptr_nonnull(strstr(reply.text, "settle time"));
	world_finish(&w);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("settle");

	tcase_add_test(tc, free_for_long);
	tcase_add_test(tc, free_for_a_moment);
	tcase_add_test(tc, ended_a_moment_ago);
	tcase_add_test(tc, comes_back);
	tcase_add_test(tc, comes_and_goes);
	return spg_run_suite("prover-settle", tc);
}
