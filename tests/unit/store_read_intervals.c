/* SPDX-License-Identifier: MIT */
/* When a product's files were in use, and when nobody looked. */
#include "daemon/store/intervals.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/text.h"
#include "tests/support/suite.h"
#include "tests/unit/store_help.h"

#define DLL "/srv/exchsrvr/bin/Mdbperf.dll"

struct answer {
	struct spg_buf told; /* "perfmon 10-20;", "? 10-20 open;", "unseen 0-5;" */
	size_t n, n_unseen;
	int fail_with;
	bool ended;
	int n_calls, n_released, err;
};

static int on_interval(void *data, const struct spg_store_interval *interval)
{
	struct answer *a = data;

	a->n++;
	ck_assert(spg_path_below(interval->path, "/srv/exchsrvr/bin", false));
	ck_assert_uint_ne(interval->how, 0);
	if (interval->name)
		ck_assert_str_eq(interval->exe, "/usr/bin/perfmon");
	spg_buf_printf(&a->told, "%s%s%s %lld-%lld%s%s;",
		interval->name ? interval->name : "?", interval->unit ? "/" : "",
		interval->unit ? interval->unit : "",
		(long long)((interval->from_ns - T0) / S),
		(long long)((interval->to_ns - T0) / S), interval->open ? " open" : "",
		interval->cut ? " cut" : "");
	return a->fail_with;
}

static int on_unseen(void *data, int64_t from_ns, int64_t to_ns, int reason)
{
	struct answer *a = data;

	/* Before the oldest event, or why. */
	ck_assert_int_ge(reason, -1);
	ck_assert_int_lt(reason, SPG_GAP_REASONS);
	ck_assert_int_ne(reason, SPG_GAP_MERGED);
	a->n_unseen++;
	spg_buf_printf(&a->told, "unseen %lld-%lld;",
		from_ns ? (long long)((from_ns - T0) / S) : -1,
		(long long)((to_ns - T0) / S));
	return 0;
}

static int on_end(void *data)
{
	((struct answer *)data)->ended = true;
	return 0;
}

static void release(void *data)
{
	((struct answer *)data)->n_released++;
}

static void on_done(void *user, int err, void *data)
{
	struct answer *a = data;

	ck_assert_ptr_eq(user, a);
	ck_assert_int_eq(a->n_released, 0);
	a->n_calls++;
	a->err = err;
}

static void ask(struct fixture *f, int64_t from_s, int64_t to_s, struct answer *a)
{
	struct spg_store_intervals_question q = {
		.since_ns = T0 + from_s * S,
		.until_ns = T0 + to_s * S,
		.on_interval = on_interval,
		.on_unseen = on_unseen,
		.on_end = on_end,
		.release = release,
		.data = a,
	};

	q.product = spg_product_create("exchange55");
	ck_assert_ptr_nonnull(q.product);
	q.product->ignore_case = true;
	ck_assert_int_eq(
		spg_product_add_directory(q.product, "/srv/exchsrvr/bin", "test:1"), 0);
	ck_assert_int_eq(spg_product_add_pattern(q.product, "*perf.dll"), 0);
	spg_store_read_intervals(f->store, &q, on_done, a);
	spg_product_unref(q.product); /* the store has one of its own */
	ck_assert_int_eq(a->n_calls, 0);
}

static void await(struct fixture *f, struct answer *a)
{
	while (a->n_calls == 0)
		uv_run(&f->loop, UV_RUN_ONCE);
	ck_assert_int_eq(a->n_calls, 1);
	ck_assert_int_eq(a->n_released, 1);
	ck_assert(a->ended == (a->err == 0));
}

static void expect(struct fixture *f, int64_t from_s, int64_t to_s, const char *told)
{
	struct answer a = {.told = SPG_BUF_NULL};

	ask(f, from_s, to_s, &a);
	await(f, &a);
	ck_assert_int_eq(a.err, 0);
	ck_assert_str_eq(spg_buf_text(&a.told), told);
	spg_buf_finish(&a.told);
}

/* A use of @path; @to_s < 0: it lasts. */
static void use(struct fixture *f, int64_t interval, const char *path, int64_t from_s,
	int64_t to_s)
{
	struct spg_event *e =
		event(f, to_s < 0 ? SPG_EVENT_USE_BEGIN : SPG_EVENT_USE_END,
			T0 + (to_s < 0 ? from_s : to_s) * S, path);

	e->interval = interval;
	e->how = SPG_USE_MAPPED;
	e->since_ns = to_s < 0 ? 0 : T0 + from_s * S;
	append(f, e);
}

static void gap(struct fixture *f, enum spg_gap_reason reason, int64_t from_s,
	int64_t to_s, const char *product)
{
	struct spg_event *e = event(f, SPG_EVENT_GAP, T0 + to_s * S, NULL);

	e->gap = (struct spg_event_gap){
		reason, from_s < 0 ? 0 : T0 + from_s * S, T0 + to_s * S, 1};
	if (product)
		e->product = strdup(product);
	append(f, e);
}

