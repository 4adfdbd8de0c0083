/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The intervals of the history: when a product's files were in use or locked,
 * by whom, and when nobody looked. As for the rest of the store: asked on the
 * loop thread, answered there later, in order, never from within the call.
 *
 * Nothing is gathered here: each interval is handed to a function of the asker,
 * on the writer's thread, so that a year of history takes no more memory than he
 * keeps of it. In a long question events are written in between.
 *
 * A use is what a survey saw, with the times that events gave it. A file that was
 * touched for less time than a survey takes is an event and no use.
 */
#include <stdbool.h>
#include <stdint.h>

#include "daemon/model/product.h"
#include "daemon/store/store.h"

/* A use or a lock (held or waited for) of one of the product's files. */
struct spg_store_interval {
	int64_t from_ns, to_ns; /* UTC; an open one lasts to the question's end */
	/* Of the process, borrowed for the call; NULL when not known, all three when
	 * no process showed itself. */
	const char *name, *exe, *unit;
	bool open;   /* it lasts */
	bool cut;    /* its end was not seen: it was there until to_ns at least. A gap
	              follows, which tells for how long nobody looked */
	int32_t pid; /* 0 when not known */
	const char *path; /* of the file, borrowed for the call */
	unsigned how;     /* set of spg_use_how */
};

struct spg_store_intervals_question {
	struct spg_product *product; /* a reference is taken for the time */
	int64_t since_ns, until_ns;  /* UTC; what overlaps this is told, uncut */

	/* On the writer's thread, in no order; an interval may come twice. A
	 * negative spg_err that one returns is the answer. */
	int (*on_interval)(void *data, const struct spg_store_interval *interval);
	/* Events may be missing: gaps that concern the product, and all time before
	 * the oldest event. Not where the kernel merged events of one process and
	 * file: who it was is on record, only how often is not. @reason: a
	 * spg_gap_reason, or -1 for before the oldest event. */
	int (*on_unseen)(void *data, int64_t from_ns, int64_t to_ns, int reason);
	/* Last, when everything was told; or NULL. */
	int (*on_end)(void *data);

	/* Loop thread, once, after @done. */
	void (*release)(void *data);
	void *data;
};

/**
 * Ask; @question is copied, its data passes over. @done gets 0; SPG_ERR_BUSY when
 * the daemon stops; SPG_ERR_FULL or SPG_ERR_IO when the database cannot be used;
 * SPG_ERR_CORRUPT also when it was begun anew meanwhile; SPG_ERR_NOMEM; or what a
 * function of the question returned. Events appended before the call are in the
 * answer, if they could be written.
 */
void spg_store_read_intervals(struct spg_store *store,
	const struct spg_store_intervals_question *question,
	void (*done)(void *user, int err, void *data), void *user);
