/* SPDX-License-Identifier: MIT */
/*
 * The method timeline: who held which file when, for a picture of a product's
 * history. Three questions to the store, one after the other: the intervals and gaps,
 * which are gathered on the writer's thread; the installs; the events of holds.
 */
#include "daemon/serve/methods/methods.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/err.h"
#include "daemon/serve/render/parts.h"
#include "daemon/serve/render/render.h"
#include "daemon/store/intervals.h"
#include "daemon/store/records.h"

#define SPAN_DEFAULT_S 3600
/* Of those that ended, the latest: as many as a picture can show, and the loop makes an
 * answer of without keeping others waiting. */
#define BARS_MAX       5000
#define GAPS_MAX       1000
#define INSTALLS_MAX   200
#define HOLD_EVENTS    1000
/* A hold may have begun so much before the period, and end so much after it. */
#define HOLD_MAX_NS    (4 * 3600 * SPG_NS_PER_S)

/* @at_ns so much later, as far as times go: clients choose them. */
static int64_t later(int64_t at_ns, int64_t by_ns)
{
	int64_t sum;

	if (!__builtin_add_overflow(at_ns, by_ns, &sum))
		return sum;
	return by_ns < 0 ? INT64_MIN : INT64_MAX;
}

struct bar {
	char *path, *name, *unit;
	int64_t from_ns, to_ns;
	unsigned how;
	int32_t pid;
	bool lasts, cut, setup_stops;
};

struct gap {
	int64_t from_ns, to_ns;
	int reason;
};

struct asked {
	struct spg_call *call;
	struct spg_product *product;
	int64_t since_ns, until_ns, oldest_ns;
	struct bar *bars; /* full: the oldest of those that ended is overwritten */
	size_t n_bars, size_bars, next_bar, n_lasting;
	struct gap *gaps;
	size_t n_gaps, size_gaps;
	bool more; /* not everything is told */
	json_t *installs;
};

/* ---- writer's thread ---- */

static void bar_finish(struct bar *bar)
{
	free(bar->path);
	free(bar->name);
	free(bar->unit);
}

static int keep(char **to, const char *text)
{
	*to = text ? strdup(text) : NULL;
	return text && !*to ? SPG_ERR_NOMEM : 0;
}

/* Where the next bar goes: 0; 1 when there is no place; or SPG_ERR_NOMEM. */
static int find_place(struct asked *asked, struct bar **ret)
{
	struct bar *bar;

	if (asked->n_bars < BARS_MAX) {
		if (spg_array_reserve(&asked->bars, asked->n_bars, &asked->size_bars,
			    sizeof(*asked->bars)) < 0)
			return SPG_ERR_NOMEM;
		*ret = &asked->bars[asked->n_bars++];
		return 0;
	}
	asked->more = true;
	if (asked->n_lasting == BARS_MAX)
		return 1;
	do
		bar = &asked->bars[asked->next_bar++ % BARS_MAX];
	while (bar->lasts);
	bar_finish(bar);
	*ret = bar;
	return 0;
}

static int on_interval(void *data, const struct spg_store_interval *interval)
{
	struct asked *asked = data;
	struct bar *bar;
	int r = find_place(asked, &bar);

	if (r != 0)
		return r < 0 ? r : 0;
	asked->n_lasting += interval->open;
	*bar = (struct bar){.from_ns = interval->from_ns,
		.to_ns = interval->to_ns,
		.how = interval->how,
		.pid = interval->pid,
		.lasts = interval->open,
		.cut = interval->cut,
		.setup_stops = spg_product_setup_stops(
			asked->product, interval->name, interval->exe, interval->unit)};
	r = keep(&bar->path, interval->path);
	if (r == 0)
		r = keep(&bar->name, interval->name);
	return r == 0 ? keep(&bar->unit, interval->unit) : r;
}

static int on_unseen(void *data, int64_t from_ns, int64_t to_ns, int reason)
{
	struct asked *asked = data;

	if (reason < 0) {
		asked->oldest_ns = to_ns < asked->until_ns ? to_ns : 0;
		return 0;
	}
	if (asked->n_gaps == GAPS_MAX) {
		asked->more = true;
		return 0;
	}
	if (spg_array_reserve(&asked->gaps, asked->n_gaps, &asked->size_gaps,
		    sizeof(*asked->gaps)) < 0)
		return SPG_ERR_NOMEM;
	asked->gaps[asked->n_gaps++] =
		(struct gap){.from_ns = from_ns, .to_ns = to_ns, .reason = reason};
	return 0;
}

static int order_bars(const void *va, const void *vb)
{
	const struct bar *a = va, *b = vb;
	int order = strcmp(a->path, b->path);

	if (order != 0)
		return order;
	if (a->from_ns != b->from_ns)
		return a->from_ns < b->from_ns ? -1 : 1;
	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	if (a->how != b->how)
		return a->how < b->how ? -1 : 1;
	return (int)a->lasts - (int)b->lasts;
}

