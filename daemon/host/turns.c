/* SPDX-License-Identifier: MIT */
#include "daemon/host/turns.h"

#include <inttypes.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/work.h"

#define WARN_EVERY_NS (60 * SPG_NS_PER_S)

static int64_t processor_ns(void)
{
	struct timespec at;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at) < 0)
		return 0;
	return at.tv_sec * SPG_NS_PER_S + at.tv_nsec;
}

static void warn(struct spg_turns *turns, int64_t took_ns,
	const int64_t works_ns[SPG_WORK_KINDS], int64_t now_ns)
{
	enum spg_work most = SPG_WORK_OTHER;

	if (turns->warned_ns && now_ns - turns->warned_ns < WARN_EVERY_NS) {
		turns->n_untold++;
		return;
	}
	for (int i = 0; i < SPG_WORK_KINDS; i++)
		if (works_ns[i] > works_ns[most])
			most = (enum spg_work)i;
	spg_warning("everybody waited for %" PRId64
		    " ms while the daemon was busy with %s (%" PRIu64
		    " more such waits since the last message)",
		took_ns / SPG_NS_PER_MS, spg_work_text(most), turns->n_untold);
	turns->warned_ns = now_ns;
	turns->n_untold = 0;
}

/* Just before the loop waits for something to happen. */
static void on_prepare(uv_prepare_t *prepare)
{
	struct spg_turns *turns = prepare->data;
	uint64_t idle_ns = uv_metrics_idle_time(prepare->loop);
	int64_t now_ns = spg_clock_mono_ns(), busy_ns = processor_ns();
	int64_t took_ns =
		now_ns - turns->began_ns - (int64_t)(idle_ns - turns->idle_ns);
	int64_t works_ns[SPG_WORK_KINDS];

	spg_work_take(works_ns);
	spg_histogram_add(&turns->durations, took_ns);
	if (busy_ns - turns->processor_ns > SPG_TURN_WARN_NS)
		warn(turns, took_ns, works_ns, now_ns);
	turns->began_ns = now_ns;
	turns->idle_ns = idle_ns;
	turns->processor_ns = busy_ns;
}

void spg_turns_start(struct spg_turns *turns, uv_loop_t *loop)
{
	int64_t works_ns[SPG_WORK_KINDS];

	*turns = (struct spg_turns){
		.began_ns = spg_clock_mono_ns(), .processor_ns = processor_ns()};
	spg_work_take(works_ns);
	(void)uv_loop_configure(loop, UV_METRICS_IDLE_TIME);
	turns->idle_ns = uv_metrics_idle_time(loop);
	/* These cannot fail: they allocate nothing (docs.libuv.org, prepare). */
	uv_prepare_init(loop, &turns->prepare);
	turns->prepare.data = turns;
	uv_prepare_start(&turns->prepare, on_prepare);
	uv_unref((uv_handle_t *)&turns->prepare);
}

void spg_turns_stop(struct spg_turns *turns)
{
	uv_close((uv_handle_t *)&turns->prepare, NULL);
}
