/* SPDX-License-Identifier: MIT */
#include "daemon/history/maintenance.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/err.h"

#define HOUR_S   3600
#define HASH_MAX 2048 /* more than twice the names */

/* A full hour of local time. */
struct start {
	int64_t at_ns;
	int64_t hour; /* of local time, since 1970: ascends, each once */
};

struct who {
	char *name, *unit;
	bool units_differ;
	uint64_t *broken; /* a bit for each start */
};

struct stretch {
	int64_t from_ns, to_ns;
};

struct spg_maintenance {
	int64_t since_ns, until_ns, length_ns;
	struct start *starts; /* and one more, where the last one's hour ends */
	size_t n, size_starts, n_words;
	struct who *who;
	size_t n_who, size_who;
	uint16_t by_name[HASH_MAX]; /* index + 1 */
	struct stretch *unseen;
	size_t n_unseen, size_unseen;
	/* A bit for each start: its window was used; was not all seen; and one or
	 * the other between it and the next start, so that two windows shorter than
	 * an hour are one only if the time between them was free. */
	uint64_t *used, *blind, *gapped;
	/* Before each start: how many are not free, how many gapped. */
	uint32_t *n_taken, *n_gapped;
};

/* ---- starts ---- */

static int add_start(struct spg_maintenance *w, int64_t at_s, int64_t hour)
{
	int r = spg_array_reserve(
		&w->starts, w->n, &w->size_starts, sizeof(*w->starts));

	if (r == 0)
		w->starts[w->n++] = (struct start){at_s * SPG_NS_PER_S, hour};
	return r;
}

static int64_t modulo(int64_t a, int64_t b)
{
	int64_t rest = a % b;

	return rest < 0 ? rest + b : rest;
}

static int find_starts(struct spg_maintenance *w, int64_t (*offset_s)(int64_t at_s))
{
	int64_t at = (w->since_ns + SPG_NS_PER_S - 1) / SPG_NS_PER_S, last = INT64_MIN;
	int r = 0;

	while (r == 0 && at * SPG_NS_PER_S + w->length_ns <= w->until_ns) {
		int64_t local = at + offset_s(at), past = modulo(local, HOUR_S);

		/* Offsets may be no full hours, and change by less than one. */
		if (past != 0) {
			at += HOUR_S - past;
			continue;
		}
		if (local / HOUR_S > last) {
			last = local / HOUR_S;
			r = add_start(w, at, last);
		}
		at += HOUR_S;
	}
	if (r == 0) {
		r = add_start(w, at, INT64_MAX);
		w->n -= r == 0;
	}
	return r;
}

