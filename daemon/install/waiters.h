/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Those who wait until no install runs. Part of tracker.c, which is its only user.
 * Loop thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

struct spg_waiter;

struct spg_waiters {
	uv_timer_t timer;
	struct spg_waiter *first;
	bool (*is_running)(void *user, const char *product); /* NULL: any product */
	void *user;
};

/** @waiters has the last two filled in. Returns 0 or SPG_ERR_NOMEM. */
int spg_waiters_init(struct spg_waiters *waiters, uv_loop_t *loop);

/** See spg_tracker_wait(). */
int spg_waiters_add(struct spg_waiters *waiters, const char *product, int64_t wait_ns,
	void (*done)(void *user, bool running), void *user);

/** An install has ended: look who waited for that; answers come from the loop. */
void spg_waiters_wake(struct spg_waiters *waiters);

void spg_waiters_forget(struct spg_waiters *waiters, const void *user);

/** Drop all without an answer and close the handle. */
void spg_waiters_close(
	struct spg_waiters *waiters, void (*on_closed)(uv_handle_t *handle));
