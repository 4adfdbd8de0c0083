/* SPDX-License-Identifier: MIT */
#include "daemon/proof/barriers.h"

#include <stdlib.h>

#include "common/err.h"

struct spg_settling {
	struct spg_settling *next;
	unsigned passes; /* that have begun since it was asked for */
	uint64_t upto;
	void (*done)(void *user, int err);
	void *user;
};

int spg_settlings_add(
	struct spg_settlings *settlings, void (*done)(void *user, int err), void *user)
{
	struct spg_settling *settling = calloc(1, sizeof(*settling));

	if (!settling)
		return SPG_ERR_NOMEM;
	*settling = (struct spg_settling){
		.next = settlings->first, .done = done, .user = user};
	settlings->first = settling;
	return 0;
}

void spg_settlings_pass(struct spg_settlings *settlings, uint64_t taken)
{
	for (struct spg_settling *s = settlings->first; s; s = s->next)
		if (s->passes++ == 0)
			s->upto = taken;
}

static void finish(struct spg_settlings *settlings, unsigned min_passes,
	uint64_t delivered, int err)
{
	struct spg_settling **at = &settlings->first, *done = NULL;

	/* First out of the list: a callback may settle again. */
	while (*at) {
		struct spg_settling *settling = *at;

		if (err == 0 &&
			(settling->passes == 0 || settling->passes < min_passes ||
				settling->upto > delivered)) {
			at = &settling->next;
			continue;
		}
		*at = settling->next;
		settling->next = done;
		done = settling;
	}
	while (done) {
		struct spg_settling *settling = done;

		done = settling->next;
		settling->done(settling->user, err);
		free(settling);
	}
}

void spg_settlings_finish(
	struct spg_settlings *settlings, unsigned min_passes, uint64_t delivered)
{
	finish(settlings, min_passes, delivered, 0);
}

void spg_settlings_fail(struct spg_settlings *settlings, int err)
{
	finish(settlings, 0, 0, err);
}

bool spg_settlings_need_events(
	const struct spg_settlings *settlings, uint64_t delivered)
{
	for (const struct spg_settling *s = settlings->first; s; s = s->next)
		if (s->passes > 0 && s->upto > delivered)
			return true;
	return false;
}

bool spg_settlings_need_pass(const struct spg_settlings *settlings, uint64_t delivered)
{
	for (const struct spg_settling *s = settlings->first; s; s = s->next)
		if (s->passes == 0 || s->upto <= delivered)
			return true;
	return false;
}
