/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A watch backend without an operating system, for tests of everything above
 * daemon/watch/watch.h: the test says what the world looks like, lets surveys
 * wait until it is told that they do, and puts events in.
 *
 * The world is one struct spg_observation that stands for every product. A
 * survey copies from it what its request asks for: the files that the product
 * (or the request's extra names) covers; of SPG_SURVEY_FILES only the given
 * paths; of SPG_SURVEY_LOCKS only the known files and no uses. So partial
 * surveys tell as little as real ones.
 *
 * Everything is called on the loop thread except survey(); one lock lies over
 * what both touch. spg_scripted_release() may come from any thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/watch/watch.h"

/** NULL: out of memory. The tier's name is "scripted"; lock_events is false and
 * may be changed. Destroy through the contract. */
struct spg_watch *spg_scripted_create(
	uv_loop_t *loop, const struct spg_watch_listener *listener);

/** What surveys find from now on, one that stands still too. Takes @world over.
 * A file's path decides which product it belongs to; the world's own product
 * and depth mean nothing. NULL: nothing is there. */
void spg_scripted_set_world(struct spg_watch *watch, struct spg_observation *world);

/** Surveys that begin from now on stop and wait, deaf to their cancelling, until
 * they are released. */
void spg_scripted_hold(struct spg_watch *watch);

/** Wait until a survey stands still. The loop must not be needed for it. */
void spg_scripted_wait_held(struct spg_watch *watch);

/** Let surveys go on. One that was cancelled meanwhile ends with
 * SPG_ERR_TIMEOUT. */
void spg_scripted_release(struct spg_watch *watch);

/** The next survey fails with @err. */
void spg_scripted_fail(struct spg_watch *watch, int err);

/** Where surveys are, see struct spg_watch_ops.survey_place. */
void spg_scripted_set_place(struct spg_watch *watch, const char *place);

/** Put @event into the queue for drain(), which delivers it; takes the reference
 * over. Nothing is lost: without memory it aborts. */
void spg_scripted_queue(struct spg_watch *watch, struct spg_event *event);

/** Each of the next @n surveys puts a copy of this into the queue while it runs:
 * an event of @kind about @path by process @pid. */
void spg_scripted_disturb(struct spg_watch *watch, unsigned n, enum spg_event_kind kind,
	const char *path, int32_t pid);

/** drain() delivers at most @budget events a call, then says that there are
 * more; 0: no limit. */
void spg_scripted_set_drain_budget(struct spg_watch *watch, size_t budget);

/** What struct spg_watch_ops.backlog says from now on. */
void spg_scripted_set_backlog(
	struct spg_watch *watch, uint64_t taken, uint64_t delivered);

/** Tell the listener of a gap, of a change of directories. */
void spg_scripted_gap(struct spg_watch *watch, enum spg_gap_reason reason);
void spg_scripted_layout(struct spg_watch *watch, const struct spg_product *product);

/** The process ends: watch_exit() of it says SPG_WATCH_GONE from now on, and if
 * it is watched already, the listener hears of it. Returns whether it was. */
bool spg_scripted_exit(struct spg_watch *watch, struct spg_proc_id id);

/* What was asked of the backend so far. */
struct spg_scripted_seen {
	unsigned n_surveys[3]; /* by enum spg_survey_depth, when they began */
	unsigned n_drains;
	unsigned n_exits_watched;
	unsigned n_set_products;
	/* Of the last survey that began: */
	size_t n_extra_names, n_known, n_holders, n_paths;
	bool find_users, scope_attribute;
	char product[64];
};

void spg_scripted_seen(struct spg_watch *watch, struct spg_scripted_seen *ret);
