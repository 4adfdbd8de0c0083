/* SPDX-License-Identifier: MIT */
#include "daemon/model/tracked_locks.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"

static int order_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

int spg_tracked_order_file(const struct spg_file *a, const struct spg_file *b)
{
	int order = order_u64(a->id.ino, b->id.ino);

	if (a == b)
		return 0;
	if (order == 0)
		order = order_u64(a->id.dev, b->id.dev);
	return order ? order : strcmp(a->path, b->path);
}

int spg_tracked_order_process(const struct spg_process *a, const struct spg_process *b)
{
	if (a == b)
		return 0;
	if (!a || !b)
		return a ? 1 : -1;
	if (a->id.pid != b->id.pid)
		return a->id.pid < b->id.pid ? -1 : 1;
	return order_u64(a->id.start, b->id.start);
}

/* What one lock of a file is, whoever has it. */
static int order_lock(
	const struct spg_tracked_lock *a, const struct spg_tracked_lock *b)
{
	int order = (int)a->lock.kind - (int)b->lock.kind;

	if (order == 0)
		order = (int)a->lock.mode - (int)b->lock.mode;
	if (order == 0)
		order = (int)a->state - (int)b->state;
	if (order == 0)
		order = order_u64((uint64_t)a->lock.start, (uint64_t)b->lock.start);
	return order ? order : order_u64((uint64_t)a->lock.end, (uint64_t)b->lock.end);
}

int spg_tracked_order_locks(const void *va, const void *vb)
{
	const struct spg_tracked_lock *a = va, *b = vb;
	int order = spg_tracked_order_file(a->file, b->file);

	if (order == 0)
		order = spg_tracked_order_process(a->process, b->process);
	if (order == 0)
		order = order_u64(a->owner, b->owner);
	return order ? order : order_lock(a, b);
}

int spg_tracked_add_lock(struct spg_tracked *to, const struct spg_tracked_lock *lock)
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

int spg_tracked_emit(const struct spg_tracking *t, struct spg_event *event)
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

int spg_tracked_emit_lock(const struct spg_tracking *t, enum spg_event_kind kind,
	const struct spg_tracked_lock *lock, int64_t at_ns)
{
	struct spg_event *event =
		spg_event_create(kind, at_ns, lock->file, lock->process);

	if (event) {
		event->lock = lock->lock;
		event->interval = lock->interval;
		event->since_ns = lock->since_ns;
	}
	return spg_tracked_emit(t, event);
}

int spg_tracked_begin_lock(const struct spg_tracking *t, struct spg_tracked_lock *lock)
{
	lock->interval = ++*t->last_interval;
	return spg_tracked_emit_lock(t,
		lock->state == SPG_LOCK_WAITING ? SPG_EVENT_LOCK_WAIT : SPG_EVENT_LOCK,
		lock, lock->since_ns);
}

int spg_tracked_collect_locks(
	const struct spg_observation *obs, struct spg_tracked *found)
{
	for (size_t i = 0; i < obs->n_locks; i++) {
		const struct spg_seen_lock *seen = &obs->locks[i];
		struct spg_tracked_lock lock = {.file = obs->files[seen->file].file,
			.process = seen->process,
			.lock = {seen->kind, seen->mode, seen->start, seen->end},
			.state = seen->state,
			.owner = seen->owner};
		int r;

		if (obs->files[seen->file].presence == SPG_GONE ||
			!spg_product_has_name(
				obs->product, spg_path_base(lock.file->path)))
			continue;
		r = spg_tracked_add_lock(found, &lock);
		if (r < 0)
			return r;
	}
	if (found->n_locks > 0)
		qsort(found->locks, found->n_locks, sizeof(*found->locks),
			spg_tracked_order_locks);
	return 0;
}

/* True when @obs looked at @file, so that silence about it means "no use". */
bool spg_tracked_in_scope(
	const struct spg_observation *obs, const struct spg_file *file)
{
	if (obs->depth == SPG_SURVEY_FULL)
		return true;
	for (size_t i = 0; i < obs->n_files; i++)
		if (strcmp(obs->files[i].file->path, file->path) == 0)
			return true;
	return false;
}

/*
 * Without lock events: what the last reading had and this one has not ended in
 * between, whoever shows it.
 */
