/* SPDX-License-Identifier: MIT */
/* What the prover does unasked: reconciles, lock polling, ends of processes; and
 * how it stops. */
#include <check.h>
#include <string.h>

#include "common/err.h"
#include "daemon/proof/prover.h"
#include "tests/support/suite.h"
#include "tests/unit/prover_world.h"

#define BLOCKED "file a.dll busy; use a.dll scanner open"

static void configure(struct world *w, unsigned debounce_ms, unsigned lock_poll_ms)
{
	w->config.debounce_ms = debounce_ms;
	w->config.lock_poll_ms = lock_poll_ms;
	spg_prover_configure(w->prover, &w->config);
}

static void settle(struct world *w)
{
	unsigned n = w->n_settled;

	ck_assert_int_eq(spg_prover_sync(w->prover, on_settled, w), 0);
	ck_assert_uint_eq(w->n_settled, n);
	while (w->n_settled == n)
		uv_run(&w->loop, UV_RUN_ONCE);
	ck_assert_int_eq(w->settled_err, 0);
}

/* Drop the other one. */
static void set_only_product(struct world *w)
{
	struct spg_event_list changes = SPG_EVENT_LIST_NULL;

	ck_assert_int_eq(
		spg_model_set_products(w->model, w->products, 1, 2, &changes), 0);
	spg_event_list_finish(&changes);
}

START_TEST(settles)
{
	struct world w;

	world_init(&w);
	settle(&w);
	ck_assert_uint_eq(n_surveys(&w, SPG_SURVEY_FULL), 2);
	ck_assert_str_eq(spg_buf_text(&w.log), "verdict safe;verdict unknown;");
	/* Nothing is dirty: nothing to look at. */
	settle(&w);
	ck_assert_uint_eq(n_surveys(&w, SPG_SURVEY_FULL), 2);
	spg_model_distrust(w.model, 1);
	world_is(&w, "file a.dll free; file /srv/other/x free");
	settle(&w);
	ck_assert_uint_eq(n_surveys(&w, SPG_SURVEY_FULL), 3);
	ck_assert_str_eq(
		spg_buf_text(&w.log), "verdict safe;verdict unknown;verdict safe;");
	world_finish(&w);
}
END_TEST

/* A barrier waits for a verdict that stands, if one can be had. */
static const struct {
	unsigned n; /* surveys that are disturbed */
	const char *log;
} gusts[] = {
	{0, "verdict safe;"},
	{1, "verdict safe;"},
	{SPG_PROOF_TRIES - 1, "verdict safe;"},
	{1000, "verdict unknown;"},
};

START_TEST(settles_on_a_verdict)
{
	struct world w;

	world_init(&w);
	spg_scripted_disturb(
		w.watch, gusts[_i].n, SPG_EVENT_OPEN, "/srv/bin/a.dll", 4711);
	set_only_product(&w);
	settle(&w);
	ck_assert_str_eq(spg_buf_text(&w.log), gusts[_i].log);
	world_finish(&w);
}
END_TEST

/* Somebody opens a file again and again: that keeps neither whoever waits for a
 * barrier, nor the other product, from their turn. */
START_TEST(settles_in_a_storm)
{
	struct world w;

	world_init(&w);
	world_is(&w, "file a.dll free; file /srv/other/x free");
	spg_scripted_disturb(w.watch, 1000, SPG_EVENT_OPEN, "/srv/bin/a.dll", 4711);
	settle(&w);
	ck_assert_uint_le(n_surveys(&w, SPG_SURVEY_FULL), 2 * SPG_PROOF_TRIES);
	/* The other product's, and that this one's cannot be proved. */
	ck_assert_ptr_nonnull(strstr(spg_buf_text(&w.log), "verdict safe;"));
	ck_assert(!spg_model_is_dirty(w.model, 1));
	world_finish(&w);
}
END_TEST

/* Locks are taken faster than the history takes them, and go on to be: who settles
 * waits for those that there were. */
