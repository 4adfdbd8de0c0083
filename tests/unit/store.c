/* SPDX-License-Identifier: MIT */
/* The history: what goes in comes out, in order, filtered, and in the views. */
#include "daemon/store/store.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "tests/support/suite.h"
#include "tests/unit/store_help.h"

#define DLL "/srv/exchsrvr/bin/Mdbperf.dll"
#define EXE "/srv/exchsrvr/bin/store.exe"

static char *text(const char *s)
{
	char *copy = strdup(s);

	ck_assert_ptr_nonnull(copy);
	return copy;
}

static void assert_same_text(const char *a, const char *b)
{
	ck_assert_int_eq(a == NULL, b == NULL);
	if (a)
		ck_assert_str_eq(a, b);
}

static void assert_same_process(
	const struct spg_process *a, const struct spg_process *b)
{
	ck_assert_int_eq(a == NULL, b == NULL);
	if (!a)
		return;
	ck_assert(spg_proc_id_equal(a->id, b->id));
	ck_assert_int_eq(a->started_ns, b->started_ns);
	ck_assert_int_eq(a->ppid, b->ppid);
	ck_assert_uint_eq(a->uid, b->uid);
	assert_same_text(a->name, b->name);
	assert_same_text(a->exe, b->exe);
	assert_same_text(a->cmdline, b->cmdline);
	assert_same_text(a->user, b->user);
	assert_same_text(a->unit, b->unit);
	assert_same_text(a->unit_user, b->unit_user);
	ck_assert_int_eq(a->unit_refuses_stop, b->unit_refuses_stop);
}

static void assert_same_event(const struct spg_event *a, const struct spg_event *b)
{
	ck_assert_int_eq(a->id, b->id);
	ck_assert_int_eq(a->at_ns, b->at_ns);
	ck_assert_int_eq(a->kind, b->kind);
	ck_assert_uint_eq(a->kinds, b->kinds);
	ck_assert_int_eq(a->file == NULL, b->file == NULL);
	if (a->file) {
		ck_assert_str_eq(a->file->path, b->file->path);
		ck_assert(spg_file_id_equal(a->file->id, b->file->id));
	}
	assert_same_process(a->process, b->process);
	assert_same_text(a->product, b->product);
	assert_same_text(a->detail, b->detail);
	ck_assert_int_eq(a->interval, b->interval);
	ck_assert_int_eq(a->since_ns, b->since_ns);
	ck_assert_uint_eq(a->how, b->how);
	ck_assert_int_eq(a->lock.kind, b->lock.kind);
	ck_assert_int_eq(a->lock.mode, b->lock.mode);
	ck_assert_int_eq(a->lock.start, b->lock.start);
	ck_assert_int_eq(a->lock.end, b->lock.end);
	ck_assert_int_eq(a->gap.reason, b->gap.reason);
	ck_assert_int_eq(a->gap.since_ns, b->gap.since_ns);
	ck_assert_int_eq(a->gap.until_ns, b->gap.until_ns);
	ck_assert_uint_eq(a->gap.count, b->gap.count);
	ck_assert_int_eq(a->verdict, b->verdict);
	ck_assert_int_eq(a->subject, b->subject);
	ck_assert_int_eq(a->outcome, b->outcome);
	ck_assert_int_eq(a->sidestep, b->sidestep);
}

/* An event of every kind with everything that kind can have. */
static struct spg_event *full_event(struct fixture *f, enum spg_event_kind kind)
{
	bool about_file = kind != SPG_EVENT_GAP && kind != SPG_EVENT_VERDICT;
	struct spg_event *e =
		event(f, kind, T0 + kind * S + 123, about_file ? DLL : NULL);