/* Index of the first start behind @at_ns. */
static size_t first_behind(const struct spg_maintenance *w, int64_t at_ns)
{
	size_t low = 0, high = w->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (w->starts[middle].at_ns > at_ns)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* ---- bits ---- */

static uint64_t *new_bits(const struct spg_maintenance *w)
{
	return calloc(w->n_words + 1, sizeof(uint64_t));
}

static bool bit(const uint64_t *bits, size_t i)
{
	return bits[i / 64] >> i % 64 & 1;
}

static void set_bits(uint64_t *bits, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		bits[i / 64] |= UINT64_C(1) << i % 64;
}

/* The starts whose windows [from, to) overlaps. */
static void mark_windows(
	const struct spg_maintenance *w, uint64_t *bits, int64_t from_ns, int64_t to_ns)
{
	set_bits(bits, first_behind(w, from_ns - w->length_ns),
		first_behind(w, to_ns - 1));
}

/* The starts between which and the next one [from, to) reaches. */
static void mark_gaps(const struct spg_maintenance *w, int64_t from_ns, int64_t to_ns)
{
	size_t first = first_behind(w, from_ns);

	if (from_ns >= w->starts[w->n].at_ns)
		return;
	set_bits(w->gapped, first > 0 ? first - 1 : 0, first_behind(w, to_ns - 1));
}

/* ---- what is added ---- */

struct spg_maintenance *spg_maintenance_create(
	const struct spg_maintenance_question *question)
{
	struct spg_maintenance *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->since_ns = question->since_ns;
	w->until_ns = question->until_ns;
	w->length_ns = question->length_ns;
	if (find_starts(w, question->offset_s) < 0)
		goto nomem;
	w->n_words = (w->n + 63) / 64;
	w->used = new_bits(w);
	w->blind = new_bits(w);
	w->gapped = new_bits(w);
	w->n_taken = calloc(w->n + 1, sizeof(*w->n_taken));
	w->n_gapped = calloc(w->n + 1, sizeof(*w->n_gapped));
	if (w->used && w->blind && w->gapped && w->n_taken && w->n_gapped)
		return w;
nomem:
	spg_maintenance_destroy(w);
	return NULL;
}

void spg_maintenance_destroy(struct spg_maintenance *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->n_who; i++) {
		free(w->who[i].name);
		free(w->who[i].unit);
		free(w->who[i].broken);
	}
	free(w->who);
	free(w->starts);
	free(w->unseen);
	free(w->used);
	free(w->blind);
	free(w->gapped);
	free(w->n_taken);
	free(w->n_gapped);
	free(w);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Where @name is in by_name, or would be. FNV-1a; who chooses names to collide
 * makes a thousand comparisons out of one. */
static uint16_t *find_name(struct spg_maintenance *w, const char *name)
{
	uint32_t hash = 2166136261U;
	size_t at;

	for (const char *c = name; c && *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619U;
	at = (hash ^ hash >> 16) % HASH_MAX;
	while (w->by_name[at] && !same_text(w->who[w->by_name[at] - 1].name, name))
		at = (at + 1) % HASH_MAX;
	return &w->by_name[at];
}

static int add_who(
	struct spg_maintenance *w, const char *name, const char *unit, struct who **ret)
{
	uint16_t *place = find_name(w, name);
	struct who *who;

	if (!*place && w->n_who >= SPG_MAINTENANCE_WHO_MAX) {
		name = SPG_MAINTENANCE_OTHERS;
		unit = NULL;
		place = find_name(w, name);
	}
	if (!*place) {
		if (spg_array_reserve(
			    &w->who, w->n_who, &w->size_who, sizeof(*w->who)) < 0)
			return SPG_ERR_NOMEM;
		who = &w->who[w->n_who];
		*who = (struct who){.name = name ? strdup(name) : NULL,
			.unit = unit ? strdup(unit) : NULL,
			.broken = new_bits(w)};
		w->n_who++;
		if ((name && !who->name) || (unit && !who->unit) || !who->broken)
			return SPG_ERR_NOMEM;
		*place = (uint16_t)w->n_who;
	}
	*ret = &w->who[*place - 1];
	(*ret)->units_differ |= !same_text((*ret)->unit, unit);
	return 0;
}

int spg_maintenance_add_use(struct spg_maintenance *w, int64_t from_ns, int64_t to_ns,
	const char *name, const char *unit)
{
	struct who *who;
	int r;

	if (to_ns <= from_ns)
		to_ns = from_ns + 1;
	if (to_ns <= w->since_ns || from_ns >= w->until_ns)
		return 0;
	r = add_who(w, name, unit, &who);
	if (r < 0)
		return r;
	mark_windows(w, who->broken, from_ns, to_ns);
	mark_windows(w, w->used, from_ns, to_ns);
	mark_gaps(w, from_ns, to_ns);
	return 0;
}

static int compare_stretches(const void *a, const void *b)
{
	const struct stretch *x = a, *y = b;

	return (x->from_ns > y->from_ns) - (x->from_ns < y->from_ns);
}

/* Sort; join what touches. */
static void join_unseen(struct spg_maintenance *w)
{
	size_t n = 0;

	if (w->n_unseen > 1)
		qsort(w->unseen, w->n_unseen, sizeof(*w->unseen), compare_stretches);
	for (size_t i = 0; i < w->n_unseen; i++) {
		struct stretch *last = n > 0 ? &w->unseen[n - 1] : NULL;

		if (!last || w->unseen[i].from_ns > last->to_ns)
			w->unseen[n++] = w->unseen[i];
		else if (w->unseen[i].to_ns > last->to_ns)
			last->to_ns = w->unseen[i].to_ns;
	}
	w->n_unseen = n;
}

static void make_room(struct spg_maintenance *w)
{
	size_t n = 0;

	join_unseen(w);
	if (w->n_unseen <= SPG_MAINTENANCE_UNSEEN_MAX / 2)
		return;
	for (size_t i = 0; i + 1 < w->n_unseen; i += 2)
		w->unseen[n++] =
			(struct stretch){w->unseen[i].from_ns, w->unseen[i + 1].to_ns};
	if (w->n_unseen % 2 == 1)
		w->unseen[n++] = w->unseen[w->n_unseen - 1];
	w->n_unseen = n;
}

int spg_maintenance_add_unseen(
	struct spg_maintenance *w, int64_t from_ns, int64_t to_ns)
{
	if (from_ns < w->since_ns)
		from_ns = w->since_ns;
	if (to_ns > w->until_ns)
		to_ns = w->until_ns;
	if (from_ns >= to_ns)
		return 0;
	if (w->n_unseen == SPG_MAINTENANCE_UNSEEN_MAX)
		make_room(w);
	if (spg_array_reserve(
		    &w->unseen, w->n_unseen, &w->size_unseen, sizeof(*w->unseen)) < 0)
		return SPG_ERR_NOMEM;
	w->unseen[w->n_unseen++] = (struct stretch){from_ns, to_ns};
	return 0;
}

/* ---- counting ---- */

static unsigned slot_of(const struct spg_maintenance *w, size_t i)
{
	/* 1970-01-01 was a Thursday. */
	return (unsigned)modulo(w->starts[i].hour + 3 * 24, SPG_MAINTENANCE_SLOTS);
}

static bool is_free(const struct spg_maintenance *w, size_t i)
{
	return !bit(w->used, i) && !bit(w->blind, i);
}

/* The worst five, worst first; who was first stays in front of his equals. */
static void add_breaker(
	struct spg_maintenance_count *count, const struct who *who, uint32_t times)
{
	size_t i = count->n_breakers;

	if (times == 0)
		return;
	while (i > 0 && count->breakers[i - 1].times < times)
		i--;
	if (i == SPG_MAINTENANCE_BREAKERS)
		return;
	if (count->n_breakers < SPG_MAINTENANCE_BREAKERS)
		count->n_breakers++;
	memmove(&count->breakers[i + 1], &count->breakers[i],
		(count->n_breakers - i - 1) * sizeof(count->breakers[0]));
	count->breakers[i] = (struct spg_maintenance_breaker){
		who->name, who->units_differ ? NULL : who->unit, times};
}

static void count_slots(
	const struct spg_maintenance *w, struct spg_maintenance_count *slots)
{
	for (size_t i = 0; i < w->n; i++) {
		struct spg_maintenance_count *slot = &slots[slot_of(w, i)];

		slot->of++;
		slot->free += is_free(w, i);
		slot->unseen += !bit(w->used, i) && bit(w->blind, i);
	}
	for (size_t k = 0; k < w->n_who; k++) {
		uint32_t times[SPG_MAINTENANCE_SLOTS] = {0};

		for (size_t i = 0; i < w->n; i++)
			times[slot_of(w, i)] += bit(w->who[k].broken, i);
		for (size_t s = 0; s < SPG_MAINTENANCE_SLOTS; s++)
			add_breaker(&slots[s], &w->who[k], times[s]);
	}
}

/* ---- ranges ---- */

/* A range in one week: the starts from @first to @last. */
struct occurrence {
	size_t first, last;
	bool free;
	bool hour_free; /* what comes between the last start and the next one, too */
};

/* Index of the last start not behind @hour, which is not before the first one. */
static size_t start_of_hour(const struct spg_maintenance *w, int64_t hour)
{
	int64_t i = hour - w->starts[0].hour;

	if (i >= (int64_t)w->n)
		i = (int64_t)w->n - 1;
	while (w->starts[i].hour > hour) /* clocks skipped some */
		i--;
	return (size_t)i;
}

/* The next occurrence of @range that begins at *@hour or later; *@hour moves
 * behind its begin. False: there is none that lies in the period. */
static bool next_occurrence(const struct spg_maintenance *w,
	const struct spg_maintenance_range *range, int64_t *hour,
	struct occurrence *ret)
{
	for (;; *hour += SPG_MAINTENANCE_SLOTS) {
		size_t i;

		if (*hour + range->n_slots - 1 > w->starts[w->n - 1].hour)
			return false;
		i = start_of_hour(w, *hour);
		if (w->starts[i].hour != *hour)
			continue; /* an hour that clocks skipped */
		ret->first = i;
		ret->last = start_of_hour(w, *hour + range->n_slots - 1);
		ret->free = w->n_taken[ret->last + 1] == w->n_taken[i] &&
		            w->n_gapped[ret->last] == w->n_gapped[i];
		ret->hour_free = !bit(w->gapped, ret->last);
		*hour += SPG_MAINTENANCE_SLOTS;
		return true;
	}
}

static int64_t first_hour(const struct spg_maintenance *w, unsigned slot)
{
	return w->starts[0].hour +
	       modulo((int64_t)slot - slot_of(w, 0), SPG_MAINTENANCE_SLOTS);
}

/* Fill in the numbers of @range, without breakers. */
static void measure(
	const struct spg_maintenance *w, struct spg_maintenance_range *range)
{
	int64_t tail_s = w->length_ns / SPG_NS_PER_S, hour = first_hour(w, range->slot);
	struct occurrence o;
	bool hours_free = true;

	range->count = (struct spg_maintenance_count){0};
	while (next_occurrence(w, range, &hour, &o)) {
		range->count.of++;
		range->count.free += o.free;
		hours_free &= !o.free || o.hour_free;
	}
	if (tail_s < HOUR_S && hours_free)
		tail_s = HOUR_S;
	range->length_s = (int64_t)(range->n_slots - 1) * HOUR_S + tail_s;
}

/* As long as the numbers stay what they are for its first slot alone. */
static struct spg_maintenance_range longest_from(
	const struct spg_maintenance *w, unsigned slot)
{
	struct spg_maintenance_range range = {.slot = slot, .n_slots = 1}, longer;

	measure(w, &range);
	while (range.count.free > 0 && range.n_slots < SPG_MAINTENANCE_SLOTS) {
		longer = range;
		longer.n_slots++;
		measure(w, &longer);
		if (longer.count.of != range.count.of ||
			longer.count.free != range.count.free)
			break;
		range = longer;
	}
	return range;
}

static bool any_bit(const uint64_t *bits, const struct occurrence *o)
{
	for (size_t i = o->first; i <= o->last; i++)
		if (bit(bits, i))
			return true;
	return false;
}

/* Who broke @range, in how many weeks. */
static void count_range(
	const struct spg_maintenance *w, struct spg_maintenance_range *range)
{
	int64_t hour = first_hour(w, range->slot);
	struct occurrence o;

	while (next_occurrence(w, range, &hour, &o))
		range->count.unseen += !o.free && !any_bit(w->used, &o);
	for (size_t k = 0; k < w->n_who; k++) {
		uint32_t times = 0;

		hour = first_hour(w, range->slot);
		while (next_occurrence(w, range, &hour, &o))
			times += any_bit(w->who[k].broken, &o);
		add_breaker(&range->count, &w->who[k], times);
	}
}

static int compare_shares(
	const struct spg_maintenance_count *a, const struct spg_maintenance_count *b)
{
	uint64_t x = (uint64_t)a->free * b->of, y = (uint64_t)b->free * a->of;

	return (x < y) - (x > y);
}

static int compare_ranges(const void *a, const void *b)
{
	const struct spg_maintenance_range *x = a, *y = b;
	int shares = compare_shares(&x->count, &y->count);

	if (shares != 0)
		return shares;
	if (x->count.of != y->count.of)
		return x->count.of < y->count.of ? 1 : -1;
	if (x->length_s != y->length_s)
		return x->length_s < y->length_s ? 1 : -1;
	return (x->slot > y->slot) - (x->slot < y->slot);
}

/* All of it lies in one that is better. */
static bool is_part(const struct spg_maintenance_range *range,
	const struct spg_maintenance_result *better)
{
	for (size_t i = 0; i < better->n_best; i++) {
		const struct spg_maintenance_range *b = &better->best[i];
		unsigned behind = (range->slot + SPG_MAINTENANCE_SLOTS - b->slot) %
		                  SPG_MAINTENANCE_SLOTS;

		if (behind + range->n_slots <= b->n_slots)
			return true;
	}
	return false;
}

static void find_best(
	const struct spg_maintenance *w, struct spg_maintenance_result *ret)
{
	struct spg_maintenance_range ranges[SPG_MAINTENANCE_SLOTS];
	size_t n = 0;

	for (unsigned s = 0; s < SPG_MAINTENANCE_SLOTS; s++) {
		ranges[n] = longest_from(w, s);
		n += ranges[n].count.free > 0;
	}
	qsort(ranges, n, sizeof(ranges[0]), compare_ranges);
	for (size_t i = 0; i < n && ret->n_best < SPG_MAINTENANCE_BEST; i++) {
		struct spg_maintenance_range *range = &ranges[i];

		if (2 * range->count.free <= range->count.of &&
			compare_shares(&range->count, &ranges[0].count) != 0)
			break;
		if (is_part(range, ret))
			continue;
		count_range(w, range);
		ret->best[ret->n_best++] = *range;
	}
}

static void sum_up(struct spg_maintenance *w)
{
	for (size_t i = 0; i < w->n; i++) {
		w->n_taken[i + 1] = w->n_taken[i] + !is_free(w, i);
		w->n_gapped[i + 1] = w->n_gapped[i] + bit(w->gapped, i);
	}
}

void spg_maintenance_finish(
	struct spg_maintenance *w, struct spg_maintenance_result *ret)
{
	*ret = (struct spg_maintenance_result){.n_best = 0};
	join_unseen(w);
	for (size_t i = 0; i < w->n_unseen; i++) {
		const struct stretch *s = &w->unseen[i];

		ret->unseen_ns += s->to_ns - s->from_ns;
		mark_windows(w, w->blind, s->from_ns, s->to_ns);
		mark_gaps(w, s->from_ns, s->to_ns);
	}
	sum_up(w);
	count_slots(w, ret->slots);
	if (w->n > 0)
		find_best(w, ret);
}
