/* SPDX-License-Identifier: MIT */
#include "daemon/model/tracked.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"

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

static int add_lock(struct spg_tracked *to, const struct spg_tracked_lock *lock)
{
	int r = spg_array_reserve(
		&to->locks, to->n_locks, &to->size_locks, sizeof(*to->locks));

	if (r < 0)
		return r;
	to->locks[to->n_locks++] = *lock;
	spg_file_ref(lock->file);
	spg_process_ref(lock->process);
	return 0;
}

static int order_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int order_file(const struct spg_file *a, const struct spg_file *b)
{
	int order = order_u64(a->id.ino, b->id.ino);

	if (a == b)
		return 0;
	if (order == 0)
		order = order_u64(a->id.dev, b->id.dev);
	return order ? order : strcmp(a->path, b->path);
}

static int order_process(const struct spg_process *a, const struct spg_process *b)
{
	if (a == b)
		return 0;
	if (!a || !b)
		return a ? 1 : -1;
	if (a->id.pid != b->id.pid)
		return a->id.pid < b->id.pid ? -1 : 1;
	return order_u64(a->id.start, b->id.start);
}

/* One user of one file, whatever the how. */
static int order_uses(const void *va, const void *vb)
{
	const struct spg_tracked_use *a = va, *b = vb;
	int order = order_file(a->file, b->file);

	return order ? order : order_process(a->process, b->process);
}

static int order_locks(const void *va, const void *vb)
{
	const struct spg_tracked_lock *a = va, *b = vb;
	int order = order_file(a->file, b->file);

	if (order == 0)
		order = order_process(a->process, b->process);
	if (order == 0)
		order = (int)a->lock.kind - (int)b->lock.kind;
	if (order == 0)
		order = (int)a->lock.mode - (int)b->lock.mode;
	if (order == 0)
		order = (int)a->state - (int)b->state;
	if (order == 0)
		order = order_u64((uint64_t)a->lock.start, (uint64_t)b->lock.start);
	if (order == 0)
		order = order_u64((uint64_t)a->lock.end, (uint64_t)b->lock.end);
	return order;
}

static int emit(const struct spg_tracking *t, struct spg_event *event)
{
	if (event) {
		event->product = strdup(t->product);
		if (!event->product) {
			spg_event_unref(event);
			event = NULL;
		}
	}
	return spg_event_list_add(t->changes, event);
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
	return emit(t, event);
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
	return emit(t, event);
}

static int emit_lock(const struct spg_tracking *t, enum spg_event_kind kind,
	const struct spg_tracked_lock *lock, int64_t at_ns)
{
	struct spg_event *event =
		spg_event_create(kind, at_ns, lock->file, lock->process);

	if (event) {
		event->lock = lock->lock;
		event->interval = lock->interval;
		event->since_ns = lock->since_ns;
	}
	return emit(t, event);
}

static int begin_lock(const struct spg_tracking *t, struct spg_tracked_lock *lock)
{
	lock->interval = ++*t->last_interval;
	return emit_lock(t,
		lock->state == SPG_LOCK_WAITING ? SPG_EVENT_LOCK_WAIT : SPG_EVENT_LOCK,
		lock, lock->since_ns);
}

/* The end as the event of closing dated it, else now: when it was noticed. */
static int64_t end_time(const struct spg_tracking *t, const struct spg_tracked_use *use)
{
	return spg_hints_last(t->hints, use->file->path, use->process->id.pid,
		SPG_EVENT_BIT(SPG_EVENT_CLOSE), use->began_ns, t->now_ns);
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

static int collect_locks(const struct spg_observation *obs, struct spg_tracked *found)
{
	for (size_t i = 0; i < obs->n_locks; i++) {
		const struct spg_seen_lock *seen = &obs->locks[i];
		struct spg_tracked_lock lock = {.file = obs->files[seen->file].file,
			.process = seen->process,
			.lock = {seen->kind, seen->mode, seen->start, seen->end},
			.state = seen->state};
		int r;

		if (!spg_product_has_name(obs->product, spg_path_base(lock.file->path)))
			continue;
		r = add_lock(found, &lock);
		if (r < 0)
			return r;
	}
	if (found->n_locks > 0)
		qsort(found->locks, found->n_locks, sizeof(*found->locks), order_locks);
	return 0;
}

/* True when @obs looked at @file, so that silence about it means "no use". */
static bool in_scope(const struct spg_observation *obs, const struct spg_file *file)
{
	if (obs->depth == SPG_SURVEY_FULL)
		return true;
	for (size_t i = 0; i < obs->n_files; i++)
		if (strcmp(obs->files[i].file->path, file->path) == 0)
			return true;
	return false;
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
			r = in_scope(obs, was->file) ? end_use(t, was, end_time(t, was))
			                             : add_use(found, was);
			i++;
			continue;
		}
		j++;
		if (order > 0) {
			is->since_ns = spg_hints_last(t->hints, is->file->path,
				is->process->id.pid, OPEN_KINDS,
				is->process->started_ns, t->now_ns);
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

static int merge_locks(const struct spg_tracked *old, const struct spg_observation *obs,
	const struct spg_tracking *t, struct spg_tracked *found)
{
	size_t n_found = found->n_locks;
	size_t i = 0, j = 0;
	int r = 0;

	while (r == 0 && (i < old->n_locks || j < n_found)) {
		const struct spg_tracked_lock *was =
			i < old->n_locks ? &old->locks[i] : NULL;
		struct spg_tracked_lock *is = j < n_found ? &found->locks[j] : NULL;
		int order = !was ? 1 : !is ? -1 : order_locks(was, is);

		if (order < 0) {
			r = in_scope(obs, was->file)
			            ? emit_lock(t, SPG_EVENT_UNLOCK, was, t->now_ns)
			            : add_lock(found, was);
			i++;
		} else if (order > 0) {
			is->since_ns = t->now_ns;
			r = begin_lock(t, is);
			j++;
		} else {
			is->since_ns = was->since_ns;
			is->interval = was->interval;
			i++;
			j++;
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
			.state = seen->state};
		const struct spg_tracked_lock *lock =
			tracked->n_locks
				? bsearch(&key, tracked->locks, tracked->n_locks,
					  sizeof(key), order_locks)
				: NULL;

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
		r = collect_locks(obs, &found);
	if (r == 0 && uses_too)
		r = merge_uses(tracked, obs, tracking, &found);
	if (r == 0)
		r = merge_locks(tracked, obs, tracking, &found);
	if (r < 0) {
		spg_tracked_finish(&found);
		return r;
	}
	if (found.n_uses > 0)
		qsort(found.uses, found.n_uses, sizeof(*found.uses), order_uses);
	if (found.n_locks > 0)
		qsort(found.locks, found.n_locks, sizeof(*found.locks), order_locks);
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
		r = emit_lock(tracking, SPG_EVENT_UNLOCK, &tracked->locks[i],
			tracking->now_ns);
	if (r == 0)
		spg_tracked_finish(tracked);
	return r;
}
