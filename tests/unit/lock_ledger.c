/* SPDX-License-Identifier: MIT */
/* Locks as they are taken and released: intervals by the kernel's rules. */
#include "daemon/model/lock_ledger.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/model/tracked.h"
#include "tests/support/suite.h"
#include "tests/unit/model_help.h"

struct world {
	struct spg_tracked tracked;
	struct spg_hints hints;
	int64_t last_interval, now_ns;
	struct spg_event_list changes;
	struct spg_file *file;
};

static void world_init(struct world *w)
{
	*w = (struct world){.file = spg_file_create(HELP_DIR "/a.dll",
				    (struct spg_file_id){.dev = 1, .ino = 7})};
	ck_assert_ptr_nonnull(w->file);
}

static void world_finish(struct world *w)
{
	spg_event_list_finish(&w->changes);
	spg_tracked_finish(&w->tracked);
	spg_file_unref(w->file);
}

static struct spg_tracking tracking_of(struct world *w)
{
	return (struct spg_tracking){.product = "exchange",
		.hints = &w->hints,
		.last_interval = &w->last_interval,
		.now_ns = w->now_ns,
		.changes = &w->changes,
		.lock_events = true};
}

struct call {
	enum spg_lock_step step;
	uint64_t owner;
	const char *who;
	struct spg_event_lock lock;
	const char *expect; /* see help_events_text() */
};

static int note(struct world *w, const struct call *call)
{
	struct spg_lock_note note = {.step = call->step,
		.owner = call->owner,
		.at_ns = w->now_ns += 100,
		.lock = call->lock,
		.file = w->file,
		.process = help_process(call->who)};
	struct spg_tracking t = tracking_of(w);
	int r = spg_ledger_note(&w->tracked, &note, &t);

	spg_process_unref(note.process);
	return r;
}

#define CALLS    8
#define P        SPG_LOCK_POSIX
#define F        SPG_LOCK_FLOCK
#define R        SPG_LOCK_READ
#define W        SPG_LOCK_WRITE
#define EOF_     SPG_LOCK_EOF
#define TAKEN    SPG_STEP_TAKEN
#define RELEASED SPG_STEP_RELEASED
#define WAITS    SPG_STEP_WAITS
#define REFUSED  SPG_STEP_REFUSED

