/* SPDX-License-Identifier: MIT */
/* Uses and locks over time: intervals with a beginning and an end. */
#include "daemon/model/tracked.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "tests/support/suite.h"
#include "tests/unit/model_help.h"

enum what { SURVEY, HINT_OPEN, HINT_CLOSE, END_ALL };

struct step {
	enum what what;
	enum spg_survey_depth depth;
	int64_t at_ns;
	const char *text;   /* a survey's, see model_help.h; a hint's "NAME WHO" */
	const char *expect; /* see help_events_text() */
};

#define FULL  SURVEY, SPG_SURVEY_FULL
#define FILES SURVEY, SPG_SURVEY_FILES
#define LOCKS SURVEY, SPG_SURVEY_LOCKS
#define STEPS 8

static const struct step stories[][STEPS] = {
	{/* A use begins, goes on, ends. */
		{FULL, 100, "file a.dll free", ""},
		{FULL, 200, "file a.dll busy; use a.dll scanner open",
			"use-begin a.dll scanner open #1 at=200 since=200\n"},
		{FULL, 300, "file a.dll busy; use a.dll scanner open", ""},
		{FULL, 400, "file a.dll free",
			"use-end a.dll scanner open #1 at=400 since=200\n"},
		{FULL, 500, "file a.dll free", ""}},
	{/* How changes: one interval ends, another begins; the use goes on. */
		{FULL, 100, "file a.dll busy; use a.dll scanner open",
			"use-begin a.dll scanner open #1 at=100 since=100\n"},
		{FULL, 200, "file a.dll busy; use a.dll scanner open+mapped",
			"use-end a.dll scanner open #1 at=200 since=100\n"
			"use-begin a.dll scanner open+mapped #2 at=200 since=100\n"},
		{FULL, 300, "file a.dll busy; use a.dll scanner mapped",
			"use-end a.dll scanner open+mapped #2 at=300 since=200\n"
			"use-begin a.dll scanner mapped #3 at=300 since=100\n"},
		{FULL, 400, "file a.dll free",
			"use-end a.dll scanner mapped #3 at=400 since=300\n"}},
	{/* Several processes use one file and overlap. */
		{FULL, 100, "file a.dll busy; use a.dll scanner open",
			"use-begin a.dll scanner open #1 at=100 since=100\n"},
		{FULL, 200,
			"file a.dll busy; use a.dll perfmon open; use a.dll scanner "
			"open",
			"use-begin a.dll perfmon open #2 at=200 since=200\n"},
		{FULL, 300, "file a.dll busy; use a.dll perfmon open",
			"use-end a.dll scanner open #1 at=300 since=100\n"},
		{FULL, 400, "file a.dll free",
			"use-end a.dll perfmon open #2 at=400 since=200\n"}},
	{/* One process uses several files, each for its own time. */
		{FULL, 100,
			"file a.dll busy; file b.dll busy; use b.dll scanner mapped; "
			"use a.dll scanner open",
			"use-begin a.dll scanner open #1 at=100 since=100\n"
			"use-begin b.dll scanner mapped #2 at=100 since=100\n"},
		{FULL, 200,
			"file a.dll free; file b.dll busy; use b.dll scanner mapped",
			"use-end a.dll scanner open #1 at=200 since=100\n"},
		{FULL, 300,
			"file b.dll busy; file a.dll busy; use a.dll scanner open; "
			"use b.dll scanner mapped",
			"use-begin a.dll scanner open #3 at=300 since=300\n"},
		{END_ALL, 0, 400, NULL,
			"use-end a.dll scanner open #3 at=400 since=300\n"
			"use-end b.dll scanner mapped #2 at=400 since=100\n"},
		{FULL, 500, "file a.dll free; file b.dll free", ""}},
	{/* Found twice (two descriptors): one use, with all that is done. */
		{FULL, 100,
			"file a.dll busy; use a.dll scanner open; "
			"use a.dll scanner write; use a.dll scanner open",
			"use-begin a.dll scanner open+write #1 at=100 since=100\n"}},
	{/* A new process with an old pid is another one. */
		{FULL, 100, "file a.dll busy; use a.dll perfmon open",
			"use-begin a.dll perfmon open #1 at=100 since=100\n"},
		{FULL, 600, "file a.dll busy; use a.dll perfmon2 open",
			"use-end a.dll perfmon open #1 at=600 since=100\n"
			"use-begin a.dll perfmon2 open #2 at=600 since=600\n"}},
	{/* Locks are intervals of their own and do not change the use. */
		{FULL, 100, "file a.dll busy; use a.dll scanner open",
			"use-begin a.dll scanner open #1 at=100 since=100\n"},
		{FULL, 200,
			"file a.dll busy; use a.dll scanner open+locked; "
			"lock a.dll scanner held posix write 0 9; "
			"lock a.dll scanner held posix write 20 eof",
			"lock a.dll scanner posix write 0-9 #2 at=200 since=200\n"
			"lock a.dll scanner posix write 20-eof #3 at=200 since=200\n"},
		{FULL, 300,
			"file a.dll busy; use a.dll scanner open+locked; "
			"lock a.dll scanner held posix read 0 9; "
			"lock a.dll scanner held posix write 20 eof",
			"lock a.dll scanner posix read 0-9 #4 at=300 since=300\n"
			"unlock a.dll scanner posix write 0-9 #2 at=300 since=200\n"},
		{FULL, 400, "file a.dll busy; use a.dll scanner open",
			"unlock a.dll scanner posix read 0-9 #4 at=400 since=300\n"
			"unlock a.dll scanner posix write 20-eof #3 at=400 "
			"since=200\n"}},
	{/* Who waits gets it: the waiting ends, the holding begins. */
		{FULL, 100,
			"file a.dll busy; use a.dll perfmon open; use a.dll scanner "
			"open; lock a.dll perfmon held flock write 0 eof; "
			"lock a.dll scanner waiting flock write 0 eof",
			"use-begin a.dll perfmon open #1 at=100 since=100\n"
			"use-begin a.dll scanner open #2 at=100 since=100\n"
			"lock a.dll perfmon flock write 0-eof #3 at=100 since=100\n"
			"lock-wait a.dll scanner flock write 0-eof #4 at=100 "
			"since=100\n"},
		{LOCKS, 200,
			"file a.dll busy; lock a.dll scanner held flock write 0 eof",
			"unlock a.dll perfmon flock write 0-eof #3 at=200 since=100\n"
			"lock a.dll scanner flock write 0-eof #5 at=200 since=200\n"
			"unlock a.dll scanner flock write 0-eof #4 at=200 "
			"since=100\n"}},
	{/* A lock that no process shows. */
		{FULL, 100, "file a.dll busy; lock a.dll - held ofd write 0 9",
			"lock a.dll - ofd write 0-9 #1 at=100 since=100\n"},
		{LOCKS, 200,
			"file a.dll busy; lock a.dll - held ofd write 0 9; "
			"lock a.dll - held ofd write 0 9",
			"lock a.dll - ofd write 0-9 #2 at=200 since=200\n"},
		{END_ALL, 0, 300, NULL,
			"unlock a.dll - ofd write 0-9 #1 at=300 since=100\n"
			"unlock a.dll - ofd write 0-9 #2 at=300 since=200\n"}},
	{/* A survey of some files says nothing about others. */
		{FULL, 100,
			"file a.dll busy; file b.dll busy; use a.dll scanner open; "
			"use b.dll scanner open; "
			"lock b.dll scanner held flock read 0 eof",
			"use-begin a.dll scanner open #1 at=100 since=100\n"
			"use-begin b.dll scanner open #2 at=100 since=100\n"
			"lock b.dll scanner flock read 0-eof #3 at=100 since=100\n"},
		{FILES, 200, "file a.dll free",
			"use-end a.dll scanner open #1 at=200 since=100\n"},
		{FILES, 300, "file a.dll busy; use a.dll perfmon open",
			"use-begin a.dll perfmon open #4 at=300 since=300\n"},
		{FILES, 400, "file b.dll busy; use b.dll scanner open",
			"unlock b.dll scanner flock read 0-eof #3 at=400 since=100\n"},
		{FULL, 500, "file a.dll free; file b.dll free",
			"use-end a.dll perfmon open #4 at=500 since=300\n"
			"use-end b.dll scanner open #2 at=500 since=100\n"}},
	{/* A reading of locks ends no use, and no lock of what it did not read. */
		{FULL, 100,
			"file a.dll busy; file b.dll busy; use a.dll scanner open; "
			"use b.dll scanner open; "
			"lock a.dll scanner held flock read 0 eof; "
			"lock b.dll scanner held flock read 0 eof",
			"use-begin a.dll scanner open #1 at=100 since=100\n"
			"use-begin b.dll scanner open #2 at=100 since=100\n"
			"lock a.dll scanner flock read 0-eof #3 at=100 since=100\n"
			"lock b.dll scanner flock read 0-eof #4 at=100 since=100\n"},
		{LOCKS, 200, "file a.dll busy",
			"unlock a.dll scanner flock read 0-eof #3 at=200 since=100\n"},
		{LOCKS, 300, "file a.dll unknown; file b.dll busy",
			"unlock b.dll scanner flock read 0-eof #4 at=300 since=100\n"},
		{FULL, 400, "file a.dll free; file b.dll free",
			"use-end a.dll scanner open #1 at=400 since=100\n"
			"use-end b.dll scanner open #2 at=400 since=100\n"}},
	{/* Events date what surveys find later. */
		{HINT_OPEN, 0, 150, "a.dll scanner", ""},
		{HINT_OPEN, 0, 160, "a.dll scanner", ""},
		{HINT_OPEN, 0, 170, "a.dll perfmon", ""},
		{HINT_OPEN, 0, 180, "b.dll scanner", ""},
		{FULL, 200, "file a.dll busy; use a.dll scanner open",
			"use-begin a.dll scanner open #1 at=160 since=160\n"},
		{HINT_CLOSE, 0, 250, "a.dll scanner", ""},
		{FULL, 300, "file a.dll free",
			"use-end a.dll scanner open #1 at=250 since=160\n"}},
	{/* Not by a close before the use, nor by an open before the process. */
		{HINT_CLOSE, 0, 90, "a.dll scanner", ""},
		{FULL, 100, "file a.dll busy; use a.dll scanner open",
			"use-begin a.dll scanner open #1 at=100 since=100\n"},
		{HINT_OPEN, 0, 110, "a.dll young", ""},
		{FULL, 300, "file a.dll busy; use a.dll young open",
			"use-end a.dll scanner open #1 at=300 since=100\n"
			"use-begin a.dll young open #2 at=300 since=300\n"}},
	{/* A payload's file is looked at for one answer and leaves no trace. */
		{FULL, 100,
			"file a.dll free; file readme.txt busy; "
			"use readme.txt scanner open; "
			"lock readme.txt scanner held flock write 0 eof",
			""},
		{FULL, 200, "file a.dll free", ""}},
	{/* An old version runs on while a new one lies at its path. */
		{FULL, 100, "file a.dll busy; use a.dll scanner mapped",
			"use-begin a.dll scanner mapped #1 at=100 since=100\n"},
		{FULL, 200,
			"file a.dll free fresh; file a.dll busy replaced; "
			"use a.dll scanner mapped",
			""},
		{FULL, 300,
			"file a.dll busy replaced; use a.dll scanner mapped; "
			"file a.dll busy fresh; use a.dll scanner mapped",
			"use-begin a.dll scanner mapped #2 at=300 since=300\n"},
		{FULL, 400, "file a.dll busy fresh; use a.dll scanner mapped",
			"use-end a.dll scanner mapped #1 at=400 since=100\n"}},
};

