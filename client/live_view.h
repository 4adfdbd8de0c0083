/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the live view knows and shows: see client/live.h.
 */
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "client/client.h"
#include "client/screen.h"

enum spg_pane { SPG_PANE_FILES, SPG_PANE_EVENTS, SPG_PANES };

struct spg_live {
	struct spg_client *client;
	const char *product; /* NULL: all */
	const json_t *kinds; /* of the events that are listed; NULL: all */
	struct spg_screen screen;

	/* What is known. */
	json_t *answers; /* to check, one for each product; NULL: none yet */
	json_t *status;  /* the same for status */
	json_t *events;  /* an array, the newest last */
	char *refusal;   /* why check was refused; NULL: it was not */
	bool connected;
	struct spg_complaint why; /* not connected: why */

	/* Questions: the id of the answer that is waited for, or 0. */
	int64_t check_id, status_id, log_id;
	int64_t asked_ns, answered_ns, ask_next_ns; /* monotonic */
	int64_t retry_ns;                           /* when to connect again */
	bool changed; /* something has happened since the last question */

	/* What is looked at. */
	bool paused;
	size_t hidden;               /* events since the pause */
	int64_t paused_ns;           /* UTC */
	enum spg_pane pane;          /* the one that scrolls */
	size_t offset[SPG_PANES];    /* lines of files, events; 0: from the first on */
	size_t page[SPG_PANES];      /* lines that were shown of each; set by drawing */
	bool stale, must_draw, ends; /* @stale: the question is out for too long */
	int64_t drawn_ns;
};

/** Append the lines of a frame; sets page[], and bounds offset[]. */
void spg_live_render(struct spg_live *live, struct spg_buf *frame);