START_TEST(settles_while_events_pile_up)
{
	struct world w;

	world_init(&w);
	settle(&w);
	spg_scripted_set_backlog(w.watch, 1000, 10);
	ck_assert_int_eq(spg_prover_sync(w.prover, on_settled, &w), 0);
	for (int i = 0; i < 10; i++) /* its pass begins, and counts them */
		uv_run(&w.loop, UV_RUN_NOWAIT);
	ck_assert_uint_eq(w.n_settled, 1);
	for (uint64_t n = 10; n < 1000; n += 90) {
		spg_scripted_set_backlog(w.watch, 1000 + n, n);
		spg_prover_kick(w.prover, true);
		for (int i = 0; i < 10; i++)
			uv_run(&w.loop, UV_RUN_NOWAIT);
		ck_assert_uint_eq(w.n_settled, 1);
	}
	spg_scripted_set_backlog(w.watch, 5000, 1000);
	spg_prover_kick(w.prover, true);
	while (w.n_settled == 1)
		uv_run(&w.loop, UV_RUN_ONCE);
	ck_assert_int_eq(w.settled_err, 0);
	world_finish(&w);
}
END_TEST

/* A reconcile that finds its product dirty again leaves it to the next one, which
 * comes after a rest. */
START_TEST(one_look_a_reconcile)
{
	struct world w;

	world_init(&w);
	settle(&w);
	configure(&w, NEVER_MS, NEVER_MS);
	spg_scripted_disturb(w.watch, 1000, SPG_EVENT_OPEN, "/srv/bin/a.dll", 4711);
	spg_model_distrust(w.model, 0);
	spg_scripted_hold(w.watch);
	spg_prover_kick(w.prover, true);
	run_until_held(&w);
	ck_assert_uint_eq(count_timers(&w), 1); /* the deadline */
	spg_scripted_release(w.watch);
	/* The deadline goes, the debounce for the next look comes. */
	while (!spg_model_is_dirty(w.model, 0))
		uv_run(&w.loop, UV_RUN_ONCE);
	for (int i = 0; i < 10; i++)
		uv_run(&w.loop, UV_RUN_NOWAIT);
	ck_assert_uint_eq(n_surveys(&w, SPG_SURVEY_FULL), 3);
	ck_assert_uint_eq(count_timers(&w), 1);
	world_finish(&w);
}
END_TEST

/* What becomes due while a reconcile is under way is looked at after it. */
START_TEST(due_meanwhile)
{
	struct world w;

	world_init(&w);
	settle(&w);
	spg_scripted_hold(w.watch);
	spg_model_distrust(w.model, 0);
	spg_prover_kick(w.prover, true);
	run_until_held(&w);
	spg_model_distrust(w.model, 0);
	spg_prover_kick(w.prover, true);
	uv_run(&w.loop, UV_RUN_NOWAIT);
	world_is(&w, BLOCKED);
	spg_scripted_release(w.watch);
	run_until_log(&w, "verdict blocked;");
	while (n_surveys(&w, SPG_SURVEY_FULL) < 4)
		uv_run(&w.loop, UV_RUN_ONCE);
	settle(&w);
	ck_assert_uint_eq(n_surveys(&w, SPG_SURVEY_FULL), 4);
	world_finish(&w);
}
END_TEST

/* Verdicts are told once a change. */
START_TEST(changes_once)
{
	struct world w;
	static const struct {
		const char *world, *log;
	} steps[] = {
		{"file a.dll free", ""},
		{BLOCKED, "use-begin a.dll;verdict blocked;"},
		{BLOCKED, ""},
		{BLOCKED "; use a.dll perfmon open", "use-begin a.dll;"},
		{"file a.dll free", "use-end a.dll;use-end a.dll;verdict safe;"},
	};

	world_init(&w);
	settle(&w);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		world_is(&w, steps[i].world);
		spg_model_distrust(w.model, 0);
		spg_buf_clear(&w.log);
		settle(&w);
		ck_assert_str_eq(spg_buf_text(&w.log), steps[i].log);
	}
	world_finish(&w);
}
END_TEST

