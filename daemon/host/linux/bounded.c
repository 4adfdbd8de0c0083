/* SPDX-License-Identifier: MIT */
#include "daemon/host/linux/bounded.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/err.h"

/* A thread waits so long for the next call; most come one after the other. */
#define IDLE_NS (SPG_NS_PER_S / 2)

/* Shared by caller and thread; whoever lets go last frees it. */
struct call {
	char *place;
	void (*run)(void *arg);
	void (*destroy)(void *arg);
	void *arg;
	bool done, abandoned;
	pthread_cond_t changed;
	struct call *next_late;
};

/* Process-wide, since threads may outlive whoever started them. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct call *late;
/* The one thread that has nothing to do waits for @work, and takes @next. */
static bool is_idle, is_retired;
static struct call *next;
static unsigned n_threads; /* those that are late left out */
static pthread_cond_t work, ended;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init_cond(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

static void init_work(void)
{
	init_cond(&work);
	init_cond(&ended);
}

static struct timespec moment_in(int64_t ns)
{
	int64_t until = spg_clock_mono_ns() + ns;

	return (struct timespec){
		.tv_sec = until / SPG_NS_PER_S, .tv_nsec = until % SPG_NS_PER_S};
}

static void destroy_call(struct call *call)
{
	pthread_cond_destroy(&call->changed);
	free(call->place);
	free(call);
}

/* False: it was late, and nobody counts on this thread any more. */
static bool make(struct call *call)
{
	bool abandoned;

	call->run(call->arg);
	pthread_mutex_lock(&lock);
	call->done = true;
	abandoned = call->abandoned;
	if (abandoned) {
		struct call **at = &late;

		while (*at != call)
			at = &(*at)->next_late;
		*at = call->next_late;
	}
	pthread_cond_signal(&call->changed);
	pthread_mutex_unlock(&lock);
	if (abandoned) {
		call->destroy(call->arg);
		destroy_call(call);
	}
	return !abandoned;
}

/* The next call for this thread, or NULL after some time: then it has to end. */
static struct call *await_next(void)
{
	struct timespec until = moment_in(IDLE_NS);
	struct call *call = NULL;

	pthread_mutex_lock(&lock);
	if (!is_idle) {
		is_idle = true;
		while (!next && !is_retired &&
			pthread_cond_timedwait(&work, &lock, &until) == 0)
			;
		call = next;
		next = NULL;
		is_idle = false;
	}
	if (!call && --n_threads == 0)
		pthread_cond_broadcast(&ended);
	pthread_mutex_unlock(&lock);
	return call;
}

static void *run(void *arg)
{
	struct call *call = arg;

	while (call && make(call))
		call = await_next();
	return NULL;
}

void spg_bounded_retire(void)
{
	pthread_once(&once, init_work);
	pthread_mutex_lock(&lock);
	is_retired = true;
	pthread_cond_broadcast(&work);
	while (n_threads > 0)
		pthread_cond_wait(&ended, &lock);
	is_retired = false;
	pthread_mutex_unlock(&lock);
}

static bool is_late(const char *place)
{
	for (const struct call *call = late; call; call = call->next_late)
		if (strcmp(call->place, place) == 0)
			return true;
	return false;
}

/* With the lock. */
static int start_thread(struct call *call)
{
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	err = pthread_create(&thread, &attr, run, call);
	pthread_attr_destroy(&attr);
	n_threads += !err;
	return err ? SPG_ERR_NOMEM : 0;
}

/* With the lock. Returns 0 or SPG_ERR_NOMEM. */
static int hand_over(struct call *call)
{
	if (!is_idle || next)
		return start_thread(call);
	next = call;
	pthread_cond_signal(&work);
	return 0;
}

/* With the lock: wait for it. Returns 0, or SPG_ERR_TIMEOUT: it is the thread's then. */
static int await(struct call *call, unsigned timeout_ms)
{
	struct timespec until = moment_in(timeout_ms * SPG_NS_PER_MS);

	while (!call->done &&
		pthread_cond_timedwait(&call->changed, &lock, &until) == 0)
		;
	if (call->done)
		return 0;
	call->abandoned = true;
	n_threads--;
	call->next_late = late;
	late = call;
	return SPG_ERR_TIMEOUT;
}

int spg_bounded_call(const char *place, unsigned timeout_ms, void (*run_it)(void *arg),
	void (*destroy)(void *arg), void *arg)
{
	struct call *call = calloc(1, sizeof(*call));
	int r = SPG_ERR_NOMEM;

	pthread_once(&once, init_work);
	if (!call)
		return r;
	*call = (struct call){
		.place = strdup(place), .run = run_it, .destroy = destroy, .arg = arg};
	init_cond(&call->changed);
	if (!call->place) {
		destroy_call(call);
		return r;
	}
	pthread_mutex_lock(&lock);
	if (is_late(place)) {
		pthread_mutex_unlock(&lock);
		destroy_call(call);
		destroy(arg);
		return SPG_ERR_TIMEOUT;
	}
	r = hand_over(call);
	if (r == 0)
		r = await(call, timeout_ms);
	pthread_mutex_unlock(&lock);
	if (r != SPG_ERR_TIMEOUT)
		destroy_call(call);
	return r;
}