/* One that ended while they were read was told as lasting before. */
static bool is_told_again(const struct bar *a, const struct bar *lasting)
{
	return !a->lasts && lasting->lasts && a->from_ns == lasting->from_ns &&
	       a->pid == lasting->pid && a->how == lasting->how &&
	       strcmp(a->path, lasting->path) == 0;
}

static void drop_twins(struct asked *asked)
{
	size_t n = 1;

	for (size_t i = 1; i < asked->n_bars; i++) {
		if (is_told_again(&asked->bars[n - 1], &asked->bars[i]))
			bar_finish(&asked->bars[i]);
		else
			asked->bars[n++] = asked->bars[i];
	}
	if (asked->n_bars > 0)
		asked->n_bars = n;
}

static int on_end(void *data)
{
	struct asked *asked = data;

	if (asked->n_bars > 0)
		qsort(asked->bars, asked->n_bars, sizeof(*asked->bars), order_bars);
	drop_twins(asked);
	return 0;
}

/* ---- loop thread ---- */

static void asked_destroy(struct asked *asked)
{
	for (size_t i = 0; i < asked->n_bars; i++)
		bar_finish(&asked->bars[i]);
	free(asked->bars);
	free(asked->gaps);
	json_decref(asked->installs);
	spg_product_unref(asked->product);
	free(asked);
}

static json_t *render_bar(const struct bar *bar)
{
	json_t *out = json_object();
	int r = 0;

	r |= json_object_set_new(out, "from", spg_render_time(bar->from_ns));
	r |= json_object_set_new(
		out, "to", bar->lasts ? json_null() : spg_render_time(bar->to_ns));
	r |= json_object_set_new(out, "how", spg_render_hows(bar->how));
	r |= json_object_set_new(out, "name", spg_render_text(bar->name));
	r |= json_object_set_new(
		out, "pid", bar->pid ? json_integer(bar->pid) : json_null());
	r |= json_object_set_new(out, "unit", spg_render_text(bar->unit));
	r |= json_object_set_new(out, "setup_stops", json_boolean(bar->setup_stops));
	r |= json_object_set_new(out, "cut", json_boolean(bar->cut));
	return spg_render_done(out, r);
}

static json_t *render_files(const struct asked *asked)
{
	json_t *out = json_array(), *bars = NULL;
	int r = 0;

	for (size_t i = 0; i < asked->n_bars; i++) {
		const struct bar *bar = &asked->bars[i];

		if (i == 0 || strcmp(bar->path, asked->bars[i - 1].path) != 0) {
			bars = json_array();
			r |= json_array_append_new(
				out, json_pack("{s:o, s:o}", "path",
					     spg_render_text(bar->path), "bars", bars));
		}
		if (r == 0)
			r |= json_array_append_new(bars, render_bar(bar));
	}
	return spg_render_done(out, r);
}

static json_t *render_gaps(const struct asked *asked)
{
	json_t *out = json_array();
	int r = 0;

	for (size_t i = 0; i < asked->n_gaps; i++)
		r |= json_array_append_new(
			out, json_pack("{s:o, s:o, s:s}", "from",
				     spg_render_time(asked->gaps[i].from_ns), "to",
				     spg_render_time(asked->gaps[i].to_ns), "reason",
				     spg_gap_reason_name(asked->gaps[i].reason)));
	return spg_render_done(out, r);
}

/* Each end with the begin before it. One whose begin is out of sight began before. One
 * without an end lasts; or the daemon ended with it, and so did the hold. */
static json_t *render_holds(
	const struct asked *asked, const struct spg_event_list *events)
{
	const struct spg_hold *lasting =
		spg_holds_of(asked->call->service->holds, asked->product->name);
	json_t *out = json_array();
	int64_t began_ns = 0;
	int r = 0;

	for (size_t i = 0; i < events->n; i++) {
		const struct spg_event *event = events->events[i];
		int64_t from_ns = began_ns ? began_ns : asked->since_ns;

		began_ns = event->kind == SPG_EVENT_HOLD_BEGIN ? event->at_ns : 0;
		if (event->kind == SPG_EVENT_HOLD_END &&
			event->at_ns > asked->since_ns && from_ns < asked->until_ns)
			r |= json_array_append_new(
				out, json_pack("{s:o, s:o}", "from",
					     spg_render_time(from_ns), "to",
					     spg_render_time(event->at_ns)));
	}
	/* However long ago it began: it may have been renewed. */
	if (lasting && lasting->began_ns && lasting->began_ns < asked->until_ns)
		r |= json_array_append_new(
			out, json_pack("{s:o, s:n}", "from",
				     spg_render_time(lasting->began_ns), "to"));
	return spg_render_done(out, r);
}

