/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * An event as one line, for who looks on while they come: time, event, who, file,
 * details. On a terminal it fits the width; what lasts or stands out (a gap, an install,
 * a hold) is a line of words, which may be wrapped.
 */
#include <jansson.h>

#include "client/output.h"

/** Append @event. */
void spg_event_line_tell(struct spg_output *out, const json_t *event);

/** Append that @n events did not come. */
void spg_event_line_dropped(struct spg_output *out, int64_t n);
