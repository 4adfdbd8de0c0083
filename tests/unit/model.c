/* SPDX-License-Identifier: MIT */
/* What is dirty, what moves the generation, what a survey is told to look at. */
#include "daemon/model/model.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "daemon/model/judge.h"
#include "tests/support/suite.h"
#include "tests/unit/model_help.h"

/* One more than a product that is always surveyed in full. */
#define MANY      501
#define DIRTY_MAX 64

struct world {
	struct spg_model *model;
	struct spg_product *products[2];
	struct spg_event_list changes;
};

static void init(struct world *w)
{
	*w = (struct world){.model = spg_model_create(41),
		.products = {help_product(),
			help_plain_product("other", "/srv/other", "*")}};
	ck_assert_ptr_nonnull(w->model);
	ck_assert_int_eq(
		spg_model_set_products(w->model, w->products, 2, 10, &w->changes), 0);
	ck_assert_uint_eq(w->changes.n, 0);
}

static void finish(struct world *w)
{
	spg_event_list_finish(&w->changes);
	spg_model_destroy(w->model);
	spg_product_unref(w->products[0]);
	spg_product_unref(w->products[1]);
}

static void expect_changes(struct world *w, const char *expect)
{
	char *text = help_events_text(&w->changes);

	ck_assert_str_eq(text, expect);
	free(text);
	spg_event_list_finish(&w->changes);
}

/* A survey of the first product from beginning to end. */
static void survey(
	struct world *w, enum spg_survey_depth depth, int64_t at_ns, const char *text)
{
	struct spg_survey_scope scope = SPG_SURVEY_SCOPE_NULL;
	struct spg_observation *obs;

	ck_assert_int_eq(spg_model_begin_survey(w->model, 0, depth, &scope), 0);
	obs = help_observe(w->products[0], scope.depth, at_ns, text);
	ck_assert_int_eq(spg_model_apply(w->model, obs, &w->changes), 0);
	spg_observation_destroy(obs);
	spg_survey_scope_finish(&scope);
}

/* As many files as a partial survey is worth for, f0000.dll to f0500.dll. */
static void survey_many(struct world *w)
{
	struct spg_buf text = SPG_BUF_NULL;

	for (int i = 0; i < MANY; i++)
		spg_buf_printf(&text, "file f%04d.dll free;", i);
	survey(w, SPG_SURVEY_FULL, 100, spg_buf_text(&text));
	spg_buf_finish(&text);
	ck_assert(!spg_model_is_dirty(w->model, 0));
}

static void note(struct world *w, enum spg_event_kind kind, const char *name)
{
	struct spg_event *event = help_event(kind, 150, name, "scanner");

	ck_assert(spg_model_note(w->model, event));
	spg_event_unref(event);
}

static const struct {
	enum spg_event_kind kind;
	uint32_t merged; /* further kinds of the same event */
	const char *path, *to;
	bool concerns, moves, attributes;
} notes[] = {
	{SPG_EVENT_OPEN, 0, "a.dll", NULL, true, true, false},
	{SPG_EVENT_EXEC, 0, "a.dll", NULL, true, true, false},
	{SPG_EVENT_MODIFY, 0, "a.dll", NULL, true, true, false},
	{SPG_EVENT_CREATE, 0, "a.dll", NULL, true, true, false},
	{SPG_EVENT_DELETE, 0, "a.dll", NULL, true, true, true},
	{SPG_EVENT_RENAME, 0, "a.dll", "/srv/bin/b.dll", true, true, true},
	/* Out of the product, into it. */
	{SPG_EVENT_RENAME, 0, "a.dll", "/srv/bin/a.old", true, true, true},
	{SPG_EVENT_RENAME, 0, "a.new", "/srv/bin/a.dll", true, true, true},
	{SPG_EVENT_RENAME, 0, "a.dll", NULL, true, true, true},
	/* A close can only set free. */
	{SPG_EVENT_CLOSE, 0, "a.dll", NULL, true, false, false},
	{SPG_EVENT_CLOSE, SPG_EVENT_BIT(SPG_EVENT_OPEN), "a.dll", NULL, true, true,
		false},
	{SPG_EVENT_OPEN, SPG_EVENT_BIT(SPG_EVENT_DELETE), "a.dll", NULL, true, true,
		true},
	{SPG_EVENT_LOCK, 0, "a.dll", NULL, true, false, false},
	{SPG_EVENT_UNLOCK, 0, "a.dll", NULL, true, false, false},
	/* The product's rule of case; its directories, not those below. */
	{SPG_EVENT_OPEN, 0, "/srv/system32/A.DLL", NULL, true, true, false},
	{SPG_EVENT_OPEN, 0, "/srv/bin/deep/a.dll", NULL, false, false, false},
	{SPG_EVENT_OPEN, 0, "/srv/binary/a.dll", NULL, false, false, false},
	{SPG_EVENT_OPEN, 0, "readme.txt", NULL, false, false, false},
	{SPG_EVENT_RENAME, 0, "a.old", "/srv/bin/b.old", false, false, false},
	/* Only a rename's detail is a path. */
	{SPG_EVENT_OPEN, 0, "a.old", "/srv/bin/a.dll", false, false, false},
};