	e->product = text("exchange55");
	switch (kind) {
	case SPG_EVENT_OPEN:
		e->kinds |= SPG_EVENT_BIT(SPG_EVENT_CLOSE);
		break;
	case SPG_EVENT_RENAME:
		e->detail = text("/srv/exchsrvr/bin/Mdbperf.old");
		break;
	case SPG_EVENT_LOCK_WAIT:
	case SPG_EVENT_LOCK:
	case SPG_EVENT_UNLOCK:
	case SPG_EVENT_LOCK_FAIL:
		e->lock = (struct spg_event_lock){SPG_LOCK_OFD, SPG_LOCK_WRITE, 0,
			kind == SPG_EVENT_LOCK ? 0 : SPG_LOCK_EOF};
		e->interval = kind == SPG_EVENT_LOCK_FAIL ? 0 : 50 + kind;
		e->since_ns = kind == SPG_EVENT_UNLOCK ? T0 : 0;
		break;
	case SPG_EVENT_USE_BEGIN:
	case SPG_EVENT_USE_END:
		e->interval = 100;
		e->how = SPG_USE_OPEN | SPG_USE_EXECUTING;
		e->since_ns =
			kind == SPG_EVENT_USE_END ? T0 + SPG_EVENT_USE_BEGIN * S : 0;
		break;
	case SPG_EVENT_GAP:
		e->gap = (struct spg_event_gap){SPG_GAP_OVERFLOW, T0 - 5, T0 + 5, 417};
		e->detail = text("the kernel's queue overflowed");
		break;
	case SPG_EVENT_VERDICT:
		e->verdict = SPG_VERDICT_BLOCKED;
		e->detail = text("Mdbperf.dll is mapped by perfmon (pid 2113)");
		e->durable = true;
		break;
	case SPG_EVENT_INSTALL_END:
		e->subject = 3;
		e->outcome = SPG_INSTALL_MIXED;
		e->detail = text("install 3: mixed");
		break;
	case SPG_EVENT_SIDESTEP:
		e->subject = 4;
		e->sidestep = SPG_SIDESTEP_RENAMED;
		e->detail = text("number 4 renamed: Mdbperf.old");
		break;
	default:
		break;
	}
	return e;
}

START_TEST(round_trip)
{
	struct fixture f;
	struct spg_event *in[SPG_EVENT_KINDS];
	struct spg_store_page page;

	setup(&f, NULL);
	start(&f);
	ck_assert(f.origin.is_new);
	ck_assert_int_eq(f.origin.last_event_id, 0);
	for (int k = 0; k < SPG_EVENT_KINDS; k++) {
		in[k] = full_event(&f, k);
		spg_store_append(f.store, in[k]);
	}
	for (int again = 0; again < 2; again++) {
		query_all(&f, &page);
		ck_assert_uint_eq(page.events.n, SPG_EVENT_KINDS);
		ck_assert(!page.more);
		for (int k = 0; k < SPG_EVENT_KINDS; k++)
			assert_same_event(in[k], page.events.events[k]);
		spg_event_list_finish(&page.events);
		/* The same from the file, by another daemon. */
		stop(&f);
		start(&f);
		ck_assert(f.origin.clean_stop);
		ck_assert(!f.origin.is_new);
		ck_assert_int_eq(f.origin.last_event_id, SPG_EVENT_KINDS);
		ck_assert_int_eq(f.origin.last_interval, 100);
		ck_assert_int_gt(f.origin.last_alive_ns, T0 - 1);
	}
	ck_assert_str_eq(ask_sql(&f, "SELECT group_concat(subject || outcome) FROM"
				     " (SELECT * FROM history WHERE outcome NOT NULL"
				     " ORDER BY id)"),
		"3mixed,4renamed");
	for (int k = 0; k < SPG_EVENT_KINDS; k++)
		spg_event_unref(in[k]);
	teardown(&f);
}
END_TEST

/* 1000 events a second apart: even ids DLL, odd EXE; every 100th a gap, 250 a
 * coalesced event, 700.. by another process and product. */