/* Locks are read while something is in use, and only then. */
START_TEST(lock_polling)
{
	struct world w;

	world_init(&w);
	settle(&w);
	ck_assert_uint_eq(count_timers(&w), 0);
	configure(&w, NEVER_MS, 1);
	ck_assert_uint_eq(count_timers(&w), 0);
	world_is(&w, BLOCKED);
	spg_model_distrust(w.model, 0);
	settle(&w);
	world_is(&w, BLOCKED "; lock a.dll scanner held flock write 0 eof");
	run_until_log(&w, "lock a.dll;");
	world_is(&w, BLOCKED);
	run_until_log(&w, "unlock a.dll;");
	ck_assert_uint_ge(n_surveys(&w, SPG_SURVEY_LOCKS), 2);
	/* Nobody uses it: no need. */
	world_is(&w, "file a.dll free");
	spg_model_distrust(w.model, 0);
	settle(&w);
	ck_assert_uint_eq(count_timers(&w), 0);
	/* Where locks make events, never. */
	w.watch->lock_events = true;
	spg_model_expect_lock_events(w.model);
	world_is(&w, BLOCKED);
	spg_model_distrust(w.model, 0);
	settle(&w);
	ck_assert(spg_model_has_uses(w.model, 0));
	ck_assert_uint_eq(count_timers(&w), 0);
	world_finish(&w);
}
END_TEST

START_TEST(lock_polling_asks)
{
	struct world w;
	struct spg_scripted_seen seen;

	world_init(&w);
	settle(&w);
	world_is(&w, BLOCKED "; file b.dll free");
	spg_model_distrust(w.model, 0);
	settle(&w);
	configure(&w, NEVER_MS, 1);
	do {
		uv_run(&w.loop, UV_RUN_ONCE);
		spg_scripted_seen(w.watch, &seen);
	} while (seen.n_surveys[SPG_SURVEY_LOCKS] == 0);
	/* Only of the file in use, only of its user. */
	ck_assert_uint_eq(seen.n_known, 1);
	ck_assert_uint_eq(seen.n_holders, 1);
	ck_assert_uint_eq(seen.n_paths, 0);
	world_finish(&w);
}
END_TEST

/* The end of a process ends its uses, at once. */
START_TEST(exit_ends_uses)
{
	struct world w;
	struct spg_scripted_seen seen;

	world_init(&w);
	world_is(&w, BLOCKED "; file b.dll busy; use b.dll scanner mapped");
	settle(&w);
	spg_scripted_seen(w.watch, &seen);
	ck_assert_uint_eq(seen.n_exits_watched, 1);
	spg_buf_clear(&w.log);
	world_is(&w, "file a.dll free; file b.dll free");
	ck_assert(spg_scripted_exit(w.watch, help_id("scanner")));
	run_until_log(&w, "verdict safe;");
	ck_assert_str_eq(
		spg_buf_text(&w.log), "use-end a.dll;use-end b.dll;verdict safe;");
	world_finish(&w);
}
END_TEST

/* It has ended before it could be watched: looked at again. */
START_TEST(exit_before_watch)
{
	struct world w;

	world_init(&w);
	configure(&w, 1, NEVER_MS);
	ck_assert(!spg_scripted_exit(w.watch, help_id("scanner")));
	world_is(&w, BLOCKED);
	spg_prover_kick(w.prover, true);
	run_until_log(&w, "verdict blocked;");
	world_is(&w, "file a.dll free");
	run_until_log(&w, "verdict safe;");
	world_finish(&w);
}
END_TEST

/* Everybody is answered: queued, in flight and parked. */
START_TEST(stop_answers)
{
	struct world w;
	struct reply replies[3] = {{0}};

	world_init(&w);
	world_is(&w, BLOCKED);
	ask_to_wait(&w, INT64_MAX, 0, &replies[0]);
	run_until_log(&w, "verdict blocked;");
	ask(&w, 1, NULL, &replies[1]);
	ask(&w, 0, "a.dll", &replies[2]);
	ck_assert_int_eq(spg_prover_sync(w.prover, on_settled, &w), 0);
	ck_assert_int_eq(spg_prover_sync(w.prover, on_settled, &w), 0);
	world_stop_prover(&w);
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(replies[i].n, 1);
		ck_assert_int_eq(replies[i].err, SPG_ERR_BUSY);
	}
	ck_assert_uint_eq(w.n_settled, 2);
	ck_assert_int_eq(w.settled_err, SPG_ERR_BUSY);
	world_finish(&w);
}
END_TEST