START_TEST(uses_and_locks)
{
	struct fixture f;
	struct spg_event *e;

	setup(&f, NULL);
	start(&f);
	expect(&f, 5, 9, "unseen 5-9;"); /* there is nothing yet */
	use(&f, 1, DLL, 10, 20);
	use(&f, 2, DLL, 30, -1);
	use(&f, 3, "/srv/exchsrvr/bin/store.exe", 10, 20);
	use(&f, 4, "/srv/other/Mdbperf.dll", 10, 20);
	use(&f, 5, "/srv/exchsrvr/bin/GWPERF.DLL", 40, 50);
	e = event(&f, SPG_EVENT_UNLOCK, T0 + 60 * S, DLL);
	e->interval = 6;
	e->since_ns = T0 + 55 * S;
	append(&f, e);
	e = event(&f, SPG_EVENT_LOCK_WAIT, T0 + 70 * S, DLL);
	e->interval = 7;
	append(&f, e);
	/* One that no process shows. */
	e = event(&f, SPG_EVENT_USE_BEGIN, T0 + 80 * S, DLL);
	e->how = SPG_USE_OPEN;
	e->interval = 8;
	spg_process_unref(e->process);
	e->process = NULL;
	append(&f, e);

	expect(&f, 20, 100,
		"perfmon/perfmon.service 30-100 open;? 80-100 open;"
		"perfmon/perfmon.service 40-50;perfmon/perfmon.service 70-100 open;"
		"perfmon/perfmon.service 55-60;");
	/* What only touches does not overlap. */
	expect(&f, 19, 40,
		"unseen 19-20;"
		"perfmon/perfmon.service 30-40 open;perfmon/perfmon.service 10-20;"
		"");
	teardown(&f);
}
END_TEST

START_TEST(gaps)
{
	struct fixture f;

	setup(&f, NULL);
	start(&f);
	use(&f, 1, "/elsewhere", 10, 10);
	gap(&f, SPG_GAP_DOWNTIME, 20, 30, NULL);
	gap(&f, SPG_GAP_MERGED, 31, 32, NULL);
	gap(&f, SPG_GAP_WATCH, 40, 50, "exchange55");
	gap(&f, SPG_GAP_WATCH, 60, 70, "another");
	expect(&f, 15, 100, "unseen 20-30;unseen 40-50;");
	expect(&f, 5, 100, "unseen 5-10;unseen 20-30;unseen 40-50;");
	expect(&f, 30, 40, "");
	/* Nobody knows since when. */
	gap(&f, SPG_GAP_DAMAGED, -1, 80, NULL);
	expect(&f, 60, 100, "unseen -1-80;");
	teardown(&f);
}
END_TEST

/* What the previous daemon left open was there until it last lived. */
START_TEST(cut)
{
	struct fixture f;
	struct answer a = {.told = SPG_BUF_NULL};
	int64_t never = INT64_C(100) * 366 * 86400;

	setup(&f, NULL);
	start(&f);
	use(&f, 1, DLL, 10, -1);
	stop(&f);
	start(&f);
	ask(&f, 9, never, &a);
	await(&f, &a);
	ck_assert_uint_eq(a.n, 1);
	ck_assert_ptr_nonnull(strstr(spg_buf_text(&a.told), " cut;"));
	spg_buf_finish(&a.told);
	teardown(&f);
}
END_TEST

/* Longer than one slice, with events that come meanwhile. */
START_TEST(many)
{
	struct fixture f;
	struct answer a = {.told = SPG_BUF_NULL};
	const int n = 7000;

	setup(&f, NULL);
	start(&f);
	for (int i = 0; i < n; i++)
		use(&f, i + 1, i % 2 ? DLL : "/srv/other", i, i + 1);
	/* Many with the same end, as a restart leaves them. */
	for (int i = 0; i < n; i++)
		use(&f, n + i + 1, DLL, i, n);
	ck_assert_int_eq(flush(&f), 0);
	ask(&f, 0, 2 * n, &a);
	for (int i = 0; i < 1000; i++)
		use(&f, 2 * n + i + 1, "/srv/other", i, n + i);
	await(&f, &a);
	ck_assert_int_eq(a.err, 0);
	ck_assert_uint_eq(a.n, (size_t)(n / 2 + n));
	ck_assert_int_eq(flush(&f), 0);
	spg_buf_finish(&a.told);
	teardown(&f);
}
END_TEST

START_TEST(failures)
{
	struct fixture f;
	struct answer a = {.told = SPG_BUF_NULL, .fail_with = SPG_ERR_NOMEM}, late;

	setup(&f, NULL);
	start(&f);
	use(&f, 1, DLL, 10, 20);
	use(&f, 2, DLL, 20, 30);
	ask(&f, 0, 100, &a);
	await(&f, &a);
	ck_assert_int_eq(a.err, SPG_ERR_NOMEM);
	ck_assert_uint_eq(a.n, 1);
	spg_buf_finish(&a.told);
	/* History goes on. */
	expect(&f, 25, 100, "perfmon/perfmon.service 20-30;");
	late = (struct answer){.told = SPG_BUF_NULL};
	ask(&f, 0, 100, &late);
	stop(&f);
	ck_assert_int_eq(late.n_calls, 1);
	ck_assert_int_eq(late.n_released, 1);
	ck_assert_msg(late.err == SPG_ERR_BUSY || late.err == 0, "%d", late.err);
	spg_buf_finish(&late.told);
	teardown(&f);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("store-read-intervals");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, uses_and_locks);
	tcase_add_test(tc, gaps);
	tcase_add_test(tc, cut);
	tcase_add_test(tc, many);
	tcase_add_test(tc, failures);
	return spg_run_suite("store-read-intervals", tc);
}