static const struct call stories[][CALLS] = {
	{/* Taken and released, by closing too; what was not there ends nothing. */
		{TAKEN, 1, "scanner", {P, W, 0, 9},
			"lock a.dll scanner posix write 0-9 #1 at=100 since=100\n"},
		{RELEASED, 1, "scanner", {P, R, 0, EOF_},
			"unlock a.dll scanner posix write 0-9 #1 at=200 since=100\n"},
		{RELEASED, 1, "scanner", {P, R, 0, EOF_}, ""},
		{RELEASED, 2, "perfmon", {P, R, 0, EOF_}, ""}},
	{/* Unlocking the middle leaves two. */
		{TAKEN, 1, "scanner", {P, W, 0, 29},
			"lock a.dll scanner posix write 0-29 #1 at=100 since=100\n"},
		{RELEASED, 1, "scanner", {P, R, 10, 19},
			"unlock a.dll scanner posix write 0-29 #1 at=200 since=100\n"
			"lock a.dll scanner posix write 0-9 #2 at=200 since=200\n"
			"lock a.dll scanner posix write 20-29 #3 at=200 since=200\n"},
		/* The gap filled again: neighbours become one. */
		{TAKEN, 1, "scanner", {P, W, 10, 19},
			"unlock a.dll scanner posix write 0-9 #2 at=300 since=200\n"
			"unlock a.dll scanner posix write 20-29 #3 at=300 since=200\n"
			"lock a.dll scanner posix write 0-29 #4 at=300 since=300\n"},
		/* It has that already. */
		{TAKEN, 1, "scanner", {P, W, 5, 6}, ""}},
	{/* Another mode converts its own range only. */
		{TAKEN, 1, "scanner", {P, W, 0, EOF_},
			"lock a.dll scanner posix write 0-eof #1 at=100 since=100\n"},
		{TAKEN, 1, "scanner", {P, R, 10, 19},
			"unlock a.dll scanner posix write 0-eof #1 at=200 since=100\n"
			"lock a.dll scanner posix write 0-9 #2 at=200 since=200\n"
			"lock a.dll scanner posix write 20-eof #3 at=200 since=200\n"
			"lock a.dll scanner posix read 10-19 #4 at=200 since=200\n"}},
	{/* Others' locks are theirs. */
		{TAKEN, 1, "scanner", {P, R, 0, 9},
			"lock a.dll scanner posix read 0-9 #1 at=100 since=100\n"},
		{TAKEN, 2, "perfmon", {P, R, 5, 14},
			"lock a.dll perfmon posix read 5-14 #2 at=200 since=200\n"},
		{RELEASED, 1, "scanner", {P, R, 0, EOF_},
			"unlock a.dll scanner posix read 0-9 #1 at=300 since=100\n"}},
	{/* Waiting, again and again, then having it. */
		{TAKEN, 1, "scanner", {P, W, 0, 9},
			"lock a.dll scanner posix write 0-9 #1 at=100 since=100\n"},
		{WAITS, 2, "perfmon", {P, W, 0, 9},
			"lock-wait a.dll perfmon posix write 0-9 #2 at=200 "
			"since=200\n"},
		{WAITS, 2, "perfmon", {P, W, 0, 9}, ""},
		{RELEASED, 1, "scanner", {P, R, 0, 9},
			"unlock a.dll scanner posix write 0-9 #1 at=400 since=100\n"},
		{TAKEN, 2, "perfmon", {P, W, 0, 9},
			"unlock a.dll perfmon posix write 0-9 #2 at=500 since=200\n"
			"lock a.dll perfmon posix write 0-9 #3 at=500 since=500\n"}},
	{/* Refused: told, and no interval. */
		{TAKEN, 1, "scanner", {F, W, 0, EOF_},
			"lock a.dll scanner flock write 0-eof #1 at=100 since=100\n"},
		{REFUSED, 2, "perfmon", {F, W, 0, EOF_},
			"lock-fail a.dll perfmon flock write 0-eof #0 at=200 "
			"since=0\n"}},
	{/* flock gives up what it converts, even if it does not get the other. */
		{TAKEN, 1, "scanner", {F, R, 0, EOF_},
			"lock a.dll scanner flock read 0-eof #1 at=100 since=100\n"},
		{TAKEN, 2, "perfmon", {F, R, 0, EOF_},
			"lock a.dll perfmon flock read 0-eof #2 at=200 since=200\n"},
		{REFUSED, 1, "scanner", {F, W, 0, EOF_},
			"unlock a.dll scanner flock read 0-eof #1 at=300 since=100\n"
			"lock-fail a.dll scanner flock write 0-eof #0 at=300 "
			"since=0\n"},
		{TAKEN, 2, "perfmon", {F, W, 0, EOF_},
			"unlock a.dll perfmon flock read 0-eof #2 at=400 since=200\n"
			"lock a.dll perfmon flock write 0-eof #3 at=400 since=400\n"},
		/* An heir of the open file lets go of it. */
		{RELEASED, 2, "scanner", {F, R, 0, EOF_},
			"unlock a.dll perfmon flock write 0-eof #3 at=500 "
			"since=400\n"}},
};

START_TEST(follows)
{
	struct world w;

	world_init(&w);
	for (int i = 0; i < CALLS && stories[_i][i].who; i++) {
		char *text;

		ck_assert_int_eq(note(&w, &stories[_i][i]), 0);
		text = help_events_text(&w.changes);
		ck_assert_str_eq(text, stories[_i][i].expect);
		free(text);
		spg_event_list_finish(&w.changes);
	}
	world_finish(&w);
}
END_TEST

START_TEST(asks_about_leases)
{
	static const struct call taken = {
		TAKEN, 1, "scanner", {SPG_LOCK_LEASE, W, 0, EOF_}, ""};
	struct world w;

	world_init(&w);
	ck_assert_int_eq(note(&w, &taken), SPG_LEDGER_LOOK);
	ck_assert_uint_eq(w.tracked.n_locks, 1);
	world_finish(&w);
}
END_TEST

