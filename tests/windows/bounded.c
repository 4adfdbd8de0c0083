/* SPDX-License-Identifier: MIT */
/*
 * Steps that hang: each is given up, the others are taken, and what a step that was given
 * up comes to later changes nothing. Says "ok", or what is wrong.
 */
#include <stdio.h>
#include <stdlib.h>

#include <windows.h>

#include "common/err.h"
#include "daemon/watch/windows/bounded.h"

#define N_STEPS     1000
#define PATIENCE_MS 100

struct sums {
	struct spg_bounded_work work;
	int taken[N_STEPS], given_up[N_STEPS];
	HANDLE go;
};

static atomic_int n_destroyed;

/* The 5th and the last hang; the 7th takes long, but moves. */
static void step(
	struct spg_bounded_work *work, size_t index, struct spg_bounded_runner *runner)
{
	struct sums *sums = (struct sums *)work;

	if (index == 5 || index == N_STEPS - 1)
		WaitForSingleObject(sums->go, INFINITE);
	for (int i = 0; index == 7 && i < 20; i++) {
		Sleep(PATIENCE_MS / 4);
		(void)spg_bounded_tick(runner);
	}
	spg_bounded_lock();
	sums->taken[index] += spg_bounded_counts(runner);
	spg_bounded_unlock();
}

static void on_given_up(struct spg_bounded_work *work, size_t index)
{
	((struct sums *)work)->given_up[index]++;
}

static void destroy(struct spg_bounded_work *work)
{
	free(work);
	atomic_fetch_add(&n_destroyed, 1);
}

static int fail(const char *what)
{
	printf("%s\n", what);
	return 1;
}

int main(void)
{
	struct sums *sums = calloc(1, sizeof(*sums));
	HANDLE go = CreateEventW(NULL, TRUE, FALSE, NULL);
	ULONGLONG began = GetTickCount64();
	atomic_bool cancel;
	size_t done = 0;

	if (!sums)
		return fail("no memory");
	atomic_init(&cancel, false);
	sums->go = go;
	sums->work = (struct spg_bounded_work){.step = step,
		.on_given_up = on_given_up,
		.destroy = destroy,
		.n_steps = N_STEPS};
	spg_bounded_init(&sums->work);
	if (spg_bounded_run(&sums->work, PATIENCE_MS, &cancel, &done) != 0 ||
		done != N_STEPS)
		return fail("not all steps were taken");
	if (GetTickCount64() - began > 20 * PATIENCE_MS + 3000)
		return fail("it took too long");
	for (size_t i = 0; i < N_STEPS; i++) {
		int hangs = i == 5 || i == N_STEPS - 1;

		if (sums->taken[i] != !hangs || sums->given_up[i] != hangs)
			return fail("a step was taken twice, or not at all");
	}
	atomic_store(&cancel, true);
	if (spg_bounded_run(&sums->work, PATIENCE_MS, &cancel, &done) !=
		SPG_ERR_TIMEOUT)
		return fail("it was not cancelled");
	spg_bounded_unref(&sums->work);
	if (atomic_load(&n_destroyed) != 0)
		return fail("it was destroyed while a step had it");
	SetEvent(go);
	for (int i = 0; i < 100 && atomic_load(&n_destroyed) == 0; i++)
		Sleep(20);
	if (atomic_load(&n_destroyed) != 1)
		return fail("it was not destroyed once");
	printf("ok\n");
	return 0;
}