START_TEST(note_event)
{
	struct world w;
	struct spg_event *event =
		help_event(notes[_i].kind, 150, notes[_i].path, "scanner");
	struct spg_survey_scope scope = SPG_SURVEY_SCOPE_NULL;
	uint64_t before, before_other;

	init(&w);
	survey_many(&w);
	event->kinds |= notes[_i].merged;
	event->detail = notes[_i].to ? strdup(notes[_i].to) : NULL;
	before = spg_model_generation(w.model, 0);
	before_other = spg_model_generation(w.model, 1);
	ck_assert_int_eq(spg_model_note(w.model, event), notes[_i].concerns);
	ck_assert_int_eq(spg_model_is_dirty(w.model, 0), notes[_i].concerns);
	ck_assert_int_eq(spg_model_generation(w.model, 0) != before, notes[_i].moves);
	ck_assert_uint_eq(spg_model_generation(w.model, 1), before_other);
	if (notes[_i].concerns)
		ck_assert_str_eq(event->product, "exchange");
	else
		ck_assert_ptr_null(event->product);
	ck_assert_int_eq(
		spg_model_begin_survey(w.model, 0, SPG_SURVEY_FILES, &scope), 0);
	ck_assert_int_eq(scope.find_users, notes[_i].attributes);
	/* What lost its place is looked for everywhere. */
	ck_assert_int_eq(
		scope.depth, notes[_i].attributes ? SPG_SURVEY_FULL : SPG_SURVEY_FILES);
	ck_assert(!spg_model_is_dirty(w.model, 0));
	spg_survey_scope_finish(&scope);
	spg_event_unref(event);
	finish(&w);
}
END_TEST

/* An event without a file concerns nobody; one of two products is of none. */
START_TEST(note_product)
{
	struct world w;
	struct spg_product *both = help_plain_product("both", HELP_DIR, "a.*");
	struct spg_event *event = spg_event_create(SPG_EVENT_OPEN, 1, NULL, NULL);

	init(&w);
	ck_assert(!spg_model_note(w.model, event));
	spg_event_unref(event);
	spg_product_unref(w.products[1]);
	w.products[1] = both;
	ck_assert_int_eq(
		spg_model_set_products(w.model, w.products, 2, 20, &w.changes), 0);
	event = help_event(SPG_EVENT_OPEN, 1, "a.dll", NULL);
	ck_assert(spg_model_note(w.model, event));
	ck_assert_ptr_null(event->product);
	spg_event_unref(event);
	ck_assert(spg_model_wants(w.model, "/srv/bin/b.DLL"));
	ck_assert(spg_model_wants(w.model, "/srv/bin/a.txt"));
	ck_assert(!spg_model_wants(w.model, "/srv/bin/b.txt"));
	finish(&w);
}
END_TEST

/* Dirty files are surveyed one by one, up to a number; then all of them. */
static const struct {
	int n;
	enum spg_survey_depth depth;
	size_t n_paths;
} loads[] = {
	{1, SPG_SURVEY_FILES, 1},
	{DIRTY_MAX, SPG_SURVEY_FILES, DIRTY_MAX},
	{DIRTY_MAX + 1, SPG_SURVEY_FULL, 0},
	{3 * DIRTY_MAX, SPG_SURVEY_FULL, 0},
};

