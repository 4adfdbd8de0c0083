/* SPDX-License-Identifier: MIT */
/*
 * The method windows: the history as advice. The intervals come and are counted
 * on the writer's thread; only the result comes back to the loop.
 */
#include "daemon/serve/methods/methods.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/err.h"
#include "daemon/history/maintenance.h"
#include "daemon/serve/render/parts.h"
#include "daemon/serve/render/render.h"
#include "daemon/store/intervals.h"

#define FOR_DEFAULT_S 1800
#define DAYS_DEFAULT  14
#define DAY_S         86400

struct asked {
	struct spg_product *product;
	struct spg_maintenance_question question;
	int64_t days;
	bool utc;
	struct spg_maintenance *windows; /* made on the writer's thread */
	struct spg_maintenance_result result;
};

static int64_t local_offset_s(int64_t at_s)
{
	time_t at = (time_t)at_s;
	struct tm tm;

	return localtime_r(&at, &tm) ? timegm(&tm) - at : 0;
}

static int64_t utc_offset_s(int64_t at_s)
{
	(void)at_s;
	return 0;
}

/* ---- writer's thread ---- */

static bool is_ready(struct asked *asked)
{
	if (!asked->windows)
		asked->windows = spg_maintenance_create(&asked->question);
	return asked->windows != NULL;
}

static int on_interval(void *data, const struct spg_store_interval *interval)
{
	struct asked *asked = data;

	if (spg_product_setup_stops(
		    asked->product, interval->name, interval->exe, interval->unit))
		return 0;
	if (!is_ready(asked))
		return SPG_ERR_NOMEM;
	return spg_maintenance_add_use(asked->windows, interval->from_ns,
		interval->to_ns, interval->name, interval->unit);
}

static int on_unseen(void *data, int64_t from_ns, int64_t to_ns, int reason)
{
	struct asked *asked = data;

	(void)reason;
	if (!is_ready(asked))
		return SPG_ERR_NOMEM;
	return spg_maintenance_add_unseen(asked->windows, from_ns, to_ns);
}

static int on_end(void *data)
{
	struct asked *asked = data;

	if (!is_ready(asked))
		return SPG_ERR_NOMEM;
	spg_maintenance_finish(asked->windows, &asked->result);
	return 0;
}

/* ---- loop thread ---- */

static json_t *render_breakers(const struct spg_maintenance_count *count)
{
	json_t *out = json_array();
	int r = 0;

	for (size_t i = 0; i < count->n_breakers; i++) {
		const struct spg_maintenance_breaker *b = &count->breakers[i];
		json_t *row = json_object();

		r |= json_object_set_new(row, "name", spg_render_text(b->name));
		r |= json_object_set_new(row, "unit", spg_render_text(b->unit));
		r |= json_object_set_new(row, "times", json_integer(b->times));
		r |= json_array_append_new(out, row);
	}
	return spg_render_done(out, r);
}

static int add_count(json_t *out, const struct spg_maintenance_count *count)
{
	int r = json_object_set_new(out, "free", json_integer(count->free));

	r |= json_object_set_new(out, "of", json_integer(count->of));
	r |= json_object_set_new(out, "unseen", json_integer(count->unseen));
	r |= json_object_set_new(out, "breakers", render_breakers(count));
	return r;
}

static json_t *render_slots(const struct spg_maintenance_result *result)
{
	json_t *out = json_array();
	int r = 0;

	for (int i = 0; i < SPG_MAINTENANCE_SLOTS; i++) {
		json_t *slot = json_object();

		r |= json_object_set_new(slot, "day", json_integer(i / 24));
		r |= json_object_set_new(slot, "hour", json_integer(i % 24));
		r |= add_count(slot, &result->slots[i]);
		r |= json_array_append_new(out, slot);
	}
	return spg_render_done(out, r);
}

/* "02:00"; with seconds if there are any. */
static json_t *render_clock(int64_t s)
{
	int hour = (int)(s / 3600 % 24), minute = (int)(s / 60 % 60);

	if (s % 60)
		return json_sprintf("%02d:%02d:%02d", hour, minute, (int)(s % 60));
	return json_sprintf("%02d:%02d", hour, minute);
}