static void release_later(void *arg)
{
	struct world *w = arg;

	spg_scripted_release(w->watch);
}

/* A survey that ends in time is waited for; what it found is thrown away. */
START_TEST(stop_while_surveying)
{
	struct world w;
	struct reply reply = {0};
	uv_thread_t thread;

	world_init(&w);
	spg_scripted_hold(w.watch);
	ask(&w, 0, NULL, &reply);
	run_until_held(&w);
	ck_assert_int_eq(uv_thread_create(&thread, release_later, &w), 0);
	world_stop_prover(&w);
	uv_thread_join(&thread);
	ck_assert_int_eq(reply.err, SPG_ERR_BUSY);
	ck_assert(!w.hangs);
	ck_assert_str_eq(spg_buf_text(&w.log), "");
	world_finish(&w);
}
END_TEST

/* Submitted and not yet begun, or just ended and not yet taken. */
START_TEST(stop_at_once)
{
	struct world w;
	struct reply reply = {0};

	world_init(&w);
	ask(&w, 0, NULL, &reply);
	uv_run(&w.loop, UV_RUN_NOWAIT);
	world_stop_prover(&w);
	ck_assert_uint_eq(reply.n, 1);
	world_finish(&w);
}
END_TEST

static void stop_from_answer(struct reply *reply)
{
	if (reply->err == 0)
		world_begin_stop(reply->world);
}

/* Whoever gets an answer may stop it all. */
START_TEST(stop_within_answer)
{
	struct world w;
	struct reply replies[2] = {{.then = stop_from_answer}, {0}};

	world_init(&w);
	ask(&w, 0, NULL, &replies[0]);
	ask(&w, 0, NULL, &replies[1]);
	run_until_answers(&w, 2);
	ck_assert_int_eq(replies[0].err, 0);
	ck_assert_int_eq(replies[1].err, SPG_ERR_BUSY);
	world_finish(&w);
}
END_TEST

static void on_watch_stopped(void *user)
{
	(void)user;
}

/* A survey that never ends is left behind, and told; this one takes the two
 * seconds that the header names. Nothing of it is freed before the end. */
START_TEST(stop_hanging)
{
	static struct world w;
	static struct reply reply;

	world_init(&w);
	spg_scripted_hold(w.watch);
	ask(&w, 0, NULL, &reply);
	run_until_held(&w);
	world_stop_prover(&w);
	ck_assert(w.hangs);
	ck_assert_int_eq(reply.err, SPG_ERR_BUSY);
	/* The loop's handles are closed all the same: only the watch's is left. */
	w.watch->ops->stop(w.watch, on_watch_stopped, &w);
	uv_run(&w.loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&w.loop), 0);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("prover-reconcile");

	tcase_add_test(tc, settles);
	spg_add_rows(tc, settles_on_a_verdict, gusts);
	tcase_add_test(tc, settles_in_a_storm);
	tcase_add_test(tc, settles_while_events_pile_up);
	tcase_add_test(tc, one_look_a_reconcile);
	tcase_add_test(tc, due_meanwhile);
	tcase_add_test(tc, changes_once);
	tcase_add_test(tc, lock_polling);
	tcase_add_test(tc, lock_polling_asks);
	tcase_add_test(tc, exit_ends_uses);
	tcase_add_test(tc, exit_before_watch);
	tcase_add_test(tc, stop_answers);
	tcase_add_test(tc, stop_while_surveying);
	tcase_add_test(tc, stop_at_once);
	tcase_add_test(tc, stop_within_answer);
	tcase_add_test(tc, stop_hanging);
	return spg_run_suite("prover-reconcile", tc);
}