static void fill(struct fixture *f)
{
	struct spg_process_info info = {
		.id = {99, 1}, .name = "Explorer.EXE", .uid = SPG_UID_UNKNOWN};
	struct spg_process *other = spg_process_create(&info);
	struct spg_process *usual = f->process;

	ck_assert_ptr_nonnull(other);
	for (int64_t id = 1; id <= 1000; id++) {
		struct spg_event *e;

		f->process = id >= 700 ? other : usual;
		if (id % 100 == 0) {
			e = event(f, SPG_EVENT_GAP, T0 + id * S, NULL);
		} else {
			e = event(f, SPG_EVENT_CLOSE, T0 + id * S, id % 2 ? EXE : DLL);
			e->product = text(id >= 700 ? "other" : "exchange55");
		}
		if (id == 250)
			e->kinds |= SPG_EVENT_BIT(SPG_EVENT_EXEC);
		append(f, e);
	}
	f->process = usual;
	spg_process_unref(other);
}

static const char *const name_dll[] = {"MDBPERF.dll"};
static const char *const path_dll[] = {DLL};
static const char *const path_case[] = {"/srv/exchsrvr/bin/mdbperf.dll"};
static const char *const two_paths[] = {DLL, "STORE.exe"};
static const char *const unknown_paths[] = {"/nowhere", "nothing.dll"};

static const struct {
	struct spg_store_query query;
	size_t n;
	int64_t first, last;
	bool more;
} questions[] = {
	{{.limit = 1000}, 1000, 1, 1000, false},
	{{.limit = 10}, 10, 991, 1000, true},
	{{.limit = 10, .before_id = 11}, 10, 1, 10, false},
	{{.limit = 10, .before_id = 12}, 10, 2, 11, true},
	{{.limit = 10, .before_id = 1}, 0, 0, 0, false},
	{{.limit = 10, .before_id = 5000}, 10, 991, 1000, true},
	{{.limit = 999, .since_ns = T0 + 300 * S, .until_ns = T0 + 309 * S}, 10, 300,
		309, false},
	{{.limit = 999, .since_ns = T0 + 999 * S}, 2, 999, 1000, false},
	{{.limit = 999, .until_ns = T0 + 2 * S}, 2, 1, 2, false},
	{{.limit = 999, .until_ns = T0}, 0, 0, 0, false},
	{{.limit = 999, .kinds = SPG_EVENT_BIT(SPG_EVENT_GAP)}, 10, 100, 1000, false},
	{{.limit = 4, .kinds = SPG_EVENT_BIT(SPG_EVENT_GAP)}, 4, 700, 1000, true},
	{{.limit = 999, .kinds = SPG_EVENT_BIT(SPG_EVENT_LOCK)}, 0, 0, 0, false},
	/* files, and with them what concerns no file */
	{{.limit = 999, .paths = path_dll, .n_paths = 1}, 500, 2, 1000, false},
	{{.limit = 999, .paths = name_dll, .n_paths = 1}, 500, 2, 1000, false},
	{{.limit = 999, .paths = path_case, .n_paths = 1}, 10, 100, 1000, false},
	{{.limit = 1000, .paths = two_paths, .n_paths = 2}, 1000, 1, 1000, false},
	{{.limit = 999, .paths = unknown_paths, .n_paths = 2}, 10, 100, 1000, false},
	{{.limit = 3, .paths = path_dll, .n_paths = 1, .before_id = 100}, 3, 94, 98,
		true},
	/* processes */
	{{.limit = 999, .process_name = "PERFMON"}, 693, 1, 699, false},
	{{.limit = 999, .process_name = "explorer.exe"}, 297, 701, 999, false},
	{{.limit = 999, .pid = 99}, 297, 701, 999, false},
	{{.limit = 999, .pid = 99, .process_name = "perfmon"}, 0, 0, 0, false},
	{{.limit = 999, .pid = 2113, .process_name = "perfmon"}, 693, 1, 699, false},
	{{.limit = 999, .process_name = "nobody"}, 0, 0, 0, false},
	/* products, and the gaps that concern all */
	{{.limit = 999, .product = "exchange55"}, 703, 1, 1000, false},
	{{.limit = 999, .product = "none"}, 10, 100, 1000, false},
	/* together */
	{{.limit = 999,
		 .paths = name_dll,
		 .n_paths = 1,
		 .process_name = "explorer.exe",
		 .product = "other",
		 .since_ns = T0 + 750 * S,
		 .until_ns = T0 + 760 * S},
		6, 750, 760, false},
};