START_TEST(dirty_many)
{
	struct world w;
	struct spg_survey_scope scope = SPG_SURVEY_SCOPE_NULL;

	init(&w);
	survey_many(&w);
	for (int i = 0; i < loads[_i].n; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%04d.dll", i);
		note(&w, SPG_EVENT_OPEN, name);
		note(&w, SPG_EVENT_OPEN, name); /* counts once */
		note(&w, SPG_EVENT_OPEN, "f0000.dll");
	}
	ck_assert_int_eq(
		spg_model_begin_survey(w.model, 0, SPG_SURVEY_FILES, &scope), 0);
	ck_assert_int_eq(scope.depth, loads[_i].depth);
	ck_assert_uint_eq(scope.n_paths, loads[_i].n_paths);
	ck_assert_uint_eq(scope.n_known, MANY);
	ck_assert(!spg_model_is_dirty(w.model, 0));
	spg_survey_scope_finish(&scope);
	spg_survey_scope_finish(&scope);
	finish(&w);
}
END_TEST

/* Whatever becomes of the marks: of a file that was deleted the old version may
 * run on, which only a search for holders finds. */
START_TEST(overflow_keeps_distrust)
{
	struct world w;
	struct spg_survey_scope scope = SPG_SURVEY_SCOPE_NULL;

	init(&w);
	survey_many(&w);
	note(&w, SPG_EVENT_DELETE, "f0500.dll");
	for (int i = 0; i <= DIRTY_MAX; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%04d.dll", i);
		note(&w, SPG_EVENT_OPEN, name);
	}
	ck_assert_int_eq(
		spg_model_begin_survey(w.model, 0, SPG_SURVEY_FILES, &scope), 0);
	ck_assert_int_eq(scope.depth, SPG_SURVEY_FULL);
	ck_assert(scope.find_users);
	spg_survey_scope_finish(&scope);
	finish(&w);
}
END_TEST

/* A small product is looked at whole: that proves its verdict as well. */
START_TEST(small_product)
{
	struct world w;
	struct spg_survey_scope scope = SPG_SURVEY_SCOPE_NULL;

	init(&w);
	survey(&w, SPG_SURVEY_FULL, 100, "file a.dll free; file b.dll free gone");
	note(&w, SPG_EVENT_OPEN, "a.dll");
	ck_assert_int_eq(
		spg_model_begin_survey(w.model, 0, SPG_SURVEY_FILES, &scope), 0);
	ck_assert_int_eq(scope.depth, SPG_SURVEY_FULL);
	ck_assert_uint_eq(scope.n_paths, 0);
	/* What is gone is known no more. */
	ck_assert_uint_eq(scope.n_known, 1);
	ck_assert_str_eq(scope.known[0]->path, "/srv/bin/a.dll");
	spg_survey_scope_finish(&scope);
	finish(&w);
}
END_TEST

START_TEST(exits)
{
	struct world w;
	struct spg_survey_scope scope = SPG_SURVEY_SCOPE_NULL;
	uint64_t before;

	init(&w);
	survey_many(&w);
	note(&w, SPG_EVENT_OPEN, "f0001.dll");
	survey(&w, SPG_SURVEY_FILES, 200,
		"file f0001.dll busy; use f0001.dll scanner open; "
		"file f0002.dll busy; use f0002.dll perfmon open");
	expect_changes(&w, "use-begin f0001.dll scanner open #42 at=150 since=150\n"
			   "use-begin f0002.dll perfmon open #43 at=200 since=200\n");
	ck_assert(spg_model_has_uses(w.model, 0));
	ck_assert(!spg_model_has_uses(w.model, 1));
	/* The verdict is about all files, so all are looked at again. */
	ck_assert(spg_model_is_dirty(w.model, 0));
	survey(&w, SPG_SURVEY_FULL, 300,
		"file f0001.dll busy; use f0001.dll scanner open; "
		"file f0002.dll busy; use f0002.dll perfmon open");
	expect_changes(&w, "");
	before = spg_model_generation(w.model, 0);
	spg_model_note_exit(w.model, help_id("indexer"));
	/* Another process that got the pid later. */
	spg_model_note_exit(w.model, help_id("perfmon2"));
	ck_assert(!spg_model_is_dirty(w.model, 0));
	spg_model_note_exit(w.model, help_id("scanner"));
	ck_assert(spg_model_is_dirty(w.model, 0));
	/* An end can only set free. */
	ck_assert_uint_eq(spg_model_generation(w.model, 0), before);
	ck_assert_int_eq(
		spg_model_begin_survey(w.model, 0, SPG_SURVEY_LOCKS, &scope), 0);
	ck_assert_int_eq(scope.depth, SPG_SURVEY_LOCKS);
	ck_assert_uint_eq(scope.n_known, 2);
	ck_assert_uint_eq(scope.n_holders, 2);
	/* A reading of locks takes no marks. */
	ck_assert(spg_model_is_dirty(w.model, 0));
	spg_survey_scope_finish(&scope);
	survey(&w, SPG_SURVEY_FULL, 400,
		"file f0001.dll free; file f0002.dll busy; "
		"use f0002.dll perfmon open");
	expect_changes(&w, "use-end f0001.dll scanner open #42 at=400 since=150\n");
	finish(&w);
}
END_TEST

