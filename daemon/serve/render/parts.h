/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Small pieces that the render_*.c files share. As in render.h: new references,
 * NULL when memory is short.
 *
 * json_object_set_new() and json_array_append_new() take a value that is NULL,
 * or a container that is, as an error and leak nothing. So failures are
 * collected while an object is built, and looked at once, at its end.
 */
#include <stdint.h>

#include <jansson.h>

#include "daemon/model/note.h"
#include "daemon/model/observation.h"

/** @value itself, or NULL (and it is released) when @failed is not 0. */
json_t *spg_render_done(json_t *value, int failed);

/** A set of spg_use_how as a list of names. */
json_t *spg_render_hows(unsigned how);

/** A set of SPG_OBSTACLE_BIT() as a list of names. */
json_t *spg_render_obstacles(unsigned obstacles);

/** Last byte of a lock; null: to the end of the file. */
json_t *spg_render_lock_end(int64_t end);

/** Reasons or steps: of each the kind, what the kind has, and the text. */
json_t *spg_render_notes(const struct spg_notes *notes);

/** A row of coverage; @product NULL: without one. */
json_t *spg_render_lack(const struct spg_lack *lack, const char *product);

/** Escaped text; NULL gives null. */
json_t *spg_render_text(const char *text);

/** Add pid, started, name, exe, user and unit of @process to @out; all are null for NULL.
 * Returns 0, or not 0 without memory. */
int spg_render_process(json_t *out, const struct spg_process *process);
