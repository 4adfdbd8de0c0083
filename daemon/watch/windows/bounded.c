/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/bounded.h"

#include <stdint.h>
#include <stdlib.h>

#include <windows.h>

#include "common/err.h"

/* Threads that were given up and have not returned, at most. */
#define HUNG_MAX    32
#define STACK_BYTES (256 * 1024)
#define UNWIND_MS   60
#define CANCEL_MS   20

static SRWLOCK lock = SRWLOCK_INIT;
static atomic_uint n_hung;

/* Shared by caller and thread; whoever lets go last frees it. */
struct spg_bounded_runner {
	struct spg_bounded_work *work;
	const atomic_bool *cancel;
	HANDLE thread, ended;
	atomic_uint refs;
	bool given_up; /* with the lock */
	size_t at;     /* with the lock: the step under way */
	uint64_t n;    /* with the lock: moves on with each step */
};

void spg_bounded_lock(void)
{
	AcquireSRWLockExclusive(&lock);
}

void spg_bounded_unlock(void)
{
	ReleaseSRWLockExclusive(&lock);
}

void spg_bounded_init(struct spg_bounded_work *work)
{
	atomic_init(&work->refs, 1);
}

void spg_bounded_unref(struct spg_bounded_work *work)
{
	if (work && atomic_fetch_sub(&work->refs, 1) == 1)
		work->destroy(work);
}

static void runner_unref(struct spg_bounded_runner *runner)
{
	if (atomic_fetch_sub(&runner->refs, 1) != 1)
		return;
	spg_bounded_unref(runner->work);
	if (runner->thread)
		CloseHandle(runner->thread);
	if (runner->ended)
		CloseHandle(runner->ended);
	free(runner);
}

bool spg_bounded_tick(struct spg_bounded_runner *runner)
{
	bool counts;

	spg_bounded_lock();
	runner->n++;
	counts = !runner->given_up;
	spg_bounded_unlock();
	return counts;
}

bool spg_bounded_counts(const struct spg_bounded_runner *runner)
{
	return !runner->given_up;
}

/* The next step for this thread; false: none, or it counts no more. */
static bool advance(struct spg_bounded_runner *runner, bool first)
{
	bool more;

	spg_bounded_lock();
	runner->at += !first;
	runner->n++;
	/* The caller's flag may be gone once the thread was given up. */
	more = !runner->given_up && runner->at < runner->work->n_steps &&
	       !(runner->cancel && atomic_load(runner->cancel));
	spg_bounded_unlock();
	return more;
}

static DWORD WINAPI run(void *arg)
{
	struct spg_bounded_runner *runner = arg;

	for (bool first = true; advance(runner, first); first = false)
		runner->work->step(runner->work, runner->at, runner);
	spg_bounded_lock();
	if (runner->given_up)
		atomic_fetch_sub(&n_hung, 1);
	SetEvent(runner->ended);
	spg_bounded_unlock();
	runner_unref(runner);
	return 0;
}

static struct spg_bounded_runner *start(
	struct spg_bounded_work *work, size_t at, const atomic_bool *cancel)
{
	struct spg_bounded_runner *runner = calloc(1, sizeof(*runner));

	if (!runner)
		return NULL;
	*runner = (struct spg_bounded_runner){.work = work, .at = at, .cancel = cancel};
	atomic_init(&runner->refs, 2);
	atomic_fetch_add(&work->refs, 1);
	runner->ended = CreateEventW(NULL, TRUE, FALSE, NULL);
	/* Suspended: it frees what the caller has yet to write. */
	if (runner->ended)
		runner->thread = CreateThread(NULL, STACK_BYTES, run, runner,
			CREATE_SUSPENDED | STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
	if (!runner->thread) {
		atomic_store(&runner->refs, 1);
		runner_unref(runner);
		return NULL;
	}
	ResumeThread(runner->thread);
	return runner;
}

static uint64_t count_of(const struct spg_bounded_runner *runner)
{
	uint64_t n;

	spg_bounded_lock();
	n = runner->n;
	spg_bounded_unlock();
	return n;
}

/* What it waits for may be called off: then the step fails and it goes on. Returns true
 * when it has moved or ended. */
static bool nudge(struct spg_bounded_runner *runner, uint64_t seen)
{
	for (unsigned waited = 0; waited < UNWIND_MS; waited += CANCEL_MS) {
		CancelSynchronousIo(runner->thread);
		if (WaitForSingleObject(runner->ended, CANCEL_MS) == WAIT_OBJECT_0 ||
			count_of(runner) != seen)
			return true;
	}
	return false;
}

/* Wait for its end as long as it moves. Returns true when it has ended. */
static bool await(struct spg_bounded_runner *runner, unsigned patience_ms)
{
	uint64_t seen = count_of(runner), now;

	for (;;) {
		if (WaitForSingleObject(runner->ended, patience_ms) == WAIT_OBJECT_0)
			return true;
		now = count_of(runner);
		if (now == seen && !nudge(runner, seen))
			return false;
		seen = now;
	}
}

/* Give up the step that it is at. Returns false when it has ended after all. */
static bool give_up(struct spg_bounded_runner *runner, size_t *ret_step)
{
	spg_bounded_lock();
	if (WaitForSingleObject(runner->ended, 0) == WAIT_OBJECT_0) {
		spg_bounded_unlock();
		return false;
	}
	runner->given_up = true;
	runner->cancel = NULL;
	atomic_fetch_add(&n_hung, 1);
	*ret_step = runner->at;
	if (runner->at < runner->work->n_steps)
		runner->work->on_given_up(runner->work, runner->at);
	spg_bounded_unlock();
	return true;
}

int spg_bounded_run(struct spg_bounded_work *work, unsigned patience_ms,
	const atomic_bool *cancel, size_t *ret_done)
{
	size_t at = 0;

	while (at < work->n_steps) {
		struct spg_bounded_runner *runner;
		bool ended;

		*ret_done = at;
		if (atomic_load(&n_hung) >= HUNG_MAX)
			return SPG_ERR_LIMIT;
		runner = start(work, at, cancel);
		if (!runner)
			return SPG_ERR_NOMEM;
		ended = await(runner, patience_ms) || !give_up(runner, &at);
		if (ended)
			at = runner->at;
		else
			at++;
		runner_unref(runner);
		if (cancel && atomic_load(cancel))
			return SPG_ERR_TIMEOUT;
	}
	*ret_done = work->n_steps;
	return 0;
}