/* A gap or a mount: all is dirty, proofs that run are void. */
static const struct {
	size_t index;
	bool first, second;
} distrusts[] = {
	{0, true, false},
	{1, false, true},
	{SPG_NO_FILE, true, true},
};

START_TEST(distrust)
{
	struct world w;
	uint64_t before[2];
	struct spg_survey_scope scope = SPG_SURVEY_SCOPE_NULL;

	init(&w);
	for (size_t i = 0; i < 2; i++) {
		ck_assert(spg_model_is_dirty(w.model, i));
		ck_assert_int_eq(
			spg_model_begin_survey(w.model, i, SPG_SURVEY_FULL, &scope), 0);
		ck_assert(scope.find_users); /* the first one */
		spg_survey_scope_finish(&scope);
		ck_assert(!spg_model_is_dirty(w.model, i));
		before[i] = spg_model_generation(w.model, i);
	}
	spg_model_distrust(w.model, distrusts[_i].index);
	ck_assert_int_eq(spg_model_is_dirty(w.model, 0), distrusts[_i].first);
	ck_assert_int_eq(spg_model_is_dirty(w.model, 1), distrusts[_i].second);
	ck_assert_int_eq(
		spg_model_generation(w.model, 0) != before[0], distrusts[_i].first);
	ck_assert_int_eq(
		spg_model_generation(w.model, 1) != before[1], distrusts[_i].second);
	finish(&w);
}
END_TEST

/* A reload: what stays keeps its uses and numbers, what goes ends them. */
START_TEST(reload)
{
	struct world w;
	struct spg_product *again = help_product();
	struct spg_product *next[2] = {w.products[1], again};
	struct spg_observation *late;
	uint64_t before;

	init(&w);
	next[0] = w.products[1];
	survey(&w, SPG_SURVEY_FULL, 100,
		"file a.dll busy; use a.dll scanner open; "
		"lock a.dll scanner held flock write 0 eof");
	expect_changes(&w,
		"use-begin a.dll scanner open #42 at=100 since=100\n"
		"lock a.dll scanner flock write 0-eof #43 at=100 since=100\n");
	before = spg_model_generation(w.model, 0);
	late = help_observe(w.products[0], SPG_SURVEY_FULL, 150, "file a.dll free");
	/* The same names in another order. */
	ck_assert_int_eq(spg_model_set_products(w.model, next, 2, 200, &w.changes), 0);
	expect_changes(&w, "");
	ck_assert_int_eq(spg_model_find_product(w.model, "other"), 0);
	ck_assert_int_eq(spg_model_find_product(w.model, "exchange"), 1);
	ck_assert_int_eq(spg_model_find_product(w.model, "Exchange"), -1);
	ck_assert_ptr_eq(spg_model_product(w.model, 1), again);
	ck_assert(spg_model_has_uses(w.model, 1));
	ck_assert(spg_model_is_dirty(w.model, 1));
	ck_assert_uint_gt(spg_model_generation(w.model, 1), before);
	/* A survey of the old one comes too late. */
	ck_assert_int_eq(spg_model_apply(w.model, late, &w.changes), 0);
	expect_changes(&w, "");
	ck_assert(spg_model_has_uses(w.model, 1));
	ck_assert_int_eq(spg_model_set_products(w.model, next, 1, 300, &w.changes), 0);
	expect_changes(&w,
		"use-end a.dll scanner open #42 at=300 since=100\n"
		"unlock a.dll scanner flock write 0-eof #43 at=300 since=100\n");
	ck_assert_uint_eq(spg_model_n_products(w.model), 1);
	ck_assert_int_eq(spg_model_apply(w.model, late, &w.changes), 0);
	expect_changes(&w, "");
	/* And to nothing at all. */
	ck_assert_int_eq(spg_model_set_products(w.model, NULL, 0, 400, &w.changes), 0);
	ck_assert_uint_eq(spg_model_n_products(w.model), 0);
	spg_observation_destroy(late);
	finish(&w);
	spg_product_unref(again);
}
END_TEST