struct world {
	struct spg_product *product;
	struct spg_hints hints;
	int64_t last_interval;
	struct spg_tracked tracked;
};

static void hint(struct world *w, const struct step *step)
{
	char *copy = strdup(step->text), *save = NULL;
	const char *name = strtok_r(copy, " ", &save);
	struct spg_event *event = help_event(
		SPG_EVENT_OPEN, step->at_ns, name, strtok_r(NULL, " ", &save));

	spg_hints_add(&w->hints, event->file->path, event->process->id.pid,
		step->what == HINT_OPEN ? SPG_EVENT_BIT(SPG_EVENT_OPEN)
					: SPG_EVENT_BIT(SPG_EVENT_CLOSE),
		step->at_ns);
	spg_event_unref(event);
	free(copy);
}

static void take(struct world *w, const struct step *step)
{
	struct spg_event_list changes = SPG_EVENT_LIST_NULL;
	struct spg_tracking t = {.product = "exchange",
		.hints = &w->hints,
		.last_interval = &w->last_interval,
		.now_ns = step->at_ns,
		.changes = &changes};
	struct spg_observation *obs = NULL;
	char *text;

	if (step->what == SURVEY) {
		obs = help_observe(w->product, step->depth, step->at_ns, step->text);
		ck_assert_int_eq(spg_tracked_update(&w->tracked, obs, &t), 0);
		for (size_t i = 0; i < obs->n_uses; i++)
			ck_assert_int_ne(obs->uses[i].since_ns, 0);
		for (size_t i = 0; i < obs->n_locks; i++)
			ck_assert_int_ne(obs->locks[i].since_ns, 0);
	} else {
		ck_assert_int_eq(spg_tracked_end_all(&w->tracked, &t), 0);
	}
	text = help_events_text(&changes);
	ck_assert_msg(strcmp(text, step->expect) == 0, "at %d:\n%snot:\n%s",
		(int)step->at_ns, text, step->expect);
	for (size_t i = 0; i < changes.n; i++)
		ck_assert_str_eq(changes.events[i]->product, "exchange");
	free(text);
	spg_event_list_finish(&changes);
	spg_observation_destroy(obs);
}