START_TEST(filters)
{
	struct fixture f;

	setup(&f, NULL);
	start(&f);
	fill(&f);
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		struct spg_store_page page;
		struct spg_event **events;

		ck_assert_int_eq(query(&f, &questions[i].query, &page), 0);
		events = page.events.events;
		ck_assert_msg(page.events.n == questions[i].n, "question %zu: %zu rows",
			i, page.events.n);
		ck_assert_int_eq(page.more, questions[i].more);
		for (size_t k = 1; k < page.events.n; k++)
			ck_assert_int_lt(events[k - 1]->id, events[k]->id);
		if (page.events.n > 0) {
			ck_assert_int_eq(events[0]->id, questions[i].first);
			ck_assert_int_eq(
				events[page.events.n - 1]->id, questions[i].last);
		}
		spg_event_list_finish(&page.events);
	}
	teardown(&f);
}
END_TEST

START_TEST(coalesced_matches_each_kind)
{
	struct fixture f;
	struct spg_store_page page;
	struct spg_event *e;

	setup(&f, NULL);
	start(&f);
	e = event(&f, SPG_EVENT_OPEN, T0, DLL);
	e->kinds |= SPG_EVENT_BIT(SPG_EVENT_EXEC) | SPG_EVENT_BIT(SPG_EVENT_CLOSE);
	append(&f, e);
	append(&f, event(&f, SPG_EVENT_OPEN, T0, DLL));
	ck_assert_int_eq(query(&f,
				 &(struct spg_store_query){.limit = 9,
					 .kinds = SPG_EVENT_BIT(SPG_EVENT_EXEC)},
				 &page),
		0);
	ck_assert_uint_eq(page.events.n, 1);
	ck_assert_int_eq(page.events.events[0]->id, 1);
	spg_event_list_finish(&page.events);
	ck_assert_str_eq(ask_sql(&f, "SELECT coalesced FROM history WHERE id = 1"),
		"open,close,exec");
	ck_assert_str_eq(
		ask_sql(&f, "SELECT coalesced IS NULL FROM history WHERE id = 2"), "1");
	teardown(&f);
}
END_TEST

START_TEST(bad_limits_are_refused)
{
	struct fixture f;
	struct spg_store_page page;

	setup(&f, NULL);
	start(&f);
	ck_assert_int_eq(query(&f, &(struct spg_store_query){.limit = 0}, &page),
		SPG_ERR_INVALID);
	ck_assert_int_eq(
		query(&f, &(struct spg_store_query){.limit = SPG_STORE_PAGE_MAX + 1},
			&page),
		SPG_ERR_INVALID);
	teardown(&f);
}
END_TEST

/* A clock that steps back and forth hides no event from a question by time. */
START_TEST(clock_steps)
{
	struct fixture f;
	struct spg_store_page page;
	const struct spg_store_query q = {
		.limit = 9000, .since_ns = T0 + 100 * S, .until_ns = T0 + 199 * S};
	size_t expected = 0;

	setup(&f, NULL);
	start(&f);
	for (int i = 0; i < 3000; i++) {
		int64_t second = i * 37 % 1000 - (i / 1000) * 50;

		expected += second >= 100 && second <= 199;
		append(&f, event(&f, SPG_EVENT_OPEN, T0 + second * S, DLL));
	}
	ck_assert_int_eq(query(&f, &q, &page), 0);
	ck_assert_uint_eq(page.events.n, expected);
	spg_event_list_finish(&page.events);
	teardown(&f);
}
END_TEST