/* --- against a map of bytes --------------------------------------------------- */

#define BYTES  24 /* the last one stands for everything up to the end */
#define OWNERS 3

static const char *const whos[OWNERS] = {"scanner", "perfmon", "store"};

/* What each owner has on each byte: -1 nothing, else the mode. */
struct map {
	int at[OWNERS][BYTES];
};

static void apply(struct map *map, unsigned owner, const struct call *call)
{
	int64_t end = call->lock.end == SPG_LOCK_EOF ? BYTES - 1 : call->lock.end;

	for (int64_t i = call->lock.start; i <= end; i++)
		map->at[owner][i] = call->step == TAKEN ? (int)call->lock.mode : -1;
}

/* True when @owner's bytes @first up to @end, not included, are tracked as one. */
static bool is_tracked(
	const struct world *w, unsigned owner, int mode, int first, int end)
{
	int64_t last = end == BYTES ? SPG_LOCK_EOF : end - 1;

	for (size_t i = 0; i < w->tracked.n_locks; i++) {
		const struct spg_tracked_lock *lock = &w->tracked.locks[i];

		if (lock->owner == owner + 1 && (int)lock->lock.mode == mode &&
			lock->lock.start == first && lock->lock.end == last)
			return true;
	}
	return false;
}

/* The runs of one owner and mode, as tracked locks should have them. */
static size_t check_runs(const struct map *map, const struct world *w, unsigned owner)
{
	size_t n = 0;

	for (int first = 0, end; first < BYTES; first = end) {
		int mode = map->at[owner][first];

		for (end = first; end < BYTES && map->at[owner][end] == mode; end++)
			;
		if (mode < 0)
			continue;
		n++;
		ck_assert_msg(is_tracked(w, owner, mode, first, end),
			"owner %u: %s %d-%d is not tracked", owner,
			mode ? "write" : "read", first, end - 1);
	}
	return n;
}

/* Every interval that began has ended, or is among those tracked. */
static void check_intervals(const struct world *w)
{
	bool *open = calloc((size_t)w->last_interval + 1, sizeof(*open));
	size_t n_open = 0;

	ck_assert_ptr_nonnull(open);
	for (size_t i = 0; i < w->changes.n; i++) {
		const struct spg_event *event = w->changes.events[i];
		bool begins = event->kind == SPG_EVENT_LOCK;

		ck_assert_int_eq(open[event->interval], !begins);
		open[event->interval] = begins;
		n_open += begins ? 1 : (size_t)-1;
	}
	ck_assert_uint_eq(n_open, w->tracked.n_locks);
	for (size_t i = 0; i < w->tracked.n_locks; i++)
		ck_assert(open[w->tracked.locks[i].interval]);
	free(open);
}

START_TEST(equals_a_map)
{
	unsigned seed = (unsigned)_i * 7919 + 1;
	struct world w;
	struct map map;

	memset(&map, 0xff, sizeof(map));
	world_init(&w);
	for (int n = 0; n < 400; n++) {
		unsigned owner = (unsigned)rand_r(&seed) % OWNERS;
		int64_t start = rand_r(&seed) % BYTES;
		int64_t end = start + rand_r(&seed) % (BYTES - start);
		struct call call = {rand_r(&seed) % 3 ? TAKEN : RELEASED, owner + 1,
			whos[owner],
			{P, rand_r(&seed) % 2 ? R : W, start,
				end == BYTES - 1 ? SPG_LOCK_EOF : end},
			NULL};
		size_t n_runs = 0;

		ck_assert_int_eq(note(&w, &call), 0);
		apply(&map, owner, &call);
		for (unsigned i = 0; i < OWNERS; i++)
			n_runs += check_runs(&map, &w, i);
		ck_assert_uint_eq(n_runs, w.tracked.n_locks);
	}
	check_intervals(&w);
	world_finish(&w);
}
END_TEST

/* --- with surveys ---------------------------------------------------------------- */

