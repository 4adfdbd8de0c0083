/* SPDX-License-Identifier: MIT */
#include "daemon/model/tracked.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/model/tracked_locks.h"

#define LOCK_HOWS  (SPG_USE_LOCKED | SPG_USE_WAITING)
#define OPEN_KINDS (SPG_EVENT_BIT(SPG_EVENT_OPEN) | SPG_EVENT_BIT(SPG_EVENT_EXEC))

void spg_tracked_finish(struct spg_tracked *tracked)
{
	for (size_t i = 0; i < tracked->n_uses; i++) {
		spg_file_unref(tracked->uses[i].file);
		spg_process_unref(tracked->uses[i].process);
	}
	for (size_t i = 0; i < tracked->n_locks; i++) {
		spg_file_unref(tracked->locks[i].file);
		spg_process_unref(tracked->locks[i].process);
	}
	free(tracked->uses);
	free(tracked->locks);
	*tracked = (struct spg_tracked){0};
}

static int add_use(struct spg_tracked *to, const struct spg_tracked_use *use)
{
	int r = spg_array_reserve(
		&to->uses, to->n_uses, &to->size_uses, sizeof(*to->uses));

	if (r < 0)
		return r;
	to->uses[to->n_uses++] = *use;
	spg_file_ref(use->file);
	spg_process_ref(use->process);
	return 0;
}

/* One user of one file, whatever the how. */
static int order_uses(const void *va, const void *vb)
{
	const struct spg_tracked_use *a = va, *b = vb;
	int order = spg_tracked_order_file(a->file, b->file);

	return order ? order : spg_tracked_order_process(a->process, b->process);
}

static int begin_use(const struct spg_tracking *t, struct spg_tracked_use *use)
{
	struct spg_event *event = spg_event_create(
		SPG_EVENT_USE_BEGIN, use->began_ns, use->file, use->process);

	use->interval = ++*t->last_interval;
	if (event) {
		event->how = use->how;
		event->interval = use->interval;
		event->since_ns = use->since_ns;
	}
	return spg_tracked_emit(t, event);
}

