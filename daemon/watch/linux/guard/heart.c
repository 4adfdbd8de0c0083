/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/guard/heart.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/err.h"
#include "daemon/watch/linux/guard/wire.h"

int spg_heart_init(struct spg_heart *heart)
{
	pthread_condattr_t attributes;
	int r;

	*heart = (struct spg_heart){.loop_ns = spg_clock_mono_ns()};
	if (pthread_condattr_init(&attributes) != 0)
		return SPG_ERR_NOMEM;
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	r = pthread_cond_init(&heart->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	if (r == 0 && pthread_mutex_init(&heart->lock, NULL) != 0) {
		pthread_cond_destroy(&heart->changed);
		r = -1;
	}
	return r == 0 ? 0 : SPG_ERR_NOMEM;
}

void spg_heart_loop_lives(struct spg_heart *heart)
{
	pthread_mutex_lock(&heart->lock);
	heart->loop_ns = spg_clock_mono_ns();
	pthread_mutex_unlock(&heart->lock);
}

bool spg_heart_may_beat(const struct spg_heart *heart, int64_t now_ns)
{
	return now_ns - heart->loop_ns <= SPG_HEART_STUCK_MS * SPG_NS_PER_MS;
}

static void beat(struct spg_heart *heart)
{
	struct spg_guard_message message;

	if (!spg_heart_may_beat(heart, spg_clock_mono_ns()))
		return;
	spg_guard_message_init(&message, SPG_GUARD_SAY_BEAT);
	/* One that does not read is silent as well, and is ended for that. */
	for (size_t i = 0; i < heart->n; i++)
		(void)spg_guard_send(heart->sockets[i], &message);
}

static void *run(void *user)
{
	struct spg_heart *heart = user;
	int64_t next_ns = spg_clock_mono_ns();

	pthread_mutex_lock(&heart->lock);
	while (!heart->stopping) {
		struct timespec until = {.tv_sec = next_ns / SPG_NS_PER_S,
			.tv_nsec = next_ns % SPG_NS_PER_S};

		if (heart->n == 0) {
			pthread_cond_wait(&heart->changed, &heart->lock);
			continue;
		}
		(void)pthread_cond_timedwait(&heart->changed, &heart->lock, &until);
		if (spg_clock_mono_ns() < next_ns)
			continue;
		beat(heart);
		next_ns = spg_clock_mono_ns() + SPG_GUARD_BEAT_MS * SPG_NS_PER_MS;
	}
	pthread_mutex_unlock(&heart->lock);
	return NULL;
}

/* Signals are the loop's. */
static int start_thread(struct spg_heart *heart)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&heart->thread, NULL, run, heart);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	heart->runs = r == 0;
	return r == 0 ? 0 : SPG_ERR_LIMIT;
}

int spg_heart_add(struct spg_heart *heart, int socket)
{
	int r = heart->runs ? 0 : start_thread(heart);

	if (r < 0)
		return r;
	pthread_mutex_lock(&heart->lock);
	r = spg_array_reserve(
		&heart->sockets, heart->n, &heart->size, sizeof(*heart->sockets));
	if (r == 0)
		heart->sockets[heart->n++] = socket;
	heart->loop_ns = spg_clock_mono_ns();
	pthread_cond_signal(&heart->changed);
	pthread_mutex_unlock(&heart->lock);
	return r;
}

void spg_heart_remove(struct spg_heart *heart, int socket)
{
	pthread_mutex_lock(&heart->lock);
	for (size_t i = 0; i < heart->n; i++)
		if (heart->sockets[i] == socket)
			heart->sockets[i--] = heart->sockets[--heart->n];
	pthread_mutex_unlock(&heart->lock);
}

void spg_heart_finish(struct spg_heart *heart)
{
	if (heart->runs) {
		pthread_mutex_lock(&heart->lock);
		heart->stopping = true;
		pthread_cond_signal(&heart->changed);
		pthread_mutex_unlock(&heart->lock);
		pthread_join(heart->thread, NULL);
	}
	free(heart->sockets);
	pthread_cond_destroy(&heart->changed);
	pthread_mutex_destroy(&heart->lock);
	*heart = (struct spg_heart){.n = 0};
}