/* What a survey says on top of what is known, and what comes of it. */
static void survey(struct world *w, const char *text, const char *expect)
{
	struct spg_product *product = help_product();
	struct spg_observation *obs =
		help_observe(product, SPG_SURVEY_LOCKS, w->now_ns += 100, text);
	struct spg_tracking t = tracking_of(w);
	char *got;

	/* The same inode as the ledger's. */
	ck_assert_int_eq(spg_tracked_update(&w->tracked, obs, &t), 0);
	got = help_events_text(&w->changes);
	ck_assert_str_eq(got, expect);
	free(got);
	spg_event_list_finish(&w->changes);
	spg_observation_destroy(obs);
	spg_product_unref(product);
}

START_TEST(surveys_confirm)
{
	struct world w = {0};
	struct spg_observation *obs;
	struct spg_product *product = help_product();
	static const struct call released = {
		RELEASED, 5, "scanner", {F, R, 0, SPG_LOCK_EOF}, ""};

	/* Locked before there were events: found, whoever it belongs to. */
	survey(&w,
		"file a.dll busy; lock a.dll scanner held flock write 0 eof; "
		"lock a.dll perfmon held posix read 0 9",
		"lock a.dll scanner flock write 0-eof #1 at=100 since=100\n"
		"lock a.dll perfmon posix read 0-9 #2 at=100 since=100\n");
	/* An heir shows the same lock instead: nothing has changed. */
	survey(&w,
		"file a.dll busy; lock a.dll store held flock write 0 eof; "
		"lock a.dll perfmon held posix read 0 9",
		"");
	/* Its end as an event, by the process that took it. */
	obs = help_observe(product, SPG_SURVEY_LOCKS, 1, "file a.dll busy");
	w.file = spg_file_ref(obs->files[0].file);
	ck_assert_int_eq(note(&w, &released), 0);
	ck_assert_uint_eq(w.tracked.n_locks, 1);
	spg_event_list_finish(&w.changes);
	/* What a gap lost is mended. */
	survey(&w, "file a.dll busy",
		"unlock a.dll perfmon posix read 0-9 #2 at=400 since=100\n");
	spg_observation_destroy(obs);
	spg_product_unref(product);
	world_finish(&w);
}
END_TEST

/* What a survey that could not read the locks says of somebody who waited. */
static void ends_waiting(bool unread, bool nobody_waits, const char *expect)
{
	struct world w = {0};
	struct spg_product *product = help_product();
	struct spg_observation *obs = help_observe(
		product, SPG_SURVEY_LOCKS, 300, "file a.dll busy replaced");
	static const struct call calls[] = {
		{TAKEN, 1, "scanner", {P, W, 0, 9}, ""},
		{WAITS, 2, "perfmon", {P, W, 0, 9}, ""},
	};
	struct spg_tracking t;
	char *got;

	w.file = spg_file_ref(obs->files[0].file);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(note(&w, &calls[i]), 0);
	spg_event_list_finish(&w.changes);
	obs->files[0].locks_unread = unread;
	obs->files[0].nobody_waits = nobody_waits;
	w.now_ns = 300;
	t = tracking_of(&w);
	ck_assert_int_eq(spg_tracked_update(&w.tracked, obs, &t), 0);
	got = help_events_text(&w.changes);
	ck_assert_str_eq(got, expect);
	free(got);
	spg_observation_destroy(obs);
	spg_product_unref(product);
	world_finish(&w);
}

START_TEST(who_waits_has_it_open)
{
	const char *over = "unlock a.dll perfmon posix write 0-9 #2 at=300 since=200\n";

	ends_waiting(true, false, "");
	ends_waiting(true, true, over);
	ends_waiting(false, false,
		"unlock a.dll scanner posix write 0-9 #1 at=300 since=100\n"
		"unlock a.dll perfmon posix write 0-9 #2 at=300 since=200\n");
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("lock-ledger");

	spg_add_rows(tc, follows, stories);
	tcase_add_test(tc, asks_about_leases);
	tcase_add_loop_test(tc, equals_a_map, 0, 50);
	tcase_add_test(tc, surveys_confirm);
	tcase_add_test(tc, who_waits_has_it_open);
	return spg_run_suite("lock-ledger", tc);
}
