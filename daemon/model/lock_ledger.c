/* SPDX-License-Identifier: MIT */
#include "daemon/model/lock_ledger.h"

#include <string.h>

#include "common/err.h"
#include "daemon/model/tracked_locks.h"

/* One step under way. */
struct step {
	struct spg_tracked *tracked;
	const struct spg_lock_note *note;
	const struct spg_tracking *t;
};

/* True when @lock belongs to whoever made the note. A survey may not have seen
 * the owner; then the process has to do. */
static bool is_own(const struct step *s, const struct spg_tracked_lock *lock)
{
	const struct spg_lock_note *note = s->note;

	if (lock->lock.kind != note->lock.kind)
		return false;
	if (lock->owner ? lock->owner != note->owner
			: !lock->process || !note->process ||
				  lock->process->id.pid != note->process->id.pid)
		return false;
	return spg_tracked_order_file(lock->file, note->file) == 0;
}

static int begin(const struct step *s, const struct spg_event_lock *what,
	enum spg_lock_state state)
{
	struct spg_tracked *tracked = s->tracked;
	struct spg_tracked_lock lock = {.file = s->note->file,
		.process = s->note->process,
		.lock = *what,
		.state = state,
		.owner = s->note->owner,
		.since_ns = s->note->at_ns};
	size_t low = 0, high;
	int r = spg_tracked_begin_lock(s->t, &lock);

	if (r == 0)
		r = spg_tracked_add_lock(tracked, &lock);
	if (r < 0)
		return r;
	/* Into its place, for they are sorted. */
	high = tracked->n_locks - 1;
	lock = tracked->locks[high];
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (spg_tracked_order_locks(&tracked->locks[middle], &lock) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	memmove(&tracked->locks[low + 1], &tracked->locks[low],
		(tracked->n_locks - 1 - low) * sizeof(lock));
	tracked->locks[low] = lock;
	return 0;
}

/* End the lock at @index, and take it out. */
static int end(const struct step *s, size_t index)
{
	struct spg_tracked *tracked = s->tracked;
	struct spg_tracked_lock *lock = &tracked->locks[index];
	int r = spg_tracked_emit_lock(s->t, SPG_EVENT_UNLOCK, lock, s->note->at_ns);

	spg_file_unref(lock->file);
	spg_process_unref(lock->process);
	memmove(lock, lock + 1, (--tracked->n_locks - index) * sizeof(*lock));
	return r;
}

/* End what the caller waited for: it has it now, or gave up. (The kernel tells of a
 * lock that was given with the neighbours it has joined.) */
static int end_waiting(const struct step *s)
{
	for (size_t i = 0; i < s->tracked->n_locks; i++) {
		const struct spg_tracked_lock *lock = &s->tracked->locks[i];

		if (lock->state == SPG_LOCK_WAITING && is_own(s, lock) &&
			lock->lock.mode == s->note->lock.mode &&
			lock->lock.start >= s->note->lock.start &&
			lock->lock.end <= s->note->lock.end)
			return end(s, i);
	}
	return 0;
}

/* A lock on the whole file. */
static bool is_whole(const struct spg_lock_note *note)
{
	return note->lock.kind == SPG_LOCK_FLOCK || note->lock.kind == SPG_LOCK_LEASE;
}

/* End every held lock of the caller, but for one of the mode @stays (-1: none).
 * *ret_stayed: there is one. */
static int end_whole(const struct step *s, int stays, bool *ret_stayed)
{
	int r = 0;

	*ret_stayed = false;
	for (size_t i = 0; r == 0 && i < s->tracked->n_locks;) {
		const struct spg_tracked_lock *lock = &s->tracked->locks[i];

		if (lock->state != SPG_LOCK_HELD || !is_own(s, lock)) {
			i++;
		} else if ((int)lock->lock.mode == stays) {
			*ret_stayed = true;
			i++;
		} else {
			r = end(s, i);
		}
	}
	return r;
}

static bool touches(const struct spg_event_lock *a, const struct spg_event_lock *b)
{
	return (a->end == SPG_LOCK_EOF || a->end + 1 >= b->start) &&
	       (b->end == SPG_LOCK_EOF || b->end + 1 >= a->start);
}

static bool overlaps(const struct spg_event_lock *a, const struct spg_event_lock *b)
{
	return a->start <= b->end && b->start <= a->end;
}

/* What is left of @was when @cut is taken away: 0 to 2 ranges. */
static size_t subtract(const struct spg_event_lock *was,
	const struct spg_event_lock *cut, struct spg_event_lock rest[2])
{
	size_t n = 0;

	if (was->start < cut->start) {
		rest[n] = *was;
		rest[n++].end = cut->start - 1;
	}
	if (was->end > cut->end) {
		rest[n] = *was;
		rest[n++].start = cut->end + 1;
	}
	return n;
}

/* Take the note's range out of the caller's locks, whatever their mode. */
static int cut_range(const struct step *s)
{
	const struct spg_event_lock *cut = &s->note->lock;
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->tracked->n_locks;) {
		const struct spg_tracked_lock *lock = &s->tracked->locks[i];
		struct spg_event_lock rest[2];
		size_t n;

		if (lock->state != SPG_LOCK_HELD || !is_own(s, lock) ||
			!overlaps(&lock->lock, cut)) {
			i++;
			continue;
		}
		n = subtract(&lock->lock, cut, rest);
		r = end(s, i);
		for (size_t k = 0; r == 0 && k < n; k++)
			r = begin(s, &rest[k], SPG_LOCK_HELD);
		/* What began may lie before: it does not overlap, so look again. */
		i = n > 0 ? 0 : i;
	}
	return r;
}

