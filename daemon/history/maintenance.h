/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Maintenance windows: when in the week a product's files were free for a wanted
 * length, how often, and who broke it. Pure: intervals go in, advice comes out.
 * Any thread, one at a time.
 *
 * Time is looked at through starts: every full hour of local time in the period
 * whose window [start, start + length) lies wholly in the period. A window is
 * free when no use overlaps it and all of it was seen. Intervals are half open:
 * a use that ends in the moment a window begins leaves it free; one that begins
 * and ends in one moment takes that moment. A slot is a weekday with an hour;
 * its starts are the same hour of several weeks.
 *
 * Where clocks change: an hour that is skipped is no start on that day; one that
 * comes twice is a start the first time. Lengths are real time, so a window of
 * 3 h that begins at 01:00 before clocks go forward ends at 05:00.
 *
 * Memory does not grow with the number of intervals: for each name there is a
 * bit for each start. Names beyond SPG_MAINTENANCE_WHO_MAX count together as
 * "others"; of unseen stretches beyond SPG_MAINTENANCE_UNSEEN_MAX the neighbours
 * are joined, so that too much is unseen and never too little.
 */
#include <stddef.h>
#include <stdint.h>

#define SPG_MAINTENANCE_SLOTS      168 /* Monday 00:00 is 0, Sunday 23:00 the last */
#define SPG_MAINTENANCE_BREAKERS   5
#define SPG_MAINTENANCE_BEST       10
#define SPG_MAINTENANCE_WHO_MAX    1000
#define SPG_MAINTENANCE_UNSEEN_MAX 65536

#define SPG_MAINTENANCE_OTHERS     "others"

struct spg_maintenance_question {
	int64_t since_ns, until_ns; /* the period, UTC */
	int64_t length_ns;          /* > 0 */
	/* Seconds that the clock on the wall is ahead of UTC at this moment, in
	 * seconds since 1970. Called by spg_maintenance_create() only. */
	int64_t (*offset_s)(int64_t at_s);
};

struct spg_maintenance_breaker {
	const char *name; /* NULL: what no process shows; owned by the windows */
	const char *unit; /* NULL: none, or not always the same */
	uint32_t times;   /* windows broken */
};

/* What became of windows; free + unseen + broken = of. */
struct spg_maintenance_count {
	uint32_t of, free;
	uint32_t unseen; /* not broken as far as is known, but not all was seen */
	struct spg_maintenance_breaker
		breakers[SPG_MAINTENANCE_BREAKERS]; /* worst first */
	size_t n_breakers;
};

/* Neighbouring slots that were free together: from the first to the end of the
 * last window. */
struct spg_maintenance_range {
	unsigned slot;    /* where it begins */
	unsigned n_slots; /* starts in it; 168: the whole week */
	int64_t length_s; /* by the clock on the wall, at least the wanted length */
	/* The weeks in which all of it was free, of those looked at. */
	struct spg_maintenance_count count;
};

struct spg_maintenance_result {
	struct spg_maintenance_count slots[SPG_MAINTENANCE_SLOTS];
	/* Best first: by share free, then number of observations, then length, then
	 * earliest. Only those free more often than not, or as often as the best. */
	struct spg_maintenance_range best[SPG_MAINTENANCE_BEST];
	size_t n_best;
	int64_t unseen_ns; /* of the period */
};

struct spg_maintenance;

/** NULL: out of memory. */
struct spg_maintenance *spg_maintenance_create(
	const struct spg_maintenance_question *question);

/** Takes NULL. */
void spg_maintenance_destroy(struct spg_maintenance *windows);

/**
 * Somebody used a file; any order, overlapping or not, inside the period or not.
 *
 * @name  of the process, copied; NULL: no process shows it
 * @unit  its service, copied; NULL: none
 *
 * Returns 0 or SPG_ERR_NOMEM.
 */
int spg_maintenance_add_use(struct spg_maintenance *windows, int64_t from_ns,
	int64_t to_ns, const char *name, const char *unit);

/** Nobody looked then. Returns 0 or SPG_ERR_NOMEM. */
int spg_maintenance_add_unseen(
	struct spg_maintenance *windows, int64_t from_ns, int64_t to_ns);

/** Once, after everything was added. @ret borrows names from @windows. */
void spg_maintenance_finish(
	struct spg_maintenance *windows, struct spg_maintenance_result *ret);
