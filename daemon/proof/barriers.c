/* SPDX-License-Identifier: MIT */
#include "daemon/proof/barriers.h"

#include <stdlib.h>

#include "common/err.h"

struct spg_barrier {
	struct spg_barrier *next;
	bool counts;     /* it was there when the events before the pass were read */
	unsigned passes; /* that have begun since it was asked for */
	uint64_t upto;
	void (*done)(void *user, int err);
	void *user;
};

int spg_barriers_add(
	struct spg_barriers *barriers, void (*done)(void *user, int err), void *user)
{
	struct spg_barrier *barrier = calloc(1, sizeof(*barrier));

	if (!barrier)
		return SPG_ERR_NOMEM;
	*barrier = (struct spg_barrier){
		.next = barriers->first, .done = done, .user = user};
	barriers->first = barrier;
	return 0;
}

void spg_barriers_begin_pass(struct spg_barriers *barriers)
{
	for (struct spg_barrier *s = barriers->first; s; s = s->next)
		s->counts = true;
}

void spg_barriers_pass(struct spg_barriers *barriers, uint64_t taken)
{
	for (struct spg_barrier *s = barriers->first; s; s = s->next)
		if (s->counts && s->passes++ == 0)
			s->upto = taken;
}

static void finish(
	struct spg_barriers *barriers, unsigned min_passes, uint64_t delivered, int err)
{
	struct spg_barrier **at = &barriers->first, *done = NULL;

	/* First out of the list: a callback may settle again. */
	while (*at) {
		struct spg_barrier *barrier = *at;

		if (err == 0 && (barrier->passes == 0 || barrier->passes < min_passes ||
					barrier->upto > delivered)) {
			at = &barrier->next;
			continue;
		}
		*at = barrier->next;
		barrier->next = done;
		done = barrier;
	}
	while (done) {
		struct spg_barrier *barrier = done;

		done = barrier->next;
		barrier->done(barrier->user, err);
		free(barrier);
	}
}

void spg_barriers_finish(
	struct spg_barriers *barriers, unsigned min_passes, uint64_t delivered)
{
	finish(barriers, min_passes, delivered, 0);
}

void spg_barriers_fail(struct spg_barriers *barriers, int err)
{
	finish(barriers, 0, 0, err);
}

bool spg_barriers_need_events(const struct spg_barriers *barriers, uint64_t delivered)
{
	for (const struct spg_barrier *s = barriers->first; s; s = s->next)
		if (s->passes > 0 && s->upto > delivered)
			return true;
	return false;
}

bool spg_barriers_need_pass(const struct spg_barriers *barriers, uint64_t delivered)
{
	for (const struct spg_barrier *s = barriers->first; s; s = s->next)
		if (s->passes == 0 || s->upto <= delivered)
			return true;
	return false;
}