static void conclude(struct world *w, int64_t at_ns, const char *text)
{
	struct spg_verdict verdict = SPG_VERDICT_NULL;
	struct spg_observation *obs =
		help_observe(w->products[0], SPG_SURVEY_FULL, at_ns, text);

	ck_assert_int_eq(spg_verdict_judge(obs, NULL, NULL, &verdict), 0);
	ck_assert_int_eq(
		spg_model_conclude(w->model, 0, &verdict, at_ns, &w->changes), 0);
	spg_verdict_finish(&verdict);
	spg_observation_destroy(obs);
}

START_TEST(verdicts)
{
	struct world w;
	struct spg_model_summary summary;
	const char *blocked = "file a.dll busy; use a.dll scanner open; "
			      "file b.dll busy; use b.dll scanner mapped";

	init(&w);
	spg_model_summarise(w.model, 0, &summary);
	ck_assert_int_eq(summary.verdict, SPG_VERDICT_UNKNOWN);
	ck_assert_int_eq(summary.verdict_ns, 0);
	conclude(&w, 100, "file a.dll free");
	ck_assert(w.changes.events[0]->durable);
	expect_changes(&w, "verdict safe at=100: \n");
	conclude(&w, 200, "file a.dll free; file b.dll free");
	expect_changes(&w, "");
	spg_model_summarise(w.model, 0, &summary);
	ck_assert_int_eq(summary.verdict, SPG_VERDICT_SAFE);
	ck_assert_int_eq(summary.verdict_ns, 200);
	ck_assert_int_eq(summary.verdict_since_ns, 100);
	ck_assert_uint_eq(summary.counts.files, 2);
	conclude(&w, 300, blocked);
	expect_changes(&w, "verdict blocked at=300: a.dll is open by scanner "
			   "(pid 2200); b.dll is mapped by scanner (pid 2200)\n");
	conclude(&w, 400, blocked);
	/* Blocked by somebody else is still blocked. */
	conclude(&w, 500, "file a.dll busy; use a.dll perfmon open");
	expect_changes(&w, "");
	conclude(&w, 600, "");
	expect_changes(&w, "verdict unknown at=600: no file of exchange was found in "
			   "its directories\n");
	spg_model_summarise(w.model, 0, &summary);
	ck_assert_int_eq(summary.verdict_since_ns, 600);
	/* Unknown as the very first verdict is a change as well. */
	finish(&w);
	init(&w);
	conclude(&w, 100, "");
	ck_assert_uint_eq(w.changes.n, 1);
	finish(&w);
}
END_TEST

START_TEST(lacks)
{
	struct world w;
	const struct spg_lack *found;
	size_t n;

	init(&w);
	survey(&w, SPG_SURVEY_FULL, 100,
		"file a.dll unknown; lack a.dll blinds the_lease; lack * harmless x");
	found = spg_model_lacks(w.model, 0, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(found[0].what, "the_lease");
	ck_assert_str_eq(found[0].why, "it is dark");
	ck_assert(found[0].blinds && !found[1].blinds);
	/* A reading of the locks does not say whether they are gone. */
	survey(&w, SPG_SURVEY_LOCKS, 200, "");
	spg_model_lacks(w.model, 0, &n);
	ck_assert_uint_eq(n, 2);
	survey(&w, SPG_SURVEY_FULL, 300, "file a.dll free");
	spg_model_lacks(w.model, 0, &n);
	ck_assert_uint_eq(n, 0);
	finish(&w);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("model");

	spg_add_rows(tc, note_event, notes);
	tcase_add_test(tc, note_product);
	spg_add_rows(tc, dirty_many, loads);
	tcase_add_test(tc, overflow_keeps_distrust);
	tcase_add_test(tc, small_product);
	tcase_add_test(tc, exits);
	spg_add_rows(tc, distrust, distrusts);
	tcase_add_test(tc, reload);
	tcase_add_test(tc, verdicts);
	tcase_add_test(tc, lacks);
	return spg_run_suite("model", tc);
}