/* Lock the note's range: one with its neighbours of the same mode. */
static int take_range(const struct step *s)
{
	struct spg_event_lock whole = s->note->lock;
	bool more = true;

	/* Grow until nothing more joins. */
	while (more) {
		more = false;
		for (size_t i = 0; i < s->tracked->n_locks; i++) {
			const struct spg_tracked_lock *lock = &s->tracked->locks[i];

			if (lock->state != SPG_LOCK_HELD || !is_own(s, lock) ||
				lock->lock.mode != whole.mode ||
				!touches(&lock->lock, &whole))
				continue;
			if (lock->lock.start <= s->note->lock.start &&
				lock->lock.end >= s->note->lock.end)
				return 0; /* it had that already */
			if (lock->lock.start < whole.start) {
				whole.start = lock->lock.start;
				more = true;
			}
			if (lock->lock.end > whole.end) {
				whole.end = lock->lock.end;
				more = true;
			}
		}
	}
	/* What it joins goes into it; of the other mode its own range is cut. */
	for (size_t i = 0; i < s->tracked->n_locks;) {
		const struct spg_tracked_lock *lock = &s->tracked->locks[i];

		if (lock->state != SPG_LOCK_HELD || !is_own(s, lock) ||
			lock->lock.mode != whole.mode || !overlaps(&lock->lock, &whole))
			i++;
		else if (end(s, i) < 0)
			return SPG_ERR_NOMEM;
	}
	if (cut_range(s) < 0)
		return SPG_ERR_NOMEM;
	return begin(s, &whole, SPG_LOCK_HELD);
}

static int take(const struct step *s)
{
	bool stayed;
	int r = end_waiting(s);

	if (r < 0 || !is_whole(s->note))
		return r < 0 ? r : take_range(s);
	r = end_whole(s, (int)s->note->lock.mode, &stayed);
	if (r == 0 && !stayed)
		r = begin(s, &s->note->lock, SPG_LOCK_HELD);
	return r == 0 && s->note->lock.kind == SPG_LOCK_LEASE ? SPG_LEDGER_LOOK : r;
}

static int release(const struct step *s)
{
	bool stayed;

	return is_whole(s->note) ? end_whole(s, -1, &stayed) : cut_range(s);
}

/* flock(2) gives up the lock it converts before it asks for the new one. */
static int convert(const struct step *s)
{
	bool stayed;

	return s->note->lock.kind == SPG_LOCK_FLOCK
	               ? end_whole(s, (int)s->note->lock.mode, &stayed)
	               : 0;
}

static int wait(const struct step *s)
{
	int r = convert(s);

	/* Woken and refused again, it goes on waiting. */
	for (size_t i = 0; r == 0 && i < s->tracked->n_locks; i++) {
		const struct spg_tracked_lock *lock = &s->tracked->locks[i];

		if (lock->state == SPG_LOCK_WAITING && is_own(s, lock) &&
			lock->lock.mode == s->note->lock.mode &&
			lock->lock.start == s->note->lock.start &&
			lock->lock.end == s->note->lock.end)
			return 0;
	}
	return r == 0 ? begin(s, &s->note->lock, SPG_LOCK_WAITING) : r;
}

static int refuse(const struct step *s)
{
	struct spg_tracked_lock lock = {.file = s->note->file,
		.process = s->note->process,
		.lock = s->note->lock};
	int r = convert(s);

	if (r == 0)
		r = end_waiting(s);
	return r == 0 ? spg_tracked_emit_lock(
				s->t, SPG_EVENT_LOCK_FAIL, &lock, s->note->at_ns)
	              : r;
}

int spg_ledger_note(struct spg_tracked *tracked, const struct spg_lock_note *note,
	const struct spg_tracking *tracking)
{
	const struct step s = {tracked, note, tracking};

	switch (note->step) {
	case SPG_STEP_TAKEN:
		return take(&s);
	case SPG_STEP_RELEASED:
		return release(&s);
	case SPG_STEP_WAITS:
		return wait(&s);
	case SPG_STEP_REFUSED:
		return refuse(&s);
	}
	return 0;
}