START_TEST(story)
{
	struct world w = {.product = help_product()};

	for (int i = 0; i < STEPS && stories[_i][i].expect; i++) {
		if (stories[_i][i].what == HINT_OPEN ||
			stories[_i][i].what == HINT_CLOSE)
			hint(&w, &stories[_i][i]);
		else
			take(&w, &stories[_i][i]);
	}
	spg_tracked_finish(&w.tracked);
	spg_tracked_finish(&w.tracked);
	spg_product_unref(w.product);
}
END_TEST

/* Windows of overlap come out of the history: two uses of one file overlap when
 * each begins before the other ends; since tells the true beginning, across a
 * change of how. */
START_TEST(since_goes_through)
{
	struct world w = {.product = help_product()};
	struct spg_event_list changes = SPG_EVENT_LIST_NULL;
	struct spg_tracking t = {.product = "exchange",
		.hints = &w.hints,
		.last_interval = &w.last_interval,
		.now_ns = 100,
		.changes = &changes};
	struct spg_observation *obs = help_observe(w.product, SPG_SURVEY_FULL, 100,
		"file a.dll busy; use a.dll scanner open");

	ck_assert_int_eq(spg_tracked_update(&w.tracked, obs, &t), 0);
	spg_observation_destroy(obs);
	t.now_ns = 200;
	obs = help_observe(w.product, SPG_SURVEY_FULL, 200,
		"file a.dll busy; file readme.txt busy; use a.dll scanner mapped; "
		"use a.dll perfmon open; use readme.txt scanner open; "
		"lock a.dll perfmon held flock read 0 eof");
	ck_assert_int_eq(spg_tracked_update(&w.tracked, obs, &t), 0);
	ck_assert_int_eq(obs->uses[0].since_ns, 100);
	ck_assert_int_eq(obs->uses[1].since_ns, 200);
	ck_assert_int_eq(obs->uses[2].since_ns, 200);
	ck_assert_int_eq(obs->locks[0].since_ns, 200);
	ck_assert_uint_eq(w.tracked.n_uses, 2);
	ck_assert_uint_eq(w.tracked.n_locks, 1);
	/* A partial look keeps what it knows about since, too. */
	spg_observation_destroy(obs);
	t.now_ns = 300;
	obs = help_observe(w.product, SPG_SURVEY_LOCKS, 300,
		"file a.dll busy; lock a.dll perfmon held flock read 0 eof");
	ck_assert_int_eq(spg_tracked_update(&w.tracked, obs, &t), 0);
	ck_assert_int_eq(obs->locks[0].since_ns, 200);
	ck_assert_uint_eq(w.tracked.n_uses, 2);
	spg_observation_destroy(obs);
	spg_event_list_finish(&changes);
	spg_tracked_finish(&w.tracked);
	spg_product_unref(w.product);
}
END_TEST