START_TEST(views_of_gaps_and_verdicts)
{
	struct fixture f;

	setup(&f, NULL);
	start(&f);
	append(&f, full_event(&f, SPG_EVENT_GAP));
	append(&f, full_event(&f, SPG_EVENT_VERDICT));
	ck_assert_int_eq(flush(&f), 0);
	ck_assert_str_eq(
		ask_sql(&f, "SELECT reason || count || since_ns || detail FROM "
			    "history_gaps"),
		"overflow4171795312799999999995the kernel's queue overflowed");
	ck_assert_str_eq(ask_sql(&f, "SELECT product || verdict || detail FROM "
				     "verdict_changes"),
		"exchange55blockedMdbperf.dll is mapped by perfmon (pid 2113)");
	ck_assert_str_eq(ask_sql(&f, "SELECT kind || gap FROM history WHERE id = 1"),
		"gapoverflow");
	teardown(&f);
}
END_TEST

struct order {
	int calls[8];
	int errs[8];
	int n;
	struct fixture *f;
};

static void on_first(void *user, int err)
{
	struct order *o = user;

	o->errs[o->n] = err;
	o->calls[o->n++] = 1;
}

static void on_second(void *user, int err, struct spg_store_page *page)
{
	struct order *o = user;

	if (err == 0)
		ck_assert_uint_eq(page->events.n, 5);
	o->errs[o->n] = err;
	o->calls[o->n++] = 2;
}

static void on_third(void *user, int err)
{
	struct order *o = user;

	o->errs[o->n] = err;
	o->calls[o->n++] = 3;
}

/* Callbacks come in the order of the calls and see every event before them. */
START_TEST(callbacks_in_order)
{
	struct fixture f;
	struct order o = {0};
	const struct spg_store_query q = {.limit = 100};

	setup(&f, NULL);
	start(&f);
	for (int i = 0; i < 5; i++)
		append(&f, event(&f, SPG_EVENT_OPEN, T0, DLL));
	spg_store_flush(f.store, on_first, &o);
	spg_store_query(f.store, &q, on_second, &o);
	spg_store_flush(f.store, on_third, &o);
	while (o.n < 3)
		uv_run(&f.loop, UV_RUN_ONCE);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(o.calls[i], i + 1);
		ck_assert_int_eq(o.errs[i], 0);
	}
	teardown(&f);
}
END_TEST

static void on_asking_again(void *user, int err)
{
	struct order *o = user;

	if (o->n++ == 0)
		spg_store_flush(o->f->store, on_asking_again, o);
	else
		o->errs[0] = err;
}

