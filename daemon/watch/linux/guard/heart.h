/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Tells the guards that the daemon lives, from a thread of its own: what keeps the loop
 * busy ends no hold. The thread stands still with the process (SIGSTOP, a freezer), and
 * ends with it; when the loop has not come round for stuck_ms, it is silent too. Then the
 * guards let go, as wire.h says.
 *
 * All functions belong to the loop thread.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So long may the loop take for one turn before it counts as stuck. */
#define SPG_HEART_STUCK_MS 10000

struct spg_heart {
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	int *sockets; /* of the guards, borrowed */
	size_t n, size;
	int64_t loop_ns; /* monotonic: when the loop last came round */
	bool runs, stopping;
};

/** Returns 0 or SPG_ERR_NOMEM. */
int spg_heart_init(struct spg_heart *heart);

/** The loop comes round: to be called every SPG_GUARD_BEAT_MS while there are guards. */
void spg_heart_loop_lives(struct spg_heart *heart);

/** Beat to @socket (wire.h), a descriptor that stays the caller's; the first one starts
 * the thread. Returns 0, SPG_ERR_NOMEM or SPG_ERR_LIMIT. */
int spg_heart_add(struct spg_heart *heart, int socket);

/** No beat goes to @socket any more, when this returns. */
void spg_heart_remove(struct spg_heart *heart, int socket);

/** True when a beat at @now_ns (monotonic) would be the truth. Only with the lock held. */
bool spg_heart_may_beat(const struct spg_heart *heart, int64_t now_ns);

/** Ends the thread; waits for no more than the beat that it is at. Idempotent. */
void spg_heart_finish(struct spg_heart *heart);