static json_t *render(struct asked *asked, const struct spg_event_list *holds)
{
	json_t *out = json_object();
	int r = 0;

	r |= json_object_set_new(out, "product", spg_render_text(asked->product->name));
	r |= json_object_set_new(out, "title", spg_render_text(asked->product->title));
	r |= json_object_set_new(out, "since", spg_render_time(asked->since_ns));
	r |= json_object_set_new(out, "until", spg_render_time(asked->until_ns));
	r |= json_object_set_new(
		out, "recorded_since", spg_render_time(asked->oldest_ns));
	r |= json_object_set_new(out, "files", render_files(asked));
	r |= json_object_set_new(out, "gaps", render_gaps(asked));
	r |= json_object_set(out, "installs", asked->installs);
	r |= json_object_set_new(out, "holds", render_holds(asked, holds));
	r |= json_object_set_new(out, "more", json_boolean(asked->more));
	return spg_render_done(out, r);
}

/* True when there is nothing more to ask; the call has ended then. */
static bool is_over(struct asked *asked, int err)
{
	if (err >= 0 && !spg_call_is_abandoned(asked->call))
		return false;
	spg_call_fail_history(asked->call, err);
	asked_destroy(asked);
	return true;
}

static void on_holds(void *user, int err, struct spg_store_page *page)
{
	struct asked *asked = user;

	if (is_over(asked, err))
		return;
	asked->more = asked->more || page->more;
	spg_call_reply(asked->call, render(asked, &page->events));
	asked_destroy(asked);
}

static void on_installs(
	void *user, int err, struct spg_install *const *installs, size_t n)
{
	struct asked *asked = user;
	struct spg_store_query query = {
		.kinds = SPG_EVENT_BIT(SPG_EVENT_HOLD_BEGIN) |
	                 SPG_EVENT_BIT(SPG_EVENT_HOLD_END),
		.limit = HOLD_EVENTS,
	};
	int r = 0;

	if (is_over(asked, err))
		return;
	asked->installs = json_array();
	if (n == INSTALLS_MAX && installs[n - 1]->began_ns > asked->since_ns)
		asked->more = true;
	for (size_t i = n; i-- > 0;) {
		const struct spg_install *install = installs[i];

		if (install->began_ns >= asked->until_ns ||
			(install->ended_ns && install->ended_ns <= asked->since_ns))
			continue;
		r |= json_array_append_new(asked->installs,
			json_pack("{s:I, s:o, s:o, s:s}", "id", (json_int_t)install->id,
				"from", spg_render_time(install->began_ns), "to",
				spg_render_time(install->ended_ns), "outcome",
				spg_install_outcome_name(install->outcome)));
	}
	if (is_over(asked, r ? SPG_ERR_NOMEM : 0))
		return;
	query.product = asked->product->name;
	query.since_ns = later(asked->since_ns, -HOLD_MAX_NS);
	query.until_ns = later(asked->until_ns, HOLD_MAX_NS);
	spg_store_query(asked->call->service->store, &query, on_holds, asked);
}

static void on_intervals(void *user, int err, void *data)
{
	struct asked *asked = data;
	const struct spg_store_install_query query = {
		.product = asked->product->name, .limit = INSTALLS_MAX};

	(void)user;
	if (is_over(asked, err))
		return;
	spg_store_get_installs(asked->call->service->store, &query, on_installs, asked);
}

void spg_method_timeline(struct spg_call *call, const json_t *params)
{
	struct spg_product *product = spg_params_one_product(call, params);
	int64_t until_ns = spg_clock_wall_ns(), since_ns;
	struct spg_store_intervals_question question = {
		.on_interval = on_interval, .on_unseen = on_unseen, .on_end = on_end};
	struct asked *asked;

	if (!product || !spg_params_time(call, params, "until", &until_ns))
		return;
	since_ns = later(until_ns, -SPAN_DEFAULT_S * SPG_NS_PER_S);
	if (!spg_params_time(call, params, "since", &since_ns))
		return;
	if (since_ns >= until_ns) {
		spg_call_fail(call, SPG_RPC_BAD_PARAMS, "the earlier one is \"since\"",
			"\"since\" is not before \"until\"");
		return;
	}
	asked = calloc(1, sizeof(*asked));
	if (!asked) {
		spg_call_fail_nomem(call);
		return;
	}
	asked->call = call;
	asked->product = spg_product_ref(product);
	asked->since_ns = since_ns;
	asked->until_ns = until_ns;
	asked->oldest_ns = since_ns;
	question.product = product;
	question.since_ns = since_ns;
	question.until_ns = until_ns;
	question.data = asked;
	spg_store_read_intervals(call->service->store, &question, on_intervals, NULL);
}