/* Stop owes every callback, also for what a callback asks while it stops. */
START_TEST(stop_answers_all)
{
	struct fixture f;
	struct order o = {.f = &f};
	struct spg_store_query q = {.limit = 100};
	struct spg_store *store;
	int n;

	setup(&f, NULL);
	start(&f);
	for (int i = 0; i < 5; i++)
		append(&f, event(&f, SPG_EVENT_OPEN, T0, DLL));
	spg_store_flush(f.store, on_first, &o);
	spg_store_query(f.store, &q, on_second, &o);
	spg_store_flush(f.store, on_third, &o);
	spg_store_stop(f.store, 1000, NULL, NULL);
	ck_assert_int_eq(o.n, 3);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(o.calls[i], i + 1);
	f.store = NULL;
	uv_run(&f.loop, UV_RUN_DEFAULT);
	start(&f);
	ck_assert(f.origin.clean_stop);
	ck_assert_int_eq(f.origin.last_event_id, 5);
	store = f.store;
	o.n = 0;
	spg_store_flush(store, on_asking_again, &o);
	spg_store_stop(store, 1000, NULL, NULL);
	n = o.n;
	f.store = NULL;
	uv_run(&f.loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(n, 2);
	ck_assert_int_eq(o.errs[0], SPG_ERR_BUSY);
	spg_store_stop(NULL, 0, NULL, NULL);
	teardown(&f);
}
END_TEST

START_TEST(second_daemon_is_refused)
{
	struct fixture f;
	struct spg_store *second = NULL;
	struct spg_store_origin origin;

	setup(&f, NULL);
	start(&f);
	ck_assert_int_eq(
		spg_store_start(&second, &f.loop, &f.config, &origin), SPG_ERR_BUSY);
	ck_assert_ptr_null(second);
	append(&f, event(&f, SPG_EVENT_OPEN, T0, DLL));
	ck_assert_int_eq(flush(&f), 0);
	teardown(&f);
}
END_TEST

START_TEST(missing_directory)
{
	struct fixture f;

	setup(&f, NULL);
	f.config.path = "/nonexistent/spguard/history.db";
	ck_assert_int_eq(try_start(&f), SPG_ERR_IO);
	teardown(&f);
}
END_TEST

/* What the queue cannot take becomes one gap, after what it took. */
START_TEST(overflow_becomes_a_gap)
{
	struct fixture f;
	struct spg_store_page page;
	struct spg_store_status status;
	uint64_t lost, n = 0;

	setup(&f, NULL);
	f.config.queue_max = 16;
	start(&f);
	for (int i = 0; i < 20000; i++) {
		struct spg_event *e = event(&f, SPG_EVENT_OPEN, T0 + i * S, DLL);

		append(&f, e);
	}
	ck_assert_int_eq(flush(&f), 0);
	append(&f, event(&f, SPG_EVENT_CLOSE, T0 + 30000 * S, DLL));
	query_all(&f, &page);
	spg_store_status(f.store, &status);
	ck_assert_uint_gt(status.dropped, 0);
	for (size_t i = 0; i < page.events.n; i++)
		n += page.events.events[i]->kind != SPG_EVENT_GAP;
	ck_assert_int_ge(count_gaps(&page, SPG_GAP_DROPPED, &lost), 1);
	ck_assert_uint_eq(lost, status.dropped);
	ck_assert_uint_eq(n + lost, 20001);
	ck_assert_int_eq(page.events.events[page.events.n - 1]->kind, SPG_EVENT_CLOSE);
	spg_event_list_finish(&page.events);
	teardown(&f);
}
END_TEST

/* Bytes a row, with all indexes, for opens and closes of 20 files by ever new
 * processes that open, close and go. */
START_TEST(row_width)
{
	struct fixture f;
	struct spg_file *files[20];
	struct spg_process *process = NULL;
	long bytes;

	setup(&f, NULL);
	start(&f);
	for (int i = 0; i < 20; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/srv/exchsrvr/bin/file%d.dll", i);
		files[i] = spg_file_create(path, (struct spg_file_id){7, (uint64_t)i});
		ck_assert_ptr_nonnull(files[i]);
	}
	for (int i = 0; i < 50000; i++) {
		struct spg_process_info info = {
			.id = {i / 50, 1}, .name = "sh", .exe = "/bin/sh"};
		struct spg_event *e;

		if (i % 50 == 0) {
			spg_process_unref(process);
			process = spg_process_create(&info);
		}
		e = spg_event_create(i % 2, T0 + i * S, files[i / 2 % 20], process);
		ck_assert_ptr_nonnull(e);
		e->id = f.next_id++;
		e->product = text("exchange55");
		append(&f, e);
	}
	spg_process_unref(process);
	for (int i = 0; i < 20; i++)
		spg_file_unref(files[i]);
	ck_assert_int_eq(flush(&f), 0);
	stop(&f);
	bytes = atol(ask_sql(&f, "SELECT sum(pgsize) FROM dbstat WHERE name IN ("
				 "'events', 'event_blocks', 'blocks')"));
	ck_assert_int_gt(bytes, 50000 * 16);
	ck_assert_int_le(bytes, 50000 * 48);
	teardown(&f);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("store");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, round_trip);
	tcase_add_test(tc, filters);
	tcase_add_test(tc, coalesced_matches_each_kind);
	tcase_add_test(tc, bad_limits_are_refused);
	tcase_add_test(tc, clock_steps);
	tcase_add_test(tc, views_of_gaps_and_verdicts);
	tcase_add_test(tc, callbacks_in_order);
	tcase_add_test(tc, stop_answers_all);
	tcase_add_test(tc, second_daemon_is_refused);
	tcase_add_test(tc, missing_directory);
	tcase_add_test(tc, overflow_becomes_a_gap);
	tcase_add_test(tc, row_width);
	return spg_run_suite("store", tc);
}
