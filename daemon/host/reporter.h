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

struct spg_reporter;

/** NULL: out of memory. */
struct spg_reporter *spg_reporter_create(uv_loop_t *loop);

/** The parts are there and the first look begins. @model is borrowed until
 * spg_reporter_stop(). */
void spg_reporter_started(
	struct spg_reporter *reporter, const struct spg_model *model, const char *tier);

/** Answers are proved from now on. */
void spg_reporter_ready(struct spg_reporter *reporter);

/** An event goes into the history. */
void spg_reporter_note(struct spg_reporter *reporter, const struct spg_event *event);

/** The configuration is about to be read anew; then one of the next two. */
void spg_reporter_reloading(struct spg_reporter *reporter);
void spg_reporter_reloaded(struct spg_reporter *reporter);

/** @problems: in lines; why the old configuration goes on. */
void spg_reporter_refused(
	struct spg_reporter *reporter, const struct spg_buf *problems);

/** The daemon stops: tell the manager, close the handle. Takes NULL, and may come
 * twice. */
void spg_reporter_stop(struct spg_reporter *reporter);

/** After the loop has ended. Takes NULL. */
void spg_reporter_destroy(struct spg_reporter *reporter);