static json_t *render_best(const struct spg_maintenance_result *result)
{
	json_t *out = json_array();
	int r = 0;

	for (size_t i = 0; i < result->n_best; i++) {
		const struct spg_maintenance_range *range = &result->best[i];
		int64_t from_s = (int64_t)range->slot * 3600;
		int64_t to_s = from_s + range->length_s;
		json_t *row = json_object();

		r |= json_object_set_new(row, "day", json_integer(from_s / DAY_S));
		r |= json_object_set_new(row, "from", render_clock(from_s));
		r |= json_object_set_new(row, "to_day", json_integer(to_s / DAY_S % 7));
		r |= json_object_set_new(row, "to", render_clock(to_s));
		r |= json_object_set_new(row, "length", json_integer(range->length_s));
		r |= add_count(row, &range->count);
		r |= json_array_append_new(out, row);
	}
	return spg_render_done(out, r);
}

static json_t *render_zone(const struct asked *asked)
{
	time_t at = (time_t)(asked->question.until_ns / SPG_NS_PER_S);
	char name[64];
	struct tm tm;

	if (asked->utc || !localtime_r(&at, &tm) ||
		strftime(name, sizeof(name), "%Z", &tm) == 0)
		return json_string("UTC");
	return spg_render_text(name);
}

static json_t *render(const struct asked *asked)
{
	const struct spg_maintenance_question *q = &asked->question;
	json_t *out = json_object();
	int r = 0;

	r |= json_object_set_new(out, "product", spg_render_text(asked->product->name));
	r |= json_object_set_new(out, "title", spg_render_text(asked->product->title));
	r |= json_object_set_new(
		out, "for", json_real((double)q->length_ns / SPG_NS_PER_S));
	r |= json_object_set_new(out, "days", json_integer(asked->days));
	r |= json_object_set_new(out, "since", spg_render_time(q->since_ns));
	r |= json_object_set_new(out, "until", spg_render_time(q->until_ns));
	r |= json_object_set_new(out, "zone", render_zone(asked));
	r |= json_object_set_new(out, "slots", render_slots(&asked->result));
	r |= json_object_set_new(out, "best", render_best(&asked->result));
	r |= json_object_set_new(out, "unseen_s",
		json_real((double)(asked->result.unseen_ns / SPG_NS_PER_MS) / 1e3));
	return spg_render_done(out, r);
}

static void on_done(void *user, int err, void *data)
{
	struct spg_call *call = user;

	if (err < 0 || spg_call_is_abandoned(call))
		spg_call_fail_history(call, err);
	else
		spg_call_reply(call, render(data));
}

static void release(void *data)
{
	struct asked *asked = data;

	spg_maintenance_destroy(asked->windows);
	spg_product_unref(asked->product);
	free(asked);
}

static double number(const json_t *params, const char *name, double otherwise)
{
	const json_t *value = json_object_get(params, name);

	return json_is_number(value) ? json_number_value(value) : otherwise;
}

void spg_method_maintenance(struct spg_call *call, const json_t *params)
{
	struct spg_product *product = spg_params_one_product(call, params);
	struct spg_store_intervals_question question = {
		.product = product,
		.on_interval = on_interval,
		.on_unseen = on_unseen,
		.on_end = on_end,
		.release = release,
	};
	struct spg_maintenance_question *q;
	struct asked *asked;

	if (!product)
		return;
	asked = calloc(1, sizeof(*asked));
	if (!asked) {
		spg_call_fail_nomem(call);
		return;
	}
	asked->product = spg_product_ref(product);
	asked->utc = json_is_true(json_object_get(params, "utc"));
	asked->days = (int64_t)number(params, "days", DAYS_DEFAULT);
	q = &asked->question;
	q->offset_s = asked->utc ? utc_offset_s : local_offset_s;
	q->length_ns = (int64_t)(number(params, "for", FOR_DEFAULT_S) * SPG_NS_PER_S);
	q->until_ns = spg_clock_wall_ns();
	/* Longer by one window, so that each slot has as many starts. */
	q->since_ns = q->until_ns - asked->days * DAY_S * SPG_NS_PER_S - q->length_ns;
	question.since_ns = q->since_ns;
	question.until_ns = q->until_ns;
	question.data = asked;
	spg_store_read_intervals(call->service->store, &question, on_done, call);
}