static int merge_plain(const struct spg_tracked *old, const struct spg_observation *obs,
	const struct spg_tracking *t, struct spg_tracked *found)
{
	size_t n_found = found->n_locks;
	size_t i = 0, j = 0;
	int r = 0;

	while (r == 0 && (i < old->n_locks || j < n_found)) {
		const struct spg_tracked_lock *was =
			i < old->n_locks ? &old->locks[i] : NULL;
		struct spg_tracked_lock *is = j < n_found ? &found->locks[j] : NULL;
		int order = !was ? 1 : !is ? -1 : spg_tracked_order_locks(was, is);

		if (order < 0) {
			r = spg_tracked_in_scope(obs, was->file)
			            ? spg_tracked_emit_lock(
					      t, SPG_EVENT_UNLOCK, was, t->now_ns)
			            : spg_tracked_add_lock(found, was);
			i++;
		} else if (order > 0) {
			is->since_ns = t->now_ns;
			r = spg_tracked_begin_lock(t, is);
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

/* --- with lock events -------------------------------------------------------- */

/* What is locked, whoever does it. */
static int order_what(
	const struct spg_tracked_lock *a, const struct spg_tracked_lock *b)
{
	int order = spg_tracked_order_file(a->file, b->file);

	return order ? order : order_lock(a, b);
}

static int order_pointers(const void *va, const void *vb)
{
	const struct spg_tracked_lock *const *a = va, *const *b = vb;
	int order = order_what(*a, *b);

	return order ? order : spg_tracked_order_locks(*a, *b);
}

/* Pointers to @locks, sorted by what is locked. The caller frees. */
static struct spg_tracked_lock **sort_by_what(struct spg_tracked_lock *locks, size_t n)
{
	struct spg_tracked_lock **sorted = calloc(n + 1, sizeof(*sorted));

	for (size_t i = 0; sorted && i < n; i++)
		sorted[i] = &locks[i];
	if (sorted && n > 0)
		qsort(sorted, n, sizeof(*sorted), order_pointers);
	return sorted;
}

/* How surely a lock that a survey saw is the one that is known. */
enum likeness {
	OTHER,
	SOMEBODYS, /* whose is not known: an heir shows it, or nobody */
	SAME_PROCESS,
	SAME_OWNER, /* handed on: its process has not got it any more, or shares it */
	SAME
};

static enum likeness compare(
	const struct spg_tracked_lock *known, const struct spg_tracked_lock *seen)
{
	bool process = spg_tracked_order_process(known->process, seen->process) == 0;

	if (known->owner && seen->owner && known->owner != seen->owner)
		return OTHER;
	if (known->owner && seen->owner)
		return process ? SAME : SAME_OWNER;
	return process ? SAME_PROCESS : SOMEBODYS;
}

const struct spg_tracked_lock *spg_tracked_find_lock(
	const struct spg_tracked *tracked, const struct spg_tracked_lock *key)
{
	const struct spg_tracked_lock *best = NULL;
	enum likeness sure = OTHER;

	if (tracked->n_locks > 0)
		best = bsearch(key, tracked->locks, tracked->n_locks, sizeof(*key),
			spg_tracked_order_locks);
	if (best)
		return best;
	for (size_t i = 0; sure < SAME && i < tracked->n_locks; i++) {
		const struct spg_tracked_lock *lock = &tracked->locks[i];

		if (order_what(lock, key) == 0 && compare(lock, key) > sure) {
			sure = compare(lock, key);
			best = lock;
		}
	}
	return best;
}

/* The locks that are alike in what they lock. */
struct group {
	struct spg_tracked_lock **known, **seen; /* NULL: paired */
	size_t n_known, n_seen;
};

/*
 * The known lock @known is the seen one @seen. When it was handed on (a child has
 * inherited it, and its process has ended or closed it), whoever has it now has an
 * interval of his own.
 */
static int keep_on(const struct spg_tracking *t, const struct spg_tracked_lock *known,
	struct spg_tracked_lock *seen, enum likeness sure, struct spg_tracked *to)
{
	struct spg_tracked_lock lock = *known;
	int r;

	if (sure == SAME_OWNER && seen->process) {
		r = spg_tracked_emit_lock(t, SPG_EVENT_UNLOCK, known, t->now_ns);
		seen->since_ns = t->now_ns;
		if (r == 0)
			r = spg_tracked_begin_lock(t, seen);
		return r == 0 ? spg_tracked_add_lock(to, seen) : r;
	}
	lock.file = seen->file;
	if (!lock.owner)
		lock.owner = seen->owner;
	return spg_tracked_add_lock(to, &lock);
}

/* Pair the known with the seen, the surest first; the pairs are appended. */
static int pair(
	struct group *group, const struct spg_tracking *t, struct spg_tracked *to)
{
	int r = 0;

	for (enum likeness sure = SAME; sure > OTHER; sure--) {
		for (size_t i = 0; r == 0 && i < group->n_known; i++) {
			for (size_t j = 0; group->known[i] && j < group->n_seen; j++) {
				if (!group->seen[j] || compare(group->known[i],
							       group->seen[j]) != sure)
					continue;
				r = keep_on(
					t, group->known[i], group->seen[j], sure, to);
				group->known[i] = group->seen[j] = NULL;
			}
		}
	}
	return r;
}

/* True when one of the locks appended from @first on is @seen, shown by an heir
 * of the descriptor. */
static bool is_heir(
	const struct spg_tracked *to, size_t first, const struct spg_tracked_lock *seen)
{
	for (size_t i = first; i < to->n_locks; i++)
		if (seen->owner && to->locks[i].owner == seen->owner)
			return true;
	return false;
}

/* What ends without an event of its own: a lease ends by closing; that somebody gave
 * up waiting is only seen. */
static int64_t end_time(
	const struct spg_tracking *t, const struct spg_tracked_lock *lock)
{
	int64_t after_ns =
		lock->since_ns > t->looked_ns ? lock->since_ns : t->looked_ns;

	if (lock->lock.kind != SPG_LOCK_LEASE || !lock->process)
		return t->now_ns;
	return spg_hints_last(t->hints, lock->file->path, lock->process->id.pid,
		SPG_EVENT_BIT(SPG_EVENT_CLOSE), after_ns, t->now_ns);
}

/* True when silence about the lock @known means that it is over. */
static bool was_looked_at(
	const struct spg_observation *obs, const struct spg_tracked_lock *known)
{
	for (size_t i = 0; i < obs->n_files; i++) {
		const struct spg_seen_file *seen = &obs->files[i];

		if (spg_tracked_order_file(seen->file, known->file) != 0)
			continue;
		if (seen->presence == SPG_GONE)
			return true;
		if (seen->in_use == SPG_IN_USE_UNKNOWN)
			return false;
		return !seen->locks_unread ||
		       (seen->nobody_waits && known->state == SPG_LOCK_WAITING);
	}
	return obs->depth == SPG_SURVEY_FULL;
}

static int merge_group(struct group *group, const struct spg_observation *obs,
	const struct spg_tracking *t, struct spg_tracked *to)
{
	size_t first = to->n_locks;
	int r = pair(group, t, to);

	for (size_t i = 0; r == 0 && i < group->n_known; i++) {
		const struct spg_tracked_lock *known = group->known[i];

		if (known && was_looked_at(obs, known))
			r = spg_tracked_emit_lock(
				t, SPG_EVENT_UNLOCK, known, end_time(t, known));
		else if (known)
			r = spg_tracked_add_lock(to, known);
	}
	for (size_t j = 0; r == 0 && j < group->n_seen; j++) {
		if (!group->seen[j] || is_heir(to, first, group->seen[j]))
			continue;
		group->seen[j]->since_ns = t->now_ns;
		r = spg_tracked_begin_lock(t, group->seen[j]);
		if (r == 0)
			r = spg_tracked_add_lock(to, group->seen[j]);
	}
	return r;
}

/*
 * With lock events what is known should be what is seen: a survey only confirms
 * it, finds what was locked before there were events, and mends what a gap left.
 * A lock is one interval, however many processes have inherited its descriptor.
 */
static int merge_exact(struct spg_tracked *old, const struct spg_observation *obs,
	const struct spg_tracking *t, struct spg_tracked *found)
{
	struct spg_tracked_lock **known = sort_by_what(old->locks, old->n_locks);
	struct spg_tracked_lock **seen = sort_by_what(found->locks, found->n_locks);
	struct spg_tracked merged = {0};
	size_t i = 0, j = 0;
	int r = known && seen ? 0 : SPG_ERR_NOMEM;

	while (r == 0 && (i < old->n_locks || j < found->n_locks)) {
		struct group group = {.known = known + i, .seen = seen + j};
		const struct spg_tracked_lock *what;

		what = i >= old->n_locks                    ? seen[j]
		       : j >= found->n_locks                ? known[i]
		       : order_what(known[i], seen[j]) <= 0 ? known[i]
		                                            : seen[j];
		while (i < old->n_locks && order_what(known[i], what) == 0) {
			group.n_known++;
			i++;
		}
		while (j < found->n_locks && order_what(seen[j], what) == 0) {
			group.n_seen++;
			j++;
		}
		r = merge_group(&group, obs, t, &merged);
	}
	free(known);
	free(seen);
	if (r == 0)
		spg_tracked_swap_locks(found, &merged);
	spg_tracked_finish(&merged);
	return r;
}

/* As if the survey had not looked at locks: it is older than what is known. */
static int keep(const struct spg_tracked *old, struct spg_tracked *found)
{
	struct spg_tracked kept = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < old->n_locks; i++)
		r = spg_tracked_add_lock(&kept, &old->locks[i]);
	if (r == 0)
		spg_tracked_swap_locks(found, &kept);
	spg_tracked_finish(&kept);
	return r;
}

int spg_tracked_merge_locks(struct spg_tracked *old, const struct spg_observation *obs,
	const struct spg_tracking *t, struct spg_tracked *found)
{
	if (!t->lock_events)
		return merge_plain(old, obs, t, found);
	return t->keep_locks ? keep(old, found) : merge_exact(old, obs, t, found);
}

void spg_tracked_swap_locks(struct spg_tracked *a, struct spg_tracked *b)
{
	struct spg_tracked was = *a;

	a->locks = b->locks;
	a->n_locks = b->n_locks;
	a->size_locks = b->size_locks;
	b->locks = was.locks;
	b->n_locks = was.n_locks;
	b->size_locks = was.size_locks;
}
