/* SPDX-License-Identifier: MIT */
#include "common/work.h"

#include <string.h>

#include "common/clock.h"

static _Thread_local struct {
	enum spg_work now;
	int64_t since_ns; /* monotonic */
	int64_t took_ns[SPG_WORK_KINDS];
} at;

const char *spg_work_text(enum spg_work work)
{
#define TEXT(id, text) text,
	static const char *const texts[] = {SPG_WORKS(TEXT)};
#undef TEXT

	return texts[work];
}

static void turn_to(enum spg_work work)
{
	int64_t now_ns = spg_clock_mono_ns();

	at.took_ns[at.now] += now_ns - at.since_ns;
	at.since_ns = now_ns;
	at.now = work;
}

enum spg_work spg_work_begin(enum spg_work work)
{
	enum spg_work before = at.now;

	turn_to(work);
	return before;
}

void spg_work_end(enum spg_work before)
{
	turn_to(before);
}

void spg_work_take(int64_t ret_ns[SPG_WORK_KINDS])
{
	turn_to(at.now);
	memcpy(ret_ns, at.took_ns, sizeof(at.took_ns));
	memset(at.took_ns, 0, sizeof(at.took_ns));
}