/* The memory of events is short: the oldest give way, nothing breaks. */
START_TEST(hints_forget)
{
	struct spg_hints *hints = calloc(1, sizeof(*hints));
	uint32_t open = SPG_EVENT_BIT(SPG_EVENT_OPEN);

	ck_assert_ptr_nonnull(hints);
	ck_assert_int_eq(spg_hints_last(hints, "/a", 7, open, 0, -5), -5);
	spg_hints_add(hints, "/a", 7, open, 100);
	spg_hints_add(hints, "/a", 7, open, 90); /* out of order */
	ck_assert_int_eq(spg_hints_last(hints, "/a", 7, open, 0, -5), 100);
	ck_assert_int_eq(spg_hints_last(hints, "/a", 7, open, 100, -5), 100);
	ck_assert_int_eq(spg_hints_last(hints, "/a", 7, open, 101, -5), -5);
	ck_assert_int_eq(spg_hints_last(hints, "/a", 8, open, 0, -5), -5);
	ck_assert_int_eq(spg_hints_last(hints, "/b", 7, open, 0, -5), -5);
	ck_assert_int_eq(
		spg_hints_last(hints, "/a", 7, SPG_EVENT_BIT(SPG_EVENT_CLOSE), 0, -5),
		-5);
	for (int i = 0; i < SPG_HINTS; i++)
		spg_hints_add(hints, "/b", 7, open, 200 + i);
	ck_assert_int_eq(spg_hints_last(hints, "/a", 7, open, 0, -5), -5);
	ck_assert_int_eq(
		spg_hints_last(hints, "/b", 7, open, 0, -5), 200 + SPG_HINTS - 1);
	free(hints);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("tracked");

	spg_add_rows(tc, story, stories);
	tcase_add_test(tc, since_goes_through);
	tcase_add_test(tc, hints_forget);
	return spg_run_suite("tracked", tc);
}
