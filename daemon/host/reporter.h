/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the daemon says of itself: states to the service manager (notify.h), and
 * to the log what an administrator, or who filters the journal, wants to hear of
 * the events: verdicts that have changed, gaps, holds. Loop thread.
 *
 * Verdicts and gaps may change many times a second. They are told at once, and then
 * not again for a second; what is told then is how it is by then, with what came
 * in between only in the history. So a line a second and product is the most.
 */
#include <uv.h>

#include "common/buf.h"
#include "daemon/model/event.h"
#include "daemon/model/model.h"

struct spg_herald;

/** NULL: out of memory. */
struct spg_herald *spg_herald_create(uv_loop_t *loop);

/** The parts are there and the first census begins. @model is borrowed until
 * spg_herald_stop(). */
void spg_herald_started(
	struct spg_herald *herald, const struct spg_model *model, const char *tier);

/** Answers are proved from now on. */
void spg_herald_ready(struct spg_herald *herald);

/** An event goes into the history. */
void spg_herald_note(struct spg_herald *herald, const struct spg_event *event);

/** The configuration is about to be read anew; then one of the next two. */
void spg_herald_reloading(struct spg_herald *herald);
void spg_herald_reloaded(struct spg_herald *herald);

/** @problems: in lines; why the old configuration goes on. */
void spg_herald_refused(struct spg_herald *herald, const struct spg_buf *problems);

/** The daemon stops: tell the manager, close the handle. Takes NULL, and may come
 * twice. */
void spg_herald_stop(struct spg_herald *herald);

/** After the loop has ended. Takes NULL. */
void spg_herald_destroy(struct spg_herald *herald);
