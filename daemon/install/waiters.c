/* SPDX-License-Identifier: MIT */
#include "daemon/install/waiters.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"

struct spg_waiter {
	struct spg_waiter *next;
	char *product;    /* NULL: any */
	int64_t until_ns; /* monotonic */
	void (*done)(void *user, bool running);
	void *user;
};

static void destroy(struct spg_waiter *waiter)
{
	free(waiter->product);
	free(waiter);
}

/* The first one that has waited long enough, taken out; or NULL. */
static struct spg_waiter *take_due(struct spg_waiters *waiters, bool *ret_running)
{
	struct spg_waiter **link = &waiters->first;

	for (; *link; link = &(*link)->next) {
		struct spg_waiter *waiter = *link;

		*ret_running = waiters->is_running(waiters->user, waiter->product);
		if (*ret_running && waiter->until_ns > spg_clock_mono_ns())
			continue;
		*link = waiter->next;
		return waiter;
	}
	return NULL;
}

static void on_timer(uv_timer_t *timer)
{
	struct spg_waiters *waiters = timer->data;
	struct spg_waiter *waiter;
	int64_t nearest_ns = INT64_MAX, left_ns;
	bool running;

	while ((waiter = take_due(waiters, &running))) {
		waiter->done(waiter->user, running);
		destroy(waiter);
	}
	for (waiter = waiters->first; waiter; waiter = waiter->next)
		if (waiter->until_ns < nearest_ns)
			nearest_ns = waiter->until_ns;
	if (!waiters->first || uv_is_closing((uv_handle_t *)timer))
		return;
	left_ns = nearest_ns - spg_clock_mono_ns();
	uv_timer_start(timer, on_timer,
		left_ns > 0 ? (uint64_t)(left_ns / SPG_NS_PER_MS) + 1 : 0, 0);
}

int spg_waiters_init(struct spg_waiters *waiters, uv_loop_t *loop)
{
	if (uv_timer_init(loop, &waiters->timer) < 0)
		return SPG_ERR_NOMEM;
	waiters->timer.data = waiters;
	return 0;
}

int spg_waiters_add(struct spg_waiters *waiters, const char *product, int64_t wait_ns,
	void (*done)(void *user, bool running), void *user)
{
	struct spg_waiter *waiter = calloc(1, sizeof(*waiter));

	if (waiter && product)
		waiter->product = strdup(product);
	if (!waiter || (product && !waiter->product)) {
		free(waiter);
		return SPG_ERR_NOMEM;
	}
	waiter->until_ns = spg_clock_mono_ns() + wait_ns;
	waiter->done = done;
	waiter->user = user;
	waiter->next = waiters->first;
	waiters->first = waiter;
	spg_waiters_wake(waiters);
	return 0;
}

void spg_waiters_wake(struct spg_waiters *waiters)
{
	if (waiters->first && !uv_is_closing((uv_handle_t *)&waiters->timer))
		uv_timer_start(&waiters->timer, on_timer, 0, 0);
}

void spg_waiters_forget(struct spg_waiters *waiters, const void *user)
{
	struct spg_waiter **link = &waiters->first;

	while (*link) {
		struct spg_waiter *waiter = *link;

		if (waiter->user != user) {
			link = &waiter->next;
			continue;
		}
		*link = waiter->next;
		destroy(waiter);
	}
}

void spg_waiters_close(
	struct spg_waiters *waiters, void (*on_closed)(uv_handle_t *handle))
{
	while (waiters->first) {
		struct spg_waiter *waiter = waiters->first;

		waiters->first = waiter->next;
		destroy(waiter);
	}
	uv_close((uv_handle_t *)&waiters->timer, on_closed);
}
