/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Who is behind the processes of an install: the first of them and its forebears. What
 * several processes do is done by their nearest common forebear: the script that runs cp
 * and mv, make and not the shells that it starts. Loop thread.
 */
#include <stddef.h>

#include "daemon/model/process.h"
#include "daemon/watch/watch.h"

#define SPG_LINEAGE_MAX 8

struct spg_lineage {
	struct spg_process
		*at[SPG_LINEAGE_MAX]; /* the first process, its parent, ... */
	size_t n;
	size_t named;     /* in ->at[]: who has done it, as far as is known */
	unsigned n_asked; /* processes whose parents were looked for */
};

#define SPG_LINEAGE_NULL                                                               \
	{                                                                              \
		{NULL}, 0, 0, 0                                                        \
	}

/** Begin with @process, which is named; what was there is dropped. */
void spg_lineage_begin(struct spg_lineage *lineage, struct spg_watch *watch,
	struct spg_process *process);

/** Where the nearest common forebear of @process and the first one is in ->at[], or ->n:
 * they have none that could have done it, or too many were asked about. */
size_t spg_lineage_find(struct spg_lineage *lineage, struct spg_watch *watch,
	const struct spg_process *process);

/** Let go of all. */
void spg_lineage_finish(struct spg_lineage *lineage);