static int end_use(
	const struct spg_tracking *t, const struct spg_tracked_use *use, int64_t at_ns)
{
	struct spg_event *event =
		spg_event_create(SPG_EVENT_USE_END, at_ns, use->file, use->process);

	if (event) {
		event->how = use->how;
		event->interval = use->interval;
		event->since_ns = use->began_ns;
	}
	return spg_tracked_emit(t, event);
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* The end as the event of closing dated it, else now: when it was noticed. */
static int64_t end_time(const struct spg_tracking *t, const struct spg_tracked_use *use)
{
	return spg_hints_last(t->hints, use->file->path, use->process->id.pid,
		SPG_EVENT_BIT(SPG_EVENT_CLOSE), later(use->began_ns, t->looked_ns),
		t->now_ns);
}

/* The uses that @obs found, each process and file once, sorted. */
static int collect_uses(const struct spg_observation *obs, struct spg_tracked *found)
{
	size_t n = 0;

	for (size_t i = 0; i < obs->n_uses; i++) {
		const struct spg_seen_use *seen = &obs->uses[i];
		struct spg_tracked_use use = {.file = obs->files[seen->file].file,
			.process = seen->process,
			.how = seen->how & ~LOCK_HOWS ? seen->how & ~LOCK_HOWS
		                                      : seen->how};
		int r;

		if (!spg_product_has_name(obs->product, spg_path_base(use.file->path)))
			continue;
		r = add_use(found, &use);
		if (r < 0)
			return r;
	}
	if (found->n_uses > 0)
		qsort(found->uses, found->n_uses, sizeof(*found->uses), order_uses);
	for (size_t i = 0; i < found->n_uses; i++) {
		struct spg_tracked_use *use = &found->uses[i];

		if (n > 0 && order_uses(&found->uses[n - 1], use) == 0) {
			found->uses[n - 1].how |= use->how;
			spg_file_unref(use->file);
			spg_process_unref(use->process);
		} else {
			found->uses[n++] = *use;
		}
	}
	found->n_uses = n;
	return 0;
}

static int merge_uses(const struct spg_tracked *old, const struct spg_observation *obs,
	const struct spg_tracking *t, struct spg_tracked *found)
{
	size_t n_found = found->n_uses;
	size_t i = 0, j = 0;
	int r = 0;

	/* Both are sorted; @found grows behind n_found by what is out of scope. */
	while (r == 0 && (i < old->n_uses || j < n_found)) {
		const struct spg_tracked_use *was =
			i < old->n_uses ? &old->uses[i] : NULL;
		struct spg_tracked_use *is = j < n_found ? &found->uses[j] : NULL;
		int order = !was ? 1 : !is ? -1 : order_uses(was, is);

		if (order < 0) {
			r = spg_tracked_in_scope(obs, was->file)
			            ? end_use(t, was, end_time(t, was))
			            : add_use(found, was);
			i++;
			continue;
		}
		j++;
		if (order > 0) {
			is->since_ns = spg_hints_last(t->hints, is->file->path,
				is->process->id.pid, OPEN_KINDS,
				later(is->process->started_ns, t->looked_ns),
				t->now_ns);
			is->began_ns = is->since_ns;
			r = begin_use(t, is);
			continue;
		}
		i++;
		is->since_ns = was->since_ns;
		is->began_ns = was->began_ns;
		is->interval = was->interval;
		if (is->how != was->how) {
			r = end_use(t, was, t->now_ns);
			is->began_ns = t->now_ns;
			if (r == 0)
				r = begin_use(t, is);
		}
	}
	return r;
}

/* Tell the observation since when. */
static void fill_in(struct spg_observation *obs, const struct spg_tracked *tracked)
{
	for (size_t i = 0; i < obs->n_uses; i++) {
		struct spg_tracked_use key = {
			.file = obs->files[obs->uses[i].file].file,
			.process = obs->uses[i].process};
		const struct spg_tracked_use *use =
			tracked->n_uses ? bsearch(&key, tracked->uses, tracked->n_uses,
						  sizeof(key), order_uses)
					: NULL;

		obs->uses[i].since_ns = use ? use->since_ns : obs->ended_ns;
	}
	for (size_t i = 0; i < obs->n_locks; i++) {
		const struct spg_seen_lock *seen = &obs->locks[i];
		struct spg_tracked_lock key = {.file = obs->files[seen->file].file,
			.process = seen->process,
			.lock = {seen->kind, seen->mode, seen->start, seen->end},
			.state = seen->state,
			.owner = seen->owner};
		const struct spg_tracked_lock *lock =
			spg_tracked_find_lock(tracked, &key);

		obs->locks[i].since_ns = lock ? lock->since_ns : obs->ended_ns;
	}
}

/* Uses are kept as they are: for a survey that read only locks. */
static int keep_uses(const struct spg_tracked *old, struct spg_tracked *found)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < old->n_uses; i++)
		r = add_use(found, &old->uses[i]);
	return r;
}

int spg_tracked_update(struct spg_tracked *tracked, struct spg_observation *obs,
	const struct spg_tracking *tracking)
{
	struct spg_tracked found = {0};
	bool uses_too = obs->depth != SPG_SURVEY_LOCKS;
	int r;

	r = uses_too ? collect_uses(obs, &found) : keep_uses(tracked, &found);
	if (r == 0)
		r = spg_tracked_collect_locks(obs, &found);
	if (r == 0 && uses_too)
		r = merge_uses(tracked, obs, tracking, &found);
	if (r == 0)
		r = spg_tracked_merge_locks(tracked, obs, tracking, &found);
	if (r < 0) {
		spg_tracked_finish(&found);
		return r;
	}
	if (found.n_uses > 0)
		qsort(found.uses, found.n_uses, sizeof(*found.uses), order_uses);
	if (found.n_locks > 0)
		qsort(found.locks, found.n_locks, sizeof(*found.locks),
			spg_tracked_order_locks);
	fill_in(obs, &found);
	spg_tracked_finish(tracked);
	*tracked = found;
	return 0;
}

int spg_tracked_end_all(
	struct spg_tracked *tracked, const struct spg_tracking *tracking)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < tracked->n_uses; i++)
		r = end_use(tracking, &tracked->uses[i], tracking->now_ns);
	for (size_t i = 0; r == 0 && i < tracked->n_locks; i++)
		r = spg_tracked_emit_lock(tracking, SPG_EVENT_UNLOCK,
			&tracked->locks[i], tracking->now_ns);
	if (r == 0)
		spg_tracked_finish(tracked);
	return r;
}
