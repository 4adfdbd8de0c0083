/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The daemon's end of its guards (guard.h): begins them, watches over them, and
 * ends those that get stuck. Loop thread.
 */
#include <uv.h>

#include "daemon/model/guard.h"
#include "daemon/watch/linux/guard/heart.h"
#include "daemon/watch/linux/proc/own_pids.h"
#include "daemon/watch/linux/proc/proc.h"

struct spg_guards {
	uv_loop_t *loop;
	struct spg_users *users;
	struct spg_own_pids *own_pids;
	struct spg_heart heart;
	struct spg_guard *list;
	void (*on_stopped)(void *user);
	void *user;
};

/** @guards has its borrowed loop, users and own_pids. Returns 0 or SPG_ERR_NOMEM;
 * spg_guards_finish() undoes it. */
int spg_guards_init(struct spg_guards *guards);

/** After spg_guards_stop() has told that all have ended. */
void spg_guards_finish(struct spg_guards *guards);

/** See struct spg_watch_ops. */
int spg_guards_begin(struct spg_guards *guards, const struct spg_guard_request *request,
	const struct spg_guard_listener *listener, struct spg_guard **ret);
void spg_guard_renew(struct spg_guard *guard, int64_t duration_ns);
void spg_guard_end(struct spg_guard *guard);
int spg_guard_knows(struct spg_guard *guard, const struct spg_process *process);

/** Directories of @product (NULL: any) came or went: its guards look for them. */
void spg_guards_walk(struct spg_guards *guards, const struct spg_product *product);

/** End all; then @on_stopped: from the loop, or within the call when there is none. */
void spg_guards_stop(
	struct spg_guards *guards, void (*on_stopped)(void *user), void *user);
