/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Who came to the files of one product lately: a bounded memory of events and of the uses
 * that surveys found. It tells who comes back after it has ended, whoever starts
 * short-lived users all the time, and who opened a file that no process shows. It explains
 * answers, and makes a wait longer; no verdict is better for it. Loop thread; no clock of
 * its own.
 *
 * A program is recognised by its name, executable and user: each of its processes is
 * another one.
 */
#include <stddef.h>
#include <stdint.h>

#include "daemon/model/event.h"
#include "daemon/model/observation.h"

#define SPG_VISITORS      32
#define SPG_VISIT_OPENERS 128
#define SPG_VISIT_SLOTS   6 /* of ten seconds */

/* One program. */
struct spg_visitor {
	struct spg_process *process; /* the latest that was seen; NULL: a free place */
	struct spg_file *file;       /* that it came to */
	/* The youngest that events told of: its beginning (struct spg_proc_id), else
	 * its key. */
	uint64_t youngest;
	uint32_t starts[SPG_VISIT_SLOTS]; /* processes that came, by time */
	int64_t slot;                     /* number of the latest slot of @starts */
	struct spg_proc_id user;          /* whose use began last */
	size_t n_uses;                    /* that last now */
	unsigned n_returns; /* it had gone, and another process of it was there */
	int64_t seen_ns;    /* monotonic: the last visit */
	int64_t gone_ns;    /* monotonic: when its last use ended */
	int64_t away_ns;    /* the longest time between going and coming back */
};

/* A process that opened a file, and whose close no event has told of. */
struct spg_visit_opener {
	struct spg_file *file; /* NULL: a free place */
	struct spg_process *process;
	int64_t at_ns; /* monotonic */
};

struct spg_visits {
	struct spg_visitor visitors[SPG_VISITORS];
	struct spg_visit_opener openers[SPG_VISIT_OPENERS];
	unsigned next_opener;
};

/** @event is about a file of the product. All times here are monotonic. */
void spg_visits_note(
	struct spg_visits *visits, const struct spg_event *event, int64_t now_ns);

/** What one survey found changed: uses that began and ended. */
void spg_visits_note_changes(struct spg_visits *visits, struct spg_event *const *events,
	size_t n, int64_t now_ns);

/** Add to @obs what is remembered of those who use its files, or did a moment ago. Returns
 * 0 or SPG_ERR_NOMEM. */
int spg_visits_tell(
	const struct spg_visits *visits, struct spg_observation *obs, int64_t now_ns);

/** How long a program that has gone in the last ten minutes, and had come back twice or
 * more, may stay away; 0: there is none. At most half a minute. */
int64_t spg_visits_away_ns(const struct spg_visits *visits, int64_t now_ns);

/** Idempotent; takes one that is all zero. */
void spg_visits_finish(struct spg_visits *visits);
